"""A disk that is full or fails: nothing leaves unrecorded, and what was done can be settled later.

F-44 and F-45: at a line of the journal. F-46: at the seal. F-47: before there is a run at all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.kit import Done, Field, agree, field_of, records, side_by_side, whole_lines

FEW = 3
BEGIN = 9
"""Syncs and renames before the first line."""
FIRST, LAST = BEGIN + 1, BEGIN + 3 + 5 * FEW
"""The syncs of the first line of the journal and of ``run.end``."""
SEAL = 5
TOTAL = LAST + SEAL

FAULTS = ("ENOSPC", "EIO")
MOSTLY = ("ENOSPC", pytest.param("EIO", marks=pytest.mark.nightly))
"""Both take the same way through the code."""


def failed(on: Field, how: str, at: int) -> Done:
    """Run an apply whose disk fails at an operation, and check what it says and leaves."""
    done = on.cxplan("apply", "p.json", how=how, at=at)
    assert done.code == 12, done.out + done.err
    why = {"ENOSPC": "No space left on device", "EIO": "Input/output error"}[how.partition(":")[0]]
    assert why in done.out + done.err
    return done


def left(on: Field, done: Done) -> bytes:
    """Check the folder of a run that stopped, and that each change has its intent there."""
    folder = on.open_folder()
    assert folder is not None
    assert not (folder / "statement.dsse.json").exists()
    assert f"cxplan recover {on.run_id()}" in done.err
    assert f"cxplan apply --resume {on.run_id()}" in done.err
    lines = whole_lines(folder)
    text = lines.decode("ascii")
    intents = {n for n in on.changes() if f'"agentId":"{n}"' in text}
    assert intents == on.changes().keys()
    sent = [r for r in on.simulator.world.requests() if r.method == "PATCH"]
    assert len(sent) == on.changes().total()
    for agent_id in on.changes():
        assert f"{agent_id} applied" in done.err, done.err
    return lines


def recovered(on: Field, lines: bytes) -> None:
    """Recover on a disk that works again."""
    done = on.cxplan("recover", on.run_id())
    assert done.code in {0, 5, 11}, done.err
    [bundle] = on.bundles()
    assert (bundle / "records.jsonl").read_bytes().startswith(lines)
    agree(on, bundle)


def at_a_line(base: Path, how: str, at: int) -> None:
    base.mkdir()
    with field_of(base, agents=FEW) as on:
        done = failed(on, how, at)
        recovered(on, left(on, done))


WRITES = 3 + 5 * FEW
"""Writes to the journal, one a line."""


@pytest.mark.parametrize("how", MOSTLY)
def test_journal_cannot_be_written(tmp_path: Path, how: str) -> None:
    """F-44, F-45: at the first intent, an attempt or outcome in the middle, and the last line."""
    moments = [(f"{how}:write", 2), (f"{how}:write", 9), (how, FIRST + 1), (how, LAST)]
    side_by_side(lambda m: at_a_line(tmp_path / f"{m[0]}-{m[1]}", *m), moments)


@pytest.mark.nightly
@pytest.mark.parametrize("how", FAULTS)
def test_journal_cannot_be_written_at_any_line(tmp_path: Path, how: str) -> None:
    moments = [(f"{how}:write", at) for at in range(1, WRITES + 1)]
    moments += [(how, at) for at in range(FIRST, LAST + 1)]
    side_by_side(lambda m: at_a_line(tmp_path / f"{m[0]}-{m[1]}", *m), moments)


def test_intent_that_cannot_be_written_is_not_sent(tmp_path: Path) -> None:
    """F-44."""
    with field_of(tmp_path, agents=FEW) as on:
        done = failed(on, "ENOSPC:write", 2)
        assert on.changes() == {}
        assert [r for r in on.simulator.world.requests() if r.method == "PATCH"] == []
        for n in range(1, FEW + 1):
            assert f"(agent-{n:02d}, Many) not attempted" in done.out


def at_the_seal(base: Path, how: str, at: int) -> None:
    base.mkdir()
    with field_of(base, agents=FEW) as on:
        done = failed(on, how, at)
        if on.open_folder() is None:
            # The last sync of all: sealed, but nobody knows whether it is on disk.
            agree(on, on.bundles()[0])
            return
        lines = left(on, done)
        assert lines.count(b'"run.end"') == 1
        sealed = on.cxplan("recover", on.run_id())
        assert sealed.code == 0, sealed.err
        [bundle] = on.bundles()
        assert (bundle / "records.jsonl").read_bytes() == lines
        assert agree(on, bundle) == {"applied": FEW, "deferred": 1}


@pytest.mark.parametrize("how", MOSTLY)
def test_seal_that_fails_leaves_the_journal_and_no_half_bundle(tmp_path: Path, how: str) -> None:
    """F-46."""
    moments = range(LAST + 1, TOTAL + 1)
    side_by_side(lambda at: at_the_seal(tmp_path / str(at), how, at), moments)


@pytest.mark.parametrize("how", MOSTLY)
def test_disk_that_fails_before_the_opening_leaves_nothing(tmp_path: Path, how: str) -> None:
    """F-47, and everything else before there is a run."""
    with field_of(tmp_path, agents=FEW) as on:
        for at in (1, 5, BEGIN):
            done = failed(on, how, at)
            assert "Nothing was sent" in done.err
            assert on.open_folder() is None
        assert on.changes() == {}
        assert on.here("apply", "p.json").code == 0


def missing(on: Field) -> None:
    on.environ = {**on.environ, "CXPLAN_AUDIT": "nowhere/audit"}


def a_file(on: Field) -> None:
    on.audit.write_text("")


@pytest.mark.parametrize("spoil", [missing, a_file])
def test_ledger_that_cannot_be_is_told_before_any_request(
    tmp_path: Path, spoil: Callable[[Field], None]
) -> None:
    """F-47."""
    with field_of(tmp_path, agents=FEW) as on:
        spoil(on)
        on.simulator.world.clear_logs()
        done = on.here("apply", "p.json")
        assert (done.code, "--audit" in done.err) == (12, True), done.err
        assert on.simulator.world.requests() == ()


# --- the system's own -----------------------------------------------------------------------

UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]


def mountable() -> bool:
    """Tell whether this machine lets us mount a small disk of our own."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    return tried.returncode == 0


@pytest.mark.skipif(not mountable(), reason="no disk can be mounted here without being root")
@pytest.mark.parametrize("kib", [12, 28, 40])
def test_disk_that_is_really_full(tmp_path: Path, kib: int) -> None:
    """F-44, F-45: a disk of a few pages; what is on it is copied out before it goes."""
    with field_of(tmp_path, agents=8) as on:
        script = (
            f"mkdir disk && mount -t tmpfs -o size={kib}k tmpfs disk && "
            f"{sys.executable} -m cxplan apply p.json --audit disk/audit; "
            "code=$?; cp -r disk/audit audit; exit $code"
        )
        environ = dict(on.environ)
        done = subprocess.run(
            [*UNSHARE, "bash", "-c", script],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 12, done.stdout + done.stderr
        assert "No space left on device" in done.stdout + done.stderr
        if on.open_folder() is None:
            assert on.changes() == {}
            return
        recovered(on, left(on, Done(12, done.stdout, done.stderr, 0)))


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not on this machine")
@pytest.mark.parametrize("fault", FAULTS)
def test_sync_that_the_kernel_refuses(tmp_path: Path, fault: str) -> None:
    """F-45, with strace: the second sync of a worker fails, and each one after that."""
    with field_of(tmp_path, agents=FEW) as on:
        inject = f"inject=fsync:error={fault}:when={BEGIN + 1}+"
        command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=fsync", "-e", inject]
        done = subprocess.run(
            [*command, sys.executable, "-m", "cxplan", "apply", "p.json"],
            cwd=tmp_path,
            env=dict(on.environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 12, done.stdout + done.stderr
        recovered(on, left(on, Done(12, done.stdout, done.stderr, 0)))
        assert records(on.bundles()[0])[-1]["kind"] == "run.end"
