"""Where a tenant is and how to reach it: addresses that people set, checked before any use.

They come from flags and environment, never from the desired state. https only, http for loopback
hosts. What is refused is named by its option and never quoted, since it may hold a password.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from cxplan.core.errors import InvalidError
from cxplan.core.secret import Secret

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PLAIN = re.compile(r"[\x21-\x5b\x5d-\x7e]{1,2048}")
"""Visible ASCII without the backslash, which two parsers read differently."""

_CLIENT_ID = re.compile(r"[\x20-\x39\x3b-\x7e]{1,512}")
_CLIENT_SECRET = re.compile(r"[\x20-\x7e]{1,4096}")
WIDEST = 64
"""More threads than this make reading slower, not faster."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one exchange may take: seconds to connect, seconds altogether, bytes of a body."""

    connect: float = 10.0
    exchange: float = 30.0
    body: int = 8 << 20


@dataclass(frozen=True, slots=True)
class Site:
    """An origin and a path below which everything lies; ``base`` has no slash at its end."""

    scheme: str
    host: str
    port: int
    base: str = ""

    @property
    def address(self) -> str:
        """``host:port``, for messages."""
        return f"{self._bracketed}:{self.port}"

    @property
    def origin(self) -> str:
        """``https://host``, with the port where it is not the scheme's own."""
        if self.port == _DEFAULT_PORTS[self.scheme]:
            return f"{self.scheme}://{self._bracketed}"
        return f"{self.scheme}://{self.address}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def parse_site(url: str, option: str, *, base: bool = True) -> Site:
    """Return the site of ``url``, which was given by ``option``.

    Raises:
        InvalidError: not https (or http on loopback), userinfo, a query, a fragment, characters
            that have no place in a URL, or a path where ``base`` is False.
    """
    parts = _split(url, option)
    if parts.scheme not in _DEFAULT_PORTS:
        raise _refusal(option, "is neither https nor http", "http.scheme")
    if parts.username is not None or parts.password is not None:
        raise _refusal(option, "holds a user name or password", "http.userinfo")
    if parts.query or parts.fragment or (parts.path.strip("/") and not base):
        raise _refusal(option, "holds more than an address", "usage")
    host = parts.hostname
    if not host:
        raise _refusal(option, "names no host", "usage")
    port = parts.port if parts.port is not None else _DEFAULT_PORTS[parts.scheme]
    return Site(parts.scheme, host, port, parts.path.rstrip("/"))


def _split(url: str, option: str) -> SplitResult:
    """Split ``url``; a port out of range shows only when it is asked for."""
    if _PLAIN.fullmatch(url):
        try:
            parts = urlsplit(url)
            if parts.port != 0:
                return parts
        except ValueError:
            pass
    raise _refusal(option, "is not a URL", "usage")


def _refusal(option: str, what: str, code: str) -> InvalidError:
    return InvalidError(
        f"The address given by {option} {what}.",
        code=code,
        hint="Give it as https://host[:port][/path], without user name, query or fragment.",
    )


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` is this machine by name or by number."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach one tenant and who asks.

    ``read_width`` is how many reads may be under way, ``max_rps`` how many writes leave in a second
    (the tenant allows five; less is slower, more is cut to five).

    Raises:
        InvalidError: an address, a credential or a number that cannot be meant.
    """

    api_url: str
    token_url: str
    client_id: str
    client_secret: Secret
    ca_bundle: str | None = None
    proxy: str | None = None
    read_width: int = 16
    max_rps: float = 5.0
    api: Site = field(init=False)
    token: Site = field(init=False)

    def __post_init__(self) -> None:
        """Check every part; the sites are derived here once."""
        object.__setattr__(self, "api", _encrypted(self.api_url, "--api-url"))
        object.__setattr__(self, "token", _encrypted(self.token_url, "--token-url"))
        if self.proxy is not None:
            parse_site(self.proxy, "--proxy", base=False)
        _check_credentials(self.client_id, self.client_secret)
        _check_numbers(self.read_width, self.max_rps)

    @property
    def uses_tls(self) -> bool:
        """Whether any of the addresses is https."""
        return any(
            (url or "").lower().startswith("https:")
            for url in (self.api_url, self.token_url, self.proxy)
        )


def _encrypted(url: str, option: str) -> Site:
    site = parse_site(url, option)
    if site.scheme == "http" and not is_loopback(site.host):
        raise _refusal(option, "is http; only this machine may be asked without TLS", "http.scheme")
    return site


def _check_credentials(client_id: str, secret: Secret) -> None:
    if not _CLIENT_ID.fullmatch(client_id):
        raise InvalidError(
            "The client id is empty, too long, or holds a colon or a character that is not ASCII.",
            hint="Check CXONE_CLIENT_ID.",
        )
    if not _CLIENT_SECRET.fullmatch(secret.reveal()):
        raise InvalidError(
            "The client secret is empty, too long, or holds a character that is not ASCII.",
            hint="Check CXONE_CLIENT_SECRET; a line end at its end counts too.",
        )


def _check_numbers(width: int, rate: float) -> None:
    if not 1 <= width <= WIDEST:
        raise InvalidError(f"--concurrency must lie between 1 and {WIDEST}.", code="usage.range")
    if not 0 < rate < float("inf"):
        raise InvalidError("--max-rps must be a number above 0.", code="usage.range")
