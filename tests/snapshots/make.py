"""Snapshots for tests: values, files of them, and files that fit in nothing but their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from cxplan.core.canonical import signed_form
from cxplan.core.ids import AgentId, ETag, SkillId, WorkModeId
from cxplan.core.live import (
    Assignment,
    ListedSkill,
    MissingAgent,
    ObservedAgent,
    Schedule,
    Shift,
    TenantLists,
    UnreadableSchedule,
)
from cxplan.core.plan import TenantRef
from cxplan.core.snapshot import SnapshotAgent, SnapshotEntry, SnapshotHeader
from cxplan.snapshots.convert import entry_json, header_json
from cxplan.snapshots.writer import SnapshotWriter
from tests.core.make import NOW

TENANT = TenantRef("acme-demo", "availability-v2", "https://api.example", "t-1")
LISTS = TenantLists(
    {SkillId("s-1"): ListedSkill("Stimme é", 1), SkillId("s-2"): ListedSkill()},
    {WorkModeId("m-1"): "available", WorkModeId("m-2"): None},
)


def header(agents: int) -> SnapshotHeader:
    return SnapshotHeader(TENANT, NOW, agents, LISTS, "0")


def shift(start: float, hours: float, mode: str = "m-1") -> Shift:
    begin = NOW + timedelta(hours=start)
    return Shift(begin, begin + timedelta(hours=hours), WorkModeId(mode))


def agent(
    name: str,
    schedule: Schedule | UnreadableSchedule | None = None,
    *,
    etag: str | None = '"v1"',
    mode: str | None = "m-1",
    skills: Iterable[Assignment] = (),
) -> SnapshotAgent:
    observed = ObservedAgent(
        AgentId(name),
        None if etag is None else ETag(etag),
        None if mode is None else WorkModeId(mode),
        tuple(skills),
    )
    return SnapshotAgent(observed, schedule or Schedule())


VOICE = Assignment(SkillId("s-1"), 5, 1, 1)
CHAT = Assignment(SkillId("s-2"), None, None, None)

ENTRIES: tuple[SnapshotEntry, ...] = (
    agent("a-1", Schedule((shift(-4, 8), shift(20, 8, "m-2"))), skills=(VOICE, CHAT)),
    agent("a-2", UnreadableSchedule('http.shape: no "list": é \\'), etag=None, mode=None),
    MissingAgent(AgentId("a-3")),
    agent("a-4", etag='"W\\":x"', skills=(Assignment(SkillId('s "é\\'), 0, 0, 4),)),
)
"""One of each kind, with everything that JSON has to escape."""


def write(path: Path, entries: Iterable[SnapshotEntry] = ENTRIES) -> Path:
    """Write an intact snapshot of the entries, which are by id."""
    kept = tuple(entries)
    writer = SnapshotWriter()
    writer.begin(header(len(kept)))
    for entry in kept:
        writer.add(entry)
    writer.write(path)
    return path


def lines() -> list[dict[str, Any]]:
    """Header and agents of ``ENTRIES`` as JSON, to be damaged."""
    return [header_json(header(len(ENTRIES))), *map(entry_json, ENTRIES)]


def sealed(path: Path, body: Iterable[dict[str, Any] | bytes]) -> Path:
    """Write lines, given as members or as bytes, with a digest that fits them."""
    whole = b"".join(x if isinstance(x, bytes) else signed_form(x) + b"\n" for x in body)
    digest = f"sha256:{hashlib.sha256(whole).hexdigest()}"
    path.write_bytes(whole + signed_form({"digest": digest}) + b"\n")
    return path
