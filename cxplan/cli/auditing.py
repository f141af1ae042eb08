"""audit verify, audit list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cxplan.cli.options import group
from cxplan.cli.session import Result, Session
from cxplan.core.errors import UnapprovedError

if TYPE_CHECKING:
    from cxplan.settings import Settings


@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option(
    "--key", "keys", multiple=True, metavar="PUB", help="A public key to trust; repeatable."
)
@click.option(
    "--expect-head",
    metavar="SEQ:SHA256",
    help="The head that was kept elsewhere; another one means that bundles are missing.",
)
def verify(
    session: Session, runs: tuple[str, ...], keys: tuple[str, ...], expect_head: str | None
) -> Result:
    """Check bundles: bytes, chain and signature of each, and the order of all.

    RUN is a run's uuid, a unique beginning of it, or its folder; none means the whole ledger.
    Without --key only the public half of the configured signing key is trusted.
    """
    from cxplan.views.evidence_text import verify_document, verify_text
    from cxplan.wiring import evidence

    settings = session.settings
    trusted = tuple(settings.path(key) for key in keys)
    if not trusted and (settings.signing_key is None or not settings.signing_key.exists()):
        raise UnapprovedError(
            "No key to verify with.",
            code="key.missing",
            hint="Give the public key with --key PUB, or the own signing key with --signing-key.",
        )
    report = evidence.ledger(settings, trusted).verify(runs, expect_head=expect_head)
    text = verify_text(report, session.paint)
    return Result(report.exit, text, verify_document(report), "cxplan/audit-verify")


def list_runs(session: Session) -> Result:
    """List the runs, oldest first, without verifying them; those without a seal last."""
    from cxplan.views.evidence_text import list_document, list_text
    from cxplan.views.recover_text import cut_off_text
    from cxplan.wiring import evidence

    ledger = evidence.ledger(session.settings)
    heads, unsealed = tuple(ledger.runs()), ledger.cut_off()
    members = list_document(heads) | {"unsealed": list(unsealed)}
    text = list_text(heads) + cut_off_text(unsealed)
    return Result(text=text, members=members, kind="cxplan/audit-list")


@click.argument("run")
def show(session: Session, run: str) -> Result:
    """Show what a run did to each agent, without verifying it.

    RUN is a run's uuid, a unique beginning of it, or its folder.
    """
    return told(session, session.settings, run)


def told(session: Session, settings: Settings, run: str) -> Result:
    """Return what a run of the ledger of ``settings`` did."""
    from cxplan.views.story_text import story_document, story_text
    from cxplan.wiring import evidence

    story = evidence.ledger(settings).story(run)
    text = story_text(story, session.paint)
    return Result(text=text, members=story_document(story), kind="cxplan/audit-show")


COMMANDS = {
    "audit": group(
        "audit",
        "Check and read the signed bundles of past runs.",
        verify=verify,
        list=list_runs,
        show=show,
    )
}
