"""What the journal says of a run and of each agent, as the fields of its lines.

A compliance flag is true only if that check ran and passed for this agent. Names, addresses and
free text of the tenant are not recorded: ids, values, tags and statuses only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cxplan.core.answers import Answer, Write
from cxplan.core.checks import written
from cxplan.core.diff import WORK_MODE, AgentState, Change, changed, state_of
from cxplan.core.document import changes_document, findings_document, state_document
from cxplan.core.due import looked
from cxplan.core.findings import Finding, Verdict
from cxplan.core.ids import AgentId, ETag
from cxplan.core.instant import utc_millis, utc_text
from cxplan.core.live import AgentReading, MissingAgent, ObservedAgent, UnreadAgent
from cxplan.core.model import LayerKind, Override
from cxplan.core.plan import Plan
from cxplan.core.steps import Moved, Outcome

REASON_LENGTH = 200
_ATTRIBUTION = {Outcome.APPLIED: "own", Outcome.CONVERGED: "unproven"}
"""Whose write made the new state: ours, by the tenant's answer, or ours as far as a read shows."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """What was sent for one agent and what came back last; None where nothing has yet."""

    attempts: int
    answer: Answer | None
    sent: ETag | None
    """The If-Match of the last attempt."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How one agent ended, with everything that its record holds.

    ``previous`` and ``new`` are the states before and after as read or answered; ``new`` is None
    where nothing is known to have changed.
    """

    agent_id: AgentId
    outcome: Outcome
    message: str
    changes: tuple[Change, ...]
    previous: AgentState | None
    findings: tuple[Finding, ...] = ()
    new: AgentState | None = None
    etag_before: ETag | None = None
    etag_after: ETag | None = None
    moved: tuple[Moved, ...] = ()
    attempted: Attempted | None = None


def intent_fields(
    write: Write,
    before: AgentState,
    changes: tuple[Change, ...],
    etag: ETag | None,
    findings: Iterable[Finding],
) -> dict[str, Any]:
    """Return the line that must be on disk before the PATCH leaves."""
    after = changed(before, changes)
    return {
        "agentId": write.agent_id,
        "before": state_document(before),
        "desired": state_document(AgentState(write.work_mode, written(changes, after))),
        "ifMatch": etag,
        "reason": write.reason,
        "changes": changes_document(changes),
        "checks": findings_document(findings),
    }


def attempt_fields(
    agent_id: AgentId, number: int, answer: Answer, sent: ETag | None
) -> dict[str, Any]:
    """Return the line of one exchange: what it was locked to, and a status or a failure.

    ``detail`` is what the tenant said of a refusal, or the class of the trouble on the wire.
    """
    return {
        "agentId": agent_id,
        "attempt": number,
        "ifMatch": sent,
        "status": answer.status,
        "failure": answer.failure and answer.failure.value,
        "detail": answer.detail or None,
        "headers": dict(answer.headers),
        "latencyMs": answer.latency_ms,
    }


def read_back_fields(agent_id: AgentId, reading: AgentReading, why: str) -> dict[str, Any]:
    """Return the line of what stood there after a write of unknown outcome."""
    unread = reading.reason if isinstance(reading, UnreadAgent) else None
    return {"agentId": agent_id, "why": why, "unread": unread, **_read(reading)}


def recovered_fields(
    agent_id: AgentId, sent: ETag | None, reading: AgentReading, decision: str
) -> dict[str, Any]:
    """Return the line of what was found out about an open intent, and what follows from it.

    ``sent`` is the intent's If-Match.
    """
    told = {"agentId": agent_id, "ifMatch": sent, "decision": decision}
    return {**told, "unread": _unread(reading), **_read(reading)}


def _read(reading: AgentReading) -> dict[str, Any]:
    seen = reading if isinstance(reading, ObservedAgent) else None
    state = state_document(state_of(seen)) if seen else None
    return {"read": state, "etag": seen.etag if seen else None}


def _unread(reading: AgentReading) -> str | None:
    match reading:
        case ObservedAgent():
            return None
        case MissingAgent():
            return "agent.notFound"
        case UnreadAgent(code=code):
            return code


def outcome_fields(ending: Ending, *, audit_id: str, at: datetime, locking: str) -> dict[str, Any]:
    """Return the record of one agent."""
    return {
        "agentId": ending.agent_id,
        "auditId": audit_id,
        "action": _action(ending.changes),
        "timestamp": utc_millis(at),
        "outcome": ending.outcome.value,
        "message": ending.message,
        "attribution": _ATTRIBUTION.get(ending.outcome),
        "previousState": state_document(ending.previous),
        "newState": state_document(ending.new),
        "etagBefore": ending.etag_before,
        "etagAfter": ending.etag_after,
        "locking": locking,
        "changes": changes_document(ending.changes),
        "conflict": [_moved(moved) for moved in ending.moved],
        "validation": _validation(ending.findings),
        "apiResponse": _response(ending.attempted),
        "metrics": _metrics(ending.attempted, at),
        "complianceFlags": _flags(ending, locking),
    }


def _action(changes: Iterable[Change]) -> str:
    transition = any(change.path == WORK_MODE for change in changes)
    return "workmode_transition" if transition else "skill_update"


def _moved(moved: Moved) -> dict[str, Any]:
    return {
        "path": moved.path,
        "plannedBefore": moved.before,
        "current": moved.current,
        "desired": moved.desired,
    }


def _validation(findings: tuple[Finding, ...]) -> dict[str, Any]:
    bad = [finding for finding in findings if finding.verdict in {Verdict.DEFER, Verdict.BLOCK}]
    errors = [f"{finding.id}: {finding.message}" for finding in bad]
    return {"passed": bool(findings) and not errors, "errors": errors}


def _response(attempted: Attempted | None) -> dict[str, Any] | None:
    if attempted is None or attempted.answer is None:
        return None
    headers = dict(attempted.answer.headers)
    return {"status": attempted.answer.status, "headers": headers}


def _metrics(attempted: Attempted | None, at: datetime) -> dict[str, Any]:
    return {
        "latencyMs": attempted.answer.latency_ms if attempted and attempted.answer else None,
        "attempts": attempted.attempts if attempted else 0,
        "timestamp": utc_millis(at),
    }


def _flags(ending: Ending, locking: str) -> dict[str, bool]:
    return {
        "shiftValidated": _passed(ending.findings, "shift."),
        "concurrentLimitsChecked": _passed(ending.findings, "concurrency."),
        "optimisticLockingApplied": (
            locking == "etag" and ending.attempted is not None and ending.attempted.sent is not None
        ),
    }


def _passed(findings: Iterable[Finding], family: str) -> bool:
    verdicts = [finding.verdict for finding in findings if finding.id.startswith(family)]
    return bool(verdicts) and set(verdicts) == {Verdict.OK}


def reason_text(plan_id: str, tickets: Iterable[str]) -> str:
    """Return the reason that the tenant's own log keeps, at most 200 characters."""
    return f"cxplan {plan_id}: {', '.join(tickets) or 'desired state'}"[:REASON_LENGTH]


def tickets(changes: Iterable[Change], overrides: Iterable[Override]) -> tuple[str, ...]:
    """Return the tickets, else the names, of the overrides that made changes or left them."""
    layer = LayerKind.OVERRIDE.value
    files = {c.because.file for c in changes if c.because and c.because.layer == layer}
    left = {change.overdue for change in changes}
    return tuple(
        override.ticket or override.name
        for override in overrides
        if override.block.layer.file in files or override.name in left
    )


def start_fields(
    plan: Plan,
    *,
    allowed: Iterable[tuple[str, str]],
    run_url: str | None,
    clock: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the first line of a run: what it was made from and what its clocks said."""
    return {
        "tenant": plan.tenant.name,
        "commit": plan.source.commit,
        "filesDigest": plan.source.digest,
        "plannedAt": utc_text(plan.evaluated_at),
        "looked": looked(plan.scope, rollback=plan.rollback is not None).value,
        "rollback": plan.rollback,
        "runUrl": run_url,
        "clock": dict(clock),
        "allowed": [{"guard": guard, "reason": reason} for guard, reason in allowed],
    }
