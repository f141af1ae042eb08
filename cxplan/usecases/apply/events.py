"""Telling external systems of each write: at least once, and never a reason to call it failed.

A signal that asks for an orderly stop ends it like anything else: what was not sent stays for the
next run on the ledger.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from cxplan.core.answers import Answer, AvailabilityEvent, Failure
from cxplan.core.errors import TenantError
from cxplan.core.ids import AgentId
from cxplan.core.outbox import INTENT, OUTCOME, Undelivered, intent_fields, outcome_fields
from cxplan.core.steps import ATTEMPTS, backoff
from cxplan.ports import Run
from cxplan.usecases.apply.gate import Gate
from cxplan.usecases.apply.held import Held
from cxplan.usecases.apply.world import ApplyWorld

PERMANENT = range(400, 500)
RETRIED = frozenset({408, 429})
GLANCE = 0.1
"""Seconds between two looks at whether a signal came while an event waits to be sent again."""

Waiting = tuple[str | None, AvailabilityEvent]
"""An event that is to be sent, and the earlier run that it is of; None for this one."""


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
    _intended: set[tuple[str | None, AgentId]] = field(init=False, default_factory=set)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def deliver(self, gate: Gate) -> None:
        """Send what earlier runs on this ledger could not deliver, once each.

        ``gate`` is told of a bug that one of them met; the others are sent all the same. A signal
        that leaves some unsent stops the run.

        Raises:
            EvidenceError: the journal cannot be written.
        """
        waiting = tuple((one.run_id, one.event) for one in self.left)
        for (of, event), answer in self._answered(waiting, self._send, gate):
            self._outcome(event.agent_id, of, answer)

    def expect(self, event: AvailabilityEvent) -> None:
        """Note an event before its write is recorded, so that no interruption loses it."""
        with self._lock:
            self._pending[event.agent_id] = event

    def publish(self, event: AvailabilityEvent) -> None:
        """Send an expected event, once; what may still get through is kept for the end.

        Raises:
            EvidenceError: the journal cannot be written.
        """
        with self._lock:
            if event.agent_id not in self._pending:
                return
        self._intend(None, event)
        answer = self._send(event)
        if not _may_get_through(answer) and self._take(event.agent_id):
            self._outcome(event.agent_id, None, answer)

    def finish(self, gate: Gate) -> None:
        """Send what is pending with patience; what is left stays undelivered.

        ``gate`` is told as by ``deliver``.

        Raises:
            EvidenceError: the journal cannot be written.
        """
        with self._lock:
            waiting = tuple((None, event) for event in self._pending.values())
        for (_, event), answer in self._answered(waiting, self._insist, gate):
            if self._take(event.agent_id):
                self._outcome(event.agent_id, None, answer)

    def _answered(
        self, waiting: Sequence[Waiting], send: Callable[[AvailabilityEvent], Answer], gate: Gate
    ) -> Iterator[tuple[Waiting, Answer | None]]:
        """Yield each event with its answer, None where a signal left no time for one.

        After the first signal none is begun; the one under way is left with the workers' patience.
        """

        def begun() -> Iterator[Waiting]:
            for of, event in waiting:
                if self._is_stopped():
                    return
                self._intend(of, event)
                yield of, event

        def answered(one: Waiting) -> Answer | None:
            answer = None
            if not self._is_stopped():
                with Held(gate.crashed):
                    answer = send(one[1])
            return answer

        answers = self._worked(answered, begun(), gate) if waiting else iter(())
        for one, answer in zip_longest(waiting, answers):
            self._intend(*one)
            if _may_get_through(answer):
                gate.heed()
            yield one, answer

    def _worked(
        self, send: Callable[[Waiting], Answer | None], waiting: Iterator[Waiting], gate: Gate
    ) -> Iterator[Answer | None]:
        """Yield the answers of a worker; none where the machine has no room for one."""
        try:
            yield from self.world.workers.map(send, waiting, width=1)
        except (MemoryError, OSError, RuntimeError):
            with Held(gate.crashed):
                raise

    def _is_stopped(self) -> bool:
        return self.world.stop() is not None

    def _intend(self, of: str | None, event: AvailabilityEvent) -> None:
        """Record, once, that an event is about to be sent; ``of`` is the earlier run it is of."""
        key = (of, event.agent_id)
        with self._lock:
            if key in self._intended:
                return
            self._intended.add(key)
        self.run.record(INTENT, intent_fields(event, of))

    def _take(self, agent_id: AgentId) -> bool:
        with self._lock:
            return self._pending.pop(agent_id, None) is not None

    def _insist(self, event: AvailabilityEvent) -> Answer:
        """Send, and again, until it is settled, or tried often enough, or a signal came."""
        answer = self._send(event)
        for attempt in range(1, ATTEMPTS):
            if not _may_get_through(answer):
                break
            self._wait(backoff(attempt, self.world.fraction()))
            if self._is_stopped():
                break
            answer = self._send(event)
        return answer

    def _wait(self, seconds: float) -> None:
        """Wait, for as long as no signal comes."""
        while seconds > 0 and not self._is_stopped():
            self.world.clock.sleep(min(seconds, GLANCE))
            seconds -= GLANCE

    def _send(self, event: AvailabilityEvent) -> Answer:
        """Send once; where the token is refused for good, nothing was sent."""
        try:
            return self.world.tenant.publish(event, self.world.clock.now())
        except TenantError as error:
            return Answer(None, Failure.NOT_SENT, detail=error.problem.summary)

    def _outcome(self, agent_id: AgentId, of: str | None, answer: Answer | None) -> None:
        """Record how sending ended; None where there was no time to send."""
        delivered = answer is not None and answer.succeeded
        with self._lock:
            self.undelivered += not delivered
        again = _may_get_through(answer)
        fields = outcome_fields(agent_id, of, answer, delivered=delivered, again=again)
        self.run.record(OUTCOME, fields)


def _may_get_through(answer: Answer | None) -> bool:
    """Tell whether sending once more may help; None is an event that was not sent."""
    if answer is None:
        return True
    permanent = answer.status in PERMANENT and answer.status not in RETRIED
    return not answer.succeeded and not permanent
