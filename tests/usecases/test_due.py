"""A timer over days: it brings what time changes, and touches nothing of people."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from cxplan.core.answers import Answer
from cxplan.core.ids import AgentId, AgentKey
from cxplan.core.live import Assignment
from cxplan.core.model import LayerKind, Match, Override
from cxplan.core.plan import Plan, Status
from tests.core.make import NOW, block, declarations, member, observed, schedule, shift, team
from tests.usecases.fake import FakeTenant, Stage
from tests.usecases.past import Chronicle
from tests.usecases.people import BETTER, Person, Scene, id_of, override, scene

A = id_of("a")
TRAINS = Person({"voice": 5}, {"voice": (5, 1)}, (), "scheduled")


def level(on: Stage, agent: AgentId = A) -> int | None:
    (held, *_) = on.tenant.agents[agent].skills
    return held.level


def paths(plan: Plan) -> set[str]:
    return {change.path for agent in plan.agents for change in agent.changes}


def applied(on: Scene) -> Chronicle:
    """Everything was brought as wanted, and somebody was changed by it, so that there is a run."""
    chronicle = Chronicle(on)
    chronicle.apply()
    assert chronicle.runs
    return chronicle


# --- what failed, was partial, or came late ---------------------------------------------------


def test_a_boundary_between_plan_and_apply_is_not_lost() -> None:
    on = scene({"a": Person({"voice": 5}, {"voice": (5, 1)}), "b": BETTER}, override(1, 9, "a"))
    chronicle = Chronicle(on)
    plan = on.planned()
    chronicle.wait(1.5)
    chronicle.execute(plan)
    assert level(on) == 5
    chronicle.tick()
    assert level(on) == 1


@pytest.mark.parametrize("status", [400, 503, 412])
def test_what_a_timer_could_not_write_it_tries_again(status: int) -> None:
    on = scene({"a": Person({"voice": 5}, {"voice": (5, 1)}), "b": BETTER}, override(1, 9, "a"))
    chronicle = applied(on)
    chronicle.wait(1.5)
    on.tenant.on_write = lambda *_: Answer(status)
    chronicle.tick()
    assert level(on) == 5
    on.tenant.on_write = None
    chronicle.wait(0.5)
    chronicle.tick()
    assert level(on) == 1


def test_a_timer_that_stood_still_through_a_whole_override_has_nothing_to_do() -> None:
    on = scene({"a": Person({"voice": 5}, {"voice": (5, 1)}), "b": BETTER}, override(1, 2, "a"))
    chronicle = applied(on)
    chronicle.wait(5)
    assert chronicle.tick().agents == ()


def test_who_is_unread_is_tried_again_and_nobody_else_is_told() -> None:
    on = scene({"a": Person({"voice": 5}, {"voice": (5, 1)}), "b": BETTER}, override(1, 9, "a"))
    chronicle = applied(on)
    chronicle.wait(1.5)
    held = on.tenant.agents.pop(A)
    on.tenant.agents.pop(id_of("b"))
    plan = chronicle.tick()
    assert [(agent.key, agent.status) for agent in plan.agents] == [("a", Status.BLOCKED)]
    on.tenant.agents[A] = held
    chronicle.tick()
    assert level(on) == 1


# --- shifts -----------------------------------------------------------------------------------


def test_each_shift_is_followed_once_and_who_leaves_its_mode_is_let() -> None:
    on = scene({"a": TRAINS, "b": BETTER})
    on.tenant.schedules[A] = schedule(shift(1, 4, "training"), shift(10, 4, "blended"))
    chronicle = applied(on)
    for hours, mode in [
        (2, "mode-training"),
        (1, "mode-off"),
        (5, "mode-off"),
        (3, "mode-blended"),
    ]:
        chronicle.wait(hours)
        if mode == "mode-off":
            on.put("a", {"voice": (5, 1)}, mode)
        chronicle.tick()
        assert on.tenant.agents[A].work_mode == mode


def test_who_was_deferred_is_written_when_the_shift_begins() -> None:
    on = scene({"a": Person({"voice": 3}, {"voice": (5, 1)}, (), "training"), "b": BETTER})
    on.tenant.schedules[A] = schedule(shift(2, 4, "training"))
    chronicle = applied(on)
    assert (level(on), on.tenant.agents[A].work_mode) == (5, "mode-available")
    chronicle.wait(1)
    assert [agent.status for agent in chronicle.tick().agents] == [Status.DEFERRED]
    chronicle.wait(1.5)
    chronicle.tick()
    assert (level(on), on.tenant.agents[A].work_mode) == (3, "mode-training")


# --- weeks at random --------------------------------------------------------------------------

FOREIGN, CHANGED = 19, 17
"""Levels that no override sets: what an admin gives, and what a change of the files wants."""

KEYS = ("a", "b", "c")
MOVING = "c"
"""Changed by every whole apply, so that there always is a run."""


def random_override(draw: random.Random, number: int) -> Override:
    begins = draw.randrange(0, 40)
    return Override(
        f"o{number}",
        NOW + timedelta(hours=begins),
        NOW + timedelta(hours=begins + draw.choice([1, 3, 8])),
        Match(agents=frozenset(map(AgentKey, draw.sample(KEYS[:2], draw.choice([1, 2]))))),
        block(LayerKind.OVERRIDE, f"o{number}", {draw.choice(["voice", "chat"]): 1 + number}),
        reason="peak",
    )


def week(draw: random.Random) -> Stage:
    """Two agents with overrides that come and go over 48 hours, each skill managed beneath."""
    overrides = [random_override(draw, number) for number in range(4)]
    files = declarations(
        team(*(member(key, {"voice": (9, 1), "chat": (9, 2), "mail": (9, 1)}) for key in KEYS))
    )
    ordered = sorted(overrides, key=lambda one: (one.start, one.name))
    live = {
        id_of(key): observed(
            key, {"voice": (9, 1, 1), "chat": (9, 2, 4), "mail": (8 if key == MOVING else 9, 1, 1)}
        )
        for key in KEYS
    }
    return Stage(replace(files, overrides=tuple(ordered)), FakeTenant(live))


def set_level(tenant: FakeTenant, key: str, skill: str, value: int) -> None:
    """Somebody else sets a level."""
    agent = tenant.agents[id_of(key)]
    names = {"voice": "skill-1", "chat": "skill-2", "mail": "skill-3"}
    skills = [
        Assignment(
            s.skill_id, value if s.skill_id == names[skill] else s.level, s.concurrent, s.maximum
        )
        for s in agent.skills
    ]
    tenant.put(agent.id, agent.work_mode, skills)


def differing(stage: Stage) -> set[str]:
    """What a whole plan would change."""
    plan = stage.planned()
    return {f"{agent.key}/{change.path}" for agent in plan.agents for change in agent.changes}


@pytest.mark.parametrize("seed", range(25))
def test_a_timer_alone_keeps_the_tenant_as_wanted(seed: int) -> None:
    draw = random.Random(seed)
    stage = week(draw)
    chronicle = Chronicle(stage)
    chronicle.apply()
    while stage.clock.seconds < 48 * 3600:
        chronicle.wait(draw.choice([0.5, 0.5, 1, 7]))
        chronicle.tick()
        assert differing(stage) == set()


@pytest.mark.parametrize("seed", range(25))
def test_what_people_changed_is_theirs_and_what_the_files_newly_want_waits(seed: int) -> None:
    draw = random.Random(seed)
    stage = week(draw)
    chronicle = Chronicle(stage)
    chronicle.apply()
    touched: set[str] = set()
    while stage.clock.seconds < 48 * 3600:
        chronicle.wait(draw.choice([0.5, 1, 7]))
        if draw.random() < 0.3:
            key, skill = draw.choice(KEYS[:2]), draw.choice(["voice", "chat"])
            set_level(stage.tenant, key, skill, FOREIGN)
            touched.add(f"{key}/skills/{skill}/level")
        if draw.random() < 0.1:
            (one,) = stage.declarations.teams
            newly = [
                replace(
                    m, block=member(m.key, {"voice": (9, 1), "chat": (9, 2), "mail": CHANGED}).block
                )
                for m in one.members
            ]
            stage.declarations = replace(stage.declarations, teams=(team(*newly),))
        chronicle.tick()
        left = {value.level for agent in stage.tenant.agents.values() for value in agent.skills}
        assert CHANGED not in left, "a change of the files is for people"
        assert {p for p in differing(stage) if not p.endswith("mail/level")} <= touched
    for path in touched:
        agent, skill = path.split("/")[0], path.split("/")[2]
        found = {s.skill_id: s.level for s in stage.tenant.agents[id_of(agent)].skills}
        assert found[{"voice": "skill-1", "chat": "skill-2"}[skill]] == FOREIGN  # type: ignore[index]  # plain text
