"""T8 of the performance targets: the memory of a plan.

The peak resident size of one ``cxplan plan`` process that reads 10,000 agents with 8 skills each,
64 at once, 30,000 GETs over plain HTTP on loopback; 5 % of the agents differ. The tenant is a
process of its own.

Run: python tests/benchmarks/bench_memory.py
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

YAML = runpy.run_path(str(Path(__file__).with_name("bench_yaml.py")))
AGENTS = YAML["AGENTS"]
RUNS = 3
WIDTH = 64
TARGET_MIB = 110
COMMAND = str(Path(sys.executable).with_name("cxplan"))
UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the system counts a process' size."""


def write_files(folder: Path) -> None:
    """Declare everybody, with limits that no declared concurrency passes."""
    YAML["write_tree"](folder / "desired", YAML["STYLES"]["a line each"])
    skills = [f'  {name}: {{id: "{name}", maxConcurrent: 4}}' for name in YAML["NAMES"]]
    (folder / "desired/skills.yaml").write_text("\n".join(["skills:", *skills, ""]))
    (folder / "desired/modes.yaml").write_text(
        'workModes:\n  available: {id: "m-1", category: available}\n'
    )


@contextmanager
def tenant(folder: Path) -> Iterator[dict[str, str]]:
    """Serve what the files declare, 5 % of it changed; yields the environment to reach it."""
    serving = (COMMAND, "-C", str(folder), "simulate", "serve", "--from", "desired")
    with subprocess.Popen([*serving, "--drift", "5%"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        ready: dict[str, Any] = json.loads(process.stdout.readline())
        try:
            yield os.environ | {
                "CXONE_CLIENT_ID": ready["clientId"],
                "CXONE_CLIENT_SECRET": ready["clientSecret"],
                "CXPLAN_API_URL": ready["apiUrl"],
                "CXPLAN_TOKEN_URL": ready["tokenUrl"],
            }
        finally:
            process.send_signal(signal.SIGTERM)


def peak(folder: Path, environ: dict[str, str]) -> float:
    """Return the peak size of one plan in MiB; its tenant does not count."""
    planning = (COMMAND, "-C", str(folder), "plan", "--concurrency", str(WIDTH), "-q")
    process = subprocess.Popen(
        [*planning, "-o", "plan.json"], env=environ, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, process.returncode
    summary = json.loads((folder / "plan.json").read_text("utf-8"))["summary"]
    assert (summary["agents"], summary["ready"]) == (AGENTS, AGENTS // 20), summary
    return used.ru_maxrss * UNIT / (1 << 20)


def main() -> None:
    """Print the row of T8."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder)
        with tenant(folder) as environ:
            found = [peak(folder, environ) for _ in range(RUNS)]
    median = statistics.median(found)
    spread = f"{min(found):.0f} to {max(found):.0f}"
    sys.stdout.write(
        f"T8  peak memory of a plan, {AGENTS:,} agents, {WIDTH} wide: {median:.0f} MiB "
        f"({spread}), target <= {TARGET_MIB}\n"
    )


if __name__ == "__main__":
    main()
