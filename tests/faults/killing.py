"""The command line in a process of its own that dies, or whose disk fails, at a chosen operation.

``python -m tests.faults.killing HOW AT COUNT ARGUMENT…`` runs cxplan with the arguments. ``HOW`` is
what happens at the operation number ``AT``, counted over all threads: ``kill`` (SIGKILL before a
durable operation is begun), ``ENOSPC`` or ``EIO`` at a sync or a rename, or one of the two with
``:write`` behind it, at a write to the journal; the disk then fails for good. The number of
operations of a run that was left alone (``AT`` 0) is written to the file ``COUNT``.

strace can do the same to a single thread, but not here: its injections count each thread and each
system call for itself, and an apply has nine threads. A test holds the count against strace's.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DURABLE = ("fsync", "fdatasync", "rename", "replace")


@dataclass
class Fate:
    """What happens, and when."""

    how: str
    at: int
    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def over(self, name: str) -> None:
        """Let an operation of ``os`` count, and fail when its time has come."""
        call: Callable[..., Any] = getattr(os, name)

        def instead(*args: Any, **kwargs: Any) -> Any:
            if name == "write" and not stat.S_ISREG(os.fstat(args[0]).st_mode):
                return call(*args, **kwargs)
            with self.lock:
                self.count += 1
                if self.at and self.count >= self.at:
                    self.strike()
            return call(*args, **kwargs)

        setattr(os, name, instead)

    def strike(self) -> None:
        """Do what was chosen."""
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()
        number: int = getattr(errno, self.how.partition(":")[0])
        raise OSError(number, os.strerror(number))


def main() -> int:
    """Run the command."""
    how, at, count, *arguments = sys.argv[1:]
    fate = Fate(how, int(at))
    for name in ("write",) if how.endswith(":write") else DURABLE:
        fate.over(name)
    from cxplan.cli.app import run

    code = run(arguments)
    Path(count).write_text(str(fate.count), "ascii")
    return code


if __name__ == "__main__":
    sys.exit(main())
