"""How many scheduled agents hold a skill: levels, intervals, and a count minute by minute."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxplan.core.coverage import (
    Count,
    Holder,
    Interval,
    count,
    failing,
    qualifies,
    scheduled,
    thin,
)
from cxplan.core.ids import AgentKey
from cxplan.core.live import Schedule, ScheduleReading, UnreadableSchedule
from cxplan.core.model import Levels
from tests.core.make import NOW, schedule, shift
from tests.core.zoned import CHANGES, Row, instant, minute_of, written

ONE_IS_BEST = Levels(1, 20)
TWENTY_IS_BEST = Levels(20, 1)
UNREADABLE = UnreadableSchedule("503")


@pytest.mark.parametrize(
    ("rule", "levels", "level", "counts"),
    [
        (None, ONE_IS_BEST, 1, True),
        (None, ONE_IS_BEST, 20, True),
        (None, ONE_IS_BEST, 0, False),
        (None, ONE_IS_BEST, None, True),  # active, at a level that the tenant did not state
        (5, ONE_IS_BEST, 4, True),
        (5, ONE_IS_BEST, 5, True),
        (5, ONE_IS_BEST, 6, False),
        (5, ONE_IS_BEST, 0, False),  # not "better than 1"
        (5, ONE_IS_BEST, None, False),
        (5, TWENTY_IS_BEST, 4, False),
        (5, TWENTY_IS_BEST, 5, True),
        (5, TWENTY_IS_BEST, 6, True),
        (20, ONE_IS_BEST, 0, False),
        (1, TWENTY_IS_BEST, 0, False),
    ],
)
def test_active_and_at_least_the_level_of_the_rule(
    rule: int | None, levels: Levels, level: int | None, counts: bool
) -> None:
    assert qualifies(rule, levels, level) is counts


def holder(
    reading: ScheduleReading, before: bool = True, after: bool = True, key: str = "a"
) -> Holder:
    return Holder(AgentKey(key), reading, before, after)


def hours(counted: Count) -> list[tuple[float, float, int, int]]:
    """Intervals with their instants in hours from ``NOW``."""
    hour = timedelta(hours=1)
    return [
        ((i.start - NOW) / hour, (i.end - NOW) / hour, i.before, i.after) for i in counted.intervals
    ]


@pytest.mark.parametrize(
    ("holders", "expected"),
    [
        pytest.param([], [(0, 24, 0, 0)], id="nobody"),
        pytest.param([holder(schedule())], [(0, 24, 0, 0)], id="no shift"),
        pytest.param(
            [holder(schedule(shift(-1, 2), shift(5, 1)))],
            [(0, 1, 1, 1), (1, 5, 0, 0), (5, 6, 1, 1), (6, 24, 0, 0)],
            id="one that runs, one later",
        ),
        pytest.param(
            [holder(schedule(shift(-3, 3), shift(24, 8)))],
            [(0, 24, 0, 0)],
            id="half-open at both ends of the horizon",
        ),
        pytest.param([holder(schedule(shift(-9, 99)))], [(0, 24, 1, 1)], id="longer than it"),
        pytest.param(
            [holder(schedule(shift(1, 4), shift(2, 1), shift(4, 3)))],
            [(0, 1, 0, 0), (1, 7, 1, 1), (7, 24, 0, 0)],
            id="overlapping shifts count once",
        ),
        pytest.param(
            [holder(schedule(shift(1, 4), shift(2, 4, "training"), shift(6, 1, "off")))],
            [(0, 1, 0, 0), (1, 7, 1, 1), (7, 24, 0, 0)],
            id="whatever mode they plan",
        ),
        pytest.param(
            [holder(schedule(shift(8, -4), shift(2, 0), shift(9, -20)))],
            [(0, 24, 0, 0)],
            id="impossible shifts never run",
        ),
        pytest.param(
            [holder(schedule(shift(2, 4)), after=False), holder(schedule(shift(4, 4)))],
            [(0, 2, 0, 0), (2, 4, 1, 0), (4, 6, 2, 1), (6, 8, 1, 1), (8, 24, 0, 0)],
            id="one loses the skill",
        ),
        pytest.param(
            [holder(schedule(shift(2, 4)), before=False), holder(schedule(shift(6, 2)))],
            [(0, 2, 0, 0), (2, 6, 0, 1), (6, 8, 1, 1), (8, 24, 0, 0)],
            id="one gains it",
        ),
        pytest.param(
            [holder(schedule(shift(2, 4))), holder(schedule(shift(6, 4)))],
            [(0, 2, 0, 0), (2, 10, 1, 1), (10, 24, 0, 0)],
            id="one relieves the other",
        ),
        pytest.param(
            [holder(schedule(shift(2, 4)), after=False), holder(schedule(shift(2, 4)), False)],
            [(0, 2, 0, 0), (2, 6, 1, 1), (6, 24, 0, 0)],
            id="one takes it over from the other",
        ),
        pytest.param(
            [holder(schedule(shift(2, 4)), before=False, after=False)],
            [(0, 24, 0, 0)],
            id="does not hold it at all",
        ),
    ],
)
def test_counts_by_interval(
    holders: list[Holder], expected: list[tuple[float, float, int, int]]
) -> None:
    assert hours(count(holders, NOW, 24)) == expected


def test_an_unreadable_schedule_is_in_no_count_and_named() -> None:
    counted = count(
        [
            holder(UNREADABLE, key="zoe"),
            holder(schedule(shift(0, 99)), key="kim"),
            holder(UNREADABLE, after=False, key="ann"),
            holder(UNREADABLE, before=False, after=False, key="never counts"),
        ],
        NOW,
        24,
    )
    assert counted.unreadable == ("ann", "zoe")
    assert hours(counted) == [(0, 24, 1, 1)]


def test_the_horizon_is_counted_in_true_hours_of_utc() -> None:
    at = datetime(2026, 10, 24, 12, 0, tzinfo=ZoneInfo("Europe/London"))
    (interval,) = count([], at, 24).intervals
    assert (interval.start, interval.start.tzinfo) == (datetime(2026, 10, 24, 11, tzinfo=UTC), UTC)
    assert (interval.end, interval.end.tzinfo) == (datetime(2026, 10, 25, 11, tzinfo=UTC), UTC)
    with pytest.raises(ValueError, match="offset"):
        count([], at.replace(tzinfo=None), 24)


@pytest.mark.parametrize(
    ("before", "after", "fails", "reported"),
    [
        # the rule wants 3
        (3, 2, True, False),
        (4, 3, False, False),
        (5, 4, False, False),
        (4, 2, True, False),
        (3, 0, True, False),
        (3, 3, False, False),
        (2, 2, False, True),
        (2, 1, True, False),
        (2, 3, False, True),
        (0, 0, False, True),
        (0, 4, False, True),
        (1, 2, False, True),
    ],
)
def test_what_is_lowered_and_left_under_the_minimum_fails(
    before: int, after: int, fails: bool, reported: bool
) -> None:
    planned = schedule(shift(0, 24))
    holders = [
        holder(planned, before=place < before, after=place < after, key=f"a{place}")
        for place in range(max(before, after))
    ]
    counted = count(holders, NOW, 24)
    assert bool(failing(counted, 3)) is fails
    assert bool(thin(counted, 3)) is reported


def test_only_the_intervals_that_the_plan_spoils_fail() -> None:
    holders = [
        holder(schedule(shift(2, 8)), after=False, key="a"),
        holder(schedule(shift(2, 4)), key="b"),
        holder(schedule(shift(4, 9)), key="c"),
    ]
    counted = count(holders, NOW, 24)
    assert hours(Count(failing(counted, 2), ())) == [(2, 4, 2, 1), (6, 10, 2, 1)]
    assert hours(Count(thin(counted, 2), ())) == [(0, 2, 0, 0), (10, 13, 1, 1), (13, 24, 0, 0)]


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (schedule(shift(-1, 9)), True),
        (schedule(shift(1, 0.5)), True),
        (schedule(shift(-4, 2), shift(1.9, 9, "off")), True),
        (schedule(shift(-4, 4), shift(2, 4)), False),  # half-open, both
        (schedule(shift(1.5, -1)), False),
        (schedule(shift(1, 0)), False),
        (schedule(), False),
        (UNREADABLE, False),
    ],
)
def test_who_is_scheduled_in_an_interval(reading: ScheduleReading, expected: bool) -> None:
    assert scheduled(reading, Interval(NOW, NOW + timedelta(hours=2), 0, 0)) is expected


# --- minute by minute -----------------------------------------------------------------------

DAYS = sorted({day for days in CHANGES.values() for day in days})
Crowd = Sequence[tuple[list[Row], bool, bool]]


def crowd(random: Random, day: date) -> Crowd:
    """Some agents in any of the zones, some with rows that cannot be."""
    agents = []
    for _ in range(random.randint(1, 6)):
        zone = random.choice(sorted(CHANGES))
        rows = [written(random, zone, day, ["mode-a", "mode-b"], 30) for _ in range(4)]
        rows += [Row(row.end, row.start, row.mode) for row in rows[: random.choice((0, 0, 1))]]
        before, after = random.choice(((True, True), (True, False), (False, True), (True, True)))
        agents.append((rows, before, after))
    return agents


def tally(agents: Crowd, minute: int) -> tuple[int, int]:
    """Who counts in one minute: the brute force."""
    before = after = 0
    for rows, counts_before, counts_after in agents:
        if any(row.start <= minute < row.end for row in rows):
            before += counts_before
            after += counts_after
    return before, after


def minutes(intervals: tuple[Interval, ...]) -> dict[int, tuple[int, int]]:
    """Every minute of some intervals with its counts; no minute stands in two of them."""
    found: dict[int, tuple[int, int]] = {}
    for interval in intervals:
        first, last = (int(i.timestamp()) // 60 for i in (interval.start, interval.end))
        assert not any(minute in found for minute in range(first, last))
        found |= dict.fromkeys(range(first, last), (interval.before, interval.after))
    return found


def counted_both_ways(
    random: Random, day: date, zone: str
) -> tuple[Count, dict[int, tuple[int, int]]]:
    """Count some agents over some hours, once as the guard does and once by brute force."""
    agents = crowd(random, day)
    begin = minute_of(zone, day, random.randint(-1500, 1500))
    horizon = random.choice((1, 24, 24, 50))
    holders = [holder(read(rows), before, after) for rows, before, after in agents]
    counted = count(holders, instant(begin, zone), horizon)
    return counted, {m: tally(agents, m) for m in range(begin, begin + horizon * 60)}


def read(rows: list[Row]) -> Schedule:
    return Schedule(tuple(row.shift() for row in rows))


around_changes = given(
    st.randoms(use_true_random=False), st.sampled_from(DAYS), st.sampled_from(sorted(CHANGES))
)


@settings(max_examples=150, deadline=None)
@around_changes
def test_intervals_are_what_a_count_minute_by_minute_finds(
    random: Random, day: date, zone: str
) -> None:
    counted, expected = counted_both_ways(random, day, zone)
    assert minutes(counted.intervals) == expected
    for one, other in pairwise(counted.intervals):
        assert one.end == other.start
        assert (one.before, one.after) != (other.before, other.after)


@settings(max_examples=50, deadline=None)
@around_changes
def test_what_fails_and_what_is_thin_minute_by_minute(random: Random, day: date, zone: str) -> None:
    counted, expected = counted_both_ways(random, day, zone)
    for minimum in range(1, 4):
        denied = {m: n for m, n in expected.items() if n[1] < n[0] and n[1] < minimum}
        short = {m: n for m, n in expected.items() if n[0] < minimum and m not in denied}
        assert minutes(failing(counted, minimum)) == denied
        assert minutes(thin(counted, minimum)) == short


@settings(max_examples=50, deadline=None)
@around_changes
def test_who_is_scheduled_minute_by_minute(random: Random, day: date, zone: str) -> None:
    ((rows, *_), *_) = crowd(random, day)
    begin = minute_of(zone, day, random.randint(-1500, 1500))
    for length in (1, 30, 600):
        interval = Interval(instant(begin), instant(begin + length), 0, 0)
        there = any(r.start <= m < r.end for r in rows for m in range(begin, begin + length))
        assert scheduled(read(rows), interval) is there
