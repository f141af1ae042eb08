"""Schedule, target and instant to a verdict: the table of shift rules, first row that fits.

====  ==================================================  ==========================
row   schedule at the instant                             verdict
====  ==================================================  ==========================
1     a shift nearby ends before it starts, has zero      ``shift.dataError``
      length or is longer than 24 h
2     two shifts overlap, modes differ                    ``shift.dataError``
3     active shift, target is ``scheduled``               its mode is the target: ok
4     no active shift or unreadable, ``scheduled``        no target: no change
5     unreadable                                          ``shift.unreadable``
6     within grace of a boundary of a shift that is not   ok, noted
      running, target is its mode
7     active shift, same mode                             ok
8     active shift, other mode of one category            ``shift.modeConflict``
9     active shift, mode of another category              the same, with minutes lost
10    no active shift, target is offline                  ok
11    no active shift, one later                          ``shift.noActiveShift``
12    no shift at all                                     ``shift.noActiveShift``
====  ==================================================  ==========================

Shifts are half-open ``[start, end)`` and compared in UTC; durations are differences of UTC
instants. Overlapping shifts of one mode count as one, before any row is asked: together they may
be longer than 24 h. Shifts that only touch stay two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cxplan.core.findings import Finding, Verdict
from cxplan.core.ids import WorkModeId, WorkModeName
from cxplan.core.instant import utc_text
from cxplan.core.live import ScheduleReading, Shift, UnreadableSchedule
from cxplan.core.model import CatalogueMode, Category
from cxplan.core.rules import Policy, ShiftPolicy

NEARBY = timedelta(hours=24)
LONGEST = timedelta(hours=24)

_VERDICTS = {
    Policy.DEFER: Verdict.DEFER,
    Policy.BLOCK: Verdict.BLOCK,
    Policy.WARN: Verdict.WARN,
    Policy.ALLOW: Verdict.OK,
}


@dataclass(frozen=True, slots=True)
class ShiftRules:
    """What every agent of one plan is judged by."""

    at: datetime
    policy: ShiftPolicy
    modes: Mapping[WorkModeId, CatalogueMode]

    def name(self, mode: WorkModeId) -> str:
        """Return the catalogue's name of a mode, else its id."""
        found = self.modes.get(mode)
        return found.name if found else mode


def judge_mode(rules: ShiftRules, schedule: ScheduleReading, target: CatalogueMode) -> Finding:
    """Return what the shift plan says of moving an agent to ``target`` at ``rules.at``."""
    if isinstance(schedule, UnreadableSchedule):
        message = f"the schedule could not be read: {schedule.reason}"
        return _finding("shift.unreadable", rules.policy.unreadable, message)
    shifts = _merged(schedule.shifts)
    broken = _data_error(rules, schedule.shifts, shifts)
    if broken:
        return Finding("shift.dataError", Verdict.BLOCK, broken)
    if neighbour := _neighbour(rules, shifts, target.id):
        return Finding("shift.mode", Verdict.OK, f"within grace of {_span(neighbour)}")
    active = _active(rules, shifts)
    if active:
        return _against(rules, active, target)
    if target.category is Category.OFFLINE:
        return Finding("shift.mode", Verdict.OK)
    return _off_shift(rules, "shift.noActiveShift", rules.policy.no_active_shift, shifts)


@dataclass(frozen=True, slots=True)
class Followed:
    """What ``scheduled`` means at an instant: a mode or none, a finding, and until when."""

    mode: CatalogueMode | None
    finding: Finding
    until: datetime | None = None


def follow_shift(rules: ShiftRules, schedule: ScheduleReading) -> Followed:
    """Return the mode of the running shift (row 3), or none (row 4).

    A mode that the catalogue does not know is followed all the same, under its id.
    """
    if isinstance(schedule, UnreadableSchedule):
        return Followed(None, Finding("shift.scheduled", Verdict.OK, schedule.reason))
    shifts = _merged(schedule.shifts)
    broken = _data_error(rules, schedule.shifts, shifts)
    if broken:
        return Followed(None, Finding("shift.dataError", Verdict.BLOCK, broken))
    active = _active(rules, shifts)
    if active is None:
        return Followed(None, Finding("shift.scheduled", Verdict.OK, "no active shift"))
    unknown = CatalogueMode(WorkModeName(active.work_mode), active.work_mode, Category.UNAVAILABLE)
    mode = rules.modes.get(active.work_mode, unknown)
    return Followed(mode, Finding("shift.scheduled", Verdict.OK), active.end)


def next_turn(
    rules: ShiftRules, schedule: ScheduleReading, live: WorkModeId | None
) -> datetime | None:
    """Return the first start or end of a shift from which on following asks something else.

    That is of an agent whose work mode is ``live``, and later than ``rules.at``.
    """
    if isinstance(schedule, UnreadableSchedule) or _asks_nothing(schedule.shifts, live):
        return None
    edges = {edge for shift in schedule.shifts for edge in (shift.start, shift.end)}
    now = _asked(rules, schedule, live)
    later = (edge for edge in sorted(edges) if edge > rules.at)
    return next((e for e in later if _asked(replace(rules, at=e), schedule, live) != now), None)


def _asks_nothing(shifts: Iterable[Shift], live: WorkModeId | None) -> bool:
    """Tell whether following can never ask for anything: sound shifts, all of the live mode.

    So it is of most agents, whose every edge would else be judged in each plan.
    """
    end = datetime.min.replace(tzinfo=UTC)
    for shift in sorted(shifts, key=lambda s: s.start):
        lasts = shift.end - shift.start
        if shift.work_mode != live or shift.start < end or not timedelta(0) < lasts <= LONGEST:
            return False
        end = shift.end
    return True


def _asked(
    rules: ShiftRules, schedule: ScheduleReading, live: WorkModeId | None
) -> tuple[Verdict, WorkModeId | None]:
    """Return what following finds, and the mode that it would change ``live`` to."""
    followed = follow_shift(rules, schedule)
    mode = followed.mode.id if followed.mode else None
    return followed.finding.verdict, None if mode == live else mode


def _active(rules: ShiftRules, shifts: Iterable[Shift]) -> Shift | None:
    return next((shift for shift in shifts if shift.start <= rules.at < shift.end), None)


def judge_skills(rules: ShiftRules, schedule: ScheduleReading) -> Finding:
    """Return what ``skillsOffShift`` says of changing levels or concurrency at ``rules.at``.

    An unreadable schedule counts as off shift.
    """
    policy, check = rules.policy.skills_off_shift, "shift.skillsOffShift"
    if isinstance(schedule, UnreadableSchedule):
        message = f"the schedule could not be read: {schedule.reason}"
        return _finding(check, policy, message)
    if _active(rules, schedule.shifts):
        return Finding(check, Verdict.OK)
    return _off_shift(rules, check, policy, _merged(schedule.shifts))


def _finding(check: str, policy: Policy, message: str, until: datetime | None = None) -> Finding:
    return Finding(check, _VERDICTS[policy], message, until)


def _off_shift(rules: ShiftRules, check: str, policy: Policy, shifts: Iterable[Shift]) -> Finding:
    later = next((shift for shift in shifts if shift.start > rules.at), None)
    if later is None:
        return _finding(check, policy, "no shift planned")
    message = f"no active shift; the next begins {utc_text(later.start)}"
    return _finding(check, policy, message, later.start)


def _against(rules: ShiftRules, active: Shift, target: CatalogueMode) -> Finding:
    if active.work_mode == target.id:
        return Finding("shift.mode", Verdict.OK)
    planned = rules.modes.get(active.work_mode)
    message = (
        f"the shift until {utc_text(active.end)} plans {rules.name(active.work_mode)}, "
        f"the plan wants {target.name}"
    )
    if planned and planned.category is not target.category:
        lost = (active.end - rules.at) // timedelta(minutes=1)
        message += f" ({planned.category} to {target.category}: {lost} agent-minutes lost)"
    return _finding("shift.modeConflict", rules.policy.mode_conflict, message, active.end)


def _neighbour(rules: ShiftRules, shifts: Iterable[Shift], target: WorkModeId) -> Shift | None:
    grace = timedelta(minutes=rules.policy.grace_minutes)
    for shift in shifts:
        begins_soon = timedelta(0) < shift.start - rules.at <= grace
        ended_just_now = timedelta(0) <= rules.at - shift.end <= grace
        if shift.work_mode == target and (begins_soon or ended_just_now):
            return shift
    return None


def _data_error(rules: ShiftRules, shifts: Iterable[Shift], merged: Iterable[Shift]) -> str | None:
    """Return what rows 1 and 2 say of shifts as planned, and of the same merged."""
    impossible = [shift for shift in shifts if shift.end <= shift.start]
    too_long = [shift for shift in merged if shift.end - shift.start > LONGEST]
    for shift in (*impossible, *too_long):
        if _nearby(rules.at, shift):
            return f"the shift {_span(shift)} does not end within 24 h after it starts"
    active = [shift for shift in merged if shift.start <= rules.at < shift.end]
    if len(active) > 1:
        both = (f"{_span(shift)} {rules.name(shift.work_mode)}" for shift in active[:2])
        return f"two shifts overlap: {' and '.join(both)}"
    return None


def _nearby(at: datetime, shift: Shift) -> bool:
    first, last = min(shift.start, shift.end), max(shift.start, shift.end)
    return first - NEARBY <= at <= last + NEARBY


def _merged(shifts: Iterable[Shift]) -> tuple[Shift, ...]:
    """Return shifts by start, overlapping ones of one mode as one, impossible ones left out."""
    merged: list[Shift] = []
    for shift in sorted(shifts, key=lambda s: (s.start, s.end)):
        if shift.end <= shift.start:
            continue
        before = next((m for m in merged if _joins(m, shift)), None)
        if before:
            merged.remove(before)
            merged.append(Shift(before.start, max(before.end, shift.end), shift.work_mode))
        else:
            merged.append(shift)
    return tuple(sorted(merged, key=lambda s: s.start))


def _joins(earlier: Shift, later: Shift) -> bool:
    return earlier.work_mode == later.work_mode and later.start < earlier.end


def _span(shift: Shift) -> str:
    return f"{utc_text(shift.start)} to {utc_text(shift.end)}"
