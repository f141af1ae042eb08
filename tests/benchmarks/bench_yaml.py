"""CPU of reading YAML, as ratios within one run: 10,000 agents with 8 skills each in 102 files.

Run it with ``python -m tests.benchmarks.bench_yaml``. The peer is PyYAML's CSafeLoader on the same
files; PyYAML is no dependency of the project, so where it is missing the script says so.
"""

from __future__ import annotations

import gc
import importlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cxplan.core.model import Source
from cxplan.desired.document import read_document
from cxplan.desired.faults import Faults, Sheet
from cxplan.desired.lines import read_lines
from cxplan.desired.reader import c_events
from cxplan.desired.source import FolderSource
from cxplan.desired.text import decode, examine

AGENTS, TEAMS, SKILLS = 10_000, 100, 8
NAMES = [f"skill-{number:02d}-en" for number in range(20)]


def block(skill: str, level: int, concurrent: int) -> list[str]:
    return [f"      {skill}:", f"        level: {level}", f"        concurrent: {concurrent}"]


def braces(skill: str, level: int, concurrent: int) -> list[str]:
    return [f"      {skill}: {{level: {level}, concurrent: {concurrent}}}"]


def short(skill: str, level: int, _concurrent: int) -> list[str]:
    return [f"      {skill}: {level}"]


STYLES = {"a line each": block, "in braces": braces, "levels only": short}


def write_tree(folder: Path, style: Callable[[str, int, int], list[str]]) -> None:
    draws = random.Random(7)
    (folder / "teams").mkdir(parents=True)
    (folder / "tenant.yaml").write_text(
        "apiVersion: cxplan/v1\ntenant: bench\napi: availability-v2\n"
    )
    catalogue = [f'  {name}: {{id: "{name}"}}' for name in NAMES]
    (folder / "skills.yaml").write_text("\n".join(["skills:", *catalogue, ""]))
    for team in range(TEAMS):
        lines = [f"team: Team {team:03d}", "members:"]
        for number in range(AGENTS // TEAMS):
            agent = f"{team:03d}-{number:05d}"
            lines += [f"  agent.{agent}:", f'    id: "agent-{agent}"', "    skills:"]
            for skill in draws.sample(NAMES, SKILLS):
                lines += style(skill, draws.randint(1, 20), draws.randint(1, 4))
        (folder / f"teams/{team:03d}.yaml").write_text("\n".join([*lines, ""]))


def cpu(work: Callable[[], Any], *, collector: bool = False) -> float:
    """Return the least CPU seconds of three runs, with the garbage collector off or on."""
    seconds = []
    for _ in range(3):
        gc.collect()
        if not collector:
            gc.disable()
        begin = time.process_time()
        result = work()
        seconds.append(time.process_time() - begin)
        gc.enable()
        del result
    return min(seconds)


def texts_to_data(files: list[bytes]) -> Iterator[Any]:
    """The YAML stage: bytes checked, parsed and examined."""
    for data in files:
        sheet = Sheet("x.yaml", Faults())
        text = decode(sheet, data)
        if text is not None:
            found = read_lines(text) or read_document(sheet, text, c_events)
            examine(sheet, text, found or {})
            yield found


def by_events(files: list[bytes]) -> list[Any]:
    """The same without the short way for plain lines."""
    return [read_document(Sheet("x.yaml", Faults()), data.decode(), c_events) for data in files]


def pyyaml() -> Callable[[bytes], Any] | None:
    try:
        module = importlib.import_module("yaml")
    except ImportError:
        return None
    return lambda data: module.load(data, Loader=module.CSafeLoader)


def located(source: FolderSource, sources: list[Source]) -> list[Any]:
    return [source.locate(one) for one in sources]


def measure(folder: Path) -> dict[str, float]:
    files = [path.read_bytes() for path in sorted(folder.rglob("*.yaml"))]
    source = FolderSource(folder)
    found = source.read()
    layers = [member.block for team in found.teams for member in team.members]
    changed = random.Random(7).sample(layers, AGENTS // 20)
    sources = [Source(one.layer, ("skills", next(iter(one.skills)), "level")) for one in changed]
    as_json = [json.dumps(data) for data in texts_to_data(files)]
    seconds = {
        "YAML stage": cpu(lambda: list(texts_to_data(files))),
        "YAML stage by events only": cpu(lambda: by_events(files)),
        "read() as a whole": cpu(source.read),
        "locate() of 5 % of the agents": cpu(lambda: located(source, sources)),
        "as JSON": cpu(lambda: [json.loads(one) for one in as_json]),
    }
    load = pyyaml()
    if load is not None:
        seconds["CSafeLoader"] = cpu(lambda: [load(data) for data in files], collector=True)
    return seconds


def main() -> None:
    for name, style in STYLES.items():
        with tempfile.TemporaryDirectory() as folder:
            write_tree(Path(folder) / "desired", style)
            seconds = measure(Path(folder) / "desired")
        peer = seconds.get("CSafeLoader")
        sys.stdout.write(f"{AGENTS:,} agents, {SKILLS} skills each, {name}\n")
        for what, value in seconds.items():
            ratio = f"{value / peer:6.2f}" if peer else "     -"
            sys.stdout.write(f"  {what:32}{value:7.3f} s CPU  {ratio}\n")
        if peer:
            sys.stdout.write(f"  T2 {seconds['YAML stage'] / peer:.2f} (target: at most 0.25)\n")
        else:
            sys.stdout.write("  PyYAML is not installed: no ratio. pip install pyyaml\n")


if __name__ == "__main__":
    main()
