"""How an apply comes to its plan: from a file, made on the spot, or from a run that was cut off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from cxplan.cli.session import Session
from cxplan.core.errors import InvalidError, UnapprovedError

if TYPE_CHECKING:
    from cxplan.core.plan import Plan
    from cxplan.core.strictness import Allowance
    from cxplan.ports import Tenant
    from cxplan.usecases.apply import Loaded


@dataclass(frozen=True, slots=True)
class Way:
    """How an apply comes to its plan, as it was written."""

    plan: str | None
    resume: str | None = None
    auto_approve: bool = False
    only_due: bool = False

    @property
    def label(self) -> str:
        """What whoever waits for the ledger is told."""
        return self.plan or (f"of run {self.resume}" if self.resume else "a new plan")

    def refuse_mixed(self, session: Session) -> None:
        """Refuse ways that exclude each other, and to ask where nobody can be asked.

        Raises:
            InvalidError: two of them were given.
            UnapprovedError: there is no terminal to ask on.
        """
        if self.only_due:
            _refuse_due(self.plan, self.resume)
        if self.resume is None:
            _refuse_unasked(session, self.plan, auto_approve=self.auto_approve)
        else:
            _refuse_plan(self.plan, auto_approve=self.auto_approve)


def _refuse_due(plan: str | None, resume: str | None) -> None:
    if plan is not None or resume is not None:
        raise InvalidError(
            "--only-due makes a plan of its own; a saved plan and a run have theirs.",
            hint="Leave out PLAN and --resume, or leave out --only-due.",
        )


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


def _refuse_plan(plan: str | None, *, auto_approve: bool) -> None:
    if plan is not None or auto_approve:
        raise InvalidError(
            "--resume goes on with the plan in the run's folder, which was approved then.",
            hint="Leave out PLAN and --auto-approve.",
        )


@dataclass(slots=True)
class Loader:
    """Gets the plan once the ledger is locked: from its file, or made and approved on the spot."""

    session: Session
    tenant: Tenant
    way: Way
    allowed: tuple[Allowance, ...]
    loaded: Loaded | None = None

    def load(self) -> Loaded:
        """Return the plan."""
        path = self.way.plan
        return self._kept(self._made() if path is None else self._read(path))

    def resumed(self, data: bytes) -> Loaded:
        """Return the plan of a run that was cut off, with the files as they are now."""
        from cxplan.planfile.files import parse_plan
        from cxplan.usecases.apply import Loaded
        from cxplan.wiring import edges

        settings = self.session.settings
        plan = parse_plan(data, "plan.json")
        declarations = edges.read_declarations(settings, edges.desired_source(settings))
        return self._kept(Loaded(plan, data, declarations))

    def _kept(self, loaded: Loaded) -> Loaded:
        self.loaded = loaded
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
        from cxplan.core.scope import Scope
        from cxplan.usecases.apply import Loaded
        from cxplan.usecases.plan import make_plan
        from cxplan.views.plan_text import plan_text
        from cxplan.wiring import edges, history, system, verbs

        settings, screen = self.session.settings, self.session.screen
        source = edges.desired_source(settings)
        declarations = edges.read_declarations(settings, source)
        progress = StderrProgress(screen, system.SystemClock())
        world = verbs.plan_world(source, self.tenant, progress, history.memory(settings))
        request = verbs.plan_request(settings, self.session.environ)
        request = replace(request, allowed=self.allowed, scope=Scope(only_due=self.way.only_due))
        plan = make_plan(world, request, declarations)
        if not screen.json:
            screen.data(plan_text(plan, self.session.paint))
        if plan.ready and not plan.denied and not self.way.auto_approve:
            _ask(plan)
        return Loaded(plan, plan_bytes(plan), declarations)


def _ask(plan: Plan) -> None:
    question = f"Change {len(plan.ready):,} agents of {plan.tenant.name} now? Only yes is a yes"
    if click.prompt(question, default="no", show_default=False, err=True) != "yes":
        raise UnapprovedError("Not approved; nothing was written.")
