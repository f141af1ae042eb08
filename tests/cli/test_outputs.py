"""Streams that the shell has closed, or that have no room: a run is as without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.kit import Bench
from tests.cli.small import outcomes, planned, small

Capture = pytest.CaptureFixture[str]
FULL = Path("/dev/full")
ON_LINUX = pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")


def shell(on: Bench, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which ``cxplan`` is the command."""
    command = f'cxplan() {{ "{sys.executable}" -P -m cxplan "$@"; }}; {line}'
    top = str(Path(__file__).parents[2])
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": top, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        ["sh", "-c", command],
        cwd=on.folder,
        env=environ | on.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "how", [">&-", "2>&-", ">&- 2>&- <&-", pytest.param(">/dev/full", marks=ON_LINUX)]
)
def test_a_run_is_as_without_it(tmp_path: Path, capsys: Capture, how: str) -> None:
    with small(tmp_path, capsys) as on:
        planned(on)
        done = shell(on, f"cxplan apply p.json {how}")
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert "internal" not in done.stderr
        assert ("No space left on device" in done.stderr) is ("full" in how)
        assert set(outcomes(on).values()) == {"applied"}
        sealed = json.loads((on.bundle() / "records.jsonl").read_text("ascii").splitlines()[-1])
        assert sealed["exit"] == 0
        assert shell(on, f"cxplan audit verify {how}").returncode == (3 if "full" in how else 0)


@ON_LINUX
@pytest.mark.parametrize("more", ["", "--json"])
def test_what_was_asked_for_and_has_no_room_is_an_error(
    tmp_path: Path, capsys: Capture, more: str
) -> None:
    with small(tmp_path, capsys) as on:
        done = shell(on, f"cxplan plan {more} > /dev/full")
        assert done.returncode == 3
        assert done.stderr.splitlines()[-1] == (
            "Error: the output cannot be written: No space left on device."
        )
        done = shell(on, f"cxplan apply --auto-approve {more} > /dev/full")
        assert (done.returncode, len(on.patches())) == ((0, 3) if more else (3, 0))


def test_a_plan_made_on_the_spot_is_shown_once(tmp_path: Path, capsys: Capture) -> None:
    with small(tmp_path, capsys) as on:
        assert on.cxplan("apply", "--auto-approve").code == 0
        again = on.cxplan("apply", "--auto-approve")
        assert again.code == 0
        assert again.out.count("No changes. Live agents match the desired state.") == 1
        assert on.cxplan("plan", "-o", "empty.json").code == 0
        assert "No changes." in on.cxplan("apply", "empty.json").out


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("audit", "show", "zz"), "cxplan/audit-show"),
        (("audit", "verify", "--key", "nope"), "cxplan/audit-verify"),
        (("apply", "nope.json"), "cxplan/report"),
        (("-C", "show", "apply", "nope.json"), "cxplan/report"),
        (("rollback", "zz"), "cxplan/plan"),
        (("plan", "--nope"), "cxplan/plan"),
        (("nope",), "cxplan/error"),
    ],
)
def test_a_failure_is_of_the_kind_of_its_command(
    tmp_path: Path, capsys: Capture, arguments: tuple[str, ...], kind: str
) -> None:
    with small(tmp_path, capsys) as on:
        (tmp_path / "show").mkdir()
        done = on.cxplan(*arguments, "--json")
        assert done.code != 0
        assert done.json["kind"] == kind
