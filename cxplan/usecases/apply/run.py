"""A whole apply: what must hold before the first write, the agents one by one, the seal.

Order: lock, no unsealed run, the plan itself, the key, the tenant, the opening on disk; then for
each agent intent, PATCH, outcome; then the end of the run and the seal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cxplan.core.checks import judge_for
from cxplan.core.errors import TenantError
from cxplan.core.evidence import Actor, Opening
from cxplan.core.instant import utc_millis, utc_text
from cxplan.core.live import TenantIdentity, UnreadAgent
from cxplan.core.model import Declarations
from cxplan.core.plan import Plan
from cxplan.core.record import reason_text, start_fields
from cxplan.core.report import AgentReport, RunReport
from cxplan.core.resolve import Resolved, resolve
from cxplan.ports import Run
from cxplan.usecases.apply.agent import Executor, unready
from cxplan.usecases.apply.events import Publisher
from cxplan.usecases.apply.gate import Gate
from cxplan.usecases.apply.loop import Loop
from cxplan.usecases.apply.refusals import refuse_other_tenant, refuse_unusable
from cxplan.usecases.apply.world import ApplyWorld


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """What an apply takes from its surroundings; ``label`` names the plan to who waits for it."""

    label: str
    actor: Actor
    run_url: str | None
    tool_version: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plan, its bytes as they stand in the bundle, and the files as they are now."""

    plan: Plan
    data: bytes
    declarations: Declarations


def apply_plan(world: ApplyWorld, request: ApplyRequest, load: Callable[[], Loaded]) -> RunReport:
    """Execute the plan that ``load`` returns once the ledger is locked.

    A plan that writes nothing begins no run; its report says how its agents stand.

    Raises:
        CxplanError: before anything was written; afterwards every trouble is in the report.
    """
    with world.ledger.lock(plan_id=request.label):
        loaded = load()
        resolved = resolve(loaded.declarations)
        refuse_unusable(world, loaded.plan, resolved)
        if not loaded.plan.ready:
            return _nothing(loaded.plan)
        world.ledger.prepare()
        identity = world.tenant.connect(write=True)
        refuse_other_tenant(loaded.plan, identity)
        run = world.ledger.begin(_opening(world, request, loaded.plan), loaded.data)
        run.record("run.start", _start(world, request, loaded.plan, identity))
        gate = _gate(world, run, loaded.plan)
        executor = _executor(world, run, gate, loaded, resolved)
        return Loop(world, run, executor, loaded.plan, gate, Publisher(world, run)).execute()


def _nothing(plan: Plan) -> RunReport:
    endings = ((agent, unready(agent)) for agent in plan.agents)
    reports = tuple(
        AgentReport(agent.id, agent.key, agent.team, ending.outcome, ending.message)
        for agent, ending in endings
    )
    return RunReport(None, plan.plan_id, reports, None)


def _gate(world: ApplyWorld, run: Run, plan: Plan) -> Gate:
    """Return the gate of a run; it probes with a read of the plan's first agent."""

    def probe() -> bool:
        try:
            return not isinstance(world.tenant.agent(plan.ready[0].id), UnreadAgent)
        except TenantError:
            return False

    return Gate(world.clock, probe, run.record)


def _executor(
    world: ApplyWorld,
    run: Run,
    gate: Gate,
    loaded: Loaded,
    resolved: Resolved,
) -> Executor:
    declarations = loaded.declarations
    now = world.clock.now()
    needs_etag = world.tenant.locking == "etag"
    return Executor(
        world,
        run,
        gate,
        reason_text(loaded.plan.plan_id),
        judge_for(declarations, now, world.tenant.lists(), needs_etag=needs_etag),
        {agent.id: agent for agent in resolved.at(now)},
        declarations.guards.no_agent_without_skill,
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


def _start(
    world: ApplyWorld, request: ApplyRequest, plan: Plan, identity: TenantIdentity
) -> dict[str, Any]:
    clock = {
        "wall": utc_millis(world.clock.now()),
        "monotonicMs": int(world.clock.monotonic() * 1000),
        "serverDate": identity.server_date,
    }
    return start_fields(
        commit=plan.source.commit,
        files_digest=plan.source.digest,
        run_url=request.run_url,
        clock=clock,
    )
