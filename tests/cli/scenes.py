"""What tests of ``plan`` are made of: overrides around now, shifts, plans as JSON, who was read."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cxplan.core.instant import utc_text
from cxplan.simulator.options import Options
from cxplan.simulator.spec import ShiftSpec, TenantSpec
from tests.cli import small as scene
from tests.cli.kit import Bench, Done, bench

KEPT = {
    "one": '{id: "agent-1", skills: {voice: senior}}',
    "two": '{id: "agent-2", skills: {voice: senior}}',
    "three": '{id: "agent-3", skills: {chat: {concurrent: 3}}}',
}
NOTHING = {key: f'{{id: "agent-{n}"}}' for n, key in enumerate(KEPT, start=1)}


def members(**lines: str | None) -> dict[str, str]:
    """The team, as ``small`` writes it but for those who are named; None leaves one out."""
    written = {key: line for key, line in (KEPT | lines).items() if line is not None}
    body = "".join(f"  {key}: {line}\n" for key, line in written.items())
    return {"team.yaml": f"team: Small\nmembers:\n{body}"}


def guards(*lines: str) -> dict[str, str]:
    text = "".join(f"  {line}\n" for line in lines) or "  {}\n"
    return {"guards.yaml": f"guards:\n{text}"}


def instant(hours: float) -> str:
    """So many hours from now."""
    return utc_text(datetime.now(UTC) + timedelta(hours=hours))


def override(
    name: str,
    begins: float,
    ends: float,
    sets: str,
    match: str = "{teams: [Small]}",
    claims: str = "reason: peak",
) -> dict[str, str]:
    """A file; begin and end in hours from now."""
    period = f'from: "{instant(begins)}"\nuntil: "{instant(ends)}"'
    text = f"override: {name}\n{period}\n{claims}\nmatch: {match}\nset: {sets}\n"
    return {f"overrides/{name}.yaml": text}


def on_shift(begins: float, hours: float, *, plans: str, live: str) -> TenantSpec:
    """The tenant of ``small``, everybody in the mode ``live`` and with one shift."""
    start = datetime.now(UTC) + timedelta(hours=begins)
    shift = ShiftSpec(start, start + timedelta(hours=hours), f"m-{plans}")
    spec = scene.spec()
    agents = (replace(a, work_mode=f"m-{live}", shifts=(shift,)) for a in spec.agents)
    return replace(spec, agents=tuple(agents))


def stage(
    folder: Path, capsys: pytest.CaptureFixture[str], spec: TenantSpec, **options: Any
) -> AbstractContextManager[Bench]:
    """A bench on a tenant; the files are still to be written."""
    return bench(folder, spec, capsys, Options(**options))


def write_base(on: Bench, files: Mapping[str, str]) -> None:
    """Write the files before a change, in the folder ``base``."""
    for name, text in files.items():
        path = on.folder / "base" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def planned(on: Bench, *arguments: str, code: int = 0) -> Any:
    """The plan as JSON."""
    done = on.cxplan("plan", *arguments, "--json")
    assert done.code == code, done.out + done.err
    return done.json


def shown(on: Bench, *arguments: str, code: int = 0) -> str:
    """The plan as text."""
    done = on.cxplan("plan", *arguments)
    assert done.code == code, done.out + done.err
    return done.out


def agents_of(plan: Any) -> dict[str, Any]:
    return {agent["agent"]["name"]: agent for agent in plan["agents"]}


def paths(plan: Any, status: str = "ready") -> set[str]:
    """``agent/path`` of every change of the agents of one status."""
    return {
        f"{agent['agent']['name']}/{change['path']}"
        for agent in plan["agents"]
        if agent["status"] == status
        for change in agent["changes"]
    }


def verdicts(plan: Any) -> dict[str, str]:
    """The worst verdict of each guard."""
    order = ("off", "pass", "warn", "deny")
    found: dict[str, str] = {}
    for guard in plan["guards"]:
        best = found.get(guard["id"], "off")
        found[guard["id"]] = max(best, guard["verdict"], key=order.index)
    return found


def read_agents(on: Bench) -> set[str]:
    """The ids of the agents that anything was asked about."""
    parts = (entry.path.split("/") for entry in on.simulator.world.requests())
    return {part[4] for part in parts if part[3:4] == ["agents"] and len(part) > 4}


def asked(on: Bench) -> int:
    """How many requests reached the tenant."""
    return len(on.simulator.world.requests())


def levels(on: Bench, skill: str) -> dict[str, int]:
    """The level of a skill of each agent, on the tenant."""
    return {
        agent.id: held.level
        for agent in on.simulator.world.agents()
        for held in agent.skills
        if held.skill_id == skill
    }


def apply_now(on: Bench, *arguments: str, code: int = 0) -> Done:
    """Plan and apply."""
    done = on.cxplan("apply", "--auto-approve", *arguments)
    assert done.code == code, done.out + done.err
    return done


def started(on: Bench) -> Any:
    """The first record of the only run."""
    return next(record for record in on.records() if record["kind"] == "run.start")
