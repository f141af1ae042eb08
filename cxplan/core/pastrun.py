"""A sealed run to what it left of each agent, and what it found there, as its records tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cxplan.core.diff import AgentState, SkillState, Value
from cxplan.core.errors import EvidenceError, UnapprovedError
from cxplan.core.evidence import RunStory
from cxplan.core.history import OUTCOME, ValueKey, fits, key_of
from cxplan.core.ids import AgentId, SkillId, WorkModeId
from cxplan.core.live import TenantIdentity

RECORDS = "records.jsonl"
WRITING = frozenset({"applied", "converged"})
"""The outcomes after which an agent's values are those that the run left."""
UNKNOWN = "unknown"
"""The outcome after which nobody knows whether they are."""


@dataclass(frozen=True, slots=True)
class Left:
    """A value that a run left; ``path`` is as the files named it then."""

    key: ValueKey
    path: str
    value: Value


@dataclass(frozen=True, slots=True)
class AgentLeft:
    """What a run left of one agent, or may have, and the state that it found."""

    values: tuple[Left, ...]
    before: AgentState
    sure: bool = True
    """Whether the run is known to have written it."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """A sealed run as it tells of itself: what it left of each agent that it wrote, or may have."""

    run_id: str
    place: str
    """Its records, as a path within the ledger."""
    origin: str
    agents: Mapping[AgentId, AgentLeft]

    def refuse_other(self, identity: TenantIdentity) -> None:
        """Refuse a tenant that is not the one that the run wrote to.

        Raises:
            UnapprovedError: another address.
        """
        if identity.origin != self.origin:
            raise UnapprovedError(
                f"The run wrote to {self.origin}, this is {identity.origin}.",
                code="rollback.tenant",
                hint="Check --api-url, or name a run of this tenant.",
            )


def past_run(story: RunStory) -> PastRun:
    """Return what a run wrote, and what it sent without learning how that ended.

    Raises:
        EvidenceError: a record lacks what it must have.
    """
    told = {*WRITING, UNKNOWN}
    records = [r for r in story.records if r["kind"] == OUTCOME and r["outcome"] in told]
    try:
        agents = {AgentId(_text(record["agentId"])): _agent_left(record) for record in records}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise EvidenceError(
            f"The records of run {story.head.run_id} lack what each must have.",
            code="audit.record",
            hint="Check the bundle with cxplan audit verify.",
        ) from None
    place = f"{story.head.folder}/{RECORDS}"
    return PastRun(story.head.run_id, place, story.origin, agents)


def _agent_left(record: Mapping[str, Any]) -> AgentLeft:
    values, before = tuple(map(_left, record["changes"])), _state(record["previousState"])
    return AgentLeft(values, before, sure=record["outcome"] in WRITING)


def _left(change: Mapping[str, Any]) -> Left:
    path = _text(change["path"])
    key = key_of(change["skillId"], path.rpartition("/")[2])
    if not fits(key, change["after"]):
        raise ValueError("not a value that an agent has")
    return Left(key, path, change["after"])


def _state(state: Mapping[str, Any]) -> AgentState:
    mode = state["workModeId"]
    skills = (
        SkillState(
            SkillId(_text(skill["skillId"])),
            _number(skill["level"]),
            _number(skill["concurrentInteractions"]),
        )
        for skill in state["skills"]
    )
    return AgentState(None if mode is None else WorkModeId(_text(mode)), tuple(skills))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _number(value: object) -> int | None:
    if value is not None and type(value) is not int:
        raise TypeError("not a whole number")
    return value
