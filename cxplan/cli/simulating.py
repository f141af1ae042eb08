"""simulate serve."""

from __future__ import annotations

import click

from cxplan.cli.options import group
from cxplan.cli.session import Result, Session
from cxplan.core.errors import Exit


@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="PORT",
    help="On 127.0.0.1; 0 takes a free one (default).",
)
@click.option(
    "--agents",
    type=click.IntRange(1, 100_000),
    default=40,
    show_default=True,
    metavar="N",
    help="How many agents.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="S",
    help="The same seed makes the same tenant.",
)
def serve(session: Session, port: int, agents: int, seed: int) -> Result:
    """Serve the tenant API on loopback until interrupted.

    Once it listens it prints one line of JSON: addresses, credentials, ids.
    """
    import json

    from cxplan.wiring.simulators import serve_random

    stop = serve_random(
        port=port,
        agents=agents,
        seed=seed,
        announce=lambda line: session.screen.data(json.dumps(line) + "\n"),
    )
    return Result(stop.requested() or Exit.OK)


COMMANDS = {
    "simulate": group("simulate", "Stand in for a tenant, on this machine only.", serve=serve)
}
