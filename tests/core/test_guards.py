"""Each guard at limit - 1, limit and limit + 1, and switched off."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cxplan.core.diff import AgentState, Change, Op, SkillState
from cxplan.core.guards import Affected, Basis, judge_guards
from cxplan.core.ids import SkillId
from cxplan.core.rules import GuardSettings, Limit

ACTIVE = AgentState(None, (SkillState(SkillId("s"), 5, 1),))
NONE = AgentState(None, (SkillState(SkillId("s"), 0, 0),))


def affected(key: str, *, removals: int = 0, after: AgentState = ACTIVE) -> Affected:
    removal = Change("skills/s/level", Op.REMOVE, 5, 0, None, SkillId("s"))
    other = Change("skills/t/level", Op.CHANGE, 5, 3, None, SkillId("t"))
    return Affected(key, (*[removal] * removals, other), ACTIVE, after)


def verdicts(settings: GuardSettings, agents: list[Affected], basis: Basis) -> dict[str, str]:
    return {f.id: f.verdict.value for f in judge_guards(settings, agents, basis)}


@pytest.mark.parametrize(
    ("limit", "managed", "expected"),
    [
        (Limit(30, 10, 1000), 100, 30),
        (Limit(30, 10, 1000), 20, 10),
        (Limit(30, 10, 1000), 5000, 1000),
        (Limit(10, 5, 500), 59, 5),
        (Limit(0, 0, 10), 100, 0),
        (Limit(100, 10, 5), 3, 5),
    ],
)
def test_a_limit_is_a_share_or_at_least_and_never_over_at_most(
    limit: Limit, managed: int, expected: int
) -> None:
    assert limit.of(managed) == expected


@pytest.mark.parametrize(("count", "verdict"), [(9, "pass"), (10, "pass"), (11, "deny")])
def test_max_agents_changed(count: int, verdict: str) -> None:
    agents = [affected(f"a{i}") for i in range(count)]
    found = verdicts(GuardSettings(), agents, Basis(30, 300, 0))
    assert found["maxAgentsChanged"] == verdict


@pytest.mark.parametrize(("count", "verdict"), [(9, "pass"), (10, "pass"), (11, "deny")])
def test_max_skills_removed(count: int, verdict: str) -> None:
    agents = [affected("a", removals=count)]
    assert verdicts(GuardSettings(), agents, Basis(10, 100, 0))["maxSkillsRemoved"] == verdict


def test_no_agent_without_skill() -> None:
    stripped = [affected("a"), affected("b", after=NONE)]
    basis = Basis(10, 100, 0)
    found = {f.id: f for f in judge_guards(GuardSettings(), stripped, basis)}
    assert found["noAgentWithoutSkill"].verdict == "deny"
    assert found["noAgentWithoutSkill"].examples == ("b: no active skill left",)
    had_none = [replace(stripped[1], before=NONE)]
    assert verdicts(GuardSettings(), had_none, basis)["noAgentWithoutSkill"] == "pass"


def test_a_guard_that_is_off_counts_and_never_denies() -> None:
    off = GuardSettings(None, None, no_agent_without_skill=False)
    agents = [affected(f"a{i}", removals=9, after=NONE) for i in range(500)]
    found = judge_guards(off, agents, Basis(500, 500, 0))
    assert {(f.id, f.verdict.value, f.limit) for f in found} == {
        ("maxAgentsChanged", "off", None),
        ("maxSkillsRemoved", "off", None),
        ("noAgentWithoutSkill", "off", None),
    }
    assert [f.actual for f in found] == [500, 4500, 500]


def test_a_denial_shows_the_three_worst() -> None:
    agents = [affected(f"a{i:02d}", removals=i) for i in range(12)]
    found = {f.id: f for f in judge_guards(GuardSettings(), agents, Basis(12, 20, 0))}
    assert found["maxSkillsRemoved"].examples == (
        "a11: 11 removed",
        "a10: 10 removed",
        "a09: 9 removed",
    )


def test_work_modes_that_only_follow_the_shift_are_counted_apart() -> None:
    moved = Change("workMode", Op.CHANGE, "a", "b", None, scheduled=True)
    agents = [replace(affected(f"a{i}"), changes=(moved,)) for i in range(500)]
    agents.append(affected("b"))
    (found, *_) = judge_guards(GuardSettings(), agents, Basis(30, 300, 0))
    assert (found.verdict.value, found.actual, dict(found.basis)["onlyScheduled"]) == (
        "pass",
        1,
        500,
    )
