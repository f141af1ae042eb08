"""Cover while a run goes on: nobody leaves a skill whose relief did not come."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from cxplan.core.answers import Answer, Failure, Write
from cxplan.core.errors import Exit
from cxplan.core.ids import SkillName
from cxplan.core.live import Schedule, UnreadableSchedule, UnreadAgent
from cxplan.core.plan import Status
from cxplan.core.rules import Coverage
from tests.core.make import NOW, SKILLS, shift
from tests.core.test_diff import ABSENT
from tests.usecases.people import HOUR, Person, Scene, id_of, scene

GAINS = Person({"chat": 5, "voice": 3}, {"voice": (5, 1)})
DROPS = Person({"chat": ABSENT}, {"chat": (5, 1, 4), "mail": (5, 1)})
STAYS = Person({}, {"chat": (5, 1, 4)})
Meanwhile = Callable[[Scene], None]
CHAT = SKILLS[SkillName("chat")].id

HANDOVER = {"a": GAINS, "b": DROPS, "c": STAYS}
"""``a`` gets chat, then ``b`` loses it, and ``c`` has it all the time."""


def covered(
    people: dict[str, Person] | None = None, at_least: int = 2, level: int | None = None
) -> Scene:
    """People of whom so many are to hold chat."""
    rule = Coverage(SkillName("chat"), at_least, level)
    return scene(people or HANDOVER, min_coverage=(rule,))


def conflict(on: Scene, key: str = "a") -> None:
    """Somebody changes a value that the plan would write, and so the agent gets no chat."""
    on.put(key, {"voice": (7, 1)})


def answering(key: str, *answers: Answer, landing: bool = False) -> Meanwhile:
    """What the tenant answers to an agent, the last one again and again."""

    def prepare(on: Scene) -> None:
        queue: Iterator[Answer] = iter(answers)

        def on_write(change: Write, commit: Callable[[], Answer]) -> Answer:
            if change.agent_id != id_of(key):
                return commit()
            if landing:
                commit()
            return next(queue, answers[-1])

        on.tenant.on_write = on_write

    return prepare


def unread(on: Scene, key: str = "a") -> None:
    on.tenant.readings[id_of(key)] = UnreadAgent(id_of(key), "http.503", "busy")


def gone(on: Scene, key: str = "a") -> None:
    del on.tenant.agents[id_of(key)]


def test_cover_is_handed_over() -> None:
    on = covered()
    plan = on.plan()
    assert plan.denied == ()
    assert [(agent.key, agent.phase) for agent in plan.ready] == [("a", 1), ("b", 2)]
    assert on.apply(plan).exit is Exit.OK
    assert on.landed == ["a", "b"]


def test_who_is_needed_after_all_keeps_the_skill() -> None:
    on = covered()
    plan = on.plan()
    conflict(on)
    before = on.tenant.agents[id_of("b")]
    report = on.apply(plan)
    assert on.outcomes == {"a": "conflict", "b": "blocked"}
    assert on.errors("b") == ["minCoverage"]
    assert on.tenant.writes == []
    assert on.tenant.agents[id_of("b")] is before
    assert report.exit is Exit.STALE
    assert report.agents[1].message == (
        "chat would have fewer than 2 agents from 2026-11-25T12:00:00Z to 2026-11-25T19:00:00Z, "
        "since others did not change as planned"
    )


def test_cover_that_is_passed_by_name_is_not_counted_again() -> None:
    on = covered().letting("minCoverage")
    plan = on.plan()
    conflict(on)
    on.apply(plan)
    assert on.outcomes == {"a": "conflict", "b": "applied"}


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        (answering("a", Answer(422)), "rejected"),
        (answering("a", Answer(200, items=("chat: no",))), "rejected"),
        (answering("a", Answer(500)), "failed"),
        (answering("a", Answer(None, Failure.LOST)), "unknown"),
        (unread, "unread"),
        (gone, "conflict"),
    ],
    ids=["refused", "refused in part", "failed", "lost", "unread", "gone"],
)
def test_however_the_relief_fails_to_come_nobody_leaves(trouble: Meanwhile, outcome: str) -> None:
    on = covered()
    plan = on.plan()
    trouble(on)
    on.apply(plan)
    assert on.outcomes == {"a": outcome, "b": "blocked"}
    assert on.errors("b") == ["minCoverage"]
    assert on.landed == []


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda on: on.put("a", {"voice": (3, 1), "chat": (5, 1)}),
        lambda on: on.put("a", {"voice": (7, 1), "chat": (9, 1)}),
        lambda on: on.beaten("a", lambda: on.put("a", {"voice": (3, 1), "chat": (5, 1)})),
        answering("a", Answer(204), landing=True),
    ],
    ids=["there already", "a conflict that holds it", "there in that moment", "told by a reading"],
)
def test_relief_that_came_in_another_way_is_relief(meanwhile: Meanwhile) -> None:
    on = covered()
    plan = on.plan()
    meanwhile(on)
    on.apply(plan)
    assert on.outcomes["b"] == "applied"


def test_relief_at_a_level_that_is_not_good_enough_is_none() -> None:
    on = covered(level=5)
    plan = on.plan()
    on.put("a", {"voice": (7, 1), "chat": (9, 1)})
    on.apply(plan)
    assert on.outcomes == {"a": "conflict", "b": "blocked"}


@pytest.mark.parametrize(("at_least", "outcome"), [(1, "applied"), (2, "blocked")])
def test_who_is_not_needed_may_leave_without_relief(at_least: int, outcome: str) -> None:
    on = covered(at_least=at_least)
    plan = on.plan()
    conflict(on)
    on.apply(plan)
    assert on.outcomes["b"] == outcome


def test_who_had_to_stay_lets_the_next_one_leave() -> None:
    """Two leave for two who come; one of these does not: one of the leaving stays, one goes."""
    people = {"a": GAINS, "b": DROPS, "c": STAYS, "d": DROPS, "e": GAINS}
    on = covered(people, at_least=3)
    plan = on.plan()
    conflict(on)
    on.apply(plan)
    assert on.outcomes == {"a": "conflict", "b": "blocked", "d": "applied", "e": "applied"}


def test_relief_that_works_at_another_time_is_none() -> None:
    on = covered(HANDOVER | {"a": replace(GAINS, shifts=(shift(9, 8),))})
    plan = on.plan()
    assert {agent.status for agent in plan.agents} == {Status.READY}
    on.refused(plan, "minCoverage")


def test_relief_that_the_plan_itself_cannot_give_is_none() -> None:
    on = covered()
    live = on.tenant.agents[id_of("a")]
    on.tenant.agents[id_of("a")] = replace(live, etag=None)
    plan = on.plan()
    assert [agent.status.value for agent in plan.agents] == ["blocked", "ready"]
    on.refused(plan, "minCoverage")


def test_time_that_is_over_needs_no_cover() -> None:
    on = covered({key: replace(each, shifts=(shift(-1, 3),)) for key, each in HANDOVER.items()})
    plan = on.plan()
    conflict(on)
    on.clock.sleep(2 * HOUR)
    on.apply(plan)
    assert on.outcomes == {"a": "conflict", "b": "applied"}


# --- what nobody knows counts as no cover -------------------------------------------------------

ALSO_MAIL = Person({"mail": 9}, {"chat": (5, 1, 4), "mail": (5, 1)})
"""Keeps chat, and is in phase two since mail gets worse."""


def unseen(answer: Answer) -> Meanwhile:
    """The write of ``b`` lands, is answered like this, and the agent cannot be read any more."""

    def prepare(on: Scene) -> None:
        def on_write(change: Write, commit: Callable[[], Answer]) -> Answer:
            answered = commit()
            if change.agent_id != id_of("b"):
                return answered
            unread(on, "b")
            return answer

        on.tenant.on_write = on_write

    return prepare


@pytest.mark.parametrize(
    ("meanwhile", "outcome", "then"),
    [
        (unseen(Answer(204)), "applied", "blocked"),
        (unseen(Answer(None, Failure.LOST)), "unknown", "blocked"),
        (lambda on: unread(on, "b"), "unread", "blocked"),
        (lambda on: gone(on, "b"), "conflict", "blocked"),
        (answering("b", Answer(500)), "failed", "applied"),
        (lambda on: on.put("b", {"chat": (5, 1, 4)}), "blocked", "applied"),
    ],
    ids=["not shown", "lost", "unread", "gone", "known to be there", "seen to be there"],
)
def test_who_may_have_left_does_not_count_as_cover(
    meanwhile: Meanwhile, outcome: str, then: str
) -> None:
    """``b`` and ``z`` leave for ``m``, whom somebody stripped: only one of the two can go."""
    on = covered({"b": DROPS, "m": ALSO_MAIL, "z": DROPS}, at_least=1)
    plan = on.plan()
    assert plan.denied == ()
    on.put("m", {"mail": (5, 1)})
    meanwhile(on)
    on.apply(plan)
    assert on.outcomes == {"b": outcome, "m": "applied", "z": then}


@pytest.mark.parametrize("key", ["a", "b"])
def test_a_schedule_that_cannot_be_read_any_more_lets_nobody_leave(key: str) -> None:
    on = covered()
    plan = on.plan()
    conflict(on)
    on.tenant.schedules[id_of(key)] = UnreadableSchedule("http.503")
    on.apply(plan)
    assert on.outcomes == {"a": "conflict", "b": "blocked"}
    assert on.errors("b") == ["minCoverage"]


def test_who_stays_unseen_is_no_cover_for_the_next_one() -> None:
    """As above, but nobody knows when ``b``, who has to stay, works."""
    people = {"a": GAINS, "b": DROPS, "c": STAYS, "d": DROPS, "e": GAINS}
    on = covered(people, at_least=3)
    plan = on.plan()
    conflict(on)
    on.tenant.schedules[id_of("b")] = UnreadableSchedule("http.503")
    on.apply(plan)
    assert on.outcomes == {"a": "conflict", "b": "blocked", "d": "blocked", "e": "applied"}


def test_a_tenant_that_is_lost_right_after_a_write_does_not_change_what_is_said_of_it() -> None:
    on = covered({"a": GAINS, "c": STAYS}, at_least=1)
    plan = on.plan()

    def on_write(_change: Write, _commit: Callable[[], Answer]) -> Answer:
        on.cut_off()
        return Answer(None, Failure.LOST)

    on.tenant.on_write = on_write
    report = on.apply(plan)
    assert on.outcomes == {"a": "unknown"}
    assert report.exit is Exit.UNKNOWN


def test_who_stays_covers_only_the_own_hours() -> None:
    """``b`` works first and ``d`` after that, both leave for ``a``, who does not come."""
    first, second, both = (shift(0, 4),), (shift(4, 4),), (shift(0, 8),)
    people = {
        "a": replace(GAINS, shifts=both),
        "b": replace(DROPS, shifts=first),
        "c": replace(STAYS, shifts=both),
        "d": replace(DROPS, shifts=second),
    }
    on = covered(people)
    plan = on.plan()
    assert plan.denied == ()
    conflict(on)
    on.apply(plan)
    assert on.outcomes == {"a": "conflict", "b": "blocked", "d": "blocked"}


# --- whatever fails -----------------------------------------------------------------------------


def crowd(dice: random.Random) -> Scene:
    """Eight who come, leave or stay, each with shifts of its own."""
    people = {
        key: replace(
            dice.choice([GAINS, GAINS, DROPS, DROPS, STAYS]),
            shifts=tuple(shift(dice.randrange(0, 18, 2), dice.choice([2, 4, 6])) for _ in "12"),
        )
        for key in "abcdefgh"
    }
    return covered(people, at_least=dice.randint(1, 3), level=dice.choice([None, 5]))


def interfere(on: Scene, dice: random.Random) -> None:
    """Make some turns fail; nobody loses chat by it."""
    refusing = {id_of(key) for key in "abcdefgh" if dice.random() < 0.2}
    on.tenant.on_write = lambda change, commit: (
        Answer(422) if change.agent_id in refusing else commit()
    )
    for key in "abcdefgh":
        held = {skill.skill_id for skill in on.tenant.agents[id_of(key)].skills}
        if CHAT in held or dice.random() < 0.6:
            continue
        dice.choice([unread, conflict, gone])(on, key)


def hourly(on: Scene) -> list[int]:
    """How many hold chat and are scheduled, hour by hour."""
    holders = [
        on.tenant.schedules[agent.id]
        for agent in on.tenant.agents.values()
        if any(held.skill_id == CHAT and held.active for held in agent.skills)
    ]
    hours = [NOW + timedelta(hours=hour) for hour in range(24)]
    return [
        sum(
            any(each.start <= hour < each.end for each in found.shifts)
            for found in holders
            if isinstance(found, Schedule)
        )
        for hour in hours
    ]


def test_whatever_fails_no_hour_is_left_thinner_and_too_thin() -> None:
    seen: Counter[str] = Counter()
    for seed in range(400):
        dice = random.Random(seed)
        on = crowd(dice)
        plan = on.plan()
        if plan.denied or not plan.ready:
            continue
        before = hourly(on)
        interfere(on, dice)
        on.apply(plan)
        (rule,) = on.declarations.guards.min_coverage
        for was, now in zip(before, hourly(on), strict=True):
            assert now >= min(was, rule.agents), f"seed {seed}"
        seen.update(on.outcomes.values())
    assert min(seen[each] for each in ("applied", "blocked", "conflict", "rejected", "unread")) > 20
