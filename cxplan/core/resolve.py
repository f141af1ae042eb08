"""Declarations to desired agents.

Layers, later ones winning: profile (what it extends first), team, member. Work mode, and of each
skill the level and the concurrency, are taken each by itself from the last layer that names it;
``disabled`` and ``absent`` replace both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from cxplan.core.canonical import digest
from cxplan.core.ids import OFF, SCHEDULED, SkillName, WorkModeName
from cxplan.core.model import (
    Block,
    Declarations,
    DesiredAgent,
    DesiredMode,
    DesiredSkill,
    FollowShift,
    Layer,
    Member,
    SkillSetting,
    Source,
    Team,
    Wanted,
)


@dataclass(frozen=True, slots=True)
class _Folded:
    """What some layers say together."""

    work_mode: DesiredMode | FollowShift | None = None
    skills: Mapping[SkillName, DesiredSkill] = field(default_factory=dict)
    exclusive: Source | None = None


def resolve(declarations: Declarations) -> tuple[DesiredAgent, ...]:
    """Return what the files want of each agent, ordered by agent id.

    Agents that share profile and team and add nothing share their skills, so the cost of an agent
    is that of its own lines.
    """
    return tuple(sorted(_agents(declarations), key=lambda agent: agent.id))


def _agents(declarations: Declarations) -> Iterator[DesiredAgent]:
    for team in declarations.teams:
        shared: dict[str | None, _Folded] = {}
        for member in team.members:
            profile = member.profile or team.profile
            if profile not in shared:
                shared[profile] = _fold_team(declarations, team, profile)
            yield _agent(declarations, team, member, shared[profile])


def _agent(declarations: Declarations, team: Team, member: Member, shared: _Folded) -> DesiredAgent:
    folded = _fold(declarations, shared, member.block)
    skills = tuple(folded.skills.values())
    return DesiredAgent(
        member.id, member.key, team.name, skills, folded.work_mode, folded.exclusive
    )


def _fold_team(declarations: Declarations, team: Team, profile: str | None) -> _Folded:
    folded = _Folded()
    for block in _profile_blocks(declarations, profile):
        folded = _fold(declarations, folded, block)
    return _fold(declarations, folded, team.block)


def _profile_blocks(declarations: Declarations, name: str | None) -> list[Block]:
    """Return the blocks of a profile, the one it extends first; the reader refused cycles."""
    blocks: list[Block] = []
    while name is not None:
        profile = declarations.profiles[name]
        blocks.append(profile.block)
        name = profile.extends
    return blocks[::-1]


def _fold(declarations: Declarations, below: _Folded, block: Block) -> _Folded:
    mode = below.work_mode
    if block.work_mode is not None:
        mode = _mode(declarations, block.work_mode, Source(block.layer, ("workMode",)))
    exclusive = below.exclusive
    if block.exclusive is not None:
        exclusive = Source(block.layer, ("exclusive",)) if block.exclusive else None
    if not block.skills:
        return replace(below, work_mode=mode, exclusive=exclusive)
    skills = dict(below.skills)
    for name, setting in block.skills.items():
        base = skills.get(name) or DesiredSkill(name, declarations.skills[name].id)
        skills[name] = _merge(base, setting, block.layer)
    ordered = dict(sorted(skills.items(), key=lambda item: item[1].id))
    return _Folded(mode, ordered, exclusive)


def _mode(
    declarations: Declarations, name: WorkModeName, source: Source
) -> DesiredMode | FollowShift:
    if name == SCHEDULED:
        return FollowShift(source)
    return DesiredMode(declarations.modes[name], source)


@lru_cache(maxsize=65_536)
def _keys(name: SkillName, *part: str) -> tuple[str, ...]:
    """Return one object for equal keys: there are few, and every value of every agent has some."""
    return ("skills", name, *part)


def _merge(below: DesiredSkill, setting: SkillSetting, layer: Layer) -> DesiredSkill:
    """Lay one setting over what the lower layers say of the same skill."""
    if setting.off is not None:
        level = Wanted(OFF, Source(layer, _keys(below.name)))
        return replace(below, level=level, concurrent=None, off=setting.off)
    merged = below
    if setting.level is not None:
        level = Wanted(setting.level, Source(layer, _keys(below.name, "level")))
        merged = replace(merged, level=level, off=None)
    if setting.concurrent is not None and merged.off is None:
        concurrent = Wanted(setting.concurrent, Source(layer, _keys(below.name, "concurrent")))
        merged = replace(merged, concurrent=concurrent)
    return merged


def source_digest(declarations: Declarations, agents: tuple[DesiredAgent, ...]) -> str:
    """Return ``sha256:…`` over what the files mean; comments, layout and file names don't count."""
    return digest(
        {
            "tenant": declarations.tenant,
            "api": declarations.api,
            "levels": [declarations.levels.best, declarations.levels.worst],
            "skills": sorted(
                [skill.name, skill.id, skill.max_concurrent]
                for skill in declarations.skills.values()
            ),
            "workModes": sorted(
                [mode.name, mode.id, mode.category.value] for mode in declarations.modes.values()
            ),
            "guards": _guards(declarations),
            "agents": [_meaning(agent) for agent in agents],
        }
    )


def _guards(declarations: Declarations) -> dict[str, Any]:
    guards = declarations.guards
    limits = {
        name: limit and [limit.percent, limit.or_at_least, limit.at_most]
        for name, limit in (
            ("maxAgentsChanged", guards.max_agents_changed),
            ("maxSkillsRemoved", guards.max_skills_removed),
        )
    }
    shifts = guards.shifts
    return limits | {
        "noAgentWithoutSkill": guards.no_agent_without_skill,
        "shifts": [
            shifts.no_active_shift.value,
            shifts.mode_conflict.value,
            shifts.unreadable.value,
            shifts.skills_off_shift.value,
            shifts.grace_minutes,
        ],
    }


def _meaning(agent: DesiredAgent) -> list[Any]:
    mode = agent.work_mode
    wanted = mode.mode.id if isinstance(mode, DesiredMode) else mode and SCHEDULED
    skills = [
        [
            skill.id,
            skill.level and skill.level.value,
            skill.concurrent and skill.concurrent.value,
            skill.off and skill.off.value,
        ]
        for skill in agent.skills
    ]
    exclusive = agent.exclusive is not None
    return [agent.id, agent.key, agent.team, wanted, skills, exclusive]
