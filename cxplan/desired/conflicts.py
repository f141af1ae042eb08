"""Overrides that count at the same time for one agent and set one value differently."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from cxplan.core.ids import WorkModeName
from cxplan.core.instant import utc_text
from cxplan.core.model import Override, SkillSetting
from cxplan.desired.crowd import Crowd
from cxplan.desired.faults import Keys, Sheet, Spot, named


@dataclass(frozen=True, slots=True)
class Placed:
    """An override, its file, and whom it matches as ``Crowd`` counts them."""

    sheet: Sheet
    override: Override
    agents: int


_Value = WorkModeName | SkillSetting
_Sayings = list[tuple[Placed, _Value]]


def refuse_conflicts(placed: Iterable[Placed], crowd: Crowd) -> None:
    """Report each value that two overrides set differently, at the second one in file order."""
    for keys, sayings in _by_value(placed).items():
        if len({value for _, value in sayings}) > 1:
            for first, second, part in _conflicts(sayings):
                _report(first, second, (*keys, *part), _who(first.agents & second.agents, crowd))


def _by_value(placed: Iterable[Placed]) -> Mapping[Keys, _Sayings]:
    """Return what is said of the work mode and of each skill, under the keys of its place."""
    found: dict[Keys, _Sayings] = defaultdict(list)
    for one in placed:
        block = one.override.block
        if block.work_mode is not None:
            found["set", "workMode"].append((one, block.work_mode))
        for name, setting in block.skills.items():
            found["set", "skills", name].append((one, setting))
    return found


def _conflicts(sayings: Sequence[tuple[Placed, _Value]]) -> Iterator[tuple[Placed, Placed, Keys]]:
    """Yield two overrides and the part that they set differently for somebody at some time."""
    for place, (second, after) in enumerate(sayings):
        for first, before in islice(sayings, place):
            # Equal settings are mostly one object, and most overrides of one value do not differ.
            if before is not after and _meet(first, second):
                for part in _differences(before, after):
                    yield first, second, part


def _meet(first: Placed, second: Placed) -> bool:
    one, other = first.override, second.override
    at_once = max(one.start, other.start) < min(one.end, other.end)
    return at_once and bool(first.agents & second.agents)


def _differences(first: _Value, second: _Value) -> Iterator[Keys]:
    """Yield what differs; an off word stands against level and concurrency alike."""
    if not isinstance(first, SkillSetting) or not isinstance(second, SkillSetting):
        if first != second:
            yield ()
    elif first.off is not second.off:
        yield ()
    else:
        if None not in (first.level, second.level) and first.level != second.level:
            yield ("level",)
        both = None not in (first.concurrent, second.concurrent)
        if both and first.concurrent != second.concurrent:
            yield ("concurrent",)


def _report(first: Placed, second: Placed, keys: Keys, who: str) -> None:
    start = max(first.override.start, second.override.start)
    end = min(first.override.end, second.override.end)
    spot = Spot(keys)
    second.sheet.twice(
        "override.conflict",
        spot,
        f"The override{named(first.override.name)} sets this differently for {who} at the same "
        f"time, from {utc_text(start)} until {utc_text(end)}.",
        (first.sheet.file, spot),
        "Set the same value, or part their agents or their times.",
    )


def _who(agents: int, crowd: Crowd) -> str:
    count, one = agents.bit_count(), named(crowd.first(agents))
    if count == 1:
        return f"the agent{one}" if one else "one agent"
    return f"{count} agents" + (f", such as{one}," if one else "")
