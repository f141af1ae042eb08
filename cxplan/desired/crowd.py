"""All members in a row, so that any of them together are one whole number with a bit for each.

Whether two of thousands of overrides meet is then one operation, however many agents they match.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cxplan.core.ids import AgentKey
from cxplan.core.model import Match, Team

_Label = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Crowd:
    """The members of all teams, the first one the lowest bit."""

    members: Sequence[AgentKey]
    places: Mapping[AgentKey, int]
    teams: Mapping[str, range]
    """Each team's places: its members stand side by side."""
    labels: Mapping[_Label, int]
    """Who carries a label, for those labels that are asked for."""

    def matched(self, match: Match) -> int:
        """Return whom ``match`` means: the same as asking its ``fits`` about each member."""
        found = (1 << len(self.members)) - 1
        if match.teams:
            teams = (self.teams.get(name, range(0)) for name in match.teams)
            found &= _union(map(_row, teams))
        if match.agents:
            found &= self._some(match.agents)
        for name in {name for name, _ in match.labels}:
            found &= _union(self.labels[label] for label in match.labels if label[0] == name)
        return found & ~self._some(match.exclude)

    def first(self, members: int) -> AgentKey:
        """Return the first of some members; there has to be one."""
        return self.members[(members & -members).bit_length() - 1]

    def _some(self, keys: Iterable[AgentKey]) -> int:
        return _bits([self.places[key] for key in keys if key in self.places])


def crowd_of(teams: Iterable[Team], asked: Collection[_Label]) -> Crowd:
    """Return the members of ``teams``, with those labels that are asked for."""
    members: list[AgentKey] = []
    rows: dict[str, range] = {}
    carriers = _Carriers(frozenset(asked))
    for team in teams:
        rows[team.name] = range(len(members), len(members) + len(team.members))
        carriers.add(team, rows[team.name])
        members.extend(member.key for member in team.members)
    places = {key: place for place, key in enumerate(members)}
    return Crowd(members, places, rows, carriers.labels())


class _Carriers:
    """Collects who carries the labels that are asked for; a member's own stands over its team's."""

    def __init__(self, asked: frozenset[_Label]) -> None:
        self._asked = asked
        self._teams: dict[_Label, int] = defaultdict(int)
        self._others: dict[_Label, list[int]] = defaultdict(list)
        self._own: dict[_Label, list[int]] = defaultdict(list)

    def add(self, team: Team, row: range) -> None:
        for label in self._asked.intersection(team.labels.items()):
            self._teams[label] |= _row(row)
        for place, member in zip(row, team.members, strict=True):
            for name, value in member.labels.items():
                replaced = (name, team.labels.get(name, ""))
                if replaced in self._asked:
                    self._others[replaced].append(place)
                if (name, value) in self._asked:
                    self._own[name, value].append(place)

    def labels(self) -> dict[_Label, int]:
        return {
            label: self._teams[label] & ~_bits(self._others[label]) | _bits(self._own[label])
            for label in self._asked
        }


def _union(parts: Iterable[int]) -> int:
    found = 0
    for part in parts:
        found |= part
    return found


def _row(places: range) -> int:
    return ((1 << len(places)) - 1) << places.start


def _bits(places: Sequence[int]) -> int:
    """Return the number with these bits; setting them one by one would copy it each time."""
    row = bytearray(max(places, default=0) // 8 + 1)
    for place in places:
        row[place // 8] |= 1 << place % 8
    return int.from_bytes(row, "little")
