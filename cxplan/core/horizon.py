"""Until when an agent's part of a plan holds, and which override left a value behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from cxplan.core.address import Origin
from cxplan.core.diff import CONCURRENT, LEVEL, WORK_MODE, Change, Terms, Value, diff
from cxplan.core.history import LastValue, ValueKey
from cxplan.core.ids import OFF, SCHEDULED
from cxplan.core.live import ObservedAgent, ScheduleReading, UnreadableSchedule
from cxplan.core.model import DesiredAgent, FollowShift, Override
from cxplan.core.resolve import Resolved
from cxplan.core.scope import EVERYTHING, Choice

_Values = frozenset[tuple[str, Value]]
_Settings = frozenset[tuple[ValueKey, Value]]
_MODE = ValueKey(None, WORK_MODE)


@dataclass(frozen=True, slots=True)
class Horizon:
    """The first instant at which an override makes a value another one; None for never.

    ``written`` is about values that the plan would write, ``any`` about every value of the agent.
    """

    written: datetime | None = None
    any: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ahead:
    """What the files say later on."""

    resolved: Resolved
    at: datetime
    terms: Terms

    def horizon(
        self,
        agent: DesiredAgent,
        observed: ObservedAgent,
        changes: Iterable[Change],
        choice: Choice = EVERYTHING,
    ) -> Horizon:
        """Return until when what is chosen of an agent reads the same.

        ``agent`` is the one of ``resolved.agents``; ``changes`` are those that it needs now.
        """
        boundaries = self.resolved.boundaries(agent.id, self.at)
        if not boundaries:
            return Horizon()
        now = self._values(self.resolved.agent_at(agent, self.at), observed, choice)
        writes = _plain(changes)
        written = first = None
        for boundary in boundaries:
            later = self._values(self.resolved.agent_at(agent, boundary), observed, choice)
            if first is None and later != now:
                first = boundary
            if not writes <= later:
                written = boundary
                break
        return Horizon(written, first)

    def _values(self, desired: DesiredAgent, observed: ObservedAgent, choice: Choice) -> _Values:
        """Return what would be written; a mode that follows the shift counts as one value."""
        blind = replace(self.terms, locate=lambda source: Origin(source.layer.file, 1, 1))
        values = _plain(diff(desired, observed, blind))
        if isinstance(desired.work_mode, FollowShift):
            values |= {(WORK_MODE, SCHEDULED)}
        return frozenset(value for value in values if choice.takes(value[0]))

    def overdue(
        self,
        agent: DesiredAgent,
        changes: tuple[Change, ...],
        last: Mapping[ValueKey, LastValue],
        read_schedule: Callable[[], ScheduleReading],
    ) -> tuple[Change, ...]:
        """Return ``changes`` with those marked that take back what an ended override left.

        ``last`` is what runs last wrote to the agent. The schedule is read only where an override
        that followed the shift is over.
        """
        over = self.ended(agent)
        if not over or not changes:
            return changes
        left = [(o.name, self.left(o, last) | _followed(o, last, read_schedule)) for o in over]
        return tuple(replace(change, overdue=_left_by(left, change)) for change in changes)

    def ended(self, agent: DesiredAgent) -> tuple[Override, ...]:
        """Return the overrides of an agent that are over."""
        return tuple(o for o in self.resolved.overrides.get(agent.id, ()) if o.end <= self.at)

    def left(self, override: Override, last: Mapping[ValueKey, LastValue]) -> _Settings:
        """Return the values that an ended override may have left.

        They are those that it sets, but for what a run wrote for another line since it ended.
        """
        return frozenset(
            (key, value)
            for key, value in self.settings(override)
            if not _passed_on(override, last.get(key))
        )

    def settings(self, override: Override) -> _Settings:
        """Return the values that an override sets; one that the shift decides is not among them."""
        return frozenset(self._settings(override))

    def _settings(self, override: Override) -> Iterator[tuple[ValueKey, Value]]:
        declarations, block = self.resolved.declarations, override.block
        if block.work_mode is not None and block.work_mode != SCHEDULED:
            yield _MODE, declarations.modes[block.work_mode].id
        for name, setting in block.skills.items():
            skill = declarations.skills[name].id
            level = OFF if setting.off else setting.level
            if level is not None:
                yield ValueKey(skill, LEVEL), level
            if setting.concurrent is not None:
                yield ValueKey(skill, CONCURRENT), setting.concurrent


def _left_by(left: Iterable[tuple[str, _Settings]], change: Change) -> str | None:
    found = (ValueKey(change.skill_id, change.part), change.before)
    names = [name for name, settings in left if found in settings]
    return names[-1] if names else None


def _passed_on(override: Override, last: LastValue | None) -> bool:
    """Tell whether a run wrote a value since an override ended, and not for the override."""
    if last is None or last.file == override.block.layer.file:
        return False
    return last.at >= override.end


def _followed(
    override: Override,
    last: Mapping[ValueKey, LastValue],
    read_schedule: Callable[[], ScheduleReading],
) -> _Settings:
    """Return the modes that an ended override may have left that followed the shift."""
    written = last.get(_MODE)
    if override.block.work_mode != SCHEDULED or _passed_on(override, written):
        return frozenset()
    modes: set[Value] = set()
    if written is not None and written.file == override.block.layer.file:
        modes.add(written.value)
    schedule = read_schedule()
    shifts = () if isinstance(schedule, UnreadableSchedule) else schedule.shifts
    modes |= {s.work_mode for s in shifts if s.start < override.end and s.end > override.start}
    return frozenset((_MODE, mode) for mode in modes)


def _plain(changes: Iterable[Change]) -> _Values:
    return frozenset(
        (change.path, SCHEDULED if change.scheduled else change.after) for change in changes
    )
