"""Run one cxplan command under a limit of CPU time, and write down the memory it took.

``python bounded.py REPORT ARGUMENT…``: the first argument is the file for the number of KiB.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

CPU_SECONDS = 5


def peak_kib() -> int:
    """The largest this process has been since it was started.

    Not ``ru_maxrss`` where there is ``/proc``: that begins with the size of whoever forked us.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0])


def main() -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    from cxplan.cli.app import run

    code = run(sys.argv[2:])
    Path(sys.argv[1]).write_text(str(peak_kib()))
    return code


if __name__ == "__main__":
    sys.exit(main())
