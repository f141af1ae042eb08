"""apply --strict, --max-failures, --max-rps: what each changes, at the tenant and in the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cxplan.core.wording import count
from cxplan.simulator.rules import Foreign, Rule
from tests.faults.scene import ANY, Ran, agent, ids, scene, write

Capture = pytest.CaptureFixture[str]
REFUSED = Rule("PATCH", ANY, status=422)
ONE_BY_ONE = ("--max-rps", "1")
"""So that a stop counts before the next write leaves."""

MOVED: list[tuple[str, dict[str, Any]]] = [
    ("the tag alone", {"touch": True}),
    ("another skill", {"skill": "s-chat", "level": 9}),
    ("the work mode", {"work_mode": "m-training"}),
    ("the planned value", {"skill": "s-voice", "level": 9}),
]


# --- --strict ---------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [row[1] for row in MOVED], ids=ids(MOVED))
def test_strict_refuses_every_tag_that_moved(
    tmp_path: Path, capsys: Capture, change: dict[str, Any]
) -> None:
    with scene(tmp_path, capsys) as on:
        on.world.foreign_change(agent(2), **change)
        ran = on.apply("--strict", code=5)
        assert ran.bundle.counts == {"applied": 2, "conflict": 1, "deferred": 1}
        assert ran.sent(2) == []
        told = ran.record(2)["message"]
        assert ("--strict" in told) is (change.get("level") != 9 or change["skill"] == "s-chat")


def test_strict_does_not_ask_for_what_is_there_already(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys) as on:
        on.world.foreign_change(agent(2), skill="s-voice", level=3)
        ran = on.apply("--strict", code=0)
        assert ran.outcome(2) == "alreadyThere"


def test_strict_holds_between_read_and_write_too(tmp_path: Path, capsys: Capture) -> None:
    rule = Rule("PATCH", write(2), times=1, foreign=Foreign(touch=True))
    with scene(tmp_path, capsys, rule) as on:
        ran = on.apply("--strict", code=5)
        assert [p.status for p in ran.sent(2)] == [412]
        assert ran.outcome(2) == "conflict"
        assert "--strict" in ran.record(2)["message"]


def test_strict_and_nothing_written_is_stale(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys) as on:
        for number in (1, 2, 3):
            on.world.foreign_change(agent(number), touch=True)
        assert on.apply("--strict", code=6).log.patches == []


# --- --max-failures ---------------------------------------------------------------------------

LIMITS = [("1", 1), ("10%", 2), ("1%", 1), ("100%", None)]
"""Of 12 agents: a percentage is rounded up, and one is the least."""


@pytest.mark.parametrize(("limit", "most"), LIMITS, ids=[row[0] for row in LIMITS])
def test_enough_failures_stop_the_run(
    tmp_path: Path, capsys: Capture, limit: str, most: int | None
) -> None:
    with scene(tmp_path, capsys, REFUSED, agents=12, haste=10) as on:
        ran = on.apply("--max-failures", limit, *ONE_BY_ONE, code=5)
        counts = ran.bundle.counts
        if most is None:
            assert counts == {"rejected": 12, "deferred": 1}
            return
        assert f"{count(most, 'agent')} failed (--max-failures)" in ran.bundle.lines[-1]["stopped"]
        assert most <= counts["rejected"] <= most + 1, "whose write has left comes to an end"
        assert counts["notAttempted"] == 12 - counts["rejected"]
        assert "Apply stopped: " in ran.done.out


def test_a_conflict_is_no_failure(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys, agents=12) as on:
        for number in (1, 2, 3):
            on.world.foreign_change(agent(number), skill="s-voice", level=9)
        ran = on.apply("--max-failures", "1", code=5)
        assert ran.bundle.counts == {"applied": 9, "conflict": 3, "deferred": 1}


# --- --max-rps --------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "apart"), [("1", 1000), ("2.5", 400)])
def test_writes_are_no_faster_than_asked(
    tmp_path: Path, capsys: Capture, rate: str, apart: int
) -> None:
    with scene(tmp_path, capsys, agents=4, haste=2) as on:
        ran = on.apply("--max-rps", rate, code=0)
        assert lasted(ran) >= 3 * apart * 0.8


def test_more_than_the_tenant_allows_is_cut_to_that(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys, agents=6, haste=1) as on:
        ran = on.apply("--max-rps", "1000", code=0)
        assert lasted(ran) >= 5 * 200 * 0.8


def lasted(ran: Ran) -> float:
    """Milliseconds between the first and the last write, as they arrived."""
    times = [p.at_ms for p in ran.log.patches]
    return times[-1] - times[0]


# --- what cannot be meant ---------------------------------------------------------------------

UNMEANT = [
    *(("--max-failures", text) for text in ("0", "-1", "0%", "101%", "1.5", "x", "", "%", "٣")),
    *(("--max-rps", text) for text in ("0", "-1", "nan", "inf", "x", "")),
]


def test_numbers_that_cannot_be_meant(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys) as on:
        for option, text in UNMEANT:
            done, log = on.refused(option, text, code=3)
            assert log.requests == ()
            (error,) = done.json["errors"]
            assert error["code"] in {"usage", "usage.range"}, text
            assert option in error["summary"], text
