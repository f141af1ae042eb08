"""Why an agent has a value: the chain of layers, and that the line it names is the cause."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cxplan.core.address import Origin
from cxplan.core.errors import InvalidError
from cxplan.core.explain import Effective, Explained, Explanation, Standing, explain
from cxplan.core.ids import AgentKey
from cxplan.core.model import (
    Declarations,
    DesiredAgent,
    DesiredMode,
    FollowShift,
    LayerKind,
    Match,
    Off,
    Override,
    SkillSetting,
    Source,
)
from cxplan.core.resolve import resolve
from cxplan.desired.source import FolderSource
from tests.core.make import MODES, NOW, SKILLS, block, declarations, locate, member, profile, team
from tests.core.trees import Tree, random_tree, without_line

DISABLED, ABSENT = SkillSetting(off=Off.DISABLED), SkillSetting(off=Off.ABSENT)
C, S, R, N = Standing.COUNTS, Standing.SAME, Standing.REPLACED, Standing.IGNORED
AGENT = AgentKey("a")


def override(
    name: str,
    skills: Mapping[str, object] | None = None,
    *,
    begins_in: float = -1,
    hours: float = 2,
    mode: str | None = None,
    agents: frozenset[AgentKey] = frozenset({AGENT}),
) -> Override:
    start = NOW + timedelta(hours=begins_in)
    made = block(LayerKind.OVERRIDE, name, skills, mode)
    return Override(
        name,
        start,
        start + timedelta(hours=hours),
        Match(agents=agents),
        replace(made, layer=replace(made.layer, keys=("set",))),
    )


def over(value: Declarations, *overrides: Override) -> Declarations:
    ordered = sorted(overrides, key=lambda o: (o.start, o.name))
    return replace(value, overrides=tuple(ordered))


def told(value: Declarations, agent: str = "a", at: datetime = NOW) -> Explanation:
    return explain(resolve(value), agent, at, locate)


def chat(layers: list[object], part: str) -> Explained:
    """What is told of the skill chat where a profile, the team, the member, … say ``layers``."""
    names = ["p", "Team", "a", "o"]
    said = [{} if layer is None else {"chat": layer} for layer in layers] + [{}] * 4
    value = declarations(
        team(member("a", said[2]), profile="p", skills=said[1]),
        profiles=(profile("p", said[0]),),
    )
    if len(layers) == len(names):
        value = over(value, override("o", said[3]))
    return by_path(told(value))[f"skills/chat/{part}"]


def by_path(explanation: Explanation) -> dict[str, Explained]:
    return {value.path: value for value in explanation.values}


LEVELS = [
    # what each layer says, the value, the chain, whether the first is redundant
    ([5], 5, [(5, "p", C)], False),
    ([5, 3], 3, [(3, "Team", C), (5, "p", R)], False),
    ([5, None, 3], 3, [(3, "a", C), (5, "p", R)], False),
    ([5, 3, 3], 3, [(3, "a", C), (3, "Team", S), (5, "p", R)], True),
    ([3, 5, 3], 3, [(3, "a", C), (5, "Team", R), (3, "p", R)], False),
    ([3, 3, 3, 3], 3, [(3, "o", C), (3, "a", S), (3, "Team", S), (3, "p", S)], True),
    ([5, 3, DISABLED], "disabled", [("disabled", "a", C), (3, "Team", R), (5, "p", R)], False),
    ([DISABLED, 5], 5, [(5, "Team", C), ("disabled", "p", R)], False),
    ([DISABLED, ABSENT], "absent", [("absent", "Team", C), ("disabled", "p", R)], False),
    ([ABSENT, ABSENT], "absent", [("absent", "Team", C), ("absent", "p", S)], True),
    ([5, None, (None, 2)], 5, [(5, "p", C)], False),
    ([None, None, 5, 4], 4, [(4, "o", C), (5, "a", R)], False),
]


@pytest.mark.parametrize(("layers", "value", "chain", "redundant"), LEVELS)
def test_the_chain_of_a_level(
    layers: list[object],
    value: Effective,
    chain: list[tuple[object, str, Standing]],
    redundant: bool,
) -> None:
    found = chat(layers, "level")
    assert found.value == value
    assert [(link.value, link.layer.name, link.standing) for link in found.chain] == chain
    assert found.redundant is redundant
    assert found.skill_id == "skill-2"


CONCURRENCIES = [
    ([(5, 3)], 3, [(3, "p", C)], False),
    ([(5, 3), (None, 2)], 2, [(2, "Team", C), (3, "p", R)], False),
    ([(5, 3), (4, 3)], 3, [(3, "Team", C), (3, "p", S)], True),
    # an off word takes away what stands beneath
    ([(5, 3), None, DISABLED], None, [("disabled", "a", C), (3, "p", R)], False),
    ([(5, 3), DISABLED, 4], None, [("disabled", "Team", C), (3, "p", R)], False),
    (
        [(5, 3), DISABLED, ABSENT],
        None,
        [("absent", "a", C), ("disabled", "Team", S), (3, "p", R)],
        True,
    ),
    ([(5, 3), DISABLED, (4, 2)], 2, [(2, "a", C), ("disabled", "Team", R), (3, "p", R)], False),
    # and lets none count above it, until a level is named
    ([ABSENT, (None, 3)], None, [("absent", "p", C), (3, "Team", N)], False),
    ([ABSENT, (None, 3), 5], None, [("absent", "p", C), (3, "Team", N)], False),
    ([ABSENT, 5, (None, 3)], 3, [(3, "a", C), ("absent", "p", R)], False),
    # without the member's word the team's level counts again, and with it the override's number
    (
        [ABSENT, 5, DISABLED, (None, 3)],
        None,
        [("disabled", "a", C), (3, "o", N), ("absent", "p", R)],
        False,
    ),
    (
        [DISABLED, None, ABSENT, (None, 3)],
        None,
        [("absent", "a", C), (3, "o", N), ("disabled", "p", S)],
        True,
    ),
]


@pytest.mark.parametrize(("layers", "value", "chain", "redundant"), CONCURRENCIES)
def test_the_chain_of_a_concurrency(
    layers: list[object],
    value: Effective,
    chain: list[tuple[object, str, Standing]],
    redundant: bool,
) -> None:
    found = chat(layers, "concurrent")
    assert found.value == value
    assert [(link.value, link.layer.name, link.standing) for link in found.chain] == chain
    assert found.redundant is redundant


def test_a_skill_whose_concurrency_no_layer_names_has_none_to_explain() -> None:
    value = declarations(team(member("a", {"chat": DISABLED}), skills={"voice": 5}))
    assert list(by_path(told(value))) == [
        "workMode",
        "skills/chat/level",
        "skills/voice/level",
        "exclusive",
    ]


def test_the_places_are_those_that_the_files_are_asked_for() -> None:
    asked: list[Source] = []

    def remember(source: Source) -> Origin:
        asked.append(source)
        return Origin(source.layer.file, len(asked), 3)

    value = over(
        declarations(team(member("a", {"chat": (5, 3)}, mode="training"), skills={"chat": ABSENT})),
        override("o", {"chat": (4, None)}),
    )
    found = by_path(explain(resolve(value), "a", NOW, remember))
    places = [(s.layer.kind.value, *s.layer.keys, *s.keys) for s in asked]
    assert places == [
        ("member", "workMode"),
        ("override", "set", "skills", "chat", "level"),
        ("member", "skills", "chat", "level"),
        ("team", "skills", "chat"),
        ("member", "skills", "chat", "concurrent"),
        ("team", "skills", "chat"),
    ]
    because = found["skills/chat/level"].because
    assert because is not None
    assert because.origin == Origin("overrides/o.yaml", 2, 3)


def test_work_mode_and_exclusive_are_told_even_where_nobody_names_them() -> None:
    found = by_path(told(declarations(team(member("a")))))
    assert [(v.path, v.value, v.chain) for v in found.values()] == [
        ("workMode", None, ()),
        ("exclusive", False, ()),
    ]


def test_exclusive_that_says_no_more_than_the_default_is_redundant() -> None:
    def exclusive(*said: bool | None) -> Explained:
        strict = profile("p", exclusive=said[0])
        value = declarations(team(member("a", exclusive=said[1]), profile="p"), profiles=(strict,))
        return by_path(told(value))["exclusive"]

    assert (exclusive(None, False).value, exclusive(None, False).redundant) == (False, True)
    assert (exclusive(True, False).value, exclusive(True, False).redundant) == (False, False)
    assert (exclusive(True, None).value, exclusive(True, None).redundant) == (True, False)
    assert (exclusive(True, True).value, exclusive(True, True).redundant) == (True, True)


# --- who ------------------------------------------------------------------------------------


def test_an_agent_is_named_by_key_or_id_and_the_key_counts_first() -> None:
    twin = replace(member("b"), key=AgentKey("id-a"))
    value = declarations(team(member("a"), twin))
    assert told(value, "a").agent.id == "id-a"
    assert told(value, "id-b").agent.key == "id-a"
    assert told(value, "id-a").agent.id == "id-b"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("a.okafr", "Did you mean a.okafor?"),
        ("okafor", "Did you mean a.okafor?"),
        ("zzz", "A key stands under members of a team."),
        ("", "A key stands under members of a team."),
    ],
)
def test_an_unknown_agent_is_refused_with_the_nearest_keys(name: str, hint: str) -> None:
    with pytest.raises(InvalidError) as caught:
        told(declarations(team(member("a.okafor"), member("b.lindqvist"))), name)
    assert caught.value.problem.code == "agent.unknown"
    assert caught.value.problem.hint == hint


# --- overrides ------------------------------------------------------------------------------


def test_what_begins_and_ends_later_and_what_it_changes() -> None:
    value = over(
        declarations(team(member("a", {"chat": 5, "voice": 5}))),
        override("running", {"chat": 3}, begins_in=-1, hours=2),
        override("later", {"chat": (5, 2), "voice": 1}, begins_in=1, hours=4),
        override("mode", mode="training", begins_in=3, hours=1),
        override("nothing new", {"voice": 1}, begins_in=4, hours=0.5),
        override("past", {"chat": 1}, begins_in=-9, hours=1),
        override("just over", {"chat": 2}, begins_in=-9, hours=9),
        override("another's", {"chat": 2}, begins_in=2, agents=frozenset({AgentKey("b")})),
    )
    found = told(value)
    assert [o.name for o in found.active] == ["running"]
    assert [o.name for o in found.over] == ["just over", "past"]
    assert [
        (
            (b.at - NOW) / timedelta(hours=1),
            [o.name for o in b.begins],
            [o.name for o in b.ends],
            [(m.path, m.before, m.after) for m in b.moved],
        )
        for b in found.boundaries
    ] == [
        (
            1,
            ["later"],
            ["running"],
            [
                ("skills/chat/level", 3, 5),
                ("skills/voice/level", 5, 1),
                ("skills/chat/concurrent", None, 2),
            ],
        ),
        (3, ["mode"], [], [("workMode", None, "training")]),
        (4, ["nothing new"], ["mode"], [("workMode", "training", None)]),
    ]


def test_an_override_counts_within_its_half_open_period() -> None:
    value = over(declarations(team(member("a", {"chat": 5}))), override("o", {"chat": 3}))
    second = timedelta(seconds=1)
    start, end = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
    levels = {
        at: by_path(told(value, at=at))["skills/chat/level"].value
        for at in (start - second, start, end - second, end)
    }
    assert list(levels.values()) == [5, 3, 3, 5]


# --- laws -----------------------------------------------------------------------------------


def random_declarations(draw: random.Random) -> Declarations:
    def skills() -> dict[str, object]:
        kinds = (
            draw.randint(1, 4),
            (draw.randint(1, 4), draw.randint(1, 3)),
            (None, draw.randint(1, 3)),
            DISABLED,
            ABSENT,
        )
        return {name: draw.choice(kinds) for name in SKILLS if draw.random() < 0.5}

    def mode() -> str | None:
        return draw.choice([None, None, "scheduled", *MODES])

    def exclusive() -> bool | None:
        return draw.choice([None, None, True, False])

    names = ["base", "mid", "top"]
    profiles = tuple(
        profile(
            name,
            skills(),
            extends=None if name == "base" else draw.choice([None, *names[: names.index(name)]]),
            mode=mode(),
            exclusive=exclusive(),
        )
        for name in names
    )
    members = [
        member(
            key, skills(), mode=mode(), profile=draw.choice([None, *names]), exclusive=exclusive()
        )
        for key in "ab"
    ]
    value = declarations(
        team(*members, skills=skills(), profile=draw.choice([None, *names])), profiles=profiles
    )
    overrides = [
        override(f"o{n}", skills(), mode=mode(), begins_in=draw.randint(-3, 1), hours=3)
        for n in range(draw.randint(0, 3))
    ]
    return over(value, *overrides)


def effective(agent: DesiredAgent) -> dict[str, tuple[Effective, Source | None]]:
    """What resolving says of an agent, under the paths of an explanation."""
    found: dict[str, tuple[Effective, Source | None]] = {}
    mode = agent.work_mode
    if isinstance(mode, DesiredMode):
        found["workMode"] = (mode.mode.name, mode.source)
    if isinstance(mode, FollowShift):
        found["workMode"] = ("scheduled", mode.source)
    for skill in agent.skills:
        if skill.level:
            found[f"skills/{skill.name}/level"] = (
                skill.off or skill.level.value,
                agent.source(skill.level),
            )
        if skill.concurrent:
            found[f"skills/{skill.name}/concurrent"] = (
                skill.concurrent.value,
                agent.source(skill.concurrent),
            )
    if agent.exclusive:
        found["exclusive"] = (True, agent.exclusive)
    return found


def test_the_values_are_those_that_are_resolved_for_200_random_states() -> None:
    compared = 0
    for seed in range(200):
        resolved = resolve(random_declarations(random.Random(seed)))
        for agent in resolved.agents:
            wanted = effective(resolved.agent_at(agent, NOW))
            found = {
                value.path: value
                for value in explain(resolved, agent.key, NOW, locate).values
                if value.value not in (None, False)
            }
            assert {path: v.value for path, v in found.items()} == {
                path: value for path, (value, _) in wanted.items()
            }, seed
            for path, (_, source) in wanted.items():
                because = found[path].because
                assert because is not None
                assert source is not None
                assert because.layer is source.layer, (seed, path)
                compared += 1
    assert compared > 1000


def values_of(root: Path, tree: Tree) -> tuple[Explained, ...]:
    source = FolderSource(root)
    resolved = resolve(source.read())
    if all(agent.key != tree.agent for agent in resolved.agents):
        return ()
    return explain(resolved, tree.agent, tree.at, source.locate).values


def after_deleting(root: Path, tree: Tree, value: Explained) -> Effective:
    """The value once the line that made it, and maps that it leaves empty, are deleted."""
    assert value.because is not None
    origin = value.because.origin
    path = root / origin.file
    before = path.read_text("utf-8")
    left = without_line(before, origin.line)
    if origin.file.startswith("overrides/") and "\nset:" not in left:
        path.unlink()
    else:
        path.write_text(left, "utf-8")
    found = {one.path: one.value for one in values_of(root, tree)}
    path.write_text(before, "utf-8")
    return found.get(value.path)


@pytest.mark.parametrize("distinct", [True, False], ids=["layers differ", "layers may agree"])
def test_delete_the_line_that_is_named_and_the_value_changes(
    tmp_path: Path, distinct: bool
) -> None:
    layers: set[LayerKind] = set()
    deleted = redundant = 0
    for seed in range(200 if distinct else 40):
        root = tmp_path / str(seed)
        tree = random_tree(random.Random(seed), distinct=distinct)
        tree.write(root)
        for value in values_of(root, tree):
            if value.because is None:
                continue
            changed = after_deleting(root, tree, value) != value.value
            assert changed is not value.redundant, (seed, value)
            deleted += 1
            redundant += value.redundant
            layers.add(value.because.layer.kind)
    assert layers == set(LayerKind)
    assert deleted > (800 if distinct else 150)
    assert (redundant == 0) is distinct
