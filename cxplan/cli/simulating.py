"""simulate serve, simulate score."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import click

from cxplan.cli.options import group
from cxplan.cli.session import Result, Session
from cxplan.core.errors import Exit, InvalidError

if TYPE_CHECKING:
    from cxplan.core.model import Declarations
    from cxplan.wiring.simulators import Simulation

PORT = click.IntRange(0, 65535)


@click.option(
    "--port", type=PORT, default=0, metavar="PORT", help="On 127.0.0.1 (default: a free one)."
)
@click.option(
    "--agents",
    type=click.IntRange(1, 100_000),
    default=None,
    metavar="N",
    help="How many agents (default: 40).",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    metavar="S",
    help="The same seed makes the same tenant (default: 0).",
)
@click.option("--from", "folder", metavar="DIR", help="A tenant that holds what DIR declares.")
@click.option(
    "--drift",
    metavar="P",
    help="Change a share of the agents, such as 0.1 or 10%, by another hand.",
)
@click.option("--faults", metavar="FILE", help="Rules in JSON: which requests go wrong, and how.")
@click.option(
    "--log-port", type=PORT, metavar="PORT", help="Also serve the tenant's own logs there."
)
def serve(session: Session, **options: Any) -> Result:
    """Serve the tenant API on loopback until interrupted.

    Once it listens it prints one line of JSON: addresses, credentials, ids.
    """
    from cxplan.wiring.simulators import serve_until_signal

    stop = serve_until_signal(
        _simulation(session, options),
        announce=lambda line: session.screen.data(json.dumps(line) + "\n"),
    )
    return Result(stop.requested() or Exit.OK)


def _simulation(session: Session, options: dict[str, Any]) -> Simulation:
    from cxplan.wiring.simulators import Simulation

    folder, agents = options["folder"], options["agents"]
    if folder is not None and agents is not None:
        raise InvalidError(
            "--from brings its own agents; --agents is for a random tenant.",
            hint="Leave out one of the two.",
        )
    return Simulation(
        port=options["port"],
        seed=options["seed"],
        agents=agents or 40,
        declarations=None if folder is None else _declared(session, folder),
        drift=_share(options["drift"]),
        faults=_faults(session, options["faults"]),
        log_port=options["log_port"],
    )


def _declared(session: Session, folder: str) -> Declarations:
    from dataclasses import replace

    from cxplan.wiring import edges

    settings = replace(session.settings, desired=session.settings.path(folder))
    return edges.read_declarations(settings, edges.desired_source(settings))


def _share(text: str | None) -> float:
    if text is None:
        return 0.0
    if not re.fullmatch(r"\d{1,3}(\.\d{1,6})?%?", text, re.ASCII):
        raise _no_share()
    number = float(text.removesuffix("%"))
    share = number / 100 if text.endswith("%") or number > 1 else number
    if share > 1:
        raise _no_share()
    return share


def _no_share() -> InvalidError:
    return InvalidError(
        "--drift is no share.", code="usage.range", hint="Write it as 0.1 or as 10%."
    )


def _faults(session: Session, name: str | None) -> bytes:
    return b"[]" if name is None else _read(session, name)


def _read(session: Session, name: str) -> bytes:
    from cxplan.views.encoder import show

    try:
        return session.settings.path(name).read_bytes()
    except OSError as error:
        raise InvalidError(
            f"Cannot read {show(name)}: {error.strerror}.",
            code="path.unreadable",
            hint="Name a file that is there.",
        ) from None


@click.argument("file")
@click.option("--agent", metavar="ID", help="The agent that a payload is for.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    metavar="S",
    help="The same seed makes the same latency (default: 0).",
)
def score(session: Session, file: str, agent: str | None, seed: int) -> Result:
    """Tell what a payload or a plan is worth to routing.

    FILE is the body of one PATCH, or a plan file. The score is 100, minus 15 for each disabled
    skill, plus 5 for each concurrent slot, held within 0 and 100; the impact is not held.
    """
    from cxplan.core.canonical import StrictJsonError, parse_json

    data = _read(session, file)
    try:
        found = parse_json(data)
    except StrictJsonError as error:
        raise InvalidError(
            f"{file} is no strict JSON: {error}.", code=error.code, hint="Name a payload or a plan."
        ) from None
    if isinstance(found, dict) and found.get("kind") == "cxplan/plan":
        return _plan_scores(data, file, agent)
    if agent is None:
        raise InvalidError("A payload names no agent.", hint="Give its id with --agent.")
    return _payload_score(session, found, agent, seed)


def _plan_scores(data: bytes, name: str, agent: str | None) -> Result:
    from cxplan.planfile.files import parse_plan
    from cxplan.usecases.score import score_plan
    from cxplan.views.score_text import scores_document, scores_text

    scores = [s for s in score_plan(parse_plan(data, name)) if agent in {None, s.agent_id, s.key}]
    return Result(
        text=scores_text(scores), members=scores_document(scores), kind="cxplan/simulate-score"
    )


def _payload_score(session: Session, payload: object, agent: str, seed: int) -> Result:
    from cxplan.simulator.latency import simulated_latency_ms
    from cxplan.usecases.score import score_payload
    from cxplan.views.score_text import payload_document
    from cxplan.wiring import edges, system

    settings = session.settings
    declarations = None
    if settings.desired.is_dir():
        declarations = edges.read_declarations(settings, edges.desired_source(settings))
    scored = score_payload(payload, declarations)
    latency = simulated_latency_ms(seed, agent)
    document = payload_document(agent, scored, latency, system.SystemClock().now())
    code = Exit.OK
    if scored.errors:
        code = Exit.INVALID if scored.malformed else Exit.BLOCKED
    return Result(code, json.dumps(document, indent=2) + "\n", document)


COMMANDS = {
    "simulate": group(
        "simulate", "Stand in for a tenant, on this machine only.", serve=serve, score=score
    )
}
