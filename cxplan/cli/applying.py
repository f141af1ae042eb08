"""apply."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cxplan.cli.options import command
from cxplan.cli.session import Result, Session
from cxplan.core.errors import InvalidError, UnapprovedError

if TYPE_CHECKING:
    from cxplan.core.plan import Plan
    from cxplan.core.report import RunReport
    from cxplan.ports import Tenant
    from cxplan.usecases.apply import Loaded
    from cxplan.wiring.signals import StopSignals


@click.argument("plan", required=False)
@click.option("--auto-approve", is_flag=True, help="Without a plan file: plan, and do not ask.")
def apply(session: Session, plan: str | None, auto_approve: bool) -> Result:
    """Execute a saved plan, or plan, ask and execute.

    Every write carries the ETag of the state it was decided on; what somebody else changed since
    is not overwritten. The run is sealed into a signed bundle.
    """
    from cxplan.cli.progress import StderrProgress
    from cxplan.usecases.apply import apply_plan
    from cxplan.wiring import edges, evidence, system, verbs
    from cxplan.wiring.signals import StopSignals

    _refuse_unasked(session, plan, auto_approve=auto_approve)
    evidence.require_key(session.settings)
    stop = StopSignals()
    progress = StderrProgress(session.screen, system.SystemClock(), notes=True)
    tenant = edges.tenant(session.settings, session.environ)
    world = verbs.apply_world(evidence.ledger(session.settings), tenant, progress, stop)
    request = verbs.apply_request(session.environ, plan or "a new plan")
    with ExitStack() as signals:
        loader = _Loader(session, tenant, plan, auto_approve, signals, stop)
        report = apply_plan(world, request, loader.load)
    return _result(session, loader.loaded, report)


def _refuse_unasked(session: Session, plan: str | None, *, auto_approve: bool) -> None:
    if plan is not None and auto_approve:
        raise InvalidError(
            "A saved plan is approved by naming it; --auto-approve is for a plan made on the spot.",
            hint="Leave out one of the two.",
        )
    if plan is None and not auto_approve and not session.interactive:
        raise UnapprovedError(
            "Nobody can be asked: there is no terminal.",
            hint="Apply a reviewed plan with cxplan apply PLAN, or give --auto-approve.",
        )


@dataclass(slots=True)
class _Loader:
    """Gets the plan once the ledger is locked: from its file, or made and approved on the spot."""

    session: Session
    tenant: Tenant
    path: str | None
    auto_approve: bool
    signals: ExitStack
    stop: StopSignals
    loaded: Loaded | None = None

    def load(self) -> Loaded:
        """Return the plan; from here on a signal stops the run in order."""
        loaded = self._made() if self.path is None else self._read(self.path)
        self.loaded = loaded
        self.signals.enter_context(self.stop.installed())
        return loaded

    def _read(self, path: str) -> Loaded:
        from cxplan.planfile.files import read_plan
        from cxplan.usecases.apply import Loaded
        from cxplan.wiring import edges

        settings = self.session.settings
        plan, data = read_plan(settings.path(path))
        declarations = edges.read_declarations(settings, edges.desired_source(settings))
        return Loaded(plan, data, declarations)

    def _made(self) -> Loaded:
        from cxplan.cli.progress import StderrProgress
        from cxplan.core.document import plan_bytes
        from cxplan.usecases.apply import Loaded
        from cxplan.usecases.plan import make_plan
        from cxplan.views.plan_text import plan_text
        from cxplan.wiring import edges, system, verbs

        settings, screen = self.session.settings, self.session.screen
        source = edges.desired_source(settings)
        declarations = edges.read_declarations(settings, source)
        progress = StderrProgress(screen, system.SystemClock())
        world = verbs.plan_world(source, self.tenant, progress)
        request = verbs.plan_request(settings, self.session.environ)
        plan = make_plan(world, request, declarations)
        if not screen.json:
            screen.data(plan_text(plan, self.session.paint))
        if plan.ready and not plan.denied and not self.auto_approve:
            _ask(plan)
        return Loaded(plan, plan_bytes(plan), declarations)


def _ask(plan: Plan) -> None:
    question = f"Change {len(plan.ready):,} agents of {plan.tenant.name} now? Only yes is a yes"
    if click.prompt(question, default="no", show_default=False, err=True) != "yes":
        raise UnapprovedError("Not approved; nothing was written.")


def _result(session: Session, loaded: Loaded | None, report: RunReport) -> Result:
    from cxplan.views.plan_text import plan_text
    from cxplan.views.report_text import report_document, report_text

    if loaded is None:
        return Result(report.exit)
    ledger = str(session.settings.audit)
    text = report_text(report, loaded.plan.vocabulary, ledger, session.paint)
    if report.run_id is None:
        text = plan_text(loaded.plan, session.paint)
    return Result(report.exit, text, report_document(report, ledger), "cxplan/report")


COMMANDS = {"apply": command("apply", apply)}
