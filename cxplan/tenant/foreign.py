"""Exceptions of requests, urllib3 and the standard library, to what they mean for an exchange.

Each becomes a value of class names only, since its text, its request and its response can hold the
token.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping

import urllib3.exceptions as wire
from requests import exceptions as request

from cxplan.core.answers import Failure
from cxplan.tenant.messages import CERTIFICATE_FAULTS, SENTENCES, Trouble

TRANSLATIONS: Mapping[type[BaseException], str] = {
    request.RequestException: "http.protocol",
    request.HTTPError: "http.protocol",
    request.InvalidJSONError: "http.protocol",
    request.JSONDecodeError: "http.protocol",
    request.InvalidHeader: "http.protocol",
    request.RetryError: "http.protocol",
    request.StreamConsumedError: "http.protocol",
    request.UnrewindableBodyError: "http.protocol",
    request.ConnectionError: "http.cut",
    request.ChunkedEncodingError: "http.cut",
    request.ContentDecodingError: "http.encoding",
    request.ProxyError: "http.proxy",
    request.SSLError: "http.tls",
    request.Timeout: "http.deadline",
    request.ReadTimeout: "http.deadline",
    request.ConnectTimeout: "http.unreachable",
    request.TooManyRedirects: "http.redirect",
    request.URLRequired: "http.bad_url",
    request.MissingSchema: "http.bad_url",
    request.InvalidSchema: "http.bad_url",
    request.InvalidURL: "http.bad_url",
    request.InvalidProxyURL: "http.bad_url",
    wire.HTTPError: "http.protocol",
    wire.LocationValueError: "http.bad_url",
    wire.SSLError: "http.tls",
    wire.ProxyError: "http.proxy",
    wire.DecodeError: "http.encoding",
    wire.TimeoutError: "http.deadline",
    wire.ConnectTimeoutError: "http.unreachable",
    wire.ProtocolError: "http.cut",
    wire.IncompleteRead: "http.cut",
    wire.InvalidChunkLength: "http.protocol",
    http.client.HTTPException: "http.protocol",
    http.client.IncompleteRead: "http.cut",
    http.client.RemoteDisconnected: "http.cut",
    ssl.SSLError: "http.tls",
    ssl.SSLEOFError: "http.cut",
    TimeoutError: "http.deadline",
    OSError: "http.cut",
    ValueError: "http.protocol",
}
"""What each foreign exception means, by its nearest class. A wrapper says less than its cause."""

FOREIGN = (
    request.RequestException,
    wire.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)


def translate(error: BaseException, *, sent: bool) -> tuple[Failure, Trouble]:
    """Return what a foreign exception means, told by types only.

    ``sent`` says whether any of the request was handed to the connection: unless it is False,
    the tenant may have acted.
    """
    cause = _innermost(error)
    code = next(TRANSLATIONS[kind] for kind in type(cause).__mro__ if kind in TRANSLATIONS)
    trouble = Trouble(code, f"{SENTENCES[code]} ({type(cause).__name__}).")
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = CERTIFICATE_FAULTS.get(getattr(cause, "verify_code", None) or 0, "it proves nothing")
        return Failure.CERTIFICATE, Trouble(code, why)
    return (Failure.LOST if sent else Failure.NOT_SENT), trouble


def _innermost(error: BaseException) -> BaseException:
    """Unwrap what requests and urllib3 wrap; a proxy's failure stays one."""
    while not isinstance(error, wire.ProxyError):
        inner = getattr(error, "reason", None)
        wrapped = [a for a in (*error.args, inner) if isinstance(a, BaseException)]
        if not wrapped:
            break
        error = wrapped[-1]
    return error
