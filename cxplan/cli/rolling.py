"""rollback."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cxplan.cli.options import command
from cxplan.cli.session import Result, Session

if TYPE_CHECKING:
    from cxplan.usecases.plan import Planned


@click.argument("run")
@click.option("-o", "--out", metavar="FILE", help="Write the plan to FILE, for cxplan apply FILE.")
def rollback(session: Session, run: str, out: str | None) -> Result:
    """Plan the way back from a run.

    RUN is a sealed run's uuid, a unique beginning of it, or its folder. Each value that still is
    what the run left goes to what stood there before; the others are listed. A run that was sealed
    with the signing key is verified first, as by cxplan audit verify RUN. Reads the tenant and
    writes nothing to it. Where the files are in Git, git revert is the rollback, and this brings
    the tenant after it: lines that still declare what is taken back are named first.
    """
    from cxplan.cli.planning import written
    from cxplan.core.document import document
    from cxplan.files.regular import refuse_odd
    from cxplan.planfile.files import write_plan
    from cxplan.usecases.plan import plan_exit
    from cxplan.views.rollback_text import notes_document, rollback_text
    from cxplan.wiring import evidence

    path = None if out is None else session.settings.path(out)
    if path is not None:
        refuse_odd(path)
    made, verified = _made(session, run, verify=evidence.has_key(session.settings))
    if path is not None:
        write_plan(path, made.plan)
    return Result(
        plan_exit(made.plan, detailed=False),
        rollback_text(made.plan, made.notes, session.paint, verified=verified),
        document(made.plan) | {"verified": verified, "rollbackNotes": notes_document(made.notes)},
        after="" if out is None else written(made.plan, out),
    )


def _made(session: Session, run: str, *, verify: bool) -> tuple[Planned, bool]:
    from cxplan.cli.progress import StderrProgress
    from cxplan.usecases.plan import make_rollback
    from cxplan.usecases.rollback import run_to_take_back
    from cxplan.wiring import edges, evidence, history, system, verbs

    settings = session.settings
    source = edges.desired_source(settings)
    declarations = edges.read_declarations(settings, source)
    back, verified = run_to_take_back(evidence.ledger(settings), run, declarations, verify=verify)
    tenant = edges.tenant(settings, session.environ)
    progress = StderrProgress(session.screen, system.SystemClock())
    world = verbs.plan_world(source, tenant, progress, history.memory(settings))
    request = replace(verbs.plan_request(settings, session.environ), back=back)
    return make_rollback(world, request, declarations), verified


COMMANDS = {"rollback": command("rollback", rollback)}
