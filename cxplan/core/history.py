"""Records to history: for each value, what a run last wrote to it or found it to be.

A record is what a ledger says of itself, unverified. A skill is known by its id: its name in the
files may change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from cxplan.core.diff import CONCURRENT, LEVEL, WORK_MODE, Value
from cxplan.core.ids import OFF, AgentId, SkillId
from cxplan.core.instant import parse_utc

OUTCOME = "agent.outcome"
ALREADY_THERE = "alreadyThere"
CONFIRMING = frozenset({"applied", "converged", ALREADY_THERE})
"""The outcomes after which an agent was as the plan wanted it."""


@dataclass(frozen=True, slots=True)
class ValueKey:
    """A value of an agent: ``skill_id`` is None for the work mode."""

    skill_id: SkillId | None
    part: str

    @property
    def order(self) -> tuple[str, bool]:
        """Sort by this: the work mode first, then skills by id, level before concurrency."""
        return (self.skill_id or "", self.part != LEVEL)


@dataclass(frozen=True, slots=True)
class LastValue:
    """What a run last wrote or confirmed; ``path`` is as the files named it then."""

    value: Value
    run_id: str
    at: datetime
    path: str
    confirmed: bool = False
    """Whether it stood there already, so that the run sent nothing."""
    declared: bool = True
    """Whether a line of the files asked for it; False for a built-in default."""


History = Mapping[AgentId, Mapping[ValueKey, LastValue]]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The values of one agent that one run wrote or confirmed."""

    agent_id: AgentId
    values: tuple[tuple[ValueKey, LastValue], ...]


def confirmed(record: Mapping[str, Any], run_id: str) -> Confirmed | None:
    """Return what one line of a run's journal wrote or confirmed, None where it did neither.

    Raises:
        ValueError: it lacks what such a line must have.
    """
    try:
        if record["kind"] != OUTCOME or record["outcome"] not in CONFIRMING:
            return None
        at = parse_utc(record["at"])
        there = record["outcome"] == ALREADY_THERE
        values = tuple(_value(change, run_id, at, there=there) for change in record["changes"])
        return Confirmed(AgentId(_text(record["agentId"])), values)
    except (AttributeError, KeyError, TypeError):
        raise ValueError("an outcome lacks what each must have") from None


def _value(
    change: Mapping[str, Any], run_id: str, at: datetime, *, there: bool
) -> tuple[ValueKey, LastValue]:
    path = _text(change["path"])
    key = _key(change["skillId"], path.rpartition("/")[2])
    after = change["after"]
    if not _fits(key, after):
        raise ValueError("a change names no value that an agent has")
    declared = change["because"] is not None
    return key, LastValue(after, run_id, at, _shared(path), there, declared)


def _fits(key: ValueKey, after: object) -> bool:
    if key.part == WORK_MODE:
        return key.skill_id is None and isinstance(after, str)
    return key.part in {LEVEL, CONCURRENT} and isinstance(key.skill_id, str) and type(after) is int


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


@lru_cache(maxsize=65_536)
def _key(skill_id: SkillId | None, part: str) -> ValueKey:
    """Return one object for equal keys: there are few, and every value of every agent has one."""
    return ValueKey(skill_id, part)


@lru_cache(maxsize=65_536)
def _shared(path: str) -> str:
    return path


def history_of(found: Iterable[Confirmed]) -> History:
    """Fold what runs wrote or confirmed, the oldest first, into the last of each value.

    A skill that is switched off keeps no concurrency, so the last one of before is forgotten.
    """
    history: dict[AgentId, dict[ValueKey, LastValue]] = {}
    for each in found:
        for key, last in each.values:
            values = history.setdefault(each.agent_id, {})
            values[key] = last
            if key.part == LEVEL and last.value == OFF:
                values.pop(_key(key.skill_id, CONCURRENT), None)
    return history
