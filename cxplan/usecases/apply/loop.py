"""The agents of a plan, phase by phase, each to exactly one outcome, and the seal."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from cxplan.core.answers import AvailabilityEvent
from cxplan.core.errors import CxplanError, EvidenceError, TenantError
from cxplan.core.evidence import Closing, Head
from cxplan.core.ids import AgentId
from cxplan.core.plan import Plan, PlannedAgent, Status
from cxplan.core.record import Ending, outcome_fields
from cxplan.core.report import AgentReport, RunReport, latency_of
from cxplan.core.steps import Outcome
from cxplan.ports import Run
from cxplan.usecases.apply.agent import Executor, unready, unwritten
from cxplan.usecases.apply.events import Publisher
from cxplan.usecases.apply.gate import Gate
from cxplan.usecases.apply.world import ApplyWorld
from cxplan.usecases.apply.write import NothingSent, Written

PHASES = (1, 2)


@dataclass(slots=True)
class Loop:
    """One run over all agents of a plan; ``one`` is called from several workers."""

    world: ApplyWorld
    run: Run
    executor: Executor
    plan: Plan
    gate: Gate
    events: Publisher
    _reports: dict[AgentId, AgentReport] = field(init=False, default_factory=dict)
    _latencies: list[int] = field(init=False, default_factory=list)
    _under_way: set[AgentId] = field(init=False, default_factory=set)
    _torn: bool = field(init=False, default=False)
    """Whether the journal could not be written, so that the bundle is not sealed."""
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def execute(self) -> RunReport:
        """Bring every agent to its outcome, seal the bundle, and say what happened."""
        head = None
        try:
            self._agents()
            if not self._torn:
                self.events.finish()
                head = self._seal()
        except EvidenceError as error:
            self._stop(error)
        return self._report(head)

    def _agents(self) -> None:
        ready = self.plan.ready
        self.world.progress.start("Applying", len(ready))
        for phase in PHASES:
            agents = [planned for planned in ready if planned.phase == phase]
            for line in self.world.workers.map(self._one, agents, width=self.world.width):
                self.world.progress.step(line)
        self.world.progress.finish()
        if not self._torn:
            for planned in self.plan.agents:
                if planned.status is not Status.READY:
                    self._record(planned, unready(planned))

    def _one(self, planned: PlannedAgent) -> str:
        """Bring one agent to its outcome and return a line for the log."""
        try:
            self._settle(planned)
        except NothingSent as error:
            self._tear(error)
            with self._lock:
                self._under_way.discard(planned.id)
        except EvidenceError as error:
            self._tear(error)
        report = self._reports.get(planned.id)
        return _line(report or self._cut_off(planned))

    def _settle(self, planned: PlannedAgent) -> None:
        code = self.world.stop()
        if code is not None:
            self.gate.stop("interrupted", code)
        if not self.gate.enter():
            message = "the run had stopped"
            self._record(planned, unwritten(planned, Outcome.NOT_ATTEMPTED, message))
            return
        try:
            self._execute(planned)
        finally:
            self.gate.leave()

    def _execute(self, planned: PlannedAgent) -> None:
        with self._lock:
            self._under_way.add(planned.id)
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
        with self._lock:
            self._latencies.extend(result.latencies)
        self._record(planned, result.ending)
        if result.stop is not None:
            self.gate.stop(result.stop.message, result.stop.exit)
        if result.new is not None:
            self.events.publish(AvailabilityEvent(planned.id, result.before, result.new))

    def _stop(self, error: CxplanError) -> None:
        self.gate.stop(error.problem.summary, error.exit_code)

    def _tear(self, error: EvidenceError) -> None:
        self._torn = True
        self._stop(error)

    def _record(self, planned: PlannedAgent, ending: Ending) -> None:
        """Put an agent's outcome on disk, and then into the report."""
        self.run.record(
            "agent.outcome",
            outcome_fields(
                ending,
                audit_id=self.world.ids.new(),
                at=self.world.clock.now(),
                locking=self.world.tenant.locking,
            ),
        )
        with self._lock:
            self._under_way.discard(planned.id)
            self._reports[planned.id] = AgentReport(
                planned.id, planned.key, planned.team, ending.outcome, ending.message, ending.moved
            )

    # --- the end ------------------------------------------------------------------------

    def _seal(self) -> Head:
        report = self._report(None)
        counts = {outcome.value: n for outcome, n in sorted(report.summary.items())}
        self.run.record(
            "run.end",
            {"counts": counts, "exit": report.exit.value, "stopped": self.gate.stopped},
        )
        return self.run.seal(Closing(self.world.clock.now(), report.exit, counts))

    def _report(self, head: Head | None) -> RunReport:
        agents = {agent.id: agent for agent in self.plan.agents}
        reports = (self._reports.get(key) or self._cut_off(agents[key]) for key in sorted(agents))
        return RunReport(
            run_id=self.run.id,
            plan_id=self.plan.plan_id,
            agents=tuple(reports),
            latency=latency_of(self._latencies),
            undelivered_events=self.events.undelivered,
            stopped=self.gate.stopped,
            exits=tuple(self.gate.exits),
            head=head,
        )

    def _cut_off(self, planned: PlannedAgent) -> AgentReport:
        """Tell of an agent that the journal had no room for."""
        outcome, message = Outcome.NOT_ATTEMPTED, "the journal could not be written"
        if planned.id in self._under_way:
            outcome, message = Outcome.UNKNOWN, f"{message} while this agent was written"
        elif planned.status is not Status.READY:
            outcome = unready(planned).outcome
        return AgentReport(planned.id, planned.key, planned.team, outcome, message)


def _line(report: AgentReport) -> str:
    return f"{report.id} {report.outcome.value}" + (f": {report.message}" if report.message else "")
