"""The shift table against a second reading of it that counts minutes, and nights over DST."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from cxplan.core.findings import Finding
from cxplan.core.ids import WorkModeName
from cxplan.core.live import Schedule, ScheduleReading, Shift, UnreadableSchedule
from cxplan.core.model import CatalogueMode
from cxplan.core.rules import Policy, ShiftPolicy
from cxplan.core.shifts import ShiftRules, follow_shift, judge_mode, judge_skills
from tests.core.make import MODES, NOW, shift
from tests.core.minute_table import CATEGORIES, Grid, Oracle, Said
from tests.core.zoned import CHANGES, MINUTES_A_DAY, Row, instant, middle, minute_of, written

CATALOGUE = {mode.id: mode for mode in MODES.values()}
AVAILABLE, TRAINING, OFF = (MODES[WorkModeName(name)] for name in ("available", "training", "off"))

# --- nights over a change of time -----------------------------------------------------------

NIGHTS = [
    # zone, local start and end, the same in UTC, true hours
    ("Europe/London", "2026-03-28T23:00", "2026-03-29T07:00", "03-28T23:00", "03-29T06:00", 7),
    ("Europe/London", "2026-10-24T23:00", "2026-10-25T07:00", "10-24T22:00", "10-25T07:00", 9),
    ("America/New_York", "2026-03-07T22:00", "2026-03-08T06:00", "03-08T03:00", "03-08T10:00", 7),
    ("America/New_York", "2026-10-31T22:00", "2026-11-01T06:00", "11-01T02:00", "11-01T11:00", 9),
    ("Asia/Kolkata", "2026-06-10T22:00", "2026-06-11T06:00", "06-10T16:30", "06-11T00:30", 8),
]
TICK = timedelta(microseconds=1)
GRACE = timedelta(minutes=15)


class Night(NamedTuple):
    """A shift as written in its zone, and what the table says of it."""

    zone: ZoneInfo
    shift: Shift
    begins: datetime
    ends: datetime
    hours: int

    def judged(self, at: datetime, target: CatalogueMode) -> Finding:
        rules = ShiftRules(at, ShiftPolicy(), CATALOGUE)
        return judge_mode(rules, Schedule((self.shift,)), target)


@pytest.fixture(params=NIGHTS, ids=lambda row: f"{row[0]} {row[1][:10]}")
def night(request: pytest.FixtureRequest) -> Night:
    name, start, end, utc_start, utc_end, hours = request.param
    zone = ZoneInfo(name)
    local = [datetime.fromisoformat(text).replace(tzinfo=zone) for text in (start, end)]
    begins, ends = (
        datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC) for text in (utc_start, utc_end)
    )
    return Night(zone, Shift(local[0], local[1], AVAILABLE.id), begins, ends, hours)


def test_a_night_is_as_long_as_its_instants_are_apart(night: Night) -> None:
    assert (night.shift.start, night.shift.end) == (night.begins, night.ends)
    assert night.shift.end - night.shift.start == timedelta(hours=night.hours)


def test_every_hour_of_the_night_counts_even_one_that_clocks_show_twice(night: Night) -> None:
    for passed in range(1, night.hours):
        at = (night.begins + timedelta(hours=passed)).astimezone(night.zone)
        lost = (night.hours - passed) * 60
        assert f" {lost} agent-minutes lost" in night.judged(at, TRAINING).message


def test_verdicts_flip_at_the_instants_of_the_night(night: Night) -> None:
    begins, ends = night.begins, night.ends
    cases = [
        (begins - TICK, TRAINING, ("shift.noActiveShift", begins)),
        (begins, TRAINING, ("shift.modeConflict", ends)),
        (ends - TICK, TRAINING, ("shift.modeConflict", ends)),
        (ends, TRAINING, ("shift.noActiveShift", None)),
        (begins - TICK, OFF, ("shift.mode", None)),
        (begins, OFF, ("shift.modeConflict", ends)),
        (ends - TICK, OFF, ("shift.modeConflict", ends)),
        (ends, OFF, ("shift.mode", None)),
        (begins - GRACE - TICK, AVAILABLE, ("shift.noActiveShift", begins)),
        (begins - GRACE, AVAILABLE, ("shift.mode", None)),
        (ends + GRACE, AVAILABLE, ("shift.mode", None)),
        (ends + GRACE + TICK, AVAILABLE, ("shift.noActiveShift", None)),
    ]
    for at, target, expected in cases:
        for shown in (at, at.astimezone(night.zone)):
            finding = night.judged(shown, target)
            assert (finding.id, finding.until) == expected, f"{target.name} at {shown}"


def test_what_follows_the_shift_flips_there_too(night: Night) -> None:
    strict = ShiftPolicy(skills_off_shift=Policy.DEFER)
    last, reading = night.ends - TICK, Schedule((night.shift,))
    for at in (night.begins - TICK, night.begins, last, night.ends):
        rules = ShiftRules(at.astimezone(night.zone), strict, CATALOGUE)
        followed, skills = follow_shift(rules, reading), judge_skills(rules, reading)
        if at in (night.begins, last):
            assert (followed.mode, followed.until) == (AVAILABLE, night.ends)
            assert skills.verdict == "ok"
        else:
            assert (followed.mode, followed.until) == (None, None)
            assert skills.verdict == "defer"


# --- what a data error names ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("shifts", "named"),
    [
        (
            (shift(-8, 4), shift(2, -1)),
            "the shift 2026-11-25T14:00:00Z to 2026-11-25T13:00:00Z does not end within 24 h",
        ),
        (
            (shift(-8, 4), shift(2, 25)),
            "the shift 2026-11-25T14:00:00Z to 2026-11-26T15:00:00Z does not end within 24 h",
        ),
        (
            (shift(-8, 16), shift(7, 16)),  # of one mode: together 31 h
            "the shift 2026-11-25T04:00:00Z to 2026-11-26T11:00:00Z does not end within 24 h",
        ),
        (
            (shift(-8, 9), shift(-1, 8, "training")),
            "2026-11-25T04:00:00Z to 2026-11-25T13:00:00Z available and "
            "2026-11-25T11:00:00Z to 2026-11-25T19:00:00Z training",
        ),
    ],
)
def test_a_data_error_names_the_rows(shifts: tuple[Shift, ...], named: str) -> None:
    rules = ShiftRules(NOW, ShiftPolicy(), CATALOGUE)
    for finding in (
        judge_mode(rules, Schedule(shifts), AVAILABLE),
        follow_shift(rules, Schedule(shifts)).finding,
    ):
        assert (finding.id, finding.verdict) == ("shift.dataError", "block")
        assert named in finding.message


# --- schedules to read ----------------------------------------------------------------------

PLANNED = [*CATEGORIES, "mode-elsewhere"]  # one that the catalogue does not know
Make = Callable[[Random, str, date], list[Row]]


def plain(random: Random, zone: str, day: date) -> list[Row]:
    """No two overlap, none is impossible."""
    rows: list[Row] = []
    for _ in range(9):
        row = written(random, zone, day, PLANNED)
        if row.start < row.end and all(row.end <= r.start or r.end <= row.start for r in rows):
            rows.append(row)
    return rows


def of_one_mode(random: Random, zone: str, day: date) -> list[Row]:
    """They overlap as they like, in one mode."""
    mode = random.choice(PLANNED)
    return [written(random, zone, day, [mode], 10) for _ in range(random.randint(4, 9))]


def around_the_clock(random: Random, zone: str, day: date) -> list[Row]:
    """Two of one mode that overlap or touch, together about a day long, and a few others."""
    start = minute_of(zone, day, random.randint(-1200, 120))
    middle = start + random.randint(300, 900)
    end = start + MINUTES_A_DAY + random.choice((-1, 0, 1, 60, 300))
    mode = random.choice(PLANNED)
    two = [Row(start, middle + random.choice((0, 1, 60)), mode), Row(middle, end, mode)]
    others = (row for row in plain(random, zone, day) if row.end <= start or end <= row.start)
    return [*two, *others]


def of_many_modes(random: Random, zone: str, day: date) -> list[Row]:
    """They overlap as they like."""
    return [written(random, zone, day, PLANNED, 8) for _ in range(6)]


def relay(random: Random, zone: str, day: date) -> list[Row]:
    """Each begins when the last one ends, or less than an hour around that."""
    clock = -random.randrange(0, MINUTES_A_DAY, 30)
    rows = []
    for _ in range(6):
        end = clock + random.randrange(30, 700, 15)
        ends = minute_of(zone, day, clock), minute_of(zone, day, end)
        rows.append(Row(*ends, random.choice(PLANNED)))
        clock = end + random.choice((0, 0, 0, 1, 10, 50, -1, -10))
    return rows


def around_the_change(random: Random, zone: str, day: date) -> list[Row]:
    """One ends shortly before the clocks are changed, another begins shortly after."""
    change = middle(zone, day)
    end, start = change - random.randint(0, 12), change + random.randint(0, 25)
    modes = random.sample(PLANNED, 2)
    return [Row(end - 300, end, modes[0]), Row(start, start + 300, modes[1])]


def one_odd(length: int) -> Make:
    """Make one row of a length that cannot be or nearly so, some days around three others."""

    def made(random: Random, zone: str, day: date) -> list[Row]:
        offset = random.randint(-2, 2) * MINUTES_A_DAY + random.randint(-900, 0)
        start = minute_of(zone, day, offset)
        rows = plain(random, zone, day)[:3]
        return [*rows, Row(start, start + length, random.choice(PLANNED))]

    return made


FLAVOURS: dict[str, tuple[Make | None, int, set[int]]] = {
    # how they are made, how many a zone, rows of the table that they must meet at least
    "plain": (plain, 3, {3, 4, 6, 7, 8, 9, 10, 11, 12}),
    "of one mode": (of_one_mode, 2, {3, 4, 6, 7, 8, 9, 11, 12}),
    "around the clock": (around_the_clock, 3, {1, 3, 4, 6, 7, 8, 9, 11, 12}),
    "of many modes": (of_many_modes, 3, {2, 3, 4, 6, 7, 9, 11, 12}),
    "relay": (relay, 3, {2, 3, 4, 6, 7, 8, 9, 11}),
    "around the change": (around_the_change, 3, {3, 4, 6, 7, 9, 11}),
    "no length": (one_odd(0), 2, {1, 4, 11}),
    "ends a minute early": (one_odd(-1), 1, {1, 4, 11}),
    "ends before it starts": (one_odd(-600), 2, {1, 4, 11}),
    "a whole day": (one_odd(MINUTES_A_DAY), 2, {3, 4, 7, 9}),
    "longer than a day": (one_odd(MINUTES_A_DAY + 1), 2, {1, 4, 11}),
    "no shift": (lambda *_: [], 1, {4, 10, 12}),
    "unreadable": (None, 3, {4, 5}),
}


def instants(random: Random, rows: Sequence[Row], change: int, grace: int) -> list[int]:
    """Every minute for an hour around ``change`` and a boundary, odd ones around all, and some."""
    boundaries = [end for row in rows for end in (row.start, row.end)] or [change]
    found = {place + by for place in (change, random.choice(boundaries)) for by in range(-30, 31)}
    for boundary in boundaries:
        for distance in (1, grace, grace + 1, MINUTES_A_DAY, MINUTES_A_DAY + 1):
            found |= {boundary - distance, boundary, boundary + distance}
    found |= {change + random.randint(-4 * MINUTES_A_DAY, 4 * MINUTES_A_DAY) for _ in range(20)}
    return sorted(found)


# --- and both together ----------------------------------------------------------------------


def heard(finding: Finding, until: datetime | None, mode: str | None = None) -> Said:
    """A finding in the oracle's words; an instant off the minutes equals nothing it says."""
    lost = re.search(r"(\d+) agent-minutes lost", finding.message)
    seconds = None if until is None else until.timestamp()
    minute = None if seconds is None else int(seconds // 60)
    assert minute is None or minute * 60 == seconds
    minutes_lost = int(lost.group(1)) if lost else None
    return Said(finding.id, finding.verdict.value, minute, minutes_lost, mode)


def compare(oracle: Oracle, reading: ScheduleReading, at: int, shown: str | None) -> set[int]:
    """Ask both at one instant for every target; return the rows of the table that were met."""
    rules = ShiftRules(instant(at, shown), oracle.policy, CATALOGUE)
    place = f"schedule {oracle.name} at {rules.at}: "
    met = set()
    for target in CATALOGUE.values():
        row, expected = oracle.mode(at, target.id)
        finding = judge_mode(rules, reading, target)
        assert heard(finding, finding.until) == expected, f"{place}{target.name}, row {row}"
        met.add(row)
    row, expected = oracle.scheduled(at)
    followed = follow_shift(rules, reading)
    mode = followed.mode.id if followed.mode else None
    assert heard(followed.finding, followed.until, mode) == expected, f"{place}row {row}"
    skills = judge_skills(rules, reading)
    assert heard(skills, skills.until) == oracle.skills(at), f"{place}skills"
    return met | {row}


def some_policy(random: Random) -> ShiftPolicy:
    no_active_shift, mode_conflict, unreadable, skills = (random.choice(POLICIES) for _ in range(4))
    grace = random.choice((0, 1, 15, 15, 60))
    return ShiftPolicy(no_active_shift, mode_conflict, unreadable, skills, grace)


POLICIES = tuple(Policy)


def met_by(make: Make | None, zone: str, seed: str) -> set[int]:
    """Compare both over one schedule; return the rows of the table that were met."""
    random = Random(seed)
    day = random.choice(CHANGES[zone])
    rows = make(random, zone, day) if make else []
    ordered = sorted((row.shift() for row in rows), key=lambda shift: shift.start)
    reading = Schedule(tuple(ordered)) if make else UnreadableSchedule("503")
    oracle = Oracle(seed, Grid(rows) if make else None, some_policy(random))
    shown = random.choice((zone, zone, None))
    asked = instants(random, rows, middle(zone, day), oracle.policy.grace_minutes)
    return {row for at in asked for row in compare(oracle, reading, at, shown)}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_verdicts_are_those_of_the_minute_grid(flavour: str) -> None:
    make, times, rows = FLAVOURS[flavour]
    met: set[int] = set()
    for zone in CHANGES:
        for time in range(times):
            met |= met_by(make, zone, f"{flavour} {zone} {time}")
    assert met >= rows
