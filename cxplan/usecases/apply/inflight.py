"""The writes of a run that are under way, so that who is left behind is told of as it was written.

The plan knows an agent as it was then; its write goes by a fresh read. What a record says of the
state before, of the checks and of the attempts is of the last intent.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from cxplan.core.cutoff import OpenWrite
from cxplan.core.diff import Change, reached, state_of
from cxplan.core.errors import TenantError
from cxplan.core.findings import Finding
from cxplan.core.ids import AgentId, ETag
from cxplan.core.live import AgentReading, ObservedAgent
from cxplan.core.plan import PlannedAgent
from cxplan.core.record import Attempted, Ending
from cxplan.core.steps import Outcome
from cxplan.ports import Tenant

OPEN = "the run was cut off while this agent was written"
LEFT = "the run was interrupted while this agent was written"


@dataclass(frozen=True, slots=True)
class Intended:
    """An intent on disk: the state it was decided on, whose tag is the If-Match, and its checks.

    ``changes`` are those that are sent, ``attempted`` what was sent so far, and what came back.
    """

    seen: ObservedAgent
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]
    attempted: Attempted | None = None


@dataclass(slots=True)
class InFlight:
    """The last intent of each agent; every method may be called from any worker."""

    _last: dict[AgentId, Intended] = field(init=False, default_factory=dict)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def intend(self, intended: Intended) -> None:
        """Note an intent that is on disk."""
        with self._lock:
            self._last[intended.seen.id] = intended

    def attempt(self, agent_id: AgentId, attempted: Attempted) -> None:
        """Note an attempt that leaves, or its answer."""
        with self._lock:
            self._last[agent_id] = replace(self._last[agent_id], attempted=attempted)

    def of(self, agent_id: AgentId) -> Intended | None:
        """Return an agent's last intent, None where there is none."""
        with self._lock:
            return self._last.get(agent_id)


def is_torn(reading: AgentReading, changes: tuple[Change, ...], before: ETag | None) -> bool:
    """Tell whether a reading has new values under the tag that the agent had without them."""
    if not isinstance(reading, ObservedAgent) or reading.etag != before:
        return False
    return all(reached(state_of(reading), change) for change in changes)


def landed(tenant: Tenant, write: Intended) -> ObservedAgent | None:
    """Read an agent whose write was left in flight; None where it is not as desired."""
    try:
        reading = tenant.agent(write.seen.id)
        if is_torn(reading, write.changes, write.seen.etag):
            reading = tenant.agent(write.seen.id)
    except TenantError:
        return None
    if not isinstance(reading, ObservedAgent):
        return None
    state = state_of(reading)
    there = all(reached(state, change) for change in write.changes)
    return reading if there else None


def left_ending(planned: PlannedAgent, write: Intended, found: ObservedAgent | None) -> Ending:
    """Return how a write ended that nobody waits for: it landed as ``found``, or nobody knows."""
    if found is None:
        return open_ending(planned, write, Outcome.UNKNOWN, LEFT)
    ending = open_ending(planned, write, Outcome.CONVERGED, f"{LEFT}; the values are as desired")
    return replace(ending, new=state_of(found), etag_after=found.etag)


def open_ending(
    planned: PlannedAgent, write: Intended | OpenWrite, outcome: Outcome, message: str
) -> Ending:
    """Return an ending that knows of the agent what its last intent does."""
    ending = seen_ending(planned, write.seen, outcome, message, write.findings)
    return replace(ending, attempted=write.attempted)


def seen_ending(
    planned: PlannedAgent,
    seen: ObservedAgent,
    outcome: Outcome,
    message: str,
    findings: tuple[Finding, ...] = (),
) -> Ending:
    """Return an ending that knows of the agent what was read of it, and not what was sent."""
    return Ending(
        planned.id,
        outcome,
        message,
        planned.changes,
        state_of(seen),
        findings,
        etag_before=seen.etag,
    )
