"""Events that did not get through, as a journal keeps them until a later run delivers them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cxplan.core.answers import Answer, AvailabilityEvent
from cxplan.core.ids import AgentId, ETag, SkillId, WorkModeId
from cxplan.core.live import Assignment, ObservedAgent

INTENT = "event.intent"
OUTCOME = "event.outcome"


@dataclass(frozen=True, slots=True)
class Undelivered:
    """An event that a run could not deliver; ``run_id`` is the run that wrote the change."""

    run_id: str
    event: AvailabilityEvent


def intent_fields(event: AvailabilityEvent, of: str | None) -> dict[str, Any]:
    """Return the line before an event is sent; ``of`` is the earlier run that it belongs to."""
    return {
        "agentId": event.agent_id,
        "of": of,
        "previousState": _state(event.previous),
        "newState": _state(event.new),
    }


def outcome_fields(
    agent_id: AgentId, of: str | None, answer: Answer | None, *, delivered: bool, again: bool
) -> dict[str, Any]:
    """Return the line of how sending ended; ``again`` tells whether a later run is to try."""
    return {
        "agentId": agent_id,
        "of": of,
        "state": "delivered" if delivered else "undelivered",
        "again": again,
        "status": answer.status if answer else None,
        "failure": answer.failure.value if answer and answer.failure else None,
    }


def undelivered(runs: Iterable[tuple[str, Iterable[Mapping[str, Any]]]]) -> tuple[Undelivered, ...]:
    """Return what is still to be delivered, from the event lines of each run, the oldest first.

    Raises:
        ValueError: a line lacks what it must have.
    """
    events: dict[tuple[str, str], AvailabilityEvent] = {}
    waiting: dict[tuple[str, str], AvailabilityEvent] = {}
    for run_id, lines in runs:
        for line in lines:
            try:
                key = (line["of"] or run_id, line["agentId"])
                if line["kind"] == INTENT:
                    events[key] = _event(line)
                elif line["again"] and key in events:
                    waiting[key] = events[key]
                else:
                    waiting.pop(key, None)
            except (KeyError, TypeError, AttributeError):
                raise ValueError("an event's line lacks what each must have") from None
    return tuple(Undelivered(run_id, event) for (run_id, _), event in waiting.items())


def _state(agent: ObservedAgent) -> dict[str, Any]:
    return {
        "workModeId": agent.work_mode,
        "skills": [[held.skill_id, held.level, held.concurrent] for held in agent.skills],
        "eTag": agent.etag,
    }


def _event(line: Mapping[str, Any]) -> AvailabilityEvent:
    agent_id = AgentId(line["agentId"])
    before, after = (_agent(agent_id, line[name]) for name in ("previousState", "newState"))
    return AvailabilityEvent(agent_id, before, after)


def _agent(agent_id: AgentId, state: Mapping[str, Any]) -> ObservedAgent:
    mode, etag = state["workModeId"], state["eTag"]
    skills = tuple(
        Assignment(SkillId(skill), level, concurrent)
        for skill, level, concurrent in state["skills"]
    )
    return ObservedAgent(
        agent_id,
        None if etag is None else ETag(etag),
        None if mode is None else WorkModeId(mode),
        skills,
    )
