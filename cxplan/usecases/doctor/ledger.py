"""Whether a run could be kept: the ledger's folder, lock, runs and disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from cxplan.core.errors import EvidenceError, Exit
from cxplan.core.health import Check, LedgerRuns, attempt, bad, good, not_checked, warning
from cxplan.core.wording import count
from cxplan.usecases.doctor.world import LedgerHealth

LITTLE_ROOM = 100 << 20
"""Bytes: with less room on the ledger's disk somebody should be told."""


def ledger_checks(ledger: LedgerHealth, tenant: str | None) -> Iterator[Check]:
    """Yield folder, lock, runs and disk; ``tenant`` is whose it has to be, where that is known."""
    folder = attempt("ledger.folder", ledger.folder, _folder(ledger.place))[0]
    lock = attempt("ledger.lock", ledger.refuse_held, _unlocked)[0]
    judge = partial(_runs, held=lock.exit is Exit.LOCKED)
    runs = attempt("ledger.runs", partial(ledger.runs, tenant), judge)[0]
    room = attempt("ledger.disk", ledger.free, _room)[0]
    yield folder
    yield from (_unless_same(folder, check) for check in (lock, runs, room))


def _unless_same(folder: Check, check: Check) -> Check:
    """A folder that cannot be opened at all is told once."""
    if folder.code is None or check.code != folder.code:
        return check
    return not_checked(check.id, "The ledger's folder cannot be used.")


def _folder(place: str) -> Callable[[bool], Check]:
    made = {True: "can be written", False: "is not there yet; the first apply makes it"}
    return lambda there: good("ledger.folder", f"{place} {made[there]}.")


def _unlocked(_: None) -> Check:
    return good("ledger.lock", "Nobody holds it.")


def _runs(runs: LedgerRuns, *, held: bool) -> Check:
    sealed = count(runs.sealed, "sealed run")
    if runs.unsealed and not held:
        return bad("ledger.runs", _unsealed(runs))
    under_way = "; one is under way" if runs.unsealed else ""
    head = "" if runs.head is None else f" The newest head, unverified, is {runs.head}"
    return good("ledger.runs", f"{sealed}{under_way}.{head}")


def _unsealed(runs: LedgerRuns) -> EvidenceError:
    return EvidenceError(
        f"{', '.join(runs.unsealed)}: begun and never sealed; apply refuses until that is done.",
        code="audit.unsealed",
        hint=runs.ways_on,
    )


def _room(free: int) -> Check:
    mebibytes = free >> 20
    if free < LITTLE_ROOM:
        return warning(
            "ledger.disk",
            f"{mebibytes:,} MiB are free on the ledger's disk; without room nothing is written.",
            "Make room: each run needs a few MiB at most, and is kept.",
        )
    return good("ledger.disk", f"{mebibytes:,} MiB are free.")
