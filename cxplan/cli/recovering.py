"""recover."""

from __future__ import annotations

import click

from cxplan.cli.options import command
from cxplan.cli.session import Result, Session
from cxplan.core.errors import InvalidError


@click.argument("run", required=False)
def recover(session: Session, run: str | None) -> Result:
    """Find out how a cut-off run ended, and seal it.

    RUN is a run's uuid, a unique beginning of it, or its folder. Nothing is written to the tenant.
    A write that was on its way when the run was cut off is unknown unless it landed.
    """
    from cxplan.cli.progress import StderrProgress
    from cxplan.planfile.files import parse_plan
    from cxplan.usecases.apply import recover_run
    from cxplan.views.recover_text import (
        recover_document,
        recover_text,
        removed_document,
        removed_text,
    )
    from cxplan.wiring import applying, edges, evidence, system
    from cxplan.wiring.signals import StopSignals

    evidence.require_key(session.settings)
    ledger = evidence.ledger(session.settings)
    if run is None:
        raise _unnamed(ledger.cut_off())
    progress = StderrProgress(session.screen, system.SystemClock(), notes=True)
    tenant = edges.tenant(session.settings, session.environ)
    world = applying.apply_world(ledger, tenant, progress, StopSignals())
    request = applying.apply_request(session.environ, f"of run {run}", ())
    done = recover_run(world, request, run, lambda data: parse_plan(data, "plan.json"))
    if done.plan is None or done.report is None:
        return Result(text=removed_text(run), members=removed_document(run), kind="cxplan/recover")
    folder, report = str(session.settings.audit), done.report
    text = recover_text(report, done.plan, folder, session.paint)
    return Result(report.exit, text, recover_document(report, folder), "cxplan/recover")


def _unnamed(runs: tuple[str, ...]) -> InvalidError:
    hint = f"Cut off: {', '.join(runs)}." if runs else "No run of this ledger is cut off."
    return InvalidError("Name the run that is to be recovered.", code="usage.run", hint=hint)


COMMANDS = {"recover": command("recover", recover)}
