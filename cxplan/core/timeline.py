"""What becomes true when: overrides that begin and end, agents that are judged again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cxplan.core.diff import CONCURRENT, LEVEL, WORK_MODE, Value
from cxplan.core.ids import OFF, SCHEDULED, AgentId, AgentKey
from cxplan.core.model import DesiredAgent, DesiredMode
from cxplan.core.plan import Plan, PlannedAgent, Status
from cxplan.core.resolve import Resolved
from cxplan.core.scope import Choice

BEGINS, ENDS = "begins", "ends"
DUE, SHIFT = "due", "shiftEnds"
BOUNDARY = "boundary"
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

    ``what`` is ``begins`` or ``ends`` of the override ``name``, ``due`` where what defers agents is
    over and they are judged again, ``shiftEnds`` for a mode that followed the shift until then, and
    ``boundary``, of no agents, for a next boundary of the plan that is none of these.
    """

    at: datetime
    what: str
    name: str
    agents: tuple[AgentKey, ...]
    turns: tuple[Turn, ...] = ()


def timeline(
    resolved: Resolved, chosen: Mapping[AgentId, Choice], plan: Plan, span: timedelta
) -> tuple[Event, ...]:
    """Return what becomes true within ``span`` after the plan's instant, in order.

    ``chosen`` is what the plan was asked for. Shifts are known only of agents that the plan lists;
    of the others only the plan's next boundary is.
    """
    last = plan.evaluated_at + span
    found = [*_overrides(resolved, chosen, plan.evaluated_at, last), *_agents(resolved, plan, last)]
    boundary = plan.next_boundary
    if boundary and boundary <= last and all(event.at != boundary for event in found):
        found.append(Event(boundary, BOUNDARY, "", ()))
    return tuple(sorted(found, key=lambda event: (event.at, event.what, event.name, event.agents)))


def _overrides(
    resolved: Resolved, chosen: Mapping[AgentId, Choice], after: datetime, last: datetime
) -> Iterator[Event]:
    groups: dict[tuple[datetime, str, str, tuple[Turn, ...]], list[AgentKey]] = defaultdict(list)
    for agent in resolved.agents:
        choice = chosen.get(agent.id)
        if choice is None:
            continue
        for instant in resolved.boundaries(agent.id, after):
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
    for path in sorted(before.keys() | after.keys()):
        skill, _, part = path.rpartition("/")
        if part == CONCURRENT and _wanted(agent, after, f"{skill}/{LEVEL}") == OFF:
            continue
        turn = Turn(path, _wanted(agent, before, path), _wanted(agent, after, path))
        if turn.before != turn.after:
            yield turn


def _wanted(agent: DesiredAgent, values: Mapping[str, Value], path: str) -> Value:
    """Return one of the values that the files give an agent; exclusive files switch off the rest.

    ``agent`` is the one without overrides.
    """
    off = agent.exclusive is not None and path.endswith(f"/{LEVEL}")
    return values.get(path, OFF if off else None)


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


def _agents(resolved: Resolved, plan: Plan, last: datetime) -> Iterator[Event]:
    groups: dict[tuple[datetime, str], list[AgentKey]] = defaultdict(list)
    files = {agent.id: agent for agent in resolved.agents}
    for agent in plan.agents:
        for instant, what in _moments(resolved, files[agent.id], agent, plan.evaluated_at):
            if instant <= last:
                groups[instant, what].append(agent.key)
    for (instant, what), keys in groups.items():
        yield Event(instant, what, "", tuple(sorted(keys)))


def _moments(
    resolved: Resolved, agent: DesiredAgent, planned: PlannedAgent, now: datetime
) -> Iterator[tuple[datetime, str]]:
    due, holds = planned.defers_until, planned.holds_until
    if planned.status is Status.DEFERRED and due and _still_wanted(resolved, agent, planned, due):
        yield due, DUE
    follows = any(change.scheduled for change in planned.changes)
    if follows and holds and holds not in resolved.boundaries(agent.id, now):
        yield holds, SHIFT


def _still_wanted(
    resolved: Resolved, agent: DesiredAgent, planned: PlannedAgent, at: datetime
) -> bool:
    """Tell whether what is deferred is still wanted at ``at``; a work mode speaks for the rest."""
    values = _values(resolved.agent_at(agent, at))
    modes = [change for change in planned.changes if change.path == WORK_MODE]
    return any(_wanted(agent, values, c.path) == c.after for c in modes or planned.changes)
