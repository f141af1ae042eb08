"""validate, plan, show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from cxplan.cli.options import command
from cxplan.cli.session import Result, Session
from cxplan.core.errors import Exit, InvalidError

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from cxplan.cli.asking import Asked
    from cxplan.core.model import Declarations
    from cxplan.core.plan import Plan
    from cxplan.usecases.plan import PlanRequest, Question


def validate(session: Session) -> Result:
    """Read the desired state and report every error."""
    from cxplan.core.resolve import resolve
    from cxplan.core.wording import count
    from cxplan.wiring import edges

    settings = session.settings
    declarations = edges.read_declarations(settings, edges.desired_source(settings))
    agents, teams = len(resolve(declarations).agents), len(declarations.teams)
    text = f"The desired state is valid: {count(agents, 'agent')} in {count(teams, 'team')}.\n"
    return Result(text=text, kind="cxplan/validate", members={"agents": agents, "teams": teams})


@click.option("-o", "--out", metavar="FILE", help="Write the plan to FILE, for cxplan apply FILE.")
@click.option("--at", metavar="TIME", help="Judge at TIME; such a plan can be shown, not applied.")
@click.option("--timeline", metavar="SPAN", help="Say what becomes true when, within SPAN (24h).")
@click.option(
    "--snapshot", metavar="FILE", help="Plan against a snapshot: no network, not applied."
)
@click.option(
    "--base", metavar="DIR", help="The desired state before a change: tell the two apart."
)
@click.option("--only-this-change", is_flag=True, help="With --base: only agents it is about.")
@click.option(
    "--only", multiple=True, metavar="EXPR", help="Only what EXPR chooses; repeat for and."
)
@click.option("--exclude", multiple=True, metavar="EXPR", help="Leave out what EXPR chooses.")
@click.option("--allow", multiple=True, metavar="GUARD=REASON", help="Pass a guard, by name.")
@click.option("--valid-for", metavar="SPAN", help="How long it may be applied (default: 24h).")
@click.option("--summary", is_flag=True, help="Only the counts, guards and warnings on the screen.")
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 2 where an agent is ready to be changed."
)
def plan(
    session: Session,
    out: str | None,
    *,
    timeline: str | None = None,
    snapshot: str | None = None,
    summary: bool = False,
    detailed_exitcode: bool = False,
    **asked: Any,
) -> Result:
    """Show what would change, checked against shifts and limits.

    Reads the tenant and writes nothing to it. EXPR is team:NAME, agent:KEY, label:K=V or
    skill:NAME, a comma for "or", or @FILE with one a line.
    """
    from cxplan.cli.asking import Asked, duration
    from cxplan.usecases.plan import plan_exit, question_of

    settings = session.settings
    if out is not None:
        _refuse_out(settings.path(out), settings.path(snapshot) if snapshot else None)
    span = None if timeline is None else duration("--timeline", timeline)
    made, request, declarations = _made(session, Asked(**asked), snapshot)
    if out is not None:
        _write(settings.path(out), made)
    result = shown(session, made, plan_exit(made, detailed=detailed_exitcode), summary=summary)
    if span is not None:
        question = question_of(request, made.evaluated_at, declarations, None)
        result = _with_timeline(session, result, made, question, span)
    if out is None:
        return result
    return replace(result, after=written(made, out))


def _made(
    session: Session, asked: Asked, snapshot: str | None
) -> tuple[Plan, PlanRequest, Declarations]:
    """Return the plan, made with the tenant or a snapshot of it, what was asked, and the files."""
    from cxplan.cli.asking import plan_request
    from cxplan.cli.progress import StderrProgress
    from cxplan.usecases.plan import make_plan
    from cxplan.wiring import edges, history, system, verbs

    settings = session.settings
    source = edges.desired_source(settings)
    declarations = edges.read_declarations(settings, source)
    request = plan_request(session, asked, declarations)
    progress = StderrProgress(session.screen, system.SystemClock())
    memory = history.memory(settings)
    if snapshot is None:
        tenant = edges.tenant(settings, session.environ)
        world = verbs.plan_world(source, tenant, progress, memory)
    else:
        taken = edges.snapshot(settings.path(snapshot), declarations)
        request = replace(request, snapshot_taken=taken.header.taken_at)
        world = verbs.offline_world(source, taken, progress, memory)
    return make_plan(world, request, declarations), request, declarations


def _refuse_out(path: Path, snapshot: Path | None) -> None:
    """Refuse a plan file that cannot be one, before anything is asked of the tenant.

    Raises:
        InvalidError: no regular file can be there, or it is the snapshot that is planned against.
    """
    from cxplan.files.regular import refuse_odd

    refuse_odd(path)
    if snapshot is not None and path.exists() and snapshot.exists() and path.samefile(snapshot):
        raise InvalidError(
            f"-o {path.name} is the snapshot itself; the plan would take its place.",
            code="path.type",
            hint="Write the plan to another file.",
        )


def _write(path: Path, made: Plan) -> None:
    """Write a plan; only then is the schema of its file loaded."""
    from cxplan.planfile.files import write_plan

    write_plan(path, made)


def written(made: Plan, out: str) -> str:
    """Return where a plan was written, and what to do with it."""
    if made.denied or not made.applicable:
        return f"Plan written to {out}. To see it again: cxplan show {out}\n"
    return f"Plan written to {out}. To do exactly this: cxplan apply {out}\n"


def _with_timeline(
    session: Session, result: Result, made: Plan, question: Question, span: timedelta
) -> Result:
    from cxplan.core.timeline import timeline
    from cxplan.views.timeline_text import timeline_document, timeline_text

    events = timeline(question.resolved, question.choices, made, span)
    text = f"{result.text}\n{timeline_text(made, events, span, session.paint)}"
    members = dict(result.members) | {"timeline": timeline_document(events)}
    return replace(result, text=text, members=members)


@click.argument("file")
def show(session: Session, file: str) -> Result:
    """Show a plan, a snapshot or the bundle of a run, offline."""
    from cxplan.cli import auditing, snapshotting
    from cxplan.planfile.files import read_plan
    from cxplan.snapshots.file import is_snapshot

    path = session.settings.path(file)
    if (path / "plan.json").is_file():
        bundle = path.resolve()
        return auditing.told(session, replace(session.settings, audit=bundle.parent), bundle.name)
    if is_snapshot(path):
        return snapshotting.shown(session, path)
    made, _ = read_plan(path)
    return shown(session, made, Exit.OK)


def shown(session: Session, made: Plan, code: Exit, *, summary: bool = False) -> Result:
    """Return a plan as the result of a command; ``summary`` leaves the agents out on the screen."""
    from cxplan.core.document import document
    from cxplan.views.plan_text import plan_text

    return Result(code, plan_text(made, session.paint, summary=summary), document(made))


COMMANDS = {
    "validate": command("validate", validate),
    "plan": command("plan", plan),
    "show": command("show", show),
}
