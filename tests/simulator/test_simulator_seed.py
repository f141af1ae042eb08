"""Tenants out of a seed: the same again, varied, and valid; drift; the score."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest

from cxplan.core.errors import InvalidError
from cxplan.simulator.latency import simulated_latency_ms
from cxplan.simulator.seed import drift, random_spec
from cxplan.simulator.spec import AgentSpec, ScheduleKind, TenantSpec
from tests.simulator.kit import NOW, TENANT

SIZE = 96


def test_the_same_seed_gives_the_same_tenant_and_another_seed_another() -> None:
    assert random_spec(SIZE, 7, NOW) == random_spec(SIZE, 7, NOW) != random_spec(SIZE, 8, NOW)


def test_a_larger_tenant_begins_with_the_smaller_one() -> None:
    assert random_spec(40, 7, NOW).agents[:10] == random_spec(10, 7, NOW).agents


def test_the_zone_of_now_does_not_matter() -> None:
    zone = TENANT.agents[0].shifts[0].start.tzinfo
    assert random_spec(SIZE, 7, NOW.astimezone(zone)) == random_spec(SIZE, 7, NOW)


@pytest.mark.parametrize("seed", range(5))
def test_every_value_is_one_that_the_tenant_would_accept(seed: int) -> None:
    spec = random_spec(SIZE, seed, NOW)
    skills = {skill.id: skill for skill in spec.skills}
    modes = {mode.id for mode in spec.modes}
    assert len({agent.id for agent in spec.agents}) == SIZE
    assert {skill.channel for skill in spec.skills} == {"voice", "chat"}
    assert len(spec.skills) == 12
    for agent in spec.agents:
        assert agent.work_mode in modes
        assert {shift.work_mode for shift in agent.shifts} <= modes
        ids = [held.skill_id for held in agent.skills]
        assert len(ids) == len(set(ids)) >= 3
        assert any(held.level for held in agent.skills)
        for held in agent.skills:
            assert 0 <= held.level <= 20
            assert held.maximum == skills[held.skill_id].maximum
            assert held.concurrent is not None
            assert (1 if held.level else 0) <= held.concurrent <= held.maximum


def situation(agent: AgentSpec, now: datetime) -> str:
    if not agent.shifts:
        return agent.schedule.value
    if any(shift.start <= now < shift.end for shift in agent.shifts):
        return "on"
    before = any(shift.end <= now for shift in agent.shifts)
    after = any(shift.start > now for shift in agent.shifts)
    return "between" if before and after else "ended" if before else "later"


@pytest.mark.parametrize("minute", [0, 1, 29, 30, 59])
def test_all_situations_stand_around_now(minute: int) -> None:
    now = NOW + timedelta(minutes=minute, seconds=59)
    found = Counter(situation(agent, now) for agent in random_spec(16, 3, now).agents)
    assert found == {
        "on": 8, "later": 2, "between": 2, "ended": 1, "listed": 1, "null": 1, "missing": 1,
    }  # fmt: skip


def test_shifts_are_sound_and_written_with_several_offsets() -> None:
    spec = random_spec(SIZE, 3, NOW)
    shifts = [shift for agent in spec.agents for shift in agent.shifts]
    assert all(timedelta(0) < s.end - s.start <= timedelta(hours=8) for s in shifts)
    assert len({s.start.utcoffset() for s in shifts}) >= 5
    assert any(s.start.utcoffset() != s.end.utcoffset() for s in shifts)
    assert any(s.start.date() != s.end.date() for s in shifts)
    assert {agent.schedule for agent in spec.agents if agent.shifts} == {ScheduleKind.LISTED}


def test_work_modes_of_every_category_are_live() -> None:
    spec = random_spec(SIZE, 3, NOW)
    category = {mode.id: mode.category for mode in spec.modes}
    live = {category[agent.work_mode] for agent in spec.agents if agent.work_mode}
    assert live == {"available", "unavailable", "offline"}


def moved(before: TenantSpec, after: TenantSpec) -> list[tuple[AgentSpec, AgentSpec]]:
    pairs = zip(before.agents, after.agents, strict=True)
    return [(old, new) for old, new in pairs if old != new]


@pytest.mark.parametrize(("share", "count"), [(0, 0), (0.001, 1), (0.1, 10), (0.5, 48), (1, SIZE)])
def test_drift_moves_its_share_of_agents(share: float, count: int) -> None:
    spec = random_spec(SIZE, 3, NOW)
    assert len(moved(spec, drift(spec, share, 1))) == count
    assert drift(spec, share, 1) == drift(spec, share, 1)


def test_drift_moves_one_value_of_each_to_one_that_is_allowed() -> None:
    spec = random_spec(SIZE, 3, NOW)
    kinds = Counter[str]()
    for old, new in moved(spec, drift(spec, 1, 9)):
        pairs = [(a, b) for a, b in zip(old.skills, new.skills, strict=True) if a != b]
        assert len(pairs) + (old.work_mode != new.work_mode) == 1
        kinds["mode"] += old.work_mode != new.work_mode
        for a, b in pairs:
            assert (a.level != b.level) + (a.concurrent != b.concurrent) == 1
            assert 1 <= b.level <= 20
            assert b.concurrent is not None
            assert 1 <= b.concurrent <= (b.maximum or 1)
            kinds["level" if a.level != b.level else "concurrent"] += 1
    assert set(kinds) == {"mode", "level", "concurrent"}


@pytest.mark.parametrize("share", [-0.1, 1.1, 20])
def test_a_share_out_of_range_is_an_error(share: float) -> None:
    with pytest.raises(InvalidError) as caught:
        drift(TENANT, share, 1)
    assert caught.value.problem.hint


def test_agents_without_active_skills_drift_in_their_mode() -> None:
    drifted = {new.id: new for _, new in moved(TENANT, drift(TENANT, 1, 4))}
    assert set(drifted) == {"a1", "a2", "a3", "a4"}
    assert drifted["a3"].work_mode is not None


def test_the_simulated_latency_is_the_same_each_time() -> None:
    found = [simulated_latency_ms(1, f"agent-{n}") for n in range(50)]
    assert found == [simulated_latency_ms(1, f"agent-{n}") for n in range(50)]
    assert all(0 < ms < 1000 for ms in found)
    assert len(set(found)) > 20
