"""Base, desired and live, told apart: what somebody moved, and what is only still to be done.

The base of a value is what a run last wrote or confirmed. Where the files do not name a value that
has a base, it is released: nobody's drift, reported apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Literal

from cxplan.core.diff import CONCURRENT, LEVEL, WORK_MODE, Value, is_off
from cxplan.core.errors import Exit, worst
from cxplan.core.history import LastValue, ValueKey
from cxplan.core.ids import OFF, AgentId, AgentKey, SkillId, SkillName
from cxplan.core.live import ObservedAgent
from cxplan.core.model import DesiredAgent, DesiredMode, DesiredSkill, Off
from cxplan.core.plan import Vocabulary


class Case(StrEnum):
    """How base, desired and live agree or differ."""

    IN_SYNC = "inSync"
    """Live is as desired; a run left it so, or no run ever touched it."""

    PENDING = "pending"
    """The files want another value than a run left, or no run touched it and live differs."""

    DRIFT = "drift"
    """Live has moved away from what a run left and the files still want."""

    CAUGHT_UP = "caughtUp"
    """Live has moved to what the files want, and no run did it."""

    CONFLICT = "conflict"
    """Live has moved, the files want another value, and the two differ."""

    RELEASED = "released"
    """The files do not name it any more; live still is what a run left."""

    RELEASED_MOVED = "releasedMoved"
    """The files do not name it any more; live has moved since."""


class NoBase(Enum):
    """The base of a value that no run touched; None would be a value that a tenant can have."""

    NO_BASE = "noBase"


NO_BASE: Literal[NoBase.NO_BASE] = NoBase.NO_BASE


def classify(base: Value | NoBase, desired: Value, live: Value) -> Case:
    """Return the case of a value that the files name."""
    if live == desired:
        return Case.IN_SYNC if base in {desired, NO_BASE} else Case.CAUGHT_UP
    if base in {live, NO_BASE}:
        return Case.PENDING
    return Case.DRIFT if base == desired else Case.CONFLICT


def classify_released(base: Value, live: Value) -> Case:
    """Return the case of a value with a base that the files do not name."""
    return Case.RELEASED if base == live else Case.RELEASED_MOVED


# --- one agent ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ValueDrift:
    """One value with all three sides; ``path`` is as the files name it now.

    ``base`` is None where no run touched it, ``desired`` where it is released, ``live`` where the
    tenant states no value. ``held`` tells whether the agent holds the skill at all.
    """

    key: ValueKey
    path: str
    case: Case
    base: LastValue | None
    desired: Value
    live: Value
    held: bool = True


Bases = Mapping[ValueKey, LastValue]
Names = Mapping[SkillId, SkillName]


def drift_of(
    desired: DesiredAgent, observed: ObservedAgent, bases: Bases, names: Names
) -> tuple[ValueDrift, ...]:
    """Return every value of the agent that the files name or that has a base, in order.

    The comparison is that of ``core.diff``: a skill that is not held is off, but not where it is
    to be ``disabled``; an off skill has no concurrency to compare. A work mode that follows the
    shift is compared only once the shift has made it a mode.
    """
    comparison = _Comparison(desired, observed, bases, names)
    found = [*comparison.named(), *comparison.released()]
    return tuple(sorted(found, key=lambda value: value.key.order))


@dataclass(frozen=True, slots=True)
class _Comparison:
    desired: DesiredAgent
    observed: ObservedAgent
    bases: Bases
    names: Names

    def named(self) -> Iterator[ValueDrift]:
        """What the files name, the skills that an exclusive agent must not hold among it."""
        mode = self.desired.work_mode
        if isinstance(mode, DesiredMode):
            yield self._named(ValueKey(None, WORK_MODE), mode.mode.id)
        for skill in self.desired.skills:
            yield from self._skill(skill)
        if self.desired.exclusive is not None:
            for skill_id in self._undeclared():
                yield self._named(ValueKey(skill_id, LEVEL), OFF)

    def _skill(self, skill: DesiredSkill) -> Iterator[ValueDrift]:
        level, concurrent = ValueKey(skill.id, LEVEL), ValueKey(skill.id, CONCURRENT)
        if skill.level is not None:
            strict = skill.off is Off.DISABLED
            yield self._named(level, skill.level.value, strict=strict)
        if skill.concurrent is not None and self._comparable(concurrent):
            yield self._named(concurrent, skill.concurrent.value)

    def _undeclared(self) -> set[SkillId]:
        live = {held.skill_id for held in self.observed.skills if not is_off(held)}
        written = {key.skill_id for key in self.bases if key.skill_id and key.part == LEVEL}
        return (live | written) - {skill.id for skill in self.desired.skills}

    def _named(self, key: ValueKey, desired: Value, *, strict: bool = False) -> ValueDrift:
        base = self.bases.get(key)
        live, held = self._live(key)
        seen = _seen(key, live, held=held or strict)
        case = classify(base.value if base else NO_BASE, desired, seen)
        return ValueDrift(key, self._path(key), case, base, desired, live, held)

    def released(self) -> Iterator[ValueDrift]:
        """What a line of the files once asked for and none does now."""
        for key, base in self.bases.items():
            if base.declared and self._comparable(key) and not self._decided(key):
                live, held = self._live(key)
                case = classify_released(base.value, _seen(key, live, held=held))
                yield ValueDrift(key, self._path(key, base), case, base, None, live, held)

    def _decided(self, key: ValueKey) -> bool:
        """Whether the files say what a value has to be, or that there is to be none."""
        if key.skill_id is None:
            return self.desired.work_mode is not None
        skill = next((s for s in self.desired.skills if s.id == key.skill_id), None)
        if skill is None:
            return self.desired.exclusive is not None
        if key.part == LEVEL:
            return skill.level is not None
        return skill.concurrent is not None or skill.off is not None

    def _comparable(self, key: ValueKey) -> bool:
        if key.skill_id is None or key.part == LEVEL:
            return True
        return not is_off(self.observed.holds(key.skill_id))

    def _live(self, key: ValueKey) -> tuple[Value, bool]:
        """Return the live value, and whether there is anything that could have one."""
        if key.skill_id is None:
            return self.observed.work_mode, True
        held = self.observed.holds(key.skill_id)
        if held is None:
            return None, False
        return (held.level if key.part == LEVEL else held.concurrent), True

    def _path(self, key: ValueKey, base: LastValue | None = None) -> str:
        if key.skill_id is None:
            return WORK_MODE
        name = self.names.get(key.skill_id)
        if name is None and base is not None:
            return base.path
        return f"skills/{name or key.skill_id}/{key.part}"


def _seen(key: ValueKey, live: Value, *, held: bool) -> Value:
    """Return the live value as it is compared: the level of a skill that is not held is off."""
    return OFF if key.part == LEVEL and not held else live


# --- the whole tenant -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgentDrift:
    """One agent with its values that are not in sync."""

    id: AgentId
    key: AgentKey
    team: str
    values: tuple[ValueDrift, ...]


@dataclass(frozen=True, slots=True)
class UnseenAgent:
    """A declared agent without a live state: not known to the tenant, or not to be read."""

    id: AgentId
    key: AgentKey
    team: str
    code: str
    reason: str


MOVED = (Case.DRIFT, Case.CONFLICT)
"""Somebody moved a value that the files name, and not to what they want."""


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What moved on a tenant since runs last wrote or confirmed it.

    ``counts`` is of all values compared, ``agents`` are those with one that is not in sync, by id.
    ``unfollowed`` counts the agents whose work mode follows the shift where no shift could be
    followed, ``undeclared`` those that the ledger knows and no file names any more.
    """

    tenant: str
    at: datetime
    managed: int
    counts: Mapping[Case, int]
    agents: tuple[AgentDrift, ...]
    missing: tuple[UnseenAgent, ...]
    unread: tuple[UnseenAgent, ...]
    unfollowed: int
    undeclared: int
    vocabulary: Vocabulary

    @property
    def drifted(self) -> bool:
        """Whether drift is present, in conflict with the files or not."""
        return any(self.counts.get(case) for case in MOVED)

    def of(self, *cases: Case) -> Iterator[tuple[AgentDrift, ValueDrift]]:
        """Yield the values of some cases with their agents, by agent."""
        for agent in self.agents:
            for value in agent.values:
                if value.case in cases:
                    yield agent, value

    @property
    def never_written(self) -> int:
        """How many of the pending values no run touched yet."""
        return sum(value.base is None for _, value in self.of(Case.PENDING))

    def exit(self, *, detailed: bool) -> Exit:
        """Return the exit code; ``detailed`` asks for 2 where drift is present."""
        found = []
        if self.unread:
            found.append(Exit.UNAVAILABLE)
        if detailed and self.drifted:
            found.append(Exit.CHANGES)
        return worst(found)
