"""What one file says, after ``schema`` and before ``build``: frozen, and all names still names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cxplan.core.model import Category, Levels, Off
from cxplan.core.rules import Coverage, GuardSettings
from cxplan.desired.faults import Keys


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
    """What profiles, teams, members and overrides have in common."""

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
    protected: bool = False


@dataclass(frozen=True, slots=True)
class TeamFile:
    """A team."""

    name: str
    part: Part
    time_zone: str | None
    labels: Mapping[str, str]
    members: Mapping[str, MemberEntry]


@dataclass(frozen=True, slots=True)
class MatchEntry:
    """Whom an override is for, as it is written."""

    teams: tuple[str, ...]
    agents: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    exclude: tuple[str, ...]

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Each label with each of its values."""
        return tuple((label, one) for label, values in self.labels.items() for one in values)


@dataclass(frozen=True, slots=True)
class OverrideFile:
    """A change with a beginning and an end, both in UTC."""

    name: str
    start: datetime
    end: datetime
    match: MatchEntry
    part: Part
    reason: str | None
    ticket: str | None
    owner: str | None


@dataclass(frozen=True, slots=True)
class CoverageEntry:
    """A coverage without its level, the level by name or number, and the keys of both."""

    coverage: Coverage
    level: str | int | None
    keys: Keys


@dataclass(frozen=True, slots=True)
class GuardsFile:
    """The guards' file; ``guards`` holds all but the coverage."""

    guards: GuardSettings
    coverage: tuple[CoverageEntry, ...] = ()


Content = TenantFile | SkillsFile | ModesFile | ProfileFile | TeamFile | GuardsFile | OverrideFile
