"""A snapshot in place of the tenant that it was taken of: ``ports.Tenant`` without a network."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cxplan.core.answers import Answer, AvailabilityEvent, Write
from cxplan.core.errors import CxplanError, InvalidError
from cxplan.core.ids import AgentId
from cxplan.core.instant import utc_text
from cxplan.core.live import (
    AgentReading,
    MissingAgent,
    ObservedAgent,
    ScheduleReading,
    TenantIdentity,
    TenantLists,
    UnreadableSchedule,
    UnreadAgent,
)
from cxplan.core.model import Declarations
from cxplan.core.snapshot import SnapshotEntry, SnapshotHeader
from cxplan.ports import always
from cxplan.snapshots.file import SnapshotFile
from cxplan.snapshots.refusal import TAKE_AGAIN

NOT_TAKEN = "snapshot.notTaken"
MISSING = "snapshot.missing"


class SnapshotTenant:
    """Answers what the tenant answered when the snapshot was taken; is never written to."""

    def __init__(self, path: Path) -> None:
        """Open and verify the snapshot.

        Raises:
            InvalidError: no regular file, or no intact snapshot; see ``SnapshotFile``.
        """
        self._name = str(path)
        self._file = SnapshotFile(path)
        self._last: tuple[AgentId, SnapshotEntry | None] | None = None

    @property
    def header(self) -> SnapshotHeader:
        """What holds for the whole snapshot."""
        return self._file.header

    @property
    def locking(self) -> str:
        """``etag``: the tags that were read are in the snapshot."""
        return "etag"

    def close(self) -> None:
        """Close the file; nothing may be asked after that."""
        self._file.close()

    def refuse_other(self, declarations: Declarations) -> None:
        """Refuse files that are not of the tenant and API that the snapshot was taken of.

        Raises:
            InvalidError: ``snapshot.tenant``.
        """
        taken = self.header.tenant
        if (taken.name, taken.api) != (declarations.tenant, declarations.api):
            raise InvalidError(
                f"{self._name} is of tenant {taken.name} ({taken.api}), "
                f"the files are of {declarations.tenant} ({declarations.api}).",
                code="snapshot.tenant",
                hint="Name a snapshot of this tenant, or correct --desired.",
            )

    def connect(self, *, write: bool) -> TenantIdentity:
        """Return who answered when the snapshot was taken.

        Raises:
            CxplanError: ``write`` is asked for: a bug, a snapshot is never applied.
        """
        if write:
            raise CxplanError("A snapshot is not to be written to.")
        return TenantIdentity(self.header.tenant.origin, self.header.tenant.tenant_id)

    def agent(self, agent_id: AgentId) -> AgentReading:
        """Return the agent as it was; unread where the snapshot was taken without it.

        Raises:
            InvalidError: its line in the file is damaged.
        """
        entry = self._entry(agent_id)
        if entry is None:
            return UnreadAgent(agent_id, NOT_TAKEN, self._not_taken())
        return entry if isinstance(entry, MissingAgent) else entry.observed

    def schedule(self, agent_id: AgentId) -> ScheduleReading:
        """Return the agent's shifts as they were planned; unreadable where none were read.

        Raises:
            InvalidError: its line in the file is damaged.
        """
        entry = self._entry(agent_id)
        if entry is None:
            return UnreadableSchedule(f"{NOT_TAKEN}: {self._not_taken()}")
        if isinstance(entry, MissingAgent):
            return UnreadableSchedule(f"{MISSING}: the tenant knew no such agent")
        return entry.schedule

    def lists(self) -> TenantLists:
        """Return the tenant's lists of skills and work modes as they were."""
        return self.header.lists

    def write(
        self, change: Write, seen: ObservedAgent, may_leave: Callable[[], bool] = always
    ) -> Answer:
        """Refuse.

        Raises:
            CxplanError: always: a bug, a snapshot is never applied.
        """
        del change, seen, may_leave
        raise CxplanError("A snapshot is not to be written to.")

    def publish(self, event: AvailabilityEvent, at: datetime) -> Answer:
        """Refuse.

        Raises:
            CxplanError: always: a bug, a snapshot is never applied.
        """
        del event, at
        raise CxplanError("A snapshot has nobody to tell.")

    def _entry(self, agent_id: AgentId) -> SnapshotEntry | None:
        """Return an agent; its schedule is mostly asked for right after it."""
        last = self._last
        if last is None or last[0] != agent_id:
            last = self._last = (agent_id, self._file.entry(agent_id))
        return last[1]

    def _not_taken(self) -> str:
        taken = utc_text(self.header.taken_at)
        return f"the snapshot was taken {taken}, before this member was declared. {TAKE_AGAIN}"
