"""What an apply did, on the screen and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cxplan.core.evidence import Head
from cxplan.core.plan import Plan, Vocabulary
from cxplan.core.report import AS_DESIRED, AgentReport, RunReport
from cxplan.core.steps import Moved, Outcome
from cxplan.core.wording import count
from cxplan.views.encoder import show
from cxplan.views.folding import FOLD_FROM
from cxplan.views.paint import Paint
from cxplan.views.values import value_text

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
_AGAIN = (Outcome.NOT_ATTEMPTED, Outcome.FAILED, Outcome.CONFLICT, Outcome.STALE, Outcome.UNREAD)
NAMED = 8
"""So many agents who ended alike are named; the others are counted."""


def report_text(report: RunReport, plan: Plan, ledger: str, paint: Paint) -> str:
    """Return the end of an apply as text, ending in a newline; ``ledger`` is its folder."""
    lines = [*_lines(report, plan.vocabulary, paint)]
    if report.head:
        lines.append(f"Bundle: {show(_path(ledger, report.head))}")
        lines.append(f"Head, to be kept elsewhere: {report.head}")
    lines += _next(report, plan.rollback)
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
    for group in _groups(report.agents):
        if len(group) < FOLD_FROM:
            for agent in group:
                yield from _agent(agent, vocabulary, paint)
        else:
            yield from _folded(group, paint)
    if report.undelivered_events:
        number = count(report.undelivered_events, "event")
        yield paint.changed(f"Warning: {number} could not be delivered; the changes are made.")


def _groups(agents: Iterable[AgentReport]) -> Iterable[list[AgentReport]]:
    """Return the agents that are not as desired, those who ended alike together, by first id."""
    found: dict[object, list[AgentReport]] = {}
    for agent in agents:
        if agent.outcome not in AS_DESIRED:
            alike = (agent.team, agent.outcome, agent.message)
            found.setdefault(agent.id if agent.moved else alike, []).append(agent)
    return found.values()


def _folded(group: list[AgentReport], paint: Paint) -> Iterator[str]:
    first = group[0]
    said = f": {show(first.message, 500)}" if first.message else ""
    team = f"{len(group):,} agents in {show(first.team)}"
    yield paint.changed(f"  ! {team} {_WORDS[first.outcome]}{said}")
    named = ", ".join(show(agent.key) for agent in group[:NAMED])
    left = len(group) - NAMED
    yield paint.faint(f"      {named} and {left:,} more" if left > 0 else f"      {named}")


def _next(report: RunReport, rollback: str | None) -> Iterator[str]:
    """Say what to do about what is not as desired; ``rollback`` is the run that is taken back."""
    counts = report.summary
    if report.head is None:
        return
    if counts[Outcome.UNKNOWN]:
        yield "Next: cxplan explain AGENT --live shows how each unknown agent stands by now."
    if any(counts[outcome] for outcome in _AGAIN):
        planning = "plan" if rollback is None else f"rollback {show(rollback)}"
        yield (
            f"Next: cxplan {planning} -o FILE, then cxplan apply FILE; what was written is there "
            "and is not written again."
        )


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
