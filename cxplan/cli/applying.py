"""apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cxplan.cli.loading import Loader, Way
from cxplan.cli.options import command
from cxplan.cli.session import Result, Session

if TYPE_CHECKING:
    from cxplan.core.report import RunReport
    from cxplan.usecases.apply import Loaded


@click.argument("plan", required=False)
@click.option("--resume", metavar="RUN", help="Go on with a run that was cut off.")
@click.option("--auto-approve", is_flag=True, help="Without a plan file: plan, and do not ask.")
@click.option("--only-due", is_flag=True, help="Only what time alone changed, or was deferred.")
@click.option("--allow", multiple=True, metavar="GUARD=REASON", help="Pass a guard, by name.")
@click.option("--strict", is_flag=True, help="A conflict for each agent whose ETag moved.")
@click.option("--max-failures", metavar="N|P%", help="Stop once so many failed; 1 is the first.")
@click.option("--max-rps", type=float, metavar="X", help="Writes in a second, 5 at most.")
def apply(
    session: Session,
    plan: str | None,
    auto_approve: bool,
    allow: tuple[str, ...] = (),
    *,
    strict: bool = False,
    max_failures: str | None = None,
    max_rps: float | None = None,
    resume: str | None = None,
    only_due: bool = False,
) -> Result:
    """Execute a saved plan, or plan, ask and execute.

    Every write carries the ETag of the state it was decided on; what somebody else changed since
    is not overwritten. The run is sealed into a signed bundle.

    --only-due is for a timer: overrides that began or ended, shifts that began under scheduled, and
    agents that a run deferred. What somebody changed, or the files newly want, is left.
    """
    way = Way(plan, resume, auto_approve, only_due)
    return _applied(session, way, _Limits(allow, strict, max_failures, max_rps))


@dataclass(frozen=True, slots=True)
class _Limits:
    """How far an apply may go, as it was written."""

    allow: tuple[str, ...]
    strict: bool
    max_failures: str | None
    max_rps: float | None


def _applied(session: Session, way: Way, limits: _Limits) -> Result:
    from cxplan.cli.asking import allowances, tolerance
    from cxplan.cli.progress import StderrProgress
    from cxplan.usecases.apply import apply_plan, resume_run
    from cxplan.wiring import applying, edges, evidence, system
    from cxplan.wiring.signals import StopSignals

    way.refuse_mixed(session)
    allowed = allowances(limits.allow)
    most = None if limits.max_failures is None else tolerance(limits.max_failures)
    evidence.require_key(session.settings)
    progress = StderrProgress(session.screen, system.SystemClock(), notes=True)
    pace = edges.MOST_WRITES if limits.max_rps is None else limits.max_rps
    tenant = edges.tenant(session.settings, session.environ, pace)
    world = applying.apply_world(evidence.ledger(session.settings), tenant, progress, StopSignals())
    request = applying.apply_request(
        session.environ, way.label, allowed, strict=limits.strict, tolerance=most
    )
    loader = Loader(session, tenant, way, allowed)
    if way.resume is None:
        report = apply_plan(world, request, loader.load)
    else:
        report = resume_run(world, request, way.resume, loader.resumed)
    return _result(session, way, loader.loaded, report)


def _result(session: Session, way: Way, loaded: Loaded | None, report: RunReport) -> Result:
    from cxplan.views.plan_text import plan_text
    from cxplan.views.recover_text import unsealed_text
    from cxplan.views.report_text import report_document, report_text

    if loaded is None:
        return Result(report.exit)
    ledger = str(session.settings.audit)
    text = report_text(report, loaded.plan, ledger, session.paint)
    if report.run_id is None:  # a plan that was made on the spot has been shown
        text = plan_text(loaded.plan, session.paint) if way.plan is not None else ""
    members = report_document(report, ledger)
    unsealed = report.run_id if report.head is None else None
    after = unsealed_text(unsealed) if unsealed else ""
    return Result(report.exit, text, members, "cxplan/report", after=after)


COMMANDS = {"apply": command("apply", apply)}
