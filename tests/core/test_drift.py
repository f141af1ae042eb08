"""Base, desired and live: every way in which they agree or differ, and what counts as equal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxplan.core import history
from cxplan.core.diff import CONCURRENT, LEVEL, WORK_MODE, diff, state_of
from cxplan.core.drift import (
    NO_BASE,
    Case,
    NoBase,
    ValueDrift,
    classify,
    classify_released,
    drift_of,
)
from cxplan.core.history import LastValue, ValueKey, confirmed, history_of
from cxplan.core.ids import AgentId, SkillId, SkillName
from cxplan.core.live import ObservedAgent
from cxplan.core.model import DesiredAgent, FollowShift, Layer, LayerKind, Off, SkillSetting, Source
from cxplan.core.record import Ending, outcome_fields
from cxplan.core.report import AS_DESIRED
from cxplan.core.resolve import resolve
from cxplan.core.steps import Outcome
from tests.core.make import NOW, SKILLS, declarations, member, observed, team, terms

RUN = "1a2b3c4d-0000-4000-8000-000000000001"
DISABLED = SkillSetting(off=Off.DISABLED)
ABSENT = SkillSetting(off=Off.ABSENT)
NAMES = {skill.id: skill.name for skill in SKILLS.values()}


# --- three sides ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "desired", "live", "case"),
    [
        (3, 3, 3, Case.IN_SYNC),
        (3, 5, 3, Case.PENDING),
        (3, 3, 5, Case.DRIFT),
        (3, 5, 5, Case.CAUGHT_UP),
        (3, 5, 7, Case.CONFLICT),
        (NO_BASE, 3, 3, Case.IN_SYNC),
        (NO_BASE, 3, 5, Case.PENDING),
        (3, 3, None, Case.DRIFT),
        (3, 5, None, Case.CONFLICT),
        (NO_BASE, 3, None, Case.PENDING),
    ],
)
def test_every_way_to_agree_or_differ(
    base: int | NoBase, desired: int, live: int | None, case: Case
) -> None:
    assert classify(base, desired, live) is case


VALUES = st.sampled_from([None, 0, 1, 2, "m-1", "m-2"])


@given(VALUES, VALUES, VALUES)
def test_the_case_is_which_sides_are_equal_and_nothing_else(
    base: Any, desired: Any, live: Any
) -> None:
    expected = {
        (True, True, True): Case.IN_SYNC,
        (False, True, False): Case.PENDING,
        (True, False, False): Case.DRIFT,
        (False, False, True): Case.CAUGHT_UP,
        (False, False, False): Case.CONFLICT,
    }
    assert classify(base, desired, live) is expected[base == desired, base == live, live == desired]
    unknown = Case.IN_SYNC if live == desired else Case.PENDING
    assert classify(NO_BASE, desired, live) is unknown
    released = Case.RELEASED if base == live else Case.RELEASED_MOVED
    assert classify_released(base, live) is released


# --- one agent ------------------------------------------------------------------------------


def desired(skills: dict[str, Any], mode: str | None = None, **more: Any) -> DesiredAgent:
    (agent,) = resolve(declarations(team(member("a", skills, mode=mode, **more)))).agents
    return agent


def bases(values: Mapping[str, int | str], **more: Any) -> dict[ValueKey, LastValue]:
    return {
        key_of(path): LastValue(value, RUN, NOW, path, **more) for path, value in values.items()
    }


def key_of(path: str) -> ValueKey:
    if path == WORK_MODE:
        return ValueKey(None, WORK_MODE)
    _, name, part = path.split("/")
    skill = SKILLS.get(SkillName(name))
    return ValueKey(skill.id if skill else SkillId(name), part)


def cases(found: tuple[ValueDrift, ...]) -> dict[str, str]:
    return {value.path.removeprefix("skills/"): value.case.value for value in found}


ONE_SKILL: list[tuple[object, Any, dict[str, int | str], dict[str, str]]] = [
    (5, (5, 1), {"level": 5}, {"level": "inSync"}),
    (5, (3, 1), {"level": 5}, {"level": "drift"}),
    (5, None, {"level": 5}, {"level": "drift"}),
    (5, (0, 0), {"level": 5}, {"level": "drift"}),
    (5, (None, 1), {"level": 5}, {"level": "drift"}),
    (5, None, {"level": 0}, {"level": "pending"}),
    ((5, 2), (5, 1), {"level": 5, "concurrent": 2}, {"level": "inSync", "concurrent": "drift"}),
    # the concurrency of an off skill is not compared
    ((5, 2), None, {"level": 5, "concurrent": 2}, {"level": "drift"}),
    ((5, 2), (0, 7), {"level": 5, "concurrent": 2}, {"level": "drift"}),
    ((None, 2), None, {"concurrent": 2}, {}),
    # not holding a skill and holding it at level 0 are both off …
    (ABSENT, None, {"level": 0}, {"level": "inSync"}),
    (ABSENT, (0, 0), {"level": 0}, {"level": "inSync"}),
    (ABSENT, (5, 1), {"level": 0}, {"level": "drift"}),
    (ABSENT, None, {"level": 5}, {"level": "caughtUp"}),
    (DISABLED, (0, 0), {"level": 5, "concurrent": 2}, {"level": "caughtUp"}),
    (DISABLED, (5, 2), {"level": 5, "concurrent": 2}, {"level": "pending"}),
    # … but where the files say disabled, the tenant is to hold it
    (DISABLED, None, {"level": 0}, {"level": "drift"}),
    (DISABLED, None, {}, {"level": "pending"}),
    # what the files do not name any more
    (
        (None, 2),
        (5, 2),
        {"level": 5, "concurrent": 2},
        {"level": "released", "concurrent": "inSync"},
    ),
    (5, (5, 3), {"level": 5, "concurrent": 2}, {"level": "inSync", "concurrent": "releasedMoved"}),
    (None, (5, 1), {"level": 5}, {"level": "released"}),
    (None, None, {"level": 0, "concurrent": 2}, {"level": "released"}),
    (None, (4, 1), {"level": 5}, {"level": "releasedMoved"}),
    (None, (4, 1), {}, {}),
]


@pytest.mark.parametrize(("wanted", "live", "written", "expected"), ONE_SKILL)
def test_one_skill(
    wanted: object, live: Any, written: dict[str, int | str], expected: dict[str, str]
) -> None:
    agent = desired({} if wanted is None else {"chat": wanted})
    held: Any = {"chat": live} if live else {}
    base = bases({f"skills/chat/{part}": value for part, value in written.items()})
    found = drift_of(agent, observed(skills=held), base, NAMES)
    assert cases(found) == {f"chat/{part}": case for part, case in expected.items()}


def test_a_default_that_no_line_asked_for_is_not_released() -> None:
    base = bases({"skills/chat/concurrent": 1}, declared=False)
    live = observed(skills={"chat": (5, 3)})
    assert cases(drift_of(desired({"chat": 5}), live, base, NAMES)) == {"chat/level": "inSync"}
    declared = drift_of(desired({"chat": (5, 1)}), live, base, NAMES)
    assert cases(declared)["chat/concurrent"] == "drift"


def test_exclusive_files_name_what_is_held_and_what_was_written() -> None:
    agent = desired({"chat": 5}, exclusive=True)
    base = bases({"skills/mail/level": 0, "skills/mail/concurrent": 2, "skills/skill-9/level": 4})
    live = observed(skills={"chat": (5, 1), "voice": (3, 1), "mail": (7, 1)})
    assert cases(drift_of(agent, live, base, NAMES)) == {
        "voice/level": "pending",
        "chat/level": "inSync",
        "mail/level": "drift",
        "skill-9/level": "caughtUp",
    }


def test_the_work_mode_comes_first_and_may_be_released() -> None:
    base = bases({"skills/chat/level": 3, WORK_MODE: "mode-training"})
    live = observed(skills={"chat": (5, 1)})
    found = drift_of(desired({"chat": 3}, "training"), live, base, NAMES)
    assert [(value.path, value.case) for value in found] == [
        (WORK_MODE, Case.DRIFT),
        ("skills/chat/level", Case.DRIFT),
    ]
    assert cases(drift_of(desired({"chat": 3}), live, base, NAMES))[WORK_MODE] == "releasedMoved"


def test_a_work_mode_that_follows_no_shift_is_not_compared() -> None:
    follow = FollowShift(Source(Layer(LayerKind.TEAM, "Team", "team.yaml"), (WORK_MODE,)))
    agent = replace(desired({}), work_mode=follow)
    assert drift_of(agent, observed(), bases({WORK_MODE: "mode-training"}), NAMES) == ()


def test_a_skill_is_known_by_its_id_and_called_by_its_name_of_now() -> None:
    key = ValueKey(SKILLS[SkillName("chat")].id, LEVEL)
    base = {key: LastValue(3, RUN, NOW, "skills/chat-as-it-was-called/level")}
    live = observed(skills={"chat": (5, 1)})
    (value,) = drift_of(desired({"chat": 3}), live, base, NAMES)
    assert (value.path, value.case, value.base) == ("skills/chat/level", Case.DRIFT, base[key])
    (unnamed,) = drift_of(desired({}), live, base, {})
    assert unnamed.path == "skills/chat-as-it-was-called/level"


SKILL = st.sampled_from(["voice", "chat", "mail"])
LIVE = st.dictionaries(
    SKILL, st.tuples(st.none() | st.integers(0, 3), st.none() | st.integers(0, 3))
)
WANTED = st.dictionaries(
    SKILL,
    st.one_of(
        st.integers(1, 3),
        st.tuples(st.integers(1, 3), st.integers(1, 3)),
        st.tuples(st.none(), st.integers(1, 3)),
        st.sampled_from([DISABLED, ABSENT]),
    ),
)
WRITTEN = st.dictionaries(
    st.builds("skills/{}/{}".format, SKILL, st.sampled_from([LEVEL, CONCURRENT])), st.integers(0, 3)
)
MODE = st.sampled_from([None, "training", "available"])


@given(LIVE, WANTED, WRITTEN, MODE, st.booleans())
def test_what_is_not_as_desired_is_what_a_plan_would_change(
    live: Any, wanted: Any, written: Any, mode: str | None, exclusive: bool
) -> None:
    agent = desired(wanted, mode, exclusive=exclusive)
    seen = observed(skills=live)
    found = drift_of(agent, seen, bases(written), NAMES)
    open_cases = {Case.PENDING, Case.DRIFT, Case.CONFLICT}
    assert {v.path for v in found if v.case in open_cases} == planned(agent, seen)
    assert len({value.key for value in found}) == len(found)


def planned(agent: DesiredAgent, seen: ObservedAgent) -> set[str]:
    """The paths that a plan changes, without defaults and what only comes with switching on."""
    active = {f"skills/{NAMES[held.skill_id]}" for held in seen.skills if held.active}
    return {
        change.path
        for change in diff(agent, seen, terms())
        if change.part != CONCURRENT
        or (change.because is not None and change.path.rpartition("/")[0] in active)
    }


# --- records to history ---------------------------------------------------------------------


def record(outcome: Outcome, wanted: DesiredAgent, live: ObservedAgent) -> dict[str, Any]:
    """A line as a run writes it and a reader parses it."""
    ending = Ending(live.id, outcome, "", diff(wanted, live, terms()), state_of(live))
    fields = outcome_fields(ending, audit_id="x", at=NOW, locking="etag")
    line = {"i": 1, "prev": "", "at": "2026-11-25T12:00:00.000Z", "kind": "agent.outcome"}
    parsed: dict[str, Any] = json.loads(json.dumps(line | fields))
    return parsed


def values(*records: dict[str, Any]) -> dict[str, Any]:
    folded = history_of(c for line in records if (c := confirmed(line, RUN)))
    return {last.path: last.value for last in folded.get(AgentId("id-a"), {}).values()}


def test_the_outcomes_that_count_are_those_after_which_an_agent_is_as_desired() -> None:
    assert {outcome.value for outcome in AS_DESIRED} == history.CONFIRMING


@pytest.mark.parametrize("outcome", Outcome)
def test_a_record_counts_where_its_agent_ended_as_desired(outcome: Outcome) -> None:
    line = record(outcome, desired({"chat": 3}, "training"), observed(skills={"chat": (5, 1)}))
    if outcome not in AS_DESIRED:
        assert confirmed(line, RUN) is None
        return
    found = confirmed(line, RUN)
    assert found is not None
    assert found.agent_id == "id-a"
    mode, level = (last for _, last in found.values)
    assert (mode.value, mode.path, mode.run_id, mode.at) == ("mode-training", WORK_MODE, RUN, NOW)
    assert (level.value, level.confirmed) == (3, outcome is Outcome.ALREADY_THERE)


def test_the_last_one_wins_and_other_values_stay() -> None:
    first = record(
        Outcome.APPLIED, desired({"chat": 3, "mail": 2}), observed(skills={"mail": (5, 1)})
    )
    then = record(Outcome.APPLIED, desired({"chat": 7}), observed(skills={"chat": (3, 1)}))
    assert values(first, then) == {
        "skills/chat/level": 7,
        "skills/chat/concurrent": 1,
        "skills/mail/level": 2,
    }
    assert values(then, first)["skills/chat/level"] == 3


def test_a_default_is_told_from_what_a_line_asked_for() -> None:
    found = confirmed(record(Outcome.APPLIED, desired({"chat": 3}), observed()), RUN)
    assert found is not None
    assert {key.part: last.declared for key, last in found.values} == {
        "level": True,
        "concurrent": False,
    }


def test_a_skill_that_was_switched_off_keeps_no_concurrency() -> None:
    on = record(Outcome.APPLIED, desired({"chat": (3, 2)}), observed())
    off = record(Outcome.APPLIED, desired({"chat": DISABLED}), observed(skills={"chat": (3, 2)}))
    assert values(on, off) == {"skills/chat/level": 0}


@pytest.mark.parametrize(
    "broken",
    [
        {"at": "yesterday"},
        {"at": 7},
        {"agentId": None},
        {"outcome": []},
        {"changes": None},
        {"changes": ["x"]},
        {"changes": [{"path": "skills/chat/level"}]},
        *(
            {"changes": [{"path": path, "skillId": skill, "after": after, "because": None}]}
            for path, skill, after in [
                ("skills/chat/level", None, 3),
                ("skills/chat/level", "skill-2", "3"),
                ("skills/chat/level", "skill-2", True),
                ("skills/chat/level", ["skill-2"], 3),
                ("skills/chat/else", "skill-2", 3),
                ("workMode", "skill-2", "mode-off"),
                ("workMode", None, 3),
                (7, None, 3),
            ]
        ),
    ],
)
def test_a_record_that_lacks_what_it_must_have_is_refused(broken: dict[str, Any]) -> None:
    line = record(Outcome.APPLIED, desired({"chat": 3}), observed())
    with pytest.raises(ValueError, match=r"lacks|names no value|not an instant"):
        confirmed(line | broken, RUN)
