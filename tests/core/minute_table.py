"""The shift table read a second time, row by row, on a grid of minutes.

Shares no code with ``cxplan.core.shifts``. "Near the instant" of row 1 is within a day of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cxplan.core.model import Category
from cxplan.core.rules import Policy, ShiftPolicy
from tests.core.make import MODES
from tests.core.zoned import MINUTES_A_DAY, Row

CATEGORIES = {str(mode.id): mode.category for mode in MODES.values()}


class Stretch(NamedTuple):
    """Overlapping rows of one mode as one: its first minute and the one after its last."""

    start: int
    end: int


class Grid:
    """Which rows of a schedule run in which minute."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.running: dict[str, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
        for place, row in enumerate(rows):
            for minute in range(row.start, row.end):
                self.running[row.mode][minute].add(place)
        self.minutes = sorted({m for running in self.running.values() for m in running})
        self.stretches = {mode: list(self._stretches(mode)) for mode in self.running}

    def _stretches(self, mode: str) -> Iterator[Stretch]:
        """One goes on from a minute to the next while one row runs in both."""
        running = self.running[mode]
        start = None
        for minute in sorted(running):
            start = minute if start is None else start
            if not running[minute] & running.get(minute + 1, set()):
                yield Stretch(start, minute + 1)
                start = None

    def planned(self, at: int) -> list[str]:
        """The modes that run in a minute."""
        return [mode for mode, running in self.running.items() if at in running]

    def end(self, mode: str, at: int) -> int:
        """When the mode that runs in a minute stops."""
        return next(s.end for s in self.stretches[mode] if at in range(*s))

    def next_start(self, at: int) -> int | None:
        """The next minute in which anything runs."""
        place = bisect_right(self.minutes, at)
        return self.minutes[place] if place < len(self.minutes) else None

    def impossible_near(self, at: int) -> bool:
        """Whether something that cannot be lies within a day of a minute."""
        odd = [(row.end, row.start) for row in self.rows if row.end <= row.start]
        for stretches in self.stretches.values():
            odd += [s for s in stretches if s.end - s.start > MINUTES_A_DAY]
        return any(a - MINUTES_A_DAY <= at <= b + MINUTES_A_DAY for a, b in odd)

    def nearly(self, mode: str, at: int, grace: int) -> bool:
        """Whether the mode, not running, ended at most ``grace`` minutes ago or begins within."""
        return any(m in self.running[mode] for m in range(at - grace - 1, at + grace + 1))


class Said(NamedTuple):
    """A verdict: ``until`` and ``lost`` in minutes, ``mode`` what is followed."""

    check: str
    verdict: str
    until: int | None = None
    lost: int | None = None
    mode: str | None = None


@dataclass(frozen=True)
class Oracle:
    """The table, row by row. ``grid`` is None where the schedule is unreadable."""

    name: str
    grid: Grid | None
    policy: ShiftPolicy

    def mode(self, at: int, target: str) -> tuple[int, Said]:  # noqa: PLR0911 - a row each
        """The number of the row that fits, and what it says."""
        grid = self.grid
        if grid is None:
            return 5, Said("shift.unreadable", word(self.policy.unreadable))
        if broken := self.broken(grid, at):
            return broken
        planned, category = grid.planned(at), CATEGORIES[target]
        if target not in planned and grid.nearly(target, at, self.policy.grace_minutes):
            return 6, Said("shift.mode", "ok")
        if target in planned:
            return 7, Said("shift.mode", "ok")
        if planned:
            conflict = Said("shift.modeConflict", word(self.policy.mode_conflict))
            end, other = grid.end(planned[0], at), CATEGORIES.get(planned[0], category)
            if other == category:
                return 8, conflict._replace(until=end)
            return 9, conflict._replace(until=end, lost=end - at)
        if category is Category.OFFLINE:
            return 10, Said("shift.mode", "ok")
        until = grid.next_start(at)
        said = Said("shift.noActiveShift", word(self.policy.no_active_shift), until)
        return (12 if until is None else 11), said

    def broken(self, grid: Grid, at: int) -> tuple[int, Said] | None:
        if grid.impossible_near(at):
            return 1, Said("shift.dataError", "block")
        if len(grid.planned(at)) > 1:
            return 2, Said("shift.dataError", "block")
        return None

    def scheduled(self, at: int) -> tuple[int, Said]:
        """The same for the target ``scheduled``."""
        grid = self.grid
        if grid is None:
            return 4, Said("shift.scheduled", "ok")
        if broken := self.broken(grid, at):
            return broken
        for mode in grid.planned(at):
            return 3, Said("shift.scheduled", "ok", grid.end(mode, at), mode=mode)
        return 4, Said("shift.scheduled", "ok")

    def skills(self, at: int) -> Said:
        """The verdict for levels and concurrency alone: the policy off shift, nothing else."""
        off = Said("shift.skillsOffShift", word(self.policy.skills_off_shift))
        if self.grid is None:
            return off
        if self.grid.planned(at):
            return off._replace(verdict="ok")
        return off._replace(until=self.grid.next_start(at))


def word(policy: Policy) -> str:
    """What a policy makes of a finding."""
    return {"allow": "ok"}.get(policy.value, policy.value)
