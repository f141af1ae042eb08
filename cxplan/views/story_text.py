"""One sealed run, agent by agent, on the screen and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cxplan.core.errors import Exit
from cxplan.core.evidence import RunStory
from cxplan.views.encoder import show
from cxplan.views.paint import Paint
from cxplan.views.values import columns

_GOOD = frozenset({"applied", "alreadyThere", "converged"})


def story_text(story: RunStory, paint: Paint) -> str:
    """Return what a run did as text, ending in a newline."""
    return "\n".join(_lines(story, paint)) + "\n"


def _lines(story: RunStory, paint: Paint) -> Iterator[str]:
    head = story.head
    code = f"{head.exit_code} {Exit(head.exit_code).word}" if head.exit_code in set(Exit) else "?"
    yield paint.strong(f"Run {head.run_id}, the {head.sequence}. of its ledger")
    yield from columns(
        [
            ("  tenant", show(story.tenant)),
            ("  actor", f"{show(story.actor)} (claimed)"),
            ("  opened", head.opened_at),
            ("  sealed", head.sealed_at),
            ("  plan", head.plan_id),
            ("  exit", code),
        ]
    )
    yield ""
    for record in _outcomes(story):
        yield from _agent(record, paint)
    yield f"Shown, not verified: cxplan audit verify {head.run_id[:8]}"


def _outcomes(story: RunStory) -> list[Mapping[str, Any]]:
    found = [record for record in story.records if record["kind"] == "agent.outcome"]
    return sorted(found, key=lambda record: str(record["agentId"]))


def _agent(record: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    outcome = str(record["outcome"])
    said = f": {show(str(record['message']), 500)}" if record.get("message") else ""
    line = f"  {show(str(record['agentId']))} {show(outcome)}{said}"
    yield paint.good(line) if outcome in _GOOD else paint.changed(line)
    if not record.get("conflict"):
        yield from columns([_change(change) for change in record.get("changes", ())])
    for moved in record.get("conflict", ()):
        yield (
            f"      {show(str(moved['path']))}: planned before {_value(moved['plannedBefore'])}, "
            f"current {_value(moved['current'])}, desired {_value(moved['desired'])}"
        )


def _change(change: Mapping[str, Any]) -> tuple[str, str, str]:
    because = change.get("because")
    place = f"{because['file']}:{because['line']}" if because else "(default)"
    values = f"{_value(change['before'])} → {_value(change['after'])}"
    return f"      {show(str(change['path']))}", values, show(place)


def _value(value: object) -> str:
    return "none" if value is None else show(str(value))


def story_document(story: RunStory) -> dict[str, Any]:
    """Return the members of ``audit show --json`` besides kind, version, exit and errors."""
    return {
        "runId": story.head.run_id,
        "head": str(story.head),
        "actor": story.actor,
        "tenant": story.tenant,
        "records": [dict(record) for record in story.records],
    }
