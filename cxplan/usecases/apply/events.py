"""Telling external systems of each write: at least once, and never a reason to call it failed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from cxplan.core.answers import Answer, AvailabilityEvent, Failure
from cxplan.core.errors import TenantError
from cxplan.core.ids import AgentId
from cxplan.core.outbox import INTENT, OUTCOME, Undelivered, intent_fields, outcome_fields
from cxplan.core.steps import ATTEMPTS, backoff
from cxplan.ports import Run
from cxplan.usecases.apply.held import Held
from cxplan.usecases.apply.world import ApplyWorld

PERMANENT = range(400, 500)
RETRIED = frozenset({408, 429})


@dataclass(slots=True)
class Publisher:
    """Sends events, and once more at the end those that did not get through."""

    world: ApplyWorld
    run: Run
    left: tuple[Undelivered, ...] = ()
    """What earlier runs on this ledger could not deliver."""
    undelivered: int = field(init=False, default=0)
    _pending: dict[AgentId, AvailabilityEvent] = field(init=False, default_factory=dict)
    """Events that are not settled yet; whoever takes one out records how it ended."""
    _intended: set[AgentId] = field(init=False, default_factory=set)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def deliver(self, failed: Callable[[str], None]) -> None:
        """Send what earlier runs on this ledger could not deliver, once each.

        ``failed`` is told of a bug that one of them met; the others are sent all the same.

        Raises:
            EvidenceError: the journal cannot be written.
        """
        for one in self.left:
            self.run.record(INTENT, intent_fields(one.event, one.run_id))
            answer = None
            with Held(failed):
                answer = self._send(one.event)
            self._outcome(one.event.agent_id, one.run_id, answer)

    def expect(self, event: AvailabilityEvent) -> None:
        """Note an event before its write is recorded, so that no interruption loses it."""
        with self._lock:
            self._pending[event.agent_id] = event

    def forget(self, agent_id: AgentId) -> None:
        """Drop an event whose write was settled by somebody else."""
        with self._lock:
            self._pending.pop(agent_id, None)

    def publish(self, event: AvailabilityEvent) -> None:
        """Send an expected event, once; what may still get through is kept for the end.

        Raises:
            EvidenceError: the journal cannot be written.
        """
        if not self._intend(event):
            return
        answer = self._send(event)
        if (answer.succeeded or _permanent(answer)) and self._take(event.agent_id):
            self._outcome(event.agent_id, None, answer)

    def finish(self, failed: Callable[[str], None], *, hurried: bool) -> None:
        """Send what is pending with patience, if there is any; what is left stays undelivered.

        ``failed`` is told of a bug, as by ``deliver``.

        Raises:
            EvidenceError: the journal cannot be written.
        """
        for agent_id in list(self._pending):
            event = self._pending[agent_id]
            self._intend(event)
            answer = None
            if not hurried:
                with Held(failed):
                    answer = self._insist(event)
            if self._take(agent_id):
                self._outcome(agent_id, None, answer)

    def _intend(self, event: AvailabilityEvent) -> bool:
        """Record that an event is about to be sent; False where nobody waits for it any more."""
        with self._lock:
            if event.agent_id not in self._pending or event.agent_id in self._intended:
                return event.agent_id in self._pending
            self._intended.add(event.agent_id)
        self.run.record(INTENT, intent_fields(event, None))
        return True

    def _take(self, agent_id: AgentId) -> bool:
        with self._lock:
            return self._pending.pop(agent_id, None) is not None

    def _insist(self, event: AvailabilityEvent) -> Answer:
        answer = self._send(event)
        for attempt in range(1, ATTEMPTS):
            if answer.succeeded or _permanent(answer):
                break
            self.world.clock.sleep(backoff(attempt, self.world.fraction()))
            answer = self._send(event)
        return answer

    def _send(self, event: AvailabilityEvent) -> Answer:
        """Send once; where the token is refused for good, nothing was sent."""
        try:
            return self.world.tenant.publish(event, self.world.clock.now())
        except TenantError as error:
            return Answer(None, Failure.NOT_SENT, detail=error.problem.summary)

    def _outcome(self, agent_id: AgentId, of: str | None, answer: Answer | None) -> None:
        """Record how sending ended; None where there was no time to send."""
        delivered = answer is not None and answer.succeeded
        again = not delivered and (answer is None or not _permanent(answer))
        with self._lock:
            self.undelivered += not delivered
        fields = outcome_fields(agent_id, of, answer, delivered=delivered, again=again)
        self.run.record(OUTCOME, fields)


def _permanent(answer: Answer) -> bool:
    return answer.status in PERMANENT and answer.status not in RETRIED
