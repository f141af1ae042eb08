"""One agent's values at an instant, each with the chain of layers that made it.

The first of a chain is the one that counts: take it out of its file and the value changes, unless
the chain says that a layer beneath says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from itertools import pairwise

from cxplan.core.address import Origin
from cxplan.core.diff import CONCURRENT, LEVEL, WORK_MODE, Locate
from cxplan.core.errors import InvalidError
from cxplan.core.ids import SkillId, SkillName
from cxplan.core.model import (
    Block,
    Declarations,
    DesiredAgent,
    Layer,
    Member,
    Override,
    SkillSetting,
    Source,
    Team,
)
from cxplan.core.resolve import Resolved, blocks_of

EXCLUSIVE = "exclusive"
BOUNDARIES = 3
"""So many later instants at which an override begins or ends are told."""

Effective = int | str | None
"""A level, a concurrency, a mode's name, an off word, whether exclusive; None for unmanaged."""


class Standing(StrEnum):
    """What became of what one layer says of a value."""

    COUNTS = "counts"
    SAME = "same"
    """Beneath what counts, and would make the same value in its place."""

    REPLACED = "replaced"
    IGNORED = "ignored"
    """A concurrency that is laid over a skill that is off, so it counts for nothing."""


@dataclass(frozen=True, slots=True)
class Link:
    """What one layer says of a value, and the line that says it.

    For a concurrency the value may be an off word: it takes away what stands beneath.
    """

    value: int | str
    standing: Standing
    layer: Layer
    origin: Origin


@dataclass(frozen=True, slots=True)
class Explained:
    """One effective value; the chain begins with the layer that counts, then the highest.

    Attributes:
        path: As in a change, ``skills/NAME/level`` for example.
        value: What is wanted; None where it is unmanaged.
        chain: Empty where no layer names it.
        redundant: Whether taking out what counts, and nothing else, would leave the value as it is.
        skill_id: None for the work mode and ``exclusive``.
    """

    path: str
    value: Effective
    chain: tuple[Link, ...] = ()
    redundant: bool = False
    skill_id: SkillId | None = None

    @property
    def part(self) -> str:
        """``workMode``, ``level``, ``concurrent`` or ``exclusive``."""
        return self.path.rpartition("/")[2]

    @property
    def because(self) -> Link | None:
        """What made the value, None for a built-in default."""
        return self.chain[0] if self.chain else None


@dataclass(frozen=True, slots=True)
class Moved:
    """A value that is another one from a boundary on."""

    path: str
    before: Effective
    after: Effective


@dataclass(frozen=True, slots=True)
class Boundary:
    """A later instant at which overrides of the agent begin or end, and what that changes."""

    at: datetime
    begins: tuple[Override, ...]
    ends: tuple[Override, ...]
    moved: tuple[Moved, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that the files say of one agent at an instant.

    ``values`` are the work mode, the skills by name, and ``exclusive``.
    """

    agent: DesiredAgent
    at: datetime
    values: tuple[Explained, ...]
    active: tuple[Override, ...]
    boundaries: tuple[Boundary, ...]
    over: tuple[Override, ...]


def find_member(declarations: Declarations, agent: str) -> tuple[Team, Member]:
    """Return the member whose key ``agent`` is, else the one whose id it is, and the team.

    Raises:
        InvalidError: there is none; the hint names the nearest keys.
    """
    pairs = [(team, member) for team in declarations.teams for member in team.members]
    found = [pair for pair in pairs if pair[1].key == agent]
    found += [pair for pair in pairs if pair[1].id == agent]
    if found:
        return found[0]
    near = get_close_matches(agent, sorted({member.key for _, member in pairs}))
    meant = (
        f"Did you mean {' or '.join(near)}?" if near else "A key stands under members of a team."
    )
    raise InvalidError(
        "The files know no agent of this key or id.", code="agent.unknown", hint=meant
    )


def explain(resolved: Resolved, name: str, at: datetime, locate: Locate) -> Explanation:
    """Return what the files want of an agent at an instant, and the lines that say so.

    ``name`` is the member's key or its id; where it is the key of one and the id of another, the
    key counts.

    Raises:
        InvalidError: there is no such member.
    """
    team, member = find_member(resolved.declarations, name)
    (agent,) = (found for found in resolved.agents if found.id == member.id)
    overrides = resolved.overrides.get(member.id, ())
    made = _values(resolved, team, member, at)
    return Explanation(
        agent=resolved.agent_at(agent, at),
        at=at,
        values=tuple(value.located(locate) for value in made),
        active=tuple(override for override in overrides if override.active(at)),
        boundaries=tuple(_boundaries(resolved, team, member, at)),
        over=tuple(override for override in overrides if override.end <= at),
    )


# --- how a value is made --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Said:
    """What one layer says; ``effect`` is the value that it makes where it is the last to count."""

    value: int | str
    effect: Effective
    source: Source
    counts: bool = True


@dataclass(frozen=True, slots=True)
class _Made:
    """A value and all that was said of it, the lowest layer first."""

    path: str
    value: Effective
    said: tuple[_Said, ...] = ()
    redundant: bool = False
    skill_id: SkillId | None = None

    def located(self, locate: Locate) -> Explained:
        chain = (
            Link(said.value, standing, said.source.layer, locate(said.source))
            for said, standing in self._standings()
        )
        return Explained(self.path, self.value, tuple(chain), self.redundant, self.skill_id)

    def _standings(self) -> Iterator[tuple[_Said, Standing]]:
        """Yield what counts, then the rest from the highest layer down."""
        counting = _counting(self.said)
        if counting is None:
            return
        yield counting, Standing.COUNTS
        same = self.redundant
        for said in reversed(self.said):
            if not said.counts:
                yield said, Standing.IGNORED
            elif said is not counting:
                same = same and said.effect == self.value
                yield said, Standing.SAME if same else Standing.REPLACED


def _values(resolved: Resolved, team: Team, member: Member, at: datetime) -> tuple[_Made, ...]:
    blocks = blocks_of(resolved, team, member, at)
    ids = {name: skill.id for name, skill in resolved.declarations.skills.items()}
    skills = (
        made
        for name in sorted({name for block in blocks for name in block.skills})
        for made in _skill(name, ids[name], blocks)
    )
    modes = (
        _Said(block.work_mode, block.work_mode, Source(block.layer, (WORK_MODE,)))
        for block in blocks
        if block.work_mode is not None
    )
    exclusive = (
        _Said(block.exclusive, block.exclusive, Source(block.layer, (EXCLUSIVE,)))
        for block in blocks
        if block.exclusive is not None
    )
    return (_made(WORK_MODE, modes), *skills, _made(EXCLUSIVE, exclusive, default=False))


def _made(path: str, all_said: Iterable[_Said], *, default: Effective = None) -> _Made:
    """Return a value that is simply the last that was said."""
    said = tuple(all_said)
    values = [default, *(one.effect for one in said)]
    return _Made(path, values[-1], said, redundant=bool(said) and values[-2] == values[-1])


_Settings = Sequence[tuple[Layer, SkillSetting]]


def _skill(name: SkillName, skill_id: SkillId, blocks: Sequence[Block]) -> Iterator[_Made]:
    """Yield level and concurrency of a skill, as far as a layer names them."""
    settings = [(block.layer, block.skills[name]) for block in blocks if name in block.skills]
    level = _made(f"skills/{name}/{LEVEL}", _levels(name, settings))
    if level.said:
        yield replace(level, skill_id=skill_id)
    if any(setting.concurrent is not None for _, setting in settings):
        said = tuple(_concurrencies(name, settings))
        top, value = _counting(said), _effect(said)
        left = [one for one in settings if top is None or one[0] is not top.source.layer]
        redundant = _effect(tuple(_concurrencies(name, left))) == value
        yield _Made(f"skills/{name}/{CONCURRENT}", value, said, redundant, skill_id)


def _levels(name: SkillName, settings: _Settings) -> Iterator[_Said]:
    for layer, setting in settings:
        if setting.off is not None:
            yield _Said(setting.off, setting.off, Source(layer, ("skills", name)))
        elif setting.level is not None:
            yield _Said(setting.level, setting.level, Source(layer, ("skills", name, LEVEL)))


def _concurrencies(name: SkillName, settings: _Settings) -> Iterator[_Said]:
    """An off word takes the concurrency away, and lets none count until a level is named."""
    off = False
    for layer, setting in settings:
        if setting.off is not None:
            off = True
            yield _Said(setting.off, None, Source(layer, ("skills", name)))
            continue
        off = off and setting.level is None
        number = setting.concurrent
        if number is not None:
            source = Source(layer, ("skills", name, CONCURRENT))
            yield _Said(number, number, source, counts=not off)


def _counting(said: tuple[_Said, ...]) -> _Said | None:
    """Return the last that counts."""
    return next((one for one in reversed(said) if one.counts), None)


def _effect(said: tuple[_Said, ...]) -> Effective:
    counting = _counting(said)
    return counting.effect if counting else None


# --- when overrides begin and end -----------------------------------------------------------


def _boundaries(resolved: Resolved, team: Team, member: Member, at: datetime) -> Iterator[Boundary]:
    overrides = resolved.overrides.get(member.id, ())
    instants = (at, *resolved.boundaries(member.id, at)[:BOUNDARIES])
    for earlier, instant in pairwise(instants):
        before, after = (
            {made.path: made.value for made in _values(resolved, team, member, moment)}
            for moment in (earlier, instant)
        )
        yield Boundary(
            instant,
            tuple(override for override in overrides if override.start == instant),
            tuple(override for override in overrides if override.end == instant),
            tuple(
                Moved(path, before.get(path), after.get(path))
                for path in dict.fromkeys([*before, *after])
                if before.get(path) != after.get(path)
            ),
        )
