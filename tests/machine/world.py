"""A tenant as the machine believes it to be: tags, a log of every change, and writes under way.

It shares no code with the client. A value is compared as routing sees it: a skill that is not held
and one at level 0 are both off, and an off skill has no concurrency.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from cxplan.core.answers import Write
from cxplan.core.diff import Change
from cxplan.core.ids import AgentId, ETag
from cxplan.core.plan import Plan, PlannedAgent

Key = tuple[str, str]
"""A skill's id and ``level`` or ``concurrent``; the work mode is ``("", "workMode")``."""

Value = int | str | None
MODE: Key = ("", "workMode")


@dataclass(frozen=True, slots=True)
class Held:
    """One skill of an agent."""

    level: int | None
    concurrent: int | None
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """All that an agent is, skills by id."""

    mode: str | None
    skills: tuple[tuple[str, Held], ...]

    def held(self, skill: str) -> Held | None:
        return dict(self.skills).get(skill)

    def having(self, skill: str, held: Held | None) -> Shape:
        """The same with one skill another, or gone."""
        rest = [(key, kept) for key, kept in self.skills if key != skill]
        if held is not None:
            rest.append((skill, held))
        return replace(self, skills=tuple(sorted(rest)))

    def value(self, key: Key) -> Value:
        skill, part = key
        if key == MODE:
            return self.mode
        held = self.held(skill)
        if held is None or held.level == 0:
            return 0 if part == "level" else None
        return held.level if part == "level" else held.concurrent

    @property
    def keys(self) -> set[Key]:
        parts = ("level", "concurrent")
        return {MODE, *((skill, part) for skill, _ in self.skills for part in parts)}


def differing(one: Shape, other: Shape) -> set[Key]:
    """The values that two shapes do not agree on."""
    return {key for key in one.keys | other.keys if one.value(key) != other.value(key)}


@dataclass(frozen=True, slots=True)
class Sent:
    """A PATCH on its way; the plan stands in the write's reason, where the tenant reads it too."""

    write: Write
    tag: ETag | None
    run: str
    session: int
    """Which command of the run sent it: the apply, or one that went on with it."""

    @property
    def agent(self) -> AgentId:
        return self.write.agent_id

    @property
    def plan(self) -> str:
        word, plan_id = self.write.reason.split()[:2]
        assert word == "cxplan"
        return plan_id.rstrip(":")


@dataclass(frozen=True, slots=True)
class Entry:
    """One change at the server; ``sent`` is None where somebody else made it.

    ``intents`` are the lines about this agent that stood in the run's journal at that moment.
    """

    agent: AgentId
    before: Shape
    after: Shape
    tag: ETag
    sent: Sent | None = None
    whole: bool = True
    intents: tuple[dict[str, Any], ...] = ()


@dataclass
class World:
    """The tenant; ``witness`` reads the intents that are on disk for a run and an agent."""

    shapes: dict[AgentId, Shape]
    witness: Callable[[str, AgentId], tuple[dict[str, Any], ...]]
    gone: set[AgentId] = field(default_factory=set)
    on_shift: dict[AgentId, str | None] = field(default_factory=dict)
    log: list[Entry] = field(default_factory=list)
    under_way: list[Sent] = field(default_factory=list)
    """Writes without an answer of the tenant itself: they may land at any time."""
    _past: dict[AgentId, list[Shape]] = field(init=False)
    _tags: Iterator[int] = field(init=False, default_factory=lambda: iter(range(1, 10**9)))
    _tag: dict[AgentId, ETag] = field(init=False)

    def __post_init__(self) -> None:
        self._past = {agent: [shape] for agent, shape in self.shapes.items()}
        self._tag = {agent: self._fresh() for agent in self.shapes}

    def _fresh(self) -> ETag:
        return ETag(f'"{next(self._tags)}"')

    def tag(self, agent: AgentId) -> ETag:
        return self._tag[agent]

    def past(self, agent: AgentId) -> list[Shape]:
        """Every shape that the agent has had, the present one last."""
        return self._past[agent]

    def edit(self, agent: AgentId, shape: Shape) -> None:
        """Somebody else writes."""
        self._change(Entry(agent, self.shapes[agent], shape, self._fresh()))

    def receive(self, sent: Sent, *, whole: bool = True) -> bool:
        """One of our writes arrives: made where its tag is the present one, else refused."""
        agent = sent.agent
        if agent in self.gone or sent.tag != self._tag[agent]:
            return False
        before = self.shapes[agent]
        after = _written(before, sent.write, whole=whole)
        intents = self.witness(sent.run, agent)
        self._change(Entry(agent, before, after, self._fresh(), sent, whole, intents))
        return True

    def deliver(self, index: int) -> None:
        """A write that was under way arrives, long after anybody waits for an answer."""
        if self.under_way:
            self.receive(self.under_way.pop(index % len(self.under_way)))

    def _change(self, entry: Entry) -> None:
        self.log.append(entry)
        self.shapes[entry.agent] = entry.after
        self._past[entry.agent].append(entry.after)
        self._tag[entry.agent] = entry.tag

    def would_land(self, sent: Sent) -> bool:
        """Whether the tenant would make a write as it is now."""
        return sent.tag == self._tag[sent.agent]

    def ours(self, agent: AgentId) -> Iterator[tuple[Entry, Sent]]:
        """The changes of one agent that our writes made."""
        for entry in self.log:
            if entry.sent is not None and entry.agent == agent:
                yield entry, entry.sent


def _written(shape: Shape, write: Write, *, whole: bool) -> Shape:
    """The shape after a write; where it is made in part, only its first skill is."""
    after = replace(shape, mode=str(write.work_mode)) if whole else shape
    for skill in write.skills if whole else write.skills[:1]:
        held = shape.held(skill.skill_id)
        maximum = held.maximum if held else None
        after = after.having(skill.skill_id, Held(skill.level, skill.concurrent, maximum))
    return after


# --- what a plan wants, read without the code that compares ----------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """One value that a plan would write."""

    key: Key
    before: Value
    after: Value


def wishes(planned: PlannedAgent) -> tuple[Wish, ...]:
    """What a plan would write; a skill that is not held is off."""
    return tuple(_wish(change) for change in planned.changes)


def _wish(change: Change) -> Wish:
    key = (change.skill_id or "", change.path.rpartition("/")[2])
    if key[1] == "level":
        return Wish(key, change.before or 0, change.after or 0)
    return Wish(key, change.before, change.after)


def planned_in(plan: Plan, agent: AgentId) -> PlannedAgent:
    return next(planned for planned in plan.agents if planned.id == agent)


def first_skill(plan: Plan, agent: AgentId) -> str | None:
    """The first skill that a plan changes of an agent."""
    changes = planned_in(plan, agent).changes
    return next((change.skill_id for change in changes if change.skill_id), None)


def still_open(wanted: Iterable[Wish], shape: Shape) -> tuple[Wish, ...]:
    """The wishes that a shape does not fulfil."""
    return tuple(wish for wish in wanted if shape.value(wish.key) != wish.after)
