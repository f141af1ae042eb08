"""rollback: which run is taken back, before anything is asked of the tenant."""

from __future__ import annotations

from cxplan.core.errors import EvidenceError, UnapprovedError
from cxplan.core.model import Declarations
from cxplan.core.pastrun import PastRun, past_run
from cxplan.ports import Ledger

UNTRUSTED = "audit.signer"
"""The code of a bundle that was sealed with a key which is not trusted here."""


def run_to_take_back(
    ledger: Ledger, run: str, declarations: Declarations, *, verify: bool
) -> tuple[PastRun, bool]:
    """Return the sealed run called ``run``, which wrote to the tenant that the files are of.

    ``verify`` tells whether there is a key to check with first what the run says of itself; with
    the run comes whether it was checked. One that somebody else's key sealed cannot be.

    Raises:
        InvalidError: no such run, or several.
        UnapprovedError: it wrote to another tenant.
        EvidenceError: the bundle cannot be read, is not sealed, or does not hold.
    """
    story = ledger.story(run)
    verified = verify and _holds(ledger, run)
    if story.tenant != declarations.tenant:
        raise UnapprovedError(
            f"The run wrote to tenant {story.tenant}, the files are of {declarations.tenant}.",
            code="rollback.tenant",
            hint="Name a run of this tenant, or give the ledger of the other one with --audit.",
        )
    return past_run(story), verified


def _holds(ledger: Ledger, run: str) -> bool:
    """Tell whether a trusted key signed the run, and refuse one that is not what was signed."""
    failures = ledger.verify((run,)).all_failures
    for failure in failures:
        if failure.code == UNTRUSTED:
            continue
        raise EvidenceError(
            f"The run is not what was sealed: {failure.summary}.",
            code=failure.code,
            address=failure.place,
            hint="Nothing is planned from it; cxplan audit verify says all that is wrong.",
        )
    return not failures
