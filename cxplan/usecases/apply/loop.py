"""The agents of a plan, phase by phase, each to exactly one outcome, and the seal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from cxplan.core.answers import AvailabilityEvent
from cxplan.core.cutoff import OpenWrite
from cxplan.core.errors import CxplanError, EvidenceError, Exit, TenantError
from cxplan.core.evidence import Closing
from cxplan.core.ids import AgentId
from cxplan.core.live import ObservedAgent
from cxplan.core.plan import Plan, PlannedAgent, Status
from cxplan.core.record import Ending, outcome_fields
from cxplan.core.report import AgentReport, RunReport, latency_of
from cxplan.core.steps import STOPPED, Outcome
from cxplan.ports import Run
from cxplan.usecases.apply.agent import Executor, unready, unwritten
from cxplan.usecases.apply.events import Publisher
from cxplan.usecases.apply.gate import Gate
from cxplan.usecases.apply.held import Held
from cxplan.usecases.apply.inflight import (
    OPEN,
    Intended,
    landed,
    left_ending,
    open_ending,
)
from cxplan.usecases.apply.world import ApplyWorld
from cxplan.usecases.apply.write import NothingSent, Unrecorded, Written

PHASES = (1, 2)
LOOK_SECONDS = 5.0
"""How long an interrupted run looks at what it left in flight."""
UNRECORDED = "not on record: the journal could not be written"


@dataclass(slots=True)
class Loop:
    """One run over all agents of a plan; ``one`` is called from several workers."""

    world: ApplyWorld
    run: Run
    executor: Executor
    plan: Plan
    gate: Gate
    events: Publisher
    settled: Mapping[AgentId, AgentReport] = field(default_factory=dict)
    """Agents whose outcome stands in the journal already, from before a cut."""
    open: Mapping[AgentId, OpenWrite] = field(default_factory=dict)
    """Agents that a cut left with an intent and no outcome."""
    _reports: dict[AgentId, AgentReport] = field(init=False, default_factory=dict)
    _latencies: list[int] = field(init=False, default_factory=list)
    _under_way: set[AgentId] = field(init=False, default_factory=set)
    _claimed: set[AgentId] = field(init=False, default_factory=set)
    """Agents whose outcome somebody records or has recorded: there is one, whoever comes first."""
    _torn: bool = field(init=False, default=False)
    """Whether the journal could not be written, so that the bundle is not sealed."""
    _blind: bool = field(init=False, default=False)
    """Whether showing has failed."""
    _leaving: bool = field(init=False, default=False)
    """Whether agents are settled whose workers nobody waits for."""
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._reports.update(self.settled)
        self._claimed.update(self.settled)

    def execute(self) -> RunReport:
        """Bring every agent to its outcome, seal the bundle, and say what happened."""
        try:
            self.events.deliver(self.gate)
            self._agents()
            if not self._torn:
                self.events.finish(self.gate)
                return self._sealed()
        except EvidenceError as error:
            self._stop(error)
        return self._report()

    def _agents(self) -> None:
        ready = tuple(one for one in self.plan.ready if one.id not in self.settled)
        with Held(lambda reason: self.gate.stop(reason, Exit.INTERNAL)):
            self._write(ready)
        self._leave(ready)
        if not self._torn:
            for planned in self.plan.agents:
                if planned.status is not Status.READY:
                    self._record(planned, unready(planned))

    def _write(self, ready: tuple[PlannedAgent, ...]) -> None:
        progress = self.world.progress
        self._show(lambda: progress.start("Applying", len(ready)))
        for phase in PHASES:
            agents = [planned for planned in ready if planned.phase == phase]
            for line in self.world.workers.map(self._one, agents, width=self.world.width):
                self._show(partial(progress.step, line))
        self._show(progress.finish)

    def _show(self, show: Callable[[], None]) -> None:
        """Show how it goes; where that fails, go on and show no more.

        A stream that is gone is nobody's bug.
        """
        if self._blind:
            return
        with Held(self._blinded):
            try:
                show()
            except OSError:
                self._blind = True

    def _blinded(self, reason: str) -> None:
        self._blind = True
        self.gate.crashed(reason)

    def _leave(self, ready: tuple[PlannedAgent, ...]) -> None:
        """Settle those whom nobody waited for: by one look where there is time, else unknown."""
        left = [planned for planned in ready if planned.id not in self._claimed]
        if not left or self._torn:
            return
        self._leaving = True
        self.gate.heed()
        in_flight = {planned.id: write for planned in left if (write := self._may_land(planned))}
        found = self._looked(in_flight)
        for planned in left:
            write = self._may_land(planned)
            if planned.id in in_flight and write is not None:
                self._leave_one(planned, write, found[planned.id])
            else:
                self._record(planned, self._unstarted(planned, STOPPED))
        while not self._written_down():
            self.world.clock.sleep(0.01)

    def _may_land(self, planned: PlannedAgent) -> Intended | None:
        """Return the write of an agent that may have left; once the run has stopped none does."""
        if planned.id in self._under_way and self.gate.has_left(planned.id):
            return self.executor.in_flight.of(planned.id)
        return None

    def _looked(
        self, in_flight: Mapping[AgentId, Intended]
    ) -> Mapping[AgentId, ObservedAgent | None]:
        """Look once at each agent that was left in flight."""
        if not in_flight:
            return {}
        look = partial(landed, self.world.tenant)
        writes = tuple(in_flight.values())
        found = self.world.workers.briefly(look, writes, seconds=LOOK_SECONDS)
        return dict(zip(in_flight, found, strict=True))

    def _written_down(self) -> bool:
        """Tell whether nobody is in the middle of recording an outcome."""
        return self._torn or self._claimed <= self._reports.keys()

    def _leave_one(
        self, planned: PlannedAgent, write: Intended, found: ObservedAgent | None
    ) -> None:
        """Say how a write ended that nobody waits for."""
        event = None if found is None else AvailabilityEvent(planned.id, write.seen, found)
        self._record(planned, left_ending(planned, write, found), event)

    def _one(self, planned: PlannedAgent) -> str:
        """Bring one agent to its outcome and return a line for the log."""
        with Held(self._crashed):
            self._settle_or_tear(planned)
        report = self._reports.get(planned.id)
        return _line(report or self._cut_off(planned))

    def _crashed(self, reason: str) -> None:
        """One agent's bug is its own; what was left behind has nothing to say any more."""
        if not self._leaving:
            self.gate.crashed(reason)

    def _settle_or_tear(self, planned: PlannedAgent) -> None:
        try:
            self._settle(planned)
        except NothingSent as error:
            self._tear(error)
            with self._lock:
                self._under_way.discard(planned.id)
        except Unrecorded as error:
            self._tear(error)
            self._report_of(planned, error.ending, UNRECORDED)
        except EvidenceError as error:
            self._tear(error)

    def _settle(self, planned: PlannedAgent) -> None:
        self.gate.heed()
        if not self.gate.enter():
            self._record(planned, self._unstarted(planned, STOPPED))
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
            self._record(planned, self._unstarted(planned, error.problem.summary))
            return
        if isinstance(result, Ending):
            self._record(planned, result)
        else:
            self._written(planned, result)

    def _unstarted(self, planned: PlannedAgent, why: str) -> Ending:
        """Return the ending of an agent whose turn never came; a cut may have left it open."""
        write = self.open.get(planned.id)
        if write is not None:
            return open_ending(planned, write, Outcome.UNKNOWN, f"{OPEN}; {why}")
        return unwritten(planned, Outcome.NOT_ATTEMPTED, why)

    def _written(self, planned: PlannedAgent, result: Written) -> None:
        with self._lock:
            self._latencies.extend(result.latencies)
        event = None
        if result.new is not None:
            event = AvailabilityEvent(planned.id, result.before, result.new)
        mine = self._record(planned, result.ending, event)
        if result.stop is not None:
            self.gate.stop(result.stop.message, result.stop.exit)
        if event is not None and mine:
            self.events.publish(event)

    def _stop(self, error: CxplanError) -> None:
        self.gate.stop(error.problem.summary, error.exit_code)

    def _tear(self, error: EvidenceError) -> None:
        self._torn = True
        self._stop(error)

    def _record(
        self, planned: PlannedAgent, ending: Ending, event: AvailabilityEvent | None = None
    ) -> bool:
        """Put an agent's outcome on disk, and then into the report; False where there is one.

        ``event`` is noted as owed by whoever comes first, before the outcome is on disk.
        """
        fields = outcome_fields(
            ending,
            audit_id=self.world.ids.new(),
            at=self.world.clock.now(),
            locking=self.world.tenant.locking,
        )
        with self._lock:
            if planned.id in self._claimed:
                return False
            self._claimed.add(planned.id)
            if event is not None:
                self.events.expect(event)
        try:
            self.run.record("agent.outcome", fields)
        except EvidenceError:
            self._report_of(planned, ending, UNRECORDED)
            raise
        except ValueError:
            with self._lock:
                self._claimed.discard(planned.id)
            raise
        self._report_of(planned, ending, ending.message)
        self.gate.ended(ending.outcome)
        return True

    def _report_of(self, planned: PlannedAgent, ending: Ending, message: str) -> None:
        with self._lock:
            self._under_way.discard(planned.id)
            self._reports[planned.id] = AgentReport(
                planned.id, planned.key, planned.team, ending.outcome, message, ending.moved
            )

    # --- the end ------------------------------------------------------------------------

    def _sealed(self) -> RunReport:
        """Seal the bundle, and return the very report that it states."""
        report = self._report()
        counts = {outcome.value: n for outcome, n in sorted(report.summary.items())}
        self.run.record(
            "run.end", {"counts": counts, "exit": report.exit.value, "stopped": report.stopped}
        )
        head = self.run.seal(Closing(self.world.clock.now(), report.exit, counts))
        return replace(report, head=head)

    def _report(self) -> RunReport:
        agents = {agent.id: agent for agent in self.plan.agents}
        reports = tuple(
            self._reports.get(key) or self._cut_off(agents[key]) for key in sorted(agents)
        )
        return RunReport(
            run_id=self.run.id,
            plan_id=self.plan.plan_id,
            agents=reports,
            latency=latency_of(self._latencies),
            undelivered_events=self.events.undelivered,
            stopped=self.gate.stopped or self.gate.crash,
            exits=(*self.gate.exits, *self._given_up(reports)),
        )

    def _given_up(self, reports: Iterable[AgentReport]) -> Iterator[Exit]:
        """Yield why agents are not written: a tenant that kept failing until the end."""
        lost = {Outcome.FAILED, Outcome.NOT_ATTEMPTED}
        if self.gate.open and any(report.outcome in lost for report in reports):
            yield Exit.UNAVAILABLE

    def _cut_off(self, planned: PlannedAgent) -> AgentReport:
        """Tell of an agent that the journal had no room for."""
        message = "the journal could not be written"
        outcome = self._unstarted(planned, message).outcome
        if planned.id in self._under_way:
            outcome, message = Outcome.UNKNOWN, f"{message} while this agent was written"
        elif planned.status is not Status.READY:
            outcome = unready(planned).outcome
        return AgentReport(planned.id, planned.key, planned.team, outcome, message)


def _line(report: AgentReport) -> str:
    """Return what the log keeps of an agent; what was never begun is told once, at the end."""
    if report.outcome is Outcome.NOT_ATTEMPTED:
        return ""
    return f"{report.id} {report.outcome.value}" + (f": {report.message}" if report.message else "")
