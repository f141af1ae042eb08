"""What ``recover`` and ``apply --resume`` share: a run that was cut off, taken up again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cxplan.core.cutoff import Cut, OpenWrite, cut_of
from cxplan.core.diff import state_of
from cxplan.core.errors import EvidenceError
from cxplan.core.evidence import Closing
from cxplan.core.ids import AgentId
from cxplan.core.live import AgentReading, ObservedAgent, TenantIdentity
from cxplan.core.plan import Plan, PlannedAgent
from cxplan.core.record import Ending
from cxplan.core.report import AgentReport, RunReport
from cxplan.core.steps import Outcome, Settled
from cxplan.ports import CutRun
from cxplan.usecases.apply.inflight import OPEN, open_ending
from cxplan.usecases.apply.run import ApplyRequest, clock_of
from cxplan.usecases.apply.world import ApplyWorld


def cut_in(run: CutRun, plan: Plan) -> Cut:
    """Return what the journal of a run says.

    Raises:
        EvidenceError: it says what no journal of this plan would.
    """
    try:
        cut = cut_of(run.records)
    except ValueError as error:
        raise _not_ours(str(error)) from None
    if (cut.told.keys() | cut.open.keys()) - {planned.id for planned in plan.agents}:
        raise _not_ours("it names an agent that the plan does not")
    return cut


def _not_ours(why: str) -> EvidenceError:
    return EvidenceError(
        f"The journal of the run cannot be gone on with: {why}.",
        code="audit.record",
        hint="Nothing was changed. Keep the folder as evidence and find out who else wrote to it.",
    )


def again_fields(
    world: ApplyWorld, request: ApplyRequest, identity: TenantIdentity, how: str
) -> dict[str, Any]:
    """Return the line that says who takes a run up again, ``how`` and with which clocks."""
    actor = request.actor
    return {
        "how": how,
        "actor": {"kind": actor.kind, "id": actor.id, "ci": dict(actor.ci)},
        "toolVersion": request.tool_version,
        "runUrl": request.run_url,
        "clock": clock_of(world, identity),
        "allowed": [{"guard": a.guard, "reason": a.reason} for a in request.allowed],
    }


def settled_ending(
    planned: PlannedAgent, write: OpenWrite, reading: AgentReading, settled: Settled
) -> Ending:
    """Return the ending of an agent whose open write was settled by a read."""
    seen = reading if isinstance(reading, ObservedAgent) else None
    landed = seen if settled.outcome is Outcome.CONVERGED else None
    return replace(
        open_ending(planned, write, settled.outcome, f"{OPEN}: {settled.message}"),
        new=state_of(landed) if landed else None,
        etag_after=seen.etag if seen else None,
    )


def told_reports(plan: Plan, cut: Cut) -> Mapping[AgentId, AgentReport]:
    """Return the agents whose outcome stands in the journal already."""
    agents = {planned.id: planned for planned in plan.agents}
    return {
        agent_id: AgentReport(
            agent_id,
            agents[agent_id].key,
            agents[agent_id].team,
            told.outcome,
            told.message,
            told.moved,
        )
        for agent_id, told in cut.told.items()
    }


def finished(world: ApplyWorld, run: CutRun, plan: Plan, cut: Cut) -> RunReport | None:
    """Seal a run that had come to its end, with the counts that it has; None for any other.

    Raises:
        EvidenceError: it cannot be sealed.
    """
    ended = cut.ended
    if ended is None:
        return None
    told = told_reports(plan, cut)
    report = RunReport(
        run.id,
        plan.plan_id,
        tuple(told[key] for key in sorted(told)),
        None,
        cut.undelivered,
        ended.stopped,
        (ended.exit,),
    )
    return sealed(world, run, report)


def sealed(world: ApplyWorld, run: CutRun, report: RunReport) -> RunReport:
    """Seal a run that was cut off, and return its report with the head.

    Raises:
        EvidenceError: it cannot be sealed.
    """
    counts = counts_of(report)
    head = run.seal(Closing(world.clock.now(), report.exit, counts, recovered=True))
    return replace(report, head=head)


def counts_of(report: RunReport) -> dict[str, int]:
    """Return how many agents ended how, as ``run.end`` and the seal state it."""
    return {outcome.value: n for outcome, n in sorted(report.summary.items())}
