"""A write whose answer never came is looked at, never guessed and never written twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxplan.simulator.rules import Foreign, Moment, Rule
from tests.cli.kit import Bench
from tests.cli.small import PATCH, outcomes, planned, small

FIRST = "/api/v2/agents/agent-1/workmodes"


def own_changes(on: Bench, agent: str = "agent-1") -> int:
    return sum(c.agent_id == agent and c.actor == "api" for c in on.simulator.world.changes())


@pytest.mark.parametrize(
    "lost",
    [
        Rule("PATCH", FIRST, times=1, reset=Moment.AFTER),
        Rule("PATCH", FIRST, times=1, close=Moment.AFTER),
        Rule("PATCH", FIRST, times=1, commit=True, status=500),
        Rule("PATCH", FIRST, times=1, commit=True, status=504),
        Rule("PATCH", FIRST, times=1, commit=True, cut_after=5),
        Rule("PATCH", FIRST, times=1, commit=True, status=200, body="<html>"),
    ],
    ids=["reset", "closed", "500", "504", "cut", "html"],
)
def test_committed_and_lost_is_converged_with_one_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lost: Rule
) -> None:
    with small(tmp_path, capsys, lost) as on:
        planned(on)
        done = on.cxplan("apply", "p.json")
        assert done.code == 0, done.out
        assert "1 converged" in done.out
        assert outcomes(on)["agent-1"] == "converged"
        assert own_changes(on) == 1
        events = [e for e in on.simulator.world.events() if e.agent_id == "agent-1"]
        assert len(events) == 1


@pytest.mark.parametrize(
    "lost",
    [
        Rule("PATCH", FIRST, times=1, reset=Moment.BEFORE),
        Rule("PATCH", FIRST, times=1, status=500),
        Rule("PATCH", FIRST, times=1, status=503),
    ],
    ids=["reset", "500", "503"],
)
def test_not_committed_is_sent_again_with_the_same_tag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lost: Rule
) -> None:
    with small(tmp_path, capsys, lost) as on:
        planned(on)
        assert on.cxplan("apply", "p.json").code == 0
        tries = [p for p in on.patches() if p.agent_id == "agent-1"]
        assert len(tries) == 2
        assert len({p.if_match for p in tries}) == 1
        assert outcomes(on)["agent-1"] == "applied"
        assert own_changes(on) == 1


def test_lost_and_then_edited_by_somebody_is_unknown_and_never_sent_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = Rule(
        "PATCH",
        FIRST,
        times=1,
        reset=Moment.AFTER,
        foreign_after=Foreign(skill="s-voice", level=9),
    )
    with small(tmp_path, capsys, rule) as on:
        planned(on)
        done = on.cxplan("apply", "p.json")
        assert done.code == 11
        assert outcomes(on) == {"agent-1": "unknown", "agent-2": "applied", "agent-3": "applied"}
        assert len([p for p in on.patches() if p.agent_id == "agent-1"]) == 1


def test_too_many_requests_waits_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = Rule("PATCH", PATCH, times=1, status=429, headers=(("Retry-After", ("1",)),))
    with small(tmp_path, capsys, busy) as on:
        planned(on)
        assert on.cxplan("apply", "p.json").code == 0
        first, second, *_ = on.patches()
        assert second.at_ms - first.at_ms >= 1000
        assert set(outcomes(on).values()) == {"applied"}


def test_a_pause_of_an_hour_ends_the_run_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = Rule("PATCH", PATCH, status=429, headers=(("Retry-After", ("3600",)),))
    with small(tmp_path, capsys, busy) as on:
        planned(on)
        done = on.cxplan("apply", "p.json")
        assert done.code == 10
        assert "Apply stopped" in done.out
        assert "3600 seconds" in done.out
        assert len(on.patches()) == 1
        assert set(outcomes(on).values()) <= {"failed", "notAttempted"}
