"""apply judges again: the guards on what the plan stood on, each agent on its fresh read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cxplan.core.errors import Exit, InvalidError, UnapprovedError, UnavailableError
from cxplan.core.ids import SkillName
from cxplan.core.live import Shift, UnreadableSchedule
from cxplan.core.plan import Status
from cxplan.core.rules import Coverage, GuardSettings, Limit, OverrideRules, ShiftPolicy
from cxplan.core.strictness import Allowance
from tests.core.make import NOW, SKILLS, observed, schedule, shift
from tests.core.test_diff import ABSENT, DISABLED
from tests.usecases.people import (
    BETTER,
    HOUR,
    Person,
    Scene,
    freeze,
    id_of,
    override,
    scene,
    three,
)

# --- the plan as a whole ----------------------------------------------------------------------


def test_a_freeze_that_has_begun_since_the_plan_denies_all_of_it() -> None:
    on = three(freeze=(freeze(2),))
    plan = on.plan()
    assert plan.denied == ()
    on.clock.sleep(2 * HOUR)
    on.refused(plan, "freeze")
    on.letting("freeze").apply(plan)
    assert set(on.outcomes.values()) == {"applied"}
    assert on.passed == [("freeze", "agreed")]


def test_a_freeze_that_is_over_by_now_or_still_to_come_stops_nothing() -> None:
    on = three(freeze=(freeze(1), freeze(2.5)))
    plan = on.plan()
    on.clock.sleep(2 * HOUR)
    assert on.apply(plan).exit is Exit.OK


@pytest.mark.parametrize(("seconds", "denied"), [(4 * HOUR, False), (4 * HOUR + 1, True)])
def test_an_override_that_is_over_for_too_long_by_now_denies_the_plan(
    seconds: float, denied: bool
) -> None:
    on = three(override(-48, -20, "a"), overrides=OverrideRules(deny_when_expired_days=1))
    plan = on.plan()
    assert plan.denied == ()
    on.clock.sleep(seconds)
    if denied:
        on.refused(plan, "overrides")
        on.letting("overrides")
    assert on.apply(plan).exit is Exit.OK
    assert on.landed == ["a", "b", "c"]
    assert on.passed == ([("overrides", "agreed")] if denied else [])


@pytest.mark.parametrize(
    "asked", [{"at": NOW}, {"snapshot_taken": NOW - timedelta(hours=1)}], ids=["at", "snapshot"]
)
def test_a_plan_that_was_made_to_be_shown_is_not_applied(asked: dict[str, Any]) -> None:
    on = three()
    plan = on.planned(**asked)
    assert plan.ready != ()
    with pytest.raises(UnapprovedError) as refused:
        on.apply(plan)
    assert refused.value.problem.code == "plan.onlyShown"
    assert on.ledger.run is None
    assert on.tenant.writes == []


LOSES = Person({"voice": ABSENT}, {"voice": (5, 1), "mail": (5, 1)})
STRIPPED = Person({"voice": DISABLED}, {"voice": (5, 1)})


@pytest.mark.parametrize(
    ("person", "base", "head", "guard"),
    [
        (BETTER, {"max_agents_changed": Limit(0, 2, 9)}, {}, "maxAgentsChanged"),
        (
            BETTER,
            {"max_agents_changed": Limit(0, 2, 9)},
            {"max_agents_changed": None},
            "maxAgentsChanged",
        ),
        (LOSES, {"max_skills_removed": Limit(0, 0, 9)}, {}, "maxSkillsRemoved"),
        (STRIPPED, {}, {"no_agent_without_skill": False}, "noAgentWithoutSkill"),
        (LOSES, {"min_coverage": (Coverage(SkillName("voice"), 1),)}, {}, "minCoverage"),
        (BETTER, {"freeze": (freeze(-1, 2),)}, {}, "freeze"),
    ],
)
def test_what_the_guards_of_a_base_denied_stays_denied(
    person: Person, base: dict[str, Any], head: dict[str, Any], guard: str
) -> None:
    on = scene(dict.fromkeys("abc", person), **head)
    before = replace(on.declarations, guards=GuardSettings(**base))
    assert on.plan().denied == ()
    plan = on.planned(base=before)
    assert [finding.id for finding in plan.denied] == [guard]
    on.refused(plan, guard)
    assert on.letting(guard).apply(plan).exit is Exit.OK
    assert on.landed == ["a", "b", "c"]


def test_a_member_whom_only_the_base_protects_stays_protected() -> None:
    on = three()
    shielded = scene({"a": replace(BETTER, protected=True), "b": BETTER, "c": BETTER})
    plan = on.planned(base=shielded.declarations)
    on.refused(plan, "protected")
    assert on.letting("protected").apply(plan).exit is Exit.OK


def test_taking_a_skill_out_of_the_catalogue_does_not_take_away_the_cover_of_the_base() -> None:
    on = scene({"a": Person({"mail": 5}, {"mail": (5, 1), "voice": (5, 1)})})
    rule = (Coverage(SkillName("voice"), 1),)
    before = replace(on.declarations, guards=GuardSettings(min_coverage=rule))
    (team,) = on.declarations.teams
    on.declarations = replace(
        on.declarations,
        skills={name: skill for name, skill in SKILLS.items() if name != "voice"},
        teams=(replace(team, block=replace(team.block, exclusive=True)),),
    )
    plan = on.planned(base=before)
    changes = [(change.path, change.op) for agent in plan.agents for change in agent.changes]
    assert changes == [("skills/skill-1/level", "remove")]
    on.refused(plan, "minCoverage")


def test_every_guard_that_is_passed_is_in_the_record_once_and_with_its_reason() -> None:
    on = scene(
        dict.fromkeys("abc", replace(STRIPPED, protected=True)), max_agents_changed=Limit(0, 1, 9)
    )
    at_plan = Allowance("maxAgentsChanged", "new site")
    plan = on.planned(allowed=(at_plan,))
    on.refused(plan, "noAgentWithoutSkill", "protected")
    now = (Allowance("noAgentWithoutSkill", "they move"), Allowance("protected", "known"))
    on.allowed = (at_plan, *now)
    assert on.apply(plan).exit is Exit.OK
    assert set(on.outcomes.values()) == {"applied"}
    assert on.passed == [
        ("maxAgentsChanged", "new site"),
        ("noAgentWithoutSkill", "they move"),
        ("protected", "known"),
    ]


def test_a_guard_that_is_not_set_cannot_be_passed() -> None:
    with pytest.raises(InvalidError, match="totalConcurrent"):
        three().planned(allowed=(Allowance("totalConcurrent", "why not"),))


def test_a_list_that_cannot_be_read_at_apply_leaves_no_open_run_behind() -> None:
    on = three()
    plan = on.plan()
    on.cut_off()
    with pytest.raises(UnavailableError):
        on.apply(plan)
    assert on.ledger.run is None


# --- one agent after the other ----------------------------------------------------------------


def test_a_freeze_that_begins_in_the_middle_of_a_run_stops_the_agents_after_it() -> None:
    on = three(freeze=(freeze(1),))
    on.after("a", lambda: on.clock.sleep(HOUR))
    report = on.apply(on.plan())
    assert on.outcomes == {"a": "applied", "b": "blocked", "c": "blocked"}
    assert on.errors("b") == on.errors("c") == ["freeze"]
    assert on.landed == ["a"]
    assert report.exit is Exit.BLOCKED


def test_a_freeze_that_is_passed_stops_nobody_in_the_middle_of_a_run() -> None:
    on = three(freeze=(freeze(1),)).letting("freeze")
    on.after("a", lambda: on.clock.sleep(HOUR))
    assert on.apply(on.plan()).exit is Exit.OK


@pytest.mark.parametrize(("hard", "then", "named"), [(3, "applied", ""), (1, "blocked", "move")])
def test_one_freeze_may_let_overrides_pass_and_another_one_not(
    hard: float, then: str, named: str
) -> None:
    soft = freeze(1, 9, except_overrides=True)
    on = three(override(-1, 20, "a", "c"), freeze=(soft, freeze(hard, 9, "move")))
    on.after("a", lambda: on.clock.sleep(HOUR))
    report = on.apply(on.plan())
    assert on.outcomes == {"a": "applied", "b": "blocked", "c": then}
    assert named in report.agents[2].message


@pytest.mark.parametrize(
    ("seconds", "then", "code"),
    [(HOUR - 0.001, "applied", Exit.OK), (HOUR, "stale", Exit.PARTIAL)],
)
def test_values_that_an_instant_makes_others_are_stale_from_then_on(
    seconds: float, then: str, code: Exit
) -> None:
    on = three(override(-1, 1, "a", "b", "c"))
    plan = on.plan()
    assert {agent.holds_until for agent in plan.ready} == {NOW + timedelta(hours=1)}
    on.after("a", lambda: on.clock.sleep(seconds))
    report = on.apply(plan)
    assert on.outcomes == {"a": "applied", "b": then, "c": then}
    assert on.landed == [key for key, outcome in on.outcomes.items() if outcome == "applied"]
    assert report.exit is code


@pytest.mark.parametrize(("seconds", "then"), [(HOUR - 1, "applied"), (HOUR + 1, "deferred")])
def test_a_shift_that_ends_in_the_middle_of_a_run_counts_no_longer(
    seconds: float, then: str
) -> None:
    person = Person({}, {"voice": (5, 1)}, (shift(-1, 2, "training"),), "training")
    on = scene(dict.fromkeys("ab", person), shifts=ShiftPolicy(grace_minutes=0))
    on.after("a", lambda: on.clock.sleep(seconds))
    assert on.apply(on.plan()).exit is Exit.OK
    assert on.outcomes == {"a": "applied", "b": then}


# --- the sum of an agent's concurrency --------------------------------------------------------


def adding(chat: int) -> Scene:
    """One who holds mail with 2 and is to get chat; the sum may be 5."""
    return scene({"a": Person({"chat": (5, chat)}, {"mail": (5, 2, 9)})}, total_concurrent=5)


@pytest.mark.parametrize(("chat", "verdict"), [(2, "ok"), (3, "ok"), (4, "block")])
def test_the_sum_may_reach_its_limit_and_not_pass_it(chat: int, verdict: str) -> None:
    on = adding(chat)
    plan = on.plan()
    found = {finding.id: finding.verdict.value for finding in plan.agents[0].checks}
    assert found["concurrency.total"] == verdict
    on.apply(plan)
    assert on.landed == ([] if verdict == "block" else ["a"])


@pytest.mark.parametrize(("mail", "blocked"), [(1, False), (2, False), (3, True)])
def test_the_sum_counts_what_somebody_else_has_given_since(mail: int, blocked: bool) -> None:
    on = adding(3)
    plan = on.plan()
    on.put("a", {"mail": (5, mail, 9)})
    on.apply(plan)
    assert on.outcomes == {"a": "blocked" if blocked else "applied"}
    assert on.errors("a") == (["concurrency.total"] if blocked else [])
    assert on.landed == ([] if blocked else ["a"])


def test_a_sum_over_its_limit_may_be_passed_by_name() -> None:
    on = adding(4)
    plan = on.planned(allowed=(Allowance("totalConcurrent", "until Friday"),))
    assert on.apply(plan).exit is Exit.OK
    assert on.landed == ["a"]
    assert on.passed == [("totalConcurrent", "until Friday")]


@pytest.mark.parametrize(("chat", "verdict"), [(3, "warn"), (4, "warn"), (5, "block")])
def test_who_is_over_the_limit_already_may_be_given_less_and_not_more(
    chat: int, verdict: str
) -> None:
    person = Person({"chat": (3, chat)}, {"chat": (5, 4, 9), "mail": (5, 4, 9)})
    on = scene({"a": person}, total_concurrent=5)
    plan = on.plan()
    found = {finding.id: finding.verdict.value for finding in plan.agents[0].checks}
    assert found["concurrency.total"] == verdict
    on.apply(plan)
    assert on.landed == (["a"] if verdict == "warn" else [])


# --- shifts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shifts", "check"),
    [
        ((shift(2, 4, "training"),), "shift.noActiveShift"),
        ((), "shift.noActiveShift"),
        ((shift(-1, 4, "available"),), "shift.modeConflict"),
        (None, "shift.unreadable"),
    ],
)
def test_shifts_that_are_passed_warn_and_the_agent_is_written(
    shifts: tuple[Shift, ...] | None, check: str
) -> None:
    on = scene({"a": Person({}, {"voice": (5, 1)}, shifts or (), "training")})
    if shifts is None:
        on.tenant.schedules[id_of("a")] = UnreadableSchedule("http.503")
    assert on.plan().ready == ()
    plan = on.planned(allowed=(Allowance("shifts", "a drill"),))
    found = {finding.id: finding.verdict.value for finding in plan.agents[0].checks}
    assert found[check] == "warn"
    assert on.apply(plan).exit is Exit.OK
    assert on.landed == ["a"]
    assert on.passed == [("shifts", "a drill")]
    (line,) = on.journal.of("agent.outcome")
    assert line["complianceFlags"]["shiftValidated"] is False


def test_shifts_that_were_planned_anew_may_be_passed_at_apply() -> None:
    on = scene({"a": Person({}, {"voice": (5, 1)}, (shift(-1, 4, "training"),), "training")})
    plan = on.plan()
    on.tenant.schedules[id_of("a")] = schedule(shift(-1, 4, "off"))
    assert on.apply(plan).exit is Exit.BLOCKED
    assert on.errors("a") == ["shift.modeConflict"]
    assert on.letting("shifts").apply(plan).exit is Exit.OK
    assert on.landed == ["a"]


def test_a_shift_plan_that_contradicts_itself_is_never_passed() -> None:
    shifts = (shift(-1, 4, "training"), shift(-2, 4, "off"))
    on = scene({"a": Person({}, {"voice": (5, 1)}, shifts, "training")})
    plan = on.planned(allowed=(Allowance("shifts", "a drill"),))
    assert [agent.status for agent in plan.agents] == [Status.BLOCKED]


# --- somebody else writes in the very moment ---------------------------------------------------


RAISES = Person({"chat": (None, 3)}, {"chat": (5, 1, 4)})

Meanwhile = Callable[[Scene], None]


def _without_tag(on: Scene) -> None:
    on.tenant.agents[id_of("a")] = observed("a", {"chat": (5, 1, 4)}, etag=None)


def _frozen(on: Scene) -> None:
    on.clock.sleep(HOUR)
    on.put("a", {"chat": (5, 1, 4)})


@pytest.mark.parametrize(
    ("person", "meanwhile", "check"),
    [
        (RAISES, lambda on: on.put("a", {"chat": (3, 1, 4)}), None),
        (RAISES, lambda on: on.put("a", {"chat": (None, 1, 4)}), "lock.noLevel"),
        (RAISES, lambda on: on.put("a", {"chat": (5, 1, 4)}, None), "lock.noWorkMode"),
        (RAISES, _without_tag, "lock.noStrongEtag"),
        (RAISES, lambda on: on.put("a", {"chat": (5, 1, 2)}), "concurrency.skill"),
        (RAISES, lambda on: on.put("a", {"chat": (5, 1, 4), "mail": (5, 3)}), "concurrency.total"),
        (LOSES, lambda on: on.put("a", {"voice": (5, 1)}), "noAgentWithoutSkill"),
        (RAISES, _frozen, "freeze"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_somebody_else_left_is_judged_before_the_newer_tag_is_taken(
    person: Person, meanwhile: Meanwhile, check: str | None
) -> None:
    on = scene({"a": person}, total_concurrent=5, freeze=(freeze(1),))
    on.beaten("a", lambda: meanwhile(on))
    report = on.apply(on.plan())
    assert on.outcomes == {"a": "blocked" if check else "applied"}
    assert on.errors("a") == ([check] if check else [])
    assert len(on.tenant.writes) == (1 if check else 2)
    assert on.landed == ([] if check else ["a"])
    assert report.exit is (Exit.BLOCKED if check else Exit.OK)
    assert on.journal.sealed is not None


def test_an_instant_that_passes_while_somebody_else_writes_makes_the_rest_stale() -> None:
    on = three(override(-1, 1, "a"))

    def meanwhile() -> None:
        on.clock.sleep(HOUR)
        on.put("a", {"voice": (5, 1), "mail": (5, 1)})

    on.beaten("a", meanwhile)
    on.apply(on.plan())
    assert on.outcomes == {"a": "stale", "b": "applied", "c": "applied"}
    assert "a" not in on.landed


def test_a_tenant_that_is_lost_while_an_agent_is_judged_again_ends_the_run_in_order() -> None:
    person = Person({}, {"voice": (5, 1)}, (shift(-1, 4, "training"),), "training")
    on = scene(dict.fromkeys("ab", person))

    def meanwhile() -> None:
        on.put("a", {"voice": (3, 1)})
        on.cut_off()

    on.beaten("a", meanwhile)
    report = on.apply(on.plan())
    assert on.outcomes == {"a": "failed", "b": "notAttempted"}
    assert on.landed == []
    assert report.stopped == "The tenant cannot be reached."
    assert on.journal.sealed is not None
