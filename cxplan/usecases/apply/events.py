"""Telling external systems of each write: at least once, and never a reason to call it failed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from cxplan.core.answers import Answer, AvailabilityEvent
from cxplan.core.steps import ATTEMPTS, backoff
from cxplan.ports import Run
from cxplan.usecases.apply.world import ApplyWorld

PERMANENT = range(400, 500)
RETRIED = frozenset({408, 429})


@dataclass(slots=True)
class Publisher:
    """Sends events, and once more at the end those that did not get through."""

    world: ApplyWorld
    run: Run
    undelivered: int = field(init=False, default=0)
    _pending: list[AvailabilityEvent] = field(init=False, default_factory=list)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def publish(self, event: AvailabilityEvent) -> None:
        """Send one event, once; what may still get through is kept for the end.

        Raises:
            EvidenceError: the journal cannot be written.
        """
        self.run.record("event.intent", {"agentId": event.agent_id})
        answer = self._send(event)
        if answer.succeeded or _permanent(answer):
            self._outcome(event, answer)
        else:
            with self._lock:
                self._pending.append(event)

    def finish(self) -> None:
        """Send what is pending with patience; what is left stays undelivered.

        Raises:
            EvidenceError: the journal cannot be written.
        """
        for event in self._pending:
            answer = self._send(event)
            for attempt in range(1, ATTEMPTS):
                if answer.succeeded or _permanent(answer):
                    break
                self.world.clock.sleep(backoff(attempt, self.world.fraction()))
                answer = self._send(event)
            self._outcome(event, answer)

    def _send(self, event: AvailabilityEvent) -> Answer:
        return self.world.tenant.publish(event, self.world.clock.now())

    def _outcome(self, event: AvailabilityEvent, answer: Answer) -> None:
        state = "delivered" if answer.succeeded else "undelivered"
        with self._lock:
            self.undelivered += state == "undelivered"
        fields = {
            "agentId": event.agent_id,
            "state": state,
            "status": answer.status,
            "failure": answer.failure.value if answer.failure else None,
        }
        self.run.record("event.outcome", fields)


def _permanent(answer: Answer) -> bool:
    return answer.status in PERMANENT and answer.status not in RETRIED
