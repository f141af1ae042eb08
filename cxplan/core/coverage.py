"""How many scheduled agents hold a skill, interval by interval, before and after a plan.

What ``guards.minCoverage`` stands on, one rule at a time. An agent is scheduled while any shift
runs, whatever mode it plans; overlapping shifts of one agent count once, and a shift that ends
before it starts, or has zero length, never runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from cxplan.core.ids import OFF, AgentKey
from cxplan.core.live import ScheduleReading, Shift, UnreadableSchedule
from cxplan.core.model import Levels


@dataclass(frozen=True, slots=True)
class Holder:
    """One managed agent as a rule sees it: whether it counts, live and with the plan applied."""

    key: AgentKey
    schedule: ScheduleReading
    before: bool
    after: bool


@dataclass(frozen=True, slots=True)
class Interval:
    """A time ``[start, end)`` in UTC, and how many count in it: live, and with the plan applied."""

    start: datetime
    end: datetime
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Count:
    """The counts over a whole horizon, without gaps; neighbours differ.

    ``unreadable`` are the agents, sorted, that would count but for a schedule that could not be
    read: they are in no count.
    """

    intervals: tuple[Interval, ...]
    unreadable: tuple[AgentKey, ...]


def qualifies(rule_level: int | None, levels: Levels, level: int | None) -> bool:
    """Tell whether a skill that is held at ``level`` counts for a rule.

    It counts while it is active and not worse than ``rule_level``, where the rule has one. None
    for ``level`` is a level that the tenant did not state: active, and at least nothing. Of an
    agent that does not hold the skill at all, do not ask.
    """
    if level == OFF:
        return False
    if rule_level is None:
        return True
    return level is not None and not levels.better(level, rule_level)


def count(holders: Iterable[Holder], at: datetime, horizon_hours: int) -> Count:
    """Count who is scheduled from ``at`` on, for ``horizon_hours`` (at least 1) true hours.

    ``at`` must be aware; a naive one is a bug and raises ``ValueError``.
    """
    if at.tzinfo is None:
        raise ValueError("an instant needs an offset")
    begin = at.astimezone(UTC)
    end = begin + timedelta(hours=horizon_hours)
    before: Counter[datetime] = Counter()
    after: Counter[datetime] = Counter()
    unreadable: list[AgentKey] = []
    for holder in holders:
        if not (holder.before or holder.after):
            continue
        if isinstance(holder.schedule, UnreadableSchedule):
            unreadable.append(holder.key)
            continue
        for start, stop in _spans(holder.schedule.shifts, begin, end):
            before[start] += holder.before
            before[stop] -= holder.before
            after[start] += holder.after
            after[stop] -= holder.after
    instants = sorted({begin, end, *before})
    return Count(_intervals(instants, before, after), tuple(sorted(unreadable)))


def _spans(
    shifts: Iterable[Shift], begin: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """Return when one agent is scheduled within ``[begin, end)``, in order, none touching."""
    spans: list[tuple[datetime, datetime]] = []
    for start, stop in sorted((max(s.start, begin), min(s.end, end)) for s in shifts):
        if start >= stop:
            continue
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], stop))
        else:
            spans.append((start, stop))
    return spans


def _intervals(
    instants: list[datetime], before: Counter[datetime], after: Counter[datetime]
) -> tuple[Interval, ...]:
    """Return the counts between instants in order; ``before`` and ``after`` are steps at them."""
    intervals: list[Interval] = []
    live = planned = 0
    for start, stop in pairwise(instants):
        live += before[start]
        planned += after[start]
        last = intervals[-1] if intervals else None
        if last and (last.before, last.after) == (live, planned):
            intervals[-1] = replace(last, end=stop)
        else:
            intervals.append(Interval(start, stop, live, planned))
    return tuple(intervals)


def failing(counted: Count, minimum: int) -> tuple[Interval, ...]:
    """Return where the plan lowers the count and leaves it under ``minimum``: what is denied."""
    return tuple(i for i in counted.intervals if i.after < i.before and i.after < minimum)


def thin(counted: Count, minimum: int) -> tuple[Interval, ...]:
    """Return where the count is under ``minimum`` without the plan, and the plan lowers it not.

    These are reported, not denied; the plan may lift some of them, even to the minimum.
    """
    return tuple(i for i in counted.intervals if i.before < minimum and i.after >= i.before)


def scheduled(schedule: ScheduleReading, interval: Interval) -> bool:
    """Tell whether any shift runs at some time in an interval; of an unreadable schedule never."""
    if isinstance(schedule, UnreadableSchedule):
        return False
    return any(
        max(shift.start, interval.start) < min(shift.end, interval.end) for shift in schedule.shifts
    )
