"""T1, T7 and T14 of the performance targets: a plan without a network, beside octodns.

``cxplan plan --snapshot`` of 10,000 and of 50,000 agents with 8 skills, 5 % of which differ,
against ``octodns-sync`` of as many records from YAML to YAML, 5 % of which differ. Each run is a
process of its own, in turn, and its start counts: CPU is user and system, of the interpreter and
the imports too. Where a row says *net*, a run with 100 is taken off.

Run from the repository: python -m tests.benchmarks.bench_offline [ROUNDS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.benchmarks import octodns_peer, offline_files
from tests.benchmarks.measuring import Run, run, spread

SIZES = TINY, FEW, MANY = 100, 10_000, 50_000
ROUNDS = 5
ZONE = 100
"""Records in a zone, where octodns has many: it holds one at a time."""
ROOT = Path(__file__).parents[2]
CXPLAN = Path(sys.executable).with_name("cxplan")
PLAN: list[str | Path] = [CXPLAN, "plan", "--snapshot", "live.snapshot", "--detailed-exitcode"]
CHANGES = 2
"""The exit code of a plan by which something would change, nothing denied or blocked."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody who plans; ``prepare`` writes what a run of some size needs, ``plan`` runs it."""

    name: str
    prepare: Callable[[Path, int], None]
    plan: Callable[[Path, int], Run]
    runs: dict[int, list[Run]] = field(default_factory=dict)

    def cpu(self, size: int) -> list[float]:
        return [one.cpu for one in self.runs[size]]

    def peak(self, size: int) -> float:
        return statistics.median(one.mib for one in self.runs[size])

    def net(self) -> list[float]:
        """Return the CPU of each pair of runs with few, without that of its start."""
        return [a - b for a, b in zip(self.cpu(FEW), self.cpu(TINY), strict=True)]

    def slope(self) -> float:
        """Return the memory of one more agent or record, in KiB."""
        return (self.peak(MANY) - self.peak(FEW)) * 1024 / (MANY - FEW)


def _script(name: str, *arguments: object) -> None:
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, check=True)


def _our_files(folder: Path, size: int) -> None:
    _script("offline_files", folder, size)


def _our_plan(folder: Path, size: int) -> Run:
    done = run(PLAN, folder)
    found = f"Plan: {size // offline_files.EVERY:,} agents to change, 0 deferred, 0 blocked"
    assert done.exit == CHANGES, done.printed[-2000:]
    assert found in done.printed, done.printed[-2000:]
    return done


def _zones(size: int) -> Callable[[Path, int], None]:
    def write(folder: Path, records: int) -> None:
        _script("octodns_peer", folder, records, max(1, records // size))

    return write


def _their_plan(folder: Path, size: int) -> Run:
    done = run(octodns_peer.sync(folder), folder)
    found = done.printed.count("\n*   Update\n")
    assert (done.exit, found) == (0, size // octodns_peer.EVERY), done.printed[-2000:]
    return done


def measure(contenders: list[Contender], rounds: int) -> None:
    """Run everybody in turn at every size, after a run each that does not count."""
    with tempfile.TemporaryDirectory() as name:
        for one in contenders:
            for size in SIZES:
                one.prepare(_folder(name, one, size), size)
            one.plan(_folder(name, one, TINY), TINY)
        for turn in range(rounds):
            for size in SIZES:
                for one in contenders[:: 1 if turn % 2 else -1]:
                    done = one.plan(_folder(name, one, size), size)
                    one.runs.setdefault(size, []).append(replace(done, printed=""))


def _folder(name: str, one: Contender, size: int) -> Path:
    return Path(name) / one.name.replace(" ", "-") / str(size)


def _ratios(over: list[float], under: list[float]) -> str:
    return spread([a / b for a, b in zip(over, under, strict=True)])


def report(ours: Contender, peers: list[Contender]) -> list[str]:
    """Return a line for each figure."""
    lines = ["T1   CPU per agent / CPU per record, 10,000 each, target <= 0.30 (against one zone)"]
    for peer in peers:
        lines.append(f"       {peer.name}: {_ratios(ours.cpu(FEW), peer.cpu(FEW))}")
        lines.append(f"       {peer.name}, net: {_ratios(ours.net(), peer.net())}")
    lines.append("T7   memory of one more agent or record from 10,000 to 50,000, target <= 4 KiB")
    lines += [f"       {one.name}: {one.slope():.1f} KiB" for one in (ours, *peers)]
    lines.append("T14  CPU of 50,000 / CPU of 10,000, target <= 5.5")
    lines += [
        f"       {one.name}: {_ratios(one.cpu(MANY), one.cpu(FEW))}" for one in (ours, *peers)
    ]
    lines.append("     each run: CPU and peak memory")
    for one in (ours, *peers):
        for size in SIZES:
            cpu = spread(one.cpu(size))
            lines.append(f"       {one.name}, {size:,}: {cpu} s, {one.peak(size):.0f} MiB")
    return lines


def main() -> None:
    """Print the rows."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    ours = Contender("cxplan", _our_files, _our_plan)
    version = f"octodns {octodns_peer.VERSION}"
    peers = [
        Contender(f"{version}, one zone", _zones(MANY), _their_plan),
        Contender(f"{version}, zones of {ZONE}", _zones(ZONE), _their_plan),
    ]
    octodns_peer.installed()
    measure([ours, *peers], rounds)
    sys.stdout.write("\n".join([*report(ours, peers), ""]))


if __name__ == "__main__":
    main()
