"""What the files want of one agent and what the tenant has, side by side, with the shift.

Whether a value matches is what ``core.diff`` says of it, so that this never tells another story
than a plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from cxplan.core.diff import (
    CONCURRENT,
    LEVEL,
    WORK_MODE,
    Change,
    Locate,
    Value,
    diff,
    is_off,
    terms_of,
)
from cxplan.core.explain import EXCLUSIVE, Explained, Explanation, Link, Standing
from cxplan.core.findings import Verdict
from cxplan.core.ids import SkillId
from cxplan.core.live import (
    AgentReading,
    Assignment,
    ObservedAgent,
    ScheduleReading,
    UnreadableSchedule,
)
from cxplan.core.model import (
    CatalogueMode,
    Declarations,
    DesiredAgent,
    DesiredMode,
    FollowShift,
    Off,
)
from cxplan.core.shifts import ShiftRules, follow_shift, judge_skills


@dataclass(frozen=True, slots=True)
class ShiftNow:
    """The shift that runs at an instant, else when the next begins, else why nobody knows.

    ``follows`` tells whether the files want its mode.
    """

    mode: CatalogueMode | None = None
    until: datetime | None = None
    next_start: datetime | None = None
    trouble: str | None = None
    follows: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One value of both sides.

    Attributes:
        wanted: What the files say; unmanaged for what only the tenant has.
        live: A work mode by the catalogue's name where it has one, else its id; a level; a
            concurrency. None where the agent does not hold the skill or the tenant states nothing.
        held: Whether the agent holds the skill, be it switched off.
        matches: None where there is nothing to compare: unmanaged, or nothing to follow now.
    """

    wanted: Explained
    live: Value = None
    held: bool = True
    matches: bool | None = None


@dataclass(frozen=True, slots=True)
class LiveAgent:
    """What reading one agent said; ``rows`` are empty unless it was read.

    ``shift`` is None where the tenant knows no such agent.
    """

    read_at: datetime
    reading: AgentReading
    shift: ShiftNow | None
    rows: tuple[Row, ...] = ()


def shift_now(
    declarations: Declarations, explanation: Explanation, reading: ScheduleReading
) -> ShiftNow:
    """Return the shift that runs at the instant of ``explanation``, as a plan would see it."""
    modes = {mode.id: mode for mode in declarations.modes.values()}
    rules = ShiftRules(explanation.at, declarations.guards.shifts, modes)
    follows = isinstance(explanation.agent.work_mode, FollowShift)
    followed = follow_shift(rules, reading)
    if followed.mode is not None:
        return ShiftNow(followed.mode, followed.until, follows=follows)
    if followed.finding.verdict is Verdict.BLOCK:
        return ShiftNow(trouble=followed.finding.message, follows=follows)
    off_shift = judge_skills(rules, reading)
    if isinstance(reading, UnreadableSchedule):
        return ShiftNow(trouble=off_shift.message, follows=follows)
    return ShiftNow(next_start=off_shift.until, follows=follows)


def side_by_side(
    declarations: Declarations,
    explanation: Explanation,
    observed: ObservedAgent,
    shift: ShiftNow,
    locate: Locate,
) -> tuple[Row, ...]:
    """Return work mode, skills by name and ``exclusive`` of both sides."""
    agent = explanation.agent
    if isinstance(agent.work_mode, FollowShift):
        mode = DesiredMode(shift.mode, agent.work_mode.source) if shift.mode else None
        agent = replace(agent, work_mode=mode)
    changes = diff(agent, observed, terms_of(declarations, locate))
    sides = _Sides(declarations, agent, observed, {(c.skill_id, c.part): c for c in changes})
    wanted = [*explanation.values, *sides.undeclared(explanation.values, locate)]
    return tuple(sides.row(value) for value in sorted(wanted, key=_order))


_Key = tuple[SkillId | None, str]


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both sides of one agent, and what differs."""

    declarations: Declarations
    agent: DesiredAgent
    observed: ObservedAgent
    changes: Mapping[_Key, Change]

    def row(self, wanted: Explained) -> Row:
        """Put the live value beside a wanted one."""
        key = (wanted.skill_id, wanted.part)
        if wanted.skill_id is None:
            mode = self._mode() if wanted.part == WORK_MODE else None
            compared = wanted.part == WORK_MODE and self.agent.work_mode is not None
            return Row(wanted, mode, matches=key not in self.changes if compared else None)
        held = self.observed.holds(wanted.skill_id)
        compared = wanted.value is not None and (
            key in self.changes or _compares(wanted.part, held)
        )
        matches = key not in self.changes if compared else None
        return Row(wanted, _live(held, wanted.part), held is not None, matches)

    def _mode(self) -> Value:
        modes = self.declarations.modes.values()
        live = self.observed.work_mode
        return next((mode.name for mode in modes if mode.id == live), live)

    def undeclared(self, declared: Iterable[Explained], locate: Locate) -> Iterator[Explained]:
        """Yield what no layer names: parts that are held, and what a plan would change there."""
        known = {(value.skill_id, value.part) for value in declared}
        held = {(skill.skill_id, part) for skill in self.observed.skills for part in _parts(skill)}
        names = {skill.id: skill.name for skill in self.declarations.skills.values()}
        for skill_id, part in (held | self.changes.keys()) - known:
            if skill_id is None:
                continue
            path = f"skills/{names.get(skill_id, skill_id)}/{part}"
            unmanaged = Explained(path, None, skill_id=skill_id)
            change = self.changes.get((skill_id, part))
            yield unmanaged if change is None else self._changed(unmanaged, change, locate)

    def _changed(self, unmanaged: Explained, change: Change, locate: Locate) -> Explained:
        """Exclusive files take the skill away; any other change here is a built-in default."""
        source = self.agent.exclusive
        if change.because is None or source is None:
            return replace(unmanaged, value=change.after)
        link = Link(Off.ABSENT, Standing.COUNTS, source.layer, locate(source))
        return replace(unmanaged, value=Off.ABSENT, chain=(link,))


def _compares(part: str, held: Assignment | None) -> bool:
    """Tell whether a value without a change was compared: no concurrency where the skill is off."""
    return part == LEVEL or not is_off(held)


def _parts(held: Assignment) -> tuple[str, ...]:
    return (LEVEL, CONCURRENT) if held.active else (LEVEL,)


def _live(held: Assignment | None, part: str) -> Value:
    if held is None:
        return None
    if part == LEVEL:
        return held.level
    return held.concurrent if held.active else None


_RANKS = {WORK_MODE: 0, LEVEL: 1, CONCURRENT: 1, EXCLUSIVE: 2}


def _order(value: Explained) -> tuple[int, str, str, bool]:
    """Work mode, skills by name with the level first, exclusive."""
    name = value.path.rpartition("/")[0]
    return (_RANKS[value.part], name, value.skill_id or "", value.part == CONCURRENT)
