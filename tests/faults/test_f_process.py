"""F-41, F-43, F-55 … F-58: signals, streams, clocks, limits and bugs; as processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from cxplan.simulator.rules import Rule
from tests.faults.agree import Mark, no_secret
from tests.faults.process import on_a_terminal, running, until
from tests.faults.scene import ANY, Ran, Scene, agent, scene, write

Capture = pytest.CaptureFixture[str]
PACED = ("apply", "p.json", "--max-rps", "1")
"""So slow that there is something left for a signal to stop, on a busy machine too."""
SIGNALS = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}


def patches(on: Scene) -> int:
    return len(on.on.patches())


# --- F-41, F-43: signals ----------------------------------------------------------------------


def test_f_41_an_interrupted_plan_leaves_no_file(tmp_path: Path, capsys: Capture) -> None:
    slow = Rule("GET", "/api/v2/agents/*", delay_ms=5000)
    with scene(tmp_path, capsys, slow, haste=1) as on:
        asked = len(on.world.requests())
        before = {path.name for path in on.on.folder.iterdir()}
        with running(on, "plan", "-o", "new.json") as run:
            until(lambda: len(on.world.requests()) > asked + 3)
            run.send(signal.SIGINT)
            done = run.ended()
        assert done.code == 130, done.err
        assert done.out == ""
        assert "Interrupted" in done.err
        assert {path.name for path in on.on.folder.iterdir()} == before
        no_secret(on.on)


def two_sent(on: Scene) -> bool:
    return patches(on) >= 2


def folder(base: Path, name: object) -> Path:
    """A new folder."""
    made = base / str(name)
    made.mkdir()
    return made


LANDED = Rule("PATCH", write(1), delay_ms=60_000)
HUNG = Rule("PATCH", write(2), delay_ms=60_000, commit=False, status=200)


def test_f_43_the_first_signal(tmp_path: Path, capsys: Capture) -> None:
    """Side by side, since they mostly wait: one with writes that hang, and one for each signal."""
    with ExitStack() as stack:
        hung = stack.enter_context(scene(folder(tmp_path, "hung"), capsys, LANDED, HUNG, haste=1))
        mark = Mark.of(hung.on)
        waiting = stack.enter_context(running(hung, "apply", "p.json"))
        until(lambda: patches(hung) == 3 and len(hung.world.events()) == 1)
        began = time.monotonic()
        waiting.send(signal.SIGINT)
        _stops_in_order(stack, tmp_path, capsys)
        done = waiting.ended()
        assert 4.5 < time.monotonic() - began < 15
        _settles_what_hangs(hung.judged(done, mark, 11))


def _settles_what_hangs(ran: Ran) -> None:
    """What is in flight after five seconds is settled by a read: it landed, or nobody knows."""
    assert [ran.outcome(n) for n in (1, 2, 3)] == ["converged", "unknown", "applied"]
    assert all("interrupted while" in ran.record(n)["message"] for n in (1, 2))
    event = ran.bundle.one("event.outcome", agent(1))
    assert (event["state"], event["again"]) == ("undelivered", True)
    assert ran.log.events == {agent(3): 1}


def _stops_in_order(stack: ExitStack, base: Path, capsys: Capture) -> None:
    """Nothing new begins, and what is in flight comes to its end."""
    begun = []
    for number in SIGNALS:
        on = stack.enter_context(scene(folder(base, number), capsys, agents=12, haste=1))
        mark = Mark.of(on.on)
        begun.append((on, mark, stack.enter_context(running(on, *PACED)), number))
    for on, _, run, number in begun:
        until(partial(two_sent, on))
        run.send(number)
    for on, mark, run, number in begun:
        ran = on.judged(run.ended(), mark, SIGNALS[number])
        counts = ran.bundle.counts
        assert ran.bundle.lines[-1]["stopped"] == "interrupted"
        assert counts["applied"] == len(ran.log.patches) <= 11
        assert counts["notAttempted"] == 12 - counts["applied"]
        assert "unknown" not in counts


@pytest.mark.nightly
def test_f_43_all_that_was_in_flight_has_landed(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys, LANDED, haste=1) as on:
        mark = Mark.of(on.on)
        with running(on, "apply", "p.json") as run:
            until(lambda: len(on.world.events()) == 2)
            run.send(signal.SIGTERM)
            ran = on.judged(run.ended(), mark, 143)
        assert ran.bundle.counts == {"applied": 2, "converged": 1, "deferred": 1}


def test_f_43_the_second_signal_waits_for_nobody(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys, HUNG, agents=12, haste=1) as on:
        mark = Mark.of(on.on)
        with running(on, *PACED, "--json") as run:
            until(lambda: agent(2) in {p.agent_id for p in on.on.patches()})
            run.send(signal.SIGINT)
            time.sleep(0.2)
            began = time.monotonic()
            run.send(signal.SIGINT)
            done = run.ended()
        assert time.monotonic() - began < 4
        ran = on.judged(done, mark, 11)
        assert ran.outcome(2) == "unknown"
        unknown = {a["agent"]["id"] for a in done.json["agents"] if a["outcome"] == "unknown"}
        assert unknown == {a for a, outcome in ran.bundle.outcomes.items() if outcome == "unknown"}
        assert ran.bundle.counts["notAttempted"] >= 1


def test_f_43_two_signals_and_nothing_in_flight(tmp_path: Path, capsys: Capture) -> None:
    """Agents that were only read have no write that could have landed."""
    slow = Rule("GET", "/api/v2/agents/*", delay_ms=20_000, first=2)
    with scene(tmp_path, capsys, slow, haste=1) as on:
        mark = Mark.of(on.on)
        with running(on, "apply", "p.json") as run:
            until(lambda: len(on.world.events()) == 1)
            run.send(signal.SIGTERM)
            time.sleep(0.2)
            run.send(signal.SIGHUP)
            ran = on.judged(run.ended(10), mark, 143)
        assert ran.bundle.counts == {"applied": 1, "notAttempted": 2, "deferred": 1}


# --- F-55: the machine sleeps -----------------------------------------------------------------


def test_f_55_the_process_is_stopped_while_a_write_is_in_flight(
    tmp_path: Path, capsys: Capture
) -> None:
    """Meanwhile the tenant has closed every connection."""
    slow = Rule("PATCH", ANY, times=1, delay_ms=5000)
    with scene(tmp_path, capsys, slow, haste=1) as on:
        mark = Mark.of(on.on)
        with running(on, "apply", "p.json") as run:
            until(lambda: patches(on) == 1)
            run.send(signal.SIGSTOP)
            on.on.simulator.go_down()
            on.on.simulator.come_up()
            time.sleep(0.5)
            run.send(signal.SIGCONT)
            ran = on.judged(run.ended(), mark, {0, 11})
        assert ran.done.code == 0
        assert ran.bundle.counts["converged"] >= 1
        assert max(len(ran.sent(n)) for n in (1, 2, 3)) <= 2


# --- F-57: streams ----------------------------------------------------------------------------


def test_f_57_nobody_reads_what_is_written(tmp_path: Path, capsys: Capture) -> None:
    """Side by side: text and JSON that nobody reads, and nobody who reads anything."""
    with ExitStack() as stack:
        begun = []
        for name in ("text", "--json", "nothing"):
            on = stack.enter_context(scene(folder(tmp_path, name), capsys, haste=1))
            mark = Mark.of(on.on)
            reader, writer = os.pipe()
            more = ("--json",) if name == "--json" else ()
            talk = writer if name == "nothing" else subprocess.PIPE
            run = stack.enter_context(
                running(on, "apply", "p.json", *more, stdout=writer, stderr=talk)
            )
            os.close(writer)
            os.close(reader)
            begun.append((on, mark, run))
        for on, mark, run in begun:
            ran = on.judged(run.ended_without_output(), mark, 0)
            assert ran.bundle.counts == {"applied": 3, "deferred": 1}


def test_f_57_the_terminal_goes_away(tmp_path: Path, capsys: Capture) -> None:
    """The shell's window is closed: SIGHUP, and what is written to the terminal is an error."""
    with scene(tmp_path, capsys, agents=12, haste=1) as on:
        mark = Mark.of(on.on)
        with on_a_terminal(on, *PACED) as (run, master):
            until(lambda: two_sent(on))
            os.close(master)
            ran = on.judged(run.ended_without_output(), mark, 129)
        assert ran.bundle.counts["notAttempted"] >= 1
