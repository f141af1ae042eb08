"""Runs that were cut off: what recovering one came to, and what to do about the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cxplan.core.plan import Plan
from cxplan.core.report import RunReport
from cxplan.core.steps import Outcome
from cxplan.core.wording import count
from cxplan.views.encoder import show
from cxplan.views.paint import Paint
from cxplan.views.report_text import report_document, report_text


def recover_text(report: RunReport, plan: Plan, ledger: str, paint: Paint) -> str:
    """Return what a recovered run had done as text, ending in a newline."""
    text = f"Run {show(report.run_id or '')} is recovered and sealed.\n"
    text += report_text(report, plan, ledger, paint)
    unknown = report.summary[Outcome.UNKNOWN]
    if unknown:
        text += (
            f"{count(unknown, 'agent')} unknown: a write without an answer may have landed, or do "
            "so yet. cxplan plan shows what stands there now.\n"
        )
    return text


def recover_document(report: RunReport, ledger: str) -> dict[str, Any]:
    """Return the members of ``recover --json`` besides kind, version, exit and errors."""
    return {"removed": False, **report_document(report, ledger)}


def removed_text(run: str) -> str:
    """Return what is said of a run that had not begun to write, ending in a newline."""
    return (
        f"Run {show(run)} was cut off before it had signed its opening, so it has written nothing. "
        "Its folder was removed; its plan can be applied again.\n"
    )


def removed_document(run: str) -> dict[str, Any]:
    """Return the same as the members of ``recover --json``."""
    return {"removed": True, "runId": run}


def unsealed_text(run: str) -> str:
    """Return what to do about a run that just ended without its seal, ending in a newline."""
    return f"The run is not sealed; its journal stays. Once the disk works: {_ways(run)}\n"


def cut_off_text(runs: Iterable[str]) -> str:
    """Return a line for each run without a seal; nothing for none."""
    return "".join(
        f"Not sealed: run {show(run)}, cut off or under way. {_ways(run)}\n" for run in runs
    )


def _ways(run: str) -> str:
    name = show(run)
    return (
        f"cxplan apply --resume {name} goes on with it, cxplan recover {name} settles and seals it."
    )
