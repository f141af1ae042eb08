"""Snapshot files: what is written is read back as the same values, and nothing else is read."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxplan.core.canonical import canonical, parse_json, signed_form
from cxplan.core.errors import CxplanError, Exit, InvalidError
from cxplan.core.ids import AgentId, SkillId, WorkModeId
from cxplan.core.live import (
    Assignment,
    MissingAgent,
    Schedule,
    ScheduleReading,
    Shift,
    UnreadableSchedule,
)
from cxplan.core.snapshot import SnapshotAgent, SnapshotEntry
from cxplan.snapshots.convert import entry_json
from cxplan.snapshots.file import SnapshotFile, is_snapshot
from cxplan.snapshots.schema import MAX_BYTES, MAX_LINE
from cxplan.snapshots.writer import SnapshotWriter
from tests.snapshots import make

NO_SURROGATES = st.characters(exclude_categories=["Cs"])
TEXT = st.text(NO_SURROGATES, min_size=1, max_size=12)
COUNTS = st.none() | st.integers(0, 2**53 - 1)
INSTANTS = st.datetimes(timezones=st.just(UTC))
SHIFTS = st.builds(Shift, INSTANTS, INSTANTS, TEXT.map(WorkModeId))
SCHEDULES: st.SearchStrategy[ScheduleReading] = st.one_of(
    st.lists(SHIFTS, max_size=3).map(lambda found: Schedule(tuple(found))),
    TEXT.map(UnreadableSchedule),
)
SKILLS = st.lists(
    st.builds(Assignment, TEXT.map(SkillId), COUNTS, COUNTS, COUNTS),
    unique_by=lambda held: held.skill_id,
    max_size=3,
).map(lambda found: tuple(sorted(found, key=lambda held: held.skill_id)))


@st.composite
def entries(draw: st.DrawFn) -> SnapshotEntry:
    name = draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,5}", fullmatch=True))
    if draw(st.integers(0, 4)) == 0:
        return MissingAgent(AgentId(name))
    etag, mode = draw(st.none() | TEXT), draw(st.none() | TEXT)
    return make.agent(name, draw(SCHEDULES), etag=etag, mode=mode, skills=draw(SKILLS))


@given(st.lists(entries(), unique_by=lambda entry: entry.id, max_size=6))
def test_what_is_written_is_read_back_as_the_same_values(found: list[SnapshotEntry]) -> None:
    ordered = sorted(found, key=lambda entry: entry.id)
    with tempfile.TemporaryDirectory() as folder:
        file = SnapshotFile(make.write(Path(folder) / "s.jsonl", ordered))
        assert file.header == make.header(len(ordered))
        assert [file.entry(entry.id) for entry in ordered] == ordered
        assert file.entry(AgentId("not-there")) is None


def test_the_file_is_private_alone_and_ascii(tmp_path: Path) -> None:
    path = make.write(tmp_path / "s.jsonl")
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    data = path.read_bytes()
    assert data.isascii()
    for line in data.splitlines():
        assert signed_form(parse_json(line)) == line
    plain = make.write(tmp_path / "plain.jsonl", [make.agent("a", skills=(make.VOICE,))])
    _, *rest = plain.read_bytes().splitlines()
    assert [canonical(parse_json(line)) for line in rest] == rest


def test_the_same_values_are_the_same_bytes(tmp_path: Path) -> None:
    first, second = make.write(tmp_path / "1"), make.write(tmp_path / "2")
    assert first.read_bytes() == second.read_bytes()


def test_the_summary_names_what_is_missing_and_unreadable(tmp_path: Path) -> None:
    summary = SnapshotFile(make.write(tmp_path / "s.jsonl")).summary()
    assert (summary.header, summary.missing, summary.unreadable) == (
        make.header(4),
        ("a-3",),
        ("a-2",),
    )


def refusal(path: Path) -> InvalidError:
    """Read the whole snapshot, which must be refused with a place and something to do."""
    with pytest.raises(InvalidError) as caught:
        SnapshotFile(path).summary()
    problem = caught.value.problem
    assert caught.value.exit_code is Exit.INVALID
    assert problem.hint
    if problem.code.startswith("snapshot."):
        assert problem.origin is not None
        assert problem.origin.file == str(path)
    return caught.value


def test_every_byte_counts(tmp_path: Path) -> None:
    whole = make.write(tmp_path / "s.jsonl").read_bytes()
    path = tmp_path / "damaged.jsonl"
    allowed = {"snapshot.digest", "snapshot.kind", "snapshot.version"}
    for at in range(0, len(whole), 3):
        data = bytearray(whole)
        data[at] ^= 1
        path.write_bytes(bytes(data))
        assert refusal(path).problem.code in allowed, at


def test_a_cut_file_and_one_with_more(tmp_path: Path) -> None:
    whole = make.write(tmp_path / "s.jsonl").read_bytes()
    ends = [found.end() for found in re.finditer(rb"\n", whole)][:-1]
    path = tmp_path / "damaged.jsonl"
    for end in [*ends, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:end])
        assert refusal(path).problem.code == "snapshot.digest", end
    for more in (b"\n", b"x", whole):
        path.write_bytes(whole + more)
        assert refusal(path).problem.code == "snapshot.digest"


def changed(line: int, **members: Any) -> Callable[[], list[Any]]:
    """A snapshot with other members in one line, counted from 1; None takes one away."""

    def body() -> list[Any]:
        found = make.lines()
        merged = found[line - 1] | members
        found[line - 1] = {name: value for name, value in merged.items() if value != "gone"}
        return found

    return body


def in_bytes(line: int, old: bytes, new: bytes) -> Callable[[], list[Any]]:
    """A snapshot with other bytes in one line."""

    def body() -> list[Any]:
        found: list[Any] = make.lines()
        text = signed_form(found[line - 1]) + b"\n"
        assert old in text
        found[line - 1] = text.replace(old, new, 1)
        return found

    return body


def reordered(*order: int) -> Callable[[], list[Any]]:
    return lambda: [make.lines()[line - 1] for line in order]


A_SHIFT = [["2026-11-25T08:00:00Z", "2026-11-25T16:00:00Z", "m-1"]]
REFUSED = [
    ("a newer format", changed(1, formatVersion="2.0"), "version", 1),
    ("no format", changed(1, formatVersion="gone"), "version", 1),
    ("another kind", changed(1, kind="cxplan/plan"), "kind", 1),
    ("too many agents", changed(1, agents=100_001), "shape", 1),
    ("a bool for a number", changed(1, agents=True), "shape", 1),
    ("no lists", changed(1, lists="gone"), "shape", 1),
    ("a day that is none", changed(1, takenAt="2026-02-30T00:00:00Z"), "shape", 1),
    ("lists out of order", changed(1, lists={"skills": [], "workModes": [["m", "a"], ["m", "b"]]}),
     "shape", 1),
    ("a member twice in the header", in_bytes(1, b'"takenAt"', b'"agents":4,"takenAt"'),
     "shape", 1),
    ("more agents than lines", changed(1, agents=5), "count", 6),
    ("fewer agents than lines", changed(1, agents=3), "count", 5),
    ("two agents swapped", reordered(1, 3, 2, 4, 5), "order", 3),
    ("an agent twice", reordered(1, 2, 2, 4, 5), "order", 3),
    ("no id", changed(2, id="gone"), "shape", 2),
    ("no skills", changed(2, skills="gone"), "shape", 2),
    ("a member too many", changed(2, name="Eve"), "shape", 2),
    ("an agent that is there and is not", changed(4, etag=None), "shape", 4),
    ("missing: false", changed(4, missing=False), "shape", 4),
    ("a level in quotes", changed(2, skills=[["s-1", "5", 1, 1]]), "shape", 2),
    ("a level below 0", changed(2, skills=[["s-1", -1, 1, 1]]), "shape", 2),
    ("a level that is a bool", changed(2, skills=[["s-1", True, 1, 1]]), "shape", 2),
    ("a skill of three parts", changed(2, skills=[["s-1", 1, 1]]), "shape", 2),
    ("a skill twice", changed(2, skills=[["s-1", 1, 1, 1], ["s-1", 2, 1, 1]]), "shape", 2),
    ("a shift without an end", changed(2, schedule=[["2026-11-25T08:00:00Z", "m-1"]]), "shape", 2),
    ("a shift without an offset", changed(2, schedule=[["2026-11-25T08:00:00", *A_SHIFT[0][1:]]]),
     "shape", 2),
    ("a reason that is none", changed(3, schedule={"unreadable": None}), "shape", 3),
    ("a level that is half", in_bytes(2, b'"s-1",5', b'"s-1",5.0'), "shape", 2),
    ("NaN", in_bytes(2, b'"s-1",5', b'"s-1",NaN'), "shape", 2),
    ("a member twice", in_bytes(2, b'"skills":', b'"skills":[],"skills":'), "shape", 2),
    ("an id twice", in_bytes(2, b'"skills":', b'"id":"a-9","skills":'), "shape", 2),
    ("a member twice, blanks between", in_bytes(2, b'"skills":', b'"skills" :[],"skills" :'),
     "shape", 2),
    ("a member twice, once by escapes", in_bytes(2, b'"skills":', b'"s\\u006bills":[],"skills":'),
     "shape", 2),
    ("missing twice", in_bytes(4, b'"missing":', b'"missing":true,"missing":'), "shape", 4),
    ("a lone surrogate", in_bytes(2, b'"s-1"', b'"\\ud800"'), "shape", 2),
    ("a member without a value", in_bytes(2, b'"s-1",5', b'"s-1",'), "shape", 2),
    ("two lines in one", in_bytes(2, b"}\n", b"}"), "count", 5),
    ("an empty line", in_bytes(3, b"}\n", b"}\n\n"), "shape", 4),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code", "line"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_no_cxplan_wrote_is_refused_whatever_its_digest(
    tmp_path: Path, body: Callable[[], list[Any]], code: str, line: int
) -> None:
    problem = refusal(make.sealed(tmp_path / "s.jsonl", body())).problem
    assert problem.code == f"snapshot.{code}"
    assert problem.origin is not None
    assert problem.origin.line == line
    assert not {"Eve", "a-9", "2026"} & set(re.split(r"\W", problem.summary))


def test_a_minor_version_may_say_more_in_the_header(tmp_path: Path) -> None:
    body = changed(1, formatVersion="1.7", later={"a": 1})()
    file = SnapshotFile(make.sealed(tmp_path / "s.jsonl", body))
    assert file.header == make.header(4)


@pytest.mark.parametrize("content", [b"", b"{}", b"hello\n", b'{"kind":"cxplan/plan"}\n'])
def test_another_file_is_no_snapshot(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    assert refusal(path).problem.code == "snapshot.kind"
    assert not is_snapshot(path)


def odd(folder: Path, kind: str) -> Path:
    path = folder / "s.jsonl"
    if kind == "symlink":
        make.write(folder / "real")
        path.symlink_to("real")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize("kind", ["symlink", "fifo", "folder", "missing"])
def test_only_a_regular_file_is_read(tmp_path: Path, kind: str) -> None:
    path = odd(tmp_path, kind)
    assert refusal(path).problem.code == "path.type"
    assert not is_snapshot(path)


@pytest.mark.parametrize("kind", ["symlink", "fifo", "folder"])
def test_only_a_regular_file_is_replaced(tmp_path: Path, kind: str) -> None:
    path = odd(tmp_path, kind)
    before = sorted(tmp_path.iterdir())
    mode = path.lstat().st_mode
    with pytest.raises(InvalidError) as caught:
        make.write(path, [])
    assert caught.value.problem.code == "path.type"
    assert sorted(tmp_path.iterdir()) == before
    assert path.lstat().st_mode == mode


def test_a_regular_file_is_replaced_whole(tmp_path: Path) -> None:
    path = make.write(tmp_path / "s.jsonl")
    path.chmod(0o644)
    make.write(path, [])
    assert SnapshotFile(path).header.agents == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert is_snapshot(path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidError) as caught:
        make.write(tmp_path / "nowhere" / "s.jsonl")
    assert caught.value.problem.code == "path.unwritable"


def test_a_file_over_the_limit_is_not_even_hashed(tmp_path: Path) -> None:
    path = make.write(tmp_path / "s.jsonl")
    os.truncate(path, MAX_BYTES + 1)
    assert refusal(path).problem.code == "snapshot.too_large"


def test_a_line_over_the_limit(tmp_path: Path) -> None:
    found: list[Any] = make.lines()
    found[2]["schedule"] = {"unreadable": "x" * MAX_LINE}
    problem = refusal(make.sealed(tmp_path / "s.jsonl", found)).problem
    assert problem.code == "snapshot.too_large"
    writer = SnapshotWriter()
    writer.begin(make.header(1))
    with pytest.raises(InvalidError) as caught:
        writer.add(make.agent("a", UnreadableSchedule("x" * MAX_LINE)))
    assert caught.value.problem.code == "snapshot.too_large"


def test_more_agents_than_a_file_holds_are_refused_before_they_are_read() -> None:
    with pytest.raises(InvalidError) as caught:
        SnapshotWriter().begin(make.header(100_001))
    assert caught.value.problem.code == "snapshot.too_large"


def test_a_file_that_changes_while_it_is_in_use(tmp_path: Path) -> None:
    path = make.write(tmp_path / "s.jsonl")
    file = SnapshotFile(path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"s-1",5', b'"s-1",6'))
    assert file.entry(AgentId("a-3")) == MissingAgent(AgentId("a-3"))
    with pytest.raises(InvalidError) as caught:
        file.entry(AgentId("a-1"))
    assert caught.value.problem.code == "snapshot.changed"
    assert caught.value.problem.origin is not None
    assert caught.value.problem.origin.line == 2


def test_a_file_that_is_replaced_while_it_is_in_use_is_still_the_old_one(tmp_path: Path) -> None:
    path = make.write(tmp_path / "s.jsonl")
    file = SnapshotFile(path)
    make.write(path, [])
    assert [file.entry(entry.id) for entry in make.ENTRIES] == list(make.ENTRIES)
    assert SnapshotFile(path).header.agents == 0


def test_a_closed_file_gives_nothing(tmp_path: Path) -> None:
    file = SnapshotFile(make.write(tmp_path / "s.jsonl"))
    file.close()
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.entry(AgentId("a-1"))


def test_the_writer_takes_each_agent_once_by_id_and_all_of_them(tmp_path: Path) -> None:
    writer = SnapshotWriter()
    writer.begin(make.header(2))
    writer.add(make.agent("b"))
    for name in ("b", "a"):
        with pytest.raises(CxplanError):
            writer.add(make.agent(name))
    with pytest.raises(CxplanError):
        writer.write(tmp_path / "s.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_shift_keeps_its_microseconds() -> None:
    start = datetime(2026, 11, 25, 8, 0, 0, 1, UTC)
    found = make.agent("a", Schedule((Shift(start, start + timedelta(hours=8), WorkModeId("m")),)))
    assert entry_json(found)["schedule"][0][0] == "2026-11-25T08:00:00.000001Z"
    assert isinstance(found, SnapshotAgent)
