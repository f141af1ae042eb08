"""A tenant of three agents on shift, and files that change one value of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cxplan.simulator.options import Options
from cxplan.simulator.rules import Rule
from cxplan.simulator.spec import AgentSpec, HoldingSpec, ModeSpec, ShiftSpec, SkillSpec, TenantSpec
from tests.cli.kit import TENANT_YAML, Bench, bench

SKILLS = (SkillSpec("s-voice", "voice", "voice", 1), SkillSpec("s-chat", "chat", "chat", 4))
MODES = (
    ModeSpec("m-available", "available", "available"),
    ModeSpec("m-training", "training", "unavailable"),
)
PATCH = "/api/v2/agents/*/workmodes"


def spec() -> TenantSpec:
    now = datetime.now(UTC)
    shift = ShiftSpec(now - timedelta(hours=3), now + timedelta(hours=3), "m-available")
    held = (HoldingSpec("s-voice", 5, 1, 1), HoldingSpec("s-chat", 5, 2, 4))
    agents = tuple(
        AgentSpec(f"agent-{n}", f"Person {n}", "t", "m-available", held, (shift,))
        for n in (1, 2, 3)
    )
    return TenantSpec("test", SKILLS, MODES, agents)


FILES = {
    "tenant.yaml": TENANT_YAML,
    "catalogue.yaml": (
        "skills:\n"
        '  voice: {id: "s-voice", maxConcurrent: 1}\n'
        '  chat:  {id: "s-chat", maxConcurrent: 4}\n'
    ),
    "modes.yaml": (
        "workModes:\n"
        '  available: {id: "m-available", category: available}\n'
        '  training:  {id: "m-training", category: unavailable}\n'
    ),
    "team.yaml": (
        "team: Small\n"
        "members:\n"
        '  one:   {id: "agent-1", skills: {voice: senior}}\n'
        '  two:   {id: "agent-2", skills: {voice: senior}}\n'
        '  three: {id: "agent-3", skills: {chat: {concurrent: 3}}}\n'
    ),
}


@contextmanager
def small(
    folder: Path, capsys: pytest.CaptureFixture[str], *faults: Rule, conflict_status: int = 412
) -> Iterator[Bench]:
    """A bench with files written; ``faults`` and ``conflict_status`` are the simulator's."""
    settings = Options(faults=faults, conflict_status=conflict_status)
    with bench(folder, spec(), capsys, settings) as on:
        on.write(FILES)
        yield on


def planned(on: Bench) -> None:
    """Write ``p.json``; all three agents are ready."""
    done = on.cxplan("plan", "-o", "p.json")
    assert done.code == 0, done.out + done.err
    assert "Plan: 3 agents to change" in done.out


def outcomes(on: Bench) -> dict[str, str]:
    """How each agent ended, by the bundle."""
    return {
        record["agentId"]: record["outcome"]
        for record in on.records()
        if record["kind"] == "agent.outcome"
    }
