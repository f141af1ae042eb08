"""One exchange with a tenant: with ``foreign`` the only module that knows requests and urllib3.

Bounded in seconds and bytes, never redirected, never taught by the environment. Every foreign
exception ends here as a value.
"""

from __future__ import annotations

import http.client
import http.cookiejar
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import requests
import requests.adapters
import urllib3.exceptions as wire
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from cxplan.core.answers import Failure
from cxplan.core.errors import InvalidError
from cxplan.ports import Clock
from cxplan.tenant.connection import Connection, Limits, Site
from cxplan.tenant.flight import Flight, TimedResponse, hung_up
from cxplan.tenant.foreign import FOREIGN, translate
from cxplan.tenant.headers import refused_framing
from cxplan.tenant.messages import SENTENCES, Broken, Call, Headers, Outcome, Reply, Trouble
from cxplan.tenant.pacing import Pacer, Unsent
from cxplan.version import __version__

_CHUNK = 1 << 16
_FIXED_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": f"cxplan/{__version__}",
}


class PlainConnection(HTTPConnection):
    """Connects first, takes the write's turn, and only then writes the request."""

    def __init__(self, *args: Any, flight: Flight, **options: Any) -> None:
        """Belong to the one thread whose exchanges ``flight`` describes."""
        super().__init__(*args, **options)
        self._flight = flight
        self.response_class = self._timed  # type: ignore[assignment]  # called like the class

    def _timed(self, *args: Any, **options: Any) -> TimedResponse:
        return TimedResponse(self._flight, *args, **options)

    def request(  # type: ignore[override]  # urllib3's own signature, passed through
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        """Send one request; a PATCH at its turn."""
        if self.sock is None:
            self.connect()
        if method != "PATCH":
            self._write(method, url, body, headers, **options)
            return
        with self._flight.turn():
            self._reconnect_if_hung_up()
            self._write(method, url, body, headers, **options)

    def _write(
        self, method: str, url: str, body: Any, headers: Mapping[str, str] | None, **options: Any
    ) -> None:
        """Hand the request to the socket, its body made at this moment."""
        if body is not None and self._flight.call.body is not None:
            body = self._flight.call.body()
            headers = {**(headers or {}), "Content-Length": str(len(body))}
        self._flight.sent = True
        super().request(method, url, body=body, headers=headers, **options)

    def _reconnect_if_hung_up(self) -> None:
        """The tenant may have closed the connection while we waited; nothing was sent yet."""
        if not isinstance(self.sock, socket.socket) or not hung_up(self.sock):
            return
        if self.proxy_is_tunneling:
            raise wire.NewConnectionError(self, "the tunnel was closed during the wait")
        self.close()
        self.connect()


class TlsConnection(PlainConnection, HTTPSConnection):
    """The same over TLS."""


class PlainPool(HTTPConnectionPool):
    """Connections without TLS."""

    ConnectionCls = PlainConnection


class TlsPool(HTTPSConnectionPool):
    """Connections with TLS."""

    ConnectionCls = TlsConnection


_POOLS = {"http": PlainPool, "https": TlsPool}


class _Adapter(requests.adapters.HTTPAdapter):
    """Hands out connections that know their thread's exchange and trust one TLS context."""

    def __init__(self, flight: Flight, context: ssl.SSLContext) -> None:
        self._flight = flight
        self._context = context
        super().__init__(pool_connections=4, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, proxy_ssl_context=self._context, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def build_connection_pool_key_attributes(self, *args: Any, **options: Any) -> Any:
        host, _ = super().build_connection_pool_key_attributes(*args, **options)
        return host, {"ssl_context": self._context} if host["scheme"] == "https" else {}

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        pool = super().get_connection_with_tls_context(*args, **options)
        pool.conn_kw["flight"] = self._flight  # type: ignore[attr-defined]  # the stubs know less
        return pool

    def cert_verify(self, *args: Any, **options: Any) -> None:
        """Nothing to add: the context verifies, and loads its authorities once, not each time."""


class _Session(requests.Session):
    """A session that never looks at a Location: requests would read that body without a bound."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return no target, whatever ``resp`` says."""


class Http:
    """Exchanges with one tenant, from any number of threads: a session and connections for each."""

    def __init__(
        self, connection: Connection, clock: Clock, pacer: Pacer, limits: Limits | None = None
    ) -> None:
        """Load the certificate authorities once.

        Raises:
            InvalidError: the CA bundle cannot be read.
        """
        self._limits = limits or Limits()
        self._flight: Callable[[], Flight] = lambda: Flight(clock, pacer, self._limits)
        self._context = _tls_context(connection)
        proxy = connection.proxy
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._local = threading.local()
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()

    def exchange(self, site: Site, call: Call) -> Outcome:
        """Send one request to ``site`` and return what came back; never raises for what did."""
        session, flight = self._lane()
        flight.begin(call)
        try:
            response = session.send(
                _prepared(site, call),
                stream=True,
                timeout=(self._limits.connect, self._limits.exchange),
                allow_redirects=False,
                proxies=self._proxies,
            )
        except Unsent as unsent:
            return unsent.outcome
        except FOREIGN as error:
            return Broken(*translate(error, sent=flight.sent), flight.latency)
        try:
            return _received(response.raw, flight, self._limits.body)
        finally:
            response.close()

    def _lane(self) -> tuple[requests.Session, Flight]:
        if not hasattr(self._local, "lane"):
            session, flight = _Session(), self._flight()
            session.trust_env = False
            session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=()))
            session.mount("https://", adapter := _Adapter(flight, self._context))
            session.mount("http://", adapter)
            self._sessions.add(session)
            self._local.lane = session, flight
        lane: tuple[requests.Session, Flight] = self._local.lane
        return lane

    def close(self) -> None:
        """Close the connections of every thread."""
        for session in list(self._sessions):
            session.close()


def _tls_context(connection: Connection) -> ssl.SSLContext:
    """By hand, since ``ssl.create_default_context`` takes a key log file from the environment.

    Without an https address nobody is trusted, which is right and spares a fiftieth of a second.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if connection.ca_bundle or connection.uses_tls:
        try:
            context.load_verify_locations(cafile=connection.ca_bundle or DEFAULT_CA_BUNDLE_PATH)
        except OSError:
            raise InvalidError(
                "The file given by --ca-bundle cannot be read or holds no certificate.",
                hint="Give a file of PEM certificates.",
            ) from None
    return context


def _prepared(site: Site, call: Call) -> requests.PreparedRequest:
    """Make the request by hand, so that no library touches its target."""
    prepared = requests.PreparedRequest()
    prepared.method = call.method
    prepared.url = site.origin + call.target
    prepared.headers = CaseInsensitiveDict(_FIXED_HEADERS)
    prepared.headers.update(call.headers)
    if call.authorization is not None:
        prepared.headers["Authorization"] = call.authorization.reveal()
    if call.body is not None:
        prepared.body = call.body()
        prepared.headers["Content-Length"] = str(len(prepared.body))
    return prepared


def _received(raw: BaseHTTPResponse, flight: Flight, limit: int) -> Outcome:
    if raw.status < 200:  # noqa: PLR2004 - http.client takes an interim answer for the final one
        trouble = Trouble("http.protocol", f"{SENTENCES['http.protocol']} (status {raw.status}).")
        return Broken(Failure.LOST, trouble, flight.latency)
    headers: Headers = tuple((name.lower(), value) for name, value in raw.headers.items())
    body: bytes | Trouble
    try:
        body = _body(raw, headers, limit)
    except FOREIGN as error:
        _, body = translate(error, sent=True)
    if isinstance(body, Trouble):
        return Reply(raw.status, headers, b"", body, flight.latency)
    return Reply(raw.status, headers, body, None, flight.latency)


def _body(raw: BaseHTTPResponse, headers: Headers, limit: int) -> bytes | Trouble:
    if code := refused_framing(headers):
        return Trouble(code, f"{SENTENCES[code]}.")
    too_large = Trouble("http.too_large", f"{SENTENCES['http.too_large']} ({limit} bytes).")
    if (raw.length_remaining or 0) > limit:
        return too_large
    parts: list[bytes] = []
    size = 0
    while part := raw.read(_CHUNK, decode_content=False):
        size += len(part)
        if size > limit:
            return too_large
        parts.append(part)
    return b"".join(parts)
