"""Options that are empty, of another age, or of the wrong file: an error, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.scenes import asked
from tests.cli.small import planned, small

Capture = pytest.CaptureFixture[str]

EMPTY = [
    (("plan", "--base", ""), "--base"),
    (("plan", "--desired", ""), "--desired"),
    (("plan", "--tenant", ""), "--tenant"),
    (("drift", "--audit", ""), "--audit"),
]


@pytest.mark.parametrize(("arguments", "flag"), EMPTY, ids=[row[1] for row in EMPTY])
def test_a_shell_variable_that_is_not_set(
    tmp_path: Path, capsys: Capture, arguments: tuple[str, ...], flag: str
) -> None:
    with small(tmp_path, capsys) as on:
        before = asked(on)
        done = on.cxplan(*arguments, "--json")
        assert done.code == 3
        (error,) = done.json["errors"]
        assert error["summary"] == f"{flag} is given and empty."
        assert "perhaps a variable is not set" in error["hint"]
        assert asked(on) == before


def test_an_empty_variable_is_as_good_as_none(tmp_path: Path, capsys: Capture) -> None:
    with small(tmp_path, capsys) as on:
        on.environ |= {"CXPLAN_AUDIT": "", "CXPLAN_PROXY": "", "CXPLAN_QUIET": ""}
        assert on.cxplan("apply", "--auto-approve").code == 0
        assert on.bundle().parent == tmp_path / "audit"


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
@pytest.mark.parametrize("command", [("plan", "--timeline", "366d"), ("explain", "agent-1")])
def test_a_year_that_no_file_could_name(
    tmp_path: Path, capsys: Capture, command: tuple[str, ...], at: str
) -> None:
    with small(tmp_path, capsys) as on:
        done = on.cxplan(*command, "--at", at, "--json")
        assert done.code == 3
        assert "from the year 2000 on" in done.json["errors"][0]["summary"]


def test_the_last_year_of_all(tmp_path: Path, capsys: Capture) -> None:
    with small(tmp_path, capsys) as on:
        done = on.cxplan("plan", "--timeline", "366d", "--at", "2999-12-31T23:59:59Z")
        assert done.code == 0, done.err


def test_a_plan_does_not_take_the_place_of_its_snapshot(tmp_path: Path, capsys: Capture) -> None:
    with small(tmp_path, capsys) as on:
        assert on.cxplan("snapshot", "-o", "s.jsonl").code == 0
        kept = (tmp_path / "s.jsonl").read_bytes()
        (tmp_path / "link.jsonl").hardlink_to(tmp_path / "s.jsonl")
        for out in ("s.jsonl", "link.jsonl"):
            done = on.cxplan("plan", "--snapshot", "s.jsonl", "-o", out, "--json")
            assert (done.code, done.codes()) == (3, ["path.type"])
            assert (tmp_path / "s.jsonl").read_bytes() == kept
        assert on.cxplan("plan", "--snapshot", "s.jsonl", "-o", "p.json").code == 0
        assert on.cxplan("plan", "--snapshot", "nowhere.jsonl", "-o", "p.json").code == 3


def test_show_takes_a_bundle_too(tmp_path: Path, capsys: Capture) -> None:
    with small(tmp_path, capsys) as on:
        planned(on)
        assert on.cxplan("apply", "p.json").code == 0
        told = on.cxplan("audit", "show", on.bundle().name)
        assert told.code == 0
        assert "agent-1" in told.out
        for folder in (f"audit/{on.bundle().name}", f"audit/{on.bundle().name}/."):
            assert on.cxplan("show", folder, "--audit", "elsewhere").out == told.out
        done = on.cxplan("show", "desired", "--json")
        assert (done.code, done.codes()) == (3, ["path.type"])
