"""The whole plan: who is read, what the agents give together, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from cxplan.core.catalogue import other_names
from cxplan.core.checks import judge_for
from cxplan.core.coverage import Holder, count
from cxplan.core.diff import Terms, terms_of
from cxplan.core.document import sealed
from cxplan.core.due import Past
from cxplan.core.errors import Exit, worst
from cxplan.core.findings import Finding, Verdict
from cxplan.core.guards import Basis, Covered, Standing, judge_guards
from cxplan.core.history import History
from cxplan.core.horizon import Ahead
from cxplan.core.instant import utc_text
from cxplan.core.live import TenantIdentity, TenantLists
from cxplan.core.meaning import source_digest
from cxplan.core.model import Declarations
from cxplan.core.plan import (
    FilesRef,
    Plan,
    PlannedAgent,
    Released,
    Status,
    TenantRef,
    Vocabulary,
    affected_by,
    first_boundary,
)
from cxplan.core.released import left_behind
from cxplan.core.rollback import Declared, Kept, Notes
from cxplan.core.rulechange import rule_changes
from cxplan.core.scope import EVERYTHING, choices
from cxplan.usecases.plan.agent import Planner, Reviewed, Rule
from cxplan.usecases.plan.aim import Timer, WayBack
from cxplan.usecases.plan.question import Question, question_of
from cxplan.usecases.plan.world import PlanRequest, World


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what a rollback has to say beside it."""

    plan: Plan
    notes: Notes


def make_plan(world: World, request: PlanRequest, declarations: Declarations) -> Plan:
    """Read every agent that is asked for, compare, judge, and return the plan.

    Raises:
        InvalidError: an allowed guard denies nothing as it is set.
        TenantError: the tenant cannot be reached or refuses; no plan is better than half of one.
        EvidenceError: the ledger cannot be read, so that nobody can say what is released.
    """
    return make_rollback(world, request, declarations).plan


def make_rollback(world: World, request: PlanRequest, declarations: Declarations) -> Planned:
    """Return a plan with what it leaves of the run that ``request.back`` is, and who declares it.

    Raises:
        UnapprovedError: the run wrote to another tenant.
        CxplanError: as ``make_plan``.
    """
    # Sealing builds the plan again as JSON; until then what is wanted of everybody is let go.
    made = _made(world, request, declarations)
    return replace(made, plan=sealed(made.plan))


def _made(world: World, request: PlanRequest, declarations: Declarations) -> Planned:
    created = world.clock.now().replace(microsecond=0)
    past = world.memory.past(declarations.tenant) if request.scope.only_due else None
    question = question_of(request, request.at or created, declarations, past)
    identity = world.tenant.connect(write=False)
    if request.back is not None:
        request.back.refuse_other(identity)
    lists = world.tenant.lists()
    history = world.memory.last_values(declarations.tenant)
    planner = _planner(world, question, lists, history)
    gathered = _Gathered(len(planner.rules))
    world.progress.start("Reading agents", len(question.read))
    for reviewed in world.workers.map(planner.review, question.read, width=request.width):
        world.progress.step()
        gathered.add(reviewed)
    world.progress.finish()
    terms = planner.terms
    plan = _plan(question, gathered, planner.rules, _tenant_ref(declarations, identity), created)
    plan = replace(
        plan,
        released=(*plan.released, *_gone(question, history, terms)),
        warnings=(*_over(question), *other_names(declarations, lists), *_no_run(past)),
    )
    return Planned(plan, Notes(tuple(gathered.kept), tuple(gathered.declared)))


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


# --- how agents are judged ------------------------------------------------------------------


def _planner(world: World, question: Question, lists: TenantLists, history: History) -> Planner:
    declarations = question.resolved.declarations
    guarded = replace(declarations, guards=question.settings)
    terms = terms_of(declarations, world.source.locate)
    base, back = question.base, question.request.back
    judge = judge_for(
        guarded,
        question.at,
        lists,
        needs_etag=world.tenant.locking == "etag",
        allowed={allowance.guard for allowance in question.request.allowed},
    )
    ahead = Ahead(question.resolved, question.at, terms)
    return Planner(
        world.tenant,
        judge,
        terms,
        ahead,
        question.choices,
        question.protected,
        _rules(guarded, question.request.base),
        history,
        None if base is None else {agent.id: agent for agent in base.at(question.at)},
        None if question.past is None else Timer(question.past, judge, ahead),
        None if back is None else WayBack(back, judge, ahead, terms, history),
    )


def _rules(declarations: Declarations, base: Declarations | None) -> tuple[Rule, ...]:
    """Return the coverage rules, each for the skill that its files mean by the name.

    A change may take a skill's name away, or give it to another id: the rule of the base still
    counts for what the base means.
    """
    found = {}
    for coverage in declarations.guards.min_coverage:
        for files in (declarations, base):
            if files is not None and coverage.skill in files.skills:
                skill = files.skills[coverage.skill].id
                if files is declarations or coverage in files.guards.min_coverage:
                    found[coverage, skill] = Rule(coverage, skill, declarations.levels)
    return tuple(found.values())


# --- what the agents give together ----------------------------------------------------------


@dataclass(slots=True)
class _Gathered:
    """The parts of a plan as they come in, agent by agent."""

    rules: int
    agents: list[PlannedAgent] = field(default_factory=list)
    released: list[Released] = field(default_factory=list)
    boundary: datetime | None = None
    unread: int = 0
    kept: list[Kept] = field(default_factory=list)
    declared: list[Declared] = field(default_factory=list)
    holders: list[list[Holder]] = field(init=False)

    def __post_init__(self) -> None:
        self.holders = [[] for _ in range(self.rules)]

    def add(self, reviewed: Reviewed) -> None:
        if reviewed.planned is not None:
            self.agents.append(reviewed.planned)
        self.unread += reviewed.unread
        self.released += reviewed.released
        self.kept += reviewed.kept
        self.declared += reviewed.declared
        if reviewed.boundary is not None:
            self.boundary = min(self.boundary or reviewed.boundary, reviewed.boundary)
        for found, holder in zip(self.holders, reviewed.holders, strict=False):
            if holder is not None:
                found.append(holder)


def _plan(
    question: Question,
    gathered: _Gathered,
    rules: tuple[Rule, ...],
    tenant: TenantRef,
    created: datetime,
) -> Plan:
    request, declarations = question.request, question.resolved.declarations
    agents = tuple(gathered.agents)
    standing = Standing(question.settings, question.at, declarations.overrides, request.allowed)
    basis = _basis(question, gathered, rules)
    changed_rules = rule_changes(request.base, declarations) if request.base else ()
    return Plan(
        plan_id="",
        digest="",
        semantic_digest="",
        tool_version=request.tool_version,
        tenant=tenant,
        created_at=created,
        evaluated_at=question.at,
        expires_at=created + request.valid_for,
        source=FilesRef(request.commit, source_digest(question.resolved)),
        managed=len(question.planned),
        agents=agents,
        guards=judge_guards(standing, affected_by(agents), basis),
        vocabulary=Vocabulary(
            declarations.levels, {mode.id: mode.name for mode in declarations.modes.values()}
        ),
        live_as_of=request.snapshot_taken or created,
        scope=request.scope,
        allowed=request.allowed,
        released=tuple(gathered.released),
        rule_changes=changed_rules,
        next_boundary=first_boundary(agents, gathered.boundary),
        only_shown=tuple(_only_shown(request)),
        rollback=request.back.run_id if request.back else None,
    )


def _only_shown(request: PlanRequest) -> Iterator[str]:
    if request.at is not None:
        yield "--at"
    if request.snapshot_taken is not None:
        yield "--snapshot"


def _basis(question: Question, gathered: _Gathered, rules: tuple[Rule, ...]) -> Basis:
    """Return what the guards stand on: the whole of the files, whatever the scope is."""
    desired = question.resolved.at(question.at)
    managed = {agent.id for agent in desired}
    return Basis(
        managed_agents=len(desired),
        managed_assignments=sum(len(agent.skills) for agent in desired),
        unread=gathered.unread,
        protected=len(question.protected & managed),
        coverage=tuple(
            Covered(
                rule.coverage.skill,
                rule.coverage.agents,
                rule.coverage.level_at_least,
                count(holders, question.at, rule.coverage.horizon_hours),
            )
            for rule, holders in zip(rules, gathered.holders, strict=True)
        ),
    )


def _gone(question: Question, history: History, terms: Terms) -> Iterator[Released]:
    """Yield values of agents that the files do not name any more; nobody reads those.

    A part tells only of those that the base puts into it: the ledger knows no teams.
    """
    request = question.request
    if request.back is not None:
        return
    base = {agent.id: agent for agent in question.base.at(question.at)} if question.base else {}
    chosen = dict(choices(request.scope, request.base)) if request.base else {}
    if not request.scope.partial:
        chosen = dict.fromkeys(history, EVERYTHING) | chosen
    for agent_id in sorted(chosen.keys() - {agent.id for agent in question.resolved.agents}):
        written = history.get(agent_id, {})
        for value in left_behind(agent_id, base.get(agent_id), written, terms.names):
            if chosen[agent_id].takes(value.path):
                yield value


def _over(question: Question) -> Iterator[Finding]:
    for override in question.resolved.declarations.overrides:
        if override.end <= question.at:
            message = (
                f"the override {override.name} is over since {utc_text(override.end)}; "
                f"delete its file {override.block.layer.file}"
            )
            yield Finding("override.over", Verdict.WARN, message)


def _no_run(past: Past | None) -> Iterator[Finding]:
    if past is not None and past.empty:
        message = (
            "no run of this ledger is sealed yet, so nothing can be due; run cxplan apply first"
        )
        yield Finding("due.noRun", Verdict.WARN, message)


def _tenant_ref(declarations: Declarations, identity: TenantIdentity) -> TenantRef:
    return TenantRef(declarations.tenant, declarations.api, identity.origin, identity.tenant_id)
