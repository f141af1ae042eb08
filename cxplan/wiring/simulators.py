"""Simulated tenants: random ones, and one that holds what some files declare."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cxplan.core.model import Category, Declarations, DesiredAgent, DesiredMode, DesiredSkill, Off
from cxplan.core.resolve import resolve
from cxplan.simulator.options import Options
from cxplan.simulator.runner import Simulator, serve
from cxplan.simulator.schema import parse_rules
from cxplan.simulator.seed import drift, random_spec
from cxplan.simulator.spec import AgentSpec, HoldingSpec, ModeSpec, ShiftSpec, SkillSpec, TenantSpec
from cxplan.wiring.signals import StopSignals
from cxplan.wiring.system import SystemClock

SHIFT = timedelta(hours=4)
"""How far the shifts of a tenant made from files reach to both sides of now."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What ``simulate serve`` was asked for; ``faults`` is the rules file's content."""

    port: int
    seed: int
    agents: int
    declarations: Declarations | None
    drift: float
    faults: bytes
    log_port: int | None


def serve_until_signal(
    wanted: Simulation, announce: Callable[[dict[str, Any]], None]
) -> StopSignals:
    """Serve a tenant until a signal comes; ``announce`` gets the line once it listens.

    Raises:
        InvalidError: a port is taken, or the rules are none.
    """
    clock, stop = SystemClock(), StopSignals()
    options = Options(
        port=wanted.port,
        seed=wanted.seed,
        faults=parse_rules(wanted.faults),
        log_port=wanted.log_port,
    )
    with stop.installed():
        serve(_spec(wanted, clock.now()), options, clock, announce, stop)
    return stop


def _spec(wanted: Simulation, now: datetime) -> TenantSpec:
    if wanted.declarations is None:
        spec = random_spec(wanted.agents, wanted.seed, now)
    else:
        spec = spec_of(wanted.declarations, resolve(wanted.declarations).at(now), now)
    return drift(spec, wanted.drift, wanted.seed)


def start(spec: TenantSpec) -> Simulator:
    """Start a simulated tenant on a free port of this machine."""
    return Simulator.start(spec, Options(), SystemClock())


def spec_of(
    declarations: Declarations, agents: Iterable[DesiredAgent], now: datetime
) -> TenantSpec:
    """Return a tenant that holds exactly what the files declare, everybody on shift.

    Where they state a concurrency and no level, the skill is held at the worst level.
    """
    skills = tuple(
        SkillSpec(skill.id, skill.name, skill.channel or "voice", skill.max_concurrent or 1)
        for skill in declarations.skills.values()
    )
    modes = tuple(
        ModeSpec(mode.id, mode.name, mode.category.value) for mode in declarations.modes.values()
    )
    usual = next(m.id for m in declarations.modes.values() if m.category is Category.AVAILABLE)
    maximums = {skill.id: skill.maximum for skill in skills}
    worst = declarations.levels.worst
    members = tuple(_member(agent, usual, _Held(maximums, worst), now) for agent in agents)
    return TenantSpec(declarations.tenant, skills, modes, members)


@dataclass(frozen=True, slots=True)
class _Held:
    """How a declared skill is held: its maximum, and the level where none is declared."""

    maximums: dict[str, int]
    level: int

    def __call__(self, skill: DesiredSkill) -> HoldingSpec:
        maximum = self.maximums[skill.id]
        level = skill.level.value if skill.level else self.level
        concurrent = skill.concurrent.value if skill.concurrent else 1
        return HoldingSpec(skill.id, level, min(concurrent, maximum) if level else 0, maximum)


def _member(agent: DesiredAgent, usual: str, held: _Held, now: datetime) -> AgentSpec:
    wanted = agent.work_mode
    mode = wanted.mode.id if isinstance(wanted, DesiredMode) else usual
    return AgentSpec(
        id=agent.id,
        name=agent.key,
        team_id=agent.team,
        work_mode=mode,
        skills=tuple(held(skill) for skill in agent.skills if skill.off is not Off.ABSENT),
        shifts=(ShiftSpec(now - SHIFT, now + SHIFT, mode),),
    )
