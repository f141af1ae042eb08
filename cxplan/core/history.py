"""Records to history: for each value, what a run last wrote to it or found it to be.

A record is what a ledger says of itself, unverified. A skill is known by its id: its name in the
files may change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
class TakenBack:
    """What a rollback did away with: the run that it took back, and the value that stood there."""

    run_id: str
    value: Value


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
    """Whether a line of the files asked for it; not so for a default, nor after a rollback."""
    taken_back: TakenBack | None = None
    """What stood there, where the run was a rollback."""
    file: str | None = None
    """The file whose line asked for it; None for a default."""


History = Mapping[AgentId, Mapping[ValueKey, LastValue]]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The values of one agent that one run wrote or confirmed."""

    agent_id: AgentId
    values: tuple[tuple[ValueKey, LastValue], ...]


def confirmed(
    record: Mapping[str, Any], run_id: str, rollback: str | None = None
) -> Confirmed | None:
    """Return what one line of a run's journal wrote or confirmed, None where it did neither.

    ``rollback`` is the run that this run took back, if it was a rollback.

    Raises:
        ValueError: it lacks what such a line must have.
    """
    try:
        if record["kind"] != OUTCOME or record["outcome"] not in CONFIRMING:
            return None
        at = parse_utc(record["at"])
        there = record["outcome"] == ALREADY_THERE
        writer = _Writer(run_id, at, rollback, there=there)
        values = tuple(map(writer.value, record["changes"]))
        return Confirmed(AgentId(_text(record["agentId"])), values)
    except (AttributeError, KeyError, TypeError):
        raise ValueError("an outcome lacks what each must have") from None


@dataclass(frozen=True, slots=True)
class _Writer:
    """The run that an outcome is of, and when the outcome came."""

    run_id: str
    at: datetime
    rollback: str | None
    there: bool = field(kw_only=True)

    def value(self, change: Mapping[str, Any]) -> tuple[ValueKey, LastValue]:
        path = _text(change["path"])
        key = key_of(change["skillId"], path.rpartition("/")[2])
        after = change["after"]
        if not fits(key, after):
            raise ValueError("a change names no value that an agent has")
        because, taken = change["because"], None
        declared = because is not None
        file = _shared(_text(because["file"])) if declared else None
        if self.rollback is not None:
            declared, taken = False, TakenBack(self.rollback, change["before"])
        path = _shared(path)
        return key, LastValue(after, self.run_id, self.at, path, self.there, declared, taken, file)


def fits(key: ValueKey, after: object) -> bool:
    """Tell whether a value is one that an agent can be given there."""
    if key.part == WORK_MODE:
        return key.skill_id is None and isinstance(after, str)
    return key.part in {LEVEL, CONCURRENT} and isinstance(key.skill_id, str) and type(after) is int


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


@lru_cache(maxsize=65_536)
def key_of(skill_id: SkillId | None, part: str) -> ValueKey:
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
                values.pop(key_of(key.skill_id, CONCURRENT), None)
    return history
