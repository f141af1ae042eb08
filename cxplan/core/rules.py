"""``guards.yaml``: what each guard asks for, with its defaults."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cxplan.core.ids import SkillName


class Policy(StrEnum):
    """What a finding of the shift checks does to its agent."""

    DEFER = "defer"
    BLOCK = "block"
    WARN = "warn"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class ShiftPolicy:
    """``guards.shifts``: what each shift finding does, and how near a boundary counts as there."""

    no_active_shift: Policy = Policy.DEFER
    mode_conflict: Policy = Policy.BLOCK
    unreadable: Policy = Policy.BLOCK
    skills_off_shift: Policy = Policy.ALLOW
    grace_minutes: int = 15


@dataclass(frozen=True, slots=True)
class Limit:
    """``percent`` of what is managed or ``or_at_least``, and never over ``at_most``."""

    percent: int
    or_at_least: int
    at_most: int

    def of(self, managed: int) -> int:
        """Return the limit as a count, the percentage rounded down."""
        return min(max(managed * self.percent // 100, self.or_at_least), self.at_most)


@dataclass(frozen=True, slots=True)
class Coverage:
    """At least ``agents`` of those scheduled hold ``skill``, at ``level_at_least`` or better."""

    skill: SkillName
    agents: int
    level_at_least: int | None = None
    horizon_hours: int = 24


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time ``[start, end)`` in UTC in which nothing is applied, or overrides only."""

    name: str
    start: datetime
    end: datetime
    except_overrides: bool = False


@dataclass(frozen=True, slots=True)
class OverrideRules:
    """What an override must be like.

    ``require`` names of ``reason``, ``ticket``, ``owner``; ``deny_when_expired_days`` is None where
    one that is over is only a warning.
    """

    max_days: int = 90
    require: tuple[str, ...] = ("reason",)
    deny_when_expired_days: int | None = None


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """``guards.yaml``; a limit that is ``None`` was switched off by name, or never on."""

    max_agents_changed: Limit | None = Limit(percent=30, or_at_least=10, at_most=1000)
    max_skills_removed: Limit | None = Limit(percent=10, or_at_least=10, at_most=500)
    no_agent_without_skill: bool = True
    shifts: ShiftPolicy = ShiftPolicy()
    total_concurrent: int | None = None
    min_coverage: tuple[Coverage, ...] = ()
    freeze: tuple[Freeze, ...] = ()
    overrides: OverrideRules | None = OverrideRules()
    """None where switched off."""
