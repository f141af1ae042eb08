"""The words on the screen, the help, and the table of exit codes in all its places."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cxplan.cli.app import LAZY, root
from cxplan.core.errors import Exit
from cxplan.settings import GLOBAL_OPTIONS, variable
from tests.cli.small import planned, small

README = Path(__file__).parents[2] / "README.md"


def help_of(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "cxplan", *arguments, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def codes_in(text: str, pattern: str) -> dict[int, str]:
    return {int(code): word for code, word in re.findall(pattern, text, re.MULTILINE)}


def test_one_table_of_exit_codes_in_code_help_and_readme() -> None:
    expected = {int(code): code.word for code in Exit}
    assert codes_in(help_of(), r"^\s+(\d+)\s+([a-z]+)\s\s") == expected
    rows = codes_in(README.read_text("utf-8"), r"^\| (\d+) \| ([a-z]+) \|")
    assert rows == expected


def test_short_helps_are_those_of_the_commands() -> None:
    import click

    context = click.Context(root)
    for name, (_, text) in LAZY.items():
        command = root.get_command(context, name)
        assert command is not None
        assert (command.help or "").split("\n")[0] == text


def test_every_global_option_stands_in_the_help_of_every_command() -> None:
    for arguments in ([], ["plan"], ["audit", "verify"], ["simulate", "serve"]):
        text = help_of(*arguments)
        for name in GLOBAL_OPTIONS:
            assert f"--{name.replace('_', '-')}" in text


def test_the_readme_names_every_command_and_variable() -> None:
    text = README.read_text("utf-8")
    for name in LAZY:
        assert f"`{name}" in text or f"cxplan {name}" in text, name
    assert variable("signing_key") in text


def test_global_options_count_before_and_after_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        moved = on.folder / "elsewhere"
        (on.folder / "desired").rename(moved)
        assert on.cxplan("--desired", "elsewhere", "validate").code == 0
        assert on.cxplan("validate", "--desired", "elsewhere").code == 0
        assert on.cxplan("--desired", "nowhere", "validate", "--desired", "elsewhere").code == 0
        assert on.cxplan("-C", "..", "validate").code == 3


def test_the_screen_of_a_plan_and_of_its_apply(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        shown = on.cxplan("plan")
        assert (
            "  ~ skills/voice/level  standard (5) → senior (3)  better  team.yaml:3\n" in shown.out
        )
        assert (
            "Plan: 3 agents to change, 0 deferred, 0 blocked, 0 unread. 0 unchanged.\n" in shown.out
        )
        assert "\x1b" not in shown.out
        assert on.cxplan("plan", "--detailed-exitcode").code == 2
        planned(on)
        done = on.cxplan("apply", "p.json")
        assert (
            "Apply complete: 3 applied, 0 already there, 0 converged, 0 conflict, 0 stale, "
            "0 rejected, 0 failed, 0 unknown; 0 deferred, 0 blocked, 0 unread, 0 not attempted.\n"
        ) in done.out
        assert re.search(
            r"^PATCH latency: median [\d,]+ ms, p95 [\d,]+ ms, longest", done.out, re.M
        )
        assert re.search(r"^Head, to be kept elsewhere: \S+ 1 sha256:[0-9a-f]{64}$", done.out, re.M)
        again = on.cxplan("plan")
        assert again.out.startswith("No changes. Live agents match the desired state.\n")
        assert on.cxplan("show", "p.json").out == shown.out.replace(
            shown.out.split("Live as of ")[1],
            on.cxplan("show", "p.json").out.split("Live as of ")[1],
        )


def test_two_plans_of_the_same_instant_are_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        first, second = (on.cxplan("plan", "--json").json for _ in range(2))
        for plan in (first, second):
            for name in ("planId", "digest", "createdAt", "evaluatedAt", "expiresAt", "liveAsOf"):
                del plan[name]
        assert first == second


@pytest.mark.parametrize("word", ["1", "true", "YES"])
def test_a_flag_by_its_variable_counts_in_success_and_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    with small(tmp_path, capsys) as on:
        on.environ["CXPLAN_JSON"] = word
        assert on.cxplan("validate").json["agents"] == 3
        assert on.cxplan("validate", "--desired", "nowhere").json["exit"]["code"] == 3


def test_quiet_in_any_spelling_leaves_stderr_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        for flags in (["-q"], ["-qv"], ["--quiet"]):
            assert on.cxplan("plan", "-o", "p.json", *flags).err == ""
