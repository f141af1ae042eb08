"""Another admin, between plan and apply and in the middle of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cxplan.simulator.rules import Foreign, Rule
from tests.cli.small import PATCH, outcomes, planned, small


def test_a_planned_value_that_somebody_changed_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        planned(on)
        on.simulator.world.foreign_change("agent-1", skill="s-voice", level=9)
        done = on.cxplan("apply", "p.json")
        assert done.code == 5
        assert (
            "skills/voice/level: planned before standard (5), current level 9, desired senior (3)"
        ) in done.out
        assert {p.agent_id for p in on.patches()} == {"agent-2", "agent-3"}
        assert outcomes(on) == {"agent-1": "conflict", "agent-2": "applied", "agent-3": "applied"}
        (record,) = [r for r in on.records() if r.get("outcome") == "conflict"]
        assert record["conflict"] == [
            {"path": "skills/voice/level", "plannedBefore": 5, "current": 9, "desired": 3}
        ]
        assert record["etagBefore"] != record["etagAfter"]
        assert not record["complianceFlags"]["optimisticLockingApplied"]
        held = on.simulator.world.agent("agent-1")
        assert held is not None
        assert held.skills[0].level == 9


def test_where_nothing_at_all_was_written_the_plan_was_stale(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        planned(on)
        for agent in ("agent-1", "agent-2"):
            on.simulator.world.foreign_change(agent, skill="s-voice", level=9)
        on.simulator.world.foreign_change("agent-3", skill="s-chat", concurrent=1)
        done = on.cxplan("apply", "p.json", "--json")
        assert done.code == 6
        assert done.json["exit"] == {"code": 6, "word": "stale"}
        assert done.json["summary"]["conflict"] == 3
        assert on.patches() == []


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"skill": "s-chat", "level": 9},
        {"work_mode": "m-training"},
        {"touch": True},
        {"skill": "s-voice", "level": 3},
    ],
    ids=["another skill", "the work mode", "only the tag", "the wanted value"],
)
def test_a_change_of_something_else_is_not_in_the_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], elsewhere: dict[str, Any]
) -> None:
    with small(tmp_path, capsys) as on:
        planned(on)
        on.simulator.world.foreign_change("agent-1", **elsewhere)
        left = on.simulator.world.agent("agent-1")
        assert on.cxplan("apply", "p.json").code == 0
        held = on.simulator.world.agent("agent-1")
        assert left is not None
        assert held is not None
        assert held.skills[0].level == 3
        assert (held.work_mode, held.skills[1]) == (left.work_mode, left.skills[1])
        already = elsewhere.get("level") == 3
        assert outcomes(on)["agent-1"] == ("alreadyThere" if already else "applied")


def test_somebody_who_writes_between_our_read_and_our_write_is_compared_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = (PATCH.replace("*", f"agent-{n}") for n in (1, 2))
    elsewhere = Rule("PATCH", one, times=1, foreign=Foreign(skill="s-chat", level=8))
    same = Rule("PATCH", two, times=1, foreign=Foreign(skill="s-voice", level=8))
    with small(tmp_path, capsys, elsewhere, same) as on:
        planned(on)
        assert on.cxplan("apply", "p.json").code == 5
        assert outcomes(on) == {"agent-1": "applied", "agent-2": "conflict", "agent-3": "applied"}
        statuses = [(p.agent_id, p.status) for p in on.patches()]
        assert [s for a, s in statuses if a == "agent-1"] == [412, 200]
        assert [s for a, s in statuses if a == "agent-2"] == [412]
        voice = on.simulator.world.agent("agent-2")
        assert voice is not None
        assert voice.skills[0].level == 8


@pytest.mark.parametrize("status", [409, 412])
def test_an_admin_who_never_stops_writing_wins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    storm = Rule("PATCH", "/api/v2/agents/agent-1/workmodes", foreign=Foreign(touch=True))
    with small(tmp_path, capsys, storm, conflict_status=status) as on:
        planned(on)
        assert on.cxplan("apply", "p.json").code == 5
        tries = [p for p in on.patches() if p.agent_id == "agent-1"]
        assert [p.status for p in tries] == [status] * 3
        assert len({p.if_match for p in tries}) == 3
        assert outcomes(on)["agent-1"] == "conflict"
