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
from cxplan.core.diff import WORK_MODE, AgentState, Change, changed
from cxplan.core.document import changes_document, findings_document, state_document
from cxplan.core.findings import Finding, Verdict
from cxplan.core.ids import AgentId, ETag
from cxplan.core.instant import utc_millis
from cxplan.core.steps import Moved, Outcome

REASON_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Attempted:
    """What was sent for one agent and what came back last."""

    attempts: int
    latency_ms: int
    answer: Answer
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


def attempt_fields(agent_id: AgentId, number: int, answer: Answer) -> dict[str, Any]:
    """Return the line of one exchange: a status or a class of failure, and its latency."""
    return {
        "agentId": agent_id,
        "attempt": number,
        "status": answer.status,
        "failure": answer.failure and answer.failure.value,
        "latencyMs": answer.latency_ms,
    }


def outcome_fields(ending: Ending, *, audit_id: str, at: datetime, locking: str) -> dict[str, Any]:
    """Return the record of one agent."""
    return {
        "agentId": ending.agent_id,
        "auditId": audit_id,
        "action": _action(ending.changes),
        "timestamp": utc_millis(at),
        "outcome": ending.outcome.value,
        "message": ending.message,
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
    if attempted is None:
        return None
    headers = dict(attempted.answer.headers)
    return {"status": attempted.answer.status, "headers": headers}


def _metrics(attempted: Attempted | None, at: datetime) -> dict[str, Any]:
    return {
        "latencyMs": attempted.latency_ms if attempted else None,
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


def reason_text(plan_id: str) -> str:
    """Return the reason that the tenant's own log keeps, at most 200 characters."""
    return f"cxplan {plan_id}: desired state"[:REASON_LENGTH]


def start_fields(
    *,
    commit: str | None,
    files_digest: str,
    run_url: str | None,
    clock: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the first line of a run: what it was made from and what its clocks said."""
    return {
        "commit": commit,
        "filesDigest": files_digest,
        "runUrl": run_url,
        "clock": dict(clock),
    }
