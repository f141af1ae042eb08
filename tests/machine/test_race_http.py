"""The same race with two processes over HTTP, each with files, key and ledger of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxplan.audit.keygen import generate_key
from cxplan.simulator.options import Options
from cxplan.simulator.runner import Simulator
from cxplan.simulator.spec import AgentSpec, HoldingSpec, TenantSpec
from cxplan.wiring.system import SystemClock
from tests.cli.small import FILES, MODES, SKILLS

HELD = (HoldingSpec("s-voice", 5, 1, 1), HoldingSpec("s-chat", 5, 2, 4))
AGENTS = tuple(f"agent-{n}" for n in range(1, 7))
TENANT = TenantSpec(
    "test", SKILLS, MODES, tuple(AgentSpec(a, a, "t", "m-available", HELD) for a in AGENTS)
)
VOICE = "skills/voice/level"
WANTED = (
    {"agent-1": "voice: 3", "agent-2": "voice: 3", "agent-3": "voice: 3", "agent-5": "voice: 3"},
    {"agent-1": "voice: 9", "agent-2": "voice: 9", "agent-3": "chat: 9", "agent-6": "chat: 9"},
)
"""Two agents are contested, one gets a value from each side, two are one's own, one nobody's."""


@dataclass
class Side:
    """One of the two: a folder, and the process in it."""

    folder: Path
    environ: dict[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "cxplan", *arguments],
            cwd=self.folder,
            env=os.environ | self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def outcomes(self) -> dict[str, dict[str, Any]]:
        """The outcome of each agent, from the only bundle."""
        (bundle,) = (p for p in (self.folder / "audit").iterdir() if p.is_dir())
        lines = map(json.loads, (bundle / "records.jsonl").read_text("ascii").splitlines())
        return {line["agentId"]: line for line in lines if line["kind"] == "agent.outcome"}


def _side(folder: Path, wanted: dict[str, str], simulator: Simulator) -> Side:
    members = "".join(f"  {a}: {{id: {a}, skills: {{{w}}}}}\n" for a, w in wanted.items())
    files = FILES | {"team.yaml": f"team: Small\nmembers:\n{members}"}
    for name, text in files.items():
        path = folder / "desired" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    generate_key(folder / "signing-key.pem")
    return Side(
        folder,
        {
            "CXONE_CLIENT_ID": simulator.client_id,
            "CXONE_CLIENT_SECRET": simulator.client_secret,
            "CXPLAN_API_URL": simulator.api_url,
            "CXPLAN_TOKEN_URL": simulator.token_url,
            "CXPLAN_SIGNING_KEY": "signing-key.pem",
        },
    )


def _both(sides: tuple[Side, ...], *arguments: str) -> list[int]:
    """Run the same command on both sides at once, and return the exit codes."""
    running = [side.start(*arguments) for side in sides]
    said = [process.communicate(timeout=60)[0] for process in running]
    codes = [process.returncode for process in running]
    assert set(codes) <= {0, 5}, said
    return codes


def test_two_processes_end_in_the_union_or_tell_what_is_contested(tmp_path: Path) -> None:
    options = Options(patches_per_second=50, latency_ms=20)
    with Simulator.start(TENANT, options, SystemClock()) as simulator:
        sides = tuple(
            _side(tmp_path / str(n), wanted, simulator) for n, wanted in enumerate(WANTED)
        )
        assert _both(sides, "plan", "-o", "p.json") == [0, 0]
        codes = _both(sides, "apply", "p.json")
        one, two = (side.outcomes() for side in sides)
        for agent in ("agent-1", "agent-2"):
            winner, loser = sorted((one[agent], two[agent]), key=lambda line: line["outcome"])
            assert (winner["outcome"], loser["outcome"]) == ("applied", "conflict")
            (moved,) = loser["conflict"]
            level = winner["changes"][0]["after"]
            assert (moved["path"], moved["current"]) == (VOICE, level)
            assert _levels(simulator, agent) == (level, 5)
        assert _levels(simulator, "agent-3") == (3, 9)
        assert _levels(simulator, "agent-4") == (5, 5)
        assert _levels(simulator, "agent-5") == (3, 5)
        assert _levels(simulator, "agent-6") == (5, 9)
        assert max(codes) == 5
        applied = [line for lines in (one, two) for line in lines.values() if not line["conflict"]]
        assert {line["outcome"] for line in applied} == {"applied"}
        assert len(simulator.world.changes()) == len(applied) == 6


def _levels(simulator: Simulator, agent: str) -> tuple[int | None, int | None]:
    state = simulator.world.agent(agent)
    assert state is not None
    held = {holding.skill_id: holding.level for holding in state.skills}
    return held["s-voice"], held["s-chat"]
