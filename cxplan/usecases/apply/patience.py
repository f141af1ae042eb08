"""A tenant that is asked again about an agent once its breaker has closed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cxplan.core.answers import Answer, AvailabilityEvent, Write
from cxplan.core.ids import AgentId
from cxplan.core.live import (
    AgentReading,
    ObservedAgent,
    ScheduleReading,
    TenantIdentity,
    TenantLists,
    UnreadAgent,
)
from cxplan.ports import Tenant, always
from cxplan.usecases.apply.gate import Gate

READ_AGAIN = 2
"""More reads of one agent, each of four attempts, where the tenant failed."""

FAULTS = frozenset(
    {"http.cut", "http.deadline", "http.proxy", "http.unavailable", "http.unreachable"}
)
"""Why a read fails that another one may not fail for; they count for the breaker like a write's."""


@dataclass(frozen=True, slots=True)
class PatientTenant:
    """``ports.Tenant``: an outage leaves no agent unread and no write unknown that need not be."""

    tenant: Tenant
    gate: Gate

    @property
    def locking(self) -> str:
        """As the tenant's."""
        return self.tenant.locking

    def connect(self, *, write: bool) -> TenantIdentity:
        """Do as the tenant."""
        return self.tenant.connect(write=write)

    def agent(self, agent_id: AgentId) -> AgentReading:
        """Read an agent, and read it again where the tenant failed and the run goes on."""
        reading = self.tenant.agent(agent_id)
        for _ in range(READ_AGAIN):
            if not isinstance(reading, UnreadAgent) or reading.code not in FAULTS:
                break
            self.gate.missed()
            if not self.gate.goes_on():
                break
            reading = self.tenant.agent(agent_id)
        return reading

    def schedule(self, agent_id: AgentId) -> ScheduleReading:
        """Do as the tenant."""
        return self.tenant.schedule(agent_id)

    def lists(self) -> TenantLists:
        """Do as the tenant."""
        return self.tenant.lists()

    def write(
        self, change: Write, seen: ObservedAgent, may_leave: Callable[[], bool] = always
    ) -> Answer:
        """Do as the tenant."""
        return self.tenant.write(change, seen, may_leave)

    def publish(self, event: AvailabilityEvent, at: datetime) -> Answer:
        """Do as the tenant."""
        return self.tenant.publish(event, at)
