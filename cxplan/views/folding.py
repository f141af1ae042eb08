"""Agents that differ in nothing but their name, as one: so that one cause reads as one line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cxplan.core.diff import Change
from cxplan.core.findings import Finding, Verdict
from cxplan.core.plan import PlannedAgent, Status

FOLD_FROM = 3
"""Fewer agents than this are shown one by one."""


@dataclass(frozen=True, slots=True)
class Group:
    """Agents of one team with the same status, findings and changes, by id."""

    agents: tuple[PlannedAgent, ...]

    @property
    def first(self) -> PlannedAgent:
        """The agent that stands for all."""
        return self.agents[0]

    @property
    def folded(self) -> bool:
        """Whether it stands for more than itself."""
        return len(self.agents) > 1


_Key = tuple[Status, str, bool, tuple[Change, ...], tuple[Finding, ...], datetime | None]


def fold(agents: Iterable[PlannedAgent]) -> tuple[Group, ...]:
    """Return ``agents`` in groups of at least ``FOLD_FROM``, the others alone, by first id."""
    groups: dict[_Key, list[PlannedAgent]] = {}
    for agent in agents:
        groups.setdefault(_key(agent), []).append(agent)
    found: list[Group] = []
    for members in groups.values():
        if len(members) >= FOLD_FROM:
            found.append(Group(tuple(members)))
        else:
            found += [Group((member,)) for member in members]
    return tuple(sorted(found, key=lambda group: group.first.id))


def _key(agent: PlannedAgent) -> _Key:
    told = tuple(finding for finding in agent.checks if finding.verdict is not Verdict.OK)
    holds = agent.holds_until if agent.status is Status.DEFERRED else None
    return (agent.status, agent.team, agent.protected, agent.changes, told, holds)
