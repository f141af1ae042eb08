"""Choices: a table, and every combination against what the words say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxplan.core.errors import InvalidError
from cxplan.core.model import Declarations, Member, Team
from cxplan.core.scope import (
    EVERYTHING,
    MOST,
    WHOLE,
    Atom,
    Choice,
    Scope,
    choices,
    expressions,
    listed,
    split,
)
from tests.core.make import declarations, member, team


def labelled(key: str, **labels: str) -> Member:
    return replace(member(key), labels=labels)


def files() -> Declarations:
    east = team(labelled("a"), labelled("b", site="home", lang="es"), name="East")
    west = team(labelled("c", lang="de"), name="West, too")
    return declarations(
        replace(east, labels={"site": "hall"}), replace(west, labels={"site": "hall"})
    )


PATHS = ("workMode", "skills/voice/level", "skills/voice/concurrent", "skills/chat/level")


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        (EVERYTHING, PATHS),
        (Choice(frozenset({"voice"})), PATHS[1:3]),
        (Choice(frozenset({"voice", "chat"}), frozenset({"voice"})), PATHS[3:]),
        (Choice(without=frozenset({"voice"})), (PATHS[0], PATHS[3])),
        (Choice(frozenset({"skills"})), ()),
        (Choice(frozenset({"workMode"})), ()),
    ],
)
def test_a_choice_takes_changes_by_their_skill(choice: Choice, taken: tuple[str, ...]) -> None:
    assert tuple(path for path in PATHS if choice.takes(path)) == taken


def test_a_skill_may_have_a_slash_in_its_name() -> None:
    assert Choice(frozenset({"a/b"})).takes("skills/a/b/level")
    assert not Choice(frozenset({"a"})).takes("skills/a/b/level")


def test_nothing_asked_is_everything() -> None:
    assert dict(choices(WHOLE, files())) == dict.fromkeys(["id-a", "id-b", "id-c"], EVERYTHING)
    assert not WHOLE.partial
    assert Scope(this_change=True).partial


# --- against what the words say ---------------------------------------------------------------

ATOMS = [
    Atom(kind, name)
    for kind, name in [
        ("team", "East"),
        ("team", "West, too"),
        ("agent", "a"),
        ("agent", "b"),
        ("agent", "c"),
        ("label", "site=hall"),
        ("label", "site=home"),
        ("label", "lang=es"),
        ("label", "lang=de"),
        ("skill", "voice"),
        ("skill", "chat"),
    ]
]
some = st.lists(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=3).map(tuple), max_size=3)


def _means(atom: Atom, of: Team, who: Member, path: str) -> bool:
    """What the manual says of one choice."""
    labels = dict(of.labels) | dict(who.labels)
    return {
        "team": of.name == atom.name,
        "agent": who.key == atom.name,
        "label": atom.name in {f"{name}={value}" for name, value in labels.items()},
        "skill": path.startswith(f"skills/{atom.name}/"),
    }[atom.kind]


@given(some, some)
def test_every_only_and_no_exclude_chooses_a_change(
    only: list[tuple[Atom, ...]], exclude: list[tuple[Atom, ...]]
) -> None:
    value = files()
    found = choices(Scope(tuple(only), tuple(exclude)), value)

    def any_of(expression: Iterable[Atom], of: Team, who: Member, path: str) -> bool:
        return any(_means(atom, of, who, path) for atom in expression)

    for of in value.teams:
        for who in of.members:
            choice = found.get(who.id)
            taken = {path for path in PATHS if choice is not None and choice.takes(path)}
            assert taken == {
                path
                for path in PATHS
                if all(any_of(expression, of, who, path) for expression in only)
                and not any(any_of(expression, of, who, path) for expression in exclude)
            }
            assert choice is None or taken


# --- what is written --------------------------------------------------------------------------


def test_names_may_hold_a_comma_where_one_stands_on_a_line() -> None:
    lines = ["# of the ticket", "", "  team:West, too ", "agent:a", "\tagent:b"]
    assert listed(lines) == ["team:West, too", "agent:a", "agent:b"]
    (found,) = expressions("--only", [listed(lines)], files())
    assert [str(atom) for atom in found] == listed(lines)
    assert split("agent:a, skill:voice ,") == ["agent:a", "skill:voice", ""]


@pytest.mark.parametrize("atom", ATOMS, ids=str)
def test_what_was_written_is_read_back_as_it_was(atom: Atom) -> None:
    assert expressions("--only", [[str(atom)]], files()) == ((atom,),)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("", "scope.form"),
        ("a", "scope.form"),
        (":a", "scope.form"),
        ("agent:", "scope.form"),
        ("Agent:a", "scope.form"),
        ("agent :a", "scope.form"),
        ("member:a", "scope.form"),
        ("agent:A", "scope.unknown"),
        ("agent:id-a", "scope.unknown"),
        ("label:site", "scope.unknown"),
        ("label:site=", "scope.unknown"),
        ("team:West", "scope.unknown"),
        ("skill:skill-1", "scope.unknown"),
        ("skill: voice", "scope.unknown"),
    ],
)
def test_what_is_no_choice(written: str, code: str) -> None:
    with pytest.raises(InvalidError) as refused:
        expressions("--exclude", [["agent:a"], ["agent:b", written]], files())
    problem = refused.value.problem
    assert problem.code == code
    assert problem.summary.startswith("--exclude")
    assert problem.hint


def test_there_is_a_bound() -> None:
    with pytest.raises(InvalidError) as refused:
        expressions("--only", [["agent:a"] * (MOST + 1)], files())
    assert refused.value.problem.code == "scope.tooMany"
