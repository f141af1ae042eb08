"""What becomes true when: overrides that begin and end, agents that can be written later."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cxplan.core.diff import CONCURRENT, LEVEL, WORK_MODE, Value
from cxplan.core.ids import OFF, SCHEDULED, AgentKey
from cxplan.core.model import DesiredAgent, DesiredMode
from cxplan.core.plan import Plan, PlannedAgent, Status
from cxplan.core.resolve import Resolved
from cxplan.core.scope import choices

BEGINS, ENDS = "begins", "ends"
DUE, SHIFT = "due", "shiftEnds"
_BEFORE = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Turn:
    """A value that the files want otherwise from an instant on; None is unmanaged."""

    path: str
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class Event:
    """Something that becomes true at an instant for some agents.

    ``what`` is ``begins`` or ``ends`` of the override ``name``, ``due`` for deferred agents that
    can be written from then on, ``shiftEnds`` for a mode that followed the shift until then.
    """

    at: datetime
    what: str
    name: str
    agents: tuple[AgentKey, ...]
    turns: tuple[Turn, ...] = ()


def timeline(resolved: Resolved, plan: Plan, span: timedelta) -> tuple[Event, ...]:
    """Return what becomes true within ``span`` after the plan's instant, in order.

    Overrides are those within the plan's ``only`` and ``exclude``; shifts are known only of agents
    whose schedule mattered to the plan.
    """
    last = plan.evaluated_at + span
    found = [*_overrides(resolved, plan, last), *_agents(plan, last)]
    return tuple(sorted(found, key=lambda event: (event.at, event.what, event.name, event.agents)))


def _overrides(resolved: Resolved, plan: Plan, last: datetime) -> Iterator[Event]:
    groups: dict[tuple[datetime, str, str, tuple[Turn, ...]], list[AgentKey]] = defaultdict(list)
    chosen = choices(plan.scope, resolved.declarations)
    for agent in resolved.agents:
        choice = chosen.get(agent.id)
        if choice is None:
            continue
        for instant in resolved.boundaries(agent.id, plan.evaluated_at):
            if instant > last:
                break
            turns = tuple(_turns(resolved, agent, instant))
            kept = tuple(turn for turn in turns if choice.takes(turn.path))
            for what, name in _named(resolved, agent, instant) if kept or not turns else ():
                groups[instant, what, name, kept].append(agent.key)
    for (instant, what, name, turns), keys in groups.items():
        yield Event(instant, what, name, tuple(sorted(keys)), turns)


def _named(resolved: Resolved, agent: DesiredAgent, instant: datetime) -> Iterator[tuple[str, str]]:
    for override in resolved.overrides.get(agent.id, ()):
        if override.start == instant:
            yield BEGINS, override.name
        if override.end == instant:
            yield ENDS, override.name


def _turns(resolved: Resolved, agent: DesiredAgent, instant: datetime) -> Iterator[Turn]:
    """Yield what is wanted otherwise; the concurrency of a skill that is off is nobody's wish."""
    before = _values(resolved.agent_at(agent, instant - _BEFORE))
    after = _values(resolved.agent_at(agent, instant))
    undeclared = None if agent.exclusive is None else OFF
    for path in sorted(before.keys() | after.keys()):
        skill, _, part = path.rpartition("/")
        if part == CONCURRENT and after.get(f"{skill}/{LEVEL}", undeclared) == OFF:
            continue
        missing = undeclared if part == LEVEL else None
        turn = Turn(path, before.get(path, missing), after.get(path, missing))
        if turn.before != turn.after:
            yield turn


def _values(desired: DesiredAgent) -> dict[str, Value]:
    found: dict[str, Value] = {}
    mode = desired.work_mode
    if mode is not None:
        found[WORK_MODE] = mode.mode.id if isinstance(mode, DesiredMode) else SCHEDULED
    for skill in desired.skills:
        if skill.level is not None:
            found[f"skills/{skill.name}/{LEVEL}"] = skill.level.value
        if skill.concurrent is not None:
            found[f"skills/{skill.name}/{CONCURRENT}"] = skill.concurrent.value
    return found


def _agents(plan: Plan, last: datetime) -> Iterator[Event]:
    groups: dict[tuple[datetime, str], list[AgentKey]] = defaultdict(list)
    for agent in plan.agents:
        for instant, what in _moments(agent):
            if instant <= last:
                groups[instant, what].append(agent.key)
    for (instant, what), keys in groups.items():
        yield Event(instant, what, "", tuple(sorted(keys)))


def _moments(agent: PlannedAgent) -> Iterator[tuple[datetime, str]]:
    if agent.status is Status.DEFERRED and agent.until is not None:
        yield agent.until, DUE
    if agent.holds_until is not None and any(change.scheduled for change in agent.changes):
        yield agent.holds_until, SHIFT
