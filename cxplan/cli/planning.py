"""validate, plan, show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cxplan.cli.options import command
from cxplan.cli.session import Result, Session
from cxplan.core.errors import Exit

if TYPE_CHECKING:
    from cxplan.core.plan import Plan


def validate(session: Session) -> Result:
    """Read the desired state and report every error."""
    from cxplan.core.resolve import resolve
    from cxplan.views.values import count
    from cxplan.wiring import edges

    settings = session.settings
    declarations = edges.read_declarations(settings, edges.desired_source(settings))
    agents, teams = len(resolve(declarations).agents), len(declarations.teams)
    text = f"The desired state is valid: {count(agents, 'agent')} in {count(teams, 'team')}.\n"
    return Result(text=text, kind="cxplan/validate", members={"agents": agents, "teams": teams})


@click.option("-o", "--out", metavar="FILE", help="Write the plan to FILE, for cxplan apply FILE.")
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 2 where an agent is ready to be changed."
)
def plan(session: Session, out: str | None, detailed_exitcode: bool) -> Result:
    """Show what would change, checked against shifts and limits.

    Reads the tenant and writes nothing to it.
    """
    from cxplan.cli.progress import StderrProgress
    from cxplan.planfile.files import refuse_odd, write_plan
    from cxplan.usecases.plan import make_plan, plan_exit
    from cxplan.wiring import edges, system, verbs

    settings = session.settings
    if out is not None:
        refuse_odd(settings.path(out))
    source = edges.desired_source(settings)
    declarations = edges.read_declarations(settings, source)
    tenant = edges.tenant(settings, session.environ)
    progress = StderrProgress(session.screen, system.SystemClock())
    world = verbs.plan_world(source, tenant, progress)
    made = make_plan(world, verbs.plan_request(settings, session.environ), declarations)
    if out is not None:
        write_plan(settings.path(out), made)
    result = shown(session, made, plan_exit(made, detailed=detailed_exitcode))
    if out is None:
        return result
    return replace(result, after=f"Plan written to {out}. To do exactly this: cxplan apply {out}\n")


@click.argument("file")
def show(session: Session, file: str) -> Result:
    """Show a plan file, offline."""
    from cxplan.planfile.files import read_plan

    made, _ = read_plan(session.settings.path(file))
    return shown(session, made, Exit.OK)


def shown(session: Session, made: Plan, code: Exit) -> Result:
    """Return a plan as the result of a command."""
    from cxplan.core.document import document
    from cxplan.views.plan_text import plan_text

    return Result(code, plan_text(made, session.paint), document(made))


COMMANDS = {
    "validate": command("validate", validate),
    "plan": command("plan", plan),
    "show": command("show", show),
}
