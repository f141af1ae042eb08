"""``python -m cxplan`` and the console script: nothing in the working folder is ever imported."""

from __future__ import annotations

import gc
import os
import sys

_HERE = {"", os.getcwd()}  # noqa: PTH109 - pathlib is imported only after the path is clean
sys.path[:] = [entry for entry in sys.path if entry not in _HERE]

from cxplan.cli.app import run  # noqa: E402 - the path is cleaned first, so that nothing shadows it


def _open_streams() -> None:
    """Put nothing behind a stream that the shell has closed, so that no file takes its place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))


def main() -> None:
    """Run the command line and leave with its exit code."""
    _open_streams()
    gc.set_threshold(20_000, 50, 1_000)  # most of what a command makes lives until it ends
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
