"""T8 of the performance targets: the memory of a plan.

The peak resident size of one ``cxplan plan`` process that reads 10,000 agents with 8 skills each,
64 at once, 30,000 GETs over plain HTTP on loopback; 5 % of the agents differ. The tenant is a
process of its own. Beside it octodns with as many records, which asks no network.

Run from the repository: python -m tests.benchmarks.bench_memory
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks import bench_yaml, octodns_peer
from tests.benchmarks.bench_yaml import AGENTS
from tests.benchmarks.measuring import run, spread

RUNS = 3
WIDTH = 64
TARGET_MIB = 110
COMMAND = str(Path(sys.executable).with_name("cxplan"))


def write_files(folder: Path) -> None:
    """Declare everybody, with limits that no declared concurrency passes."""
    bench_yaml.write_tree(folder / "desired", bench_yaml.STYLES["a line each"])
    skills = [f'  {name}: {{id: "{name}", maxConcurrent: 4}}' for name in bench_yaml.NAMES]
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
    planning = (COMMAND, "plan", "--concurrency", str(WIDTH), "-q", "-o", "plan.json")
    done = run(planning, folder, environ)
    assert done.exit == 0, done.printed[-2000:]
    summary = json.loads((folder / "plan.json").read_text("utf-8"))["summary"]
    assert (summary["agents"], summary["ready"]) == (AGENTS, AGENTS // 20), summary
    return done.mib


def theirs(folder: Path) -> float:
    """Return the peak size of octodns in MiB, with a record for each agent in one zone."""
    octodns_peer.write(folder, AGENTS, zones=1)
    done = run(octodns_peer.sync(folder), folder)
    assert done.exit == 0, done.printed[-2000:]
    return done.mib


def main() -> None:
    """Print the row of T8, and what stands beside it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder)
        with tenant(folder) as environ:
            found = [peak(folder, environ) for _ in range(RUNS)]
        beside = theirs(folder / "octodns")
    sys.stdout.write(
        f"T8  peak memory of a plan, {AGENTS:,} agents, {WIDTH} wide: {spread(found, 0)} MiB, "
        f"target <= {TARGET_MIB}\n"
        f"    octodns {octodns_peer.VERSION}, offline, {AGENTS:,} records: {beside:.0f} MiB\n"
    )


if __name__ == "__main__":
    main()
