"""The demo, as somebody who has nothing but a clone runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
DESIRED = str(TOP / "desired")


def demo(folder: Path, *more: str, pipe: str = "") -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP), "HOME": str(folder)}
    command = f"{sys.executable} -m cxplan demo --desired {DESIRED} {' '.join(more)} {pipe}"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_the_whole_story(tmp_path: Path) -> None:
    done = demo(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in (
        "Plan: 12 agents to change, 1 deferred, 1 blocked, 0 unread. 26 unchanged.",
        "# 3 agents in Retention Desk: skills/billing-voice-en/level",
        "Apply complete: 11 applied",
        "1 conflict",
        "planned before trainee (12), current senior (3), desired standard (5)",
        "Verified: yes: 1 bundle",
        "audit.chain",
        "No changes now. 1 agent deferred",
    ):
        assert words in done.stdout, words
    assert "\x1b" not in done.stdout + done.stderr
    (folder,) = tmp_path.glob("cxplan-demo-*")
    assert folder.name in done.stdout.splitlines()[-1]
    assert {path.name for path in folder.iterdir()} == {
        "desired", "plan.json", "audit", "audit-tampered", "signing-key.pem", "signing-key.pub.pem",
    }  # fmt: skip


def test_it_leaves_the_files_of_the_repository_alone(tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in Path(DESIRED).rglob("*.yaml")}
    assert demo(tmp_path).returncode == 0
    assert {path: path.read_bytes() for path in Path(DESIRED).rglob("*.yaml")} == before


def test_a_reader_that_goes_away_stops_nothing(tmp_path: Path) -> None:
    done = demo(tmp_path, pipe="| head -3")
    assert "Traceback" not in done.stderr
    (folder,) = tmp_path.glob("cxplan-demo-*")
    assert list((folder / "audit").glob("000001-*")), "the apply was cut off"


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    from tests.cli.small import FILES

    for name, text in FILES.items():
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / "mine" / name).write_text(text, "utf-8")
    done = demo(tmp_path, "--desired", "mine")
    assert done.returncode == 3
    assert "[demo.files]" in done.stderr
    assert not list(tmp_path.glob("cxplan-demo-*"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert demo(tmp_path).returncode == 3
