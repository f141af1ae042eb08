"""drift."""

from __future__ import annotations

import click

from cxplan.cli.options import command
from cxplan.cli.session import Result, Session


@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 where drift is present.")
def drift(session: Session, detailed_exitcode: bool) -> Result:
    """Show what moved on the tenant since cxplan wrote it.

    Reads tenant and ledger and writes to neither. The ledger is read without verifying it:
    cxplan audit verify does that. A value that no run touched yet cannot drift; it is pending.
    """
    from cxplan.cli.progress import StderrProgress
    from cxplan.usecases.drift import find_drift
    from cxplan.views.drift_text import drift_document, drift_text
    from cxplan.wiring import edges, history, system

    settings, clock = session.settings, system.SystemClock()
    declarations = edges.read_declarations(settings, edges.desired_source(settings))
    remembered = history.memory(settings)
    tenant = edges.tenant(settings, session.environ)
    progress = StderrProgress(session.screen, clock)
    world = history.drift_world(settings, remembered, tenant, progress)
    open_runs = remembered.open_runs()
    report = find_drift(world, declarations, clock.now())
    return Result(
        report.exit(detailed=detailed_exitcode),
        drift_text(report, open_runs, session.paint),
        drift_document(report, open_runs),
        "cxplan/drift",
    )


COMMANDS = {"drift": command("drift", drift)}
