"""Values that runs, overrides or a base named, and that the files name no more."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from cxplan.core.diff import changed, diff, state_of
from cxplan.core.history import LastValue, ValueKey
from cxplan.core.ids import SkillId
from cxplan.core.model import DesiredAgent
from cxplan.core.plan import Released
from cxplan.core.released import Former, left_behind, named, path_of, released, value_of
from cxplan.core.resolve import resolve
from tests.core.ahead import ABSENT, random_skills
from tests.core.make import NOW, declarations, member, observed, team, terms

VOICE, CHAT, MAIL = (SkillId(f"skill-{n}") for n in (1, 2, 3))
MODE = ValueKey(None, "workMode")
LEVEL, AT_ONCE = ValueKey(CHAT, "level"), ValueKey(CHAT, "concurrent")
LIVE = state_of(observed(skills={"voice": (5, 1, 1), "chat": (3, 2, 4), "mail": (0, 0, 1)}))


def wanted(
    skills: Mapping[str, object] | None = None,
    *,
    mode: str | None = None,
    exclusive: bool | None = None,
) -> DesiredAgent:
    files = declarations(team(member("a", skills, mode=mode, exclusive=exclusive)))
    (agent,) = resolve(files).agents
    return agent


def last(value: Any, *, declared: bool = True) -> LastValue:
    return LastValue(value, "run-1", NOW, "as it was named then", declared=declared)


def told(desired: DesiredAgent, former: Former) -> list[tuple[str, Any, str | None, str | None]]:
    found = released(desired, LIVE, former, terms().names)
    return [(value.path, value.value, value.run, value.override) for value in found]


NOTHING = wanted()


@pytest.mark.parametrize(
    ("key", "written", "found"),
    [
        (LEVEL, last(3), [("skills/chat/level", 3, "run-1", None)]),
        (AT_ONCE, last(2), [("skills/chat/concurrent", 2, "run-1", None)]),
        (MODE, last("mode-available"), [("workMode", "mode-available", "run-1", None)]),
        (LEVEL, last(5), []),  # somebody has changed it since
        (AT_ONCE, last(2, declared=False), []),  # a built-in default, which no line asked for
        (MODE, last("mode-training"), []),
        (ValueKey(MAIL, "level"), last(0), [("skills/mail/level", 0, "run-1", None)]),
        (ValueKey(MAIL, "concurrent"), last(0), []),  # off: it has none
        (ValueKey(SkillId("skill-9"), "level"), last(3), []),  # not held
    ],
)
def test_what_a_run_wrote(
    key: ValueKey, written: LastValue, found: list[tuple[str, Any, str | None, str | None]]
) -> None:
    assert told(NOTHING, Former({key: written})) == found


@pytest.mark.parametrize(
    ("desired", "paths"),
    [
        (NOTHING, ["workMode", "skills/chat/level", "skills/chat/concurrent"]),
        (wanted({"chat": 3}), ["workMode", "skills/chat/concurrent"]),
        (wanted({"chat": 9}), ["workMode", "skills/chat/concurrent"]),
        (wanted({"chat": (None, 2)}), ["workMode", "skills/chat/level"]),
        (wanted({"chat": (3, 2)}), ["workMode"]),
        (wanted({"chat": ABSENT}), ["workMode"]),
        (wanted({"voice": 5}), ["workMode", "skills/chat/level", "skills/chat/concurrent"]),
        (wanted(mode="training"), ["skills/chat/level", "skills/chat/concurrent"]),
        (wanted(mode="scheduled"), ["skills/chat/level", "skills/chat/concurrent"]),
        (wanted(exclusive=True), ["workMode"]),
    ],
)
def test_what_the_files_name_is_not_released(desired: DesiredAgent, paths: list[str]) -> None:
    written = {MODE: last("mode-available"), LEVEL: last(3), AT_ONCE: last(2)}
    assert [path for path, *_ in told(desired, Former(written))] == paths


def test_what_an_override_left_names_it_and_the_run() -> None:
    over = ("CHG-1", frozenset({(LEVEL, 3), (AT_ONCE, 4), (ValueKey(VOICE, "level"), 5)}))
    assert told(NOTHING, Former({LEVEL: last(3)}, (over,))) == [
        ("skills/voice/level", 5, None, "CHG-1"),
        ("skills/chat/level", 3, "run-1", "CHG-1"),
    ]
    later = ("CHG-2", frozenset({(LEVEL, 3)}))
    assert told(NOTHING, Former({}, (over, later)))[1][3] == "CHG-2"


def test_what_a_base_named_is_released_however_it_stands() -> None:
    base = wanted({"chat": (9, 1), "voice": 9}, mode="training")
    assert told(wanted({"voice": 9}), Former({}, base=base)) == [
        ("workMode", "mode-available", None, None),
        ("skills/chat/level", 3, None, None),
        ("skills/chat/concurrent", 2, None, None),
    ]


def test_of_a_value_that_both_named_the_run_is_told() -> None:
    found = told(NOTHING, Former({LEVEL: last(3)}, base=wanted({"chat": 3})))
    assert found == [("skills/chat/level", 3, "run-1", None)]


def test_nothing_is_known_of_nothing() -> None:
    assert told(NOTHING, Former({})) == []


def test_of_who_is_gone_each_value_is_told_once() -> None:
    base = wanted({"chat": (9, 2), "voice": 5})
    written = {LEVEL: last(3), AT_ONCE: last(4, declared=False), MODE: last("mode-off")}
    names = terms().names
    found = list(left_behind(base.id, base, written, names))
    assert [(value.path, value.value, value.run) for value in found] == [
        ("workMode", "mode-off", "run-1"),
        ("skills/voice/level", 5, None),
        ("skills/chat/level", 3, "run-1"),
        ("skills/chat/concurrent", 2, None),
    ]
    assert {(value.agent_id, value.key, value.team) for value in found} == {("id-a", "a", None)}
    (mode, level) = left_behind(base.id, None, written, names)
    assert (mode.key, mode.path, level.path) == (None, "workMode", "skills/chat/level")


def test_it_says_whose_it_is() -> None:
    (found,) = released(NOTHING, LIVE, Former({LEVEL: last(3)}), terms().names)
    assert found == Released(NOTHING.id, NOTHING.key, "Team", "skills/chat/level", 3, "run-1", None)


def test_paths_are_those_of_changes() -> None:
    names = terms().names
    assert path_of(MODE, names) == "workMode"
    assert path_of(LEVEL, names) == "skills/chat/level"
    assert path_of(ValueKey(SkillId("skill-9"), "level"), names) == "skills/skill-9/level"
    assert value_of(LIVE, ValueKey(MAIL, "concurrent")) is None


@pytest.mark.parametrize("seed", range(15))
def test_what_was_written_is_either_named_or_released(seed: int) -> None:
    """A run writes what one state of the files wants; then the files become another."""
    draw = random.Random(seed)
    for _ in range(20):
        _accounted(draw)


def _accounted(draw: random.Random) -> None:
    first, then = (wanted(random_skills(draw)) for _ in range(2))
    live = observed(skills={"mail": (5, 1, 1)})
    changes = diff(first, live, terms())
    after = changed(state_of(live), changes)
    written = {
        ValueKey(change.skill_id, change.part): last(
            change.after, declared=change.because is not None
        )
        for change in changes
    }
    found = {value.path for value in released(then, after, Former(written), terms().names)}
    for key, value in written.items():
        stands = value_of(after, key) is not None and value.declared
        assert (path_of(key, terms().names) in found) is (stands and key not in named(then))
