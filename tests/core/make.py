"""Small builders of core values for tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from cxplan.core.address import Origin
from cxplan.core.diff import Terms
from cxplan.core.ids import AgentId, AgentKey, ETag, SkillId, SkillName, WorkModeId, WorkModeName
from cxplan.core.live import Assignment, ObservedAgent, Schedule, Shift
from cxplan.core.model import (
    Block,
    CatalogueMode,
    CatalogueSkill,
    Category,
    Declarations,
    Layer,
    LayerKind,
    Levels,
    Member,
    Profile,
    SkillSetting,
    Source,
    Team,
)

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
LEVELS = Levels(1, 20, {"expert": 1, "senior": 3, "standard": 5, "trainee": 12})
SKILLS = {
    SkillName(name): CatalogueSkill(SkillName(name), SkillId(f"skill-{i}"), channel, maximum)
    for i, (name, channel, maximum) in enumerate(
        [("voice", "voice", 1), ("chat", "chat", 4), ("mail", "email", None)], start=1
    )
}
MODES = {
    WorkModeName(name): CatalogueMode(WorkModeName(name), WorkModeId(f"mode-{name}"), category)
    for name, category in [
        ("available", Category.AVAILABLE),
        ("blended", Category.AVAILABLE),
        ("training", Category.UNAVAILABLE),
        ("off", Category.OFFLINE),
    ]
}


def setting(value: object) -> SkillSetting:
    """``5``, ``(5, 2)``, ``(None, 2)`` or a ``SkillSetting``."""
    if isinstance(value, SkillSetting):
        return value
    if isinstance(value, tuple):
        return SkillSetting(*value)
    assert isinstance(value, int)
    return SkillSetting(value)


def block(
    kind: LayerKind,
    name: str,
    skills: Mapping[str, object] | None = None,
    mode: str | None = None,
    exclusive: bool | None = None,
) -> Block:
    layer = Layer(kind, name, f"{kind}s/{name}.yaml")
    settings = {SkillName(skill): setting(value) for skill, value in (skills or {}).items()}
    return Block(layer, None if mode is None else WorkModeName(mode), settings, exclusive)


def member(
    key: str,
    skills: Mapping[str, object] | None = None,
    *,
    mode: str | None = None,
    profile: str | None = None,
    exclusive: bool | None = None,
) -> Member:
    return Member(
        AgentKey(key),
        AgentId(f"id-{key}"),
        block(LayerKind.MEMBER, key, skills, mode, exclusive),
        profile,
    )


def team(
    *members: Member,
    name: str = "Team",
    skills: Mapping[str, object] | None = None,
    profile: str | None = None,
) -> Team:
    return Team(name, block(LayerKind.TEAM, name, skills), members, profile)


def profile(
    name: str,
    skills: Mapping[str, object] | None = None,
    *,
    extends: str | None = None,
    mode: str | None = None,
    exclusive: bool | None = None,
) -> Profile:
    return Profile(name, block(LayerKind.PROFILE, name, skills, mode, exclusive), extends)


def declarations(*teams: Team, profiles: tuple[Profile, ...] = ()) -> Declarations:
    return Declarations(
        tenant="acme-demo",
        api="availability-v2",
        levels=LEVELS,
        skills=SKILLS,
        modes=MODES,
        profiles={found.name: found for found in profiles},
        teams=teams,
    )


def observed(
    key: str = "a",
    skills: Mapping[str, tuple[int | None, int | None] | tuple[int | None, int | None, int | None]]
    | None = None,
    *,
    mode: str | None = "mode-available",
    etag: str | None = '"1"',
) -> ObservedAgent:
    held = sorted(
        (
            Assignment(SKILLS[SkillName(name)].id, values[0], values[1], *values[2:])
            for name, values in (skills or {}).items()
        ),
        key=lambda assignment: assignment.skill_id,
    )
    return ObservedAgent(
        AgentId(f"id-{key}"),
        None if etag is None else ETag(etag),
        None if mode is None else WorkModeId(mode),
        tuple(held),
    )


def terms() -> Terms:
    """The terms of the files that ``declarations`` makes."""
    return Terms(LEVELS, {skill.id: skill.name for skill in SKILLS.values()}, locate)


def locate(source: Source) -> Origin:
    """A stand-in for the files: line 7 of the layer's file."""
    return Origin(source.layer.file, 7, 3)


def shift(begins_in: float, hours: float, mode: str = "available") -> Shift:
    """A shift that begins so many hours from ``NOW`` and lasts so many."""
    start = NOW + timedelta(hours=begins_in)
    return Shift(start, start + timedelta(hours=hours), WorkModeId(f"mode-{mode}"))


def schedule(*shifts: Shift) -> Schedule:
    return Schedule(tuple(sorted(shifts, key=lambda s: s.start)))
