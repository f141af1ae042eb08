"""Overrides that meet: what is found at once is what looking at every instant finds."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxplan.core.errors import Problem
from cxplan.core.ids import AgentId, AgentKey
from cxplan.core.model import Block, Layer, LayerKind, Match, Member, Override, Team
from cxplan.desired.crowd import crowd_of
from tests.desired.trees import override, problems, tree, write

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOURS = 6
TEAMS = {"East": ("a", "b"), "West": ("c", "d")}
LABELS = {"site": ("x", "y"), "shift": ("early", "late")}

labels = st.fixed_dictionaries({}, optional={n: st.sampled_from(v) for n, v in LABELS.items()})
some_agents = st.sets(st.sampled_from([key for keys in TEAMS.values() for key in keys]), min_size=1)
settings = st.sampled_from(
    [
        *[1, 5, "expert", "standard", "disabled", "absent"],
        *[{"level": "expert"}, {"concurrent": 1}, {"concurrent": 2}],
        *[{"level": 5, "concurrent": 2}, {"level": 1, "concurrent": 1}],
    ]
)
LEVELS = {"expert": 1, "standard": 5}


@dataclass(frozen=True)
class World:
    """Labels of teams and members, and overrides as they are written; times are hours."""

    team_labels: dict[str, dict[str, str]]
    member_labels: dict[str, dict[str, str]]
    overrides: tuple[dict[str, Any], ...]

    def teams(self) -> tuple[Team, ...]:
        return tuple(
            Team(
                name,
                Block(Layer(LayerKind.TEAM, name, "")),
                tuple(
                    Member(
                        AgentKey(key),
                        AgentId(key),
                        Block(Layer(LayerKind.MEMBER, key, "")),
                        labels=self.member_labels[key],
                    )
                    for key in keys
                ),
                labels=self.team_labels[name],
            )
            for name, keys in TEAMS.items()
        )

    def files(self) -> dict[str, bytes]:
        files = tree(team=None)
        for name, keys in TEAMS.items():
            members = {key: {"labels": self.member_labels[key]} for key in keys}
            text = {"team": name, "labels": self.team_labels[name], "members": members}
            files[f"{name}.yaml"] = json.dumps(text).encode()
        for number, one in enumerate(self.overrides):
            text = {
                **one,
                "override": f"o{number}",
                "from": clock(one["from"]).isoformat(),
                "until": clock(one["until"]).isoformat(),
            }
            files[f"o{number}.yaml"] = json.dumps(text).encode()
        return files


def clock(hour: int) -> datetime:
    """Return an instant; each hour in another zone, since zones must not matter."""
    return (NOON + timedelta(hours=hour)).astimezone(
        datetime.strptime(f"{hour - 3:+03d}00", "%z").tzinfo
    )


@st.composite
def matches(draw: st.DrawFn) -> dict[str, Any]:
    parts = draw(st.sets(st.sampled_from(["teams", "agents", "labels"]), min_size=1))
    some = {
        "teams": st.sets(st.sampled_from(list(TEAMS)), min_size=1),
        "agents": some_agents,
        "labels": st.fixed_dictionaries(
            {},
            optional={
                name: st.sampled_from(values) | st.just(list(values))
                for name, values in LABELS.items()
            },
        ).filter(bool),
    }
    match = {part: draw(some[part]) for part in sorted(parts)}
    if draw(st.booleans()):
        match["exclude"] = draw(some_agents)
    return {key: sorted(part) if isinstance(part, set) else part for key, part in match.items()}


@st.composite
def worlds(draw: st.DrawFn) -> World:
    overrides = []
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, HOURS - 1))
        values = {
            "workMode": draw(st.none() | st.sampled_from(["available", "training", "scheduled"])),
            "skills": draw(st.dictionaries(st.sampled_from(["chat", "voice"]), settings)),
        }
        overrides.append(
            {
                "from": start,
                "until": draw(st.integers(start + 1, HOURS)),
                "match": draw(matches()),
                "set": {key: part for key, part in values.items() if part}
                or {"workMode": "available"},
            }
        )
    return World(
        {name: draw(labels) for name in TEAMS},
        {key: draw(labels) for keys in TEAMS.values() for key in keys},
        tuple(overrides),
    )


def meant(match: dict[str, Any]) -> Match:
    """Return a match as the core knows it."""
    pairs = {
        (name, one)
        for name, values in match.get("labels", {}).items()
        for one in ([values] if isinstance(values, str) else values)
    }
    return Match(
        frozenset(match.get("teams", ())),
        frozenset(match.get("agents", ())),
        frozenset(pairs),
        frozenset(match.get("exclude", ())),
    )


def stated(one: dict[str, Any]) -> dict[str, Any]:
    """Return what an override says of each value; an off word says something of the whole skill."""
    found: dict[str, Any] = {}
    if "workMode" in one["set"]:
        found["workMode"] = one["set"]["workMode"]
    for skill, written in one["set"].get("skills", {}).items():
        if written in ("disabled", "absent"):
            found |= dict.fromkeys(
                (f"{skill}/off", f"{skill}/level", f"{skill}/concurrent"), written
            )
            continue
        parts = written if isinstance(written, dict) else {"level": written}
        for part, value in parts.items():
            found[f"{skill}/{part}"] = LEVELS.get(value, value)
    return found


def looked_up(world: World) -> tuple[set[tuple[str, str]], set[str]]:
    """Look at every hour and every member: which overrides meet, and which are for nobody."""
    teams = world.teams()
    everybody = [(team, member) for team in teams for member in team.members]
    overrides = [
        Override(
            f"o{number}.yaml",
            clock(one["from"]),
            clock(one["until"]),
            meant(one["match"]),
            Block(Layer(LayerKind.OVERRIDE, "", "")),
        )
        for number, one in enumerate(world.overrides)
    ]
    says = {
        one.name: stated(written) for one, written in zip(overrides, world.overrides, strict=True)
    }
    meeting = set()
    for hour in range(HOURS):
        for team, member in everybody:
            active = [
                one.name
                for one in overrides
                if one.active(clock(hour)) and one.match.fits(team, member)
            ]
            meeting |= {
                (first, second)
                for place, second in enumerate(active)
                for first in active[:place]
                if any(
                    says[first][value] != says[second][value]
                    for value in says[first].keys() & says[second].keys()
                )
            }
    idle = {one.name for one in overrides if not any(one.match.fits(*who) for who in everybody)}
    return meeting, idle


def told(found: tuple[Problem, ...]) -> Iterator[tuple[str, str]]:
    for problem in found:
        assert problem.origin is not None
        assert problem.hint is not None
        if problem.code == "override.conflict":
            other = problem.hint.rpartition(" The other is at ")[2]
            yield other.partition(":")[0], problem.origin.file


@hypothesis.settings(deadline=None)
@given(worlds())
def test_a_conflict_is_found_where_an_instant_and_an_agent_show_one(world: World) -> None:
    meeting, idle = looked_up(world)
    with tempfile.TemporaryDirectory() as folder:
        found = problems(write(Path(folder), world.files()))
    assert set(told(found)) == meeting
    assert {one.origin.file for one in found if one.code == "override.match" and one.origin} == idle
    assert {one.code for one in found} <= {"override.conflict", "override.match"}


@hypothesis.settings(deadline=None)
@given(worlds())
def test_a_crowd_matches_whom_the_core_matches(world: World) -> None:
    teams = world.teams()
    for one in world.overrides:
        match = meant(one["match"])
        crowd = crowd_of(teams, match.labels)
        members = crowd.matched(match)
        found = {key for place, key in enumerate(crowd.members) if members >> place & 1}
        fitting = [m.key for team in teams for m in team.members if match.fits(team, m)]
        assert found == set(fitting)
        if fitting:
            assert crowd.first(members) == fitting[0]


PAIRS: list[tuple[bytes, bytes, list[tuple[str, str]]]] = [
    (b"{workMode: available}", b"{workMode: training}", [("2:5:17", "1:5:17")]),
    (b"{workMode: available}", b"{workMode: scheduled}", [("2:5:17", "1:5:17")]),
    (b"{workMode: available}", b"{workMode: available}", []),
    (b"{workMode: available}", b"{skills: {chat: 1}}", []),
    (b"{skills: {chat: expert}}", b"{skills: {chat: 1}}", []),
    (b"{skills: {chat: 1}}", b"{skills: {voice: 5}}", []),
    (b"{skills: {chat: 1}}", b"{skills: {chat: {concurrent: 2}}}", []),
    (b"{skills: {chat: 1}}", b"{skills: {chat: {level: 1, concurrent: 2}}}", []),
    (b"{skills: {chat: 1}}", b"{skills: {chat: 5}}", [("2:5:22", "1:5:22")]),
    (b"{skills: {chat: 1}}", b"{skills: {chat: {level: 5}}}", [("2:5:30", "1:5:22")]),
    (b"{skills: {chat: {level: 5}}}", b"{skills: {chat: 1}}", [("2:5:22", "1:5:30")]),
    (
        b"{skills: {chat: {level: 1, concurrent: 1}}}",
        b"{skills: {chat: {level: 5, concurrent: 2}}}",
        [("2:5:30", "1:5:30"), ("2:5:45", "1:5:45")],
    ),
    (b"{skills: {chat: absent}}", b"{skills: {chat: 5}}", [("2:5:22", "1:5:22")]),
    (
        b"{skills: {chat: disabled}}",
        b"{skills: {chat: {concurrent: 2}}}",
        [("2:5:16", "1:5:22")],
    ),
    (b"{skills: {chat: disabled}}", b"{skills: {chat: absent}}", [("2:5:22", "1:5:22")]),
    (b"{skills: {chat: absent}}", b"{skills: {chat: absent}}", []),
]


@pytest.mark.parametrize(("first", "second", "places"), PAIRS)
def test_a_conflict_names_both_places(
    tmp_path: Path, first: bytes, second: bytes, places: list[tuple[str, str]]
) -> None:
    files = tree() | {
        "1.yaml": override(name=b"CHG-2", set=first),
        "2.yaml": override(name=b"CHG-1", set=second),
    }
    found = problems(write(tmp_path, files))
    assert {one.code for one in found} <= {"override.conflict"}
    assert [(str(one.origin), (one.hint or "").rpartition(" ")[2]) for one in found] == [
        (here.replace(":", ".yaml:", 1), other.replace(":", ".yaml:", 1) + ".")
        for here, other in places
    ]
    for one in found:
        assert one.summary == (
            'The override "CHG-2" sets this differently for the agent "a.okafor" at the same time, '
            "from 2026-11-26T13:00:00Z until 2026-12-01T13:00:00Z."
        )


def test_one_that_begins_when_the_other_ends_is_no_conflict(tmp_path: Path) -> None:
    end = b'"2026-12-01T08:00:00-05:00"'
    after = override(
        name=b"CHG-2", start=end, end=b'"2026-12-02T00:00:00Z"', set=b"{workMode: training}"
    )
    before = override(set=b"{workMode: available}")
    assert problems(write(tmp_path, tree() | {"a.yaml": after, "b.yaml": before})) == ()


def crowded(overrides: int, set_: bytes = b"{skills: {chat: 1}}") -> dict[str, bytes]:
    """Return a large team and overrides for all of it, each with a match of its own."""
    members = b"".join(b"  a%d: {labels: {n: x%d}}\n" % (n, n % 50) for n in range(5_000))
    files = tree(team=b"team: East\nlabels: {site: x}\nmembers:\n" + members)
    for number in range(overrides):
        match = b"{teams: [East], labels: {site: x}, exclude: [a%d]}" % number
        files[f"o/{number:04d}.yaml"] = override(name=b"o%d" % number, match=match, set=set_)
    return files


def test_thousands_of_overrides_that_agree_are_read_soon(tmp_path: Path) -> None:
    folder = write(tmp_path, crowded(2_000))
    started = time.process_time()
    assert problems(folder) == ()
    assert time.process_time() - started < 20


def test_more_overrides_than_the_limit(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, crowded(2_001)))
    assert (problem.code, str(problem.origin)) == ("schema.too_many", "o/2000.yaml:1:1")
    assert "2,000 overrides" in problem.summary


def test_more_skills_in_overrides_than_the_limit(tmp_path: Path) -> None:
    skills = b"skills:\n" + b"".join(b'  s%d: {id: "s%d"}\n' % (n, n) for n in range(5_001))
    sets = b"{skills: {" + b", ".join(b"s%d: 1" % n for n in range(5_001)) + b"}}"
    files = tree(more=skills) | {
        "1.yaml": override(name=b"o1", set=sets),
        "2.yaml": override(name=b"o2", set=sets),
    }
    (problem,) = problems(write(tmp_path, files))
    assert (problem.code, str(problem.origin)) == ("schema.too_many", "2.yaml:1:1")


def test_overrides_that_all_conflict_end_with_a_list_that_ends(tmp_path: Path) -> None:
    files = crowded(0)
    for number in range(100):
        files[f"o/{number:04d}.yaml"] = override(
            name=b"o%d" % number,
            match=b"{teams: [East]}",
            set=b"{skills: {chat: {concurrent: %d}}}" % (number + 1),
        )
    found = problems(write(tmp_path, files))
    assert len(found) == 1_001
    assert {one.code for one in found} == {"override.conflict", "desired.cut"}
    assert "5000 agents" in found[1].summary
