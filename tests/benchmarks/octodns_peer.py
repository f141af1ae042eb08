"""octodns beside us: DNS as code, YAML to YAML, as many records as we have agents.

It is installed, in one pinned version, into an environment of its own in the user's cache folder,
which needs the network once. A record is the smallest that there is: an A record of one address, 3
lines and a name. Every twentieth has another TTL in the target, and nothing is written.

``-m tests.benchmarks.octodns_peer FOLDER RECORDS ZONES`` writes both sides, and ``config.yaml``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

VERSION = "1.22.0"
EVERY = 20
"""One record in so many differs."""


def installed() -> Path:
    """Return ``octodns-sync``, installed if it is not there yet."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / f"cxplan-benchmarks/octodns-{VERSION}"
    command = folder / "bin/octodns-sync"
    if not command.exists():
        venv.create(folder, clear=True, with_pip=True)
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--disable-pip-version-check", f"octodns=={VERSION}"], check=True)
    return command


def sync(folder: Path) -> list[str | Path]:
    """Return the command that plans what ``write`` wrote; without ``--doit`` it only shows."""
    return [installed(), "--quiet", "--config-file", folder / "config.yaml"]


def write(folder: Path, records: int, zones: int) -> None:
    """Write ``records`` in so many zones of one size to a new ``folder``, as wanted and as live."""
    names = [f"zone-{number:04d}.example." for number in range(zones)]
    size = records // zones
    for side, other in (("wanted", 300), ("live", 600)):
        (folder / side).mkdir(parents=True)
        for place, name in enumerate(names):
            numbers = range(place * size, (place + 1) * size)
            _lines(folder / side / f"{name}yaml", _zone(numbers, other))
    _lines(folder / "config.yaml", _config(folder, names))


def _lines(path: Path, lines: Iterator[str]) -> None:
    path.write_text("\n".join(["---", *lines, ""]), "utf-8")


def _zone(numbers: range, other: int) -> Iterator[str]:
    for number in numbers:
        yield f"agent-{number:06d}:"
        yield f"  ttl: {other if number % EVERY == 0 else 300}"
        yield "  type: A"
        yield f"  value: 10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def _config(folder: Path, names: list[str]) -> Iterator[str]:
    yield "providers:"
    for side in ("wanted", "live"):
        yield f"  {side}:"
        yield "    class: octodns.provider.yaml.YamlProvider"
        yield f"    directory: {folder / side}"
    yield "zones:"
    for name in names:
        yield f"  {name}:"
        yield "    sources: [wanted]"
        yield "    targets: [live]"


if __name__ == "__main__":
    write(Path(sys.argv[1]).absolute(), int(sys.argv[2]), int(sys.argv[3]))
