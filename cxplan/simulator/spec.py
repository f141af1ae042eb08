"""The tenant to start from: plain ids, names, levels, shifts. Frozen values, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class SkillSpec:
    """A skill of the tenant's catalogue; ``maximum`` is the concurrency limit of its channel."""

    id: str
    name: str
    channel: str
    maximum: int


@dataclass(frozen=True, slots=True)
class ModeSpec:
    """A work mode; ``category`` is ``available``, ``unavailable`` or ``offline``.

    The API does not tell the category; it is here for whoever writes files about this tenant.
    """

    id: str
    name: str
    category: str


@dataclass(frozen=True, slots=True)
class HoldingSpec:
    """A skill as one agent holds it; level 0 is switched off.

    ``concurrent`` or ``maximum`` of None is left out of the answers, as the contract allows;
    a maximum that is left out counts as 1.
    """

    skill_id: str
    level: int
    concurrent: int | None = 1
    maximum: int | None = 1


@dataclass(frozen=True, slots=True)
class ShiftSpec:
    """A planned shift ``[start, end)``: aware instants, sent with the offset that they carry."""

    start: datetime
    end: datetime
    work_mode: str


class ScheduleKind(StrEnum):
    """How the tenant words a schedule."""

    LISTED = "listed"
    """A list, which may be empty."""

    NULL = "null"
    """``"shifts": null``."""

    MISSING = "missing"
    """404."""


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One agent; a ``work_mode`` of None is answered as null."""

    id: str
    name: str
    team_id: str
    work_mode: str | None
    skills: tuple[HoldingSpec, ...] = ()
    shifts: tuple[ShiftSpec, ...] = ()
    schedule: ScheduleKind = ScheduleKind.LISTED


@dataclass(frozen=True, slots=True)
class TenantSpec:
    """A whole tenant: ids are unique within each kind, holdings name skills of the catalogue."""

    name: str
    skills: tuple[SkillSpec, ...]
    modes: tuple[ModeSpec, ...]
    agents: tuple[AgentSpec, ...]
