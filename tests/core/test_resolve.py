"""Layers: profile (what it extends first), team, member; each value from the last that names it."""

from __future__ import annotations

import pytest

from cxplan.core.meaning import source_digest
from cxplan.core.model import (
    Declarations,
    DesiredAgent,
    DesiredMode,
    FollowShift,
    Off,
    SkillSetting,
)
from cxplan.core.resolve import resolve
from tests.core.make import declarations, member, profile, team

DISABLED = SkillSetting(off=Off.DISABLED)
ABSENT = SkillSetting(off=Off.ABSENT)


def one(value: Declarations) -> DesiredAgent:
    (agent,) = resolve(value).agents
    return agent


def skills(agent: DesiredAgent) -> dict[str, tuple[int | None, int | None, str | None]]:
    return {
        skill.name: (
            skill.level.value if skill.level else None,
            skill.concurrent.value if skill.concurrent else None,
            skill.off.value if skill.off else None,
        )
        for skill in agent.skills
    }


def test_level_and_concurrency_come_each_from_the_last_layer_that_names_it() -> None:
    base = profile("base", {"chat": (5, 3), "voice": 5})
    top = profile("top", {"chat": 3}, extends="base")
    agent = one(
        declarations(
            team(member("a", {"chat": (None, 2)}), profile="top", skills={"voice": 1}),
            profiles=(base, top),
        )
    )
    assert skills(agent) == {"voice": (1, None, None), "chat": (3, 2, None)}
    chat = next(skill for skill in agent.skills if skill.name == "chat")
    assert chat.level is not None
    source = agent.source(chat.level)
    assert source is not None
    assert source.layer.name == "top"
    assert source.keys == ("skills", "chat", "level")


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        ((5, 3), DISABLED, (0, None, "disabled")),
        ((5, 3), ABSENT, (0, None, "absent")),
        (DISABLED, 5, (5, None, None)),
        (ABSENT, (None, 3), (0, None, "absent")),
        (DISABLED, ABSENT, (0, None, "absent")),
    ],
)
def test_off_replaces_both_and_only_a_level_switches_on_again(
    lower: object, upper: object, expected: tuple[int | None, int | None, str | None]
) -> None:
    value = declarations(
        team(member("a", {"chat": upper}), profile="p"), profiles=(profile("p", {"chat": lower}),)
    )
    assert skills(one(value))["chat"] == expected


def test_a_members_profile_stands_in_place_of_the_teams() -> None:
    value = declarations(
        team(member("a", profile="other"), profile="usual"),
        profiles=(profile("usual", {"voice": 5}), profile("other", {"mail": 3}, mode="training")),
    )
    agent = one(value)
    assert skills(agent) == {"mail": (3, None, None)}
    assert isinstance(agent.work_mode, DesiredMode)
    assert agent.work_mode.mode.name == "training"


def test_following_the_shift_and_exclusive_come_from_the_last_layer_that_names_them() -> None:
    base = profile("p", {"voice": 5}, mode="scheduled", exclusive=True)
    value = declarations(
        team(member("a"), member("b", mode="training", exclusive=False), profile="p"),
        profiles=(base,),
    )
    first, second = resolve(value).agents
    assert isinstance(first.work_mode, FollowShift)
    assert first.exclusive is not None
    assert (first.exclusive.layer.name, first.exclusive.keys) == ("p", ("exclusive",))
    assert isinstance(second.work_mode, DesiredMode)
    assert second.exclusive is None


def test_what_no_layer_names_is_unmanaged() -> None:
    agent = one(declarations(team(member("a"))))
    assert agent.work_mode is None
    assert agent.skills == ()


def test_agents_are_ordered_by_id_whatever_the_files_say() -> None:
    first, second = member("b"), member("a")
    assert [a.key for a in resolve(declarations(team(first, second))).agents] == ["a", "b"]


def test_source_digest_tells_meaning_not_layout() -> None:
    one_team = declarations(team(member("a", {"voice": 5}), member("b")))
    moved = declarations(team(member("b"), member("a", {"voice": 5})))
    other = declarations(team(member("a", {"voice": 3}), member("b")))

    def of(value: Declarations) -> str:
        return source_digest(resolve(value))

    assert of(one_team) == of(moved)
    assert of(one_team) != of(other)
