"""Random files on a random tenant, each world made wholly by its seed.

The files are ones that the reader accepts: names resolve, and no two overrides set one value. The
tenant is as odd as tenants are.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from cxplan.core.ids import AgentId, AgentKey, ETag, SkillId, SkillName, WorkModeId
from cxplan.core.live import (
    Assignment,
    ListedSkill,
    ObservedAgent,
    Schedule,
    ScheduleReading,
    Shift,
    TenantLists,
    UnreadableSchedule,
    UnreadAgent,
)
from cxplan.core.meaning import protected
from cxplan.core.model import (
    Block,
    CatalogueSkill,
    Declarations,
    DesiredAgent,
    DesiredMode,
    DesiredSkill,
    LayerKind,
    Levels,
    Match,
    Member,
    Off,
    Override,
    Profile,
    SkillSetting,
    Team,
)
from cxplan.core.resolve import resolve
from cxplan.core.rules import (
    Coverage,
    Freeze,
    GuardSettings,
    Limit,
    OverrideRules,
    Policy,
    ShiftPolicy,
)
from cxplan.core.scope import Atom, Scope
from cxplan.core.strictness import Allowance, armed
from tests.core.make import MODES, NOW, block, schedule, shift
from tests.usecases.fake import FakeTenant, Stage

SKILLS = {
    SkillName(name): CatalogueSkill(SkillName(name), SkillId(f"skill-{name}"), None, maximum)
    for name, maximum in [("voice", 2), ("chat", 4), ("mail", None), ("social", 5), ("back", None)]
}
FOREIGN = (SkillId("skill-of-others"), SkillId("a-skill-of-others"))
"""Held by agents and unknown to the files; they sort before and after those of the files."""

Key = TypeVar("Key")
Value = TypeVar("Value")

LEVELS = (1, 3, 5, 12)
SITES = ("north", "south")
OTHER_MODE = WorkModeId("mode-of-others")


class Dice(random.Random):
    """Chances in percent."""

    def chance(self, percent: int) -> bool:
        return self.randrange(100) < percent


def world(seed: int) -> Stage:
    """The files, and the tenant they are for."""
    dice = Dice(seed)
    teams = tuple(_teams(dice))
    best, worst = dice.choice([(1, 20), (20, 1)])
    files = Declarations(
        tenant="acme-demo",
        api="availability-v2",
        levels=Levels(best, worst, {"senior": 3, "standard": 5}),
        skills=SKILLS,
        modes=MODES,
        profiles={found.name: found for found in _profiles(dice)},
        teams=teams,
        guards=_guards(dice),
        overrides=tuple(sorted(_overrides(dice, teams), key=lambda o: (o.start, o.name))),
    )
    return Stage(files, _tenant(dice, files))


# --- the files ------------------------------------------------------------------------------


def _profiles(dice: Dice) -> Iterator[Profile]:
    lower = None
    for name in ("base", "core", "senior"):
        values = block(
            LayerKind.PROFILE, name, _skills(dice, 2), _mode(dice, 25), _exclusive(dice, 8)
        )
        yield Profile(name, values, lower)
        lower = name


def _teams(dice: Dice) -> Iterator[Team]:
    ids = [f"agent-{number:02d}" for number in range(20)]
    dice.shuffle(ids)
    for name in ("East", "West", "Nights")[: dice.randint(1, 3)]:
        members = tuple(_member(dice, f"{name[0].lower()}{i}", ids.pop()) for i in _some(dice))
        values = block(
            LayerKind.TEAM, name, _skills(dice, 2), _mode(dice, 15), _exclusive(dice, 10)
        )
        labels = {"site": dice.choice(SITES)}
        profile = dice.choice([None, "base", "core", "senior"])
        yield Team(name, values, members, profile, labels=labels)


def _some(dice: Dice) -> range:
    return range(dice.randint(1, 6))


def _member(dice: Dice, key: str, agent_id: str) -> Member:
    return Member(
        AgentKey(key),
        AgentId(agent_id),
        block(LayerKind.MEMBER, key, _skills(dice, 1), _mode(dice, 10), _exclusive(dice, 15)),
        dice.choice(["base", "senior"]) if dice.chance(15) else None,
        {"site": dice.choice(SITES)} if dice.chance(20) else {},
        protected=dice.chance(4),
    )


def _skills(dice: Dice, at_most: int) -> dict[str, object]:
    return {name: _setting(dice) for name in dice.sample(list(SKILLS), dice.randint(0, at_most))}


def _setting(dice: Dice) -> SkillSetting:
    level, concurrent = dice.choice(LEVELS), dice.choice([1, 1, 1, 2, 4])
    return dice.choice(
        [
            *[SkillSetting(level)] * 4,
            *[SkillSetting(level, concurrent)] * 2,
            SkillSetting(None, concurrent),
            SkillSetting(off=Off.DISABLED),
            SkillSetting(off=Off.ABSENT),
        ]
    )


def _mode(dice: Dice, percent: int) -> str | None:
    return dice.choice(["scheduled", *MODES]) if dice.chance(percent) else None


def _exclusive(dice: Dice, percent: int) -> bool | None:
    return dice.chance(70) if dice.chance(percent) else None


def _overrides(dice: Dice, teams: tuple[Team, ...]) -> Iterator[Override]:
    """No two of them name one skill, and only the first may set the work mode."""
    names = dice.sample(list(SKILLS), len(SKILLS))
    for number in range(dice.choice([0, 0, 1, 2, 3])):
        name = f"CHG-{number}"
        begin, end = dice.choice([(-96, -60), (-5, -1), (-5, 0), (-4, 5), (0, 3), (2, 50)])
        mode = _mode(dice, 40) if number == 0 else None
        settings: dict[str, object] = {names.pop(): _setting(dice)}
        yield Override(
            name,
            NOW + timedelta(hours=begin),
            NOW + timedelta(hours=end),
            _match(dice, teams),
            block(LayerKind.OVERRIDE, name, settings, mode),
            reason="peak" if dice.chance(85) else None,
        )


def _match(dice: Dice, teams: tuple[Team, ...]) -> Match:
    keys = [member.key for team in teams for member in team.members]
    without = frozenset(dice.sample(keys, 1)) if dice.chance(20) else frozenset()
    match dice.choice(["team", "agents", "label"]):
        case "team":
            return Match(teams=frozenset({dice.choice(teams).name}), exclude=without)
        case "label":
            return Match(labels=frozenset({("site", dice.choice(SITES))}), exclude=without)
        case _:
            return Match(agents=frozenset(dice.sample(keys, min(3, len(keys)))))


def _guards(dice: Dice) -> GuardSettings:
    return GuardSettings(
        max_agents_changed=_limit(dice, Limit(30, 10, 1000)),
        max_skills_removed=_limit(dice, Limit(10, 10, 500)),
        no_agent_without_skill=dice.chance(60),
        shifts=_shifts(dice),
        total_concurrent=dice.choice([None, None, 4, 6, 8]),
        min_coverage=tuple(_coverage(dice)),
        freeze=_freezes(dice),
        overrides=dice.choice(
            [None, OverrideRules(), OverrideRules(), OverrideRules(deny_when_expired_days=1)]
        ),
    )


def _limit(dice: Dice, default: Limit) -> Limit | None:
    return dice.choice([default, default, default, None, Limit(0, dice.randint(1, 3), 1000)])


def _shifts(dice: Dice) -> ShiftPolicy:
    if dice.chance(40):
        return ShiftPolicy()
    one, two, three, four = dice.choices(list(Policy), k=4)
    return ShiftPolicy(one, two, three, four, dice.choice([0, 15, 60]))


def _coverage(dice: Dice) -> Iterator[Coverage]:
    for name in dice.sample(list(SKILLS), dice.choice([0, 0, 0, 1, 2])):
        yield Coverage(name, dice.randint(1, 3), dice.choice([None, 5]), dice.choice([8, 24]))


def _freezes(dice: Dice) -> tuple[Freeze, ...]:
    """None of them is on: one is over at this very instant, one begins later."""
    hour = timedelta(hours=1)
    over = Freeze("over", NOW - hour, NOW)
    later = Freeze("later", NOW + timedelta(seconds=1), NOW + hour, except_overrides=True)
    return dice.choice([(), (), (over,), (over, later)])


# --- what is asked --------------------------------------------------------------------------


def asked(seed: int, files: Declarations) -> dict[str, Any]:
    """What a request asks beside: mostly nothing, else allowances, a scope or a base."""
    dice = Dice(seed)
    match dice.choice(["", "", "allowed", "scope", "base"]):
        case "allowed":
            on = armed(files.guards, any_protected=bool(protected(files)))
            return {"allowed": tuple(Allowance(name, "reviewed") for name in sorted(on))}
        case "scope":
            return {"scope": _scope(dice, files)}
        case "base":
            other = world(seed + 1_000_000).declarations
            guards = dice.choice([files.guards, other.guards])
            return {"base": replace(other, teams=_retained(dice, files), guards=guards)}
        case _:
            return {}


def _scope(dice: Dice, files: Declarations) -> Scope:
    team, skill = dice.choice(files.teams), dice.choice(list(SKILLS))
    atoms = (Atom("team", team.name), Atom("skill", skill))
    chosen = ((dice.choice(atoms),),)
    some = chosen if len(files.teams) > 1 else (atoms[1:],)
    return dice.choice([Scope(only=chosen), Scope(exclude=some), Scope(only=(atoms,))])


def _retained(dice: Dice, files: Declarations) -> tuple[Team, ...]:
    """The teams of before: some members had other values, some were protected."""
    return tuple(
        replace(
            team,
            members=tuple(
                _member(dice, member.key, member.id) if dice.chance(50) else member
                for member in team.members
            ),
        )
        for team in files.teams
    )


# --- the tenant -----------------------------------------------------------------------------


def _tenant(dice: Dice, files: Declarations) -> FakeTenant:
    tenant = FakeTenant({}, listed=_lists(dice))
    for agent in resolve(files).at(NOW):
        if not dice.chance(4):
            tenant.agents[agent.id] = _live(dice, agent)
        if dice.chance(3):
            tenant.readings[agent.id] = UnreadAgent(agent.id, "http.503", "the tenant is busy")
        tenant.schedules[agent.id] = _schedule(dice, agent)
    return tenant


def _lists(dice: Dice) -> TenantLists:
    """Whole, short of one id, without names, or not there at all."""
    skills = {each: ListedSkill() for each in FOREIGN} | {
        each.id: ListedSkill(dice.choice([each.name.title(), "Another"]), dice.choice([None, 2, 5]))
        for each in SKILLS.values()
    }
    modes: Mapping[WorkModeId, str | None] = {
        mode.id: dice.choice([mode.name, None, "Another Name"]) for mode in MODES.values()
    }
    if dice.chance(15):
        skills = _without_one(dice, skills)
    if dice.chance(15):
        modes = _without_one(dice, modes)
    return TenantLists(
        None if dice.chance(40) else skills,
        None if dice.chance(40) else modes,
    )


def _without_one(dice: Dice, entries: Mapping[Key, Value]) -> dict[Key, Value]:
    left_out = dice.choice(list(entries))
    return {key: value for key, value in entries.items() if key != left_out}


def _live(dice: Dice, agent: DesiredAgent) -> ObservedAgent:
    wanted = {skill.id: skill for skill in agent.skills}
    held = [
        _as_wanted(dice, wanted[each]) if each in wanted and dice.chance(55) else _held(dice, each)
        for each in [skill.id for skill in SKILLS.values()]
        if dice.chance(70)
    ]
    held += [_held(dice, each) for each in FOREIGN if dice.chance(20)]
    return ObservedAgent(
        agent.id,
        None if dice.chance(4) else ETag(f'"{dice.randrange(100)}"'),
        _live_mode(dice, agent),
        tuple(sorted(held, key=lambda each: each.skill_id)),
    )


def _held(dice: Dice, skill: SkillId) -> Assignment:
    level = dice.choice([*LEVELS, *LEVELS, 0, 0])
    return Assignment(
        skill,
        None if dice.chance(4) else level,
        dice.choice([1, 1, 2, None, 0 if level == 0 else 1]),
        dice.choice([None, 0, 1, 2, 5, 5, 5, 5]),
    )


def _as_wanted(dice: Dice, skill: DesiredSkill) -> Assignment:
    """As wanted in what is declared, with a limit that mostly leaves room."""
    level = skill.level.value if skill.level else dice.choice(LEVELS)
    concurrent = skill.concurrent.value if skill.concurrent else 1
    return Assignment(skill.id, level, 0 if level == 0 else concurrent, dice.choice([5, 5, 3]))


def _live_mode(dice: Dice, agent: DesiredAgent) -> WorkModeId | None:
    if dice.chance(4):
        return None
    if isinstance(agent.work_mode, DesiredMode) and dice.chance(40):
        return agent.work_mode.mode.id
    return dice.choice([OTHER_MODE, *(mode.id for mode in MODES.values())])


def _schedule(dice: Dice, agent: DesiredAgent) -> ScheduleReading:
    """Mostly a running shift, and mostly one whose mode fits what the files want."""
    if dice.chance(12):
        return UnreadableSchedule("http.503: the tenant is busy")
    mode = dice.choice(list(MODES))
    if isinstance(agent.work_mode, DesiredMode) and dice.chance(50):
        mode = agent.work_mode.mode.name
    running = schedule(shift(-dice.randint(0, 4), 5, mode))
    return running if dice.chance(35) else dice.choice(_odd_schedules(mode))


def _odd_schedules(mode: str) -> list[Schedule]:
    backwards = Shift(NOW, NOW - timedelta(hours=2), WorkModeId(f"mode-{mode}"))
    return [
        schedule(),
        schedule(backwards),
        schedule(shift(-4, 4, "off"), shift(0, 4, mode)),  # one ends as the next begins
        schedule(shift(5, 4, mode)),  # later
        schedule(shift(-9, 4, mode)),  # over
        schedule(shift(0.1, 4, mode)),  # within grace, if there is any
        schedule(shift(-4, 4, mode)),
        schedule(shift(-4, 5, mode), shift(-1, 4, mode)),  # overlapping, and as good as one
        schedule(shift(-4, 5, mode), shift(-1, 4, "of-others")),  # overlapping in two modes
        schedule(shift(-4, 30, mode)),  # too long
    ]


# --- the same, written otherwise --------------------------------------------------------------


def shuffled(files: Declarations, seed: int) -> Declarations:
    """The same files, with everything that has no order in another one."""
    dice = Dice(seed)
    return replace(
        files,
        teams=_mixed(dice, [replace(t, members=_mixed(dice, t.members)) for t in files.teams]),
        skills=dict(_mixed(dice, files.skills.items())),
        modes=dict(_mixed(dice, files.modes.items())),
        profiles=dict(_mixed(dice, files.profiles.items())),
    )


def in_one_file(files: Declarations) -> Declarations:
    """The same files, all of them in one."""

    def moved(block: Block) -> Block:
        return replace(block, layer=replace(block.layer, file="everything.yaml"))

    def rehoused(team: Team) -> Team:
        members = tuple(replace(each, block=moved(each.block)) for each in team.members)
        return replace(team, block=moved(team.block), members=members)

    return replace(
        files,
        profiles={n: replace(p, block=moved(p.block)) for n, p in files.profiles.items()},
        teams=tuple(rehoused(team) for team in files.teams),
        overrides=tuple(replace(o, block=moved(o.block)) for o in files.overrides),
    )


def _mixed(dice: Dice, items: Iterable[Value]) -> tuple[Value, ...]:
    found = list(items)
    dice.shuffle(found)
    return tuple(found)
