"""A tenant that is asked again about an agent once its breaker has closed."""

from __future__ import annotations

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
from cxplan.ports import Tenant
from cxplan.usecases.apply.gate import Gate

READ_AGAIN = 2
"""More reads of one agent, each of four attempts, while the tenant fails writes too."""


@dataclass(frozen=True, slots=True)
class PatientTenant:
    """``ports.Tenant``: an outage leaves no agent unread, and no write unknown, that it need not.

    An agent that cannot be read while the tenant is well is none of the breaker's business.
    """

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
        """Read an agent, and read it again where its writes fail too and the run goes on."""
        reading = self.tenant.agent(agent_id)
        for _ in range(READ_AGAIN):
            if not isinstance(reading, UnreadAgent) or self.gate.well or not self.gate.goes_on():
                break
            reading = self.tenant.agent(agent_id)
        return reading

    def schedule(self, agent_id: AgentId) -> ScheduleReading:
        """Do as the tenant."""
        return self.tenant.schedule(agent_id)

    def lists(self) -> TenantLists:
        """Do as the tenant."""
        return self.tenant.lists()

    def write(self, change: Write, seen: ObservedAgent) -> Answer:
        """Do as the tenant."""
        return self.tenant.write(change, seen)

    def publish(self, event: AvailabilityEvent, at: datetime) -> Answer:
        """Do as the tenant."""
        return self.tenant.publish(event, at)
