"""Twenty agents, an apply that can be killed, and what must hold between tenant and bundle."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cxplan.audit.keygen import generate_key
from cxplan.cli.app import run
from cxplan.simulator.options import Options
from cxplan.simulator.rules import Rule
from cxplan.simulator.runner import Simulator
from cxplan.simulator.spec import AgentSpec, HoldingSpec, ShiftSpec, TenantSpec
from cxplan.wiring.system import SystemClock
from tests.cli.small import FILES, MODES, SKILLS

TOP = Path(__file__).parents[2]
AGENTS = 20
WIDTH = 6
"""Commands at once: they mostly wait for their pace."""

Item = TypeVar("Item")
Output = TypeVar("Output")

LANDED = {"applied", "converged"}
NOT_LANDED = {"conflict", "stale", "failed", "rejected", "notAttempted", "deferred", "alreadyThere"}


@dataclass(frozen=True)
class Done:
    """What one command left behind."""

    code: int
    out: str
    err: str
    operations: int
    """How many durable operations it made; 0 where it was killed."""


@dataclass
class Field:
    """A folder with files, key and plan, and the tenant that it is about."""

    folder: Path
    simulator: Simulator
    environ: Mapping[str, str]
    agents: int

    def cxplan(self, *arguments: str, how: str = "kill", at: int = 0) -> Done:
        """Run one command in a process of its own; see ``killing`` for what may happen to it."""
        command = [sys.executable, "-m", "tests.faults.killing", how, str(at), "count", *arguments]
        count = self.folder / "count"
        count.unlink(missing_ok=True)
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        operations = int(count.read_text("ascii")) if count.exists() else 0
        return Done(done.returncode, done.stdout, done.stderr, operations)

    def here(self, *arguments: str) -> Done:
        """Run one command in this process, which is quicker; one at a time."""
        out, err = io.StringIO(), io.StringIO()
        with _HERE, pytest.MonkeyPatch.context() as patch:
            for name, value in self.environ.items():
                if name.startswith("CX"):
                    patch.setenv(name, value)
            with redirect_stdout(out), redirect_stderr(err):
                code = run(["-C", str(self.folder), *arguments])
        return Done(code, out.getvalue(), err.getvalue(), 0)

    def clone(self, name: str) -> Field:
        """The same tenant and a copy of the folder."""
        to = self.folder.parent / name
        shutil.copytree(self.folder, to)
        return replace(self, folder=to)

    @property
    def audit(self) -> Path:
        return self.folder / "audit"

    def open_folder(self) -> Path | None:
        """The folder of the run that was cut off, if there is one."""
        return next(iter(self.audit.glob("*.open")), None) if self.audit.exists() else None

    def bundles(self) -> list[Path]:
        """The sealed bundles, in order."""
        return sorted(path for path in self.audit.glob("0*") if path.suffix != ".open")

    def run_id(self) -> str:
        """The id of the run that was cut off."""
        folder = self.open_folder()
        assert folder is not None
        return folder.name.removesuffix(".open").partition("-")[2]

    def changes(self) -> Counter[str]:
        """How often the tenant changed each agent."""
        return Counter(change.agent_id for change in self.simulator.world.changes())


def spec(agents: int) -> TenantSpec:
    """Agents on shift, and one off shift."""
    now = datetime.now(UTC)
    on = ShiftSpec(now - timedelta(hours=3), now + timedelta(hours=3), "m-available")
    off = ShiftSpec(now + timedelta(hours=5), now + timedelta(hours=9), "m-available")
    held = (HoldingSpec("s-voice", 5, 1, 1), HoldingSpec("s-chat", 5, 2, 4))
    people = tuple(
        AgentSpec(
            f"agent-{n:02d}",
            f"Person {n}",
            "t",
            "m-available",
            held,
            (off if n == agents + 1 else on,),
        )
        for n in range(1, agents + 2)
    )
    return TenantSpec("test", SKILLS, MODES, people)


def files(agents: int) -> dict[str, str]:
    """Odd agents get better at a skill, even ones worse, and who is off shift gets a work mode."""
    lines = ["team: Many", "members:"]
    for n in range(1, agents + 1):
        level = "senior" if n % 2 else "7"
        lines.append(f'  m{n:02d}: {{id: "agent-{n:02d}", skills: {{voice: {level}}}}}')
    lines.append(f'  later: {{id: "agent-{agents + 1:02d}", workMode: training}}')
    guards = "guards:\n  maxAgentsChanged: off\n  maxSkillsRemoved: off\n"
    return FILES | {"team.yaml": "\n".join(lines) + "\n", "guards.yaml": guards}


_HERE = threading.Lock()


@contextmanager
def field_of(folder: Path, *faults: Rule, agents: int = AGENTS) -> Iterator[Field]:
    """A tenant, and a folder with a plan ``p.json`` for it."""
    for name, text in files(agents).items():
        path = folder / "desired" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    generate_key(folder / "signing-key.pem")
    with Simulator.start(spec(agents), Options(faults=faults), SystemClock()) as simulator:
        environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "PYTHONPATH": str(TOP),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CXONE_CLIENT_ID": simulator.client_id,
            "CXONE_CLIENT_SECRET": simulator.client_secret,
            "CXPLAN_API_URL": simulator.api_url,
            "CXPLAN_TOKEN_URL": simulator.token_url,
            "CXPLAN_SIGNING_KEY": "signing-key.pem",
        }
        on = Field(folder, simulator, environ, agents)
        done = on.here("plan", "-o", "p.json")
        assert done.code == 0, done.out + done.err
        assert f"Plan: {agents} agents to change, 1 deferred" in done.out
        yield on


def records(bundle: Path) -> list[Any]:
    """The lines of a journal."""
    return [json.loads(line) for line in (bundle / "records.jsonl").read_bytes().splitlines()]


def outcomes(bundle: Path) -> dict[str, str]:
    """How each agent ended, each of them once."""
    found = [line for line in records(bundle) if line["kind"] == "agent.outcome"]
    ended = {line["agentId"]: line["outcome"] for line in found}
    assert len(ended) == len(found)
    return ended


def agree(on: Field, bundle: Path) -> Counter[str]:
    """Hold a bundle against the tenant's own log, and return how many agents ended how."""
    lines, ended, changes = records(bundle), outcomes(bundle), on.changes()
    plan = json.loads((bundle / "plan.json").read_bytes())
    wanted = {entry["agent"]["id"]: entry["after"] for entry in plan["agents"]}
    assert ended.keys() == wanted.keys()
    intents = {line["agentId"] for line in lines if line["kind"] == "agent.intent"}
    assert changes.keys() <= intents
    assert all(count == 1 for count in changes.values())
    for agent_id, outcome in ended.items():
        if outcome in LANDED:
            assert changes[agent_id] == 1
            assert state(on, agent_id) == wanted[agent_id]
        elif outcome in NOT_LANDED:
            assert changes[agent_id] == 0, outcome
        else:
            assert outcome == "unknown"
    verified = on.here("audit", "verify")
    assert verified.code == 0, verified.out
    return Counter(ended.values())


def state(on: Field, agent_id: str) -> dict[str, Any]:
    """An agent's values at the tenant, in the form of a plan."""
    agent = on.simulator.world.agent(agent_id)
    assert agent is not None
    skills = sorted(agent.skills, key=lambda held: held.skill_id)
    return {
        "workModeId": agent.work_mode,
        "skills": [
            {"skillId": s.skill_id, "level": s.level, "concurrentInteractions": s.concurrent}
            for s in skills
        ],
    }


def whole_lines(folder: Path) -> bytes:
    """The complete lines of the journal in a folder; none where there is no journal."""
    path = folder / "records.jsonl"
    data = path.read_bytes() if path.exists() else b""
    return data[: data.rfind(b"\n") + 1]


def side_by_side(function: Callable[[Item], Output], items: Iterable[Item]) -> list[Output]:
    """Return the results in order; the first failure is raised."""
    with ThreadPoolExecutor(WIDTH) as pool:
        return list(pool.map(function, items))
