"""What a rollback says beside its plan: who declares it still, and what is not taken back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cxplan.core.diff import Value
from cxplan.core.model import DesiredAgent
from cxplan.core.plan import Plan
from cxplan.core.rollback import Declared, Kept, Notes, Why, is_stranger
from cxplan.core.wording import count
from cxplan.views.encoder import show
from cxplan.views.paint import Paint
from cxplan.views.plan_notes import SHOWN, run_text
from cxplan.views.plan_text import NAMED, plan_text
from cxplan.views.values import columns, value_text


def rollback_text(plan: Plan, notes: Notes, paint: Paint, *, verified: bool) -> str:
    """Return the plan as text, after what has to be known first.

    ``verified`` tells whether the run's own records were.
    """
    lines = [*_declared(plan, notes.declared, paint), *_kept(plan, notes.kept, paint)]
    if not verified:
        run = show(plan.rollback or "")
        lines += [f"The run was read unverified: cxplan audit verify {run} checks it.", ""]
    return "".join(f"{line}\n" for line in lines) + plan_text(plan, paint)


def _declared(plan: Plan, declared: tuple[Declared, ...], paint: Paint) -> Iterator[str]:
    if not declared:
        if plan.ready:
            yield "No line of the files declares what is taken back."
            yield ""
        return
    yield paint.strong("Still declared: the next apply would write this again.")
    yield "Revert these lines (git revert); until then cxplan plan shows it as rolled back."
    found: dict[tuple[str, int, str, Value], list[str]] = {}
    for each in declared:
        because = each.because
        place = (because.file, because.line, each.path, each.value)
        found.setdefault(place, []).append(each.agent.key)
    rows = [
        (f"  {show(file)}:{line}", show(path), _value(plan, path, value), _names(keys))
        for (file, line, path, value), keys in sorted(found.items(), key=lambda item: item[0][:3])
    ]
    yield from _cut(columns(rows), "line")
    yield ""


def _kept(plan: Plan, kept: tuple[Kept, ...], paint: Paint) -> Iterator[str]:
    if not kept:
        return
    yield paint.strong("Not taken back:")
    rows = [
        (
            f"  {show(each.agent.key)}/{show(each.path)}",
            f"{_stood(plan, each)}, now {_value(plan, each.path, each.now)}",
            _why(each),
        )
        for each in kept
    ]
    yield from _cut(columns(rows), "value")
    yield ""


def _stood(plan: Plan, kept: Kept) -> str:
    left = _value(plan, kept.path, kept.left)
    if kept.why is Why.UNKNOWN:
        return f"before {_value(plan, kept.path, kept.before)}, wanted {left}"
    return f"left at {left}"


def _why(kept: Kept) -> str:
    by = "" if kept.run is None else f" by run {run_text(kept.run)}"
    match kept.why:
        case Why.BACK:
            return f"as before already{by}"
        case Why.MOVED:
            return "changed since"
        case Why.LATER:
            return f"written{by} since"
        case Why.UNKNOWN:
            return "nobody knows whether the run wrote it"
        case Why.UNSTATED:
            return "no value stood there before"


def _value(plan: Plan, path: str, value: Value) -> str:
    return value_text(plan.vocabulary, path.rpartition("/")[2], value)


def _names(keys: Iterable[str]) -> str:
    found = [show(key) for key in keys]
    left = len(found) - NAMED
    return ", ".join(found[:NAMED]) + (f" and {left:,} more" if left > 0 else "")


def _cut(lines: list[str], noun: str) -> Iterator[str]:
    yield from lines[:SHOWN]
    left = len(lines) - SHOWN
    if left > 0:
        yield f"  … and {count(left, noun)} more; all are in the output of --json."


def notes_document(notes: Notes) -> dict[str, Any]:
    """Return the member ``rollbackNotes`` of ``rollback --json``."""
    return {
        "kept": [
            {
                "agent": _agent(each.agent),
                "path": each.path,
                "before": each.before,
                "left": each.left,
                "now": each.now,
                "why": each.why.value,
                "run": each.run,
            }
            for each in notes.kept
        ],
        "declared": [
            {
                "agent": _agent(each.agent),
                "path": each.path,
                "value": each.value,
                "because": {
                    "file": each.because.file,
                    "line": each.because.line,
                    "layer": each.because.layer,
                },
            }
            for each in notes.declared
        ],
    }


def _agent(agent: DesiredAgent) -> dict[str, Any]:
    named = not is_stranger(agent)
    return {
        "id": agent.id,
        "name": agent.key if named else None,
        "team": agent.team if named else None,
    }
