"""Coverage while a run goes on: what the plan counted, corrected by what really happens.

The counts start where the plan would end, as if every agent were written. An agent that ends
otherwise corrects them, so that a weakening is not written once the cover it relied on failed.
What nobody knows counts as no cover: an agent of unknown state, shifts that cannot be read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from cxplan.core.coverage import Interval, qualifies, scheduled
from cxplan.core.diff import AgentState
from cxplan.core.findings import Finding, GuardFinding, Verdict
from cxplan.core.ids import SkillId
from cxplan.core.instant import utc_text
from cxplan.core.live import Schedule, ScheduleReading, UnreadableSchedule
from cxplan.core.model import Declarations, Levels
from cxplan.core.plan import Plan, PlannedAgent
from cxplan.core.strictness import COVERAGE

Read = Callable[[], ScheduleReading]


@dataclass(slots=True)
class _Line:
    """One coverage rule of the plan; ``after`` of its intervals is what is expected by now."""

    name: str
    skill: SkillId
    level: int | None
    minimum: int
    intervals: tuple[Interval, ...]
    levels: Levels

    def holds(self, state: AgentState) -> bool:
        found = next((s for s in state.skills if s.skill_id == self.skill), None)
        return found is not None and qualifies(self.level, self.levels, found.level)

    def short(self, schedule: ScheduleReading, now: datetime) -> Interval | None:
        """Return an interval of the agent's shifts that is lowered and would stay too thin."""
        for interval in self.intervals:
            lowered = interval.after < self.minimum and interval.after < interval.before
            if lowered and interval.end > now and _may_work(schedule, interval):
                return interval
        return None

    def shift(self, schedule: ScheduleReading, by: int) -> None:
        """Correct the counts by one agent, within its shifts alone."""
        if isinstance(schedule, Schedule):
            self.intervals = tuple(_cut(self.intervals, schedule))
        elif by > 0:
            return
        self.intervals = tuple(
            replace(each, after=each.after + by) if _may_work(schedule, each) else each
            for each in self.intervals
        )


def _may_work(schedule: ScheduleReading, interval: Interval) -> bool:
    return isinstance(schedule, UnreadableSchedule) or scheduled(schedule, interval)


def _cut(intervals: tuple[Interval, ...], schedule: Schedule) -> Iterator[Interval]:
    """Yield the intervals cut where a shift begins or ends: it may cover a part of one."""
    edges = sorted({edge for shift in schedule.shifts for edge in (shift.start, shift.end)})
    for interval in intervals:
        inside = (edge for edge in edges if interval.start < edge < interval.end)
        for start, end in pairwise((interval.start, *inside, interval.end)):
            yield replace(interval, start=start, end=end)


class CoverBook:
    """The counts of all coverage rules of a plan; used from several threads."""

    def __init__(self, plan: Plan, declarations: Declarations) -> None:
        """Start with what the plan counted."""
        self._lines = tuple(_lines(plan.guards, declarations))
        self._lock = threading.Lock()

    def short(
        self, before: AgentState, after: AgentState, read: Read, now: datetime
    ) -> Iterator[Finding]:
        """Yield what forbids this write: it would leave a skill too thin after all."""
        for line in self._lines:
            if line.holds(before) and not line.holds(after):
                schedule = read()
                with self._lock:
                    interval = line.short(schedule, now)
                if interval is not None:
                    span = f"{utc_text(interval.start)} to {utc_text(interval.end)}"
                    message = (
                        f"{line.name} would have fewer than {line.minimum} agents from {span}, "
                        "since others did not change as planned"
                    )
                    yield Finding(COVERAGE, Verdict.BLOCK, message)

    def note(self, planned: PlannedAgent, left: tuple[AgentState, ...], read: Read) -> None:
        """Correct the counts where an agent ended otherwise than planned.

        ``left`` are all states that it may be in; it counts where it does in each of them. One
        that the files do not name is in no count.
        """
        for line in self._lines:
            if planned.after is None or not planned.team:
                continue
            held = bool(left) and all(line.holds(state) for state in left)
            by = held - line.holds(planned.after)
            if by:
                schedule = read()
                with self._lock:
                    line.shift(schedule, by)


def _lines(guards: tuple[GuardFinding, ...], declarations: Declarations) -> Iterator[_Line]:
    for finding in guards:
        skill = next((s for s in declarations.skills.values() if s.name == finding.subject), None)
        if finding.id == COVERAGE and skill is not None:
            yield _Line(
                skill.name,
                skill.id,
                dict(finding.basis).get("levelAtLeast"),
                finding.limit or 0,
                finding.intervals,
                declarations.levels,
            )
