"""What is due: the fold over runs, whom to read, at which instants to ask, and the rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from cxplan.core.diff import Change, diff
from cxplan.core.due import (
    Looked,
    Past,
    Since,
    due,
    instants,
    looked,
    may_be_due,
    past_of,
)
from cxplan.core.history import key_of
from cxplan.core.ids import AgentId, SkillId
from cxplan.core.instant import utc_text
from cxplan.core.live import ObservedAgent, Schedule, ScheduleReading, UnreadableSchedule
from cxplan.core.model import Declarations, Override
from cxplan.core.resolve import Resolved, resolve
from cxplan.core.scope import Atom, Scope
from tests.core.ahead import ABSENT, HOUR, override, with_overrides
from tests.core.make import NOW, declarations, member, observed, schedule, shift, team, terms

A, B = AgentId("id-a"), AgentId("id-b")
VOICE = key_of(SkillId("skill-1"), "level")


# --- what runs have settled -------------------------------------------------------------------


def start(hours: float, whom: Looked = Looked.EVERYBODY, rollback: str | None = None) -> Any:
    at = utc_text(NOW + hours * HOUR)
    return {"kind": "run.start", "plannedAt": at, "looked": whom.value, "rollback": rollback}


def ended(agent: AgentId, outcome: str, after: int = 3) -> Any:
    change = {"path": "skills/voice/level", "skillId": "skill-1", "before": None, "after": after}
    return {"kind": "agent.outcome", "agentId": agent, "outcome": outcome, "changes": [change]}


DEFERRED = frozenset({(VOICE, 0, 3)})
UNSETTLED = (
    "conflict",
    "stale",
    "rejected",
    "failed",
    "unknown",
    "blocked",
    "unread",
    "notAttempted",
)


def at(hours: float) -> datetime:
    return NOW + hours * HOUR


def test_no_run_settles_nothing() -> None:
    assert past_of([]).empty
    assert past_of([]).since(A) == Since()


@pytest.mark.parametrize("outcome", ["applied", "converged", "alreadyThere"])
def test_a_run_that_looked_at_everybody_settles_everybody(outcome: str) -> None:
    past = past_of([[start(-2), ended(A, outcome)]])
    assert past == Past(at(-2))
    assert past.since(B) == Since(at(-2))


@pytest.mark.parametrize("outcome", UNSETTLED)
def test_who_did_not_end_as_wanted_keeps_its_earlier_base(outcome: str) -> None:
    runs = [[start(-4), ended(B, "applied")], [start(-2), ended(A, outcome), ended(B, "applied")]]
    past = past_of(runs)
    assert past.since(A) == Since(at(-4))
    assert past.since(B) == Since(at(-2))
    assert past_of(runs[1:]).since(A) == Since(None)


def test_a_partial_run_settles_whom_it_lists() -> None:
    runs = [
        [start(-4)],
        [start(-2, Looked.SOME), ended(A, "applied"), ended(AgentId("id-c"), "failed")],
    ]
    past = past_of(runs)
    assert [past.since(AgentId(f"id-{key}")).base for key in "abc"] == [at(-2), at(-4), at(-4)]
    assert past_of(runs[1:]).since(B) == Since(None)
    assert not past_of(runs[1:]).empty


def test_a_deferral_lasts_until_a_run_settles_the_agent() -> None:
    deferring = [start(-4), ended(A, "deferred")]
    assert past_of([deferring]).since(A) == Since(None, DEFERRED)
    others: list[tuple[list[Any], bool]] = [
        ([start(-2, Looked.SOME), ended(B, "applied")], True),
        ([start(-2, Looked.SOME), ended(A, "applied")], False),
        ([start(-2), ended(B, "applied")], False),
        ([start(-2), ended(A, "failed")], False),
        ([start(-2, rollback="run"), ended(A, "applied")], True),
    ]
    for then, lasts in others:
        assert bool(past_of([deferring, then]).since(A).deferred) is lasts


def test_a_rollback_settles_nobody() -> None:
    past = past_of([[start(-4)], [start(-2, Looked.SOME, "run-0"), ended(A, "applied")]])
    assert past == Past(at(-4))
    assert past_of([[start(-2, rollback="run-0"), ended(A, "applied")]]).empty


def test_a_run_that_does_not_say_when_it_was_planned_settles_nobody() -> None:
    assert past_of([[{"kind": "run.start", "commit": None}, ended(A, "applied")]]).empty
    assert past_of([[ended(A, "notAttempted")]]).empty


@pytest.mark.parametrize(
    "line",
    [
        start(0) | {"plannedAt": "yesterday"},
        {"kind": "run.start", "plannedAt": utc_text(NOW)},
        {"kind": "agent.outcome", "agentId": "id-a"},
        ended(A, "deferred") | {"changes": [{"path": 3}]},
        ended(A, "deferred", after="x"),  # type: ignore[arg-type]  # what a forger may write
    ],
)
def test_a_line_that_lacks_what_it_must_have_is_an_error(line: Any) -> None:
    with pytest.raises(ValueError, match=r"lack|instant|value"):
        past_of([[line]])


@pytest.mark.parametrize(
    ("scope", "rollback", "whom"),
    [
        (Scope(), False, Looked.EVERYBODY),
        (Scope(only_due=True), False, Looked.EVERYBODY),
        (Scope(), True, Looked.SOME),
        (Scope(this_change=True), False, Looked.SOME),
        (Scope(only=((Atom("agent", "a"),),)), False, Looked.SOME),
        (Scope(exclude=((Atom("agent", "a"),),)), False, Looked.SOME),
    ],
)
def test_whom_a_run_looks_at(scope: Scope, rollback: bool, whom: Looked) -> None:
    assert looked(scope, rollback=rollback) is whom


# --- whom to read, and when to ask ------------------------------------------------------------


def files(*overrides: Override, mode: str | None = None, **skills: object) -> Resolved:
    value: Declarations = declarations(team(member("a", skills, mode=mode)))
    return resolve(with_overrides(value, *overrides))


def edges(
    resolved: Resolved, base: float | None, reading: ScheduleReading | None = None
) -> list[float]:
    """The instants in hours from now; a schedule is asked for only where one is given."""

    def read() -> ScheduleReading:
        assert reading is not None, "nobody is to ask for it"
        return reading

    since = Since(None if base is None else at(base))
    found = instants(resolved, resolved.agents[0], since, NOW, read)
    return [(instant - NOW) / HOUR for instant in found]


def test_the_instants_are_the_base_and_each_boundary_since() -> None:
    resolved = files(override("o", -3, 1), override("p", -2, -1), override("q", 0, 5))
    assert edges(resolved, -9) == [-9, -3, -2, -1]
    assert edges(resolved, -2) == [-2, -1]
    assert edges(resolved, -0.5) == [-0.5]
    assert edges(resolved, None) == []
    assert edges(resolved, 1) == [], "a run of the future, by a clock that was wrong"


def test_a_shift_that_is_followed_has_instants_too() -> None:
    shifts = schedule(shift(-8, 4), shift(-2, 4))
    assert edges(files(mode="scheduled"), -9, shifts) == [-9, -8, -4, -2]
    by_override = files(override("o", -3, 1, mode="scheduled"))
    assert edges(by_override, -5, shifts) == [-5, -4, -3, -2]
    assert edges(files(mode="scheduled"), -9, UnreadableSchedule("no")) == [-9]
    assert edges(files(mode="scheduled"), -9, Schedule()) == [-9]


@pytest.mark.parametrize(
    ("overrides", "mode", "since", "may"),
    [
        ([], None, Since(at(-2)), False),
        ([], None, Since(at(-2), DEFERRED), True),
        ([], None, Since(None, DEFERRED), True),
        ([], "scheduled", Since(at(-2)), True),
        ([], "scheduled", Since(None), False),
        ([override("o", -1, 3)], None, Since(at(-2)), True),
        ([override("o", 0, 3)], None, Since(at(-2)), True),
        ([override("o", -3, -1)], None, Since(at(-2)), True),
        ([override("o", -3, 3)], None, Since(at(-2)), False),
        ([override("o", 1, 3)], None, Since(at(-2)), False),
        ([override("o", -3, 3, mode="scheduled")], None, Since(at(-2)), True),
        ([override("o", -1, 3, agents="b")], None, Since(at(-2)), False),
    ],
)
def test_only_who_may_have_something_due_is_read(
    overrides: list[Override], mode: str | None, since: Since, may: bool
) -> None:
    both = declarations(team(member("a", mode=mode), member("b")))
    resolved = resolve(with_overrides(both, *overrides))
    assert may_be_due(resolved, resolved.agents[0], since, NOW) is may


# --- the rule ---------------------------------------------------------------------------------


def needed(resolved: Resolved, live: ObservedAgent, hours: float = 0) -> tuple[Change, ...]:
    agent = resolved.agent_at(resolved.agents[0], at(hours))
    return diff(agent, live, terms())


def found(
    resolved: Resolved,
    live: dict[str, Any],
    base: float = -9,
    deferred: frozenset[Any] = frozenset(),
) -> list[str]:
    seen = observed(skills=live)
    earlier = [needed(resolved, seen, hours) for hours in edges(resolved, base)]
    since = Since(at(base), deferred)
    return [change.path for change in due(needed(resolved, seen), earlier, since)]


LEVEL = "skills/voice/level"
BEGUN = override("o", -1, 9, {"voice": 1})
OVER = override("o", -5, -1, {"voice": 1})


@pytest.mark.parametrize(
    ("resolved", "live", "paths"),
    [
        (files(BEGUN, voice=5), {"voice": (5, 1)}, [LEVEL]),
        (files(BEGUN, voice=5), {"voice": (7, 1)}, []),  # somebody changed it
        (files(BEGUN, voice=5), {"voice": (1, 1)}, []),  # there already
        (files(voice=5), {"voice": (3, 1)}, []),  # drift, or a change of the files
        (files(OVER, voice=5), {"voice": (1, 1)}, [LEVEL]),
        (files(OVER, voice=5), {"voice": (7, 1)}, []),
        (files(OVER), {"voice": (1, 1)}, []),  # released
        (files(OVER, voice=ABSENT), {"voice": (1, 1)}, [LEVEL]),
        # nothing was wanted before: whatever stands there
        (files(BEGUN), {"voice": (7, 1)}, [LEVEL]),
        (files(BEGUN), {}, [LEVEL, "skills/voice/concurrent"]),
        # two overrides, and somebody had put back the first by hand
        (files(OVER, replace(BEGUN, name="p"), voice=5), {"voice": (5, 1)}, [LEVEL]),
        # a skill that somebody had taken away is not given again
        (files(BEGUN, voice=5), {"voice": (0, 0)}, []),
        (files(BEGUN, voice=ABSENT), {}, [LEVEL, "skills/voice/concurrent"]),
        (files(override("o", -1, 9, {"voice": ABSENT}), voice=5), {"voice": (5, 1)}, [LEVEL]),
        (files(override("o", -1, 9, {"voice": ABSENT}), voice=5), {"voice": (7, 1)}, []),
        # each value by itself
        (
            files(override("o", -1, 9, {"voice": (1, 2)}), voice=(5, 1)),
            {"voice": (7, 1)},
            ["skills/voice/concurrent"],
        ),
    ],
)
def test_what_time_alone_changed_is_due(
    resolved: Resolved, live: dict[str, Any], paths: list[str]
) -> None:
    assert found(resolved, live) == paths


def test_what_began_before_the_base_is_not_due() -> None:
    assert found(files(BEGUN, voice=5), {"voice": (5, 1)}, base=-0.5) == []
    assert found(files(BEGUN, voice=5), {"voice": (5, 1)}, base=-1) == []
    assert found(files(BEGUN), {"voice": (7, 1)}, base=-0.5) == []


@pytest.mark.parametrize(
    ("deferral", "is_due"),
    [
        ((VOICE, 5, 3), True),
        ((VOICE, 7, 3), False),  # the live value moved
        ((VOICE, 5, 1), False),  # the files want another one by now
        ((key_of(SkillId("skill-2"), "level"), 5, 3), False),
    ],
)
def test_a_deferred_value_is_due_while_nothing_overtook_it(deferral: Any, is_due: bool) -> None:
    paths = found(files(voice=3), {"voice": (5, 1)}, deferred=frozenset({deferral}))
    assert paths == ([LEVEL] if is_due else [])


def test_a_deferred_new_skill_comes_with_its_concurrency() -> None:
    paths = found(files(voice=3), {}, deferred=DEFERRED)
    assert paths == [LEVEL, "skills/voice/concurrent"]


def test_what_was_rolled_back_is_never_due() -> None:
    resolved, live = files(BEGUN, chat=5), observed(skills={"chat": (5, 1)})
    changes = needed(resolved, live)
    assert due(changes, [()], Since(at(-2))) == changes
    marked = tuple(replace(change, rolled_back="run-1") for change in changes)
    deferred = frozenset({(VOICE, 0, 1)})
    assert due(marked, [()], Since(at(-2), deferred)) == ()


def test_without_a_base_only_what_was_deferred_is_due() -> None:
    changes = needed(files(voice=3), observed(skills={"voice": (5, 1)}))
    assert due(changes, [], Since()) == ()
    assert due(changes, [], Since(None, frozenset({(VOICE, 5, 3)}))) == changes
