"""plan: desired and observed agents, compared and judged, to one plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from cxplan.core.checks import Judge, judge_for
from cxplan.core.diff import Terms, changed, diff, state_of, terms_of
from cxplan.core.document import sealed
from cxplan.core.errors import Exit, worst
from cxplan.core.findings import Finding, Verdict
from cxplan.core.guards import Basis, judge_guards
from cxplan.core.live import MissingAgent, ObservedAgent, TenantIdentity, UnreadAgent
from cxplan.core.meaning import source_digest
from cxplan.core.model import Declarations, DesiredAgent
from cxplan.core.plan import (
    FilesRef,
    Plan,
    PlannedAgent,
    Status,
    TenantRef,
    Vocabulary,
    affected_by,
    phase_of,
    status_of,
)
from cxplan.core.resolve import resolve
from cxplan.ports import Clock, DesiredSource, Progress, Tenant, Workers


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What a plan takes from its surroundings."""

    commit: str | None
    valid_for: timedelta
    width: int
    """How many agents are read at once."""
    tool_version: str


@dataclass(frozen=True, slots=True)
class World:
    """The ports that a plan needs."""

    source: DesiredSource
    tenant: Tenant
    clock: Clock
    workers: Workers
    progress: Progress


def make_plan(world: World, request: PlanRequest, declarations: Declarations) -> Plan:
    """Read every declared agent, compare, judge, and return the plan.

    Raises:
        TenantError: the tenant cannot be reached or refuses; no plan is better than half of one.
    """
    at = world.clock.now().replace(microsecond=0)
    resolved = resolve(declarations)
    desired = resolved.at(at)
    identity = world.tenant.connect(write=False)
    needs_etag = world.tenant.locking == "etag"
    judge = judge_for(declarations, at, world.tenant.lists(), needs_etag=needs_etag)
    planner = _Planner(world, judge, terms_of(declarations, world.source.locate))
    world.progress.start("Reading agents", len(desired))
    found = tuple(_listed(planner, world, desired, request.width))
    world.progress.finish()
    return sealed(
        Plan(
            plan_id="",
            digest="",
            semantic_digest="",
            tool_version=request.tool_version,
            tenant=_tenant_ref(declarations, identity),
            created_at=at,
            evaluated_at=at,
            expires_at=at + request.valid_for,
            source=FilesRef(request.commit, source_digest(resolved)),
            managed=len(desired),
            agents=found,
            guards=judge_guards(declarations.guards, affected_by(found), _basis(desired, found)),
            vocabulary=Vocabulary(
                declarations.levels,
                {mode.id: mode.name for mode in declarations.modes.values()},
            ),
        )
    )


def plan_exit(plan: Plan, *, detailed: bool) -> Exit:
    """Return the exit code of ``plan``; ``detailed`` asks for 2 where an agent is ready."""
    found = []
    if plan.denied or plan.with_status(Status.BLOCKED):
        found.append(Exit.BLOCKED)
    if plan.with_status(Status.UNREAD):
        found.append(Exit.UNAVAILABLE)
    if detailed and plan.ready:
        found.append(Exit.CHANGES)
    return worst(found)


def _listed(
    planner: _Planner, world: World, desired: tuple[DesiredAgent, ...], width: int
) -> Iterator[PlannedAgent]:
    for planned in world.workers.map(planner.plan_agent, desired, width=width):
        world.progress.step()
        if planned is not None:
            yield planned


@dataclass(frozen=True, slots=True)
class _Planner:
    """Plans one agent at a time; used from several threads."""

    world: World
    judge: Judge
    terms: Terms

    def plan_agent(self, desired: DesiredAgent) -> PlannedAgent | None:
        """Return the agent's part of the plan, or None where there is nothing to say."""
        reading = self.world.tenant.agent(desired.id)
        match reading:
            case MissingAgent():
                message = "the tenant knows no such agent; remove the member or correct its id"
                finding = Finding("agent.notFound", Verdict.BLOCK, message)
                return _without_reading(desired, Status.BLOCKED, finding)
            case UnreadAgent(code=code, reason=reason):
                return _without_reading(desired, Status.UNREAD, Finding(code, Verdict.WARN, reason))
            case ObservedAgent():
                return self._compare(desired, reading)

    def _compare(self, desired: DesiredAgent, observed: ObservedAgent) -> PlannedAgent | None:
        schedule = cache(lambda: self.world.tenant.schedule(desired.id))
        target = self.judge.target(desired, schedule)
        changes = target.marked(diff(target.desired, observed, self.terms))
        before = state_of(observed)
        after = changed(before, changes)
        findings = self.judge.judge(target, observed, changes, after, schedule)
        if not changes and not findings:
            return None
        status = status_of(changes, findings)
        follows = any(change.scheduled for change in changes)
        return PlannedAgent(
            desired.id,
            desired.key,
            desired.team,
            status,
            observed.etag,
            before,
            after,
            changes,
            findings,
            phase_of(changes) if status is Status.READY else None,
            target.until if follows else None,
        )


def _without_reading(desired: DesiredAgent, status: Status, finding: Finding) -> PlannedAgent:
    return PlannedAgent(
        desired.id, desired.key, desired.team, status, None, None, None, (), (finding,)
    )


def _tenant_ref(declarations: Declarations, identity: TenantIdentity) -> TenantRef:
    return TenantRef(declarations.tenant, declarations.api, identity.origin, identity.tenant_id)


def _basis(desired: tuple[DesiredAgent, ...], found: tuple[PlannedAgent, ...]) -> Basis:
    return Basis(
        managed_agents=len(desired),
        managed_assignments=sum(len(agent.skills) for agent in desired),
        unread=sum(agent.status is Status.UNREAD for agent in found),
    )
