"""What the demo's tenant looks like before the story begins, and who acts in it.

The desired state is the repository's own ``desired/``; the tenant holds exactly that, but for the
differences below. Agents are named by their keys in the files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from cxplan.core.errors import InvalidError

if TYPE_CHECKING:
    from cxplan.core.model import Declarations, DesiredAgent
    from cxplan.simulator.spec import AgentSpec, HoldingSpec, TenantSpec

CONFLICT = ("a.okafor", "retention-voice-en", "senior")
"""Another admin gives this agent this level between plan and apply; the files want another."""

UNRELATED = ("f.santos", "payments-pci-en")
"""Another admin assigns this skill, which the files do not manage for this agent."""

DEFERRED = "k.mendoza"
LIMITED = ("m.silva", "tech-chat-en", 2)
"""The tenant allows this agent fewer concurrent chats than the files want."""

ACCEPTED = (
    ("teams/billing-east.yaml", "retention-voice-en: standard", "retention-voice-en: senior"),
    ("teams/tech-manila.yaml", "tech-chat-en: {concurrent: 4}", "tech-chat-en: {concurrent: 2}"),
)
"""How the team settles what is left: file, what stands there, what it becomes."""

_LEVELS = (
    ("b.lindqvist", "billing-voice-en", "standard"),
    ("g.cruz", "tech-voice-en", "trainee"),
    ("a.okafor", "retention-voice-en", "trainee"),
    ("f.santos", "tech-voice-en", "senior"),
    ("e.novak", "billing-chat-en", "standard"),
    ("l.nguyen", "billing-chat-en", "standard"),
    ("d.rossi", "billing-voice-en", "standard"),
    ("e.svensson", "billing-voice-en", "standard"),
    ("f.tan", "billing-voice-en", "standard"),
)
_MISSING = ("c.ramirez", "billing-voice-es")
_FEWER = ("h.reyes", "tech-chat-en", 2)
_IDLE = ("j.kaur", "k.mendoza")
"""Both are available; the files want them elsewhere, and only the first is on shift."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Names to ids, for the files at hand."""

    declarations: Declarations
    agents: tuple[DesiredAgent, ...]

    def agent(self, key: str) -> str:
        """Return an agent's id.

        Raises:
            InvalidError: these are not the demo's files.
        """
        found = next((agent.id for agent in self.agents if agent.key == key), None)
        if found is None:
            raise _other_files(f"member {key}")
        return found

    def skill(self, name: str) -> str:
        """Return a skill's id; raises as ``agent``."""
        found = next((s.id for s in self.declarations.skills.values() if s.name == name), None)
        if found is None:
            raise _other_files(f"skill {name}")
        return found

    def level(self, name: str) -> int:
        """Return a level's number; raises as ``agent``."""
        if name not in self.declarations.levels.names:
            raise _other_files(f"level {name}")
        return self.declarations.levels.names[name]


def _other_files(what: str) -> InvalidError:
    return InvalidError(
        f"The demo's story needs the {what}, and the desired state has none.",
        code="demo.files",
        hint="Run cxplan demo in cxplan's own repository, or give its desired/ with --desired.",
    )


def prologue(tenant: TenantSpec, cast: Cast, now: datetime) -> TenantSpec:
    """Return the tenant as it is when the story begins."""
    agents = {agent.id: agent for agent in tenant.agents}
    for key, skill, level in _LEVELS:
        _hold(agents, cast, (key, skill), partial(replace, level=cast.level(level)))
    for key, skill, number in (LIMITED, _FEWER):
        _hold(agents, cast, (key, skill), partial(replace, concurrent=number))
    _hold(agents, cast, LIMITED[:2], partial(replace, maximum=LIMITED[2]))
    missing, skill = cast.agent(_MISSING[0]), cast.skill(_MISSING[1])
    left = tuple(held for held in agents[missing].skills if held.skill_id != skill)
    agents[missing] = replace(agents[missing], skills=left)
    available = next(m.id for m in tenant.modes if m.category == "available")
    for key in _IDLE:
        agents[cast.agent(key)] = replace(agents[cast.agent(key)], work_mode=available)
    _send_home(agents, cast.agent(DEFERRED), now)
    return replace(tenant, agents=tuple(agents.values()))


def _hold(
    agents: dict[str, AgentSpec],
    cast: Cast,
    names: tuple[str, str],
    change: Callable[[HoldingSpec], HoldingSpec],
) -> None:
    """Change how one agent (by key) holds one skill (by name); it holds it from now on."""
    agent, skill_id = agents[cast.agent(names[0])], cast.skill(names[1])
    held = {holding.skill_id: holding for holding in agent.skills}
    held[skill_id] = change(held.get(skill_id) or _new(skill_id))
    agents[agent.id] = replace(agent, skills=tuple(held.values()))


def _new(skill_id: str) -> HoldingSpec:
    from cxplan.simulator.spec import HoldingSpec

    return HoldingSpec(skill_id, level=1, concurrent=1, maximum=4)


def _send_home(agents: dict[str, AgentSpec], agent_id: str, now: datetime) -> None:
    """Move an agent's shift to tomorrow."""
    agent = agents[agent_id]
    later = tuple(
        replace(shift, start=now + timedelta(hours=20), end=now + timedelta(hours=28))
        for shift in agent.shifts
    )
    agents[agent_id] = replace(agent, shifts=later)
