"""What one run of a command costs: the CPU of it and of its children, and its peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the system counts a process' size."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: CPU in seconds, user and system; peak resident size in bytes; what it printed."""

    cpu: float
    peak: int
    exit: int
    printed: str

    @property
    def mib(self) -> float:
        return self.peak / (1 << 20)


def run(
    command: Sequence[str | Path], folder: Path, environ: Mapping[str, str] = os.environ
) -> Run:
    """Run a command in ``folder``; it may keep its bytecode, as an installed program does.

    This process must be smaller than the command: on Linux a child's peak is never less than the
    size of the process that started it.
    """
    own = {name: value for name, value in environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with (folder / "printed").open("w+b") as printed:
        process = subprocess.Popen(
            command, cwd=folder, env=own, stdout=printed, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        text = printed.read().decode("utf-8")
    cpu = used.ru_utime + used.ru_stime
    return Run(cpu, used.ru_maxrss * _UNIT, process.returncode, text)


def spread(found: Sequence[float], digits: int = 2) -> str:
    """Return the median with the least and the greatest."""
    middle = statistics.median(found)
    return f"{middle:.{digits}f} ({min(found):.{digits}f} to {max(found):.{digits}f})"
