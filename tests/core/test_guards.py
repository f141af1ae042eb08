"""Each guard at limit - 1, limit and limit + 1, and switched off."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from cxplan.core.coverage import Count, Interval
from cxplan.core.diff import AgentState, Because, Change, Op, SkillState
from cxplan.core.findings import GuardFinding
from cxplan.core.guards import Affected, Basis, Covered, Standing, denial, judge_guards
from cxplan.core.ids import SkillId
from cxplan.core.model import Block, Layer, LayerKind, Match, Override
from cxplan.core.rules import Freeze, GuardSettings, Limit, OverrideRules
from cxplan.core.strictness import Allowance
from tests.core.make import NOW

ACTIVE = AgentState(None, (SkillState(SkillId("s"), 5, 1),))
NONE = AgentState(None, (SkillState(SkillId("s"), 0, 0),))


def affected(key: str, *, removals: int = 0, after: AgentState = ACTIVE) -> Affected:
    removal = Change("skills/s/level", Op.REMOVE, 5, 0, None, SkillId("s"))
    other = Change("skills/t/level", Op.CHANGE, 5, 3, None, SkillId("t"))
    return Affected(key, (*[removal] * removals, other), ACTIVE, after)


def standing(settings: GuardSettings, **more: Any) -> Standing:
    return Standing(settings, NOW, **more)


def verdicts(settings: GuardSettings, agents: list[Affected], basis: Basis) -> dict[str, str]:
    return {f.id: f.verdict.value for f in judge_guards(standing(settings), agents, basis)}


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
    found = {f.id: f for f in judge_guards(standing(GuardSettings()), stripped, basis)}
    assert found["noAgentWithoutSkill"].verdict == "deny"
    assert found["noAgentWithoutSkill"].examples == ("b: no active skill left",)
    had_none = [replace(stripped[1], before=NONE)]
    assert verdicts(GuardSettings(), had_none, basis)["noAgentWithoutSkill"] == "pass"


def test_a_guard_that_is_off_counts_and_never_denies() -> None:
    off = GuardSettings(None, None, no_agent_without_skill=False, overrides=None)
    agents = [affected(f"a{i}", removals=9, after=NONE) for i in range(500)]
    found = judge_guards(standing(off), agents, Basis(500, 500, 0))
    assert {(f.id, f.verdict.value, f.limit) for f in found} == {
        ("maxAgentsChanged", "off", None),
        ("maxSkillsRemoved", "off", None),
        ("noAgentWithoutSkill", "off", None),
        ("overrides", "off", None),
    }
    assert [f.actual for f in found] == [500, 4500, 500, 0]


def test_a_denial_shows_the_three_worst() -> None:
    agents = [affected(f"a{i:02d}", removals=i) for i in range(12)]
    found = {f.id: f for f in judge_guards(standing(GuardSettings()), agents, Basis(12, 20, 0))}
    assert found["maxSkillsRemoved"].examples == (
        "a11: 11 removed",
        "a10: 10 removed",
        "a09: 9 removed",
    )


def test_work_modes_that_only_follow_the_shift_are_counted_apart() -> None:
    moved = Change("workMode", Op.CHANGE, "a", "b", None, scheduled=True)
    agents = [replace(affected(f"a{i}"), changes=(moved,)) for i in range(500)]
    agents.append(affected("b"))
    (found, *_) = judge_guards(standing(GuardSettings()), agents, Basis(30, 300, 0))
    assert (found.verdict.value, found.actual, dict(found.basis)["onlyScheduled"]) == (
        "pass",
        1,
        500,
    )


# --- coverage, protection, freezes, overrides -------------------------------------------------


def covered(after: int, minimum: int = 5, before: int = 9, **more: Any) -> Basis:
    interval = Interval(NOW, NOW + timedelta(hours=1), before, after)
    rule = Covered("voice", minimum, None, Count((interval,), more.pop("unreadable", ())))
    return Basis(30, 300, 0, coverage=(rule,))


@pytest.mark.parametrize(("after", "verdict"), [(4, "deny"), (5, "pass"), (6, "pass")])
def test_min_coverage(after: int, verdict: str) -> None:
    (found,) = [f for f in judged(covered(after)) if f.id == "minCoverage"]
    assert (found.verdict.value, found.actual, found.limit) == (verdict, after, 5)


def judged(basis: Basis, **more: Any) -> tuple[GuardFinding, ...]:
    return judge_guards(standing(GuardSettings(), **more), [], basis)


def test_a_denied_coverage_names_skill_and_interval() -> None:
    (found,) = [f for f in judged(covered(4)) if f.id == "minCoverage"]
    assert denial(found) == (
        "Guard minCoverage denies for voice: 4, at least 5 "
        "(2026-11-25T12:00:00Z to 2026-11-25T13:00:00Z: 9 → 4)"
    )


def test_an_interval_that_was_thin_before_is_told_and_not_denied() -> None:
    (found,) = [f for f in judged(covered(3, before=3)) if f.id == "minCoverage"]
    assert (found.verdict.value, dict(found.basis)["thinBefore"]) == ("warn", 1)
    (lower,) = [f for f in judged(covered(2, before=3)) if f.id == "minCoverage"]
    assert lower.verdict.value == "deny"


def test_a_coverage_says_whose_schedule_could_not_be_read() -> None:
    (found,) = [f for f in judged(covered(6, unreadable=("x", "y"))) if f.id == "minCoverage"]
    assert found.verdict.value == "warn"
    assert "2 schedules unreadable, such as of x, y" in found.examples


@pytest.mark.parametrize(("after", "verdict"), [(6, "warn"), (4, "deny")])
def test_a_coverage_says_how_many_agents_could_not_be_read(after: int, verdict: str) -> None:
    (found,) = [f for f in judged(replace(covered(after), unread=2)) if f.id == "minCoverage"]
    assert (found.verdict.value, dict(found.basis)["unread"]) == (verdict, 2)
    assert found.examples[-1] == "2 agents unread and not counted"


@pytest.mark.parametrize(("count", "verdict"), [(0, "pass"), (1, "deny")])
def test_protected(count: int, verdict: str) -> None:
    agents = [affected("plain"), *[replace(affected("p"), protected=True)] * count]
    found = verdicts(GuardSettings(), agents, Basis(30, 300, 0, protected=2))
    assert found["protected"] == verdict
    assert "protected" not in verdicts(GuardSettings(), agents, Basis(30, 300, 0))


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("start", "end", "verdict"),
    [
        (NOW - HOUR, NOW, "pass"),  # half-open: over at this instant
        (NOW - HOUR, NOW + HOUR, "deny"),
        (NOW, NOW + HOUR, "deny"),
        (NOW + timedelta(seconds=1), NOW + HOUR, "pass"),
    ],
)
def test_a_freeze_counts_within_its_time(start: datetime, end: datetime, verdict: str) -> None:
    settings = GuardSettings(freeze=(Freeze("year end", start, end),))
    assert verdicts(settings, [affected("a")], Basis(30, 300, 0))["freeze"] == verdict
    assert verdicts(settings, [], Basis(30, 300, 0))["freeze"] == "pass"


def test_a_freeze_may_let_overrides_begin_and_end() -> None:
    begins = Change("skills/t/level", Op.ADD, None, 3, Because("o.yaml", 1, "override"))
    default = Change("skills/t/concurrent", Op.ADD, None, 1, None)
    ends = Change("skills/t/level", Op.CHANGE, 3, 5, Because("t.yaml", 1, "team"), overdue="CHG")
    by_team = Change("skills/u/level", Op.CHANGE, 3, 5, Because("t.yaml", 1, "team"))
    settings = GuardSettings(freeze=(Freeze("f", NOW, NOW + HOUR, except_overrides=True),))
    basis = Basis(30, 300, 0)
    passing = [replace(affected("a"), changes=(begins, default, ends))]
    assert verdicts(settings, passing, basis)["freeze"] == "pass"
    stopped = [replace(affected("a"), changes=(begins, by_team))]
    assert verdicts(settings, stopped, basis)["freeze"] == "deny"


def test_the_concurrency_of_a_skill_that_an_override_gives_or_gives_back_passes_a_freeze() -> None:
    team = Because("t.yaml", 1, "team")
    voice, chat = SkillId("s-voice"), SkillId("s-chat")
    begins = Change("skills/v/level", Op.ADD, 0, 3, Because("o.yaml", 1, "override"), voice)
    ends = replace(begins, because=team, overdue="CHG")
    by_team = replace(begins, because=team)
    along = Change("skills/v/concurrent", Op.ADD, None, 1, team, voice)
    others = replace(along, skill_id=chat)
    more = replace(along, op=Op.CHANGE, before=2)
    settings = GuardSettings(freeze=(Freeze("f", NOW, NOW + HOUR, except_overrides=True),))

    def verdict(*changes: Change) -> str:
        agents = [replace(affected("a"), changes=changes)]
        return verdicts(settings, agents, Basis(30, 300, 0))["freeze"]

    assert [verdict(begins, along), verdict(ends, along)] == ["pass", "pass"]
    denied = [(by_team, along), (begins, others), (begins, more), (along,)]
    assert [verdict(*changes) for changes in denied] == ["deny"] * 4


def override(days: float, *, ended_days_ago: float | None = None, **claims: str) -> Override:
    end = NOW + timedelta(days=days) if ended_days_ago is None else NOW
    end -= timedelta(days=ended_days_ago or 0)
    start = end - timedelta(days=days)
    block = Block(Layer(LayerKind.OVERRIDE, "CHG-1", "overrides/CHG-1.yaml"))
    return Override("CHG-1", start, end, Match(), block, **claims)


@pytest.mark.parametrize(
    ("made", "rules", "verdict"),
    [
        (override(89, reason="r"), OverrideRules(), "pass"),
        (override(90, reason="r"), OverrideRules(), "pass"),
        (override(90.01, reason="r"), OverrideRules(), "deny"),
        (override(5), OverrideRules(), "deny"),
        (override(5, reason="r"), OverrideRules(require=("reason", "ticket")), "deny"),
        (override(5), OverrideRules(require=()), "pass"),
        (override(5, ended_days_ago=400), OverrideRules(), "pass"),
        (override(5, ended_days_ago=6.9), OverrideRules(deny_when_expired_days=7), "pass"),
        (override(5, ended_days_ago=7), OverrideRules(deny_when_expired_days=7), "pass"),
        (override(5, ended_days_ago=7.1), OverrideRules(deny_when_expired_days=7), "deny"),
    ],
)
def test_overrides(made: Override, rules: OverrideRules, verdict: str) -> None:
    found = judge_guards(
        standing(GuardSettings(overrides=rules), overrides=(made,)), [], Basis(30, 300, 0)
    )
    (one,) = [f for f in found if f.id == "overrides"]
    assert one.verdict.value == verdict


def test_what_is_allowed_warns_and_nothing_else_does() -> None:
    agents = [replace(affected(f"a{i}", removals=9), protected=True) for i in range(40)]
    basis = Basis(30, 300, 0, protected=40)
    allowed = (Allowance("maxAgentsChanged", "new site"), Allowance("protected", "agreed"))
    found = judge_guards(standing(GuardSettings(), allowed=allowed), agents, basis)
    assert {f.id: f.verdict.value for f in found} == {
        "maxAgentsChanged": "warn",
        "maxSkillsRemoved": "deny",
        "noAgentWithoutSkill": "pass",
        "protected": "warn",
        "overrides": "pass",
    }
