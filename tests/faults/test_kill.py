"""A command that is killed before any of its durable operations loses nothing but the seal.

A real apply of twenty agents is killed before its Nth sync or rename. Then the run is recovered, or
gone on with, and the bundle is held against what the tenant itself has logged.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.kit import (
    AGENTS,
    Done,
    Field,
    agree,
    field_of,
    records,
    side_by_side,
    whole_lines,
)

KILLED = -9
TOTAL = 117
"""Durable operations of the apply: 9 to begin, 1 line to start, 5 lines an agent and one for the
agent that is not ready, the last line, 5 to seal."""

SAMPLE = (2, 6, 9, 11, 57, 104, 113, 116)
"""One of each kind: the plan half written, no journal yet, no line yet, the first intent, in the
middle, near the end, before the seal is on disk, and sealed but for the folder's name."""

FEW = 6
"""Agents where the number is of no concern."""


def killed(on: Field, at: int) -> bytes:
    """Kill an apply, and return the journal's complete lines."""
    done = on.cxplan("apply", "p.json", at=at)
    assert done.code == KILLED, done.out + done.err
    refused = on.here("apply", "p.json")
    folder = on.open_folder()
    if folder is None:
        assert on.bundles()
        assert "plan.already_applied" in refused.err
        return b""
    assert refused.code == 12
    assert f"cxplan recover {on.run_id()}" in refused.err
    return whole_lines(folder)


def settled(on: Field, done: Done, before: bytes) -> Counter[str]:
    """Check what ``recover`` or ``--resume`` said and left, and return how many ended how."""
    assert on.open_folder() is None, done.out + done.err
    [bundle] = on.bundles()
    assert (bundle / "records.jsonl").read_bytes().startswith(before)
    counts = agree(on, bundle)
    codes = [11] if counts["unknown"] else [5] if counts["notAttempted"] else [0]
    assert [done.code] == codes, done.out + done.err
    return counts


def kill_and_recover(base: Path, at: int) -> Counter[str]:
    """Kill before operation ``at``, recover, and return how many agents ended how."""
    base.mkdir()
    with field_of(base) as on:
        before = killed(on, at)
        if on.open_folder() is None:
            return agree(on, on.bundles()[0])
        done = on.cxplan("recover", on.run_id())
        if "has written nothing" in done.out:
            assert (done.code, on.changes(), on.open_folder()) == (0, {}, None)
            return Counter()
        return settled(on, done, before)


def test_killed_then_recovered(tmp_path: Path) -> None:
    found = side_by_side(lambda at: kill_and_recover(tmp_path / str(at), at), SAMPLE)
    counts = dict(zip(SAMPLE, found, strict=True))
    assert counts[2] == {}
    assert counts[6] == counts[9] == {"notAttempted": AGENTS, "deferred": 1}
    assert counts[11]["notAttempted"] >= AGENTS - 8
    assert counts[57]["applied"] >= 5
    assert counts[113] == counts[116] == {"applied": AGENTS, "deferred": 1}


@pytest.mark.nightly
def test_killed_before_every_operation(tmp_path: Path) -> None:
    with field_of(tmp_path / "whole") as on:
        assert on.cxplan("apply", "p.json").operations == TOTAL
    everywhere = range(1, TOTAL + 1)
    found = side_by_side(lambda at: kill_and_recover(tmp_path / str(at), at), everywhere)
    assert len(found) == TOTAL
    assert all(sum(counts.values()) in {0, AGENTS + 1} for counts in found)


# --- the recovery is killed too --------------------------------------------------------------


def recover_killed(on: Field, at: int, before: bytes) -> Counter[str]:
    """In a copy: kill the recovery before its operation ``at``, and recover again."""
    copy = on.clone(f"{on.folder.name}-{at}")
    run = copy.run_id()
    assert copy.cxplan("recover", run, at=at).code == KILLED
    folder = copy.open_folder()
    if folder is None:
        [bundle] = copy.bundles()
        counts = agree(copy, bundle)
    else:
        now = whole_lines(folder)
        assert now.startswith(before)
        counts = settled(copy, copy.cxplan("recover", run), now)
    shutil.rmtree(copy.folder)
    return counts


def recover_everywhere(base: Path, agents: int, at: int, every: int) -> None:
    """Kill an apply before ``at``; then kill its recovery before every ``every``-th operation."""
    with field_of(base, agents=agents) as on:
        before = killed(on, at)
        whole = on.clone("whole")
        done = whole.cxplan("recover", whole.run_id())
        wanted = settled(whole, done, before)
        assert done.operations > 1
        moments = range(1, done.operations + 1, every)
        assert side_by_side(lambda m: recover_killed(on, m, before), moments) == [
            wanted for _ in moments
        ]


def test_killed_while_it_recovers(tmp_path: Path) -> None:
    recover_everywhere(tmp_path / "apply", FEW, 26, every=7)


@pytest.mark.nightly
@pytest.mark.parametrize("at", [6, 11, 36, 57, 90, 112, 115])
def test_killed_at_every_operation_of_its_recovery(tmp_path: Path, at: int) -> None:
    recover_everywhere(tmp_path / "apply", AGENTS, at, every=1)


# --- going on --------------------------------------------------------------------------------


def kill_and_resume(base: Path, agents: int, at: int, again: tuple[int, ...]) -> None:
    """Kill an apply before ``at``, a resumption before each of ``again``, and let the last end."""
    base.mkdir()
    with field_of(base, agents=agents) as on:
        before = killed(on, at)
        run = on.run_id()
        moments = iter((*again, 0))
        done = on.cxplan("apply", "--resume", run, at=next(moments))
        while done.code == KILLED:
            done = on.cxplan("apply", "--resume", run, at=next(moments))
        counts = settled(on, done, before)
        assert counts["applied"] + counts["converged"] == agents
        assert on.changes() == {f"agent-{n:02d}": 1 for n in range(1, agents + 1)}
        told = {event.agent_id for event in on.simulator.world.events()}
        assert told == on.changes().keys()
        lines = records(on.bundles()[0])
        taken_up = [line["how"] for line in lines if line["kind"] == "recovery.start"]
        assert taken_up == ["resume"] * len(taken_up)


Moments = tuple[tuple[int, tuple[int, ...]], ...]


def resumptions(base: Path, agents: int, moments: Moments) -> None:
    side_by_side(
        lambda m: kill_and_resume(base / f"{m[0]}-{len(m[1])}", agents, *m),
        moments,
    )


def test_killed_then_gone_on_with(tmp_path: Path) -> None:
    resumptions(tmp_path, FEW, ((9, ()), (26, (9, 14)), (42, ())))


@pytest.mark.nightly
def test_killed_and_killed_again_then_gone_on_with(tmp_path: Path) -> None:
    moments = tuple((at, again) for at in range(6, 113, 5) for again in ((), (12,)))
    resumptions(tmp_path, AGENTS, moments)


# --- after that ------------------------------------------------------------------------------


def test_next_apply_does_the_rest_and_delivers_what_was_left(tmp_path: Path) -> None:
    with field_of(tmp_path, agents=FEW) as on:
        killed(on, 26)
        on.cxplan("recover", on.run_id())
        done = on.here("plan", "-o", "rest.json")
        assert done.code == 0, done.err
        rest = on.cxplan("apply", "rest.json")
        assert rest.code == 0, rest.out + rest.err
        assert on.changes() == {f"agent-{n:02d}": 1 for n in range(1, FEW + 1)}
        told = {event.agent_id for event in on.simulator.world.events()}
        assert told == on.changes().keys()
        verified = on.here("audit", "verify")
        assert (verified.code, len(on.bundles())) == (0, 2), verified.out


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not on this machine")
def test_count_of_operations_is_the_kernels(tmp_path: Path) -> None:
    """What ``killing`` counts inside the process is what the system sees of it."""
    with field_of(tmp_path, agents=2) as on:
        names = "fsync,fdatasync,rename,renameat,renameat2"
        killing = [sys.executable, "-m", "tests.faults.killing", "kill", "0", "count"]
        strace = ["strace", "-f", "-qq", "-o", "trace", "-e", f"trace={names}"]
        done = subprocess.run(
            [*strace, *killing, "apply", "p.json"],
            cwd=tmp_path,
            env=dict(on.environ),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        began = re.findall(
            r"^\d+ +(?:f\w*sync|rename\w*)\(", (tmp_path / "trace").read_text(), re.M
        )
        assert len(began) == int((tmp_path / "count").read_text()) == TOTAL - 5 * (AGENTS - 2)
