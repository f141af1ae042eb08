"""A desired state and a snapshot of its tenant: what a plan of any number of agents needs offline.

Teams of 100, a file each. A member has 27 lines and 8 skills: six in its own lines, two from its
profile; every second team follows its shifts. In the snapshot every agent has a week of shifts, one
of which runs now, and every twentieth holds one of its own skills at another level.

``-m tests.benchmarks.offline_files FOLDER AGENTS`` writes ``desired`` and ``live.snapshot`` there,
in a process of its own: what a process holds counts as memory of those that it starts, too.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cxplan.core.ids import AgentId, ETag, SkillId, WorkModeId
from cxplan.core.live import Assignment, ListedSkill, ObservedAgent, Schedule, Shift, TenantLists
from cxplan.core.plan import TenantRef
from cxplan.core.snapshot import SnapshotAgent, SnapshotHeader
from cxplan.snapshots.writer import SnapshotWriter

TEAM_SIZE = 100
EVERY = 20
"""One agent in so many differs."""
OWN, INHERITED = 6, 2
LINES_AN_AGENT = 27
TENANT = TenantRef("bench", "availability-v2", "https://api.example", "t-1")
MODES = ("available", "training", "off-shift")
MAXIMUM = 4
SKILLS = tuple(
    f"{line}-{channel}-{language}"
    for line in ("billing", "tech", "retention", "orders", "claims")
    for channel in ("voice", "chat", "email")
    for language in ("en", "es", "de", "fr")
)
PROFILES = tuple(SKILLS[start : start + INHERITED] for start in range(0, len(SKILLS), 12))
"""The skills of each profile; they come on top of a member's own."""


@dataclass(frozen=True, slots=True)
class Skill:
    """One skill of an agent as it is declared."""

    name: str
    level: int
    concurrent: int


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent as it is declared; ``own`` stand in its lines, the rest in its profile."""

    number: int
    own: tuple[Skill, ...]

    @property
    def id(self) -> str:
        return f"agent-{self.number:06d}"

    @property
    def profile(self) -> int:
        return self.number // TEAM_SIZE % len(PROFILES)

    @property
    def scheduled(self) -> bool:
        return self.number // TEAM_SIZE % 2 == 1

    def held(self) -> list[Skill]:
        """Return all skills, those of the profile too."""
        return [*inherited(self.profile), *self.own]


def inherited(profile: int) -> list[Skill]:
    """Return what a profile declares."""
    return [Skill(name, 5, 2) for name in PROFILES[profile]]


def crowd(agents: int) -> Iterator[Agent]:
    """Yield the agents, the same at each call."""
    draws = random.Random(7)
    for number in range(agents):
        profile = PROFILES[number // TEAM_SIZE % len(PROFILES)]
        names = draws.sample([name for name in SKILLS if name not in profile], OWN)
        own = [Skill(name, draws.randint(1, 20), draws.randint(1, MAXIMUM)) for name in names]
        yield Agent(number, tuple(own))


def write_desired(folder: Path, agents: int) -> None:
    """Write the files of the desired state to a new ``folder``."""
    for name in ("catalogue", "profiles", "teams"):
        (folder / name).mkdir(parents=True)
    _lines(folder / "tenant.yaml", _tenant())
    _lines(folder / "guards.yaml", _guards(agents))
    _lines(folder / "catalogue/skills.yaml", _skills())
    _lines(folder / "catalogue/work-modes.yaml", _modes())
    for number in range(len(PROFILES)):
        _lines(folder / f"profiles/profile-{number}.yaml", _profile(number))
    team: list[str] = []
    for agent in crowd(agents):
        if agent.number % TEAM_SIZE == 0:
            team = [f"team: Team {agent.number // TEAM_SIZE:04d}", "members:"]
        team += _member(agent)
        if agent.number % TEAM_SIZE == TEAM_SIZE - 1:
            _lines(folder / f"teams/{agent.number // TEAM_SIZE:04d}.yaml", team)


def _lines(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join([*lines, ""]), "utf-8")


def _tenant() -> list[str]:
    head = [f"{key}: {value}" for key, value in _HEAD.items()]
    return [*head, "levels:", "  best: 1", "  worst: 20"]


_HEAD = {"apiVersion": "cxplan/v1", "tenant": TENANT.name, "api": TENANT.api}


def _guards(agents: int) -> list[str]:
    return [
        "guards:",
        f"  maxAgentsChanged: {{percent: 50, orAtLeast: 10, atMost: {agents}}}",
        "  totalConcurrent: {atMost: 40}",
    ]


def _skills() -> list[str]:
    return ["skills:", *(f'  {s}: {{id: "{s}", maxConcurrent: {MAXIMUM}}}' for s in SKILLS)]


def _modes() -> list[str]:
    categories = zip(MODES, ("available", "unavailable", "offline"), strict=True)
    return ["workModes:", *(f'  {m}: {{id: "m-{m}", category: {c}}}' for m, c in categories)]


def _profile(number: int) -> list[str]:
    return [f"profile: profile-{number}", "skills:", *_own(inherited(number), "  ")]


def _member(agent: Agent) -> list[str]:
    lines = [
        f"  name-{agent.number:06d}:",
        f'    id: "{agent.id}"',
        f"    profile: profile-{agent.profile}",
        f"    workMode: {'scheduled' if agent.scheduled else 'available'}",
        "    labels:",
        f"      site: site-{agent.number // 7 % 12}",
        f"      language: {SKILLS[agent.number % 4][-2:]}",
        f"      cohort: cohort-{agent.number // 11 % 40}",
        "    skills:",
        *_own(agent.own, "      "),
    ]
    assert len(lines) == LINES_AN_AGENT
    return lines


def _own(skills: tuple[Skill, ...] | list[Skill], indent: str) -> list[str]:
    return [
        f"{indent}{line}"
        for skill in skills
        for line in (
            f"{skill.name}:",
            f"  level: {skill.level}",
            f"  concurrent: {skill.concurrent}",
        )
    ]


def write_snapshot(path: Path, agents: int) -> None:
    """Write a snapshot of the tenant, taken now."""
    now = datetime.now(UTC).replace(microsecond=0)
    weeks = [_week(now, pattern) for pattern in range(8)]
    writer = SnapshotWriter()
    writer.begin(SnapshotHeader(TENANT, now, agents, _LISTS, "0"))
    for agent in crowd(agents):
        writer.add(SnapshotAgent(_observed(agent), weeks[agent.number % len(weeks)]))
    writer.write(path)


_LISTS = TenantLists(
    {SkillId(name): ListedSkill(name, MAXIMUM) for name in SKILLS},
    {WorkModeId(f"m-{name}"): name for name in MODES},
)


def _week(now: datetime, pattern: int) -> Schedule:
    """Return five shifts of eight hours; the first began some minutes to two hours ago."""
    first = now - timedelta(minutes=30 + 15 * pattern)
    starts = [first + timedelta(days=day) for day in range(5)]
    mode = WorkModeId("m-available")
    return Schedule(tuple(Shift(start, start + timedelta(hours=8), mode) for start in starts))


def _observed(agent: Agent) -> ObservedAgent:
    held = {skill.name: skill.level for skill in agent.held()}
    if agent.number % EVERY == 0:
        held[agent.own[0].name] = agent.own[0].level % 20 + 1
    skills = [
        Assignment(SkillId(s.name), held[s.name], s.concurrent, MAXIMUM) for s in agent.held()
    ]
    return ObservedAgent(
        AgentId(agent.id),
        ETag(f'"{agent.number:016x}"'),
        WorkModeId("m-available"),
        tuple(sorted(skills, key=lambda skill: skill.skill_id)),
    )


def main() -> None:
    """Write both; the number of agents is a multiple of the size of a team."""
    folder, agents = Path(sys.argv[1]), int(sys.argv[2])
    write_desired(folder / "desired", agents)
    write_snapshot(folder / "live.snapshot", agents)


if __name__ == "__main__":
    main()
