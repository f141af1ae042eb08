"""apply --resume: go on with a run that was cut off, in its own folder.

What the journal has settled stays. An agent with an open intent is read first: what its write came
to, or, where its tag has not moved, the same write again with the same tag. The others are executed
like those of any plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial

from cxplan.core.cutoff import (
    AGAIN,
    UNSURE,
    Cut,
    OpenWrite,
    after_cut,
    may_go_again,
)
from cxplan.core.diff import state_of
from cxplan.core.errors import CxplanError, EvidenceError, InvalidError, TenantError
from cxplan.core.ids import AgentId
from cxplan.core.live import AgentReading, ObservedAgent, UnreadAgent
from cxplan.core.outbox import Undelivered
from cxplan.core.plan import PlannedAgent
from cxplan.core.record import Ending, recovered_fields
from cxplan.core.report import AS_DESIRED, RunReport
from cxplan.core.resolve import resolve
from cxplan.core.steps import Outcome, Proceed, Settled, StopRun, compare
from cxplan.ports import CutRun
from cxplan.usecases.apply.agent import Executor
from cxplan.usecases.apply.events import Publisher
from cxplan.usecases.apply.inflight import OPEN
from cxplan.usecases.apply.loop import Loop
from cxplan.usecases.apply.refusals import refuse_unusable
from cxplan.usecases.apply.run import (
    ApplyRequest,
    Known,
    Loaded,
    executor_of,
    gate_of,
    known_of,
    start_of,
)
from cxplan.usecases.apply.settle import (
    again_fields,
    cut_in,
    finished,
    settled_ending,
    told_reports,
)
from cxplan.usecases.apply.world import ApplyWorld
from cxplan.usecases.apply.write import Written


def resume_run(
    world: ApplyWorld, request: ApplyRequest, run: str, load: Callable[[bytes], Loaded]
) -> RunReport:
    """Go on with the cut-off run called ``run``; ``load`` takes the plan in its folder.

    Raises:
        InvalidError: no such run, several, one that is sealed, or that had not begun to write.
        CxplanError: as for any plan, before anything is written.
    """
    with world.ledger.lock(plan_id=request.label, unsealed=True):
        world.ledger.prepare()
        cut_run = world.ledger.reopen(run)
        if cut_run is None:
            raise InvalidError(
                "The run had not begun to write; its folder was removed.",
                code="run.neverBegan",
                hint="Apply its plan again with cxplan apply PLAN.",
            )
        _refuse_others(world, cut_run)
        loaded = load(cut_run.plan)
        cut = cut_in(cut_run, loaded.plan)
        report = finished(world, cut_run, loaded.plan, cut)
        return report or _go_on(world, request, cut_run, loaded, cut)


def _refuse_others(world: ApplyWorld, run: CutRun) -> None:
    for other in world.ledger.cut_off():
        if other != run.id:
            raise EvidenceError(
                f"Another run, {other}, was begun and never sealed.",
                code="audit.unsealed",
                hint=f"Find out how its writes ended and seal it first: cxplan recover {other}.",
            )


def _go_on(
    world: ApplyWorld, request: ApplyRequest, run: CutRun, loaded: Loaded, cut: Cut
) -> RunReport:
    resolved = resolve(loaded.declarations)
    try:
        refuse_unusable(world, loaded.plan, resolved, request.allowed)
    except CxplanError as error:
        raise _told_way_out(error, run) from None
    left = world.ledger.undelivered()
    known = known_of(world, request, loaded.plan, resolved)
    with world.begun():
        run.again(again_fields(world, request, known.identity, "resume"))
        return _execute(world, request, run, known, left, cut)


def _execute(
    world: ApplyWorld,
    request: ApplyRequest,
    run: CutRun,
    known: Known,
    left: tuple[Undelivered, ...],
    cut: Cut,
) -> RunReport:
    if not cut.started:
        run.record("run.start", start_of(world, request, known))
    gate = gate_of(world, request, run, known.plan)
    executor = _resuming(executor_of(world, run, gate, known), cut.open)
    executor.note_told(known, cut)
    publisher = Publisher(world, run, left)
    publisher.undelivered = cut.undelivered
    for event in cut.events:
        publisher.expect(event)
    told = told_reports(known.plan, cut)
    return Loop(world, run, executor, known.plan, gate, publisher, told, cut.open).execute()


def _told_way_out(error: CxplanError, run: CutRun) -> CxplanError:
    """Return the refusal of a plan, with what to do about its run."""
    problem = error.problem
    hint = f"Seal what was done with cxplan recover {run.id}. {problem.hint or ''}".rstrip()
    return type(error)(problem.summary, code=problem.code, hint=hint)


@dataclass(frozen=True, slots=True)
class Resuming(Executor):
    """Executes the agents of a run that was cut off."""

    open: Mapping[AgentId, OpenWrite] = field(default_factory=dict)

    def note_told(self, known: Known, cut: Cut) -> None:
        """Correct the counts of coverage by those who ended otherwise than planned before."""
        for planned in known.plan.ready:
            told = cut.told.get(planned.id)
            if told is not None and told.outcome not in AS_DESIRED:
                self.cover.note(planned, (), partial(self._shifts, planned.id))

    def _attempt(self, planned: PlannedAgent) -> Written | Ending:
        write = self.open.get(planned.id)
        if write is None:
            return Executor._attempt(self, planned)
        try:
            reading = self.world.tenant.agent(planned.id)
        except TenantError as error:
            problem = error.problem
            unread = UnreadAgent(planned.id, problem.code, problem.summary)
            settled = after_cut(write, planned.changes, unread)
            stop = StopRun(error.exit_code, problem.summary)
            return replace(self._settled(planned, write, unread, settled), stop=stop)
        return self._read(planned, write, reading)

    def _read(
        self, planned: PlannedAgent, write: OpenWrite, reading: AgentReading
    ) -> Written | Ending:
        settled = after_cut(write, planned.changes, reading)
        if isinstance(reading, ObservedAgent) and may_go_again(write, reading, settled):
            comparison = compare(planned.changes, state_of(reading))
            if isinstance(comparison, Proceed):
                self._found(planned, write, reading, AGAIN)
                result = self._judged(planned, reading, comparison.changes, UNSURE, write.attempted)
                return result if isinstance(result, Written) else _unsent(result, write)
        return self._settled(planned, write, reading, settled)

    def _settled(
        self, planned: PlannedAgent, write: OpenWrite, reading: AgentReading, settled: Settled
    ) -> Written:
        self._found(planned, write, reading, settled.outcome.value)
        ending = settled_ending(planned, write, reading, settled)
        if settled.outcome is Outcome.CONVERGED and isinstance(reading, ObservedAgent):
            return Written(ending, write.seen, reading)
        return Written(ending, write.seen)

    def _found(
        self, planned: PlannedAgent, write: OpenWrite, reading: AgentReading, decision: str
    ) -> None:
        fields = recovered_fields(planned.id, write.seen.etag, reading, decision)
        self.run.record("recovery.outcome", fields)


def _unsent(ending: Ending, write: OpenWrite) -> Ending:
    """Return the ending of a write that a check does not let go again; the old one may land yet."""
    message = f"{OPEN}, and it is not sent again: {ending.message or ending.outcome.value}"
    return replace(
        ending, outcome=Outcome.UNKNOWN, message=message, findings=(), attempted=write.attempted
    )


def _resuming(executor: Executor, opened: Mapping[AgentId, OpenWrite]) -> Resuming:
    values = {each.name: getattr(executor, each.name) for each in fields(executor)}
    return Resuming(**values, open=opened)
