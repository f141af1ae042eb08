"""A tenant's agents as they were read at one time, kept so that a plan needs no tenant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cxplan.core.ids import AgentId
from cxplan.core.live import MissingAgent, ObservedAgent, ScheduleReading, TenantLists
from cxplan.core.plan import TenantRef


@dataclass(frozen=True, slots=True)
class SnapshotHeader:
    """What holds for a whole snapshot.

    ``taken_at`` is when reading began, in whole seconds; ``agents`` counts the managed ones,
    those that the tenant does not know too.
    """

    tenant: TenantRef
    taken_at: datetime
    agents: int
    lists: TenantLists
    tool_version: str


@dataclass(frozen=True, slots=True)
class SnapshotAgent:
    """An agent and its schedule, both as read."""

    observed: ObservedAgent
    schedule: ScheduleReading

    @property
    def id(self) -> AgentId:
        """The agent's id."""
        return self.observed.id


SnapshotEntry = SnapshotAgent | MissingAgent
"""One agent of a snapshot. An unread one has no place in it: there is then no snapshot."""


@dataclass(frozen=True, slots=True)
class SnapshotSummary:
    """A snapshot without its agents: the two kinds that a reader should know of, by id."""

    header: SnapshotHeader
    missing: tuple[AgentId, ...]
    """The tenant knows no such agent."""
    unreadable: tuple[AgentId, ...]
    """Their schedules could not be read."""
