"""Answers that are too large, too deep or without end: refused with little memory and time.

Rows of the list of bad inputs, run as a command of its own: five seconds of CPU at most, enforced,
and 128 MiB more than the same command takes with a tenant that behaves.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cxplan.simulator.rules import Rule
from tests.bad import bounded
from tests.bad.conditions import GROWTH_KIB
from tests.bad.kit import AGENT, FILES, LISTING, SKILLS, TOKEN, WRITE, Stage, stage
from tests.cli.kit import Done

SECONDS = 60
"""Of wall clock, after which a command is taken to hang."""

ENDLESS = {"nextPageUri": SKILLS + "?t={rand}"}
ENDLESS_LISTING = {"nextPageUri": LISTING + "?t={rand}"}
NO_LENGTH = (("Content-Length", ()),)

NO_END = "[" + "[]," * 70 + '"' + '\\"' * 4_000_000
"""Brackets enough to be counted, not deep, and then a string that never ends."""

MANY_OBJECTS = "[" + "{}," * 2_700_000 + "{}]"
MANY_WORDS = "a " * 4_000_000

ABOUT_ONE = [
    ("H03", Rule("GET", AGENT, filler_mb=64), "http.too_large"),
    ("H03a", Rule("GET", AGENT, filler_mb=64, headers=NO_LENGTH), "http.too_large"),
    ("H03b", Rule("GET", SKILLS, filler_mb=64, headers=NO_LENGTH), "http.too_large"),
    ("H05", Rule("GET", AGENT, content_length=str(10**12)), "http.too_large"),
    ("H08", Rule("GET", AGENT, header_kb=1024), "http.protocol"),
    ("H17", Rule("GET", AGENT, body="[" * 100_000), "http.depth"),
    ("H17a", Rule("GET", AGENT, body='{"a":' * 1_000_000), "http.depth"),
    ("H17b", Rule("GET", AGENT, body=NO_END), "http.json"),
    ("H17c", Rule("GET", AGENT, body=MANY_OBJECTS), "http.too_large"),
    ("N27", Rule("GET", SKILLS, merge=ENDLESS), "http.page_limit"),
]
FOR_ALL = [
    ("H03c", Rule("POST", TOKEN, filler_mb=64, headers=NO_LENGTH), 7, "http.too_large"),
    ("H17d", Rule("POST", TOKEN, body="[" * 100_000), 7, "auth.token"),
    ("H17f", Rule("POST", TOKEN, body=NO_END), 7, "auth.token"),
    ("H17g", Rule("POST", TOKEN, body=MANY_OBJECTS), 7, "auth.token"),
    ("H17h", Rule("POST", TOKEN, status=400, body=MANY_OBJECTS), 7, "auth.refused"),
    ("H17e", Rule("GET", LISTING, body="[" * 100_000), 10, "http.depth"),
    ("N27a", Rule("GET", LISTING, merge=ENDLESS_LISTING), 10, "http.page_limit"),
]

_USUAL: list[int] = []
"""What the command takes with a tenant that behaves, in KiB; measured once."""


def run_bounded(on: Stage, *arguments: str) -> tuple[Done, int]:
    """Run one command in a process of its own; return what it left and its peak in KiB."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CX")}
    report = on.root / "home" / "peak"
    command = [sys.executable, bounded.__file__, str(report), *arguments]
    done = subprocess.run(
        command,
        cwd=on.on.folder,
        env=clean | on.on.environ,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert report.exists(), f"it ended with {done.returncode}, without a word or at its limit"
    peak = int(report.read_text())
    report.unlink()
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode()), peak


def usual(on: Stage) -> int:
    if not _USUAL:
        done, peak = run_bounded(on, "plan", "--json")
        assert done.code == 0, done.err
        _USUAL.append(peak)
    return _USUAL[0]


def bad_plan(on: Stage, rule: Rule) -> Done:
    """Plan with that fault, under every condition and within the limits."""
    before = usual(on)
    on.on.simulator.world.add_rule(rule)
    with on.held() as held:
        done, peak = run_bounded(on, "plan", "--json")
        held.append(done)
    assert peak - before < GROWTH_KIB
    return done


@pytest.mark.parametrize(
    ("rule", "reason"), [row[1:] for row in ABOUT_ONE], ids=[row[0] for row in ABOUT_ONE]
)
def test_an_agent_that_is_too_much(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rule: Rule, reason: str
) -> None:
    with stage(tmp_path, capsys, files=FILES) as on:
        done = bad_plan(on, rule)
        assert done.code == 10
        (agent,) = done.json["agents"]
        assert (agent["agent"]["id"], agent["status"]) == ("1001", "unread")
        assert [check["id"] for check in agent["checks"]] == [reason]
        assert done.json["summary"]["unchanged"] == 1


def test_a_million_brackets_in_a_string_are_no_depth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with stage(tmp_path, capsys) as on:
        done = bad_plan(on, Rule("GET", AGENT, merge={"note": "[{" * 500_000}))
        assert (done.code, done.json["summary"]["ready"]) == (0, 1)


@pytest.mark.parametrize(
    ("rule", "code", "reason"), [row[1:] for row in FOR_ALL], ids=[row[0] for row in FOR_ALL]
)
def test_an_answer_for_all_that_is_too_much(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rule: Rule, code: int, reason: str
) -> None:
    with stage(tmp_path, capsys) as on:
        done = bad_plan(on, rule)
        assert (done.code, done.codes()) == (code, [reason])


REFUSALS = [("H52c", NO_END), ("H52d", MANY_OBJECTS), ("H52e", MANY_WORDS)]


@pytest.mark.parametrize("body", [row[1] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_refused_write_that_is_explained_at_length(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    with stage(tmp_path, capsys) as on:
        before = usual(on)
        assert on.run("plan", "-o", "p.json", writes=("p.json",)).code == 0
        on.on.simulator.world.add_rule(Rule("PATCH", WRITE, status=422, body=body))
        with on.held(writes=("audit",)) as held:
            done, peak = run_bounded(on, "apply", "p.json", "--json")
            held.append(done)
        assert peak - before < GROWTH_KIB
        assert done.code == 5
        assert [agent["outcome"] for agent in done.json["agents"]] == ["rejected"]
