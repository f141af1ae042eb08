"""Two agents, of whom one is to be changed, on a tenant that answers what a test wants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cxplan.simulator.draws import fingerprint
from cxplan.simulator.options import Options
from cxplan.simulator.records import Actor
from cxplan.simulator.spec import AgentSpec, HoldingSpec, ModeSpec, ShiftSpec, SkillSpec, TenantSpec
from tests.bad.conditions import (
    MARK,
    Listener,
    assert_no_secret,
    assert_readable,
    assert_stayed_home,
    assert_untouched,
    frugal,
    tree,
    watching,
)
from tests.cli.kit import TENANT_YAML, Bench, Done, bench

AGENT = "/api/v2/agents/1001"
SKILLS = "/api/v2/agents/1001/skills"
LISTING = "/api/v2/skills"
MODES = "/api/v2/work-modes"
WRITE = "/api/v2/agents/1001/workmodes"
TOKEN = "/oauth/token"

PROFILE = {
    "id": "1001",
    "name": "Person 1001",
    "teamId": "t",
    "currentWorkMode": {"id": "m-available", "name": "available"},
}
"""The agent as the tenant shows it."""

_SKILLS = (SkillSpec("s-voice", "voice", "voice", 1), SkillSpec("s-chat", "chat", "chat", 4))
_MODES = (
    ModeSpec("m-available", "available", "available"),
    ModeSpec("m-training", "training", "unavailable"),
)
_HELD = (HoldingSpec("s-voice", 5, 1, 1), HoldingSpec("s-chat", 5, 2, 4))

_MODES_YAML = (
    "workModes:\n"
    '  available: {id: "m-available", category: available}\n'
    '  training:  {id: "m-training", category: unavailable}\n'
)
FILES = {
    "tenant.yaml": TENANT_YAML,
    "catalogue.yaml": (
        "skills:\n"
        '  voice: {id: "s-voice", maxConcurrent: 1}\n'
        '  chat:  {id: "s-chat", maxConcurrent: 4}\n'
    ),
    "modes.yaml": _MODES_YAML,
    "team.yaml": (
        "team: Small\n"
        "members:\n"
        '  one: {id: "1001", skills: {voice: senior}}\n'
        '  two: {id: "1002", skills: {voice: standard}}\n'
    ),
}
"""1001 is to be changed, 1002 is as it should be."""

"""The same with limits that only the tenant's own list of skills knows."""


UNGUARDED = {"guards.yaml": "guards:\n  maxAgentsChanged: off\n  maxSkillsRemoved: off\n"}


def everybody(ids: tuple[str, ...]) -> dict[str, str]:
    """Files that make each of them better at voice, with no guard in the way."""
    lines = "".join(f'  a{one}: {{id: "{one}", skills: {{voice: senior}}}}\n' for one in ids)
    return FILES | UNGUARDED | {"team.yaml": f"team: Many\nmembers:\n{lines}"}


def people(ids: tuple[str, ...]) -> TenantSpec:
    """A tenant whose agents are all on shift and hold voice and chat at level 5."""
    now = datetime.now(UTC)
    shift = ShiftSpec(now - timedelta(hours=3), now + timedelta(hours=3), "m-available")
    agents = tuple(
        AgentSpec(one, f"Person {one}", "t", "m-available", _HELD, (shift,)) for one in ids
    )
    return TenantSpec("test", _SKILLS, _MODES, agents)


@dataclass
class Stage:
    """A bench in a folder of its own, beside a home and a port that nobody has business with."""

    on: Bench
    root: Path
    listener: Listener

    def run(self, *arguments: str, writes: tuple[str, ...] = ()) -> Done:
        """Run one command and hold it to every condition; ``writes`` are what it may create."""
        with self.held(writes) as done, watching() as seen, frugal():
            done.append(self.on.cxplan(*arguments))
        assert_stayed_home(seen, self.addresses())
        return done[0]

    @contextmanager
    def held(self, writes: tuple[str, ...] = ()) -> Iterator[list[Done]]:
        """Hold the one command that the block runs, and appends, to the general conditions."""
        before, asked, changed = tree(self.root), len(self.log()), self._changes()
        done: list[Done] = []
        yield done
        after = tree(self.root)
        assert_readable(done[0])
        assert_untouched(before, after, tuple(f"work/{name}" for name in writes))
        produced = (done[0].out + done[0].err).encode()
        produced += b"".join(text for _, text in after.values())
        assert_no_secret(produced, (*self.secrets(), MARK))
        assert self.listener.seen == 0
        if "audit" not in writes:
            sent = [entry for entry in self.log()[asked:] if entry.path != TOKEN]
            assert {entry.method for entry in sent} <= {"GET"}
            assert self._changes() == changed

    def _changes(self) -> int:
        return len(self.on.simulator.world.changes())

    def addresses(self) -> frozenset[str]:
        """Where this bench may connect to."""
        names = ("CXPLAN_API_URL", "CXPLAN_TOKEN_URL")
        return frozenset(urlsplit(self.on.environ[name]).netloc for name in names)

    def secrets(self) -> tuple[str, ...]:
        """The client's secret and every token that was given out."""
        asked = len([entry for entry in self.log() if entry.path == TOKEN])
        return (self.on.simulator.client_secret, *(token(number) for number in range(1, asked + 1)))

    def log(self) -> list[Any]:
        """The requests that the tenant got."""
        return list(self.on.simulator.world.requests())

    def writes(self, agent: str = "1001") -> list[Any]:
        """Which API changes there were to an agent."""
        changes = self.on.simulator.world.changes()
        return [c for c in changes if c.agent_id == agent and c.actor is Actor.API]


def token(number: int) -> str:
    """The token that a simulator of seed 0 gives out as its ``number``-th."""
    return fingerprint("access token", 0, number, length=40)


@contextmanager
def stage(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    spec: TenantSpec | None = None,
    files: dict[str, str] | None = None,
    options: Options | None = None,
    ca: Path | None = None,
) -> Iterator[Stage]:
    """Give a stage with its files written."""
    (folder / "work").mkdir()
    (folder / "home").mkdir()
    listener = Listener()
    try:
        with bench(folder / "work", spec or people(("1001", "1002")), capsys, options) as on:
            on.write(files or FILES)
            on.environ["HOME"] = str(folder / "home")
            if ca is not None:
                on.environ["CXPLAN_CA_BUNDLE"] = str(ca)
            yield Stage(on, folder, listener)
    finally:
        listener.close()
