"""Declarations to desired agents, at any instant.

Layers, later ones winning: profile (what it extends first), team, member, then the overrides that
are active, by start and name. Work mode, and of each skill the level and the concurrency, are
taken each by itself from the last layer that names it; ``disabled`` and ``absent`` replace both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from operator import attrgetter

from cxplan.core.ids import OFF, SCHEDULED, AgentId, SkillId, SkillName, WorkModeName
from cxplan.core.model import (
    Block,
    Declarations,
    DesiredAgent,
    DesiredMode,
    DesiredSkill,
    FollowShift,
    Layer,
    Member,
    Off,
    Override,
    SkillSetting,
    Source,
    Team,
    Wanted,
)


@dataclass(frozen=True, slots=True)
class _Folded:
    """What some layers say together."""

    work_mode: DesiredMode | FollowShift | None = None
    skills: Mapping[SkillName, DesiredSkill] = field(default_factory=dict)
    exclusive: Source | None = None
    layers: tuple[Layer, ...] = ()

    def by_id(self) -> tuple[DesiredSkill, ...]:
        return tuple(sorted(self.skills.values(), key=_ID))


_ID = attrgetter("id")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the files want of each agent, whenever one asks.

    ``agents`` are what stands in the files but for the overrides, by id; ``overrides`` are those
    that match an agent, by start and name, over or not.
    """

    declarations: Declarations
    agents: tuple[DesiredAgent, ...]
    overrides: Mapping[AgentId, tuple[Override, ...]]

    def at(self, instant: datetime) -> tuple[DesiredAgent, ...]:
        """Return what is wanted of each agent at an instant, ordered by agent id."""
        if not self.overrides:
            return self.agents
        return tuple(self.agent_at(agent, instant) for agent in self.agents)

    def agent_at(self, agent: DesiredAgent, instant: datetime) -> DesiredAgent:
        """Return what is wanted at an instant of an agent, given as one of ``agents``."""
        active = [o for o in self.overrides.get(agent.id, ()) if o.active(instant)]
        if not active:
            return agent
        skills = {skill.name: skill for skill in agent.skills}
        folded = _Folded(agent.work_mode, skills, agent.exclusive, agent.layers)
        for override in active:
            folded = _fold(self.declarations, folded, override.block)
        return replace(
            agent, skills=folded.by_id(), work_mode=folded.work_mode, layers=folded.layers
        )

    def boundaries(self, agent_id: AgentId, after: datetime) -> tuple[datetime, ...]:
        """Return the instants after ``after`` at which an override of the agent begins or ends."""
        found = {
            instant
            for override in self.overrides.get(agent_id, ())
            for instant in (override.start, override.end)
            if instant > after
        }
        return tuple(sorted(found))


def resolve(declarations: Declarations) -> Resolved:
    """Return what the files want of each agent.

    Agents that share profile and team and add nothing share their skills, so the cost of an agent
    is that of its own lines.
    """
    agents = tuple(sorted(_agents(declarations), key=lambda agent: agent.id))
    return Resolved(declarations, agents, _matched(declarations))


def _agents(declarations: Declarations) -> Iterator[DesiredAgent]:
    for team in declarations.teams:
        shared: dict[str | None, _Folded] = {}
        for member in team.members:
            profile = member.profile or team.profile
            if profile not in shared:
                shared[profile] = _fold_team(declarations, team, profile)
            yield _agent(declarations, team, member, shared[profile])


def _agent(declarations: Declarations, team: Team, member: Member, shared: _Folded) -> DesiredAgent:
    folded = _fold(declarations, shared, member.block)
    return DesiredAgent(
        member.id,
        member.key,
        team.name,
        folded.by_id(),
        folded.work_mode,
        folded.exclusive,
        folded.layers,
    )


def _fold_team(declarations: Declarations, team: Team, profile: str | None) -> _Folded:
    folded = _Folded()
    for block in (*profile_blocks(declarations, profile), team.block):
        folded = _fold(declarations, folded, block)
    return folded


def blocks_of(
    resolved: Resolved, team: Team, member: Member, instant: datetime
) -> tuple[Block, ...]:
    """Return every layer that counts for a member at an instant, the one that wins last."""
    active = (o.block for o in resolved.overrides.get(member.id, ()) if o.active(instant))
    profile = member.profile or team.profile
    under = profile_blocks(resolved.declarations, profile)
    return (*under, team.block, member.block, *active)


def profile_blocks(declarations: Declarations, name: str | None) -> tuple[Block, ...]:
    """Return the blocks of a profile, the one it extends first; the reader refused cycles."""
    blocks: list[Block] = []
    while name is not None:
        profile = declarations.profiles[name]
        blocks.append(profile.block)
        name = profile.extends
    return tuple(blocks[::-1])


def _fold(declarations: Declarations, below: _Folded, block: Block) -> _Folded:
    mode = below.work_mode
    if block.work_mode is not None:
        mode = _mode(declarations, block.work_mode, Source(block.layer, ("workMode",)))
    exclusive = below.exclusive
    if block.exclusive is not None:
        exclusive = Source(block.layer, ("exclusive",)) if block.exclusive else None
    layers = (*below.layers, block.layer)
    if not block.skills:
        return _Folded(mode, below.skills, exclusive, layers)
    skills, layer = dict(below.skills), len(below.layers)
    for name, setting in block.skills.items():
        base = skills.get(name) or _skill(name, declarations.skills[name].id)
        skills[name] = _merge(base, setting, layer)
    return _Folded(mode, skills, exclusive, layers)


def _mode(
    declarations: Declarations, name: WorkModeName, source: Source
) -> DesiredMode | FollowShift:
    if name == SCHEDULED:
        return FollowShift(source)
    return DesiredMode(declarations.modes[name], source)


def _merge(below: DesiredSkill, setting: SkillSetting, layer: int) -> DesiredSkill:
    """Lay one setting over what the lower layers say of the same skill."""
    if setting.off is not None:
        return _skill(below.name, below.id, (OFF, layer), None, setting.off)
    level, concurrent, off = _said(below.level), _said(below.concurrent), below.off
    if setting.level is not None:
        level, off = (setting.level, layer), None
    if setting.concurrent is not None and off is None:
        concurrent = (setting.concurrent, layer)
    return _skill(below.name, below.id, level, concurrent, off)


_Said = tuple[int, int | None]
"""A value, and the place of the layer that says so."""


def _said(wanted: Wanted | None) -> _Said | None:
    return None if wanted is None else (wanted.value, wanted.layer)


@lru_cache(maxsize=16_384)
def _skill(
    name: SkillName,
    id_: SkillId,
    level: _Said | None = None,
    concurrent: _Said | None = None,
    off: Off | None = None,
) -> DesiredSkill:
    """Return one object for what many agents want: there are few different ones."""
    return DesiredSkill(
        name,
        id_,
        None if level is None else Wanted(*level, ("skills", name, *([] if off else ["level"]))),
        None if concurrent is None else Wanted(*concurrent, ("skills", name, "concurrent")),
        off,
    )


# --- whom overrides match -------------------------------------------------------------------

_Pair = tuple[Team, Member]


def _matched(declarations: Declarations) -> Mapping[AgentId, tuple[Override, ...]]:
    if not declarations.overrides:
        return {}
    crowd = _Crowd(declarations)
    found: dict[AgentId, list[Override]] = defaultdict(list)
    for override in sorted(declarations.overrides, key=lambda o: (o.start, o.name)):
        for team, member in crowd.candidates(override):
            if override.match.fits(team, member):
                found[member.id].append(override)
    shared: dict[tuple[str, ...], tuple[Override, ...]] = {}
    return {
        agent: shared.setdefault(tuple(o.name for o in matched), tuple(matched))
        for agent, matched in found.items()
    }


class _Crowd:
    """Members by what a match may name, so that not everybody is asked about every override."""

    def __init__(self, declarations: Declarations) -> None:
        asked = {label for o in declarations.overrides for label in o.match.labels}
        self.keys: dict[str, _Pair] = {}
        self.teams: dict[str, list[_Pair]] = {}
        self.labels: dict[tuple[str, str], list[_Pair]] = defaultdict(list)
        for team in declarations.teams:
            pairs = [(team, member) for member in team.members]
            self.teams[team.name] = pairs
            self.keys |= {member.key: (team, member) for member in team.members}
            for pair in pairs if asked else ():
                for label in asked.intersection({**team.labels, **pair[1].labels}.items()):
                    self.labels[label].append(pair)

    def candidates(self, override: Override) -> Iterable[_Pair]:
        """Return everybody whom an override can match, and some others."""
        match = override.match
        if match.agents:
            return [self.keys[key] for key in sorted(match.agents) if key in self.keys]
        if match.teams:
            return [pair for name in sorted(match.teams) for pair in self.teams.get(name, ())]
        name = min(match.labels)[0]
        return [pair for label in match.labels if label[0] == name for pair in self.labels[label]]
