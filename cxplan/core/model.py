"""The nouns of the files: what people declared, and what is wanted of one agent.

Frozen values only. A level is an integer on the tenant's
scale, 0 meaning that the skill is assigned but switched off; names of levels exist only in the
files and on the screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cxplan.core.ids import AgentId, AgentKey, SkillId, SkillName, WorkModeId, WorkModeName
from cxplan.core.rules import GuardSettings

# --- what people declared -------------------------------------------------------------------


class Category(StrEnum):
    """What a work mode means for routing."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class CatalogueSkill:
    """A skill's human name and the tenant's id; ``max_concurrent`` where the files state one."""

    name: SkillName
    id: SkillId
    channel: str | None = None
    max_concurrent: int | None = None


@dataclass(frozen=True, slots=True)
class CatalogueMode:
    """A work mode's human name, the tenant's id and its category."""

    name: WorkModeName
    id: WorkModeId
    category: Category


@dataclass(frozen=True, slots=True)
class Levels:
    """Which end of the scale is better, and the names of levels on it."""

    best: int
    worst: int
    names: Mapping[str, int] = field(default_factory=dict)

    def allows(self, level: int) -> bool:
        """Tell whether ``level`` lies on the scale."""
        return min(self.best, self.worst) <= level <= max(self.best, self.worst)

    def better(self, before: int, after: int) -> bool:
        """Tell whether ``after`` is nearer to the best end than ``before``."""
        return abs(after - self.best) < abs(before - self.best)


class LayerKind(StrEnum):
    """Where a value may be declared; later ones win."""

    PROFILE = "profile"
    TEAM = "team"
    MEMBER = "member"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class Layer:
    """One block of declarations: kind, name, file, and the keys that lead to it in the file."""

    kind: LayerKind
    name: str
    file: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Where one effective value was written: a layer and the keys below it.

    Line and column are looked up only when somebody is to see them (``ports.DesiredSource``).
    """

    layer: Layer
    keys: tuple[str, ...]


class Off(StrEnum):
    """The two ways of not routing by a skill."""

    DISABLED = "disabled"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class SkillSetting:
    """What one layer says of one skill: a level, a concurrency, or that it is off."""

    level: int | None = None
    concurrent: int | None = None
    off: Off | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """What one layer declares. Names refer to the catalogue and are known to exist.

    ``work_mode`` may be ``SCHEDULED``; ``exclusive`` is None where the layer does not say.
    """

    layer: Layer
    work_mode: WorkModeName | None = None
    skills: Mapping[SkillName, SkillSetting] = field(default_factory=dict)
    exclusive: bool | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A named bundle of work mode and skill levels."""

    name: str
    block: Block
    extends: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One agent of a team; ``id`` is the key itself where the files give none."""

    key: AgentKey
    id: AgentId
    block: Block
    profile: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    protected: bool = False
    """Whether any change of this agent needs ``--allow protected=…``."""


@dataclass(frozen=True, slots=True)
class Team:
    """A team, its default profile and its members."""

    name: str
    block: Block
    members: tuple[Member, ...] = ()
    profile: str | None = None
    time_zone: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """Whom an override is for: any value within a part, all parts that are given together.

    An empty part asks nothing; at least one is not empty. ``labels`` are pairs, those of a member
    over those of its team.
    """

    teams: frozenset[str] = frozenset()
    agents: frozenset[AgentKey] = frozenset()
    labels: frozenset[tuple[str, str]] = frozenset()
    exclude: frozenset[AgentKey] = frozenset()

    def fits(self, team: Team, member: Member) -> bool:
        """Tell whether a member of a team is meant."""
        if member.key in self.exclude:
            return False
        carried = {**team.labels, **member.labels}
        wanted: dict[str, set[str]] = {}
        for name, value in self.labels:
            wanted.setdefault(name, set()).add(value)
        return (
            (not self.teams or team.name in self.teams)
            and (not self.agents or member.key in self.agents)
            and all(carried.get(name) in values for name, values in wanted.items())
        )


@dataclass(frozen=True, slots=True)
class Override:
    """A change with a beginning and an end, ``[start, end)`` in UTC; a layer over all others."""

    name: str
    start: datetime
    end: datetime
    match: Match
    block: Block
    reason: str | None = None
    ticket: str | None = None
    owner: str | None = None

    def active(self, at: datetime) -> bool:
        """Tell whether it counts at an instant."""
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class Declarations:
    """Everything that the files say, with all references known to resolve."""

    tenant: str
    api: str
    levels: Levels
    skills: Mapping[SkillName, CatalogueSkill]
    modes: Mapping[WorkModeName, CatalogueMode]
    profiles: Mapping[str, Profile]
    teams: tuple[Team, ...]
    guards: GuardSettings = field(default_factory=GuardSettings)
    time_zone: str | None = None
    overrides: tuple[Override, ...] = ()
    """By start, then name."""


# --- what is wanted of one agent ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """One effective value; agents that want the same share it, so it names no layer of its own.

    ``layer`` is the place among the agent's layers of the one that made it, None for a built-in
    default; ``keys`` lead to the value below that layer.
    """

    value: int
    layer: int | None = None
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DesiredSkill:
    """What is wanted of one skill; a part that is None is unmanaged.

    With ``off`` set, ``level`` is the wanted 0 with its source and ``concurrent`` is None.
    """

    name: SkillName
    id: SkillId
    level: Wanted | None = None
    concurrent: Wanted | None = None
    off: Off | None = None


@dataclass(frozen=True, slots=True)
class DesiredMode:
    """The wanted work mode and the place that made it."""

    mode: CatalogueMode
    source: Source


@dataclass(frozen=True, slots=True)
class FollowShift:
    """The mode of the shift that runs at the instant is wanted, and the place that says so."""

    source: Source


@dataclass(frozen=True, slots=True)
class DesiredAgent:
    """What the files want of one agent; what they do not name is unmanaged.

    ``exclusive`` is the place that says that skills held and not declared are to be absent.
    ``layers`` are all that count for it, later ones winning.
    """

    id: AgentId
    key: AgentKey
    team: str
    skills: tuple[DesiredSkill, ...]
    work_mode: DesiredMode | FollowShift | None = None
    exclusive: Source | None = None
    layers: tuple[Layer, ...] = ()

    def source(self, wanted: Wanted) -> Source | None:
        """Return where one of its values was written; None for a built-in default."""
        if wanted.layer is None:
            return None
        return Source(self.layers[wanted.layer], wanted.keys)
