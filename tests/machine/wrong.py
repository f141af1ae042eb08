"""Engines that are wrong on purpose, each by one thing between the real one and its ports.

The machine must catch every one of them: a law that none of them breaks may be one that nothing
can break.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cxplan.core.answers import Answer, AvailabilityEvent, Failure, Write
from cxplan.core.evidence import Closing, Head, Opening
from cxplan.core.ids import AgentId
from cxplan.core.live import (
    AgentReading,
    ObservedAgent,
    ScheduleReading,
    TenantIdentity,
    TenantLists,
)
from cxplan.core.outbox import Undelivered
from cxplan.ports import CutRun, Ledger, Run, Tenant, always
from tests.machine.engine import Engine

STALE = frozenset({409, 412})
OPEN = frozenset({408, 502, 504})


# --- at the tenant ------------------------------------------------------------------------------


@dataclass
class Through:
    """A tenant, as it is."""

    tenant: Tenant

    @property
    def locking(self) -> str:
        return self.tenant.locking

    def connect(self, *, write: bool) -> TenantIdentity:
        return self.tenant.connect(write=write)

    def agent(self, agent_id: AgentId) -> AgentReading:
        return self.tenant.agent(agent_id)

    def schedule(self, agent_id: AgentId) -> ScheduleReading:
        return self.tenant.schedule(agent_id)

    def lists(self) -> TenantLists:
        return self.tenant.lists()

    def write(
        self, change: Write, seen: ObservedAgent, may_leave: Callable[[], bool] = always
    ) -> Answer:
        return self.tenant.write(change, seen, may_leave)

    def publish(self, event: AvailabilityEvent, at: datetime) -> Answer:
        return self.tenant.publish(event, at)

    def with_fresh_tag(self, change: Write, seen: ObservedAgent) -> Answer | None:
        """Send the same payload with whatever tag stands there now."""
        reading = self.tenant.agent(change.agent_id)
        if not isinstance(reading, ObservedAgent) or reading.etag is None:
            return None
        return self.tenant.write(change, replace(seen, etag=reading.etag))


class FreshTag(Through):
    """Somebody wrote in between: it takes the fresh tag and sends the old payload again.

    This is what the tutorials of the field do, and the reason for this project.
    """

    def write(
        self, change: Write, seen: ObservedAgent, may_leave: Callable[[], bool] = always
    ) -> Answer:
        answer = self.tenant.write(change, seen, may_leave)
        if answer.status not in STALE:
            return answer
        return self.with_fresh_tag(change, seen) or answer


class SendsAgain(Through):
    """The answer is lost: it sends again with whatever tag stands there now."""

    def write(
        self, change: Write, seen: ObservedAgent, may_leave: Callable[[], bool] = always
    ) -> Answer:
        answer = self.tenant.write(change, seen, may_leave)
        if answer.failure is not Failure.LOST and answer.status not in OPEN:
            return answer
        return self.with_fresh_tag(change, seen) or answer


class TagLast(Through):
    """It reads the tag after the values, so that a change in between goes unnoticed."""

    def agent(self, agent_id: AgentId) -> AgentReading:
        values = self.tenant.agent(agent_id)
        tag = self.tenant.agent(agent_id)
        if isinstance(values, ObservedAgent) and isinstance(tag, ObservedAgent):
            return replace(values, etag=tag.etag)
        return tag


class NeverLate(Through):
    """It takes whatever it hears, or does not hear, for the tenant's own word: no write is late."""

    def write(
        self, change: Write, seen: ObservedAgent, may_leave: Callable[[], bool] = always
    ) -> Answer:
        answer = self.tenant.write(change, seen, may_leave)
        return Answer(500) if answer.failure is not None or answer.status in OPEN else answer


class Hopeful(Through):
    """No answer is a good answer."""

    def write(
        self, change: Write, seen: ObservedAgent, may_leave: Callable[[], bool] = always
    ) -> Answer:
        answer = self.tenant.write(change, seen, may_leave)
        return Answer(204) if answer.failure is Failure.LOST else answer


# --- at the evidence ------------------------------------------------------------------------------


@dataclass
class LateRun:
    """It keeps an intent back until something is known of the write."""

    run: Run
    kept: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.run.id

    def record(self, kind: str, fields: Mapping[str, Any]) -> None:
        if kind == "agent.intent":
            self.kept.append(fields)
            return
        while self.kept:
            self.run.record("agent.intent", self.kept.pop(0))
        self.run.record(kind, fields)

    def seal(self, closing: Closing) -> Head:
        return self.run.seal(closing)


@dataclass
class Forgetful:
    """A run that was cut off, without what it had announced and not finished."""

    run: CutRun

    @property
    def id(self) -> str:
        return self.run.id

    @property
    def plan(self) -> bytes:
        return self.run.plan

    @property
    def records(self) -> Sequence[Mapping[str, Any]]:
        return [line for line in self.run.records if line["kind"] != "agent.intent"]

    def again(self, fields: Mapping[str, Any]) -> None:
        self.run.again(fields)

    def record(self, kind: str, fields: Mapping[str, Any]) -> None:
        self.run.record(kind, fields)

    def seal(self, closing: Closing) -> Head:
        return self.run.seal(closing)


@dataclass
class Kept:
    """A ledger whose new runs, or those that are opened again, are another thing."""

    ledger: Ledger
    new: Callable[[Run], Run] = lambda run: run
    old: Callable[[CutRun], CutRun] = lambda run: run

    def lock(self, *, plan_id: str, unsealed: bool = False) -> AbstractContextManager[None]:
        return self.ledger.lock(plan_id=plan_id, unsealed=unsealed)

    def begin(self, opening: Opening, plan: bytes) -> Run:
        return self.new(self.ledger.begin(opening, plan))

    def reopen(self, run: str) -> CutRun | None:
        found = self.ledger.reopen(run)
        return None if found is None else self.old(found)

    def applied(self, plan_id: str) -> str | None:
        return self.ledger.applied(plan_id)

    def prepare(self) -> None:
        self.ledger.prepare()

    def undelivered(self) -> tuple[Undelivered, ...]:
        return self.ledger.undelivered()

    def cut_off(self) -> Sequence[str]:
        return self.ledger.cut_off()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)


WRONG = {
    "takes a fresh tag": (Engine(tenant=FreshTag), "overwritten"),
    "sends again": (Engine(tenant=SendsAgain), "landed twice"),
    "reads the tag last": (Engine(tenant=TagLast), "overwritten"),
    "knows no late write": (Engine(tenant=NeverLate), "said not to have landed and still may"),
    "hopes": (Engine(tenant=Hopeful), "applied and not landed"),
    "announces late": (Engine(ledger=lambda real: Kept(real, new=LateRun)), "no intent"),
    "forgets what it announced": (
        Engine(ledger=lambda real: Kept(real, old=Forgetful)),
        "said not to have landed and landed",
    ),
}
"""Each with a law that it breaks."""
