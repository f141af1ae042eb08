"""F-55, F-56, F-58: the machine's clock, what it runs out of, and bugs of our own."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cxplan.cli.progress import StderrProgress
from cxplan.simulator.rules import Moment, Rule
from cxplan.tenant.availability.tenant import AvailabilityTenant
from cxplan.wiring.system import SystemClock
from tests.faults.agree import Mark
from tests.faults.process import running
from tests.faults.scene import agent, ids, scene, soon, write

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
SECRET = "value-of-a-local"


class Bug(Exception):
    """One that nobody foresaw."""


# --- F-55 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [2, -2], ids=["F-55 slept", "F-55 set back"])
def test_the_clock_jumps_while_a_write_is_in_flight(
    tmp_path: Path, capsys: Capture, monkeypatch: Patch, hours: int
) -> None:
    """The connection is gone by then, and the write has landed; the gap is told."""
    jump = timedelta(hours=hours)
    with scene(tmp_path, capsys) as on:
        real = SystemClock.now
        on.rules(Rule("PATCH", write(1), times=1, reset=Moment.AFTER, delay_ms=100))

        def sleep() -> None:
            monkeypatch.setattr(SystemClock, "now", lambda clock: real(clock) + jump)

        with soon(lambda: agent(1) in {p.agent_id for p in on.on.patches()}, sleep):
            ran = on.apply(code=0)
        monkeypatch.undo()
        assert ran.outcome(1) == "converged"
        assert len(ran.sent(1)) == 1
        assert abs(ran.bundle.one("clock.gap")["seconds"] - jump.total_seconds()) < 60


# --- F-56 -------------------------------------------------------------------------------------


def test_f_56_no_thread_can_be_started(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    def none(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    with scene(tmp_path, capsys) as on:
        monkeypatch.setattr(threading, "_start_new_thread", none)
        mark, done = on.apply_only()
        monkeypatch.undo()
        ran = on.judged(done, mark, 1)
        assert ran.bundle.counts == {"notAttempted": 3, "deferred": 1}
        assert ran.log.patches == []
        assert "cxplan itself failed" in ran.bundle.lines[-1]["stopped"]


def test_f_56_no_memory_in_a_worker(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    with scene(tmp_path, capsys, agents=20) as on:
        break_after(monkeypatch, "write", lambda _: True, MemoryError())
        ran = on.apply(code=1)
        assert "MemoryError" in ran.bundle.lines[-1]["stopped"]
        assert ran.bundle.counts["converged"] == len(ran.log.patches) <= 9
        assert ran.bundle.counts["notAttempted"] >= 11


LIMITED = (
    "import os, resource as r, sys; n = int(sys.argv[1]); r.setrlimit(r.RLIMIT_NOFILE, (n, n)); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
)


@pytest.mark.parametrize(
    ("files", "codes"),
    [
        pytest.param(9, {1}, id="F-56 no file for the workers"),
        pytest.param(14, {10}, id="F-56 no file for a connection", marks=pytest.mark.nightly),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="how many files Python itself needs differs")
def test_no_more_files(tmp_path: Path, capsys: Capture, files: int, codes: set[int]) -> None:
    """Where a connection has none the agent is unread; whoever has one goes on."""
    with scene(tmp_path, capsys, agents=12, haste=1) as on:
        mark = Mark.of(on.on)
        command = (sys.executable, "-c", LIMITED, str(files), "-m", "cxplan")
        with running(on, "apply", "p.json", command=command) as run:
            ran = on.judged(run.ended(), mark, codes)
        if 1 in codes:
            assert ran.bundle.counts == {"notAttempted": 12, "deferred": 1}
            assert "OSError" in ran.bundle.lines[-1]["stopped"]
        else:
            assert ran.bundle.counts["applied"] + ran.bundle.counts["unread"] == 12
            assert ran.bundle.counts["unread"] > 0


# --- F-58 -------------------------------------------------------------------------------------


def break_after(patch: Patch, method: str, hit: Callable[[Any], bool], error: Exception) -> None:
    """Let a method of the tenant do what it does, and then fail with a bug."""
    real = getattr(AvailabilityTenant, method)

    def broken(self: AvailabilityTenant, about: Any, *more: Any) -> Any:
        local = SECRET
        answer = real(self, about, *more)
        if hit(about):
            raise error
        del local
        return answer

    patch.setattr(AvailabilityTenant, method, broken)


BUGS: list[tuple[str, str, str]] = [
    ("F-58 after the write", "write", "converged"),
    ("F-58 after the event", "publish", "applied"),
]


@pytest.mark.parametrize(("method", "outcome"), [row[1:] for row in BUGS], ids=ids(BUGS))
def test_a_bug_with_one_agent(
    tmp_path: Path, capsys: Capture, monkeypatch: Patch, method: str, outcome: str
) -> None:
    """All others are brought to their end, and what came of that one is found out."""
    with scene(tmp_path, capsys, agents=12) as on:
        break_after(monkeypatch, method, lambda about: about.agent_id == agent(2), Bug(SECRET))
        ran = on.apply(code=1)
        assert ran.outcome(2) == outcome
        assert ran.bundle.counts["applied"] + ran.bundle.counts["converged"] == 12
        told = ran.bundle.lines[-1]["stopped"]
        assert "Bug at broken:" in told
        assert SECRET not in told
        assert SECRET not in (ran.bundle.folder / "records.jsonl").read_text()
        assert "Apply stopped: cxplan itself failed" in ran.done.out
        assert set(ran.log.events) == {agent(n) for n in range(1, 13)}


def test_f_58_a_bug_before_anything_is_sent(
    tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    with scene(tmp_path, capsys, agents=12) as on:
        real = AvailabilityTenant.agent

        def broken(self: AvailabilityTenant, agent_id: Any) -> Any:
            if agent_id == agent(2):
                raise Bug
            return real(self, agent_id)

        monkeypatch.setattr(AvailabilityTenant, "agent", broken)
        ran = on.apply(code=1)
        assert ran.bundle.counts == {"applied": 11, "notAttempted": 1, "deferred": 1}


@pytest.mark.parametrize("moment", ["start", "step", "finish"], ids=lambda name: f"F-58 {name}")
def test_a_bug_in_what_is_shown(
    tmp_path: Path, capsys: Capture, monkeypatch: Patch, moment: str
) -> None:
    def broken(*_: object) -> None:
        raise Bug(SECRET)

    with scene(tmp_path, capsys) as on:
        monkeypatch.setattr(StderrProgress, moment, broken)
        mark, done = on.apply_only()
        monkeypatch.undo()
        ran = on.judged(done, mark, 1)
        assert ran.bundle.counts == {"applied": 3, "deferred": 1}
        assert "Bug at broken:" in ran.bundle.lines[-1]["stopped"]
        assert SECRET not in ran.done.out + ran.done.err
