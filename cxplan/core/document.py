"""A plan as one JSON document: the form of its file and of ``plan --json``.

Members are camelCase and instants are UTC. Readers ignore members they do not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from cxplan.core.canonical import canonical, digest
from cxplan.core.diff import AgentState, Change
from cxplan.core.findings import Finding, GuardFinding, Verdict
from cxplan.core.instant import utc_text
from cxplan.core.plan import (
    FORMAT_VERSION,
    KIND,
    Plan,
    PlannedAgent,
    Released,
    Status,
    plan_id_of,
)
from cxplan.core.scope import Expression, Scope

UNDIGESTED = ("digest", "planId")
"""The members that the digest does not cover."""


def sealed(plan: Plan) -> Plan:
    """Return the plan with its digests and its id, computed from everything else in it."""
    plan = replace(plan, semantic_digest=semantic_digest(plan))
    whole = document_digest(document(plan))
    return replace(plan, digest=whole, plan_id=plan_id_of(whole))


def document_digest(body: dict[str, Any]) -> str:
    """Return the digest that a plan document must carry."""
    return digest({name: body[name] for name in body if name not in UNDIGESTED})


def semantic_digest(plan: Plan) -> str:
    """Return a digest of what would change on which tenant, without any time or tag."""
    changes = [
        [agent.id, change.path, change.before, change.after]
        for agent in plan.agents
        for change in agent.changes
    ]
    return digest(
        {"tenant": _tenant(plan), "scope": _scope(plan.scope), "changes": sorted(changes, key=str)}
    )


def plan_bytes(plan: Plan) -> bytes:
    """Return the plan file: RFC 8785, no newline at its end."""
    return canonical(document(plan))


def document(plan: Plan) -> dict[str, Any]:
    """Return the plan as its JSON document."""
    return {
        "kind": KIND,
        "formatVersion": FORMAT_VERSION,
        "planId": plan.plan_id,
        "digest": plan.digest,
        "semanticDigest": plan.semantic_digest,
        "tool": {"name": "cxplan", "version": plan.tool_version},
        "tenant": _tenant(plan),
        "createdAt": utc_text(plan.created_at),
        "evaluatedAt": utc_text(plan.evaluated_at),
        "expiresAt": utc_text(plan.expires_at),
        "applicable": plan.applicable,
        "source": {"commit": plan.source.commit, "digest": plan.source.digest},
        "onlyShown": list(plan.only_shown),
        "liveAsOf": utc_text(plan.live_as_of),
        "nextBoundary": _instant(plan.next_boundary),
        "scope": _scope(plan.scope),
        "rollback": plan.rollback,
        "summary": summary(plan),
        "agents": [_agent(agent) for agent in plan.agents],
        "checks": [
            {"agent": agent.id} | _finding(finding)
            for agent in plan.agents
            for finding in agent.checks
            if finding.verdict is not Verdict.OK
        ],
        "guards": [_guard(finding) for finding in plan.guards],
        "allowed": [{"guard": a.guard, "reason": a.reason} for a in plan.allowed],
        "released": [_released(value) for value in plan.released],
        "ruleChanges": [
            {"path": r.path, "before": r.before, "after": r.after, "looser": r.looser}
            for r in plan.rule_changes
        ],
        "warnings": [_finding(finding) for finding in plan.warnings],
        "vocabulary": _vocabulary(plan),
    }


def summary(plan: Plan) -> dict[str, int]:
    """Return the counts of a plan; ``changes`` counts those of ready agents."""
    count = {status: len(plan.with_status(status)) for status in Status}
    acted_on = sum(count[s] for s in Status if s is not Status.UNCHANGED)
    return {
        "agents": plan.managed,
        "unchanged": plan.managed - acted_on,
        "ready": count[Status.READY],
        "deferred": count[Status.DEFERRED],
        "blocked": count[Status.BLOCKED],
        "unread": count[Status.UNREAD],
        "changes": sum(len(agent.changes) for agent in plan.ready),
        "released": len(plan.released),
    }


def _tenant(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.tenant.name,
        "api": plan.tenant.api,
        "origin": plan.tenant.origin,
        "tenantId": plan.tenant.tenant_id,
    }


def _scope(scope: Scope) -> dict[str, Any]:
    return {
        "only": _expressions(scope.only),
        "exclude": _expressions(scope.exclude),
        "onlyThisChange": scope.this_change,
        "onlyDue": scope.only_due,
        "partial": scope.partial,
    }


def _expressions(found: Iterable[Expression]) -> list[list[str]] | None:
    return [[str(atom) for atom in expression] for expression in found] or None


def _released(value: Released) -> dict[str, Any]:
    return {
        "agent": {"id": value.agent_id, "name": value.key, "team": value.team},
        "path": value.path,
        "value": value.value,
        "run": value.run,
        "override": value.override,
    }


def _agent(agent: PlannedAgent) -> dict[str, Any]:
    return {
        "agent": {"id": agent.id, "name": agent.key, "team": agent.team},
        "status": agent.status.value,
        "etag": agent.etag,
        "holdsUntil": _instant(agent.holds_until),
        "protected": agent.protected,
        "before": state_document(agent.before),
        "after": state_document(agent.after),
        "changes": [_change(change) for change in agent.changes],
        "phase": agent.phase,
        "checks": [_finding(finding) for finding in agent.checks],
    }


def state_document(state: AgentState | None) -> dict[str, Any] | None:
    """Return the values of an agent as plan, record and event show them."""
    if state is None:
        return None
    return {
        "workModeId": state.work_mode,
        "skills": [
            {
                "skillId": skill.skill_id,
                "level": skill.level,
                "concurrentInteractions": skill.concurrent,
            }
            for skill in state.skills
        ],
    }


def changes_document(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return changes as plan and record show them."""
    return [_change(change) for change in changes]


def _change(change: Change) -> dict[str, Any]:
    because = change.because
    return {
        "path": change.path,
        "op": change.op.value,
        "before": change.before,
        "after": change.after,
        "skillId": change.skill_id,
        "direction": change.direction and change.direction.value,
        "scheduled": change.scheduled,
        "overdue": change.overdue,
        "pending": change.pending,
        "rolledBack": change.rolled_back,
        "because": because and {"file": because.file, "line": because.line, "layer": because.layer},
    }


def findings_document(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return findings as plan and record show them."""
    return [_finding(finding) for finding in findings]


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "verdict": finding.verdict.value,
        "message": finding.message,
        "until": _instant(finding.until),
    }


def _guard(finding: GuardFinding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "verdict": finding.verdict.value,
        "actual": finding.actual,
        "limit": finding.limit,
        "basis": dict(finding.basis),
        "examples": list(finding.examples),
        "subject": finding.subject,
        "intervals": [
            {
                "from": utc_text(i.start),
                "until": utc_text(i.end),
                "before": i.before,
                "after": i.after,
            }
            for i in finding.intervals
        ],
    }


def _vocabulary(plan: Plan) -> dict[str, Any]:
    levels = plan.vocabulary.levels
    return {
        "levels": {"best": levels.best, "worst": levels.worst, "names": dict(levels.names)},
        "workModes": dict(plan.vocabulary.modes),
    }


def _instant(instant: datetime | None) -> str | None:
    return utc_text(instant) if instant else None
