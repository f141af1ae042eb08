"""What becomes true when: events of overrides and shifts, and the values that they turn."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from cxplan.core.ids import OFF, AgentId, AgentKey
from cxplan.core.live import ObservedAgent, Schedule
from cxplan.core.model import Declarations, DesiredMode, Override
from cxplan.core.resolve import resolve
from cxplan.core.scope import Atom, Scope, choices
from cxplan.core.timeline import Event, timeline
from tests.core.ahead import ABSENT, HOUR, override, random_files, with_overrides
from tests.core.make import NOW, declarations, member, observed, schedule, shift, team
from tests.usecases.fake import FakeTenant, Stage

LIVE = {"voice": (5, 1, 1), "chat": (5, 2, 4)}


def events(
    files: Declarations,
    hours: float = 24,
    schedules: Mapping[str, Schedule] | None = None,
    **asked: Any,
) -> tuple[Event, ...]:
    keys = [member.key for team in files.teams for member in team.members]
    agents: dict[AgentId, ObservedAgent] = {
        AgentId(f"id-{key}"): observed(key, LIVE, mode="mode-training") for key in keys
    }
    tenant = FakeTenant(agents, {AgentId(f"id-{k}"): s for k, s in (schedules or {}).items()})
    plan = Stage(files, tenant).planned(**asked)
    chosen = choices(plan.scope, files)
    return timeline(resolve(files), chosen, plan, timedelta(hours=hours))


def files(*overrides: Override, mode: str | None = None, **skills: Any) -> Declarations:
    both = team(member("a", skills, mode=mode), member("b", {"voice": 1}))
    return with_overrides(declarations(both), *overrides)


def turns(event: Event) -> list[tuple[str, Any, Any]]:
    return [(turn.path, turn.before, turn.after) for turn in event.turns]


def test_an_override_begins_and_ends() -> None:
    found = events(files(override("o", 1, 2, {"voice": 1}), voice=3))
    assert [(e.at, e.what, e.name, e.agents) for e in found] == [
        (NOW + HOUR, "begins", "o", ("a",)),
        (NOW + 2 * HOUR, "ends", "o", ("a",)),
    ]
    assert [turns(event) for event in found] == [
        [("skills/voice/level", 3, 1)],
        [("skills/voice/level", 1, 3)],
    ]


def test_agents_with_the_same_turns_are_one_event() -> None:
    over = override("o", 1, 99, {"voice": 1, "chat": 3}, agents=["a", "b"])
    same = events(files(over, voice=1))
    assert [(e.agents, len(e.turns)) for e in same] == [(("a", "b"), 1)]
    apart = events(files(over, voice=3))
    assert [(e.agents, len(e.turns)) for e in apart] == [(("a",), 2), (("b",), 1)]


@pytest.mark.parametrize(
    ("lower", "over", "begins", "ends"),
    [
        ({}, {"voice": 1}, [("level", None, 1)], [("level", 1, None)]),
        ({"voice": 1}, {"voice": 1}, [], []),
        (
            {"voice": (1, 1)},
            {"voice": ABSENT},
            [("level", 1, 0)],
            [("concurrent", None, 1), ("level", 0, 1)],
        ),
        (
            {"voice": ABSENT},
            {"voice": (1, 1)},
            [("concurrent", None, 1), ("level", 0, 1)],
            [("level", 1, 0)],
        ),
        ({}, {"voice": ABSENT}, [("level", None, 0)], [("level", 0, None)]),
    ],
)
def test_turns(
    lower: dict[str, Any], over: dict[str, object], begins: list[Any], ends: list[Any]
) -> None:
    found = events(files(override("o", 1, 2, over), **lower))
    told = [[(p.removeprefix("skills/voice/"), b, a) for p, b, a in turns(e)] for e in found]
    assert told == [begins, ends]


def test_where_files_are_exclusive_what_ends_is_taken_away() -> None:
    only = declarations(team(member("a", {"chat": 3}, exclusive=True)))
    found = events(with_overrides(only, override("o", 1, 2, {"voice": (1, 1)})))
    assert [turns(event) for event in found] == [
        [("skills/voice/concurrent", None, 1), ("skills/voice/level", 0, 1)],
        [("skills/voice/level", 1, 0)],
    ]


def test_a_mode_in_place_of_the_shifts() -> None:
    found = events(files(override("o", 1, 2, mode="available"), mode="scheduled"))
    assert [turns(event) for event in found] == [
        [("workMode", "scheduled", "mode-available")],
        [("workMode", "mode-available", "scheduled")],
    ]


@pytest.mark.parametrize(("hours", "count"), [(0.99, 0), (1, 1), (1.99, 1), (2, 2)])
def test_the_span_counts_to_its_end(hours: float, count: int) -> None:
    assert len(events(files(override("o", 1, 2, {"voice": 1})), hours)) == count


def test_it_begins_at_the_instant_of_the_plan() -> None:
    made = files(override("o", 1, 2, {"voice": 1}))
    assert [e.what for e in events(made, at=NOW + HOUR)] == ["ends"]
    assert events(made, at=NOW + 2 * HOUR) == ()


def test_the_scope_counts() -> None:
    made = files(
        override("o", 1, 99, {"voice": 9, "chat": 3}, agents=["a", "b"]),
        override("p", 2, 99, {"mail": 3}),
    )

    def told(**scope: Any) -> set[tuple[str, str, str]]:
        found = events(made, scope=Scope(**scope))
        return {(e.name, key, t.path[7:-6]) for e in found for key in e.agents for t in e.turns}

    one, voice = (Atom("agent", "b"),), (Atom("skill", "voice"),)
    assert told() == {
        ("o", "a", "voice"),
        ("o", "a", "chat"),
        ("o", "b", "voice"),
        ("o", "b", "chat"),
        ("p", "a", "mail"),
    }
    assert told(only=(one,)) == {("o", "b", "voice"), ("o", "b", "chat")}
    assert told(only=(voice,)) == {("o", "a", "voice"), ("o", "b", "voice")}
    assert told(exclude=(one, voice)) == {("o", "a", "chat"), ("p", "a", "mail")}


def event(at: datetime, what: str, *keys: str) -> Event:
    return Event(at, what, "", tuple(map(AgentKey, keys)))


def test_who_is_deferred_is_due_when_the_shift_begins() -> None:
    made = declarations(team(*(member(key, mode="available") for key in "ab")))
    later = {"a": schedule(shift(3, 5)), "b": schedule(shift(3, 5))}
    assert events(made, schedules=later) == (event(NOW + 3 * HOUR, "due", "a", "b"),)
    assert events(made, schedules={"a": schedule(shift(3, 5))}) == (
        event(NOW + 3 * HOUR, "due", "a"),
    )


def test_who_follows_the_shift_does_until_it_ends() -> None:
    made = declarations(team(member("a", mode="scheduled"), member("b", {"voice": 3})))
    running = {"a": schedule(shift(-1, 3)), "b": schedule(shift(-1, 3))}
    assert events(made, schedules=running) == (event(NOW + 2 * HOUR, "shiftEnds", "a"),)
    before = events(with_overrides(made, override("o", 1, 99, mode="off")), schedules=running)
    assert [(e.at, e.what) for e in before] == [(NOW + HOUR, "begins")]


@pytest.mark.parametrize(
    ("over", "due"),
    [
        (override("o", -1, 1, mode="available"), False),
        (override("o", -1, 3, mode="available"), False),
        (override("o", -1, 3.1, mode="available"), True),
        (override("o", 1, 9, {"voice": 1}, mode="training"), False),
        (override("o", 1, 9, {"voice": 1}), True),
    ],
)
@pytest.mark.parametrize("more", [{}, {"voice": 3}])
def test_nobody_is_due_for_what_is_not_wanted_any_more(
    over: Override, more: dict[str, Any], *, due: bool
) -> None:
    """Off shift until hour 3; an override that is running gives the mode, or a member has it."""
    mode = "available" if over.start > NOW else None
    made = with_overrides(declarations(team(member("a", more, mode=mode))), over)
    found = events(made, hours=3, schedules={"a": schedule(shift(3, 5, "training"))})
    assert [e for e in found if e.what == "due"] == [event(NOW + 3 * HOUR, "due", "a")] * due
    assert {e.at for e in found} - {NOW + 3 * HOUR} == ({NOW + HOUR} & {over.start, over.end})


def test_a_boundary_of_who_is_blocked_is_told() -> None:
    made = declarations(team(member("a", mode="available")))
    during = {"a": schedule(shift(-1, 3, "off"))}
    found = events(made, schedules=during)
    assert found == (event(NOW + 2 * HOUR, "boundary"),)
    assert events(made, hours=1.9, schedules=during) == ()


@pytest.mark.parametrize("seed", range(15))
def test_turn_after_turn_leads_to_what_is_wanted_at_the_end(seed: int) -> None:
    """From the values of now, with every turn made in order, to the values of tomorrow."""
    draw = random.Random(seed)
    for _ in range(20):
        _replay(random_files(draw))


def _replay(made: Declarations) -> None:
    values = _wanted(made, timedelta(0))
    for one in events(made):
        for turn in one.turns:
            values[turn.path] = turn.after
            if turn.after == OFF:
                values.pop(turn.path.replace("/level", "/concurrent"), None)
    assert {path: value for path, value in values.items() if value is not None} == _wanted(
        made, timedelta(hours=24)
    )


def _wanted(made: Declarations, after: timedelta) -> dict[str, Any]:
    """What is wanted; a skill that is off has no concurrency."""
    (agent,) = resolve(made).at(NOW + after)
    found: dict[str, Any] = {}
    if agent.work_mode is not None:
        mode = agent.work_mode
        found["workMode"] = mode.mode.id if isinstance(mode, DesiredMode) else "scheduled"
    if agent.exclusive is not None:
        found |= {f"skills/{name}/level": OFF for name in ("voice", "chat")}
    for skill in agent.skills:
        if skill.level is not None:
            found[f"skills/{skill.name}/level"] = skill.level.value
        if skill.concurrent is not None and found.get(f"skills/{skill.name}/level") != OFF:
            found[f"skills/{skill.name}/concurrent"] = skill.concurrent.value
    return found
