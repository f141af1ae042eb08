"""What differs, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxplan.core.diff import (
    AgentState,
    Because,
    Change,
    Direction,
    Op,
    SkillState,
    changed,
    diff,
    reached,
    state_of,
    terms_of,
    unmoved,
)
from cxplan.core.ids import SkillId, WorkModeId
from cxplan.core.live import ObservedAgent
from cxplan.core.model import DesiredAgent, Off, SkillSetting
from cxplan.core.resolve import resolve
from tests.core.make import declarations, locate, member, observed, team, terms

DISABLED = SkillSetting(off=Off.DISABLED)
ABSENT = SkillSetting(off=Off.ABSENT)


def desired(skills: dict[str, Any], mode: str | None = None) -> DesiredAgent:
    (agent,) = resolve(declarations(team(member("a", skills, mode=mode)))).agents
    return agent


def changes(wanted: DesiredAgent, live: ObservedAgent) -> tuple[Change, ...]:
    return diff(wanted, live, terms())


CASES: list[tuple[Any, Any, list[tuple[str, str, object, object, str | None]]]] = [
    (5, (5, 1), []),
    (5, (3, 1), [("level", "change", 3, 5, "worse")]),
    (1, (3, 1), [("level", "change", 3, 1, "better")]),
    ((5, 2), (5, 1), [("concurrent", "change", 1, 2, None)]),
    ((3, 2), (5, 1), [("level", "change", 5, 3, "better"), ("concurrent", "change", 1, 2, None)]),
    (5, None, [("level", "add", None, 5, None), ("concurrent", "add", None, 1, None)]),
    ((5, 2), None, [("level", "add", None, 5, None), ("concurrent", "add", None, 2, None)]),
    (5, (0, 0), [("level", "add", 0, 5, None), ("concurrent", "add", None, 1, None)]),
    (5, (5, None), []),
    (3, (5, None), [("level", "change", 5, 3, "better"), ("concurrent", "change", None, 1, None)]),
    (5, (None, 1), [("level", "change", None, 5, None)]),
    ((None, 2), (5, 1), [("concurrent", "change", 1, 2, None)]),
    ((None, 2), None, []),
    ((None, 2), (0, 0), []),
    (DISABLED, (5, 2), [("level", "remove", 5, 0, None)]),
    (DISABLED, (0, 7), []),
    (DISABLED, None, [("level", "add", None, 0, None)]),
    (ABSENT, (5, 2), [("level", "remove", 5, 0, None)]),
    (ABSENT, (0, 0), []),
    (ABSENT, None, []),
]


@pytest.mark.parametrize(("wanted", "live", "expected"), CASES)
def test_one_skill(wanted: object, live: object, expected: list[object]) -> None:
    held: Any = {"chat": live} if live else {}
    found = changes(desired({"chat": wanted}), observed(skills=held))
    assert [
        (c.part, c.op.value, c.before, c.after, c.direction and c.direction.value) for c in found
    ] == expected


def test_work_mode_first_and_unmanaged_values_never() -> None:
    live = observed(skills={"voice": (9, 1), "mail": (2, 1)}, mode="mode-available")
    found = changes(desired({"voice": 5}, mode="training"), live)
    assert [change.path for change in found] == ["workMode", "skills/voice/level"]
    assert found[0] == Change(
        "workMode",
        Op.CHANGE,
        "mode-available",
        "mode-training",
        Because("members/a.yaml", 7, "member"),
        skill_id=None,
        direction=None,
        scheduled=False,
        overdue=None,
        pending=None,
        rolled_back=None,
    )


def test_a_skill_that_is_as_wanted_hides_no_other_one() -> None:
    live = observed(skills={"voice": (5, 1), "chat": (3, 1), "mail": (2, 1)})
    found = changes(desired({"voice": 5, "chat": 5, "mail": 3}), live)
    assert [change.path for change in found] == ["skills/chat/level", "skills/mail/level"]


def test_skills_come_in_the_order_of_their_ids_whoever_asks_for_them() -> None:
    (agent,) = resolve(
        declarations(team(member("a", {"mail": 3, "chat": 3}, exclusive=True)))
    ).agents
    live = observed(skills={"mail": (5, 1), "chat": (5, 1), "voice": (5, 1)})
    assert [c.skill_id for c in changes(agent, live)] == ["skill-1", "skill-2", "skill-3"]


def test_a_change_names_the_line_that_made_it_and_a_default_names_none() -> None:
    level, concurrent = changes(desired({"voice": 5}), observed())
    assert level.because is not None
    assert (level.because.file, level.because.line, level.because.layer) == (
        "members/a.yaml",
        7,
        "member",
    )
    assert concurrent.because is None


LIVE = st.dictionaries(
    st.sampled_from(["voice", "chat", "mail"]),
    st.tuples(st.none() | st.integers(0, 20), st.none() | st.integers(0, 5)),
)
WANTED = st.dictionaries(
    st.sampled_from(["voice", "chat", "mail"]),
    st.one_of(
        st.integers(1, 20),
        st.tuples(st.integers(1, 20), st.integers(1, 5)),
        st.tuples(st.none(), st.integers(1, 5)),
        st.sampled_from([DISABLED, ABSENT]),
    ),
)


@given(LIVE, WANTED, st.sampled_from([None, "training", "available"]))
def test_making_the_changes_leaves_nothing_to_change_and_all_else_alone(
    live: Any, wanted: Any, mode: str | None
) -> None:
    agent = desired(wanted, mode)
    before = observed(skills=live)
    found = changes(agent, before)
    after = changed(state_of(before), found)
    assert all(reached(after, change) for change in found)
    rebuilt = observed(
        skills={
            name: (skill.level, skill.concurrent)
            for skill in after.skills
            for name in ("voice", "chat", "mail")
            if skill.skill_id == {"voice": "skill-1", "chat": "skill-2", "mail": "skill-3"}[name]
        },
        mode=after.work_mode,
    )
    assert changes(agent, rebuilt) == ()
    touched = {change.skill_id for change in found}
    kept = [s for s in state_of(before).skills if s.skill_id not in touched]
    assert [s for s in after.skills if s.skill_id not in touched] == kept


@given(LIVE, WANTED)
def test_every_planned_before_value_stands_where_it_was_read(live: Any, wanted: Any) -> None:
    before = observed(skills=live)
    for change in changes(desired(wanted), before):
        assert unmoved(state_of(before), change)
        assert not reached(state_of(before), change)


@pytest.mark.parametrize(
    ("op_wanted", "live", "now", "is_reached"),
    [
        (ABSENT, (5, 1), None, True),
        (ABSENT, (5, 1), (0, 0), True),
        (DISABLED, None, None, False),
        (DISABLED, None, (0, 0), True),
        (5, None, (5, 1), True),
        (5, None, (4, 1), False),
    ],
)
def test_reached_tells_not_held_from_held_and_off(
    op_wanted: object, live: Any, now: Any, is_reached: bool
) -> None:
    found = changes(desired({"chat": op_wanted}), observed(skills={"chat": live} if live else {}))
    state = state_of(observed(skills={"chat": now} if now else {}))
    assert reached(state, found[0]) is is_reached


def test_exclusive_removes_what_is_held_actively_and_not_declared() -> None:
    (agent,) = resolve(declarations(team(member("a", {"chat": (None, 2)}, exclusive=True)))).agents
    live = observed(skills={"voice": (5, 1), "chat": (3, 2), "mail": (0, 0)})
    assert changes(agent, live) == (
        Change(
            "skills/voice/level",
            Op.REMOVE,
            5,
            0,
            Because("members/a.yaml", 7, "member"),
            SkillId("skill-1"),
        ),
    )


def test_a_skill_that_the_catalogue_does_not_know_goes_under_its_id() -> None:
    (agent,) = resolve(declarations(team(member("a", exclusive=True)))).agents
    live = observed(skills={"voice": (5, 1)})
    strange = replace(live, skills=(replace(live.skills[0], skill_id=SkillId("skill-99")),))
    (change,) = changes(agent, strange)
    assert change.path == "skills/skill-99/level"


def test_a_skill_that_the_catalogue_knows_goes_under_its_name_by_the_terms_of_the_files() -> None:
    files = declarations(team(member("a", {"chat": 3}, exclusive=True)))
    (agent,) = resolve(files).agents
    live = observed(skills={"voice": (5, 1), "chat": (5, 1)})
    voice, chat = diff(agent, live, terms_of(files, locate))
    assert voice.path == "skills/voice/level"
    assert voice.because == Because("members/a.yaml", 7, "member")
    assert chat.direction is Direction.BETTER


# --- states -----------------------------------------------------------------------------------

STATE = state_of(observed(skills={"voice": (5, 3), "chat": (0, 7), "mail": (2, None)}))
VOICE, CHAT, MAIL = SkillId("skill-1"), SkillId("skill-2"), SkillId("skill-3")


def level(before: int | None, after: int | None, skill: SkillId = VOICE) -> Change:
    return Change("skills/any/level", Op.CHANGE, before, after, None, skill)


def concurrent(before: int | None, after: int | None, skill: SkillId = VOICE) -> Change:
    return Change("skills/any/concurrent", Op.CHANGE, before, after, None, skill)


def mode(before: str | None, after: str) -> Change:
    return Change("workMode", Op.CHANGE, before, after, None)


@pytest.mark.parametrize(
    ("change", "skills"),
    [
        (level(5, 1), ((VOICE, 1, 3), (CHAT, 0, 7), (MAIL, 2, None))),
        (level(5, 0), ((VOICE, 0, 0), (CHAT, 0, 7), (MAIL, 2, None))),
        (level(5, None), ((VOICE, None, 3), (CHAT, 0, 7), (MAIL, 2, None))),
        (level(0, 4, CHAT), ((VOICE, 5, 3), (CHAT, 4, 7), (MAIL, 2, None))),
        (concurrent(None, 2, MAIL), ((VOICE, 5, 3), (CHAT, 0, 7), (MAIL, 2, 2))),
        (
            level(None, 4, SkillId("skill-0")),
            ((SkillId("skill-0"), 4, None), (VOICE, 5, 3), (CHAT, 0, 7), (MAIL, 2, None)),
        ),
        (mode("mode-available", "mode-off"), ((VOICE, 5, 3), (CHAT, 0, 7), (MAIL, 2, None))),
    ],
)
def test_a_change_makes_one_value_and_an_off_skill_takes_nothing(
    change: Change, skills: tuple[tuple[SkillId, int | None, int | None], ...]
) -> None:
    wanted = "mode-off" if change.part == "workMode" else "mode-available"
    assert changed(STATE, [change]) == AgentState(
        WorkModeId(wanted), tuple(SkillState(*skill) for skill in skills)
    )


@pytest.mark.parametrize(
    ("change", "stands"),
    [
        (level(5, 1), 5),
        (level(0, 1, CHAT), 0),
        (level(None, 1, SkillId("skill-9")), None),
        (concurrent(3, 1), 3),
        (concurrent(None, 1, CHAT), None),
        (concurrent(None, 1, MAIL), None),
        (concurrent(None, 1, SkillId("skill-9")), None),
        (mode("mode-available", "mode-off"), "mode-available"),
    ],
)
def test_what_stands_where_a_change_would_write(change: Change, stands: object) -> None:
    assert STATE.value(change) == stands
    assert unmoved(STATE, change)


@pytest.mark.parametrize(
    ("change", "is_unmoved"),
    [
        (level(None, 1, CHAT), True),
        (level(0, 1, SkillId("skill-9")), True),
        (level(4, 1), False),
        (level(None, 1), False),
        (level(5, 1, CHAT), False),
        (concurrent(1, 2), False),
        (concurrent(None, 2), False),
        (concurrent(0, 2, MAIL), False),
        (mode("mode-off", "mode-blended"), False),
    ],
)
def test_not_held_and_level_0_are_the_same_ground_to_decide_on(
    change: Change, is_unmoved: bool
) -> None:
    assert unmoved(STATE, change) is is_unmoved


def test_what_an_agent_holds_and_how_much_may_reach_it_at_once() -> None:
    assert STATE.held == {VOICE, CHAT, MAIL}
    assert STATE.active_skills == 2
    assert STATE.concurrent == 4  # voice 3, mail states none, chat is off
    assert AgentState(None, ()).concurrent == 0


def test_changes_go_by_the_words_that_plan_files_promise() -> None:
    assert [op.value for op in Op] == ["add", "change", "remove"]
    assert [direction.value for direction in Direction] == ["better", "worse"]
