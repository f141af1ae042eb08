"""A simulated tenant in a process of its own, whose every answer takes a while.

Used by ``bench_fetch.py``: ``serve_slow.py AGENTS LATENCY_MS`` prints the ready line and serves
until its standard input closes.
"""

from __future__ import annotations

import json
import sys

from cxplan.simulator.options import Options
from cxplan.simulator.runner import Simulator
from cxplan.simulator.seed import random_spec
from cxplan.wiring.system import SystemClock


def main() -> None:
    """Serve until nobody listens."""
    agents, latency = (int(word) for word in sys.argv[1:])
    clock = SystemClock()
    spec = random_spec(agents, 1, clock.now())
    options = Options(latency_ms=latency, skills_page=100)
    with Simulator.start(spec, options, clock) as simulator:
        sys.stdout.write(json.dumps(simulator.ready_line()) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
