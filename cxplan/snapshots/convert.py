"""Between the values of a snapshot and the JSON of its lines, both ways and exactly."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from operator import ge
from typing import Any

from cxplan.core.ids import AgentId, ETag, SkillId, WorkModeId
from cxplan.core.instant import parse_utc, utc_text
from cxplan.core.live import (
    Assignment,
    ListedSkill,
    MissingAgent,
    ObservedAgent,
    Schedule,
    ScheduleReading,
    Shift,
    TenantLists,
    UnreadableSchedule,
)
from cxplan.core.plan import TenantRef
from cxplan.core.snapshot import SnapshotAgent, SnapshotEntry, SnapshotHeader
from cxplan.snapshots.schema import (
    FORMAT_VERSION,
    KIND,
    AgentPart,
    HeaderPart,
    ListsPart,
    MalformedSnapshot,
    MissingPart,
    UnreadablePart,
)

_SHARED = 8192
"""So many assignments and shifts are kept to be handed out again: most agents hold the same."""


# --- values to JSON -------------------------------------------------------------------------


def header_json(header: SnapshotHeader) -> dict[str, Any]:
    """Return the first line's members."""
    tenant, lists = header.tenant, header.lists
    return {
        "kind": KIND,
        "formatVersion": FORMAT_VERSION,
        "tool": {"name": "cxplan", "version": header.tool_version},
        "tenant": {
            "name": tenant.name,
            "api": tenant.api,
            "origin": tenant.origin,
            "tenantId": tenant.tenant_id,
        },
        "takenAt": utc_text(header.taken_at),
        "agents": header.agents,
        "lists": {
            "skills": None
            if lists.skills is None
            else [[id_, skill.name, skill.maximum] for id_, skill in sorted(lists.skills.items())],
            "workModes": None
            if lists.modes is None
            else [[id_, name] for id_, name in sorted(lists.modes.items())],
        },
    }


def entry_json(entry: SnapshotEntry) -> dict[str, Any]:
    """Return the members of one agent's line."""
    match entry:
        case MissingAgent():
            return {"id": entry.id, "missing": True}
        case SnapshotAgent(observed=observed, schedule=schedule):
            return {
                "id": observed.id,
                "etag": observed.etag,
                "workModeId": observed.work_mode,
                "skills": [
                    [held.skill_id, held.level, held.concurrent, held.maximum]
                    for held in observed.skills
                ],
                "schedule": _schedule_json(schedule),
            }


def _schedule_json(schedule: ScheduleReading) -> Any:
    match schedule:
        case UnreadableSchedule():
            return {"unreadable": schedule.reason}
        case Schedule():
            return [
                [_instant_text(shift.start), _instant_text(shift.end), shift.work_mode]
                for shift in schedule.shifts
            ]


def _instant_text(instant: datetime) -> str:
    """Return an instant to the microsecond, as a shift may begin at one."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


# --- JSON to values -------------------------------------------------------------------------


def header_of(part: HeaderPart) -> SnapshotHeader:
    """Return the header that the first line describes.

    Raises:
        MalformedSnapshot: the instant is none, or a list is not in order.
    """
    tenant = part.tenant
    return SnapshotHeader(
        TenantRef(tenant.name, tenant.api, tenant.origin, tenant.tenant_id),
        _instant(part.taken_at),
        part.agents,
        _lists(part.lists),
        part.tool.version,
    )


def _lists(part: ListsPart) -> TenantLists:
    skills, modes = part.skills, part.work_modes
    if skills is not None:
        _refuse_unordered("lists/skills", [id_ for id_, _, _ in skills])
    if modes is not None:
        _refuse_unordered("lists/workModes", [id_ for id_, _ in modes])
    return TenantLists(
        None
        if skills is None
        else {SkillId(id_): ListedSkill(name, maximum) for id_, name, maximum in skills},
        None if modes is None else {WorkModeId(id_): name for id_, name in modes},
    )


def entry_of(part: AgentPart | MissingPart) -> SnapshotEntry:
    """Return the agent that a line describes.

    Raises:
        MalformedSnapshot: an instant is none, or the skills are not in order.
    """
    agent_id = AgentId(part.id)
    if isinstance(part, MissingPart):
        return MissingAgent(agent_id)
    _refuse_unordered("skills", [skill[0] for skill in part.skills])
    skills = tuple([_assignment(*skill) for skill in part.skills])
    etag = None if part.etag is None else ETag(part.etag)
    mode = None if part.work_mode_id is None else WorkModeId(part.work_mode_id)
    observed = ObservedAgent(agent_id, etag, mode, skills)
    return SnapshotAgent(observed, _schedule(part.schedule))


def _schedule(part: Iterable[tuple[str, str, str]] | UnreadablePart) -> ScheduleReading:
    if isinstance(part, UnreadablePart):
        return UnreadableSchedule(part.unreadable)
    return Schedule(tuple([_shift(*shift) for shift in part]))


@lru_cache(_SHARED)
def _assignment(
    skill_id: str, level: int | None, concurrent: int | None, maximum: int | None
) -> Assignment:
    return Assignment(SkillId(skill_id), level, concurrent, maximum)


@lru_cache(_SHARED)
def _shift(start: str, end: str, mode: str) -> Shift:
    return Shift(_instant(start), _instant(end), WorkModeId(mode))


def _instant(text: str) -> datetime:
    try:
        return parse_utc(text)
    except ValueError:
        raise MalformedSnapshot("holds an instant that is none") from None


def _refuse_unordered(what: str, ids: list[str]) -> None:
    """Each id stands once, and they ascend: a comparison of skills relies on it."""
    if any(map(ge, ids, ids[1:])):
        raise MalformedSnapshot(f"has {what} that are not in order of their ids")
