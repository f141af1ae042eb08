"""Rollbacks through planner and executor: shifts, cover, strangers, and the marks of a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cxplan.core.errors import BlockedError, UnapprovedError
from cxplan.core.ids import SkillName
from cxplan.core.live import TenantIdentity
from cxplan.core.model import Declarations
from cxplan.core.plan import Plan, Status
from cxplan.core.rules import Coverage, GuardSettings, Policy, ShiftPolicy
from cxplan.core.scope import Atom, Scope
from tests.core.make import shift, team
from tests.usecases.past import Chronicle
from tests.usecases.people import BETTER, Person, Scene, id_of, scene, three


def modes(on: Scene) -> dict[str, str | None]:
    return {key.removeprefix("id-"): agent.work_mode for key, agent in on.tenant.agents.items()}


def levels(on: Scene, skill: str = "skill-1") -> dict[str, int | None]:
    return {
        key.removeprefix("id-"): held.level
        for key, agent in on.tenant.agents.items()
        for held in agent.skills
        if held.skill_id == skill
    }


def statuses(plan: Plan) -> dict[str, Status]:
    return {agent.id.removeprefix("id-"): agent.status for agent in plan.agents}


def without(files: Declarations, *keys: str) -> Declarations:
    """The files without some members."""
    (one,) = files.teams
    kept = [member for member in one.members if member.key not in keys]
    return replace(files, teams=(team(*kept),))


FOLLOWS = Person({}, {"voice": (5, 1)}, (shift(-1, 8, "training"),), "scheduled")


@pytest.mark.parametrize(("policy", "goes_back"), [("block", False), ("warn", True)])
def test_a_followed_mode_goes_back_by_the_shift_policy_alone(policy: str, goes_back: bool) -> None:
    """Neither stale at once, nor once the shift that it follows is another one."""
    on = scene({"a": FOLLOWS}, shifts=ShiftPolicy(mode_conflict=Policy(policy)))
    chronicle = Chronicle(on)
    chronicle.apply()
    assert modes(on) == {"a": "mode-training"}
    plan = chronicle.take_back()
    assert (plan.ready != ()) is goes_back
    assert modes(on) == {"a": "mode-available" if goes_back else "mode-training"}
    if goes_back:
        assert plan.agents[0].holds_until is None
        (change,) = on.planned().agents[0].changes
        assert change.rolled_back == "run-1"
        assert chronicle.tick().ready == ()


def test_a_deferred_way_back_is_not_written_and_no_timer_writes_it_later() -> None:
    person = Person({}, {"voice": (5, 1)}, (shift(-1, 2, "training"),), "training")
    on = scene({"a": person, "b": BETTER})
    chronicle = Chronicle(on)
    chronicle.apply()
    chronicle.wait(3)
    plan = chronicle.take_back()
    assert statuses(plan) == {"a": Status.DEFERRED, "b": Status.READY}
    assert modes(on)["a"] == "mode-training"
    assert chronicle.tick().agents == ()


def test_cover_is_counted_for_the_way_back_too() -> None:
    cover = Coverage(SkillName("voice"), 3, horizon_hours=4)
    new = Person({"voice": 3}, {"chat": (5, 1)})
    on = scene({"a": new, "b": new, "c": new}, min_coverage=(cover,))
    chronicle = Chronicle(on)
    chronicle.apply()
    assert levels(on) == dict.fromkeys("abc", 3)
    plan = on.planned(back=chronicle.run())
    assert [finding.id for finding in plan.denied] == ["minCoverage"]
    with pytest.raises(BlockedError):
        on.apply(plan)
    assert levels(on) == dict.fromkeys("abc", 3)


def test_an_agent_that_the_files_do_not_name_goes_back_and_is_no_cover() -> None:
    cover = Coverage(SkillName("voice"), 2, horizon_hours=4)
    on = three()
    chronicle = Chronicle(on)
    chronicle.apply()
    on.declarations = without(on.declarations, "a")
    on.declarations = replace(
        on.declarations, guards=replace(on.declarations.guards, min_coverage=(cover,))
    )
    plan = on.planned(back=chronicle.run())
    (counted,) = [g for g in plan.guards if g.id == "minCoverage"]
    assert {(i.before, i.after) for i in counted.intervals} == {(2, 2)}
    assert {agent.key: agent.team for agent in plan.agents} == {
        "id-a": "",
        "b": "Team",
        "c": "Team",
    }
    chronicle.execute(plan)
    assert levels(on) == dict.fromkeys("abc", 5)


def test_protected_agents_are_protected_from_a_rollback() -> None:
    on = three()
    chronicle = Chronicle(on)
    chronicle.apply()
    (one,) = on.declarations.teams
    guarded = [replace(member, protected=member.key == "b") for member in one.members]
    on.declarations = replace(on.declarations, teams=(team(*guarded),))
    assert [f.id for f in on.planned(back=chronicle.run()).denied] == ["protected"]


def test_a_rollback_is_about_its_run_and_tells_of_no_released_value() -> None:
    on = scene({"a": BETTER, "b": BETTER})
    chronicle = Chronicle(on)
    chronicle.apply(scope=Scope(only=((Atom("agent", "b"),),)))
    chronicle.apply()
    files = on.declarations
    for left in (scene({"a": Person({}, {})}).declarations, without(files, "a", "b")):
        on.declarations = left
        assert on.planned().released
        plan = on.planned(back=chronicle.run())
        assert (plan.managed, plan.released, plan.rollback) == (1, (), "run-1")
        assert [agent.id for agent in plan.ready] == [id_of("a")]


def test_apply_judges_the_mode_that_a_rollback_brings_back_not_the_one_of_the_files() -> None:
    person = Person({}, {"voice": (5, 1)}, (shift(-1, 8, "available"),), "training")
    on = scene({"a": person}, shifts=ShiftPolicy(mode_conflict=Policy.WARN))
    chronicle = Chronicle(on)
    chronicle.apply()
    assert modes(on) == {"a": "mode-training"}
    on.declarations = replace(on.declarations, guards=GuardSettings())
    chronicle.take_back()
    assert modes(on) == {"a": "mode-available"}
    assert on.planned().agents[0].status is Status.BLOCKED


def test_what_is_rolled_back_may_still_be_written_by_hand() -> None:
    on = three()
    chronicle = Chronicle(on)
    chronicle.apply()
    chronicle.take_back()
    plan = chronicle.apply()
    assert {c.rolled_back for agent in plan.agents for c in agent.changes} == {"run-1"}
    assert levels(on) == dict.fromkeys("abc", 3)
    assert on.planned().agents == ()


def test_a_rollback_of_a_rollback_of_a_rollback() -> None:
    on = three()
    chronicle = Chronicle(on)
    expected = {-1: 3}
    chronicle.apply()
    for number in range(4):
        chronicle.take_back(number)
        expected[number] = 5 if number % 2 == 0 else 3
        assert levels(on) == dict.fromkeys("abc", expected[number])
    starts: list[Any] = [lines[0]["rollback"] for lines in chronicle.runs]
    assert starts == [None, "run-0", "run-1", "run-2", "run-3"]


def test_another_address_is_refused_before_an_agent_is_read() -> None:
    on = three()
    chronicle = Chronicle(on)
    chronicle.apply()
    on.tenant.identity = TenantIdentity("https://api.other")
    on.tenant.agents.pop(id_of("a"))
    with pytest.raises(UnapprovedError):
        on.planned(back=chronicle.run())
