"""What time alone changed, and what a run deferred: all that a timer may write.

The rule. An agent's *base* is the instant at which it was last found, or made, as the files want
it. A change is due where at some instant since the base the files, as they are now, did not ask
for it: the live value was what they wanted then, or they wanted none. So it is time that made it a
change. Somebody else's change is left: no instant since the base wanted it. So is a change of the
files: they ask for it at every instant since the base.

Where the files wanted no value before the boundary, no value is *the one of before*: whatever
stands there is written over, by the first run after the boundary and by none after that.

What a run deferred is due while its value is still wanted and the live one is as it was then. What
a rollback took back is never due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from cxplan.core.diff import CONCURRENT, LEVEL, Change, Op, Value
from cxplan.core.history import CONFIRMING, OUTCOME, ValueKey, fits, key_of
from cxplan.core.ids import OFF, AgentId
from cxplan.core.instant import parse_utc
from cxplan.core.live import Schedule, ScheduleReading
from cxplan.core.model import DesiredAgent, FollowShift
from cxplan.core.resolve import Resolved
from cxplan.core.scope import Scope

START = "run.start"
_DEFERRED = "deferred"

Deferral = tuple[ValueKey, Value, Value]
"""A value that was not written, what stood there and what was wanted."""


class Looked(StrEnum):
    """Whom a run looked at."""

    EVERYBODY = "everybody"
    SOME = "some"
    """Only those whom its plan lists are known to have been looked at."""


def looked(scope: Scope, *, rollback: bool) -> Looked:
    """Return whom a run of a plan looks at: who is not listed has nothing to do, or is outside.

    A timer looks at everybody: who is not listed then has nothing that is due.
    """
    chosen = scope.only or scope.exclude or scope.this_change
    return Looked.SOME if chosen or rollback else Looked.EVERYBODY


@dataclass(frozen=True, slots=True)
class Since:
    """One agent's base, None where it has none, and what was deferred since."""

    base: datetime | None = None
    deferred: frozenset[Deferral] = frozenset()


@dataclass(frozen=True, slots=True)
class Past:
    """What the sealed runs of a ledger have settled.

    ``everybody`` is the base of all agents that ``agents`` does not name.
    """

    everybody: datetime | None = None
    agents: Mapping[AgentId, Since] = field(default_factory=dict)

    def since(self, agent_id: AgentId) -> Since:
        """Return the base of an agent."""
        return self.agents.get(agent_id) or Since(self.everybody)

    @property
    def empty(self) -> bool:
        """Whether no run has settled anything."""
        return self.everybody is None and not self.agents


# --- from journals --------------------------------------------------------------------------


def past_of(runs: Iterable[Iterable[Mapping[str, Any]]]) -> Past:
    """Fold the ``run.start`` and ``agent.outcome`` lines of each run, the oldest first.

    The base is the instant that a plan was judged at, so that a boundary between plan and apply is
    not lost. A rollback settles nothing: the files may want otherwise. Neither does a run that does
    not say when its plan was judged.

    Raises:
        ValueError: a line lacks what it must have.
    """
    past = Past()
    for lines in runs:
        run = _Run()
        try:
            for line in lines:
                run.read(line)
        except (AttributeError, KeyError, TypeError):
            raise ValueError("a line lacks what each must have") from None
        past = run.after(past)
    return past


@dataclass(slots=True)
class _Run:
    """One run's lines so far."""

    planned_at: datetime | None = None
    everybody: bool = False
    settled: set[AgentId] = field(default_factory=set)
    left: dict[AgentId, frozenset[Deferral]] = field(default_factory=dict)

    def read(self, line: Mapping[str, Any]) -> None:
        if line["kind"] == START:
            planned_at = line.get("plannedAt")
            if planned_at is not None and line["rollback"] is None:
                self.planned_at = parse_utc(planned_at)
                self.everybody = line["looked"] == Looked.EVERYBODY
        elif line["kind"] == OUTCOME:
            agent_id, outcome = AgentId(line["agentId"]), line["outcome"]
            if outcome in CONFIRMING:
                self.settled.add(agent_id)
            else:
                deferred = line["changes"] if outcome == _DEFERRED else ()
                self.left[agent_id] = frozenset(map(_deferral, deferred))

    def after(self, past: Past) -> Past:
        """Return what is settled after this run."""
        if self.planned_at is None:
            return past
        left = {key: Since(past.since(key).base, found) for key, found in self.left.items()}
        if self.everybody:
            return Past(self.planned_at, left)
        settled = {key: Since(self.planned_at) for key in self.settled}
        return Past(past.everybody, {**past.agents, **settled, **left})


def _deferral(change: Mapping[str, Any]) -> Deferral:
    path: str = change["path"]
    key = key_of(change["skillId"], path.rpartition("/")[2])
    if not fits(key, change["after"]):
        raise ValueError("a change names no value that an agent has")
    return key, _plain(key, change["before"]), change["after"]


def _plain(key: ValueKey, value: Value) -> Value:
    """Return a value as it is compared: not holding a skill is having it at level 0."""
    return (value or OFF) if key.part == LEVEL else value


# --- what is due ----------------------------------------------------------------------------


def may_be_due(resolved: Resolved, agent: DesiredAgent, since: Since, now: datetime) -> bool:
    """Tell whether an agent has to be read at all; ``agent`` is one of ``resolved.agents``."""
    if since.deferred:
        return True
    if since.base is None:
        return False
    return _follows(resolved, agent, now) or bool(_boundaries(resolved, agent, since.base, now))


def instants(
    resolved: Resolved,
    agent: DesiredAgent,
    since: Since,
    now: datetime,
    read_schedule: Callable[[], ScheduleReading],
) -> tuple[datetime, ...]:
    """Return the instants before ``now`` from each of which on the files may want something else.

    The base is the first; there are none without a base. The schedule is read only where a shift
    is followed.
    """
    base = since.base
    if base is None:
        return ()
    found = {base, *_boundaries(resolved, agent, base, now)}
    if any(_follows(resolved, agent, instant) for instant in (*found, now)):
        schedule = read_schedule()
        shifts = schedule.shifts if isinstance(schedule, Schedule) else ()
        edges = (edge for shift in shifts for edge in (shift.start, shift.end))
        found |= {edge for edge in edges if base < edge < now}
    return tuple(sorted(instant for instant in found if instant < now))


def _boundaries(
    resolved: Resolved, agent: DesiredAgent, base: datetime, now: datetime
) -> tuple[datetime, ...]:
    return tuple(edge for edge in resolved.boundaries(agent.id, base) if edge <= now)


def _follows(resolved: Resolved, agent: DesiredAgent, instant: datetime) -> bool:
    return isinstance(resolved.agent_at(agent, instant).work_mode, FollowShift)


def due(
    changes: tuple[Change, ...], earlier: Iterable[tuple[Change, ...]], since: Since
) -> tuple[Change, ...]:
    """Return those of ``changes`` that a timer may write.

    ``earlier`` are the changes that the agent, as it is live, would have needed at each instant
    since its base. The concurrency of a skill that comes new goes with its level.
    """
    asked = [frozenset(map(_key, found)) for found in earlier]
    always = frozenset.intersection(*asked) if asked else None
    found = {
        _key(change)
        for change in changes
        if change.rolled_back is None
        and ((always is not None and _key(change) not in always) or _is_deferred(change, since))
    }
    return tuple(change for change in changes if _leading(change) in found)


def _key(change: Change) -> ValueKey:
    return key_of(change.skill_id, change.part)


def _leading(change: Change) -> ValueKey:
    """Return the value that decides on a change."""
    if change.op is Op.ADD and change.part == CONCURRENT:
        return key_of(change.skill_id, LEVEL)
    return _key(change)


def _is_deferred(change: Change, since: Since) -> bool:
    key = _key(change)
    return (key, _plain(key, change.before), change.after) in since.deferred
