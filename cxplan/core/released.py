"""Values that were managed and that the files name no more: they stay, and a plan says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cxplan.core.diff import CONCURRENT, LEVEL, WORK_MODE, AgentState, Value
from cxplan.core.history import LastValue, ValueKey
from cxplan.core.ids import OFF, SCHEDULED, AgentId, SkillId, SkillName
from cxplan.core.model import DesiredAgent, DesiredMode
from cxplan.core.plan import Released

OverrideValues = tuple[str, frozenset[tuple[ValueKey, Value]]]
_By = tuple[str | None, str | None]
"""The run that last wrote a value, and the override that is over and left it."""
_NOBODY: _By = (None, None)


@dataclass(frozen=True, slots=True)
class Former:
    """What named an agent's values before: runs, overrides that are over, files before a change."""

    written: Mapping[ValueKey, LastValue]
    ended: tuple[OverrideValues, ...] = ()
    base: DesiredAgent | None = None


def released(
    desired: DesiredAgent,
    live: AgentState,
    former: Former,
    names: Mapping[SkillId, SkillName],
) -> Iterator[Released]:
    """Yield the values that stand as they were last managed, by skill and part.

    One that somebody has changed since is theirs, and not told.
    """
    found = dict.fromkeys(named(former.base), _NOBODY) if former.base else {}
    found |= _written(live, former)
    if not found:
        return
    now = named(desired)
    for key in sorted(found, key=lambda key: key.order):
        value = value_of(live, key)
        if key not in now and value is not None and not _swept(desired, key):
            path = path_of(key, names)
            yield Released(desired.id, desired.key, desired.team, path, value, *found[key])


def _written(live: AgentState, former: Former) -> dict[ValueKey, _By]:
    """Return the values that runs and overrides left, with the run and the override."""
    found: dict[ValueKey, _By] = {
        key: (last.run_id, None)
        for key, last in former.written.items()
        if last.declared and value_of(live, key) == last.value
    }
    for override, values in former.ended:
        for key, value in values:
            if value_of(live, key) == value:
                found[key] = (found.get(key, _NOBODY)[0], override)
    return found


def left_behind(
    agent_id: AgentId,
    base: DesiredAgent | None,
    written: Mapping[ValueKey, LastValue],
    names: Mapping[SkillId, SkillName],
) -> Iterator[Released]:
    """Yield the values of an agent that the files do not name any more, by skill and part.

    Each comes once: with its run where one wrote it, else as the files before a change wanted it.
    """
    wanted = {} if base is None else declared(base)
    last = {key: found for key, found in written.items() if found.declared}
    who = None if base is None else base.key
    for key in sorted(wanted.keys() | last.keys(), key=lambda key: key.order):
        value, run = (last[key].value, last[key].run_id) if key in last else (wanted[key], None)
        yield Released(agent_id, who, None, path_of(key, names), value, run)


def _swept(desired: DesiredAgent, key: ValueKey) -> bool:
    """Tell whether exclusive files take away what they do not name."""
    return desired.exclusive is not None and key.skill_id is not None


def named(desired: DesiredAgent) -> frozenset[ValueKey]:
    """Return the values that the files name of an agent."""
    found: set[ValueKey] = set()
    if desired.work_mode is not None:
        found.add(ValueKey(None, WORK_MODE))
    for skill in desired.skills:
        if skill.level is not None:
            found.add(ValueKey(skill.id, LEVEL))
        if skill.concurrent is not None or skill.off is not None:
            found.add(ValueKey(skill.id, CONCURRENT))
    return frozenset(found)


def declared(desired: DesiredAgent) -> dict[ValueKey, Value]:
    """Return the values that the files give an agent."""
    found: dict[ValueKey, Value] = {}
    mode = desired.work_mode
    if mode is not None:
        wanted = mode.mode.id if isinstance(mode, DesiredMode) else SCHEDULED
        found[ValueKey(None, WORK_MODE)] = wanted
    for skill in desired.skills:
        if skill.level is not None:
            found[ValueKey(skill.id, LEVEL)] = skill.level.value
        if skill.concurrent is not None:
            found[ValueKey(skill.id, CONCURRENT)] = skill.concurrent.value
    return found


def value_of(state: AgentState, key: ValueKey) -> Value:
    """Return what an agent has at ``key``; None where it holds or states nothing."""
    if key.skill_id is None:
        return state.work_mode
    found = next((skill for skill in state.skills if skill.skill_id == key.skill_id), None)
    if found is None:
        return None
    if key.part == LEVEL:
        return found.level
    return None if found.level == OFF else found.concurrent


def path_of(key: ValueKey, names: Mapping[SkillId, SkillName]) -> str:
    """Return the path of a value, as changes have it."""
    if key.skill_id is None:
        return key.part
    return f"skills/{names.get(key.skill_id, key.skill_id)}/{key.part}"
