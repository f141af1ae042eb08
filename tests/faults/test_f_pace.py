"""F-20 … F-23, F-64, F-67: a tenant that asks us to wait, seen at the tenant."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cxplan.simulator.rules import Moment, Rule
from tests.cli.test_round import JITTER_MS, most_within
from tests.faults.scene import ANY, Ran, agent, header, ids, scene, write

Capture = pytest.CaptureFixture[str]


SLOW = ("--max-rps", "1")
"""So that no answer is still on its way when the next write leaves, however loaded the machine."""


def busy(seconds: object = None, **more: Any) -> Rule:
    """429 to a PATCH, with or without a Retry-After."""
    headers = () if seconds is None else header("Retry-After", str(seconds))
    return Rule("PATCH", ANY, status=429, headers=headers, **more)


def silence_after(ran: Ran, status: int) -> float:
    """How long no PATCH arrived after the first that was answered so, in milliseconds."""
    first = next(p for p in ran.log.patches if p.status == status)
    later = [p.at_ms for p in ran.log.patches if p.at_ms > first.at_ms]
    return min(later) - first.at_ms


def test_f_20_service_unavailable_pauses_the_tenant(tmp_path: Path, capsys: Capture) -> None:
    rule = Rule("PATCH", write(1), times=1, status=503, headers=header("Retry-After", "2"))
    with scene(tmp_path, capsys, rule, haste=5) as on:
        ran = on.apply(*SLOW, code=0)
        assert silence_after(ran, 503) >= 2000
        first, second = ran.sent(1)
        assert first.if_match == second.if_match
        reads = [r for r in ran.log.requests if r.path == f"/api/v2/agents/{agent(1)}"]
        assert any(first.at_ms < r.at_ms < second.at_ms for r in reads), "sent without a look"
        pause = ran.bundle.one("pace.pause")
        assert (pause["status"], pause["askedSeconds"]) == (503, 2)
        assert ran.attempts(1)[0]["headers"]["retry-after"] == "2"


@pytest.mark.parametrize(
    "haste",
    [
        pytest.param(5, id="F-21"),
        pytest.param(1, id="F-21 in real time", marks=pytest.mark.nightly),
    ],
)
def test_all_workers_pause(tmp_path: Path, capsys: Capture, haste: int) -> None:
    with scene(tmp_path, capsys, busy(3, times=1), agents=5, haste=haste) as on:
        ran = on.apply(*SLOW, code=0)
        assert silence_after(ran, 429) >= 3000
        assert ran.bundle.counts == {"applied": 5, "deferred": 1}
        assert Counter(p.status for p in ran.log.patches) == {429: 1, 200: 5}
        pause = ran.bundle.one("pace.pause")
        assert (pause["status"], pause["askedSeconds"], pause["inARow"]) == (429, 3, 1)


LONG = [("F-22 at once", 1, 10), ("F-22 after some", 3, 5)]


@pytest.mark.parametrize(("first", "code"), [row[1:] for row in LONG], ids=ids(LONG))
def test_a_pause_of_an_hour(tmp_path: Path, capsys: Capture, first: int, code: int) -> None:
    with scene(tmp_path, capsys, busy(3600, first=first), agents=12, haste=50) as on:
        ran = on.apply("--max-rps", "0.05", code=code)
        assert len(ran.log.patches) == first
        assert "3600 seconds" in ran.bundle.lines[-1]["stopped"]
        assert "3600 seconds" in ran.done.out
        assert ran.bundle.counts["applied"] == first - 1
        assert set(ran.bundle.counts) <= {"applied", "failed", "notAttempted", "deferred"}
        told = [a["headers"].get("retry-after") for a in ran.bundle.kind("agent.attempt")]
        assert "3600" in told


NO_TIME: list[tuple[str, tuple[str, ...], str | None]] = [
    ("F-23 none", (), None),
    ("F-23 no number", ("soon",), "soon"),
    ("F-23 a fraction", ("1.5",), "1.5"),
    ("F-23 controls", ("\x07\x1b[2J",), "\\u{7}\\u{1b}[2J"),
]


@pytest.mark.parametrize(("sent", "kept"), [row[1:] for row in NO_TIME], ids=ids(NO_TIME))
def test_no_usable_time_to_wait(
    tmp_path: Path, capsys: Capture, sent: tuple[str, ...], kept: str | None
) -> None:
    rule = Rule("PATCH", ANY, times=1, status=429, headers=header("Retry-After", *sent))
    with scene(tmp_path, capsys, rule, agents=1) as on:
        ran = on.apply(code=0)
        assert silence_after(ran, 429) >= 1000
        (refused,) = [a for a in ran.bundle.kind("agent.attempt") if a["status"] == 429]
        assert refused["headers"].get("retry-after") == kept
        assert ran.bundle.one("pace.pause")["askedSeconds"] is None


@pytest.mark.parametrize("agents", [10, pytest.param(200, marks=pytest.mark.nightly)])
def test_f_64_one_in_ten_throttled_and_one_in_ten_lost(
    tmp_path: Path, capsys: Capture, agents: int
) -> None:
    """In real time, against the tenant's own limit: five in any second."""
    throttled = [busy(1, first=n, times=1) for n in range(3, agents + 1, 10)]
    lost = [
        Rule("PATCH", ANY, first=n, times=1, reset=Moment.AFTER) for n in range(7, agents + 1, 10)
    ]
    with scene(tmp_path, capsys, *throttled, *lost, agents=agents, haste=1) as on:
        ran = on.apply(code=0)
        counts = ran.bundle.counts
        assert (counts["applied"] + counts["converged"], counts["converged"]) == (agents, len(lost))
        assert Counter(p.status for p in ran.log.patches)[429] >= len(throttled)
        assert most_within(1000 - JITTER_MS, [p.at_ms for p in ran.log.patches]) <= 5
        assert all(len(changes) == 1 for changes in ran.log.own.values())
        told = ran.bundle.kind("agent.attempt")
        assert len(told) == len(ran.log.patches)
        assert all(line["at"] and isinstance(line["latencyMs"], int) for line in told)


def test_f_67_somebody_else_eats_the_quota(tmp_path: Path, capsys: Capture) -> None:
    """Nothing but 429: after five minutes nothing leaves any more."""
    with scene(tmp_path, capsys, busy(30), agents=20, haste=200) as on:
        ran = on.apply(code=10)
        assert "five minutes" in ran.bundle.lines[-1]["stopped"]
        times = [p.at_ms for p in ran.log.patches]
        assert 300_000 <= times[-1] - times[0] <= 300_000 + 4 * 40_000
        assert max(Counter(p.agent_id for p in ran.log.patches).values()) <= 4
        assert len(times) <= 24
        pauses = ran.bundle.kind("pace.pause")
        assert [p["inARow"] for p in pauses] == list(range(1, len(times) + 1))
        assert ran.bundle.counts["notAttempted"] > 0
        assert set(ran.bundle.counts) == {"failed", "notAttempted", "deferred"}


def test_f_67_the_rate_is_halved(tmp_path: Path, capsys: Capture) -> None:
    """Three in a row, and then the tenant answers again: half as fast from then on."""
    with scene(tmp_path, capsys, busy(1, first=3, times=3), agents=8, haste=10) as on:
        ran = on.apply(*SLOW, code=0)
        times = [p.at_ms for p in ran.log.patches]
        assert len(times) == 11
        assert times[-1] - times[5] >= 5 * 2000 * 0.8
        assert [p["inARow"] for p in ran.bundle.kind("pace.pause")] == [1, 2, 3]
        times = [line["at"] for line in ran.bundle.kind("agent.attempt")]
        assert times == sorted(times)
