"""What a tenant answered to one write, before anybody decided what it means.

An adapter of a tenant API fills these in; ``core.steps`` decides on them. Nothing here holds a
token, a request header or an exception: bodies are decoded, texts are safe to record.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cxplan.core.ids import AgentId, ETag, SkillId, WorkModeId
from cxplan.core.live import ObservedAgent


class Failure(StrEnum):
    """Why an exchange has no usable answer."""

    NOT_SENT = "notSent"
    """Refused connection, DNS, connect timeout: nothing reached the tenant."""

    LOST = "lost"
    """Anything else on the wire: the tenant may have acted."""

    UNDECODABLE = "undecodable"
    """A 2xx whose body is cut or not what the contract promises: the tenant may have acted."""

    CERTIFICATE = "certificate"
    """The tenant's certificate was refused: nothing was sent, and nothing will be."""

    WITHDRAWN = "withdrawn"
    """When its turn came it was not wanted any more: nothing was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One exchange: a status, or a failure, or both where a 2xx cannot be decoded.

    ``state`` is the agent as the answer shows it (None where it shows nothing), ``items`` are
    per-item refusals of a 2xx, ``retry_after`` is in seconds from the answer's arrival (None where
    missing or malformed), ``headers`` are the few that records may keep, ``detail`` is a short safe
    text for people, ``latency_ms`` the wall clock of the exchange without any pacing.
    """

    status: int | None
    failure: Failure | None = None
    etag: ETag | None = None
    state: ObservedAgent | None = None
    items: tuple[str, ...] = ()
    retry_after: float | None = None
    headers: tuple[tuple[str, str], ...] = ()
    detail: str = ""
    latency_ms: int = 0

    @property
    def succeeded(self) -> bool:
        """Whether the status is of the class of success, whatever the body."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - the class


@dataclass(frozen=True, slots=True)
class SkillWrite:
    """One skill of a write: level 0 switches it off."""

    skill_id: SkillId
    level: int
    concurrent: int


@dataclass(frozen=True, slots=True)
class Write:
    """What one PATCH sets: the work mode, and the skills that change.

    ``work_mode`` is the wanted one, or the live one where the API requires it and none is wanted.
    """

    agent_id: AgentId
    work_mode: WorkModeId
    skills: tuple[SkillWrite, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class AvailabilityEvent:
    """What external WFM systems are told of one write; both states hold all assignments."""

    agent_id: AgentId
    previous: ObservedAgent
    new: ObservedAgent
