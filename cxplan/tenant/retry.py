"""One read and what came back, to what to do next: a table, with no clock and no randomness.

Four attempts and 60 s at most for one read; pauses that the tenant asks for are not counted, and
an answer 429 is no attempt. Waits are full jitter (``core.steps.backoff``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cxplan.core.steps import ATTEMPTS, SECONDS, backoff
from cxplan.tenant.headers import location_origin, single
from cxplan.tenant.messages import Broken, Outcome, Reply, Trouble

Jitter = Callable[[], float]
"""A random number in [0, 1)."""

PASSING = frozenset({"http.cut", "http.deadline", "http.unreachable", "http.proxy"})
"""Troubles that another attempt may not have."""

_LONGEST_SECONDS = 366 * 86_400.0
_SECONDS = re.compile(r"[0-9]{1,20}")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_IMF_FIXDATE = re.compile(
    rf"({'|'.join(_DAYS)}), ([0-9]{{2}}) ({'|'.join(_MONTHS)}) ([0-9]{{4}})"
    r" ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)


@dataclass(frozen=True, slots=True)
class Take:
    """The answer stands; what it means is for the caller."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Wait:
    """Try again after ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Throttled:
    """429: the tenant's reads pause, then the same again."""

    retry_after: float | None


@dataclass(frozen=True, slots=True)
class Renew:
    """401: take a fresh token, once."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No usable answer will come."""

    trouble: Trouble


Decision = Take | Wait | Throttled | Renew | GiveUp


@dataclass(frozen=True, slots=True)
class Effort:
    """What one read has cost so far: attempts that count, and their seconds."""

    attempts: int = 0
    seconds: float = 0.0

    def plus(self, outcome: Outcome) -> Effort:
        """Return the effort after one more attempt."""
        return Effort(self.attempts + 1, self.seconds + outcome.latency)

    def waited(self, seconds: float) -> Effort:
        """Return the effort after a wait that counts."""
        return Effort(self.attempts, self.seconds + seconds)


def decide(outcome: Outcome, effort: Effort, now: datetime, jitter: Jitter) -> Decision:
    """Return what to do after ``outcome``; ``effort`` includes the attempt that brought it."""
    match outcome:
        case Reply():
            return _after_reply(outcome, effort, now, jitter)
        case Broken(trouble=trouble):
            return _after_trouble(trouble, effort, jitter)


def _after_reply(reply: Reply, effort: Effort, now: datetime, jitter: Jitter) -> Decision:
    match reply.status:
        case 401:
            return Renew(reply)
        case 429:
            return Throttled(retry_after(single(reply.headers, "retry-after"), now))
        case status if status == 408 or status >= 500:  # noqa: PLR2004 - faults of the platform
            asked = retry_after(single(reply.headers, "retry-after"), now) or 0.0
            trouble = Trouble("http.unavailable", f"The tenant keeps answering {status}.")
            return _again(trouble, effort, max(asked, backoff(effort.attempts, jitter())))
        case status if 300 <= status < 400:  # noqa: PLR2004 - the class of redirects
            return GiveUp(redirected(reply))
    if reply.ok and reply.trouble:
        return _after_trouble(reply.trouble, effort, jitter)
    return Take(reply)


def redirected(reply: Reply) -> Trouble:
    """Return the trouble of a redirect: never followed, its target named by origin only."""
    where = location_origin(reply.headers)
    return Trouble("http.redirect", f"The tenant answers {reply.status} and points to {where}.")


def _after_trouble(trouble: Trouble, effort: Effort, jitter: Jitter) -> Decision:
    if trouble.code not in PASSING:
        return GiveUp(trouble)
    return _again(trouble, effort, backoff(effort.attempts, jitter()))


def _again(trouble: Trouble, effort: Effort, delay: float) -> Decision:
    spent = effort.attempts >= ATTEMPTS or effort.seconds + delay > SECONDS
    return GiveUp(trouble) if spent else Wait(delay)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` value asks to wait from ``now``.

    ASCII digits or an IMF-fixdate (RFC 9110 section 5.6.7) that says GMT; anything else is None.
    An instant that is past is 0, and nothing is longer than a year.
    """
    if value is None:
        return None
    if _SECONDS.fullmatch(value):
        return min(float(value), _LONGEST_SECONDS)
    instant = _http_date(value)
    if instant is None:
        return None
    return min(max((instant - now).total_seconds(), 0.0), _LONGEST_SECONDS)


def _http_date(value: str) -> datetime | None:
    """By hand, since ``strptime`` follows the locale and ``parsedate`` accepts what is no date."""
    match = _IMF_FIXDATE.fullmatch(value)
    if match is None:
        return None
    weekday, day, month, year, *clock = match.groups()
    hour, minute, second = map(int, clock)
    try:
        instant = datetime(
            int(year), _MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=UTC
        )
    except ValueError:
        return None
    return instant if _DAYS[instant.weekday()] == weekday else None
