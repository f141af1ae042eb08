"""Tenants out of a seed: the same seed, size and instant give the same tenant."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from cxplan.core.errors import InvalidError
from cxplan.simulator.draws import draws
from cxplan.simulator.spec import (
    AgentSpec,
    HoldingSpec,
    ModeSpec,
    ScheduleKind,
    ShiftSpec,
    SkillSpec,
    TenantSpec,
)

BEST_LEVEL = 1
WORST_LEVEL = 20
OFF = 0

AVAILABLE = ModeSpec("workMode-100", "Available", "available")
TRAINING = ModeSpec("workMode-210", "Training", "unavailable")
PROJECT = ModeSpec("workMode-220", "Project", "unavailable")
BREAK = ModeSpec("workMode-230", "Break", "unavailable")
LEAVE = ModeSpec("workMode-290", "Leave", "unavailable")
OFF_SHIFT = ModeSpec("workMode-900", "Off shift", "offline")
MODES = (AVAILABLE, TRAINING, PROJECT, BREAK, LEAVE, OFF_SHIFT)

_MAXIMUM = {"voice": 1, "chat": 4}
_SKILL_NAMES = (
    ("skill-4701", "billing-voice-en"),
    ("skill-4702", "billing-voice-es"),
    ("skill-4711", "billing-chat-en"),
    ("skill-4712", "billing-chat-es"),
    ("skill-4721", "tech-voice-en"),
    ("skill-4722", "tech-voice-de"),
    ("skill-4731", "tech-chat-en"),
    ("skill-4732", "tech-chat-de"),
    ("skill-4741", "retention-voice-en"),
    ("skill-4751", "retention-chat-en"),
    ("skill-4761", "sales-voice-en"),
    ("skill-4790", "payments-pci-voice-en"),
)


def _skill(skill_id: str, name: str) -> SkillSpec:
    channel = "chat" if "-chat-" in name else "voice"
    return SkillSpec(skill_id, name, channel, _MAXIMUM[channel])


SKILLS = tuple(_skill(*row) for row in _SKILL_NAMES)

# fmt: off
_FIRST = (
    "Ada", "Ben", "Chidi", "Dana", "Emre", "Fatima", "Goran", "Hana", "Ines", "Jonas", "Kavya",
    "Luis", "Mina", "Noor", "Otto", "Priya",
)
_LAST = (
    "Okafor", "Lindqvist", "Ramirez", "Tanaka", "Novak", "Santos", "Cruz", "Reyes", "Moreau",
    "Kaur", "Hale", "Weber", "Silva",
)
# fmt: on

_TEAM_SIZE = 12
_SKILLS_HELD = (3, 8)
_DISABLED = 0.15
_ELSEWHERE = 0.15
_OFFSETS = tuple(timezone(timedelta(minutes=minutes)) for minutes in (-360, -300, 0, 60, 330, 480))
_WHOLE_SHIFT = timedelta(hours=8)
_HALF_SHIFT = timedelta(hours=4)
_DAY = timedelta(days=1)

# What sixteen agents in a row are doing, in an order that the seed shuffles.
_SITUATIONS = (
    ("on",) * 6
    + ("training",) * 2
    + ("later",) * 2
    + ("between",) * 2
    + ("ended", "listed", "null", "missing")
)


def random_spec(agents: int, seed: int, now: datetime) -> TenantSpec:
    """Return a tenant of ``agents`` agents who are on, off and between shifts around ``now``.

    An agent's values depend on the seed, its number and ``now`` only, so a larger tenant begins
    with the agents of a smaller one. Levels are 1 (best) to 20, or 0 where switched off.
    """
    day = now.astimezone(UTC)
    return TenantSpec(
        name=f"simulated-{seed}",
        skills=SKILLS,
        modes=MODES,
        agents=tuple(_agent(number, seed, day) for number in range(1, agents + 1)),
    )


def _agent(number: int, seed: int, now: datetime) -> AgentSpec:
    rng = draws("agent", seed, number)
    situation = _situation(number - 1, seed)
    shifts = _shifts(situation, now, rng)
    return AgentSpec(
        id=f"agent-{number:04d}",
        name=f"{rng.choice(_FIRST)} {rng.choice(_LAST)}",
        team_id=f"team-{(number - 1) // _TEAM_SIZE + 1:02d}",
        work_mode=_live_mode(situation, rng).id,
        skills=_holdings(rng),
        shifts=shifts,
        schedule=ScheduleKind(situation) if not shifts else ScheduleKind.LISTED,
    )


def _situation(index: int, seed: int) -> str:
    block, place = divmod(index, len(_SITUATIONS))
    order = list(_SITUATIONS)
    draws("situations", seed, block).shuffle(order)
    return order[place]


def _live_mode(situation: str, rng: random.Random) -> ModeSpec:
    elsewhere = rng.random() < _ELSEWHERE
    match situation:
        case "on":
            return rng.choice((BREAK, PROJECT)) if elsewhere else AVAILABLE
        case "training":
            return AVAILABLE if elsewhere else TRAINING
        case "later" | "between" | "ended":
            return AVAILABLE if elsewhere else OFF_SHIFT
        case _:
            return rng.choice((AVAILABLE, LEAVE, OFF_SHIFT))


def _holdings(rng: random.Random) -> tuple[HoldingSpec, ...]:
    chosen = rng.sample(SKILLS, rng.randint(*_SKILLS_HELD))
    first, *others = sorted(chosen, key=lambda skill: skill.id)
    return (
        _holding(first, rng, off=False),
        *(_holding(skill, rng, off=rng.random() < _DISABLED) for skill in others),
    )


def _holding(skill: SkillSpec, rng: random.Random, *, off: bool) -> HoldingSpec:
    if off:
        return HoldingSpec(skill.id, OFF, 0, skill.maximum)
    level = rng.randint(BEST_LEVEL, WORST_LEVEL)
    return HoldingSpec(skill.id, level, rng.randint(1, skill.maximum), skill.maximum)


def _shifts(situation: str, now: datetime, rng: random.Random) -> tuple[ShiftSpec, ...]:
    """Return the shifts of a situation, each end written in a zone of its own."""
    half_hour = now.replace(minute=now.minute // 30 * 30, second=0, microsecond=0)
    distance = timedelta(hours=rng.randint(2, 6))
    zone, end_zone = rng.choice(_OFFSETS), rng.choice(_OFFSETS)
    mode = TRAINING if situation == "training" else AVAILABLE
    return tuple(
        ShiftSpec(
            (half_hour + start).astimezone(zone), (half_hour + end).astimezone(end_zone), mode.id
        )
        for start, end in _planned(situation, distance)
    )


def _planned(situation: str, distance: timedelta) -> tuple[tuple[timedelta, timedelta], ...]:
    """Return begin and end of each shift, seen from now; ``distance`` is 2 to 6 hours."""
    match situation:
        case "on" | "training":
            running = (-distance, _WHOLE_SHIFT - distance)
            return running, (running[0] + _DAY, running[1] + _DAY)
        case "later":
            return ((distance, distance + _WHOLE_SHIFT),)
        case "between":
            return (-distance - _HALF_SHIFT, -distance), (distance, distance + _HALF_SHIFT)
        case "ended":
            return ((-distance - _WHOLE_SHIFT, -distance),)
        case _:
            return ()


def drift(spec: TenantSpec, share: float, seed: int) -> TenantSpec:
    """Return ``spec`` with about ``share`` (0 to 1) of its agents changed as another admin would.

    Each of them differs in exactly one value: a level, a concurrency or the work mode. A share
    over 0 changes at least one agent.

    Raises:
        InvalidError: ``share`` is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise InvalidError(
            "The share of drifting agents is out of range.",
            code="usage.range",
            hint="Give a share between 0 (nobody) and 1 (every agent).",
        )
    rng = draws("drift", seed)
    count = min(len(spec.agents), max(round(share * len(spec.agents)), 1 if share else 0))
    chosen = set(rng.sample(range(len(spec.agents)), count))
    return replace(
        spec,
        agents=tuple(
            _drifted(agent, spec, draws("drift", seed, agent.id)) if place in chosen else agent
            for place, agent in enumerate(spec.agents)
        ),
    )


def _drifted(agent: AgentSpec, spec: TenantSpec, rng: random.Random) -> AgentSpec:
    active = [place for place, held in enumerate(agent.skills) if held.level != OFF]
    modes = [mode.id for mode in spec.modes if mode.id != agent.work_mode]
    if not active or (modes and rng.random() < 1 / 3):
        return replace(agent, work_mode=rng.choice(modes)) if modes else agent
    place = rng.choice(active)
    skills = list(agent.skills)
    skills[place] = _other_holding(skills[place], rng)
    return replace(agent, skills=tuple(skills))


def _other_holding(held: HoldingSpec, rng: random.Random) -> HoldingSpec:
    """Return ``held`` with another concurrency where its limit leaves one, or another level."""
    others = [n for n in range(1, (held.maximum or 1) + 1) if n != held.concurrent]
    if others and rng.random() < 1 / 2:
        return replace(held, concurrent=rng.choice(others))
    levels = [n for n in range(BEST_LEVEL, WORST_LEVEL + 1) if n != held.level]
    return replace(held, level=rng.choice(levels))
