"""Concurrency limits and what a write needs to be safe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cxplan.core.checks import Judge, judge_for
from cxplan.core.diff import changed, diff, state_of
from cxplan.core.findings import Finding
from cxplan.core.ids import SkillId
from cxplan.core.live import ListedSkill, ObservedAgent, ScheduleReading, TenantLists
from cxplan.core.resolve import resolve
from cxplan.core.rules import Policy, ShiftPolicy
from tests.core.make import (
    NOW,
    SKILLS,
    declarations,
    member,
    observed,
    schedule,
    shift,
    team,
    terms,
)


def listed_skills(maximums: dict[SkillId, int]) -> dict[SkillId, ListedSkill] | None:
    """A list in which everything is known, or no list at all."""
    if not maximums:
        return None
    known = {skill.id: ListedSkill() for skill in SKILLS.values()}
    return known | {key: ListedSkill(maximum=number) for key, number in maximums.items()}


def judged(
    wanted: dict[str, Any],
    live: ObservedAgent,
    *,
    mode: str | None = None,
    listed: dict[SkillId, int] | None = None,
    policy: ShiftPolicy | None = None,
    reading: ScheduleReading | None = None,
) -> dict[str, Finding]:
    files = declarations(team(member("a", wanted, mode=mode)))
    if policy is not None:
        files = replace(files, guards=replace(files.guards, shifts=policy))
    (agent,) = resolve(files).agents
    judge: Judge = judge_for(files, NOW, TenantLists(listed_skills(listed or {})), needs_etag=True)

    def read() -> ScheduleReading:
        assert reading is not None, "the schedule was read where it does not matter"
        return reading

    target = judge.target(agent, read)
    changes = target.marked(diff(target.desired, live, terms()))
    after = changed(state_of(live), changes)
    return {f.id: f for f in judge.judge(target, live, changes, after, read)}


@pytest.mark.parametrize(
    ("live", "wanted", "listed", "verdict", "origin"),
    [
        ({"chat": (5, 1, 3)}, {"chat": (5, 3)}, {}, "ok", ""),
        ({"chat": (5, 1, 3)}, {"chat": (5, 4)}, {}, "block", "limit 3 (the agent's live maximum)"),
        ({"chat": (5, 1, None)}, {"chat": (5, 2)}, {}, "block", "limit 1 (the agent's live"),
        ({"chat": (5, 1, 0)}, {"chat": (5, 2)}, {}, "block", "limit 1 (the agent's live maximum)"),
        ({"chat": (0, 0, 2)}, {"chat": (5, 3)}, {}, "block", "limit 2 (the agent's live maximum)"),
        ({}, {"chat": (5, 4)}, {}, "ok", ""),
        ({}, {"chat": (5, 5)}, {}, "block", "limit 4 (maxConcurrent of the catalogue)"),
        ({}, {"mail": (5, 3)}, {"skill-3": 3}, "ok", ""),
        ({}, {"mail": (5, 4)}, {"skill-3": 3}, "block", "limit 3 (the tenant's skill list)"),
        ({}, {"mail": (5, 2)}, {}, "block", "limit 1 (no maximum is stated)"),
        ({}, {"mail": 5}, {}, "ok", ""),
        ({"chat": (5, 4, 2)}, {"chat": 3}, {}, "block", "concurrent 4 (live) is over the limit 2"),
    ],
)
def test_concurrency_may_not_pass_the_maximum_of_that_agent(
    live: Any, wanted: Any, listed: Any, verdict: str, origin: str
) -> None:
    finding = judged(wanted, observed(skills=live), listed=listed)["concurrency.skill"]
    assert finding.verdict.value == verdict
    assert origin in finding.message


def test_the_message_names_the_line_that_wants_it() -> None:
    finding = judged({"chat": (5, 9)}, observed(skills={"chat": (5, 1, 3)}))["concurrency.skill"]
    assert finding.message == (
        "chat: concurrent 9 (members/a.yaml:7) is over the limit 3 (the agent's live maximum)"
    )


def test_switching_off_is_never_over_a_limit() -> None:
    from tests.core.test_diff import DISABLED

    found = judged({"chat": DISABLED}, observed(skills={"chat": (5, 9, 1)}))
    assert found["concurrency.skill"].verdict == "ok"


@pytest.mark.parametrize(
    ("live", "mode", "check"),
    [
        (observed(skills={"voice": (5, 1)}, etag=None), None, "lock.noStrongEtag"),
        (observed(skills={"voice": (5, 1)}, mode=None), None, "lock.noWorkMode"),
        (observed(skills={"voice": (5, 1)}), None, "lock.strongEtag"),
    ],
)
def test_a_write_needs_a_tag_and_a_mode(live: ObservedAgent, mode: str | None, check: str) -> None:
    found = judged({"voice": 3}, live, mode=mode)
    assert check in found
    assert found[check].verdict == ("ok" if check == "lock.strongEtag" else "block")


def test_a_level_that_nobody_stated_cannot_be_sent_back() -> None:
    found = judged({"chat": (None, 2)}, observed(skills={"chat": (None, 1, 4)}))
    assert found["lock.noLevel"].verdict == "block"


def test_nothing_to_change_is_not_judged() -> None:
    assert judged({"voice": 5}, observed(skills={"voice": (5, 1)}, etag=None)) == {}


def test_a_concurrency_without_a_level_on_a_skill_not_held_is_told() -> None:
    found = judged({"chat": (None, 2)}, observed())
    assert found["concurrency.notHeld"].verdict == "warn"


def test_schedules_are_asked_only_where_they_matter() -> None:
    assert "shift.mode" not in judged({"voice": 3}, observed(skills={"voice": (5, 1)}))
    on = schedule(shift(-1, 2, "training"))
    assert judged({}, observed(), mode="training", reading=on)["shift.mode"].verdict == "ok"
    strict = ShiftPolicy(skills_off_shift=Policy.DEFER)
    live = observed(skills={"voice": (5, 1)})
    found = judged({"voice": 3}, live, policy=strict, reading=schedule(shift(2, 2)))
    assert found["shift.skillsOffShift"].verdict == "defer"
