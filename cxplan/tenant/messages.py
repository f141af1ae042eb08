"""What goes over the wire and what comes back, as values; nothing here opens a connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cxplan.core.answers import Failure
from cxplan.core.errors import UnavailableError
from cxplan.core.secret import Secret
from cxplan.ports import always

Headers = tuple[tuple[str, str], ...]
"""Names in lower case; a name that was sent twice stands twice."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``target`` is path and query; ``body`` is made at the moment of sending."""

    method: str
    target: str
    authorization: Secret | None = None
    headers: Headers = ()
    body: Callable[[], bytes] | None = None
    may_leave: Callable[[], bool] = always
    """Is asked about a write at its turn."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something is not usable: a stable code and a sentence that is safe to show."""

    code: str
    reason: str


SENTENCES = {
    "http.bad_url": "The address cannot be asked",
    "http.cut": "The connection broke before the whole answer came",
    "http.deadline": "The whole answer did not come in time",
    "http.encoding": "The answer is encoded in a way that was not asked for",
    "http.protocol": "The answer breaks the rules of HTTP",
    "http.proxy": "The proxy failed",
    "http.redirect": "The answer is a redirect",
    "http.tls": "TLS failed",
    "http.too_large": "The answer is larger than is read",
    "http.unreachable": "The tenant could not be reached",
}

CERTIFICATE_FAULTS = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is signed by itself",
    19: "the authority at the end of its chain is not trusted",
    20: "its issuer is not trusted",
    21: "its issuer is not trusted",
    23: "it was revoked",
    62: "it is for another host",
    64: "it is for another address",
}
"""Why a certificate proves nothing, by OpenSSL's code (X509_V_ERR_ in openssl/x509_vfy.h)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A status came back; with ``trouble`` the body is not there. ``latency`` is in seconds."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    trouble: Trouble | None = None
    latency: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the status is a 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the class of success


@dataclass(frozen=True, slots=True)
class Broken:
    """No status came back. ``retry_after`` is set where the tenant's pause kept us from sending."""

    failure: Failure
    trouble: Trouble
    latency: float = 0.0
    retry_after: float | None = None


Outcome = Reply | Broken


class Refused(UnavailableError):
    """An answer that is not used. About one agent it makes that agent unread, else it ends all."""

    def __init__(self, trouble: Trouble) -> None:
        """Keep the trouble beside the problem that is shown."""
        super().__init__(
            trouble.reason,
            code=trouble.code,
            hint="Run again; if it stays, show this to whoever runs the tenant's API.",
        )
        self.trouble = trouble


class Forbidden(Refused):
    """403: the client may not read this; ``scope`` is what reading it takes."""

    def __init__(self, scope: str) -> None:
        """Name the scope in the trouble."""
        reason = f"The tenant forbids reading this (403); it takes the scope {scope}."
        super().__init__(Trouble("http.forbidden", reason))
        self.scope = scope
