"""Guards made stricter by a base, and looser by name and with a reason."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from operator import eq
from typing import TypeVar

from cxplan.core.errors import InvalidError
from cxplan.core.rules import (
    Coverage,
    Freeze,
    GuardSettings,
    Limit,
    OverrideRules,
    Policy,
    ShiftPolicy,
)

SHIFTS = "shifts"
TOTAL = "totalConcurrent"
COVERAGE = "minCoverage"
PROTECTED = "protected"
FREEZE = "freeze"
OVERRIDES = "overrides"
AGENTS = "maxAgentsChanged"
SKILLS = "maxSkillsRemoved"
WITHOUT_SKILL = "noAgentWithoutSkill"

GUARDS = (AGENTS, SKILLS, WITHOUT_SKILL, SHIFTS, TOTAL, COVERAGE, PROTECTED, FREEZE, OVERRIDES)
"""Every guard by the name under which it is passed."""

_BY_STRICTNESS = (Policy.ALLOW, Policy.WARN, Policy.DEFER, Policy.BLOCK)
Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Allowance:
    """A guard that is passed once, by name, and why."""

    guard: str
    reason: str


def armed(settings: GuardSettings, *, any_protected: bool) -> frozenset[str]:
    """Return the guards that can deny something."""
    on = {
        AGENTS: settings.max_agents_changed is not None,
        SKILLS: settings.max_skills_removed is not None,
        WITHOUT_SKILL: settings.no_agent_without_skill,
        SHIFTS: True,
        TOTAL: settings.total_concurrent is not None,
        COVERAGE: bool(settings.min_coverage),
        PROTECTED: any_protected,
        FREEZE: bool(settings.freeze),
        OVERRIDES: settings.overrides is not None,
    }
    return frozenset(name for name in GUARDS if on[name])


def refuse_unarmed(
    allowed: Iterable[Allowance], settings: GuardSettings, *, any_protected: bool
) -> None:
    """Refuse to pass a guard that cannot deny anything as it is set.

    Raises:
        InvalidError: ``guard.unarmed``, naming the guards that are set.
    """
    on = armed(settings, any_protected=any_protected)
    for allowance in allowed:
        if allowance.guard not in on:
            raise InvalidError(
                f"--allow {allowance.guard}: no such guard is set, so there is nothing to allow.",
                code="guard.unarmed",
                hint=f"Guards that are set: {', '.join(sorted(on))}.",
            )


def relaxed(settings: GuardSettings, allowed: Collection[str]) -> GuardSettings:
    """Return the settings with the checks of single agents that are allowed turned to warnings.

    The guards of a whole plan keep judging: what they deny is shown, and let pass.
    """
    if SHIFTS not in allowed:
        return settings
    shifts = settings.shifts
    return replace(
        settings,
        shifts=ShiftPolicy(
            _softened(shifts.no_active_shift),
            _softened(shifts.mode_conflict),
            _softened(shifts.unreadable),
            _softened(shifts.skills_off_shift),
            shifts.grace_minutes,
        ),
    )


def _softened(policy: Policy) -> Policy:
    return Policy.WARN if policy in {Policy.DEFER, Policy.BLOCK} else policy


def stricter(one: GuardSettings, other: GuardSettings) -> GuardSettings:
    """Return of each guard the setting that lets less pass; that of ``one`` where it does."""
    return GuardSettings(
        _limit(one.max_agents_changed, other.max_agents_changed),
        _limit(one.max_skills_removed, other.max_skills_removed),
        one.no_agent_without_skill or other.no_agent_without_skill,
        _shifts(one.shifts, other.shifts),
        _least(one.total_concurrent, other.total_concurrent),
        _joined(one.min_coverage, other.min_coverage, _asks_more),
        _joined(one.freeze, other.freeze, _freezes_more),
        _overrides(one.overrides, other.overrides),
    )


def _limit(one: Limit | None, other: Limit | None) -> Limit | None:
    if one is None or other is None:
        return one or other
    return Limit(
        min(one.percent, other.percent),
        min(one.or_at_least, other.or_at_least),
        min(one.at_most, other.at_most),
    )


def _least(one: int | None, other: int | None) -> int | None:
    found = [number for number in (one, other) if number is not None]
    return min(found, default=None)


def _joined(
    one: tuple[Part, ...], other: tuple[Part, ...], covers: Callable[[Part, Part], bool]
) -> tuple[Part, ...]:
    """Return ``one``, and of ``other`` what nothing in ``one`` covers."""
    return one + tuple(part for part in other if not any(covers(mine, part) for mine in one))


def _asks_more(mine: Coverage, theirs: Coverage) -> bool:
    """Tell whether whatever ``theirs`` denies, ``mine`` denies too."""
    alike = (mine.skill, mine.level_at_least) == (theirs.skill, theirs.level_at_least)
    return alike and mine.agents >= theirs.agents and mine.horizon_hours >= theirs.horizon_hours


def _freezes_more(mine: Freeze, theirs: Freeze) -> bool:
    within = mine.start <= theirs.start and theirs.end <= mine.end
    return within and (theirs.except_overrides or not mine.except_overrides)


def _shifts(one: ShiftPolicy, other: ShiftPolicy) -> ShiftPolicy:
    return ShiftPolicy(
        _policy(one.no_active_shift, other.no_active_shift),
        _policy(one.mode_conflict, other.mode_conflict),
        _policy(one.unreadable, other.unreadable),
        _policy(one.skills_off_shift, other.skills_off_shift),
        min(one.grace_minutes, other.grace_minutes),
    )


def _policy(one: Policy, other: Policy) -> Policy:
    return max(one, other, key=_BY_STRICTNESS.index)


def _overrides(one: OverrideRules | None, other: OverrideRules | None) -> OverrideRules | None:
    if one is None or other is None:
        return one or other
    return OverrideRules(
        min(one.max_days, other.max_days),
        _joined(one.require, other.require, eq),
        _least(one.deny_when_expired_days, other.deny_when_expired_days),
    )
