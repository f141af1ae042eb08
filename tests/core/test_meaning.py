"""The digest of files: the same for what means the same, another for whatever means another."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cxplan.core.ids import AgentKey, SkillName, WorkModeId, WorkModeName
from cxplan.core.meaning import agent_meaning, guards_meaning, protected, source_digest
from cxplan.core.model import (
    CatalogueMode,
    Category,
    Declarations,
    Levels,
    Match,
    Off,
    SkillSetting,
)
from cxplan.core.resolve import resolve
from cxplan.core.rules import Coverage, Freeze, GuardSettings, Limit, OverrideRules, ShiftPolicy
from tests.core.ahead import HOUR, override, random_files, with_overrides
from tests.core.make import MODES, NOW, SKILLS, block, declarations, member, profile, team

PEAK = override("peak", 1, 9, {"voice": 1})
X = CatalogueMode(WorkModeName("x"), WorkModeId("m"), Category.OFFLINE)


def files() -> Declarations:
    lead = replace(member("lead", {"voice": 3}), protected=True)
    east = team(member("a", {"voice": (3, 1), "chat": 5}), lead, name="East", profile="base")
    west = team(member("c", mode="training"), name="West")
    made = declarations(east, west, profiles=(profile("base", {"mail": 5}),))
    return with_overrides(made, PEAK)


def digest(value: Declarations) -> str:
    return source_digest(resolve(value))


Edit = Callable[[Declarations], Declarations]


def guard(**settings: Any) -> Edit:
    return lambda value: replace(value, guards=replace(value.guards, **settings))


def over(**fields: Any) -> Edit:
    def edit(value: Declarations) -> Declarations:
        (found,) = value.overrides
        return replace(value, overrides=(replace(found, **fields),))

    return edit


def setting(**fields: Any) -> Edit:
    """A skill's setting in the profile."""

    def edit(value: Declarations) -> Declarations:
        base = value.profiles["base"]
        skills = {SkillName("mail"): SkillSetting(**fields)}
        return replace(
            value, profiles={"base": replace(base, block=replace(base.block, skills=skills))}
        )

    return edit


def members(**fields: Any) -> Edit:
    """The first member of the first team."""

    def edit(value: Declarations) -> Declarations:
        east, west = value.teams
        first, *others = east.members
        return replace(
            value, teams=(replace(east, members=(replace(first, **fields), *others)), west)
        )

    return edit


def mode(name: str, **fields: Any) -> Edit:
    key = WorkModeName(name)
    return lambda value: replace(value, modes=dict(MODES) | {key: replace(MODES[key], **fields)})


def skill(**fields: Any) -> Edit:
    key = SkillName("chat")
    return lambda value: replace(value, skills=dict(SKILLS) | {key: replace(SKILLS[key], **fields)})


OTHER: dict[str, Edit] = {
    "tenant": lambda value: replace(value, tenant="other"),
    "api": lambda value: replace(value, api="admin"),
    "best": lambda value: replace(value, levels=Levels(20, 1)),
    "worst": lambda value: replace(value, levels=Levels(1, 30)),
    "a skill's id": skill(id="skill-9"),
    "a skill's limit": skill(max_concurrent=9),
    "a mode's id": mode("training", id="mode-9"),
    "a mode's category": mode("training", category=Category.OFFLINE),
    "another mode": lambda value: replace(value, modes=dict(MODES) | {X.name: X}),
    "a level": setting(level=6),
    "a concurrency": setting(level=5, concurrent=1),
    "a concurrency alone": setting(concurrent=1),
    "disabled": setting(off=Off.DISABLED),
    "absent": setting(off=Off.ABSENT),
    "an id": members(id="id-z"),
    "a key": members(key=AgentKey("z")),
    "no profile": lambda value: replace(
        value, teams=(replace(value.teams[0], profile=None), value.teams[1])
    ),
    "a team's name": lambda value: replace(
        value, teams=(replace(value.teams[0], name="Easter"), value.teams[1])
    ),
    "a mode": members(block=block(PEAK.block.layer.kind, "a", {"voice": (3, 1), "chat": 5}, "off")),
    "the shift": members(
        block=block(PEAK.block.layer.kind, "a", {"voice": (3, 1), "chat": 5}, "scheduled")
    ),
    "exclusive": members(
        block=block(PEAK.block.layer.kind, "a", {"voice": (3, 1), "chat": 5}, None, True)
    ),
    "protected": members(protected=True),
    "an override's name": over(name="other"),
    "its start": over(start=NOW),
    "its end": over(end=NOW + 8 * HOUR),
    "its value": over(block=block(PEAK.block.layer.kind, "peak", {"voice": 2})),
    "its mode": over(block=block(PEAK.block.layer.kind, "peak", {"voice": 1}, "off")),
    "whom it is for": over(match=Match(agents=frozenset({AgentKey("lead")}))),
    "its reason": over(reason="r"),
    "its ticket": over(ticket="t"),
    "its owner": over(owner="o"),
    "no override": lambda value: replace(value, overrides=()),
    "a limit": guard(max_agents_changed=Limit(30, 10, 999)),
    "a limit is off": guard(max_skills_removed=None),
    "a check is off": guard(no_agent_without_skill=False),
    "a policy": guard(shifts=ShiftPolicy(grace_minutes=14)),
    "a total": guard(total_concurrent=9),
    "a coverage": guard(min_coverage=(Coverage(SkillName("voice"), 1),)),
    "a freeze": guard(freeze=(Freeze("f", NOW, NOW + timedelta(days=1)),)),
    "what overrides need": guard(overrides=OverrideRules(89)),
}


@pytest.mark.parametrize("what", OTHER)
def test_another_meaning_has_another_digest(what: str) -> None:
    assert digest(OTHER[what](files())) != digest(files())


def test_no_two_of_them_are_the_same() -> None:
    found = [digest(edit(files())) for edit in OTHER.values()]
    assert len(set(found)) == len(found)


def _other_layers(value: Declarations) -> Declarations:
    """The same values in other files, lines and layers."""
    east, west = value.teams
    a, lead = east.members
    own = {"voice": (3, 1), "chat": 5, "mail": 5}
    moved = replace(a, block=block(PEAK.block.layer.kind, "elsewhere", own))
    return replace(value, teams=(replace(east, members=(moved, lead)), west))


SAME: dict[str, Edit] = {
    "teams in another order": lambda value: replace(value, teams=value.teams[::-1]),
    "members in another order": lambda value: replace(
        value,
        teams=(replace(value.teams[0], members=value.teams[0].members[::-1]), value.teams[1]),
    ),
    "other layers": _other_layers,
    "names of levels": lambda value: replace(value, levels=Levels(1, 20, {"best": 1})),
    "a zone to show times in": lambda value: replace(value, time_zone="Asia/Manila"),
    "a catalogue in another order": lambda value: replace(
        value, skills=dict(reversed(SKILLS.items())), modes=dict(reversed(MODES.items()))
    ),
    "a channel": skill(channel="sms"),
    "a label that nobody asks for": members(labels={"lang": "es"}),
    "an override told by team": over(
        match=Match(teams=frozenset({"East"}), exclude=frozenset({AgentKey("lead")}))
    ),
    "a profile that nobody has": lambda value: replace(
        value, profiles=dict(value.profiles) | {"x": profile("x", {"voice": 1})}
    ),
}


@pytest.mark.parametrize("what", SAME)
def test_the_same_meaning_has_the_same_digest(what: str) -> None:
    assert digest(SAME[what](files())) == digest(files())


@pytest.mark.parametrize("seed", range(10))
def test_files_with_the_same_digest_want_the_same_at_every_hour(seed: int) -> None:
    draw = random.Random(seed)
    known: dict[str, list[Any]] = {}
    for _ in range(60):
        resolved = resolve(random_files(draw))
        hours = [[agent_meaning(a) for a in resolved.at(NOW + n * HOUR)] for n in range(-9, 10)]
        assert known.setdefault(source_digest(resolved), hours) == hours


def test_who_is_protected() -> None:
    assert protected(files()) == {"id-lead"}


def test_every_setting_of_the_guards_counts() -> None:
    meaning = guards_meaning(GuardSettings(freeze=(Freeze("f", NOW, NOW + HOUR),)))
    assert meaning["max_agents_changed"] == {"percent": 30, "or_at_least": 10, "at_most": 1000}
    assert meaning["freeze"] == [
        {
            "name": "f",
            "start": "2026-11-25T12:00:00Z",
            "end": "2026-11-25T13:00:00Z",
            "except_overrides": False,
        }
    ]
