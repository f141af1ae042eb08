"""doctor."""

from __future__ import annotations

import click

from cxplan.cli.options import Command, remembered
from cxplan.cli.session import Result, environment


@click.command("doctor", cls=Command)
@click.pass_context
def doctor(ctx: click.Context) -> Result:
    """Check address, clock, credentials, key and ledger.

    Each check is good, a warning or bad with what to do, or not checked since another has to hold
    first. Nothing is written, and the tenant is only read.
    """
    import sys

    from cxplan.cli.screen import Screen, wants_color
    from cxplan.usecases.doctor import examine
    from cxplan.views.doctor_text import doctor_document, doctor_text
    from cxplan.views.paint import Paint
    from cxplan.wiring.doctor import lenient_settings, world

    environ = environment()
    settings, refused = lenient_settings(remembered(ctx), environ)
    color = wants_color(sys.stdout, no_color=settings.no_color)
    health = examine(world(settings, refused, environ))
    return Result(
        health.exit,
        doctor_text(health, Paint(color)),
        doctor_document(health),
        "cxplan/doctor",
        screen=Screen(json=settings.json, quiet=settings.quiet, color=color),
    )


COMMANDS = {"doctor": doctor}
