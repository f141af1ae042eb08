"""The nouns of the tenant: agents as read, shifts as planned, and who answers.

Frozen values only. Instants are aware datetimes in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cxplan.core.ids import OFF, AgentId, ETag, SkillId, WorkModeId


@dataclass(frozen=True, slots=True)
class Assignment:
    """A skill as an agent holds it; a part that the tenant did not state is None."""

    skill_id: SkillId
    level: int | None
    concurrent: int | None = None
    maximum: int | None = None

    @property
    def active(self) -> bool:
        """Whether contacts are routed by it."""
        return self.level != OFF


@dataclass(frozen=True, slots=True)
class ObservedAgent:
    """An agent as read, its lock tag read before its values.

    ``etag`` is None where the tenant gave none that can lock (missing, weak, malformed).
    ``skills`` are sorted by id and each id stands once.
    """

    id: AgentId
    etag: ETag | None
    work_mode: WorkModeId | None
    skills: tuple[Assignment, ...]

    def holds(self, skill: SkillId) -> Assignment | None:
        """Return the assignment of ``skill``, or None where the agent does not hold it."""
        return next((held for held in self.skills if held.skill_id == skill), None)


@dataclass(frozen=True, slots=True)
class MissingAgent:
    """The tenant knows no such agent (404)."""

    id: AgentId


@dataclass(frozen=True, slots=True)
class UnreadAgent:
    """An agent whose state could not be read; ``code`` and ``reason`` say why."""

    id: AgentId
    code: str
    reason: str


AgentReading = ObservedAgent | MissingAgent | UnreadAgent


@dataclass(frozen=True, slots=True)
class Shift:
    """A planned shift, half-open ``[start, end)``, and the work mode it plans.

    Kept in UTC whatever zone it was given in: two instants of one zone would subtract to
    wall-clock time.
    """

    start: datetime
    end: datetime
    work_mode: WorkModeId

    def __post_init__(self) -> None:
        """Turn both instants to UTC; a naive one has no place here."""
        for name in ("start", "end"):
            instant: datetime = getattr(self, name)
            if instant.tzinfo is None:
                raise ValueError("a shift's instants need an offset")
            object.__setattr__(self, name, instant.astimezone(UTC))


@dataclass(frozen=True, slots=True)
class Schedule:
    """An agent's shifts as read, sorted by start; none means *no shift planned*."""

    shifts: tuple[Shift, ...] = ()


@dataclass(frozen=True, slots=True)
class UnreadableSchedule:
    """A schedule that could not be read: never "ok", and never "no shift"."""

    reason: str


ScheduleReading = Schedule | UnreadableSchedule


@dataclass(frozen=True, slots=True)
class ListedSkill:
    """A skill as the tenant lists it: its name and its concurrency limit, where it states them."""

    name: str | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class TenantLists:
    """The tenant's own lists of skills and work modes; None where it has no such list."""

    skills: Mapping[SkillId, ListedSkill] | None = None
    modes: Mapping[WorkModeId, str | None] | None = None
    """The names of the work modes, None for one without."""


@dataclass(frozen=True, slots=True)
class TenantIdentity:
    """Whom one talks to: the API's origin, the tenant id where the token names one, its clock."""

    origin: str
    tenant_id: str | None = None
    server_date: str | None = None
    """The ``Date`` of the token answer, as sent."""
