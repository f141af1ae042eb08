"""An agent's state, and what the logs keep: frozen values with their JSON forms.

Times are milliseconds of the clock that the simulator was given; only differences mean something.
No header but If-Match is ever kept, and no query of the token endpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cxplan.simulator.spec import HoldingSpec


class Actor(StrEnum):
    """Who wrote."""

    API = "api"
    """A PATCH of this API."""

    FOREIGN = "foreign"
    """Another admin."""


@dataclass(frozen=True, slots=True)
class AgentState:
    """One agent at one moment, with the entity tag (quotes included) of this very state."""

    id: str
    name: str
    team_id: str
    work_mode: str | None
    skills: tuple[HoldingSpec, ...]
    etag: str = ""

    def holds(self, skill_id: str) -> HoldingSpec | None:
        """Return the agent's assignment of a skill, or None."""
        return next((held for held in self.skills if held.skill_id == skill_id), None)

    def as_json(self) -> dict[str, Any]:
        """Return what can be written, and the tag."""
        return {
            "agentId": self.id,
            "workModeId": self.work_mode,
            "skills": [
                {
                    "skillId": held.skill_id,
                    "level": held.level,
                    "concurrentInteractions": held.concurrent,
                    "maximumConcurrentInteractions": held.maximum,
                }
                for held in self.skills
            ],
            "eTag": self.etag,
        }


@dataclass(frozen=True, slots=True)
class RequestEntry:
    """One request; ``status`` is None while it is under way and where nothing was answered.

    ``body`` is the JSON value, or the text, of a PATCH or an event, and None for all others.
    """

    sequence: int
    at_ms: float
    method: str
    path: str
    query: str
    agent_id: str | None
    if_match: str | None
    body: Any = None
    status: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the entry as the log port shows it."""
        return {
            "sequence": self.sequence,
            "atMs": self.at_ms,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "agentId": self.agent_id,
            "ifMatch": self.if_match,
            "body": self.body,
            "status": self.status,
        }


@dataclass(frozen=True, slots=True)
class ChangeEntry:
    """One write to one agent; the states hold their tags. ``request`` is the PATCH that did it."""

    sequence: int
    at_ms: float
    actor: Actor
    before: AgentState
    after: AgentState
    request: int | None = None

    @property
    def agent_id(self) -> str:
        """The agent that was written to."""
        return self.after.id

    def as_json(self) -> dict[str, Any]:
        """Return the entry as the log port shows it."""
        return {
            "sequence": self.sequence,
            "atMs": self.at_ms,
            "agentId": self.agent_id,
            "actor": self.actor.value,
            "before": self.before.as_json(),
            "after": self.after.as_json(),
            "eTagBefore": self.before.etag,
            "eTagAfter": self.after.etag,
            "request": self.request,
        }


@dataclass(frozen=True, slots=True)
class EventEntry:
    """One accepted event; ``body`` is as it was sent."""

    sequence: int
    at_ms: float
    agent_id: str
    body: Any

    def as_json(self) -> dict[str, Any]:
        """Return the entry as the log port shows it."""
        return {
            "sequence": self.sequence,
            "atMs": self.at_ms,
            "agentId": self.agent_id,
            "body": self.body,
        }
