"""plan, apply, plan on a whole tenant: what is shown is written, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.kit import Bench, bench, random_files, random_tenant


def values(world: Any) -> dict[str, tuple[Any, ...]]:
    return {
        agent.id: (
            agent.work_mode,
            tuple((h.skill_id, h.level, h.concurrent) for h in agent.skills),
        )
        for agent in world.agents()
    }


def planned(plan: Any, status: str) -> dict[str, Any]:
    return {a["agent"]["id"]: a for a in plan["agents"] if a["status"] == status}


JITTER_MS = 200
"""Between a write that leaves and the tenant that notes it, on a busy machine."""


def most_within(span_ms: float, times_ms: list[float]) -> int:
    return max(
        (sum(at <= other < at + span_ms for other in times_ms) for at in times_ms), default=0
    )


@pytest.mark.parametrize("agents", [40, pytest.param(200, marks=pytest.mark.nightly)])
def test_a_tenant_goes_round(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], agents: int
) -> None:
    spec = random_tenant(agents, seed=5)
    with bench(tmp_path, spec, capsys) as on:
        on.write(random_files(spec, seed=5))
        before = values(on.simulator.world)
        shown = on.cxplan("plan", "-o", "p.json")
        plan = json.loads((tmp_path / "p.json").read_bytes())
        ready, deferred = planned(plan, "ready"), planned(plan, "deferred")
        assert ready, shown.out
        assert deferred, shown.out
        assert shown.code == (4 if planned(plan, "blocked") else 0)

        applied = on.cxplan("apply", "p.json")
        assert "Apply complete" in applied.out
        assert applied.code == shown.code
        _written_exactly(on, plan, before)

        again = on.cxplan("plan", "--json").json
        assert set(planned(again, "ready")) == set()
        assert set(planned(again, "deferred")) == set(deferred)


def _written_exactly(on: Bench, plan: Any, before: dict[str, Any]) -> None:
    world, ready = on.simulator.world, planned(plan, "ready")
    after = values(world)
    assert [p.status for p in on.patches()] == [200] * len(ready)
    assert all(p.if_match for p in on.patches())
    assert most_within(1000 - JITTER_MS, [p.at_ms for p in on.patches()]) <= 5
    assert sorted(e.body["data"]["agentId"] for e in _event_requests(on)) == sorted(ready)
    assert {change.agent_id for change in world.changes()} == set(ready)
    for agent_id, (mode, skills) in after.items():
        if agent_id not in ready:
            assert (mode, skills) == before[agent_id]
            continue
        wanted = ready[agent_id]["after"]
        assert mode == wanted["workModeId"]
        assert sorted(skills) == [
            (s["skillId"], s["level"], s["concurrentInteractions"]) for s in wanted["skills"]
        ]


def _event_requests(on: Bench) -> list[Any]:
    return [r for r in on.simulator.world.requests() if r.path.endswith("/events/publish")]


def test_where_nothing_differs_the_plan_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = random_tenant(3, seed=1)
    with bench(tmp_path, spec, capsys) as on:
        files = random_files(spec, seed=1)
        files["teams/everybody.yaml"] = "team: Everybody\nmembers:\n" + "".join(
            f'  {agent.id}: {{id: "{agent.id}"}}\n' for agent in spec.agents
        )
        on.write(files)
        done = on.cxplan("plan", "--detailed-exitcode")
        assert done.code == 0
        assert done.out.startswith("No changes. Live agents match the desired state.\n")
        nothing = on.cxplan("apply", "--auto-approve")
        assert nothing.code == 0
        assert "No changes." in nothing.out
        assert not (tmp_path / "audit").exists() or not list((tmp_path / "audit").glob("0*"))
