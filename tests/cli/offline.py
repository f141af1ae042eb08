"""Run a command where there is no network: in an empty network namespace, and under a hook.

The hook is in every run: the command ends with ``TRIED`` as soon as its process looks up a name or
connects, so that an attempt counts, not only a success. The namespace is there where Linux lets
an ordinary user have one (``unshare -rn``); its loopback is down, and it holds for children too.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from shutil import which

TRIED = 99
"""The exit code of a command that tried to reach the network."""

_PROGRAM = f"""\
import os
import sys

NETWORK = ("socket.connect", "socket.get", "socket.send")


def refuse(event, arguments):
    if event.startswith(NETWORK) and event != "socket.gethostname":
        os.write(2, f"network: {{event}}\\n".encode())
        os._exit({TRIED})


sys.addaudithook(refuse)
from cxplan.cli.app import run

sys.exit(run(sys.argv[1:]))
"""


def run_offline(
    arguments: Sequence[str], cwd: Path, environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run ``cxplan`` with ``arguments`` and with ``environ`` as its whole environment."""
    command = [sys.executable, "-c", _PROGRAM, *arguments]
    return subprocess.run(
        [*namespace(), *command],
        cwd=cwd,
        env=dict(environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@cache
def namespace() -> tuple[str, ...]:
    """The words before a command that give it an empty network; none where there are none."""
    words = ("unshare", "-rn")
    if which("unshare") is None:
        return ()
    done = subprocess.run([*words, "true"], capture_output=True, check=False)
    return words if done.returncode == 0 else ()
