"""A typed plan document to a plan value."""

from __future__ import annotations

from datetime import datetime

from cxplan.core.coverage import Interval
from cxplan.core.diff import AgentState, Because, Change, Direction, Op, SkillState
from cxplan.core.findings import Finding, GuardFinding, GuardVerdict, Verdict
from cxplan.core.ids import AgentId, AgentKey, ETag, SkillId, WorkModeId
from cxplan.core.instant import parse_utc
from cxplan.core.model import Levels
from cxplan.core.plan import (
    FilesRef,
    Plan,
    PlannedAgent,
    Released,
    RuleChange,
    Status,
    TenantRef,
    Vocabulary,
)
from cxplan.core.scope import Atom, Expression, Scope
from cxplan.core.strictness import Allowance
from cxplan.planfile.schema import (
    AgentPart,
    ChangePart,
    FindingPart,
    GuardPart,
    PlanPart,
    ReleasedPart,
    ScopePart,
    StatePart,
    VocabularyPart,
)


def plan_of(part: PlanPart) -> Plan:
    """Return the plan that the document describes.

    Raises:
        ValueError: an instant in it is none.
    """
    tenant = part.tenant
    return Plan(
        plan_id=part.plan_id,
        digest=part.digest,
        semantic_digest=part.semantic_digest,
        tool_version=part.tool.version,
        tenant=TenantRef(tenant.name, tenant.api, tenant.origin, tenant.tenant_id),
        created_at=parse_utc(part.created_at),
        evaluated_at=parse_utc(part.evaluated_at),
        expires_at=parse_utc(part.expires_at),
        source=FilesRef(part.source.commit, part.source.digest),
        managed=part.summary.agents,
        agents=tuple(_agent(agent) for agent in part.agents),
        guards=tuple(_guard(guard) for guard in part.guards),
        vocabulary=_vocabulary(part.vocabulary),
        live_as_of=parse_utc(part.live_as_of),
        scope=_scope(part.scope),
        allowed=tuple(Allowance(a.guard, a.reason) for a in part.allowed),
        released=tuple(_released(value) for value in part.released),
        rule_changes=tuple(
            RuleChange(r.path, r.before, r.after, r.looser) for r in part.rule_changes
        ),
        warnings=tuple(_finding(finding) for finding in part.warnings),
        next_boundary=_instant(part.next_boundary),
        only_shown=tuple(part.only_shown),
        rollback=part.rollback,
    )


def _scope(part: ScopePart) -> Scope:
    return Scope(
        _expressions(part.only), _expressions(part.exclude), part.only_this_change, part.only_due
    )


def _expressions(part: list[list[str]] | None) -> tuple[Expression, ...]:
    return tuple(tuple(map(_atom, expression)) for expression in part or ())


def _atom(text: str) -> Atom:
    kind, _, name = text.partition(":")
    return Atom(kind, name)


def _released(part: ReleasedPart) -> Released:
    key = None if part.agent.name is None else AgentKey(part.agent.name)
    return Released(
        AgentId(part.agent.id), key, part.agent.team, part.path, part.value, part.run, part.override
    )


def _agent(part: AgentPart) -> PlannedAgent:
    return PlannedAgent(
        id=AgentId(part.agent.id),
        key=AgentKey(part.agent.name),
        team=part.agent.team,
        status=Status(part.status),
        etag=None if part.etag is None else ETag(part.etag),
        before=_state(part.before),
        after=_state(part.after),
        changes=tuple(_change(change) for change in part.changes),
        checks=tuple(_finding(finding) for finding in part.checks),
        phase=part.phase,
        holds_until=_instant(part.holds_until),
        protected=part.protected,
    )


def _state(part: StatePart | None) -> AgentState | None:
    if part is None:
        return None
    mode = None if part.work_mode_id is None else WorkModeId(part.work_mode_id)
    skills = tuple(
        SkillState(SkillId(s.skill_id), s.level, s.concurrent_interactions) for s in part.skills
    )
    return AgentState(mode, skills)


def _change(part: ChangePart) -> Change:
    because = part.because
    return Change(
        path=part.path,
        op=Op(part.op),
        before=part.before,
        after=part.after,
        because=Because(because.file, because.line, because.layer) if because else None,
        skill_id=None if part.skill_id is None else SkillId(part.skill_id),
        direction=Direction(part.direction) if part.direction else None,
        scheduled=part.scheduled,
        overdue=part.overdue,
        pending=part.pending,
        rolled_back=part.rolled_back,
    )


def _finding(part: FindingPart) -> Finding:
    return Finding(part.id, Verdict(part.verdict), part.message, _instant(part.until))


def _guard(part: GuardPart) -> GuardFinding:
    return GuardFinding(
        part.id,
        GuardVerdict(part.verdict),
        part.actual,
        part.limit,
        tuple(sorted(part.basis.items())),
        tuple(part.examples),
        part.subject,
        tuple(
            Interval(parse_utc(i.start), parse_utc(i.end), i.before, i.after)
            for i in part.intervals
        ),
    )


def _vocabulary(part: VocabularyPart) -> Vocabulary:
    levels = Levels(part.levels.best, part.levels.worst, part.levels.names)
    modes = {WorkModeId(key): name for key, name in part.work_modes.items()}
    return Vocabulary(levels, modes)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_utc(text)
