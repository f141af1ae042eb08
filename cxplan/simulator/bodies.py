"""Bodies that the tenant answers with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cxplan.simulator.records import AgentState
from cxplan.simulator.spec import (
    AgentSpec,
    HoldingSpec,
    ModeSpec,
    ScheduleKind,
    ShiftSpec,
    SkillSpec,
)


def agent_body(agent: AgentState, modes: Mapping[str, ModeSpec]) -> dict[str, Any]:
    """Return an agent's profile."""
    mode = agent.work_mode
    named = None if mode is None else {"id": mode, "name": modes[mode].name}
    return {"id": agent.id, "name": agent.name, "teamId": agent.team_id, "currentWorkMode": named}


def holding_body(held: HoldingSpec, skills: Mapping[str, SkillSpec]) -> dict[str, Any]:
    """Return a skill assignment; what is None is left out."""
    values = {
        "skillId": held.skill_id,
        "name": skills[held.skill_id].name,
        "level": held.level,
        "concurrentInteractions": held.concurrent,
        "maximumConcurrentInteractions": held.maximum,
    }
    return {name: value for name, value in values.items() if value is not None}


def skill_body(skill: SkillSpec) -> dict[str, Any]:
    """Return an entry of the skill catalogue."""
    return {
        "skillId": skill.id,
        "name": skill.name,
        "maximumConcurrentInteractions": skill.maximum,
    }


def mode_body(mode: ModeSpec) -> dict[str, Any]:
    """Return an entry of the list of work modes."""
    return {"id": mode.id, "name": mode.name}


def schedule_body(agent: AgentSpec) -> dict[str, Any]:
    """Return an agent's shifts."""
    listed = agent.schedule is ScheduleKind.LISTED
    return {
        "agentId": agent.id,
        "shifts": [_shift_body(shift) for shift in agent.shifts] if listed else None,
    }


def _shift_body(shift: ShiftSpec) -> dict[str, Any]:
    return {
        "startTime": _rfc3339(shift.start),
        "endTime": _rfc3339(shift.end),
        "workModeId": shift.work_mode,
    }


def _rfc3339(instant: datetime) -> str:
    text = instant.isoformat()
    return text.removesuffix("+00:00") + "Z" if instant.tzinfo is UTC else text


def update_body(agent: AgentState, skills: Mapping[str, SkillSpec]) -> dict[str, Any]:
    """Return the state after a PATCH, with all assignments."""
    return {
        "agentId": agent.id,
        "workModeId": agent.work_mode,
        "skillLevels": [holding_body(held, skills) for held in agent.skills],
    }


def page_body(entities: Sequence[Any], next_page: str | None) -> dict[str, Any]:
    """Return one page of a list."""
    return {"entities": list(entities), "nextPageUri": next_page}
