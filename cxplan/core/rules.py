"""``guards.yaml``: what each guard asks for, with its defaults."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
class GuardSettings:
    """``guards.yaml``; a limit that is ``None`` was switched off by name."""

    max_agents_changed: Limit | None = Limit(percent=30, or_at_least=10, at_most=1000)
    max_skills_removed: Limit | None = Limit(percent=10, or_at_least=10, at_most=500)
    no_agent_without_skill: bool = True
    shifts: ShiftPolicy = ShiftPolicy()
