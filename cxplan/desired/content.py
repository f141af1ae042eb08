"""What one file says, after ``schema`` and before ``build``: frozen, and all names still names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cxplan.core.model import Category, Levels, Off
from cxplan.core.rules import GuardSettings


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What stands under one skill: a level by name or number, a concurrency, or an off word.

    ``blocks`` makes one object of equal ones, so they are compared by identity.
    """

    level: str | int | None = None
    concurrent: int | None = None
    off: Off | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What profiles, teams and members have in common."""

    profile: str | None = None
    """A member's or team's profile, or the one that a profile extends."""
    work_mode: str | None = None
    skills: Mapping[str, Setting] = field(default_factory=dict)
    exclusive: bool | None = None


@dataclass(frozen=True, slots=True)
class TenantFile:
    """The tenant's file."""

    tenant: str
    api: str
    time_zone: str | None
    levels: Levels


@dataclass(frozen=True, slots=True)
class SkillEntry:
    """A skill of the catalogue."""

    id: str
    channel: str | None
    max_concurrent: int | None


@dataclass(frozen=True, slots=True)
class ModeEntry:
    """A work mode of the catalogue."""

    id: str
    category: Category


@dataclass(frozen=True, slots=True)
class SkillsFile:
    """A file of the skill catalogue."""

    entries: Mapping[str, SkillEntry]


@dataclass(frozen=True, slots=True)
class ModesFile:
    """A file of the work mode catalogue."""

    entries: Mapping[str, ModeEntry]


@dataclass(frozen=True, slots=True)
class ProfileFile:
    """A profile."""

    name: str
    part: Part


@dataclass(frozen=True, slots=True)
class MemberEntry:
    """A member of a team; no id where the key is the id."""

    id: str | None
    part: Part
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TeamFile:
    """A team."""

    name: str
    part: Part
    time_zone: str | None
    labels: Mapping[str, str]
    members: Mapping[str, MemberEntry]


@dataclass(frozen=True, slots=True)
class GuardsFile:
    """The guards' file."""

    guards: GuardSettings


Content = TenantFile | SkillsFile | ModesFile | ProfileFile | TeamFile | GuardsFile
