"""Desired and observed agents to changes: a typed comparison of single values.

What is not named in the files never shows up here. A skill that is not held and one that is held
at level 0 are both *off*; the concurrency of an off skill is not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from cxplan.core.address import Origin
from cxplan.core.ids import OFF, SkillId, SkillName, WorkModeId
from cxplan.core.live import Assignment, ObservedAgent
from cxplan.core.model import (
    Declarations,
    DesiredAgent,
    DesiredMode,
    DesiredSkill,
    Levels,
    Off,
    Source,
    Wanted,
)

DEFAULT_CONCURRENT = 1
"""What is sent where the files state no concurrency and there is no live one to keep."""

WORK_MODE = "workMode"
LEVEL = "level"
CONCURRENT = "concurrent"

Value = int | str | None
Locate = Callable[[Source], Origin]


class Op(StrEnum):
    """What a change does to a value; removing is going to disabled or absent."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


class Direction(StrEnum):
    """Where a level moves on the tenant's scale."""

    BETTER = "better"
    WORSE = "worse"


@dataclass(frozen=True, slots=True)
class Because:
    """The line that made a value."""

    file: str
    line: int
    layer: str


@dataclass(frozen=True, slots=True)
class Change:
    """One value that differs. ``because`` is None for a built-in default.

    ``skill_id`` is None for the work mode. ``before`` is None where the tenant holds no value.
    ``scheduled`` tells of a work mode that follows the shift. ``overdue`` names the override that
    is over and whose value the tenant still holds. ``pending`` tells, beside a base, whether the
    base wants the same already; None where there is no base. ``rolled_back`` is the run that took
    this value back, where the files want it again.
    """

    path: str
    op: Op
    before: Value
    after: Value
    because: Because | None
    skill_id: SkillId | None = None
    direction: Direction | None = None
    scheduled: bool = False
    overdue: str | None = None
    pending: bool | None = None
    rolled_back: str | None = None

    @property
    def part(self) -> str:
        """The last part of the path: ``workMode``, ``level`` or ``concurrent``."""
        return self.path.rpartition("/")[2]


_Why = Callable[[Wanted], Because | None]
"""Says which line made a value of one agent."""


def is_off(held: Assignment | None) -> bool:
    """Tell whether nothing is routed by this assignment."""
    return held is None or not held.active


@dataclass(frozen=True, slots=True)
class Terms:
    """What a comparison needs besides the two sides; ``locate`` is asked only for changes."""

    levels: Levels
    names: Mapping[SkillId, SkillName]
    locate: Locate


def terms_of(declarations: Declarations, locate: Locate) -> Terms:
    """Return the terms of some files."""
    names = {skill.id: skill.name for skill in declarations.skills.values()}
    return Terms(declarations.levels, names, locate)


def diff(desired: DesiredAgent, observed: ObservedAgent, terms: Terms) -> tuple[Change, ...]:
    """Return what must change on the agent to match the files, work mode first, skills by id.

    A work mode that follows the shift is compared only once the shift has made it a mode.
    """
    changes = [*_mode_change(desired, observed, terms.locate)]
    skills = [*_skill_changes(desired, observed, terms), *_undeclared(desired, observed, terms)]
    return tuple(changes + sorted(skills, key=lambda change: str(change.skill_id)))


def _mode_change(
    desired: DesiredAgent, observed: ObservedAgent, locate: Locate
) -> Iterator[Change]:
    mode = desired.work_mode
    if isinstance(mode, DesiredMode) and mode.mode.id != observed.work_mode:
        because = _because(mode.source, locate)
        yield Change(WORK_MODE, Op.CHANGE, observed.work_mode, mode.mode.id, because)


def _skill_changes(
    desired: DesiredAgent, observed: ObservedAgent, terms: Terms
) -> Iterator[Change]:
    held = {assignment.skill_id: assignment for assignment in observed.skills}
    why = partial(_why, desired, terms.locate)
    for skill in desired.skills:
        live = held.get(skill.id)
        if live is not None and _as_wanted(skill, live):
            continue
        if skill.off is not None and skill.level is not None:
            yield from _off_changes(skill, skill.level, live, why)
        elif is_off(live):
            yield from _added(skill, live, why)
        elif live is not None:
            yield from _adjusted(skill, live, terms.levels, why)


def _as_wanted(skill: DesiredSkill, live: Assignment) -> bool:
    """Tell of the usual case, a skill that is held as declared; it is left at once."""
    level, concurrent = skill.level, skill.concurrent
    return (level is None or level.value == live.level) and (
        concurrent is None or concurrent.value == live.concurrent
    )


def _undeclared(desired: DesiredAgent, observed: ObservedAgent, terms: Terms) -> Iterator[Change]:
    """Where the files are exclusive: what is held actively and not declared has to go."""
    if desired.exclusive is None:
        return
    declared = {skill.id for skill in desired.skills}
    for live in observed.skills:
        if live.skill_id not in declared and not is_off(live):
            path = f"skills/{terms.names.get(live.skill_id, live.skill_id)}/{LEVEL}"
            because = _because(desired.exclusive, terms.locate)
            yield Change(path, Op.REMOVE, live.level, OFF, because, live.skill_id)


def _off_changes(
    skill: DesiredSkill, off: Wanted, live: Assignment | None, why: _Why
) -> Iterator[Change]:
    if live is None:
        if skill.off is Off.DISABLED:
            yield _skill_change(skill, LEVEL, Op.ADD, (None, off), why)
    elif live.active:
        yield _skill_change(skill, LEVEL, Op.REMOVE, (live.level, off), why)


def _added(skill: DesiredSkill, live: Assignment | None, why: _Why) -> Iterator[Change]:
    """A skill that is off now and wanted at a level; a concurrency alone switches nothing on."""
    if skill.level is None:
        return
    before = live.level if live else None
    yield _skill_change(skill, LEVEL, Op.ADD, (before, skill.level), why)
    concurrent = skill.concurrent or Wanted(DEFAULT_CONCURRENT)
    yield _skill_change(skill, CONCURRENT, Op.ADD, (None, concurrent), why)


def _adjusted(skill: DesiredSkill, live: Assignment, levels: Levels, why: _Why) -> Iterator[Change]:
    """A skill that is held actively and may differ in level or concurrency."""
    wanted = skill.concurrent
    if skill.level is not None and skill.level.value != live.level:
        change = _skill_change(skill, LEVEL, Op.CHANGE, (live.level, skill.level), why)
        yield _directed(change, levels)
        if wanted is None and live.concurrent is None:
            wanted = Wanted(DEFAULT_CONCURRENT)
    if wanted is not None and wanted.value != live.concurrent:
        yield _skill_change(skill, CONCURRENT, Op.CHANGE, (live.concurrent, wanted), why)


def _skill_change(
    skill: DesiredSkill, part: str, op: Op, values: tuple[Value, Wanted], why: _Why
) -> Change:
    before, wanted = values
    because = why(wanted)
    return Change(f"skills/{skill.name}/{part}", op, before, wanted.value, because, skill.id)


def _directed(change: Change, levels: Levels) -> Change:
    if not isinstance(change.before, int) or not isinstance(change.after, int):
        return change
    better = levels.better(change.before, change.after)
    direction = Direction.BETTER if better else Direction.WORSE
    return replace(change, direction=direction)


def _why(desired: DesiredAgent, locate: Locate, wanted: Wanted) -> Because | None:
    source = desired.source(wanted)
    return _because(source, locate) if source else None


def _because(source: Source, locate: Locate) -> Because:
    origin = locate(source)
    return Because(origin.file, origin.line, source.layer.kind.value)


# --- states ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SkillState:
    """One assignment as it stands or would stand."""

    skill_id: SkillId
    level: int | None
    concurrent: int | None


@dataclass(frozen=True, slots=True)
class AgentState:
    """All values of an agent, managed or not; skills by id."""

    work_mode: WorkModeId | None
    skills: tuple[SkillState, ...]

    def value(self, change: Change) -> Value:
        """Return what stands where ``change`` would write: None where nothing is held or stated.

        An off skill has no concurrency.
        """
        if change.skill_id is None:
            return self.work_mode
        found = next((s for s in self.skills if s.skill_id == change.skill_id), None)
        if found is None:
            return None
        if change.part == LEVEL:
            return found.level
        return None if found.level == OFF else found.concurrent

    @property
    def held(self) -> frozenset[SkillId]:
        """The skills that the agent holds, off or not."""
        return frozenset(skill.skill_id for skill in self.skills)

    @property
    def concurrent(self) -> int:
        """How many interactions its active skills sum up to; one that states none counts as 1."""
        active = (skill for skill in self.skills if skill.level != OFF)
        return sum(DEFAULT_CONCURRENT if s.concurrent is None else s.concurrent for s in active)

    @property
    def active_skills(self) -> int:
        """How many skills contacts are routed by."""
        return sum(skill.level != OFF for skill in self.skills)


def state_of(observed: ObservedAgent) -> AgentState:
    """Return the agent's values without its tag and limits."""
    skills = [SkillState(held.skill_id, held.level, held.concurrent) for held in observed.skills]
    return AgentState(observed.work_mode, tuple(skills))


def changed(state: AgentState, changes: Iterable[Change]) -> AgentState:
    """Return ``state`` with ``changes`` made."""
    mode = state.work_mode
    skills = {skill.skill_id: skill for skill in state.skills}
    for change in changes:
        if change.skill_id is None:
            mode = WorkModeId(str(change.after))
            continue
        found = skills.get(change.skill_id) or SkillState(change.skill_id, None, None)
        skills[change.skill_id] = _with(found, change)
    return AgentState(mode, tuple(skills[key] for key in sorted(skills)))


def _with(skill: SkillState, change: Change) -> SkillState:
    after = int(change.after) if change.after is not None else None
    if change.part == CONCURRENT:
        return SkillState(skill.skill_id, skill.level, after)
    concurrent = 0 if after == OFF else skill.concurrent
    return SkillState(skill.skill_id, after, concurrent)


def unmoved(state: AgentState, change: Change) -> bool:
    """Tell whether the value is still the one that the change was decided on.

    Not holding a skill and holding it at level 0 are the same here.
    """
    value = state.value(change)
    if change.part == LEVEL:
        return (value or OFF) == (change.before or OFF)
    return value == change.before


def reached(state: AgentState, change: Change) -> bool:
    """Tell whether the value already is what the change would make it.

    After a removal, not holding the skill is right too.
    """
    if state.value(change) == change.after:
        return True
    return change.op is Op.REMOVE and change.skill_id not in state.held
