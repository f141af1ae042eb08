"""The client's exchanges, how they are recorded from the simulator, and how they are replayed.

By default vcrpy replays a PATCH for any body and any If-Match, so that a test of the lock passes
with the lock taken out. Here a request is the same only with the same method, path, query, body
and If-Match; host and port do not count.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import vcr  # type: ignore[import-untyped]  # vcrpy ships no types
from vcr.stubs.requests_stubs import (  # type: ignore[import-untyped]  # as above
    VCRRequestsHTTPConnection,
)

from cxplan.core.answers import AvailabilityEvent, SkillWrite, Write
from cxplan.core.ids import AgentId, SkillId, WorkModeId
from cxplan.core.live import ObservedAgent
from cxplan.core.secret import Secret
from cxplan.simulator.options import Options
from cxplan.simulator.rules import Foreign, Rule
from cxplan.simulator.runner import Simulator
from cxplan.tenant.availability.tenant import AvailabilityTenant
from cxplan.tenant.connection import Connection
from cxplan.tenant.session import PlainConnection, PlainPool
from cxplan.version import __version__
from tests.simulator.kit import NOW, TENANT, StillClock

FOLDER = Path(__file__).parent / "cassettes"
SEED = 4711
STRICT = ("method", "path", "query", "raw_body", "if_match")
RECORDED_TOKEN = "a-token-that-was-taken-out"
SITE = "http://tenant.invalid"
NOT_KEPT = ("Authorization", "User-Agent")
AGENT = AgentId("a1")


class SleepingClock:
    """Time that passes only by sleeping, so that every timestamp in a body is the same again."""

    def __init__(self) -> None:
        self._slept = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self._slept)

    def monotonic(self) -> float:
        return self._slept

    def sleep(self, seconds: float) -> None:
        self._slept += seconds


Play = Callable[[AvailabilityTenant], Any]


@dataclass(frozen=True)
class Exchange:
    """What the client does in one recording, and how the simulator misbehaves meanwhile."""

    play: Play
    faults: tuple[Rule, ...] = ()


def observed(tenant: AvailabilityTenant) -> ObservedAgent:
    tenant.connect(write=True)
    reading = tenant.agent(AGENT)
    assert isinstance(reading, ObservedAgent)
    return reading


CHANGE = Write(
    AGENT,
    WorkModeId("m2"),
    (SkillWrite(SkillId("s1"), 5, 2), SkillWrite(SkillId("s8"), 1, 1)),
    "CHG-1057 Ürlaub",
)


def write(tenant: AvailabilityTenant) -> Any:
    return tenant.write(CHANGE, observed(tenant))


def publish(tenant: AvailabilityTenant) -> Any:
    before = observed(tenant)
    after = ObservedAgent(AGENT, before.etag, WorkModeId("m2"), before.skills)
    return tenant.publish(AvailabilityEvent(AGENT, before, after), NOW)


EXCHANGES = {
    "token": Exchange(lambda tenant: tenant.connect(write=True)),
    "agent-in-two-pages": Exchange(observed),
    "schedule": Exchange(lambda tenant: tenant.schedule(AGENT)),
    "write-applied": Exchange(write),
    "write-stale": Exchange(
        write, (Rule("PATCH", "/api/v2/agents/*/workmodes", foreign=Foreign(skill="s2", level=9)),)
    ),
    "event": Exchange(publish),
}


class _Connection(PlainConnection, VCRRequestsHTTPConnection):  # type: ignore[misc]  # no types
    """The client's own connection; what it sends goes to the cassette instead of a socket."""


def _request(request: Any) -> Any:
    """Take out of a request what is secret, and what differs between two recordings."""
    parts = urlsplit(request.uri)
    request.uri = SITE + parts.path + (f"?{parts.query}" if parts.query else "")
    for name in NOT_KEPT:
        request.headers.pop(name, None)
    if request.body:
        ours = f'"source":"cxplan/{__version__}"'.encode()
        request.body = request.body.replace(ours, b'"source":"cxplan/x"')
        request.headers["Content-Length"] = str(len(request.body))
    return request


def _response(response: Any) -> Any:
    """The same for an answer."""
    response["headers"].pop("Server", None)
    body = json.loads(response["body"]["string"])
    if "access_token" in body:
        body["access_token"] = RECORDED_TOKEN
        response["body"]["string"] = json.dumps(body).encode()
        response["headers"]["Content-Length"] = [str(len(response["body"]["string"]))]
    return response


def same_if_match(asked: Any, recorded: Any) -> None:
    """Refuse a request whose tag is another than the recorded one, or is not there."""
    one, other = asked.headers.get("If-Match"), recorded.headers.get("If-Match")
    assert one == other, f"{one} != {other}"


def cassette(
    path: Path, mode: str, *, match_on: tuple[str, ...] = STRICT, filtered: bool = True
) -> Any:
    """Return a context manager that yields the cassette at ``path``; ``mode`` is vcrpy's."""
    recorder = vcr.VCR(
        record_mode=mode,
        match_on=match_on,
        custom_patches=((PlainPool, "ConnectionCls", _Connection),),
        skip_patchers=vcr.patch.PATCHER_NAMES,
        before_record_request=_request if filtered else None,
        before_record_response=_response if filtered else None,
    )
    recorder.register_matcher("if_match", same_if_match)
    return recorder.use_cassette(path)


@contextmanager
def client(
    url: str, client_id: str, secret: str, kind: type[AvailabilityTenant] = AvailabilityTenant
) -> Iterator[AvailabilityTenant]:
    """Give a client whose clock and jitter are the same each time."""
    connection = Connection(url, f"{url}/oauth/token", client_id, Secret(secret))
    tenant = kind(connection, clock=SleepingClock(), jitter=lambda: 0.5)
    try:
        yield tenant
    finally:
        tenant.close()


def simulated(exchange: Exchange) -> Simulator:
    """Start the tenant that is recorded: the same secret, tokens and tags each time."""
    options = Options(seed=SEED, faults=exchange.faults, skills_page=5)
    return Simulator.start(TENANT, options, StillClock())


def record(name: str, folder: Path, *, filtered: bool = True) -> Path:
    """Record an exchange with the simulator anew and return the file."""
    exchange = EXCHANGES[name]
    path = folder / f"{name}.yaml"
    path.unlink(missing_ok=True)
    with (
        simulated(exchange) as simulator,
        cassette(path, "all", filtered=filtered),
        client(simulator.api_url, simulator.client_id, simulator.client_secret) as tenant,
    ):
        exchange.play(tenant)
    return path


@contextmanager
def replayed(
    name: str,
    *,
    kind: type[AvailabilityTenant] = AvailabilityTenant,
    match_on: tuple[str, ...] = STRICT,
) -> Iterator[tuple[AvailabilityTenant, Any]]:
    """Give a client that is answered from a recording, and the cassette."""
    with (
        cassette(FOLDER / f"{name}.yaml", "none", match_on=match_on) as played,
        client("http://127.0.0.1:9", "anybody", "any secret", kind) as tenant,
    ):
        yield tenant, played
