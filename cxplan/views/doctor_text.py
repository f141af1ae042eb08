"""What doctor found, on the screen and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cxplan.core.health import Check, Health, State
from cxplan.core.wording import count
from cxplan.views.encoder import show
from cxplan.views.paint import Paint
from cxplan.views.problems import LIMIT, problem_document

_WIDEST = max(len(state.word) for state in State)


def doctor_text(health: Health, paint: Paint) -> str:
    """Return a line for each check, what to do beneath it, and the counts at the end."""
    return "\n".join(_lines(health, paint)) + "\n"


def _lines(health: Health, paint: Paint) -> Iterator[str]:
    width = max((len(check.id) for check in health.checks), default=0)
    for check in health.checks:
        state = _painted(check.state, paint)
        yield f"{state}  {check.id:{width}}  {show(check.found, LIMIT)}"
        if check.hint:
            yield f"    → {show(check.hint, LIMIT)}"
    yield ", ".join(_counted(state, number) for state, number in health.counts.items()) + "."


def _counted(state: State, number: int) -> str:
    return count(number, state.word) if state is State.WARNING else f"{number} {state.word}"


def _painted(state: State, paint: Paint) -> str:
    padded = f"{state.word:{_WIDEST}}"
    match state:
        case State.GOOD:
            return paint.good(padded)
        case State.WARNING:
            return paint.changed(padded)
        case State.BAD:
            return paint.bad(padded)
        case State.NOT_CHECKED:
            return paint.faint(padded)


def doctor_document(health: Health) -> dict[str, Any]:
    """Return the members of ``doctor --json`` besides kind, version and exit.

    Each bad check stands in ``errors`` too, its id as the address.
    """
    problems = (check.problem for check in health.checks)
    return {
        "errors": [problem_document(problem) for problem in problems if problem],
        "checks": [_check(check) for check in health.checks],
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "id": check.id,
        "state": check.state.value,
        "found": check.found,
        "hint": check.hint,
    }
