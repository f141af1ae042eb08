"""The last values of a ledger: which lines count, in which order, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cxplan.audit.history import LedgerMemory
from cxplan.core.canonical import signed_form
from cxplan.core.errors import EvidenceError, UnapprovedError
from cxplan.core.history import TakenBack
from cxplan.core.ids import AgentId
from tests.audit.samples import uuid

AT = "2026-11-22T12:00:00.000Z"
AGENT = "agent-0001"


def outcome(value: int, outcome: str = "applied", **changed: Any) -> bytes:
    change = {
        "path": "skills/chat/level",
        "skillId": "s-chat",
        "before": 5,
        "after": value,
        "because": {"file": "team.yaml", "line": 1, "layer": "member"},
    }
    fields = {"kind": "agent.outcome", "agentId": AGENT, "outcome": outcome, "changes": [change]}
    return line(fields | changed)


def line(fields: dict[str, Any]) -> bytes:
    return signed_form({"i": 1, "prev": "0" * 64, "at": AT} | fields) + b"\n"


START = line({"kind": "run.start", "commit": None})
END = line({"kind": "run.end", "exit": 0})


def bundle(ledger: Path, number: int, *lines: bytes, suffix: str = "") -> Path:
    folder = ledger / f"{number:06d}-{uuid(number)}{suffix}"
    folder.mkdir(parents=True)
    (folder / "records.jsonl").write_bytes(b"".join([START, *lines, END]))
    return folder


def values(ledger: Path) -> dict[str, tuple[object, str]]:
    return {
        f"{agent}/{last.path}": (last.value, last.run_id)
        for agent, found in LedgerMemory(ledger).last_values("acme").items()
        for last in found.values()
    }


def test_the_file_that_asked_for_a_value_is_remembered(tmp_path: Path) -> None:
    bundle(tmp_path, 1, outcome(3))
    (last,) = LedgerMemory(tmp_path).last_values("acme")[AgentId(AGENT)].values()
    assert (last.file, last.declared) == ("team.yaml", True)
    path = {"path": "skills/chat/level", "skillId": "s-chat", "before": 5, "after": 4}
    bundle(tmp_path, 2, outcome(4, changes=[path | {"because": None}]))
    (last,) = LedgerMemory(tmp_path).last_values("acme")[AgentId(AGENT)].values()
    assert (last.value, last.file, last.declared) == (4, None, False)


def test_a_ledger_that_is_not_there_remembers_nothing(tmp_path: Path) -> None:
    memory = LedgerMemory(tmp_path / "audit")
    assert memory.last_values("acme") == {}
    assert memory.open_runs() == ()


def test_runs_count_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    bundle(tmp_path, 10, outcome(3))
    bundle(tmp_path, 9, outcome(4))
    bundle(tmp_path, 8, outcome(5, agentId="agent-0002"))
    assert values(tmp_path) == {
        "agent-0001/skills/chat/level": (3, uuid(10)),
        "agent-0002/skills/chat/level": (5, uuid(8)),
    }


def test_only_what_was_written_or_confirmed_counts(tmp_path: Path) -> None:
    bundle(tmp_path, 1, outcome(3, "alreadyThere"))
    rest = [outcome(9, word) for word in ("unknown", "failed", "conflict", "deferred", "unread")]
    bundle(
        tmp_path, 2, *rest, line({"kind": "agent.intent", "agentId": AGENT, "outcome": "applied"})
    )
    assert values(tmp_path) == {"agent-0001/skills/chat/level": (3, uuid(1))}


def test_a_run_that_is_not_sealed_is_named_and_does_not_count(tmp_path: Path) -> None:
    bundle(tmp_path, 1, outcome(3))
    left = bundle(tmp_path, 2, outcome(9), suffix=".open")
    (tmp_path / ".git").mkdir()
    (tmp_path / "notes").mkdir()
    assert values(tmp_path) == {"agent-0001/skills/chat/level": (3, uuid(1))}
    assert LedgerMemory(tmp_path).open_runs() == (left.name,)


def test_what_another_tenants_run_wrote_is_no_base(tmp_path: Path) -> None:
    bundle(tmp_path, 1, outcome(3))
    bundle(tmp_path, 2, line({"kind": "run.start", "tenant": "other\x1b"}))
    memory = LedgerMemory(tmp_path)
    for read in (memory.last_values, memory.past):
        with pytest.raises(UnapprovedError) as caught:
            read("acme")
        assert caught.value.problem.code == "audit.tenant"
        assert "other\\u{001B}" in caught.value.problem.summary


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def put(data: bytes) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        path.write_bytes(data)

    return spoil


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


SPOILED: list[tuple[Callable[[Path], None], str, str]] = [
    (cut, "audit.form", ":3"),
    (put(START + b"\n" + END), "audit.form", ":2"),
    (put(b"\x00" * 100), "audit.form", ":1"),
    (put(b"[1]\n"), "audit.form", ":1"),
    (put(b"{}\n"), "audit.form", ":1"),
    (put(START + outcome(3).replace(b'"after":3', b'"after":3,"after":4')), "audit.json", ":2"),
    (put(START + outcome(3).replace(b":3,", b":,")), "audit.json", ":2"),
    (put(START + outcome(3, changes=None)), "audit.record", ":2"),
    (put(START + outcome(3, agentId=7)), "audit.record", ":2"),
    (put(START + b'{"kind":"' + b"x" * 2**21 + b'"}\n'), "audit.form", ":2"),
    (link, "path.symlink", ""),
    (Path.unlink, "audit.missing", ""),
]


@pytest.mark.parametrize(("spoil", "code", "place"), SPOILED)
def test_what_cannot_be_read_ends_with_a_place_and_what_to_do(
    tmp_path: Path, spoil: Callable[[Path], None], code: str, place: str
) -> None:
    bundle(tmp_path, 1, outcome(3))
    folder = bundle(tmp_path, 2, outcome(4))
    spoil(folder / "records.jsonl")
    with pytest.raises(EvidenceError) as caught:
        LedgerMemory(tmp_path).last_values("acme")
    problem = caught.value.problem
    assert problem.code == code
    assert problem.address == f"{folder.name}/records.jsonl{place}"
    assert "cxplan audit verify" in (problem.hint or "")


# --- rollbacks, and what runs have settled -----------------------------------------------------


def begun(number: int, rollback: str | None = None) -> bytes:
    """The first line of a run that looked at everybody, planned in that hour of the day."""
    at = f"2026-11-22T{number:02d}:00:00Z"
    start = {"plannedAt": at, "looked": "everybody", "rollback": rollback}
    return line({"kind": "run.start"} | start)


def sealed(ledger: Path, number: int, *lines: bytes) -> Path:
    folder = ledger / f"{number:06d}-{uuid(number)}"
    folder.mkdir(parents=True)
    (folder / "records.jsonl").write_bytes(b"".join([*lines, END]))
    return folder


def test_a_value_of_a_rollback_says_what_it_took_away(tmp_path: Path) -> None:
    sealed(tmp_path, 1, begun(1), outcome(3))
    sealed(tmp_path, 2, begun(2, uuid(1)), outcome(5))
    sealed(tmp_path, 3, begun(3), outcome(7, agentId="agent-0002"))
    history = LedgerMemory(tmp_path).last_values("acme")
    (last,), (other,) = (tuple(values.values()) for _, values in sorted(history.items()))
    assert (last.value, last.run_id, last.declared) == (5, uuid(2), False)
    assert last.taken_back == TakenBack(uuid(1), 5)
    assert (other.taken_back, other.declared) == (None, True)


def test_what_runs_have_settled_is_read_from_the_sealed_ones(tmp_path: Path) -> None:
    assert LedgerMemory(tmp_path / "audit").past("acme").empty
    sealed(tmp_path, 1, begun(1), outcome(3))
    sealed(tmp_path, 2, begun(2), outcome(3, "deferred", agentId="agent-0002"))
    sealed(tmp_path, 3, begun(3, uuid(1)), outcome(5))
    bundle(tmp_path, 4, outcome(3), suffix=".open")
    past = LedgerMemory(tmp_path).past("acme")
    first, second = (past.since(AgentId(f"agent-000{number}")) for number in (1, 2))
    assert first.base is not None
    assert second.base is not None
    assert (first.base.hour, first.deferred) == (2, frozenset())
    assert (second.base.hour, len(second.deferred)) == (1, 1)


@pytest.mark.parametrize(
    ("spoiled", "code"),
    [
        (line({"kind": "run.start", "plannedAt": "2026-11-22T01:00:00Z"}), "audit.record"),
        (line({"kind": "agent.outcome", "agentId": AGENT}), "audit.record"),
        (START[:-1] + b" \n", "audit.form"),
        (b'{"kind":"run.start",}\n', "audit.json"),
    ],
)
def test_nothing_is_due_by_a_journal_that_cannot_be_read(
    tmp_path: Path, spoiled: bytes, code: str
) -> None:
    sealed(tmp_path, 1, spoiled)
    with pytest.raises(EvidenceError) as caught:
        LedgerMemory(tmp_path).past("acme")
    assert caught.value.problem.code == code


def test_a_ledger_that_is_no_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("")
    with pytest.raises(EvidenceError) as caught:
        LedgerMemory(tmp_path / "audit").last_values("acme")
    assert caught.value.problem.code == "audit.folder"


def test_a_journal_is_never_held_whole(tmp_path: Path) -> None:
    padding = {"message": "x" * 20_000}
    lines = [outcome(n, **padding) for n in range(300)]
    lines += [outcome(n, "deferred", **padding) for n in range(300)]
    bundle(tmp_path, 1, *lines)
    del lines
    tracemalloc.start()
    try:
        assert values(tmp_path) == {"agent-0001/skills/chat/level": (299, uuid(1))}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_remembering_loads_no_cryptography() -> None:
    program = (
        "import sys; import cxplan.audit.history, cxplan.wiring.history;"
        "print(sorted({m.partition('.')[0] for m in sys.modules}"
        " & {'cryptography', 'securesystemslib', 'deepdiff'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
