"""The real command in a process of its own, which can be signalled, stopped and cut off."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from signal import Signals
from typing import Any

from tests.cli.kit import Done
from tests.faults.scene import TOP, Scene

LOGIN = "import os, sys; os.login_tty(int(sys.argv[1])); os.execv(sys.executable, sys.argv[2:])"
"""Makes a terminal the process's own before it becomes the command."""


@dataclass
class Running:
    """A command in a process of its own."""

    process: subprocess.Popen[str]
    on: Scene

    def send(self, number: Signals) -> None:
        self.process.send_signal(number)

    def ended(self, seconds: float = 30) -> Done:
        out, err = self.process.communicate(timeout=seconds)
        self.on.on.seen.append(out + err)
        return Done(self.process.returncode, out, err)

    def ended_without_output(self, seconds: float = 30) -> Done:
        """The end of a process whose output went somewhere else."""
        return Done(self.process.wait(seconds), "", "")


def environment(on: Scene) -> dict[str, str]:
    """What the command needs, and nothing of what the test's own process has."""
    base = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(TOP)}
    own = {"HOME": str(on.on.folder), "PYTHONDONTWRITEBYTECODE": "1", "TERM": "dumb"}
    return base | own | on.on.environ


COMMAND = (sys.executable, "-m", "cxplan")


@contextmanager
def running(
    on: Scene, *arguments: str, command: tuple[str, ...] = COMMAND, **options: Any
) -> Iterator[Running]:
    """Start the command; it is killed where the block leaves it behind."""
    streams: Mapping[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }
    process = subprocess.Popen(
        [*command, *arguments],
        cwd=on.on.folder,
        env=environment(on),
        text=True,
        **{**streams, **options},
    )
    try:
        yield Running(process, on)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@contextmanager
def on_a_terminal(on: Scene, *arguments: str) -> Iterator[tuple[Running, int]]:
    """The same on a terminal of its own; gives also the descriptor that is its other side."""
    master, slave = pty.openpty()
    command = (sys.executable, "-c", LOGIN, str(slave), *COMMAND)
    with running(
        on, *arguments, command=command, stdout=None, stderr=None, pass_fds=(slave,)
    ) as run:
        os.close(slave)
        yield run, master


def until(ready: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something to happen."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)
