"""The rows of the shift table, their boundaries, and daylight saving."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxplan.core.findings import Verdict
from cxplan.core.ids import WorkModeId, WorkModeName
from cxplan.core.live import Schedule, ScheduleReading, Shift, UnreadableSchedule
from cxplan.core.rules import Policy, ShiftPolicy
from cxplan.core.shifts import ShiftRules, follow_shift, judge_mode, judge_skills, next_turn
from tests.core.make import MODES, NOW, schedule, shift

RULES = ShiftRules(NOW, ShiftPolicy(), {mode.id: mode for mode in MODES.values()})
UNREADABLE = UnreadableSchedule("503")


def judge(reading: ScheduleReading, target: str, rules: ShiftRules = RULES) -> tuple[str, str]:
    finding = judge_mode(rules, reading, MODES[WorkModeName(target)])
    return finding.id, finding.verdict.value


ROWS = [
    # row, schedule, target, check, verdict
    ("1 ends before it starts", schedule(shift(1, -2)), "available", "shift.dataError", "block"),
    ("1 zero length", schedule(shift(-1, 0)), "off", "shift.dataError", "block"),
    ("1 longer than a day", schedule(shift(-1, 24.01)), "available", "shift.dataError", "block"),
    ("1 exactly a day is fine", schedule(shift(-1, 24)), "available", "shift.mode", "ok"),
    (
        "1 broken, but far away",
        schedule(shift(26, -1)),
        "available",
        "shift.noActiveShift",
        "defer",
    ),
    (
        "2 overlap, modes differ",
        schedule(shift(-1, 2), shift(-0.5, 2, "training")),
        "available",
        "shift.dataError",
        "block",
    ),
    (
        "2 overlap of one mode",
        schedule(shift(-4, 5), shift(-1, 4)),
        "available",
        "shift.mode",
        "ok",
    ),
    ("5 unreadable", UNREADABLE, "available", "shift.unreadable", "block"),
    ("5 unreadable, offline too", UNREADABLE, "off", "shift.unreadable", "block"),
    ("6 begins within grace", schedule(shift(0.25, 4)), "available", "shift.mode", "ok"),
    ("6 ended within grace", schedule(shift(-4, 3.75)), "available", "shift.mode", "ok"),
    (
        "6 the other mode begins within grace",
        schedule(shift(-4, 4.1, "training"), shift(0.1, 4)),
        "available",
        "shift.mode",
        "ok",
    ),
    (
        "6 a second too early",
        schedule(shift(0.2503, 4)),
        "available",
        "shift.noActiveShift",
        "defer",
    ),
    ("6 another mode begins", schedule(shift(0.1, 4)), "training", "shift.noActiveShift", "defer"),
    ("7 same mode", schedule(shift(-1, 2)), "available", "shift.mode", "ok"),
    ("7 first instant", schedule(shift(0, 2)), "available", "shift.mode", "ok"),
    ("8 same category", schedule(shift(-1, 2)), "blended", "shift.modeConflict", "block"),
    ("9 other category", schedule(shift(-1, 2)), "training", "shift.modeConflict", "block"),
    ("10 offline", schedule(shift(2, 2)), "off", "shift.mode", "ok"),
    ("10 offline, no shift at all", schedule(), "off", "shift.mode", "ok"),
    ("11 one later", schedule(shift(2, 2)), "available", "shift.noActiveShift", "defer"),
    (
        "11 half-open: just ended",
        schedule(shift(-2, 2, "training")),
        "available",
        "shift.noActiveShift",
        "defer",
    ),
    ("12 none", schedule(), "available", "shift.noActiveShift", "defer"),
]


@pytest.mark.parametrize(
    ("reading", "target", "check", "verdict"),
    [row[1:] for row in ROWS],
    ids=[row[0] for row in ROWS],
)
def test_the_first_row_that_fits_counts(
    reading: ScheduleReading, target: str, check: str, verdict: str
) -> None:
    assert judge(reading, target) == (check, verdict)


def test_a_deferral_says_until_when() -> None:
    finding = judge_mode(
        RULES, schedule(shift(2, 2), shift(30, 2)), MODES[WorkModeName("available")]
    )
    assert finding.until == NOW + timedelta(hours=2)
    assert "2026-11-25T14:00:00Z" in finding.message
    none = judge_mode(RULES, schedule(), MODES[WorkModeName("available")])
    assert none.until is None
    assert none.message == "no shift planned"


def test_a_conflict_of_category_counts_the_minutes_lost() -> None:
    finding = judge_mode(RULES, schedule(shift(-1, 2.5)), MODES[WorkModeName("training")])
    assert "90 agent-minutes lost" in finding.message
    assert finding.until == NOW + timedelta(hours=1.5)
    same = judge_mode(RULES, schedule(shift(-1, 2.5)), MODES[WorkModeName("blended")])
    assert "agent-minutes" not in same.message


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [
        (Policy.ALLOW, Verdict.OK),
        (Policy.WARN, Verdict.WARN),
        (Policy.DEFER, Verdict.DEFER),
        (Policy.BLOCK, Verdict.BLOCK),
    ],
)
def test_each_finding_does_what_its_policy_says(policy: Policy, verdict: Verdict) -> None:
    rules = ShiftRules(NOW, ShiftPolicy(policy, policy, policy, policy), RULES.modes)
    available = MODES[WorkModeName("available")]
    assert judge_mode(rules, schedule(), available).verdict is verdict
    assert judge_mode(rules, UNREADABLE, available).verdict is verdict
    assert judge_mode(rules, schedule(shift(-1, 2, "training")), available).verdict is verdict
    assert judge_skills(rules, schedule()).verdict is verdict
    assert judge_skills(rules, UNREADABLE).verdict is verdict
    assert judge_skills(rules, schedule(shift(-1, 2))).verdict is Verdict.OK


def test_grace_of_zero_is_none() -> None:
    rules = ShiftRules(NOW, ShiftPolicy(grace_minutes=0), RULES.modes)
    assert judge(schedule(shift(0.01, 2)), "available", rules)[0] == "shift.noActiveShift"


FIXTURES = [
    ("Europe/London", "2026-03-28T23:00", "2026-03-29T07:00", 7),
    ("Europe/London", "2026-10-24T23:00", "2026-10-25T07:00", 9),
    ("America/New_York", "2026-03-07T22:00", "2026-03-08T06:00", 7),
    ("America/New_York", "2026-10-31T22:00", "2026-11-01T06:00", 9),
    ("Asia/Kolkata", "2026-06-10T22:00", "2026-06-11T06:00", 8),
]


@pytest.mark.parametrize(("zone", "start", "end", "hours"), FIXTURES)
def test_durations_are_of_utc_instants(zone: str, start: str, end: str, hours: int) -> None:
    local = Shift(
        datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone)),
        datetime.fromisoformat(end).replace(tzinfo=ZoneInfo(zone)),
        WorkModeId("mode-available"),
    )
    rules = ShiftRules(local.start, RULES.policy, RULES.modes)
    finding = judge_mode(rules, Schedule((local,)), MODES[WorkModeName("training")])
    assert f"{hours * 60} agent-minutes lost" in finding.message


def test_a_night_over_the_change_of_time_is_not_longer_than_a_day() -> None:
    zone = ZoneInfo("Europe/London")
    start = datetime(2026, 10, 24, 23, 30, tzinfo=zone)
    local = Shift(start, datetime(2026, 10, 25, 23, 0, tzinfo=zone), WorkModeId("mode-available"))
    rules = ShiftRules(start, RULES.policy, RULES.modes)
    assert judge(Schedule((local,)), "available", rules) == ("shift.dataError", "block")


@pytest.mark.parametrize(
    ("reading", "mode", "check", "verdict"),
    [
        (schedule(shift(-1, 2, "training")), "training", "shift.scheduled", "ok"),
        (schedule(shift(-4, 5), shift(-1, 4)), "available", "shift.scheduled", "ok"),
        (schedule(shift(1, 2)), None, "shift.scheduled", "ok"),
        (schedule(), None, "shift.scheduled", "ok"),
        (UNREADABLE, None, "shift.scheduled", "ok"),
        (schedule(shift(1, -2)), None, "shift.dataError", "block"),
        (schedule(shift(-1, 2), shift(-1, 3, "training")), None, "shift.dataError", "block"),
    ],
)
def test_scheduled_is_the_mode_of_the_running_shift_or_none(
    reading: ScheduleReading, mode: str | None, check: str, verdict: str
) -> None:
    followed = follow_shift(RULES, reading)
    assert (followed.mode and followed.mode.name) == mode
    assert (followed.finding.id, followed.finding.verdict.value) == (check, verdict)


def test_it_holds_until_the_shift_ends_merged_with_its_like() -> None:
    followed = follow_shift(RULES, schedule(shift(-4, 5), shift(-1, 4)))
    assert followed.until == NOW + timedelta(hours=3)


def test_a_mode_that_the_catalogue_does_not_know_is_followed_under_its_id() -> None:
    followed = follow_shift(RULES, schedule(shift(-1, 2, "elsewhere")))
    assert followed.mode is not None
    assert followed.mode.id == "mode-elsewhere"


@pytest.mark.parametrize(
    ("reading", "live", "hours"),
    [
        (schedule(shift(-1, 2), shift(1, 4, "training")), "available", 1),
        (schedule(shift(-1, 2), shift(3, 4, "training")), "available", 3),
        (schedule(shift(-1, 2)), "available", None),  # whoever is off shift is left as they are
        (schedule(shift(-1, 2), shift(3, 4)), "available", None),
        (schedule(shift(-1, 2)), "training", 1),
        (schedule(shift(-1, 2), shift(0, 4)), "training", 4),  # one shift, as it were
        (schedule(shift(2, 4)), "training", 2),
        (schedule(shift(2, 4)), "available", None),
        (schedule(shift(-9, 4)), "training", None),
        (schedule(shift(-1, 5), shift(2, 4, "training")), "available", 2),  # a data error
        (schedule(), "training", None),
        (UNREADABLE, "training", None),
    ],
)
def test_the_next_turn_is_when_following_asks_something_else_of_the_agent(
    reading: ScheduleReading, live: str, hours: float | None
) -> None:
    turn = None if hours is None else NOW + timedelta(hours=hours)
    assert next_turn(RULES, reading, WorkModeId(f"mode-{live}")) == turn


def asked(at: datetime, reading: Schedule, live: str) -> tuple[Verdict, WorkModeId | None]:
    followed = follow_shift(replace(RULES, at=at), reading)
    mode = followed.mode.id if followed.mode else None
    return followed.finding.verdict, None if mode == live else mode


@given(
    st.lists(
        st.builds(
            shift,
            st.integers(-30, 30),
            st.sampled_from((-3, 0, 2, 8, 24, 25)),
            st.sampled_from(("available", "available", "available", "training")),
        ),
        max_size=4,
    )
)
def test_the_next_turn_is_the_first_edge_that_makes_a_difference(shifts: list[Shift]) -> None:
    reading, live = schedule(*shifts), "mode-available"
    edges = sorted({edge for each in shifts for edge in (each.start, each.end)})
    now = asked(NOW, reading, live)
    turns = [e for e in edges if e > NOW and asked(e, reading, live) != now]
    assert next_turn(RULES, reading, WorkModeId(live)) == min(turns, default=None)
