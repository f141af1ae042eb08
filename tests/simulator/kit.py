"""A small tenant, a clock that stands still, and a client that knows nothing but HTTP."""

from __future__ import annotations

import base64
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from cxplan.simulator.options import Options
from cxplan.simulator.rules import Rule
from cxplan.simulator.runner import Simulator
from cxplan.simulator.schema import parse_rules
from cxplan.simulator.spec import (
    AgentSpec,
    HoldingSpec,
    ModeSpec,
    ScheduleKind,
    ShiftSpec,
    SkillSpec,
    TenantSpec,
)

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
EAST = timezone(timedelta(hours=-5))

SKILLS = tuple(
    SkillSpec(f"s{n}", f"skill {n}", "chat" if n % 2 else "voice", 4 if n % 2 else 1)
    for n in range(1, 9)
)
MODES = (ModeSpec("m1", "Available", "available"), ModeSpec("m2", "Training", "unavailable"))
SHIFT = ShiftSpec(NOW.astimezone(EAST), NOW + timedelta(hours=8), "m1")
TENANT = TenantSpec(
    name="small",
    skills=SKILLS,
    modes=MODES,
    agents=(
        AgentSpec(
            "a1",
            "Ada",
            "t1",
            "m1",
            tuple(HoldingSpec(f"s{n}", n, 1, 4 if n % 2 else 1) for n in range(1, 8)),
            (SHIFT,),
        ),
        AgentSpec("a2", "Ben", "t1", "m2", (HoldingSpec("s1", 0, 0, 4),)),
        AgentSpec("a3", "Chidi", "t1", None, (), schedule=ScheduleKind.NULL),
        AgentSpec(
            "a4", "Dana", "t2", "m1", (HoldingSpec("s1", 5, None, None),), (), ScheduleKind.MISSING
        ),
    ),
)
SCOPES = "agent:read agent:write wfm:read events:publish skill:read"


@dataclass
class StillClock:
    """Time that passes when a test says so."""

    wall: datetime = NOW
    seconds: float = 100.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.seconds


@dataclass(frozen=True)
class Got:
    """An answer as it came."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        body = self.json
        assert set(body) >= {"error", "message"}, body
        assert all(isinstance(body[name], str) and body[name] for name in ("error", "message"))
        assert self.headers["Content-Type"] == "application/json"
        return str(body["error"])

    @property
    def etag(self) -> str:
        tags = self.headers.get_all("ETag") or []
        assert len(tags) == 1
        return str(tags[0])


@dataclass
class Client:
    """Talks to one simulator over real sockets, a connection for each request."""

    simulator: Simulator
    clock: StillClock
    token: str = ""
    port: int = field(init=False)

    def __post_init__(self) -> None:
        self.port = int(self.simulator.api_url.rpartition(":")[2])

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Got:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return Got(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def basic(self, secret: str | None = None) -> str:
        pair = f"{self.simulator.client_id}:{secret or self.simulator.client_secret}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    def log_in(self, scope: str = SCOPES) -> Got:
        got = self.send(
            "POST",
            "/oauth/token",
            f"grant_type=client_credentials&scope={scope.replace(' ', '+')}".encode(),
            Authorization=self.basic(),
            Content_Type="application/x-www-form-urlencoded",
        )
        if got.status == 200:
            self.token = got.json["access_token"]
        return got

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Got:
        """Send JSON (or bytes as they are) with a bearer token."""
        if not self.token:
            self.log_in()
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content_Type": "application/json"}
        return self.send(
            method, path, data, **{"Authorization": f"Bearer {self.token}"} | kind | headers
        )

    def get(self, path: str) -> Got:
        return self.call("GET", path)

    def etag(self, agent: str) -> str:
        return self.get(f"/api/v2/agents/{agent}").etag

    def patch(self, agent: str, body: Any = None, *, tag: str | None = None, **headers: str) -> Got:
        """Send an update under the current ETag, or under ``tag``; an empty one sends none."""
        tag = self.etag(agent) if tag is None else tag
        lock = {"If_Match": tag} if tag else {}
        sent = update() if body is None else body
        return self.call("PATCH", f"/api/v2/agents/{agent}/workmodes", sent, **lock | headers)

    def pages(self, path: str) -> list[list[Any]]:
        """Follow ``nextPageUri`` to the end."""
        found = []
        following: str | None = path
        while following:
            page = self.get(following).json
            found.append(page["entities"])
            following = page["nextPageUri"]
        return found

    def raw(self, method: str, path: str) -> bytes:
        """Return every byte until the connection ends.

        Raises:
            ConnectionResetError: the connection ended with RST.
        """
        if not self.token:
            self.log_in()
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as peer:
            lines = (f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {self.token}")
            peer.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            received = b""
            while chunk := peer.recv(1 << 20):
                received += chunk
            return received


def update(mode: str = "m1", *levels: tuple[str, int, int]) -> dict[str, Any]:
    """Return the body of a PATCH; a level is skill, level, concurrency."""
    return {
        "workModeId": mode,
        "skillLevels": [
            {"skillId": skill, "level": level, "concurrentInteractions": concurrent}
            for skill, level, concurrent in levels
        ],
        "reason": "test",
        "metadata": {"source": "test/1", "timestamp": "2026-11-22T09:00:00Z"},
    }


def event(agent: str = "a1") -> dict[str, Any]:
    """Return the body of an event."""
    return {
        "eventType": "agent.availability.changed",
        "data": {
            "agentId": agent,
            "previousState": {"workModeId": "m1"},
            "newState": {"workModeId": "m2"},
            "syncTimestamp": "2026-11-22T09:00:00+01:00",
        },
    }


def rules(*members: dict[str, Any]) -> tuple[Rule, ...]:
    """Return rules as a rules file would give them."""
    return parse_rules(json.dumps(members).encode())


@contextmanager
def running(
    *faults: dict[str, Any], spec: TenantSpec = TENANT, options: Options | None = None
) -> Iterator[Client]:
    """Run a simulator with these fault rules and yield a client of it."""
    clock = StillClock()
    with Simulator.start(spec, options or Options(), clock) as simulator:
        for rule in rules(*faults):
            simulator.world.add_rule(rule)
        yield Client(simulator, clock)
