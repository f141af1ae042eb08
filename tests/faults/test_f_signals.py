"""F-43: signals before the run begins and while events are told; as processes of their own."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from cxplan.simulator.rules import Rule
from tests.faults.agree import Mark, nothing
from tests.faults.process import running, until
from tests.faults.scene import EVENTS, TOKEN, Ran, Scene, agent, scene

Capture = pytest.CaptureFixture[str]
HANGS = 120_000
"""Milliseconds: so long that whoever waits for it is found out on a busy machine too."""
SOON = 30
"""Seconds in which an orderly stop is over on a busy machine."""


def asked(on: Scene, path: str) -> int:
    return sum(request.path == path for request in on.world.requests())


def told(ran: Ran) -> dict[str, tuple[str, bool]]:
    return {e["agentId"]: (e["state"], e["again"]) for e in ran.bundle.kind("event.outcome")}


LEFT = {agent(n): ("undelivered", True) for n in (1, 2, 3)}


def test_f_43_signals_while_events_are_told(tmp_path: Path, capsys: Capture) -> None:
    """At the end of a run, at the beginning of the next one, and then nobody interrupts."""
    once = Rule("POST", EVENTS, times=3, status=503)
    hung = Rule("POST", EVENTS, first=4, delay_ms=HANGS, commit=False, status=503)
    with scene(tmp_path, capsys, once, hung, haste=1) as on:
        ended = _signalled(on, 4, twice=False)
        assert ended.bundle.counts == {"applied": 3, "deferred": 1}
        assert told(ended) == LEFT
        assert "Warning: 3 events could not be delivered; the changes are made." in ended.done.out
        on.edit("team.yaml", "senior", "expert")
        on.plan()
        begun = _signalled(on, 5, twice=True)
        assert begun.bundle.counts == {"notAttempted": 3, "deferred": 1}
        assert told(begun) == LEFT
        assert begun.log.patches == []
        on.mend()
        on.plan()
        ran = on.apply(code=0)
        assert ran.bundle.counts == {"applied": 3, "deferred": 1}
        assert ran.log.events == {agent(n): 2 for n in (1, 2, 3)}


def _signalled(on: Scene, nth: int, *, twice: bool) -> Ran:
    """Apply, and interrupt once the receiver has so many events, the last of which hangs."""
    mark = Mark.of(on.on)
    with running(on, "apply", "p.json") as run:
        until(lambda: asked(on, EVENTS) == nth)
        if twice:
            run.send(signal.SIGINT)
            time.sleep(0.2)
        began = time.monotonic()
        run.send(signal.SIGINT)
        ran = on.judged(run.ended(SOON), mark, 130)
    assert (time.monotonic() - began < 4.5) is twice
    assert asked(on, EVENTS) == nth
    assert ran.bundle.lines[-1]["stopped"] == "interrupted"
    return ran


def is_asked(on: Scene, before: int) -> bool:
    return asked(on, TOKEN) > before


CONNECTING = {signal.SIGHUP: -1, signal.SIGINT: 130, signal.SIGTERM: -15}
"""The ordinary ends of a process; a shell shows 129 and 143 for the negative ones."""


def test_f_43_a_signal_while_connecting_leaves_no_run(tmp_path: Path, capsys: Capture) -> None:
    """Side by side, since they mostly wait; the lock is free for the next one."""
    slow = Rule("POST", TOKEN, times=1, delay_ms=HANGS)
    with ExitStack() as stack:
        begun = []
        for number in CONNECTING:
            folder = tmp_path / str(number)
            folder.mkdir()
            on = stack.enter_context(scene(folder, capsys, slow, haste=1))
            mark, before = Mark.of(on.on), asked(on, TOKEN)
            run = stack.enter_context(running(on, "apply", "p.json"))
            begun.append((on, mark, before, run, number))
        for on, mark, before, run, number in begun:
            until(partial(is_asked, on, before))
            run.send(number)
            done = run.ended(SOON)
            assert done.code == CONNECTING[number], done.err
            nothing(on.watched, mark)
            assert ("Interrupted" in done.err) is (number is signal.SIGINT)
        assert begun[0][0].apply(code=0).bundle.counts == {"applied": 3, "deferred": 1}
