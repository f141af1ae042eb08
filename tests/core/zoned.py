"""Schedules as people write them: wall-clock times of six zones, around changes of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from cxplan.core.ids import WorkModeId
from cxplan.core.live import Shift

MINUTES_A_DAY = 24 * 60

CHANGES = {
    "Europe/London": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),  # by half an hour
    "Asia/Kolkata": (date(2026, 3, 29), date(2026, 6, 11)),  # never, and half an hour off
    "America/Phoenix": (date(2026, 3, 8), date(2026, 11, 1)),  # not with New York
    "America/Sao_Paulo": (date(2018, 11, 4), date(2019, 2, 17)),  # at midnight; since then never
}
"""Days on which clocks change there, or change elsewhere."""


@dataclass(frozen=True, slots=True)
class Row:
    """A shift, its instants in minutes since 1970 (UTC) for whoever counts without dates."""

    start: int
    end: int
    mode: str

    def shift(self) -> Shift:
        return Shift(instant(self.start), instant(self.end), WorkModeId(self.mode))


def instant(minute: int, zone: str | None = None) -> datetime:
    """The instant of a minute since 1970, in UTC or as a zone's wall clock shows it."""
    return datetime.fromtimestamp(minute * 60, ZoneInfo(zone) if zone else UTC)


def minute_of(zone: str, day: date, minute: int, fold: int = 0) -> int:
    """The minute since 1970 at which clocks in ``zone`` show ``minute`` of ``day``.

    Of a time that they show twice the first or, with ``fold``, the second.
    """
    wall = datetime.combine(day, time()) + timedelta(minutes=minute)
    return int(wall.replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()) // 60


def middle(zone: str, day: date) -> int:
    """The minute at which clocks are changed in the night to ``day``, or its first one."""
    first = minute_of(zone, day, 0)
    night = range(first - 120, first + 300)
    offset = instant(night[0], zone).utcoffset()
    changed = (m for m in night if instant(m, zone).utcoffset() != offset)
    return next(changed, first)


def written(random: Random, zone: str, day: date, modes: list[str], longest: int = 12) -> Row:
    """A shift within two days of ``day``, both its ends as clocks in ``zone`` show them.

    Where clocks are put forward, an end that they never show may come before its start.
    """
    offset = random.randint(-2, 2) * MINUTES_A_DAY
    start = offset + random.choice((0, 1, 50, 110, 150, random.randrange(MINUTES_A_DAY)))
    end = start + random.randint(1, longest * 60)
    return Row(
        minute_of(zone, day, start, random.randint(0, 1)),
        minute_of(zone, day, end, random.randint(0, 1)),
        random.choice(modes),
    )
