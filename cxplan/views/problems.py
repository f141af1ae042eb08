"""What went wrong, in one form for people and one for machines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cxplan.core.errors import Exit, Problem
from cxplan.views.encoder import show
from cxplan.views.paint import Paint

LIMIT = 500
SHOWN = 20
"""At most so many problems on a screen; the rest are counted, and all are in the JSON."""


def problems_text(problems: tuple[Problem, ...], paint: Paint) -> str:
    """Return what is wrong, where, and what to do next, for each problem."""
    lines: list[str] = []
    for problem in problems[:SHOWN]:
        lines += _lines(problem, paint)
    if len(problems) > SHOWN:
        lines.append(f"… and {len(problems) - SHOWN} more; --json lists them all.")
    return "\n".join(lines) + "\n"


def _lines(problem: Problem, paint: Paint) -> Iterable[str]:
    place = f"{show(str(problem.origin))}: " if problem.origin else ""
    address = f"{show(problem.address)}: " if problem.address else ""
    summary = show(problem.summary, LIMIT)
    yield f"{paint.bad('Error:')} {place}{address}{summary} [{problem.code}]"
    if problem.hint:
        yield f"  → {show(problem.hint, LIMIT)}"


def problem_document(problem: Problem) -> dict[str, Any]:
    """Return one entry of ``errors``."""
    origin = problem.origin
    return {
        "code": problem.code,
        "summary": problem.summary,
        "address": problem.address,
        "file": origin.file if origin else None,
        "line": origin.line if origin else None,
        "column": origin.column if origin else None,
        "hint": problem.hint,
    }


def exit_document(code: Exit) -> dict[str, Any]:
    """Return the member ``exit`` of every JSON output."""
    return {"code": int(code), "word": code.word}
