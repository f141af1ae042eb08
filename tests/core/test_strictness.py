"""The stricter of two settings denies whatever either denies; a looser one is found out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxplan.core.coverage import Holder, count, qualifies
from cxplan.core.diff import AgentState, Because, Change, Op, SkillState
from cxplan.core.guards import Affected, Basis, Covered, Standing, denied, judge_guards
from cxplan.core.ids import AgentKey, SkillId, SkillName
from cxplan.core.rules import (
    Coverage,
    Freeze,
    GuardSettings,
    Limit,
    OverrideRules,
    Policy,
    ShiftPolicy,
)
from cxplan.core.strictness import GUARDS, Allowance, armed, relaxed, stricter
from tests.core.ahead import override
from tests.core.make import LEVELS, NOW, schedule, shift

VOICE, CHAT = SkillName("voice"), SkillName("chat")
ORDER = [Policy.ALLOW, Policy.WARN, Policy.DEFER, Policy.BLOCK]
"""Each lets less pass than the one before."""

small = st.integers(0, 6)
limits = st.none() | st.builds(
    Limit, percent=st.sampled_from([0, 10, 50]), or_at_least=small, at_most=small
)
policies = st.sampled_from(ORDER)
shift_policies = st.builds(
    ShiftPolicy, policies, policies, policies, policies, st.sampled_from([0, 15, 30])
)
coverages = st.builds(
    Coverage,
    st.sampled_from([VOICE, CHAT]),
    st.integers(1, 4),
    st.sampled_from([None, 3, 5]),
    st.sampled_from([1, 4]),
)
freezes = st.builds(
    lambda name, begins, hours, lenient: Freeze(
        name, NOW + timedelta(hours=begins), NOW + timedelta(hours=begins + hours), lenient
    ),
    st.sampled_from(["x", "y"]),
    st.integers(-3, 1),
    st.integers(1, 4),
    st.booleans(),
)
override_rules = st.none() | st.builds(
    OverrideRules,
    st.integers(1, 3),
    st.permutations(["reason", "ticket", "owner"]).flatmap(
        lambda names: st.integers(0, 3).map(lambda cut: tuple(names[:cut]))
    ),
    st.none() | st.integers(0, 3),
)
settings_of = st.builds(
    GuardSettings,
    limits,
    limits,
    st.booleans(),
    shift_policies,
    st.none() | small,
    st.lists(coverages, max_size=3).map(tuple),
    st.lists(freezes, max_size=2).map(tuple),
    override_rules,
)

# --- situations -------------------------------------------------------------------------------

ACTIVE = AgentState(None, (SkillState(SkillId("s"), 5, 1),))
STRIPPED = AgentState(None, (SkillState(SkillId("s"), 0, 0),))
REMOVAL = Change("skills/s/level", Op.REMOVE, 5, 0, Because("t.yaml", 1, "team"), SkillId("s"))
BY_OVERRIDE = Change("skills/t/level", Op.ADD, None, 3, Because("o.yaml", 1, "override"))
affected = st.builds(
    Affected,
    st.sampled_from("abcdef"),
    st.lists(st.sampled_from([REMOVAL, BY_OVERRIDE]), min_size=1, max_size=3).map(tuple),
    st.just(ACTIVE),
    st.sampled_from([ACTIVE, STRIPPED]),
)
levels = st.sampled_from([None, 0, 2, 4, 9])
people = st.lists(
    st.tuples(st.sampled_from([VOICE, CHAT]), levels, levels, st.integers(-2, 2)), max_size=5
)
"""Skill, level before and after (None for not held), and when the shift begins."""
overrides = st.builds(
    lambda begins, days, reason: replace(override("o", begins, begins + 24 * days), reason=reason),
    st.sampled_from([-99, -20, -1, 5]),
    st.integers(1, 4),
    st.sampled_from([None, "r"]),
)


def _denied(
    settings: GuardSettings,
    agents: list[Affected],
    crowd: Any,
    made: list[Any],
    *allowed: Allowance,
) -> set[tuple[str, str]]:
    """The guards that deny, those of a coverage with their skill."""

    def counts(rule: Coverage, level: int | None) -> bool:
        return level is not None and qualifies(rule.level_at_least, LEVELS, level)

    coverage = tuple(
        Covered(
            rule.skill,
            rule.agents,
            rule.level_at_least,
            count(
                [
                    Holder(
                        AgentKey(f"p{n}"),
                        schedule(shift(begins, 3)),
                        counts(rule, before),
                        counts(rule, after),
                    )
                    for n, (skill, before, after, begins) in enumerate(crowd)
                    if skill == rule.skill
                ],
                NOW,
                rule.horizon_hours,
            ),
        )
        for rule in settings.min_coverage
    )
    basis = Basis(6, 20, 0, coverage=coverage)
    standing = Standing(settings, NOW, tuple(made), allowed)
    found = denied(judge_guards(standing, agents, basis))
    return {(f.id, f.subject if f.id == "minCoverage" else "") for f in found}


@given(
    settings_of,
    settings_of,
    st.lists(affected, max_size=6),
    people,
    st.lists(overrides, max_size=2),
)
def test_whatever_either_denies_the_stricter_denies(
    one: GuardSettings,
    other: GuardSettings,
    agents: list[Affected],
    crowd: Any,
    made: list[Any],
) -> None:
    strict = _denied(stricter(one, other), agents, crowd, made)
    assert strict >= _denied(one, agents, crowd, made) | _denied(other, agents, crowd, made)


@given(settings_of)
def test_nothing_is_stricter_than_itself(one: GuardSettings) -> None:
    assert stricter(one, one) == one


@given(settings_of, settings_of)
def test_the_stricter_of_both_is_as_strict_as_each(
    one: GuardSettings, other: GuardSettings
) -> None:
    both = stricter(one, other)
    assert stricter(both, one) == both
    assert stricter(both, other) == both


@given(settings_of, settings_of)
def test_policies_never_get_weaker(one: GuardSettings, other: GuardSettings) -> None:
    both = stricter(one, other).shifts
    for name in ("no_active_shift", "mode_conflict", "unreadable", "skills_off_shift"):
        ranks = [ORDER.index(getattr(each.shifts, name)) for each in (one, other)]
        assert ORDER.index(getattr(both, name)) == max(ranks)
    assert both.grace_minutes == min(one.shifts.grace_minutes, other.shifts.grace_minutes)


# --- what covers what -------------------------------------------------------------------------


def rule(agents: int, level: int | None = None, hours: int = 24, skill: str = "voice") -> Coverage:
    return Coverage(SkillName(skill), agents, level, hours)


@pytest.mark.parametrize(
    ("mine", "theirs", "kept"),
    [
        (rule(3), rule(3), False),
        (rule(4), rule(3), False),
        (rule(2), rule(3), True),
        (rule(4, hours=12), rule(3), True),
        (rule(4, hours=48), rule(3), False),
        (rule(4, level=3), rule(3), True),  # a level moves without a count moving, and the reverse
        (rule(4), rule(3, level=3), True),
        (rule(4, skill="chat"), rule(3), True),
    ],
)
def test_a_coverage_of_the_base_counts_unless_another_asks_for_more(
    mine: Coverage, theirs: Coverage, kept: bool
) -> None:
    found = stricter(GuardSettings(min_coverage=(mine,)), GuardSettings(min_coverage=(theirs,)))
    assert found.min_coverage == ((mine, theirs) if kept else (mine,))


def freeze(begins: int, ends: int, *, lenient: bool = False, name: str = "x") -> Freeze:
    return Freeze(name, NOW + timedelta(hours=begins), NOW + timedelta(hours=ends), lenient)


@pytest.mark.parametrize(
    ("mine", "theirs", "kept"),
    [
        (freeze(0, 9), freeze(0, 9), False),
        (freeze(-1, 10, name="other"), freeze(0, 9), False),
        (freeze(0, 8), freeze(0, 9), True),
        (freeze(1, 9), freeze(0, 9), True),
        (freeze(0, 9, lenient=True), freeze(0, 9), True),
        (freeze(0, 9), freeze(0, 9, lenient=True), False),
        (freeze(0, 9, lenient=True), freeze(0, 9, lenient=True), False),
    ],
)
def test_a_freeze_of_the_base_counts_unless_another_holds_all_of_it(
    mine: Freeze, theirs: Freeze, kept: bool
) -> None:
    found = stricter(GuardSettings(freeze=(mine,)), GuardSettings(freeze=(theirs,)))
    assert found.freeze == ((mine, theirs) if kept else (mine,))


# --- what can be passed -----------------------------------------------------------------------


def test_what_is_armed_by_default() -> None:
    defaults = armed(GuardSettings(), any_protected=False)
    assert defaults == {
        "maxAgentsChanged",
        "maxSkillsRemoved",
        "noAgentWithoutSkill",
        "shifts",
        "overrides",
    }
    everything = GuardSettings(total_concurrent=3, min_coverage=(rule(1),), freeze=(freeze(0, 1),))
    assert armed(everything, any_protected=True) == set(GUARDS)
    nothing = GuardSettings(None, None, no_agent_without_skill=False, overrides=None)
    assert armed(nothing, any_protected=False) == {"shifts"}


@pytest.mark.parametrize(
    ("before", "after"),
    [("allow", "allow"), ("warn", "warn"), ("defer", "warn"), ("block", "warn")],
)
def test_passed_shifts_only_warn(before: str, after: str) -> None:
    was, now = Policy(before), Policy(after)
    settings = GuardSettings(shifts=ShiftPolicy(was, was, was, was, 7))
    softened = relaxed(settings, {"shifts"})
    assert softened.shifts == ShiftPolicy(now, now, now, now, 7)
    assert replace(softened, shifts=settings.shifts) == settings


@pytest.mark.parametrize("guard", [guard for guard in GUARDS if guard != "shifts"])
def test_other_guards_keep_their_settings_where_they_are_passed(guard: str) -> None:
    settings = GuardSettings(total_concurrent=3)
    assert relaxed(settings, {guard}) is settings


@given(settings_of, st.lists(affected, max_size=6), people)
def test_what_is_allowed_denies_no_more_and_the_rest_still_does(
    settings: GuardSettings, agents: list[Affected], crowd: Any
) -> None:
    before = _denied(settings, agents, crowd, [])
    for guard, _ in before:
        after = _denied(settings, agents, crowd, [], Allowance(guard, "r"))
        assert after == {(name, about) for name, about in before if name != guard}
