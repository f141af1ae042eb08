"""T9 and T10 of the performance targets: how long it takes to say hello.

Wall clock of a command / that of ``python -c pass``, in pairs, median of 15.

Run from the repository: python -m tests.benchmarks.bench_help
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

PAIRS = 15
COMMAND = str(Path(sys.executable).with_name("cxplan"))
ROWS = (("T9", "--help", 5.5), ("T10", "--version", 4.0))


def wall(*command: str) -> float:
    """Return the seconds that a command takes."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Print a row for each target."""
    for name, option, target in ROWS:
        wall(COMMAND, option)
        pairs = [wall(COMMAND, option) / wall(sys.executable, "-c", "pass") for _ in range(PAIRS)]
        spread = f"{min(pairs):.1f} to {max(pairs):.1f}"
        median = statistics.median(pairs)
        sys.stdout.write(
            f"{name}  cxplan {option} / python -c pass: {median:.1f} ({spread}), "
            f"target <= {target}\n"
        )


if __name__ == "__main__":
    main()
