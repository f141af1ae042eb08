"""A run taken back: each value that still is as the run left it, to what stood there before.

What stood there is the state that the run's own record of the agent holds: it was read right
before the write. A value that the run found as it wanted it already is not the run's, and stays.
A skill that the run gave an agent is one thing: where its level or its concurrency is another by
now, it is left as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cxplan.core.address import Origin
from cxplan.core.diff import (
    CONCURRENT,
    LEVEL,
    WORK_MODE,
    AgentState,
    Because,
    Change,
    Op,
    SkillState,
    Terms,
    Value,
    changed,
    diff,
    state_of,
)
from cxplan.core.history import LastValue, ValueKey, key_of
from cxplan.core.ids import OFF, AgentId, AgentKey, SkillId, SkillName, WorkModeId, WorkModeName
from cxplan.core.live import Assignment, ObservedAgent
from cxplan.core.model import (
    CatalogueMode,
    Category,
    DesiredAgent,
    DesiredMode,
    DesiredSkill,
    Layer,
    LayerKind,
    Off,
    Source,
    Wanted,
)
from cxplan.core.pastrun import Left, PastRun
from cxplan.core.released import value_of

BACK = "rollback"
"""The layer of a value that a run's records ask for, and no line of the files."""

_PLACE = Source(Layer(LayerKind.OVERRIDE, BACK, BACK), ())
_ONLY = 0
"""The place of that layer among those of an agent on its way back."""

Modes = Mapping[WorkModeId, CatalogueMode]
Last = Mapping[ValueKey, LastValue]


# --- the way back ---------------------------------------------------------------------------


class Why(StrEnum):
    """Why a value is not taken back."""

    BACK = "alreadyBack"
    """It is what stood there before the run, whoever made it so."""

    MOVED = "moved"
    """It is another one by now, and no run made it so."""

    LATER = "laterRun"
    """A later run wrote it."""

    UNKNOWN = "unknown"
    """Nobody knows whether the run wrote it."""

    UNSTATED = "unstated"
    """The tenant stated no value before the run, and none cannot be written."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A value that is not taken back; ``run`` is the later run that left it as it is now.

    ``left`` is what the run left, or wanted where nobody knows whether it wrote it.
    """

    agent: DesiredAgent
    path: str
    before: Value
    left: Value
    now: Value
    why: Why
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """A value that the files want again once it is taken back: the next apply would write it."""

    agent: DesiredAgent
    path: str
    value: Value
    because: Because


@dataclass(frozen=True, slots=True)
class Notes:
    """What a rollback has to say beside its plan."""

    kept: tuple[Kept, ...] = ()
    declared: tuple[Declared, ...] = ()


@dataclass(frozen=True, slots=True)
class Back:
    """One agent on its way back: what is wanted of it, the changes, and what stays as it is."""

    desired: DesiredAgent
    changes: tuple[Change, ...]
    kept: tuple[Kept, ...]


def stranger(agent_id: AgentId) -> DesiredAgent:
    """Return an agent that the files do not name any more: they want nothing of it."""
    return DesiredAgent(agent_id, AgentKey(agent_id), "", ())


def is_stranger(agent: DesiredAgent) -> bool:
    """Tell whether the files do not name an agent: it counts for nothing that they ask."""
    return not agent.team


def back_of(
    run: PastRun,
    agent: DesiredAgent,
    observed: ObservedAgent,
    terms: Terms,
    modes: Modes,
    last: Last,
) -> Back:
    """Return the way back of an agent that ``run`` wrote, from the state that was just read.

    Where nobody knows whether it wrote it, nothing goes back, and each value is told of.

    ``last`` is what runs last wrote to it: a value of a later run is not this run's any more.
    """
    way = _Way(run, agent, state_of(observed), terms, last)
    desired = way.desired(modes)
    changes = (
        replace(change, because=change.because and Because(run.place, 1, BACK))
        for change in diff(desired, observed, replace(terms, locate=_nowhere))
    )
    return Back(desired, tuple(changes), tuple(way.kept))


def _nowhere(source: Source) -> Origin:
    return Origin(source.layer.file, 1, 1)


@dataclass(slots=True)
class _Way:
    run: PastRun
    agent: DesiredAgent
    live: AgentState
    terms: Terms
    last: Last
    kept: list[Kept] = field(default_factory=list)

    def desired(self, modes: Modes) -> DesiredAgent:
        """Return the values of before as what is wanted."""
        left = self.run.agents[self.agent.id]
        own = [v for v in left.values if not _same(v.key, value_of(left.before, v.key), v.value)]
        if not left.sure:
            for value in own:
                self._keep(value, Why.UNKNOWN)
            own = []
        mode = self._mode([v for v in own if v.key.skill_id is None], left.before, modes)
        skills: list[DesiredSkill] = []
        for skill_id in sorted({v.key.skill_id for v in own if v.key.skill_id is not None}):
            values = {v.key.part: v for v in own if v.key.skill_id == skill_id}
            found = next((s for s in left.before.skills if s.skill_id == skill_id), None)
            skills += self._skill(skill_id, values, found)
        return replace(
            self.agent, skills=tuple(skills), work_mode=mode, exclusive=None, layers=(_PLACE.layer,)
        )

    @property
    def _found(self) -> AgentState:
        """The state that the run found."""
        return self.run.agents[self.agent.id].before

    def _mode(self, values: Iterable[Left], before: AgentState, modes: Modes) -> DesiredMode | None:
        for value in values:
            if self._stands(value) and self._stated(value, before.work_mode):
                return DesiredMode(_mode_of(before.work_mode, modes), _PLACE)
        return None

    def _skill(
        self, skill_id: SkillId, values: Mapping[str, Left], before: SkillState | None
    ) -> Iterator[DesiredSkill]:
        name = self._name(skill_id, next(iter(values.values())))
        if before is not None and before.level != OFF:
            yield self._as_held(DesiredSkill(name, skill_id), values, before)
        elif all([self._stands(value) for value in values.values()]):  # noqa: C419 - each is noted
            off = Off.ABSENT if before is None else Off.DISABLED
            yield DesiredSkill(name, skill_id, _wanted(OFF), None, off)

    def _as_held(
        self, skill: DesiredSkill, values: Mapping[str, Left], before: SkillState
    ) -> DesiredSkill:
        """Return a skill as it was held; one that the run took away, with its concurrency."""
        parts = {LEVEL: before.level, CONCURRENT: before.concurrent}
        wanted = {
            part: _wanted(parts[part])
            for part, value in values.items()
            if self._stands(value) and self._stated(value, parts[part])
        }
        if LEVEL in wanted and values[LEVEL].value == OFF:
            wanted[CONCURRENT] = _wanted(before.concurrent)
        return replace(skill, level=wanted.get(LEVEL), concurrent=wanted.get(CONCURRENT))

    def _name(self, skill_id: SkillId, left: Left) -> SkillName:
        """Return the skill's name, as the files had it then where they do not have it any more."""
        then = left.path.removeprefix("skills/").rpartition("/")[0]
        return self.terms.names.get(skill_id, SkillName(then))

    def _stands(self, left: Left) -> bool:
        """Tell whether the value still is the run's; it is noted where it is not."""
        now, later = value_of(self.live, left.key), self._later(left.key)
        if _same(left.key, now, left.value) and later is None:
            return True
        before = value_of(self._found, left.key)
        if _same(left.key, now, before):
            self._keep(left, Why.BACK, later)
        else:
            self._keep(left, Why.MOVED if later is None else Why.LATER, later)
        return False

    def _later(self, key: ValueKey) -> str | None:
        """Return the later run that wrote what stands there now."""
        last = self.last.get(key)
        if last is None or last.run_id == self.run.run_id or last.confirmed:
            return None
        return last.run_id if _same(key, value_of(self.live, key), last.value) else None

    def _stated(self, left: Left, before: Value) -> bool:
        if before is None:
            self._keep(left, Why.UNSTATED)
        return before is not None

    def _keep(self, left: Left, why: Why, run: str | None = None) -> None:
        path, skill_id = left.path, left.key.skill_id
        if skill_id is not None:
            path = f"skills/{self._name(skill_id, left)}/{left.key.part}"
        before, now = value_of(self._found, left.key), value_of(self.live, left.key)
        self.kept.append(Kept(self.agent, path, before, left.value, now, why, run))


def _same(key: ValueKey, first: Value, second: Value) -> bool:
    """Compare two values; not holding a skill and holding it at level 0 are the same."""
    if key.part == LEVEL:
        return (first or OFF) == (second or OFF)
    return first == second


def _wanted(value: int | None) -> Wanted | None:
    return None if value is None else Wanted(value, _ONLY)


def _mode_of(mode: object, modes: Modes) -> CatalogueMode:
    """Return a mode; one that the catalogue does not know keeps its id as its name."""
    text = str(mode)
    unknown = CatalogueMode(WorkModeName(text), WorkModeId(text), Category.UNAVAILABLE)
    return modes.get(WorkModeId(text), unknown)


def wanted_by(agent: DesiredAgent, changes: Iterable[Change], modes: Modes) -> DesiredAgent:
    """Return what the changes of a rollback want of an agent, as far as its checks ask."""
    found = [change.after for change in changes if change.path == WORK_MODE]
    mode = DesiredMode(_mode_of(found[0], modes), _PLACE) if found else None
    return replace(agent, skills=(), work_mode=mode, exclusive=None)


# --- what the files say of it ---------------------------------------------------------------


def declared_still(
    files: DesiredAgent, observed: ObservedAgent, changes: tuple[Change, ...], terms: Terms
) -> Iterator[Declared]:
    """Yield what the files, ``files`` at this instant, would write again after ``changes``."""
    keys = {(change.skill_id, change.part) for change in changes}
    after = changed(state_of(observed), changes)
    skills = tuple(Assignment(s.skill_id, s.level, s.concurrent) for s in after.skills)
    there = ObservedAgent(observed.id, observed.etag, after.work_mode, skills)
    for change in diff(files, there, terms):
        if change.because is not None and (change.skill_id, change.part) in keys:
            yield Declared(files, change.path, change.after, change.because)


def rolled_back(changes: tuple[Change, ...], last: Last) -> tuple[Change, ...]:
    """Return ``changes`` with those marked that write again what a rollback took away.

    So it is where a rollback wrote the value last, live still is what it left, and the value that
    it took away is wanted again. The concurrency of a skill that comes new goes with its level.
    """
    if not last:
        return changes
    found = {(c.skill_id, c.part): _taken_by(c, last) for c in changes}
    marked = (
        found.get((change.skill_id, LEVEL))
        if change.op is Op.ADD and change.part == CONCURRENT
        else found[change.skill_id, change.part]
        for change in changes
    )
    return tuple(
        replace(change, rolled_back=run) if run else change
        for change, run in zip(changes, marked, strict=True)
    )


def _taken_by(change: Change, last: Last) -> str | None:
    key = key_of(change.skill_id, change.part)
    found = last.get(key)
    if found is None or found.taken_back is None:
        return None
    left = _same(key, change.before, found.value)
    return found.run_id if left and _same(key, change.after, found.taken_back.value) else None
