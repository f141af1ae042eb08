"""explain."""

from __future__ import annotations

import click

from cxplan.cli.options import command
from cxplan.cli.session import Result, Session


@click.argument("agent")
@click.option(
    "--at",
    metavar="T",
    help="As of this instant, such as 2026-11-26T08:00:00-05:00 (default: now).",
)
@click.option(
    "--live", is_flag=True, help="Show beside it what the tenant has, and the running shift."
)
def explain(session: Session, agent: str, at: str | None, live: bool) -> Result:
    """Show an agent's values and the lines that made them.

    AGENT is a member's key or its id. Take the line out that a value names, and the value
    changes. Without --live only the files are read.
    """
    from cxplan.cli.asking import instant
    from cxplan.usecases.explain import ExplainWorld, explain_agent
    from cxplan.views.explain_text import explain_document, explain_text
    from cxplan.wiring import edges, system

    judged_at = None if at is None else instant("--at", at)
    settings = session.settings
    source = edges.desired_source(settings)
    declarations = edges.read_declarations(settings, source)
    tenant = edges.tenant(settings, session.environ) if live else None
    world = ExplainWorld(source, system.SystemClock(), tenant)
    told = explain_agent(world, declarations, agent, judged_at)
    return Result(
        told.exit,
        explain_text(told.explanation, told.live, declarations.levels, session.paint),
        explain_document(told.explanation, told.live),
        "cxplan/explain",
        told.problems,
    )


COMMANDS = {"explain": command("explain", explain)}
