"""T3, T4 and T5 of the performance targets: how near reading comes to the ideal.

T3, T4: ideal time (requests x latency / width) / real time, plain HTTP on loopback, the tenant in a
process of its own. T5: a sequential loop with one session, as tutorials write it, / our plan.

Run from the repository: python -m tests.benchmarks.bench_fetch
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import requests

from cxplan.core.ids import AgentId
from cxplan.core.live import ObservedAgent
from cxplan.core.secret import Secret
from cxplan.tenant.availability.tenant import AvailabilityTenant
from cxplan.tenant.connection import Connection
from cxplan.wiring.system import SystemClock, ThreadWorkers

SERVER = Path(__file__).with_name("serve_slow.py")
RUNS = 3
GETS_AN_AGENT = 2


@dataclass(frozen=True)
class Tenant:
    """A slow tenant that runs."""

    ready: Any

    def client(self, width: int) -> AvailabilityTenant:
        """Return our client, connected."""
        ready = self.ready
        connection = Connection(
            api_url=ready["apiUrl"],
            token_url=ready["tokenUrl"],
            client_id=ready["clientId"],
            client_secret=Secret(ready["clientSecret"]),
            read_width=width,
        )
        made = AvailabilityTenant(connection, clock=SystemClock(), jitter=Random().random)
        made.connect(write=False)
        return made

    @property
    def ids(self) -> list[AgentId]:
        """The ids of all agents."""
        return [AgentId(agent) for agent in self.ready["agents"]]


@contextmanager
def tenant(agents: int, latency_ms: int) -> Iterator[Tenant]:
    """Serve a slow tenant in another process."""
    command = [sys.executable, str(SERVER), str(agents), str(latency_ms)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Tenant(json.loads(process.stdout.readline()))
        process.stdin.close()


def fetch(on: Tenant, width: int) -> float:
    """Return the seconds that reading every agent takes."""
    client = on.client(width)
    began = time.perf_counter()
    readings = list(ThreadWorkers().map(client.agent, on.ids, width=width))
    seconds = time.perf_counter() - began
    assert all(isinstance(reading, ObservedAgent) for reading in readings)
    client.close()
    return seconds


def efficiency(agents: int, latency_ms: int, width: int) -> list[float]:
    """Return ideal / real of each run."""
    ideal = agents * GETS_AN_AGENT * latency_ms / 1000 / width
    with tenant(agents, latency_ms) as on:
        return [ideal / fetch(on, width) for _ in range(RUNS)]


def sequential(on: Tenant) -> float:
    """Return the seconds of a loop that reads one after another."""
    client, ready = requests.Session(), on.ready
    auth = (ready["clientId"], ready["clientSecret"])
    form = {"grant_type": "client_credentials"}
    token = client.post(ready["tokenUrl"], data=form, auth=auth, timeout=30).json()
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    began = time.perf_counter()
    for agent in on.ids:
        for path in (f"/api/v2/agents/{agent}", f"/api/v2/agents/{agent}/skills"):
            client.get(ready["apiUrl"] + path, headers=headers, timeout=30).json()
    return time.perf_counter() - began


def main() -> None:
    """Print a row for each target."""
    rows = [
        ("T3", "ideal / real, 1,500 agents, 80 ms, 64 wide", 0.90, efficiency(1500, 80, 64)),
        ("T4", "ideal / real, 1,500 agents, 20 ms, 16 wide", 0.85, efficiency(1500, 20, 16)),
    ]
    with tenant(1000, 20) as on:
        slow = sequential(on)
        ratios = [slow / fetch(on, 16) for _ in range(RUNS)]
    rows.append(("T5", "a sequential loop / ours, 1,000 agents, 20 ms, 16 wide", 12.0, ratios))
    for name, what, target, found in rows:
        spread = f"{min(found):.2f} to {max(found):.2f}"
        median = statistics.median(found)
        sys.stdout.write(f"{name}  {what}: {median:.2f} ({spread}), target >= {target}\n")


if __name__ == "__main__":
    main()
