"""Which file a thing stands in, and how it is written, changes nothing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import given
from hypothesis import strategies as st

from cxplan.core.ids import AgentId, AgentKey, SkillId, SkillName, WorkModeId, WorkModeName
from cxplan.core.model import (
    Block,
    CatalogueMode,
    CatalogueSkill,
    Category,
    Declarations,
    Layer,
    LayerKind,
    Levels,
    Match,
    Member,
    Off,
    Override,
    Profile,
    SkillSetting,
    Source,
    Team,
)
from cxplan.desired.source import FolderSource
from tests.desired.trees import write

LEVELS = Levels(1, 20, {"expert": 1, "standard": 5, "trainee": 12})
SKILLS = ("billing-chat", "voice", "Außendienst", "NO")
MODES = {"available": Category.AVAILABLE, "leave": Category.UNAVAILABLE}
PROFILES = ("core", "senior")

words = st.text(st.sampled_from("abcxyzäöñ019._- "), min_size=1, max_size=12).map(str.strip)
names = words.filter(bool)
ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
levels = st.integers(1, 20)
settings = (
    st.sampled_from(list(Off)).map(lambda off: SkillSetting(off=off))
    | st.builds(SkillSetting, level=levels, concurrent=st.none() | st.integers(1, 100))
    | st.builds(SkillSetting, concurrent=st.integers(1, 100))
)


def blocks(layer: Layer) -> st.SearchStrategy[Block]:
    return st.builds(
        Block,
        st.just(layer),
        st.none() | st.sampled_from([WorkModeName(mode) for mode in MODES]),
        st.dictionaries(st.sampled_from([SkillName(skill) for skill in SKILLS]), settings),
    )


@st.composite
def overrides(draw: st.DrawFn, teams: tuple[Team, ...]) -> tuple[Override, ...]:
    """Draw overrides that come one after the other and match the first of their agents."""
    named = draw(st.lists(names, max_size=3, unique=True))
    people = [(team, member) for team in teams for member in team.members]
    found = []
    for number, name in enumerate(named):
        team, member = draw(st.sampled_from(people))
        own = {**team.labels, **member.labels}
        parts = draw(st.sets(st.sampled_from(["teams", "agents"]), min_size=1))
        pairs = {*own.items(), *((label, "another") for label in own)} if own else set()
        match = Match(
            frozenset({team.name}) if "teams" in parts else frozenset(),
            frozenset({member.key}) if "agents" in parts else frozenset(),
            frozenset(pairs) if draw(st.booleans()) else frozenset(),
            frozenset(one.key for _, one in people if one is not member and draw(st.booleans())),
        )
        layer = Layer(LayerKind.OVERRIDE, name, "", ("set",))
        block = draw(blocks(layer).filter(lambda one: one.work_mode or one.skills))
        start = datetime(2026, 11, 26, tzinfo=UTC) + timedelta(days=number)
        end = start + timedelta(seconds=draw(st.integers(1, 86_400)))
        found.append(Override(name, start, end, match, block, reason=draw(st.none() | names)))
    return tuple(found)


@st.composite
def declarations(draw: st.DrawFn) -> Declarations:
    """Draw declarations whose layers name no file."""
    agents = draw(st.lists(ids, min_size=1, max_size=6, unique=True))
    others = draw(st.lists(names, min_size=len(agents), max_size=len(agents), unique=True))
    keys = draw(st.sampled_from([agents, others]))
    team_names = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    members: dict[str, list[Member]] = {name: [] for name in team_names}
    for agent, key in zip(agents, keys, strict=True):
        layer = Layer(LayerKind.MEMBER, key, "", ("members", key))
        profile = draw(st.none() | st.sampled_from(PROFILES))
        labels = draw(st.dictionaries(names, names, max_size=1))
        member = Member(
            AgentKey(key), AgentId(agent), draw(blocks(layer)), profile, labels, draw(st.booleans())
        )
        members[draw(st.sampled_from(team_names))].append(member)
    teams = tuple(
        Team(
            name,
            draw(blocks(Layer(LayerKind.TEAM, name, ""))),
            tuple(members[name]),
            draw(st.none() | st.sampled_from(PROFILES)),
            labels=draw(st.dictionaries(names, names, max_size=1)),
        )
        for name in sorted(team_names)
    )
    return Declarations(
        "acme-demo",
        "availability-v2",
        LEVELS,
        {
            SkillName(s): CatalogueSkill(SkillName(s), SkillId(f"s{n}"))
            for n, s in enumerate(SKILLS)
        },
        {
            WorkModeName(m): CatalogueMode(WorkModeName(m), WorkModeId(f"m-{m}"), category)
            for m, category in MODES.items()
        },
        {
            "core": Profile("core", draw(blocks(Layer(LayerKind.PROFILE, "core", "")))),
            "senior": Profile(
                "senior", draw(blocks(Layer(LayerKind.PROFILE, "senior", ""))), "core"
            ),
        },
        teams,
        overrides=draw(overrides(teams)),
    )


def setting(draw: st.DrawFn, value: SkillSetting) -> Any:
    """Return one of the ways to write a setting."""
    if value.off:
        return value.off.value
    level: Any = value.level
    by_number = {number: name for name, number in LEVELS.names.items()}
    if level in by_number and draw(st.booleans()):
        level = by_number[level]
    if value.concurrent is None and draw(st.booleans()):
        return level
    parts = {"level": level, "concurrent": value.concurrent}
    return {key: part for key, part in parts.items() if part is not None}


def block(draw: st.DrawFn, value: Block) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if value.work_mode:
        written["workMode"] = value.work_mode
    if value.skills:
        written["skills"] = {name: setting(draw, one) for name, one in value.skills.items()}
    return written


def filled(**parts: Any) -> dict[str, Any]:
    return {key: part for key, part in parts.items() if part not in (None, {})}


def documents(draw: st.DrawFn, wanted: Declarations) -> list[dict[str, Any]]:
    """Return what the files say; the catalogue in one file or in several."""
    skills = {name: {"id": skill.id} for name, skill in wanted.skills.items()}
    modes = {
        name: {"id": mode.id, "category": mode.category} for name, mode in wanted.modes.items()
    }
    split = draw(st.integers(0, len(skills)))
    parts = [dict(list(skills.items())[:split]), dict(list(skills.items())[split:])]
    return [
        {
            "apiVersion": "cxplan/v1",
            "tenant": wanted.tenant,
            "api": wanted.api,
            "levels": {"best": 1, "worst": 20, "names": dict(LEVELS.names)},
        },
        *({"skills": part} for part in parts if part),
        {"workModes": modes},
        *(
            {"profile": name, **filled(extends=profile.extends), **block(draw, profile.block)}
            for name, profile in wanted.profiles.items()
        ),
        *(team(draw, one) for one in wanted.teams),
        *(override(draw, one) for one in wanted.overrides),
    ]


def team(draw: st.DrawFn, value: Team) -> dict[str, Any]:
    members = {
        member.key: {
            **({} if str(member.id) == member.key else {"id": member.id}),
            **filled(profile=member.profile, labels=dict(member.labels)),
            **({"protected": True} if member.protected else {}),
            **block(draw, member.block),
        }
        for member in value.members
    }
    own = filled(profile=value.profile, labels=dict(value.labels))
    return {"team": value.name, **own, **block(draw, value.block), "members": members}


def override(draw: st.DrawFn, value: Override) -> dict[str, Any]:
    match: dict[str, Any] = {
        part: sorted(getattr(value.match, part)) for part in ("teams", "agents", "exclude")
    }
    wanted: dict[str, list[str]] = {}
    for label, one in sorted(value.match.labels):
        wanted.setdefault(label, []).append(one)
    match["labels"] = {label: some if some[1:] else some[0] for label, some in wanted.items()}
    return {
        "override": value.name,
        "from": instant(draw, value.start),
        "until": instant(draw, value.end),
        "match": {key: part for key, part in match.items() if part},
        "set": block(draw, value.block),
        **filled(reason=value.reason),
    }


def instant(draw: st.DrawFn, value: datetime) -> str:
    """Return one of the ways to write an instant."""
    minutes = draw(st.integers(-14 * 60, 14 * 60))
    text = value.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
    return text.replace("+00:00", draw(st.sampled_from(["Z", "+00:00", "-00:00"])))


def dumped(value: Any, style: int, indent: str = "") -> str:
    """Return YAML: as JSON, in plain lines, or in lines with single quotes."""
    if not isinstance(value, dict):
        text = json.dumps(value, ensure_ascii=style == 0)
        return f"'{value}'" if style == 2 and isinstance(value, str) else text
    if style == 0 or not value:
        return json.dumps(value, ensure_ascii=False)
    lines = []
    for key, inner in value.items():
        nested = isinstance(inner, dict) and inner
        below = dumped(inner, style, indent + "  ")
        lines.append(f"{indent}{dumped(key, style)}:" + (f"\n{below}" if nested else f" {below}"))
    return "\n".join(lines)


@st.composite
def trees(draw: st.DrawFn) -> tuple[Declarations, dict[str, str]]:
    wanted = draw(declarations())
    files = {}
    for number, document in enumerate(documents(draw, wanted)):
        folder = draw(st.sampled_from(["", "teams/", "a/b/c/", "catalogue/", "Z/"]))
        name = (
            f"{folder}{draw(st.integers(0, 9))}-{number}.{draw(st.sampled_from(['yaml', 'yml']))}"
        )
        keys = draw(st.permutations(list(document)))
        style = draw(st.integers(0, 2))
        files[name] = dumped({key: document[key] for key in keys}, style) + "\n"
    return wanted, files


def without_file(block: Block) -> Block:
    return replace(block, layer=replace(block.layer, file=""))


def without_files(found: Declarations) -> Declarations:
    return replace(
        found,
        profiles={
            name: replace(profile, block=without_file(profile.block))
            for name, profile in found.profiles.items()
        },
        teams=tuple(
            replace(
                one,
                block=without_file(one.block),
                members=tuple(
                    replace(member, block=without_file(member.block)) for member in one.members
                ),
            )
            for one in found.teams
        ),
        overrides=tuple(replace(one, block=without_file(one.block)) for one in found.overrides),
    )


def settings_of(found: Declarations) -> Iterator[tuple[Layer, SkillName, SkillSetting]]:
    members = [member.block for one in found.teams for member in one.members]
    profiles = [profile.block for profile in found.profiles.values()]
    teams = [one.block for one in found.teams]
    overrides = [one.block for one in found.overrides]
    for one in (*members, *profiles, *teams, *overrides):
        for name, value in one.skills.items():
            yield one.layer, name, value


def ways_to_write(value: SkillSetting) -> tuple[str, ...]:
    words = [value.off.value] if value.off else [str(value.level)]
    words += [name for name, number in LEVELS.names.items() if number == value.level]
    return tuple(quote + word for quote in ("", '"', "'") for word in words)


@hypothesis.settings(deadline=None)
@given(trees())
def test_any_layout_reads_as_what_was_meant(drawn: tuple[Declarations, dict[str, str]]) -> None:
    wanted, files = drawn
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {name: text.encode() for name, text in files.items()})
        source = FolderSource(Path(folder))
        found = source.read()
    assert without_files(found) == wanted
    for layer, name, value in settings_of(found):
        origin = source.locate(Source(layer, ("skills", name, "level")))
        line = files[layer.file].splitlines()[origin.line - 1]
        at = line[origin.column - 1 :]
        if value.off or value.level:
            assert at.startswith(ways_to_write(value))
        else:
            assert at.startswith((name, json.dumps(name, ensure_ascii=False), f"'{name}'"))
