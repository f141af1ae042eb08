"""Two applies at once, from two ledgers on one tenant, of files that overlap and differ."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from cxplan.core.ids import AgentId, SkillName
from cxplan.core.plan import Plan
from cxplan.core.rules import GuardSettings
from tests.core.make import SKILLS, declarations, member, team
from tests.machine import draws
from tests.machine.baton import Baton
from tests.machine.engine import QUIET, RIGHT, Bench, Engine
from tests.machine.laws import check_changes, check_claims, check_told
from tests.machine.machine import Want, wanting
from tests.machine.world import MODE, Key, Shape, Value, World, differing, wishes
from tests.machine.wrong import FreshTag
from tests.usecases.fake import FakeIds

FREE = GuardSettings(None, None, no_agent_without_skill=False, shifts=draws.LENIENT)


races = given(
    shapes=st.tuples(*[draws.shapes] * len(draws.KEYS)),
    wants=st.tuples(*[st.lists(draws.wants, min_size=1, max_size=5)] * 2),
    order=st.lists(st.integers(0, 1), max_size=120),
)


@settings(max_examples=150, deadline=None)
@races
def test_both_files_hold_or_one_is_told_what_is_contested(
    shapes: tuple[Shape, ...], wants: tuple[list[Want], ...], order: list[int]
) -> None:
    _race(RIGHT, shapes, wants, order)


def test_one_that_takes_a_fresh_tag_is_caught() -> None:
    @settings(max_examples=500, deadline=None, derandomize=True, phases=[Phase.generate])
    @races
    def race(shapes: tuple[Shape, ...], wants: tuple[list[Want], ...], order: list[int]) -> None:
        _race(Engine(tenant=FreshTag), shapes, wants, order)

    with pytest.raises(AssertionError):
        race()


def _race(
    engine: Engine, shapes: tuple[Shape, ...], wants: tuple[list[Want], ...], order: list[int]
) -> None:
    world = World(dict(zip(draws.AGENTS, shapes, strict=True)), lambda _run, _agent: ())
    baton = Baton(order)
    one, two = (_bench(engine, world, baton, me, want) for me, want in enumerate(wants))
    world.witness = lambda run, agent: one.intents(run, agent) + two.intents(run, agent)
    plans = one.plan(), two.plan()
    begun = dict(world.shapes)
    baton.run([lambda: one.apply(plans[0], QUIET), lambda: two.apply(plans[1], QUIET)])
    one.plans |= two.plans
    check_changes(one)
    for bench in (one, two):
        check_claims(bench)
        for journal, report in bench.reports:
            check_told(bench, journal, report)
    for agent in draws.AGENTS:
        sides = [_side(b, p, agent) for b, p in zip((one, two), plans, strict=True)]
        assume(not _taken_away(*sides))
        _check_agent(begun[agent], world.shapes[agent], *sides)


def _bench(engine: Engine, world: World, baton: Baton, me: int, wants: list[Want]) -> Bench:
    files = declarations(team(*(member(key) for key in draws.KEYS)))
    for want in wants:
        files = wanting(files, want)
    return Bench(
        engine,
        world,
        replace(files, guards=FREE),
        ids=FakeIds(itertools.count(1000 * me + 1)),
        pause=lambda: baton.pause(me),
    )


@dataclass(frozen=True)
class Side:
    """What one of the two wants of an agent, and what it was told."""

    wanted: Mapping[Key, Value]
    outcome: str | None = None
    moved: frozenset[str] = frozenset()

    def fulfilled(self, shape: Shape) -> bool:
        return all(shape.value(key) == value for key, value in self.wanted.items())


def _side(bench: Bench, plan: Plan, agent: AgentId) -> Side:
    planned = next((p for p in plan.ready if p.id == agent), None)
    if planned is None:
        return Side({})
    wanted: dict[Key, Value] = {wish.key: wish.after for wish in wishes(planned)}
    ((_, report),) = bench.reports
    told = next(each for each in report.agents if each.id == agent)
    return Side(wanted, told.outcome.value, frozenset(moved.path for moved in told.moved))


def _taken_away(one: Side, two: Side) -> bool:
    """Whether one switches a skill off of which the other sets nothing but the concurrency.

    It is off in the end whoever comes first, and an off skill has no concurrency.
    """
    off = _touched(one) - one.wanted.keys(), _touched(two) - two.wanted.keys()
    return bool(off[0] & two.wanted.keys() or off[1] & one.wanted.keys())


def _check_agent(begun: Shape, ended: Shape, one: Side, two: Side) -> None:
    contested = {k for k in one.wanted.keys() & two.wanted.keys() if one.wanted[k] != two.wanted[k]}
    told = [side for side in (one, two) if side.outcome == "conflict"]
    fine = [side for side in (one, two) if side not in told]
    assert {side.outcome for side in fine} <= {None, "applied", "alreadyThere"}
    assert all(side.fulfilled(ended) for side in fine)
    assert len(told) == bool(contested)
    for loser in told:
        assert {_key(path) for path in loser.moved} == contested
    moved = differing(begun, ended)
    assert moved <= {key for side in fine for key in _touched(side)}


def _touched(side: Side) -> set[Key]:
    """A skill that goes off takes its concurrency with it."""
    off = {(k[0], "concurrent") for k, v in side.wanted.items() if k[1] == "level" and v == 0}
    return {*side.wanted, *off}


def _key(path: str) -> Key:
    if path == "workMode":
        return MODE
    _, name, part = path.split("/")
    return SKILLS[SkillName(name)].id, part
