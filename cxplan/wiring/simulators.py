"""Simulated tenants: random ones, and one that holds what some files declare."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from cxplan.core.model import Category, Declarations, DesiredAgent, DesiredSkill
from cxplan.simulator.options import Options
from cxplan.simulator.runner import Simulator, serve
from cxplan.simulator.seed import random_spec
from cxplan.simulator.spec import AgentSpec, HoldingSpec, ModeSpec, ShiftSpec, SkillSpec, TenantSpec
from cxplan.wiring.signals import StopSignals
from cxplan.wiring.system import SystemClock

SHIFT = timedelta(hours=4)
"""How far the shifts of a tenant made from files reach to both sides of now."""


def serve_random(
    *, port: int, agents: int, seed: int, announce: Callable[[dict[str, Any]], None]
) -> StopSignals:
    """Serve a tenant with agents on, off and between shifts around now, until a signal comes."""
    clock, stop = SystemClock(), StopSignals()
    spec = random_spec(agents, seed, clock.now())
    with stop.installed():
        serve(spec, Options(port=port, seed=seed), clock, announce, stop)
    return stop


def start(spec: TenantSpec) -> Simulator:
    """Start a simulated tenant on a free port of this machine."""
    return Simulator.start(spec, Options(), SystemClock())


def spec_of(
    declarations: Declarations, agents: Iterable[DesiredAgent], now: datetime
) -> TenantSpec:
    """Return a tenant that holds exactly what the files declare, everybody on shift."""
    skills = tuple(
        SkillSpec(skill.id, skill.name, skill.channel or "voice", skill.max_concurrent or 1)
        for skill in declarations.skills.values()
    )
    modes = tuple(
        ModeSpec(mode.id, mode.name, mode.category.value) for mode in declarations.modes.values()
    )
    usual = next(m.id for m in declarations.modes.values() if m.category is Category.AVAILABLE)
    maximums = {skill.id: skill.maximum for skill in skills}
    members = tuple(_member(agent, usual, maximums, now) for agent in agents)
    return TenantSpec(declarations.tenant, skills, modes, members)


def _member(agent: DesiredAgent, usual: str, maximums: dict[str, int], now: datetime) -> AgentSpec:
    mode = agent.work_mode.mode.id if agent.work_mode else usual
    held = (_held(skill, maximums[skill.id]) for skill in agent.skills if skill.level)
    return AgentSpec(
        id=agent.id,
        name=agent.key,
        team_id=agent.team,
        work_mode=mode,
        skills=tuple(held),
        shifts=(ShiftSpec(now - SHIFT, now + SHIFT, mode),),
    )


def _held(skill: DesiredSkill, maximum: int) -> HoldingSpec:
    level = skill.level.value if skill.level else 0
    concurrent = skill.concurrent.value if skill.concurrent else 1
    return HoldingSpec(skill.id, level, min(concurrent, maximum) if level else 0, maximum)
