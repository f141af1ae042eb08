"""A digest of what files mean: comments, layout and file names don't count."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from cxplan.core.canonical import digest
from cxplan.core.ids import SCHEDULED, AgentId
from cxplan.core.instant import utc_text
from cxplan.core.model import Declarations, DesiredAgent, DesiredMode, Override, SkillSetting
from cxplan.core.resolve import Resolved
from cxplan.core.rules import GuardSettings


def source_digest(resolved: Resolved) -> str:
    """Return ``sha256:…`` over what the files mean, at whatever instant they are asked."""
    declarations = resolved.declarations
    matched: dict[str, list[AgentId]] = {}
    for agent_id, overrides in resolved.overrides.items():
        for override in overrides:
            matched.setdefault(override.name, []).append(agent_id)
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
            "guards": guards_meaning(declarations.guards),
            "protected": sorted(protected(declarations)),
            "agents": [_meaning(agent) for agent in resolved.agents],
            "overrides": [
                _override(override, sorted(matched.get(override.name, ())))
                for override in declarations.overrides
            ],
        }
    )


def protected(declarations: Declarations) -> frozenset[AgentId]:
    """Return the agents whose every change needs to be allowed by name."""
    return frozenset(
        member.id for team in declarations.teams for member in team.members if member.protected
    )


def guards_meaning(guards: GuardSettings) -> dict[str, Any]:
    """Return every setting of the guards as JSON, under the names of the fields."""
    return {each.name: _plain(getattr(guards, each.name)) for each in fields(guards)}


def _plain(value: Any) -> Any:
    """Return a setting as JSON: settings are numbers, words, instants and groups of them."""
    if hasattr(value, "__dataclass_fields__"):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if hasattr(value, "tzinfo"):
        return utc_text(value)
    return str(value) if isinstance(value, str) else value


def _override(override: Override, agents: list[AgentId]) -> list[Any]:
    block = override.block
    skills = sorted([name, *_setting(setting)] for name, setting in block.skills.items())
    period = [utc_text(override.start), utc_text(override.end)]
    claims = [override.reason, override.ticket, override.owner]
    return [override.name, period, agents, block.work_mode, skills, claims]


def _setting(setting: SkillSetting) -> list[Any]:
    return [setting.level, setting.concurrent, setting.off and setting.off.value]


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
