"""The journal: what a line is, and that nothing follows a line that may not be on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cxplan.audit.journal import Journal
from cxplan.audit.limits import LINE_LIMIT
from cxplan.audit.records import Walk
from cxplan.core.canonical import sha256_hex
from cxplan.core.errors import EvidenceError, Exit
from tests.audit.samples import FakeClock, files_end_at

START = sha256_hex(b"the payload of open")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.jsonl"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    journal = Journal(fd, Walk(START, path.name), FakeClock())
    yield journal
    journal.close()


def test_lines_are_ascii_chained_and_numbered(journal: Journal, path: Path) -> None:
    journal.append("run.start", {"commit": None, "runUrl": "https://ci.example/é?\n{}"})
    journal.append("agent.intent", {"agentId": "agent-0001", "ifMatch": '"7"'})

    first, second = path.read_bytes().splitlines()

    assert json.loads(first) == {
        "i": 1,
        "prev": START,
        "at": "2026-11-22T12:00:00.001Z",
        "kind": "run.start",
        "commit": None,
        "runUrl": "https://ci.example/é?\n{}",
    }
    assert json.loads(second)["prev"] == sha256_hex(first)
    assert json.loads(second)["i"] == 2
    assert second.startswith(b'{"agentId":"agent-0001","at":')
    assert path.read_bytes().isascii()
    assert path.read_bytes().count(b"\n") == 2


def test_each_line_is_forced_to_disk_before_its_writer_goes_on(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(path.read_bytes()))
    journal.append("run.start", {})
    journal.append("run.note", {})
    assert [whole.count(b"\n") for whole in seen] == [1, 2]


def test_many_threads_make_one_chain(journal: Journal, path: Path) -> None:
    journal.append("run.start", {})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: journal.append("run.note", {"n": n}), range(200)))

    again = Walk(START, "again")
    for line in path.read_bytes().splitlines():
        again.take(line)

    assert again.totals() == journal.walk.totals()
    assert again.count == 201
    assert again.sha256 == sha256_hex(path.read_bytes()) == journal.walk.sha256


BUGS: dict[str, tuple[str, dict[str, Any]]] = {
    "a float": ("run.note", {"seconds": 0.5}),
    "a float far down": ("run.note", {"a": [{"b": (1, 2.0)}]}),
    "a number that others read differently": ("run.note", {"n": 2**53}),
    "a lone surrogate": ("run.note", {"name": "\ud800"}),
    "the journal's own member": ("run.note", {"prev": ""}),
    "no kind of record": ("note", {}),
    "an intent about nobody": ("agent.intent", {}),
    "an outcome that is none": ("agent.outcome", {"agentId": "agent-0001"}),
    "a second start": ("run.start", {}),
    "a second outcome": ("agent.outcome", {"agentId": "agent-0000", "outcome": "applied"}),
    "an intent after the outcome": ("agent.intent", {"agentId": "agent-0000"}),
}


@pytest.mark.parametrize("what", BUGS)
def test_line_that_no_journal_may_hold_is_a_bug_and_not_written(
    what: str, journal: Journal, path: Path
) -> None:
    journal.append("run.start", {})
    journal.append("agent.outcome", {"agentId": "agent-0000", "outcome": "deferred"})
    before = path.read_bytes()
    kind, fields = BUGS[what]

    with pytest.raises(ValueError, match=r"\S"):
        journal.append(kind, fields)

    assert path.read_bytes() == before
    journal.append("run.note", {})
    assert path.read_bytes().startswith(before)


def test_run_begins_with_its_start(journal: Journal, path: Path) -> None:
    with pytest.raises(ValueError, match=r"run\.start"):
        journal.append("run.note", {})
    assert path.read_bytes() == b""


def test_line_that_no_verifier_would_read_is_refused(journal: Journal, path: Path) -> None:
    journal.append("run.start", {})
    with pytest.raises(EvidenceError) as error:
        journal.append("run.note", {"skills": "x" * LINE_LIMIT})
    assert error.value.problem.code == "audit.write"
    assert path.stat().st_size < 1000


# --- disks that fail -----------------------------------------------------------------------------


def refuses_everything(journal: Journal) -> bool:
    for _ in range(2):
        with pytest.raises(EvidenceError) as error:
            journal.append("run.note", {})
        assert error.value.exit_code is Exit.AUDIT
        assert error.value.problem.hint
    return True


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is not on this machine")
def test_full_disk_closes_the_journal() -> None:
    journal = Journal(os.open("/dev/full", os.O_WRONLY), Walk(START, "full"), FakeClock())
    with pytest.raises(EvidenceError, match="No space left on device"):
        journal.append("run.start", {})
    assert refuses_everything(journal)
    journal.close()


def test_line_written_in_part_closes_the_journal(journal: Journal, path: Path) -> None:
    journal.append("run.start", {})
    whole = path.read_bytes()
    with files_end_at(len(whole) + 10), pytest.raises(EvidenceError, match="File too large"):
        journal.append("agent.intent", {"agentId": "agent-0001"})

    assert len(path.read_bytes()) == len(whole) + 10
    assert refuses_everything(journal)
    assert len(path.read_bytes()) == len(whole) + 10


def test_line_that_is_not_forced_to_disk_closes_the_journal(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append("run.start", {})

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", fail)
        with pytest.raises(EvidenceError, match="Input/output error"):
            journal.append("agent.intent", {"agentId": "agent-0001"})

    assert refuses_everything(journal)
    assert path.read_bytes().count(b"\n") == 2


def test_closed_journal_takes_nothing(journal: Journal) -> None:
    journal.append("run.start", {})
    journal.close()
    journal.close()
    assert refuses_everything(journal)
