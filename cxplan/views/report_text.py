"""What an apply did, on the screen and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cxplan.core.evidence import Head
from cxplan.core.plan import Vocabulary
from cxplan.core.report import AS_DESIRED, AgentReport, RunReport
from cxplan.core.steps import Moved, Outcome
from cxplan.views.encoder import show
from cxplan.views.paint import Paint
from cxplan.views.values import count, value_text

_WORDS = {
    Outcome.APPLIED: "applied",
    Outcome.ALREADY_THERE: "already there",
    Outcome.CONVERGED: "converged",
    Outcome.CONFLICT: "conflict",
    Outcome.STALE: "stale",
    Outcome.REJECTED: "rejected",
    Outcome.FAILED: "failed",
    Outcome.UNKNOWN: "unknown",
    Outcome.DEFERRED: "deferred",
    Outcome.BLOCKED: "blocked",
    Outcome.UNREAD: "unread",
    Outcome.NOT_ATTEMPTED: "not attempted",
}
_TRIED = tuple(_WORDS)[:8]
_UNTRIED = tuple(_WORDS)[8:]


def report_text(report: RunReport, vocabulary: Vocabulary, ledger: str, paint: Paint) -> str:
    """Return the end of an apply as text, ending in a newline; ``ledger`` is its folder."""
    lines = [*_lines(report, vocabulary, paint)]
    if report.head:
        lines.append(f"Bundle: {show(_path(ledger, report.head))}")
        lines.append(f"Head, to be kept elsewhere: {report.head}")
    return "\n".join(lines) + "\n"


def _path(ledger: str, head: Head) -> str:
    return f"{ledger}/{head.folder}"


def _lines(report: RunReport, vocabulary: Vocabulary, paint: Paint) -> Iterator[str]:
    counts = report.summary
    tried = ", ".join(f"{counts[o]:,} {_WORDS[o]}" for o in _TRIED)
    untried = ", ".join(f"{counts[o]:,} {_WORDS[o]}" for o in _UNTRIED)
    if report.stopped:
        yield paint.bad(f"Apply stopped: {show(report.stopped, 500)}")
        yield paint.strong(f"So far: {tried}; {untried}.")
    else:
        yield paint.strong(f"Apply complete: {tried}; {untried}.")
    if report.latency:
        latency = report.latency
        yield (
            f"PATCH latency: median {latency.median:,} ms, p95 {latency.p95:,} ms, "
            f"longest {latency.longest:,} ms."
        )
    for agent in report.agents:
        if agent.outcome not in AS_DESIRED:
            yield from _agent(agent, vocabulary, paint)
    if report.undelivered_events:
        number = count(report.undelivered_events, "event")
        yield paint.changed(f"Warning: {number} could not be delivered; the changes are made.")


def _agent(agent: AgentReport, vocabulary: Vocabulary, paint: Paint) -> Iterator[str]:
    said = f": {show(agent.message, 500)}" if agent.message else ""
    name = f"{show(agent.key)} ({agent.id}, {show(agent.team)})"
    yield paint.changed(f"  ! {name} {_WORDS[agent.outcome]}{said}")
    for moved in agent.moved:
        yield "      " + _moved(moved, vocabulary)


def _moved(moved: Moved, vocabulary: Vocabulary) -> str:
    part = moved.path.rpartition("/")[2]
    before, current, desired = (
        value_text(vocabulary, part, value)
        for value in (moved.before, moved.current, moved.desired)
    )
    return f"{show(moved.path)}: planned before {before}, current {current}, desired {desired}"


def report_document(report: RunReport, ledger: str) -> dict[str, Any]:
    """Return the members of ``apply --json`` besides kind, version, exit and errors."""
    latency = report.latency
    return {
        "runId": report.run_id,
        "planId": report.plan_id,
        "summary": {outcome.value: report.summary[outcome] for outcome in Outcome},
        "agents": [_agent_document(agent) for agent in report.agents],
        "latencyMs": latency
        and {"median": latency.median, "p95": latency.p95, "max": latency.longest},
        "undeliveredEvents": report.undelivered_events,
        "stopped": report.stopped,
        "bundle": _path(ledger, report.head) if report.head else None,
        "head": str(report.head) if report.head else None,
    }


def _agent_document(agent: AgentReport) -> dict[str, Any]:
    return {
        "agent": {"id": agent.id, "name": agent.key, "team": agent.team},
        "outcome": agent.outcome.value,
        "message": agent.message,
        "conflict": [
            {
                "path": moved.path,
                "plannedBefore": moved.before,
                "current": moved.current,
                "desired": moved.desired,
            }
            for moved in agent.moved
        ],
    }
