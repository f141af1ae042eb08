"""recover: find out by reading how each open write of a cut-off run ended, and seal the run.

Nothing is written to the tenant. Each step can be cut off itself: the journal then holds what was
found out so far, and the next ``recover`` goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cxplan.core.answers import AvailabilityEvent
from cxplan.core.cutoff import Cut, EventKey, after_cut
from cxplan.core.ids import AgentId
from cxplan.core.live import AgentReading, ObservedAgent
from cxplan.core.outbox import INTENT, OUTCOME, intent_fields, outcome_fields
from cxplan.core.plan import Plan, PlannedAgent, Status
from cxplan.core.record import Ending, recovered_fields
from cxplan.core.record import outcome_fields as agent_fields
from cxplan.core.report import AgentReport, RunReport
from cxplan.core.steps import Outcome
from cxplan.ports import CutRun
from cxplan.usecases.apply.agent import unready, unwritten
from cxplan.usecases.apply.refusals import refuse_other_tenant
from cxplan.usecases.apply.run import ApplyRequest
from cxplan.usecases.apply.settle import (
    again_fields,
    counts_of,
    cut_in,
    finished,
    sealed,
    settled_ending,
    told_reports,
)
from cxplan.usecases.apply.world import ApplyWorld

CUT_OFF = "the run was cut off"
GRACE = 1.0
"""Seconds after the journal's last line before an agent is read: a write that was on its way at the
kill mostly has arrived by then. It makes *converged* likelier, and no other outcome surer."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of a run; plan and report are None where it had not begun to write."""

    plan: Plan | None = None
    report: RunReport | None = None


def recover_run(
    world: ApplyWorld, request: ApplyRequest, run: str, parse: Callable[[bytes], Plan]
) -> Recovered:
    """Settle and seal the cut-off run called ``run``; ``parse`` reads the plan in its folder.

    Raises:
        InvalidError: no such run, several, or one that is sealed.
        UnapprovedError: no key, or the tenant is not the one that was planned for.
        TenantError: the tenant cannot be asked; the run can be recovered later.
        EvidenceError: the folder does not hold what a run leaves, or cannot be written.
    """
    with world.ledger.lock(plan_id=request.label, unsealed=True):
        world.ledger.prepare()
        cut_run = world.ledger.reopen(run)
        if cut_run is None:
            return Recovered()
        plan = parse(cut_run.plan)
        cut = cut_in(cut_run, plan)
        report = finished(world, cut_run, plan, cut)
        if report is None:
            identity = world.tenant.connect(write=False)
            refuse_other_tenant(plan, identity)
            cut_run.again(again_fields(world, request, identity, "recover"))
            report = _Recovery(world, cut_run, plan, cut).settle()
        return Recovered(plan, report)


@dataclass(slots=True)
class _Recovery:
    """One run that is being settled."""

    world: ApplyWorld
    run: CutRun
    plan: Plan
    cut: Cut
    reports: dict[AgentId, AgentReport] = field(init=False)
    events: dict[AgentId, AvailabilityEvent] = field(init=False)

    def __post_init__(self) -> None:
        self.reports = dict(told_reports(self.plan, self.cut))
        self.events = {event.agent_id: event for event in self.cut.events}

    def settle(self) -> RunReport:
        """Give every agent its outcome, and seal."""
        for planned, reading in self._readings():
            self._judge(planned, reading)
        for planned in self.plan.agents:
            if planned.id not in self.reports:
                self._record(planned, _untouched(planned))
        undelivered = self.cut.undelivered + self._leave_events()
        report = RunReport(
            self.run.id,
            self.plan.plan_id,
            tuple(self.reports[key] for key in sorted(self.reports)),
            None,
            undelivered,
            CUT_OFF,
        )
        end = {"counts": counts_of(report), "exit": report.exit.value, "stopped": CUT_OFF}
        self.run.record("run.end", end)
        return sealed(self.world, self.run, report)

    def _readings(self) -> Iterator[tuple[PlannedAgent, AgentReading]]:
        """Read the agents whose write is open."""
        world = self.world
        opened = [planned for planned in self.plan.agents if planned.id in self.cut.open]
        if opened:
            self._wait()
        world.progress.start("Reading", len(opened))
        read = world.workers.map(lambda one: world.tenant.agent(one.id), opened, width=world.width)
        for planned, reading in zip(opened, read, strict=True):
            yield planned, reading
            report = self.reports[planned.id]
            world.progress.step(f"{report.id} {report.outcome.value}: {report.message}")
        world.progress.finish()

    def _wait(self) -> None:
        if self.cut.last is not None:
            age = (self.world.clock.now() - self.cut.last).total_seconds()
            self.world.clock.sleep(min(GRACE, max(0.0, GRACE - age)))

    def _judge(self, planned: PlannedAgent, reading: AgentReading) -> None:
        write = self.cut.open[planned.id]
        settled = after_cut(write, planned.changes, reading)
        fields = recovered_fields(planned.id, write.seen.etag, reading, settled.outcome.value)
        self.run.record("recovery.outcome", fields)
        self._record(planned, settled_ending(planned, write, reading, settled))
        if settled.outcome is Outcome.CONVERGED and isinstance(reading, ObservedAgent):
            self.events[planned.id] = AvailabilityEvent(planned.id, write.seen, reading)

    def _record(self, planned: PlannedAgent, ending: Ending) -> None:
        world = self.world
        fields = agent_fields(
            ending,
            audit_id=world.ids.new(),
            at=world.clock.now(),
            locking=world.tenant.locking,
        )
        self.run.record("agent.outcome", fields)
        self.reports[planned.id] = AgentReport(
            planned.id, planned.key, planned.team, ending.outcome, ending.message
        )

    def _leave_events(self) -> int:
        """Leave each event that has no outcome to the next apply; return how many there are."""
        for agent_id in sorted(self.events):
            if (None, agent_id) not in self.cut.intended:
                self.run.record(INTENT, intent_fields(self.events[agent_id], None))
        own: set[EventKey] = {(None, agent_id) for agent_id in self.events}
        waiting = sorted(own | self.cut.intended, key=str)
        for of, agent_id in waiting:
            fields = outcome_fields(agent_id, of, None, delivered=False, again=True)
            self.run.record(OUTCOME, fields)
        return len(waiting)


def _untouched(planned: PlannedAgent) -> Ending:
    if planned.status is Status.READY:
        return unwritten(planned, Outcome.NOT_ATTEMPTED, CUT_OFF)
    return unready(planned)
