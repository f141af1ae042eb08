"""Every difference of guards and protections is told by name, and a looser one is said to be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from cxplan.core.model import Declarations
from cxplan.core.rulechange import rule_changes
from cxplan.core.rules import (
    Coverage,
    Freeze,
    GuardSettings,
    Limit,
    OverrideRules,
    Policy,
    ShiftPolicy,
)
from cxplan.core.strictness import stricter
from tests.core.make import NOW, declarations, member, team
from tests.core.test_strictness import freeze, rule, settings_of

DEFAULT = GuardSettings()


def files(guards: GuardSettings = DEFAULT, *protected: str) -> Declarations:
    members = (replace(member(key), protected=key in protected) for key in ("a", "b", "c"))
    return replace(declarations(team(*members)), guards=guards)


def told(base: GuardSettings, head: GuardSettings) -> list[tuple[str, str, str, bool]]:
    found = rule_changes(files(base), files(head))
    return [(r.path, r.before, r.after, r.looser) for r in found]


XMAS = "2026-11-25T12:00:00Z to 2026-11-25T21:00:00Z"


@pytest.mark.parametrize(
    ("name", "before", "after", "found"),
    [
        (
            "max_agents_changed",
            Limit(30, 10, 1000),
            Limit(20, 40, 1000),
            [
                ("maxAgentsChanged/percent", "30", "20", False),
                ("maxAgentsChanged/orAtLeast", "10", "40", True),
            ],
        ),
        (
            "max_skills_removed",
            Limit(10, 10, 500),
            None,
            [("maxSkillsRemoved", "percent 10, orAtLeast 10, atMost 500", "off", True)],
        ),
        (
            "max_skills_removed",
            None,
            Limit(10, 10, 500),
            [("maxSkillsRemoved", "off", "percent 10, orAtLeast 10, atMost 500", False)],
        ),
        ("no_agent_without_skill", True, False, [("noAgentWithoutSkill", "deny", "off", True)]),
        ("no_agent_without_skill", False, True, [("noAgentWithoutSkill", "off", "deny", False)]),
        ("total_concurrent", 4, 5, [("totalConcurrent", "4", "5", True)]),
        ("total_concurrent", 5, 4, [("totalConcurrent", "5", "4", False)]),
        ("total_concurrent", 5, None, [("totalConcurrent", "5", "off", True)]),
        (
            "shifts",
            ShiftPolicy(),
            ShiftPolicy(Policy.BLOCK, Policy.WARN, grace_minutes=30),
            [
                ("shifts/noActiveShift", "defer", "block", False),
                ("shifts/modeConflict", "block", "warn", True),
                ("shifts/graceMinutes", "15", "30", True),
            ],
        ),
        (
            "min_coverage",
            (rule(3),),
            (rule(4),),
            [
                (
                    "minCoverage/voice",
                    "at least 3, 24 hours ahead",
                    "at least 4, 24 hours ahead",
                    False,
                )
            ],
        ),
        (
            "min_coverage",
            (rule(3, level=5), rule(2, skill="chat")),
            (rule(2, skill="chat"),),
            [
                (
                    "minCoverage/voice",
                    "at least 3 at level 5 or better, 24 hours ahead",
                    "none",
                    True,
                )
            ],
        ),
        (
            "min_coverage",
            (rule(3),),
            (rule(3), rule(1, level=3)),
            [
                (
                    "minCoverage/voice",
                    "at least 3, 24 hours ahead",
                    "at least 3, 24 hours ahead; at least 1 at level 3 or better, 24 hours ahead",
                    False,
                )
            ],
        ),
        (
            "freeze",
            (freeze(0, 9),),
            (freeze(0, 9, lenient=True),),
            [("freeze/x", XMAS, f"{XMAS}, except overrides", True)],
        ),
        ("freeze", (), (freeze(0, 9),), [("freeze/x", "none", XMAS, False)]),
        (
            "freeze",
            (freeze(0, 9),),
            (freeze(0, 9, name="y"),),  # another name for the same
            [("freeze/x", XMAS, "none", False), ("freeze/y", "none", XMAS, False)],
        ),
        (
            "overrides",
            OverrideRules(30, ("reason", "ticket"), 5),
            OverrideRules(20, ("ticket",), None),
            [
                ("overrides/maxDays", "30", "20", False),
                ("overrides/require", "reason; ticket", "ticket", True),
                ("overrides/denyWhenExpiredDays", "5", "off", True),
            ],
        ),
        (
            "overrides",
            OverrideRules(30, ("reason", "ticket")),
            OverrideRules(30, ("ticket", "reason")),
            [("overrides/require", "reason; ticket", "ticket; reason", False)],
        ),
        (
            "overrides",
            OverrideRules(),
            None,
            [("overrides", "maxDays 90, require reason, denyWhenExpiredDays off", "off", True)],
        ),
    ],
)
def test_each_setting_is_told_under_its_name(
    name: str, before: Any, after: Any, found: list[tuple[str, str, str, bool]]
) -> None:
    sides = (replace(DEFAULT, **{name: value}) for value in (before, after))
    assert told(*sides) == [(f"guards/{path}", *rest) for path, *rest in found]


def test_a_protection_that_is_taken_away_is_looser_and_a_new_one_is_not() -> None:
    found = rule_changes(files(DEFAULT, "a", "b"), files(DEFAULT, "b", "c"))
    assert [(r.path, r.before, r.after, r.looser) for r in found] == [
        ("a/protected", "protected", "not protected", True),
        ("c/protected", "not protected", "protected", False),
    ]


def test_a_protected_member_that_is_gone_is_told() -> None:
    fewer = declarations(team(member("b")))
    (found,) = rule_changes(files(DEFAULT, "a"), fewer)
    assert (found.path, found.looser) == ("a/protected", True)


def test_guards_come_first_and_in_their_order() -> None:
    changed = GuardSettings(
        None,
        None,
        no_agent_without_skill=False,
        shifts=ShiftPolicy(grace_minutes=0),
        total_concurrent=1,
        min_coverage=(Coverage(rule(1).skill, 1),),
        freeze=(Freeze("f", NOW, NOW + timedelta(hours=1)),),
        overrides=None,
    )
    found = [r.path.split("/")[1] for r in rule_changes(files(), files(changed, "a"))]
    assert found == [
        "maxAgentsChanged",
        "maxSkillsRemoved",
        "noAgentWithoutSkill",
        "shifts",
        "totalConcurrent",
        "minCoverage",
        "freeze",
        "overrides",
        "protected",
    ]


@given(settings_of, settings_of)
def test_nothing_is_left_out_and_what_is_looser_is_found(
    base: GuardSettings, head: GuardSettings
) -> None:
    found = told(base, head)
    assert told(head, head) == []
    assert bool(found) or _sorted(base) == _sorted(head)
    assert any(looser for *_, looser in found) is (stricter(head, base) != head)


def _sorted(settings: GuardSettings) -> GuardSettings:
    """In whatever order coverages and freezes of different names stand."""
    return replace(
        settings,
        min_coverage=tuple(sorted(settings.min_coverage, key=lambda each: each.skill)),
        freeze=tuple(sorted(settings.freeze, key=lambda each: each.name)),
    )
