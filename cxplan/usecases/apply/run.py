"""A whole apply: what must hold before the first write, the agents one by one, the seal.

Order: lock, no unsealed run, the plan itself, the key, the tenant, the opening on disk; then for
each agent intent, PATCH, outcome; then the end of the run and the seal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cxplan.core.breaker import Tolerance
from cxplan.core.checks import judge_for
from cxplan.core.errors import TenantError
from cxplan.core.evidence import Actor, Opening
from cxplan.core.instant import utc_millis, utc_text
from cxplan.core.live import TenantIdentity, TenantLists, UnreadAgent
from cxplan.core.model import Declarations
from cxplan.core.plan import Plan
from cxplan.core.record import start_fields
from cxplan.core.report import AgentReport, RunReport
from cxplan.core.resolve import Resolved, resolve
from cxplan.core.strictness import Allowance
from cxplan.ports import Run
from cxplan.usecases.apply.agent import Executor, unready
from cxplan.usecases.apply.cover import CoverBook
from cxplan.usecases.apply.events import Publisher
from cxplan.usecases.apply.gate import Gate
from cxplan.usecases.apply.loop import Loop
from cxplan.usecases.apply.patience import PatientTenant
from cxplan.usecases.apply.refusals import refuse_other_tenant, refuse_unusable
from cxplan.usecases.apply.world import ApplyWorld


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """What an apply takes from its surroundings; ``label`` names the plan to who waits for it."""

    label: str
    allowed: tuple[Allowance, ...]
    """The guards that are passed at apply, beside those of the plan."""
    actor: Actor
    run_url: str | None
    tool_version: str
    strict: bool = False
    """Whether any tag that moved since the plan is a conflict."""
    tolerance: Tolerance | None = None
    """How many agents may fail before the run stops; None for all."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plan, its bytes as they stand in the bundle, and the files as they are now."""

    plan: Plan
    data: bytes
    declarations: Declarations


def apply_plan(world: ApplyWorld, request: ApplyRequest, load: Callable[[], Loaded]) -> RunReport:
    """Execute the plan that ``load`` returns once the ledger is locked.

    A plan that writes nothing begins no run, unless an earlier one left events to deliver; its
    report says how its agents stand. A signal before the run begins ends the command at once and
    leaves no run; from then on it stops the run in order.

    Raises:
        CxplanError: before anything was written; afterwards every trouble is in the report.
    """
    with world.ledger.lock(plan_id=request.label):
        loaded = load()
        resolved = resolve(loaded.declarations)
        refuse_unusable(world, loaded.plan, resolved, request.allowed)
        left = world.ledger.undelivered()
        if not loaded.plan.ready and not left:
            return _nothing(loaded.plan)
        world.ledger.prepare()
        known = known_of(world, request, loaded.plan, resolved)
        with world.begun():
            run = world.ledger.begin(_opening(world, request, loaded.plan), loaded.data)
            run.record("run.start", start_of(world, request, known))
            gate = gate_of(world, request, run, loaded.plan)
            executor = executor_of(world, run, gate, known)
            publisher = Publisher(world, run, left)
            return Loop(world, run, executor, loaded.plan, gate, publisher).execute()


@dataclass(frozen=True, slots=True)
class Known:
    """What a run stands on, all of it known before there is a run."""

    plan: Plan
    resolved: Resolved
    identity: TenantIdentity
    lists: TenantLists
    passed: tuple[Allowance, ...]
    """The guards that are passed, at the plan or now."""
    strict: bool


def known_of(world: ApplyWorld, request: ApplyRequest, plan: Plan, resolved: Resolved) -> Known:
    """Connect, and return what the run of ``plan`` stands on.

    Raises:
        UnapprovedError: this is not the tenant that was planned for.
        TenantError: the tenant cannot be asked.
    """
    identity = world.tenant.connect(write=True)
    refuse_other_tenant(plan, identity)
    passed = _passed(plan, request)
    return Known(plan, resolved, identity, world.tenant.lists(), passed, request.strict)


def _passed(plan: Plan, request: ApplyRequest) -> tuple[Allowance, ...]:
    """Return each allowance once: a plan made on the spot has those of the request already."""
    return tuple(dict.fromkeys((*plan.allowed, *request.allowed)))


def _nothing(plan: Plan) -> RunReport:
    endings = ((agent, unready(agent)) for agent in plan.agents)
    reports = tuple(
        AgentReport(agent.id, agent.key, agent.team, ending.outcome, ending.message)
        for agent, ending in endings
    )
    return RunReport(None, plan.plan_id, reports, None)


def gate_of(world: ApplyWorld, request: ApplyRequest, run: Run, plan: Plan) -> Gate:
    """Return the gate of a run; it probes with a read of the plan's first agent."""

    def probe() -> bool:
        try:
            return not isinstance(world.tenant.agent(plan.ready[0].id), UnreadAgent)
        except TenantError:
            return False

    tolerance = request.tolerance
    most = None if tolerance is None else tolerance.of(len(plan.ready))
    return Gate(world.clock, probe, run.record, world.stop, most)


def executor_of(world: ApplyWorld, run: Run, gate: Gate, known: Known) -> Executor:
    """Return the executor of a run's agents."""
    resolved = known.resolved
    declarations = resolved.declarations
    allowed = frozenset(allowance.guard for allowance in known.passed)
    return Executor(
        replace(world, tenant=PatientTenant(world.tenant, gate)),
        run,
        gate,
        known.plan.plan_id,
        judge_for(
            declarations,
            world.clock.now(),
            known.lists,
            needs_etag=world.tenant.locking == "etag",
            allowed=allowed,
        ),
        resolved,
        {agent.id: agent for agent in resolved.agents},
        declarations.guards,
        allowed,
        CoverBook(known.plan, declarations),
        known.strict,
        known.plan.rollback,
    )


def _opening(world: ApplyWorld, request: ApplyRequest, plan: Plan) -> Opening:
    return Opening(
        run_id=world.ids.new(),
        opened_at=world.clock.now(),
        actor=request.actor,
        tool_version=request.tool_version,
        tenant=plan.tenant.name,
        base_url=plan.tenant.origin,
        api_version=plan.tenant.api,
        plan_id=plan.plan_id,
        plan_created_at=utc_text(plan.created_at),
        plan_expires_at=utc_text(plan.expires_at),
        plan_semantic_digest=plan.semantic_digest,
    )


def clock_of(world: ApplyWorld, identity: TenantIdentity) -> dict[str, Any]:
    """Return what the clocks say, as a line of the journal holds it."""
    return {
        "wall": utc_millis(world.clock.now()),
        "monotonicMs": int(world.clock.monotonic() * 1000),
        "serverDate": identity.server_date,
    }


def start_of(world: ApplyWorld, request: ApplyRequest, known: Known) -> dict[str, Any]:
    """Return the first line of a run."""
    return start_fields(
        known.plan,
        allowed=[(allowance.guard, allowance.reason) for allowance in known.passed],
        run_url=request.run_url,
        clock=clock_of(world, known.identity),
    )
