"""rollback: which run is taken back, before anything is asked of the tenant."""

from __future__ import annotations

from cxplan.core.errors import UnapprovedError
from cxplan.core.model import Declarations
from cxplan.core.pastrun import PastRun, past_run
from cxplan.ports import Ledger


def run_to_take_back(ledger: Ledger, run: str, declarations: Declarations) -> PastRun:
    """Return the sealed run called ``run``, which wrote to the tenant that the files are of.

    What it says of itself is not verified here: ``cxplan audit verify`` does that.

    Raises:
        InvalidError: no such run, several, or one that is not sealed.
        UnapprovedError: it wrote to another tenant.
        EvidenceError: the bundle cannot be read.
    """
    story = ledger.story(run)
    if story.tenant != declarations.tenant:
        raise UnapprovedError(
            f"The run wrote to tenant {story.tenant}, the files are of {declarations.tenant}.",
            code="rollback.tenant",
            hint="Name a run of this tenant, or give the ledger of the other one with --audit.",
        )
    return past_run(story)
