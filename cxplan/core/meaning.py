"""A digest of what files mean: comments, layout and file names don't count."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any

from cxplan.core.canonical import canonical
from cxplan.core.ids import SCHEDULED, AgentId
from cxplan.core.instant import utc_text
from cxplan.core.model import (
    Declarations,
    DesiredAgent,
    DesiredMode,
    DesiredSkill,
    Override,
    SkillSetting,
)
from cxplan.core.resolve import Resolved
from cxplan.core.rules import GuardSettings

_FORMS = 65_536
"""So many parts are kept in their form: most agents share them."""


def source_digest(resolved: Resolved) -> str:
    """Return ``sha256:…`` over what the files mean, at whatever instant they are asked.

    It is over one RFC 8785 object, whose first member are the agents. They are hashed one by one:
    together they would take more memory than anything else of a plan.
    """
    matched: dict[str, list[AgentId]] = {}
    for agent_id, overrides in resolved.overrides.items():
        for override in overrides:
            matched.setdefault(override.name, []).append(agent_id)
    sha256 = hashlib.sha256(b'{"agents":[')
    for number, agent in enumerate(resolved.agents):
        sha256.update(b"," + _agent_form(agent) if number else _agent_form(agent))
    sha256.update(b"]," + canonical(_rest(resolved, matched)).removeprefix(b"{"))
    return f"sha256:{sha256.hexdigest()}"


def _rest(resolved: Resolved, matched: Mapping[str, list[AgentId]]) -> dict[str, Any]:
    """Return everything but the agents; no name of a member may sort before theirs."""
    declarations = resolved.declarations
    return {
        "tenant": declarations.tenant,
        "api": declarations.api,
        "levels": [declarations.levels.best, declarations.levels.worst],
        "skills": sorted(
            [skill.name, skill.id, skill.max_concurrent] for skill in declarations.skills.values()
        ),
        "workModes": sorted(
            [mode.name, mode.id, mode.category.value] for mode in declarations.modes.values()
        ),
        "guards": guards_meaning(declarations.guards),
        "protected": sorted(protected(declarations)),
        "overrides": [
            _override(override, sorted(matched.get(override.name, ())))
            for override in declarations.overrides
        ],
    }


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


def agent_meaning(agent: DesiredAgent) -> list[Any]:
    """Return what is wanted of an agent, without the places that say so."""
    skills = [list(_values(skill)) for skill in agent.skills]
    return [agent.id, agent.key, agent.team, _mode(agent), skills, agent.exclusive is not None]


def _agent_form(agent: DesiredAgent) -> bytes:
    """Return the RFC 8785 form of ``agent_meaning``, from parts that are the same for many."""
    own = b"[%s,%s" % (canonical(agent.id), canonical(agent.key))
    shared = _form(agent.team), _form(_mode(agent))
    skills = b",".join([_form(_values(skill)) for skill in agent.skills])
    exclusive = b"false" if agent.exclusive is None else b"true"
    return b"%s,%s,%s,[%s],%s]" % (own, *shared, skills, exclusive)


@lru_cache(_FORMS)
def _form(part: str | tuple[str | int | None, ...] | None) -> bytes:
    return canonical(part)


def _mode(agent: DesiredAgent) -> str | None:
    mode = agent.work_mode
    if mode is None:
        return None
    return mode.mode.id if isinstance(mode, DesiredMode) else SCHEDULED


def _values(skill: DesiredSkill) -> tuple[str | int | None, ...]:
    level, concurrent = skill.level, skill.concurrent
    return (
        skill.id,
        None if level is None else level.value,
        None if concurrent is None else concurrent.value,
        None if skill.off is None else skill.off.value,
    )
