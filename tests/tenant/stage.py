"""A small tenant on a scripted server, clocks that need not wait, and the search for canaries."""

from __future__ import annotations

import base64
import contextlib
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from cxplan.core.errors import CxplanError
from cxplan.core.ids import AgentId, ETag, SkillId, WorkModeId
from cxplan.core.live import Assignment, ObservedAgent
from cxplan.core.secret import Secret
from cxplan.tenant.availability.tenant import AvailabilityTenant
from cxplan.tenant.connection import Connection, Limits
from tests.tenant.server import Asked, Script, ScriptedServer, Step, answer

SECRET = "CXCANARY-client-secret-4711"
TOKEN = "CXCANARY-token-0815"
AGENT = AgentId("1001")
PROFILE = "GET /api/v2/agents/1001"
SKILLS = "GET /api/v2/agents/1001/skills"
SCHEDULE = "GET /api/v2/wfm/schedules/1001"
CATALOGUE = "GET /api/v2/skills"
PATCH = "PATCH /api/v2/agents/1001/workmodes"
EVENT = "POST /api/v2/events/publish"
TOKEN_CALL = "POST /oauth/token"
TAG = '"v1"'
START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


class FakeClock:
    """Time that passes only by sleeping; ``meanwhile`` happens at the beginning of each sleep."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.passed = 0.0
        self.sleeps: list[float] = []
        self.meanwhile = meanwhile
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.meanwhile()
        with self._lock:
            self.sleeps.append(seconds)
            self.passed += seconds


class HastyClock(FakeClock):
    """Real time, but nobody has to wait for a sleep."""

    def monotonic(self) -> float:
        return time.monotonic() + self.passed

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed)


class RealClock:
    """Real time and real sleeps."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


Clocks = FakeClock | RealClock


def played(script: Any, asked: Asked) -> Iterable[Step]:
    """A script is the steps themselves, or makes them of what was asked."""
    steps: Iterable[Step] = script(asked) if callable(script) else script
    return steps


def in_turn(*scripts: Any) -> Script:
    """Play one script for each call, the last one for all that follow."""
    left = list(scripts)
    lock = threading.Lock()

    def play(asked: Asked) -> Iterable[Step]:
        with lock:
            script = left.pop(0) if len(left) > 1 else left[0]
        return played(script, asked)

    return play


def token_answer(token: str = TOKEN, **members: Any) -> list[Step]:
    body: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
    return answer(body | members)


def skill(number: int, **members: Any) -> dict[str, Any]:
    return {"skillId": f"s{number}", "level": 3, "concurrentInteractions": 1} | members


def good_tenant() -> dict[str, Any]:
    """What the little tenant answers where a test says nothing else."""
    return {
        TOKEN_CALL: token_answer(),
        PROFILE: answer({"id": "1001", "currentWorkMode": {"id": "wm-1"}}, headers=[("ETag", TAG)]),
        SKILLS: answer({"entities": [skill(1)]}),
        SCHEDULE: answer({"agentId": "1001", "shifts": []}),
        CATALOGUE: answer({"entities": [skill(1, maximumConcurrentInteractions=4)]}),
        PATCH: answer(
            {"workModeId": "wm-2", "skillLevels": [skill(1, level=5)]}, headers=[("ETag", '"v2"')]
        ),
        EVENT: answer(b"", 202),
    }


@dataclass
class Stage:
    """A tenant client, the servers it talks to, and one that it must never talk to."""

    server: ScriptedServer
    elsewhere: ScriptedServer
    answers: dict[str, Any]
    clock: Any
    connection: Connection
    tenant: AvailabilityTenant
    log: list[str] = field(default_factory=list)

    def script(self, asked: Asked) -> Iterable[Step]:
        known = self.answers.get(asked.key) or self.answers.get(asked.key.partition("?")[0])
        if known is None:
            return answer({"error": "not found"}, 404)
        return played(known, asked)

    def fill(self, text: str) -> str:
        """Put the addresses of both servers into a template."""
        return text.replace("{host}", self.server.host).replace("{evil}", self.elsewhere.host)


@contextlib.contextmanager
def stage(
    answers: dict[str, Any] | None = None,
    *,
    clock: Clocks | None = None,
    limits: Limits | None = None,
    **connection: Any,
) -> Iterator[Stage]:
    """Set a stage, and at its end look for canaries and strangers."""
    clock = clock or HastyClock()
    with ScriptedServer() as server, ScriptedServer() as elsewhere, _captured_log() as log:
        parts: dict[str, Any] = {
            "api_url": server.url,
            "token_url": f"{server.url}/oauth/token",
            "client_id": "client",
            "client_secret": Secret(SECRET),
        }
        joined = Connection(**parts | connection)
        tenant = AvailabilityTenant(joined, clock=clock, jitter=lambda: 0.5, limits=limits)
        merged = good_tenant() | (answers or {})
        here = Stage(server, elsewhere, merged, clock, joined, tenant, log)
        server.script = here.script
        try:
            yield here
        except CxplanError as error:
            assert_no_canary(error)
            raise
        finally:
            tenant.close()
            assert elsewhere.connections == 0, "a stranger was asked"
            assert_no_canary(joined, tenant, *log)


@contextlib.contextmanager
def _captured_log() -> Iterator[list[str]]:
    """Everything that any logger says, libraries at DEBUG included."""
    lines: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    root, keeper = logging.getLogger(), Keeper()
    before = root.level
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.setLevel(before)
        root.removeHandler(keeper)


def forms(secret: str) -> set[str]:
    raw = secret.encode()
    return {
        secret,
        quote(secret, safe=""),
        base64.b64encode(raw).decode().rstrip("="),
        base64.b64encode(f"client:{secret}".encode()).decode().rstrip("="),
    }


def assert_no_canary(*things: object) -> None:
    """No secret in any form, in what a thing prints and in all that hangs on an exception."""
    for thing in things:
        said = f"{thing} {thing!r}"
        if isinstance(thing, BaseException):
            said += "".join(traceback.format_exception(thing))
            said += f" {vars(thing)} {thing.args} {thing.__cause__!r} {thing.__context__!r}"
        for secret in (SECRET, TOKEN):
            for form in forms(secret):
                assert form not in said


def seen(*, etag: str | None = TAG, skills: Sequence[Assignment] | None = None) -> ObservedAgent:
    held = skills or (Assignment(SkillId("s1"), 3, 1, 2), Assignment(SkillId("s2"), 4, 1, 2))
    return ObservedAgent(
        AGENT, None if etag is None else ETag(etag), WorkModeId("wm-1"), tuple(held)
    )


def without(thing: Any, **parts: Any) -> Any:
    """``dataclasses.replace`` for values whose type a test does not care about."""
    return replace(thing, **parts)
