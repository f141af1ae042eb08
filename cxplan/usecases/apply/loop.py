"""The agents of a plan, one after another, each to exactly one outcome, and the seal."""

from __future__ import annotations

from dataclasses import dataclass, field

from cxplan.core.answers import Answer, AvailabilityEvent
from cxplan.core.errors import CxplanError, EvidenceError, Exit, TenantError
from cxplan.core.evidence import Closing, Head
from cxplan.core.model import AgentId
from cxplan.core.plan import Plan, PlannedAgent, Status
from cxplan.core.record import Ending, outcome_fields
from cxplan.core.report import AgentReport, RunReport, latency_of
from cxplan.core.steps import ATTEMPTS, FORBIDDEN_AT_START, Outcome, backoff
from cxplan.ports import Run
from cxplan.usecases.apply.agent import Executor, unready, unwritten
from cxplan.usecases.apply.world import ApplyWorld
from cxplan.usecases.apply.write import NothingSent, Written

FORBIDDEN = 403
PERMANENT = range(400, 500)
RETRIED = frozenset({408, 429})


@dataclass(slots=True)
class Loop:
    """One run over all agents of a plan."""

    world: ApplyWorld
    run: Run
    executor: Executor
    plan: Plan
    _reports: dict[AgentId, AgentReport] = field(init=False, default_factory=dict)
    _latencies: list[int] = field(init=False, default_factory=list)
    _statuses: list[int | None] = field(init=False, default_factory=list)
    _pending: list[AvailabilityEvent] = field(init=False, default_factory=list)
    _under_way: AgentId | None = field(init=False, default=None)
    _undelivered: int = field(init=False, default=0)
    _stopped: str | None = field(init=False, default=None)
    _exits: list[Exit] = field(init=False, default_factory=list)

    def execute(self) -> RunReport:
        """Bring every agent to its outcome, seal the bundle, and say what happened."""
        head = None
        try:
            self._agents()
            self._late_events()
            head = self._seal()
        except NothingSent as error:
            self._stop(error)
            self._under_way = None
        except EvidenceError as error:
            self._stop(error)
        return self._report(head)

    def _agents(self) -> None:
        ready = self.plan.ready
        self.world.progress.start("Applying", len(ready))
        for planned in ready:
            self._check_signal()
            self._one(planned)
            self.world.progress.step(_line(self._reports[planned.id]))
        self.world.progress.finish()
        for planned in self.plan.agents:
            if planned.status is not Status.READY:
                self._record(planned, unready(planned))

    def _check_signal(self) -> None:
        code = self.world.stop()
        if code is not None and self._stopped is None:
            self._stopped = "interrupted"
            self._exits.append(code)

    def _one(self, planned: PlannedAgent) -> None:
        if self._stopped is not None:
            message = "the run had stopped"
            self._record(planned, unwritten(planned, Outcome.NOT_ATTEMPTED, message))
            return
        self._under_way = planned.id
        try:
            result = self.executor.execute(planned)
        except TenantError as error:
            self._stop(error)
            summary = error.problem.summary
            self._record(planned, unwritten(planned, Outcome.NOT_ATTEMPTED, summary))
            return
        if isinstance(result, Ending):
            self._record(planned, result)
        else:
            self._written(planned, result)

    def _written(self, planned: PlannedAgent, result: Written) -> None:
        attempted = result.ending.attempted
        if attempted is not None:
            self._latencies.extend(result.latencies)
            self._statuses.append(attempted.answer.status)
        self._record(planned, result.ending)
        if result.new is not None:
            self._publish(AvailabilityEvent(planned.id, result.before, result.new))
        if result.stop is not None:
            self._stopped = result.stop.message
            self._exits.append(result.stop.exit)
        first = self._statuses[:FORBIDDEN_AT_START]
        if len(self._statuses) == FORBIDDEN_AT_START and set(first) == {FORBIDDEN}:
            self._stopped = "the first writes were all forbidden; the role lacks Agent Management"
            self._exits.append(Exit.AUTH)

    def _stop(self, error: CxplanError) -> None:
        self._stopped = error.problem.summary
        self._exits.append(error.exit_code)

    def _record(self, planned: PlannedAgent, ending: Ending) -> None:
        """Put an agent's outcome on disk, and then into the report."""
        self._reports[planned.id] = AgentReport(
            planned.id, planned.key, planned.team, ending.outcome, ending.message, ending.moved
        )
        self.run.record(
            "agent.outcome",
            outcome_fields(
                ending,
                audit_id=self.world.ids.new(),
                at=self.world.clock.now(),
                locking=self.world.tenant.locking,
            ),
        )

    # --- events -------------------------------------------------------------------------

    def _publish(self, event: AvailabilityEvent) -> None:
        self.run.record("event.intent", {"agentId": event.agent_id})
        answer = self._send_event(event)
        if _delivered(answer):
            self._event_outcome(event, "delivered", answer)
        elif _permanent(answer):
            self._undelivered += 1
            self._event_outcome(event, "undelivered", answer)
        else:
            self._pending.append(event)

    def _send_event(self, event: AvailabilityEvent) -> Answer:
        return self.world.tenant.publish(event, self.world.clock.now())

    def _late_events(self) -> None:
        """Once more at the end of the run, with patience; what is left stays undelivered."""
        for event in self._pending:
            answer = self._send_event(event)
            for attempt in range(1, ATTEMPTS):
                if _delivered(answer) or _permanent(answer):
                    break
                self.world.clock.sleep(backoff(attempt, self.world.fraction()))
                answer = self._send_event(event)
            self._undelivered += not _delivered(answer)
            self._event_outcome(event, "delivered" if _delivered(answer) else "undelivered", answer)

    def _event_outcome(self, event: AvailabilityEvent, state: str, answer: Answer) -> None:
        failure = answer.failure and answer.failure.value
        fields = {"state": state, "status": answer.status, "failure": failure}
        self.run.record("event.outcome", {"agentId": event.agent_id} | fields)

    # --- the end ------------------------------------------------------------------------

    def _seal(self) -> Head:
        report = self._report(None)
        counts = {outcome.value: n for outcome, n in sorted(report.summary.items())}
        self.run.record(
            "run.end", {"counts": counts, "exit": report.exit.value, "stopped": self._stopped}
        )
        return self.run.seal(Closing(self.world.clock.now(), report.exit, counts))

    def _report(self, head: Head | None) -> RunReport:
        agents = tuple(self._reports[key] for key in sorted(self._reports))
        return RunReport(
            run_id=self.run.id,
            plan_id=self.plan.plan_id,
            agents=agents + self._unrecorded(),
            latency=latency_of(self._latencies),
            undelivered_events=self._undelivered,
            stopped=self._stopped,
            exits=tuple(self._exits),
            head=head,
        )

    def _unrecorded(self) -> tuple[AgentReport, ...]:
        """Agents that the journal had no room for: the one under way may have been written."""
        left = (agent for agent in self.plan.agents if agent.id not in self._reports)
        return tuple(self._cut_off(agent) for agent in left)

    def _cut_off(self, planned: PlannedAgent) -> AgentReport:
        outcome, message = Outcome.NOT_ATTEMPTED, "the journal could not be written"
        if planned.id == self._under_way:
            outcome, message = Outcome.UNKNOWN, f"{message} while this agent was written"
        elif planned.status is not Status.READY:
            outcome = unready(planned).outcome
        return AgentReport(planned.id, planned.key, planned.team, outcome, message)


def _delivered(answer: Answer) -> bool:
    return answer.status is not None and 200 <= answer.status < 300  # noqa: PLR2004 - success


def _permanent(answer: Answer) -> bool:
    return answer.status in PERMANENT and answer.status not in RETRIED


def _line(report: AgentReport) -> str:
    return f"{report.id} {report.outcome.value}" + (f": {report.message}" if report.message else "")
