"""Is anybody there: one request without credentials, for whoever looks for what is wrong."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from cxplan.core.answers import Failure
from cxplan.core.errors import UnavailableError
from cxplan.core.health import Arrival
from cxplan.ports import Clock
from cxplan.tenant.connection import Connection, Limits, Site
from cxplan.tenant.headers import single
from cxplan.tenant.messages import Broken, Call, Reply, Trouble
from cxplan.tenant.oauth import refused_certificate
from cxplan.tenant.pacing import Pacer
from cxplan.tenant.session import Http

_CLASS = re.compile(r"\((\w+)\)\.$")
_WORDS = {
    "NameResolutionError": "its name is not known (DNS).",
    "NewConnectionError": "nobody listens there, or no route leads there.",
    "ConnectTimeoutError": "no connection in time.",
    "SSLError": "TLS failed; perhaps it speaks no TLS, or none that is recent enough.",
}
"""What the classes mean that tell most, for people."""


def reach(
    connection: Connection, site: Site, option: str, clock: Clock, limits: Limits | None = None
) -> Arrival:
    """Ask ``site``, which ``option`` named, for anything at all, once; any answer will do.

    Raises:
        AuthError: its certificate is refused.
        UnavailableError: it cannot be reached, or gives no answer.
        InvalidError: the CA bundle cannot be read.
    """
    http = Http(connection, clock, _unused_pacer(connection, clock), limits)
    try:
        outcome = http.exchange(site, Call("GET", site.base or "/"))
        answered = clock.now()
    finally:
        http.close()
    match outcome:
        case Reply(headers=headers, latency=latency):
            date = _instant(single(headers, "date"))
            return Arrival(site.origin, answered - timedelta(seconds=latency / 2), date)
        case Broken(failure=Failure.CERTIFICATE, trouble=trouble):
            raise refused_certificate(site, trouble)
        case Broken(trouble=trouble):
            raise UnavailableError(
                f"{site.origin} cannot be reached: {_words(trouble)}",
                code=trouble.code,
                hint=f"Check {option}, the network and --proxy.",
            )


def _unused_pacer(connection: Connection, clock: Clock) -> Pacer:
    return Pacer(clock, lambda: 0.0, rate=connection.max_rps)


def _words(trouble: Trouble) -> str:
    named = _CLASS.search(trouble.reason)
    return _WORDS.get(named[1] if named else "", trouble.reason)


def _instant(value: str | None) -> datetime | None:
    """Return the instant of a ``Date`` header in GMT, or None for anything else."""
    if value is None or not value.endswith(" GMT"):
        return None
    try:
        return parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
