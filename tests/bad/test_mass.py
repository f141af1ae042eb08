"""Many writes under many faults: the pace is kept, and nobody is written twice.

Row F-64 of the fault matrix: eight workers, a tenth of the answers 429, a tenth of them lost.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cxplan.simulator.options import Options
from cxplan.simulator.records import Actor
from cxplan.simulator.rules import Moment, Rule
from tests.bad.kit import Stage, everybody, people, stage
from tests.cli.small import PATCH

SECOND_MS = 1000.0
IN_A_SECOND = 5
ROUNDING_MS = 5.0
"""The journal's instants are cut to milliseconds; two clocks are read one after the other."""

FAULTS = (
    Rule("PATCH", PATCH, probability=0.05, status=429),
    Rule("PATCH", PATCH, probability=0.05, status=429, headers=(("Retry-After", ("1",)),)),
    Rule("PATCH", PATCH, probability=0.05, reset=Moment.AFTER),
    Rule("PATCH", PATCH, probability=0.05, reset=Moment.BEFORE),
)


@pytest.mark.parametrize("agents", [60, pytest.param(200, marks=pytest.mark.nightly)])
def test_pace_and_once_only(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    record_testsuite_property: Callable[[str, object], None],
    agents: int,
) -> None:
    ids = tuple(f"{number:04}" for number in range(1, agents + 1))
    # The tenant itself does not limit the rate here: its log is the judge of the pace.
    options = Options(seed=64, faults=FAULTS, patches_per_second=1000)
    with stage(tmp_path, capsys, spec=people(ids), files=everybody(ids), options=options) as on:
        assert on.run("plan", "-o", "p.json", writes=("p.json",)).code == 0
        done = on.on.cxplan("apply", "p.json", "--json")
        patches = on.on.patches()
        for name, value in numbers(patches, done.json["summary"]).items():
            record_testsuite_property(f"{agents} agents: {name}", value)
        assert done.code == 0, done.out
        assert min(sixths(patches)) >= SECOND_MS
        statuses = Counter(patch.status for patch in patches)
        assert statuses[429] >= agents // 20
        assert statuses[None] >= agents // 20
        assert_written_once(on, ids)
        assert_evidence(on, ids, done.json)


def numbers(patches: list[Any], outcomes: dict[str, int]) -> dict[str, object]:
    """What somebody who runs this at night wants to read (``--junitxml``)."""
    return {
        "patches": len(patches),
        "statuses": dict(Counter(str(patch.status) for patch in patches)),
        "seconds": round((patches[-1].at_ms - patches[0].at_ms) / 1000, 1),
        "shortest time for six": round(min(sixths(patches)), 1),
        "outcomes": {name: count for name, count in outcomes.items() if count},
    }


def sixths(patches: list[Any]) -> list[float]:
    """Milliseconds from each PATCH to the fifth after it: at least a second each."""
    arrived = sorted(patch.at_ms for patch in patches)
    return [later - first for first, later in zip(arrived, arrived[IN_A_SECOND:], strict=False)]


def assert_written_once(on: Stage, ids: tuple[str, ...]) -> None:
    """Every agent was changed exactly once, and is as the files want it."""
    changes = on.on.simulator.world.changes()
    assert Counter(c.agent_id for c in changes if c.actor is Actor.API) == Counter(ids)
    for agent in on.on.simulator.world.agents():
        held = [(h.skill_id, h.level, h.concurrent) for h in agent.skills]
        assert held == [("s-voice", 3, 1), ("s-chat", 5, 2)]


def assert_evidence(on: Stage, ids: tuple[str, ...], report: Any) -> None:
    """The bundle tells what the tenant's own log does."""
    records = on.on.records()
    world = on.on.simulator.world
    assert Counter(r["agentId"] for r in records if r["kind"] == "agent.intent") == Counter(ids)
    outcomes = [r for r in records if r["kind"] == "agent.outcome"]
    assert Counter(r["agentId"] for r in outcomes) == Counter(ids)
    tags = {agent.id: agent.etag for agent in world.agents()}
    assert {r["agentId"]: r["etagAfter"] for r in outcomes} == tags
    assert {r["outcome"] for r in outcomes} == {"applied", "converged"}
    told = {name: n for name, n in report["summary"].items() if n}
    assert told == Counter(r["outcome"] for r in outcomes)
    assert Counter(event.agent_id for event in world.events()) == Counter(ids)
    assert_intents_first(on, records)
    tried = Counter(r["agentId"] for r in records if r["kind"] == "agent.attempt")
    assert tried == Counter(patch.agent_id for patch in on.on.patches())
    for agent, attempts in itertools.groupby(
        sorted((p.agent_id, p.if_match) for p in on.on.patches()), key=lambda one: one[0]
    ):
        assert len({tag for _, tag in attempts}) == 1, agent


def assert_intents_first(on: Stage, records: list[Any]) -> None:
    """Every intent was on disk before its change was made, on the clock that both share."""
    (start,) = [r["clock"] for r in records if r["kind"] == "run.start"]
    began = datetime.fromisoformat(start["wall"])
    intended = {
        r["agentId"]: (datetime.fromisoformat(r["at"]) - began).total_seconds() * 1000
        for r in records
        if r["kind"] == "agent.intent"
    }
    for change in on.on.simulator.world.changes():
        assert intended[change.agent_id] <= change.at_ms - start["monotonicMs"] + ROUNDING_MS
