"""Every guard through the command line: it denies, it passes, it is passed by name, it is off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from cxplan.simulator.rules import Rule
from tests.cli.kit import Bench
from tests.cli.scenes import (
    NOTHING,
    agents_of,
    apply_now,
    asked,
    guards,
    instant,
    members,
    override,
    planned,
    read_agents,
    shown,
    stage,
    started,
    verdicts,
)
from tests.cli.small import FILES, small, spec

OFF = '{id: "agent-2", skills: {voice: disabled, chat: disabled}}'
ABSENT = '{id: "agent-2", skills: {voice: absent}}'


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    with small(tmp_path, capsys) as made:
        yield made


@dataclass(frozen=True)
class Case:
    """Files that make a guard deny, and how its denial begins."""

    said: str
    lines: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    passes: tuple[str, ...] | None = None
    """The same guard, written so that it does not deny."""


DENIED = {
    "maxAgentsChanged": Case(
        ": 3, the limit is 2 (",
        ("maxAgentsChanged: {percent: 1, orAtLeast: 2, atMost: 9}",),
        passes=("maxAgentsChanged: {percent: 1, orAtLeast: 3, atMost: 9}",),
    ),
    "maxSkillsRemoved": Case(
        ": 2, the limit is 1 (two: 2 removed",
        ("maxSkillsRemoved: {percent: 1, orAtLeast: 1, atMost: 9}", "noAgentWithoutSkill: off"),
        members(two=OFF),
        ("maxSkillsRemoved: {percent: 50, orAtLeast: 1, atMost: 9}", "noAgentWithoutSkill: off"),
    ),
    "noAgentWithoutSkill": Case(": 1, the limit is 0 (two: ", (), members(two=OFF)),
    "minCoverage": Case(
        " for voice: 2, at least 3 (",
        ("minCoverage: [{skill: voice, agents: 3, horizonHours: 2}]",),
        members(two=ABSENT),
        ("minCoverage: [{skill: voice, agents: 2, horizonHours: 2}]",),
    ),
    "protected": Case(
        ": 1, the limit is 0 (one)",
        (),
        members(one='{id: "agent-1", protected: true, skills: {voice: senior}}'),
    ),
    "freeze": Case(
        " for black friday until ",
        (f'freeze: [{{name: black friday, from: "{instant(-1)}", until: "{instant(9)}"}}]',),
        passes=(f'freeze: [{{name: later, from: "{instant(5)}", until: "{instant(9)}"}}]',),
    ),
    "overrides": Case(
        ": 1, the limit is 0 (CHG-1: names no ticket)",
        ("overrides: {require: [ticket]}",),
        override("CHG-1", 1, 2, "{skills: {chat: expert}}"),
        ("overrides: {require: [reason]}",),
    ),
}


@pytest.mark.parametrize("guard", DENIED)
def test_a_guard_denies_a_whole_plan_and_is_passed_by_name_and_with_a_reason(
    on: Bench, guard: str
) -> None:
    case = DENIED[guard]
    on.write(guards(*case.lines) | case.files)
    text = shown(on, "-o", "p.json", code=4)
    assert f"Guard {guard} denies{case.said}" in text
    assert text.count("Nothing of this plan will be written.") == 1
    assert "Plan: 3 agents to change" in text
    refused = on.cxplan("apply", "p.json")
    assert refused.code == 4
    assert f"Guard {guard} denies{case.said}" in refused.err
    assert f"--allow GUARD=REASON ({guard})" in refused.err
    assert on.patches() == []

    passed = on.cxplan("plan", "--allow", f"{guard}=for CHG-9, see mail", "-o", "p.json")
    assert passed.code == 0
    assert "Reason: for CHG-9, see mail." in passed.out
    plan = on.cxplan("show", "p.json", "--json").json
    assert plan["allowed"] == [{"guard": guard, "reason": "for CHG-9, see mail"}]
    assert verdicts(plan)[guard] == "warn"
    assert on.cxplan("apply", "p.json").code == 0
    assert started(on)["allowed"] == plan["allowed"]
    assert len(on.patches()) == 3


@pytest.mark.parametrize("guard", [guard for guard, case in DENIED.items() if case.passes])
def test_a_guard_that_passes_says_nothing(on: Bench, guard: str) -> None:
    case = DENIED[guard]
    on.write(guards(*(case.passes or ())) | case.files)
    assert verdicts(planned(on))[guard] == "pass"
    assert f"Guard {guard}" not in shown(on)


TRAINING = '{id: "agent-3", workMode: training, skills: {chat: {concurrent: 3}}}'


@pytest.mark.parametrize(
    ("guard", "line", "three", "check"),
    [
        ("shifts", "shifts: {modeConflict: block}", TRAINING, "shift.modeConflict"),
        (
            "totalConcurrent",
            "totalConcurrent: {atMost: 3}",
            '{id: "agent-3", skills: {chat: {concurrent: 3}}}',
            "concurrency.total",
        ),
    ],
)
def test_a_check_of_single_agents_blocks_them_and_is_passed_by_name(
    on: Bench, guard: str, line: str, three: str, check: str
) -> None:
    on.write(guards(line) | members(three=three))
    plan = planned(on, code=4)
    assert {key: a["status"] for key, a in agents_of(plan).items()} == {
        "one": "ready",
        "two": "ready",
        "three": "blocked",
    }
    assert f"block: {check}: " in shown(on, code=4)
    text = shown(on, "--allow", f"{guard}=agreed", "-o", "p.json")
    assert f"warn: {check}: " in text
    assert f"Guard {guard} may be passed. Reason: agreed." in text
    assert on.cxplan("apply", "p.json").code == 0
    assert len(on.patches()) == 3
    assert started(on)["allowed"] == [{"guard": guard, "reason": "agreed"}]


# --- what --allow takes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "code", "hint"),
    [
        (["maxAgentChanged=x"], "usage", "Did you mean maxAgentsChanged?"),
        (["everything=x"], "usage", "maxAgentsChanged, maxSkillsRemoved"),
        (["maxAgentsChanged"], "usage", 'maxAgentsChanged="why this once"'),
        (["maxAgentsChanged="], "usage", 'maxAgentsChanged="why this once"'),
        (["maxAgentsChanged=  "], "usage", 'maxAgentsChanged="why this once"'),
        (["shifts=a", "shifts=b"], "usage", "once"),
        ([""], "usage", "maxAgentsChanged"),
        (["totalConcurrent=x"], "guard.unarmed", "maxAgentsChanged"),
        (["minCoverage=x"], "guard.unarmed", "maxAgentsChanged"),
        (["protected=x"], "guard.unarmed", "maxAgentsChanged"),
        (["freeze=x"], "guard.unarmed", "maxAgentsChanged"),
        (["maxSkillsRemoved=x"], "guard.unarmed", "maxAgentsChanged"),  # switched off below
    ],
)
def test_what_cannot_be_passed_is_an_error(
    on: Bench, given: list[str], code: str, hint: str
) -> None:
    on.write(guards("maxSkillsRemoved: off"))
    words = [word for text in given for word in ("--allow", text)]
    for verb in (["plan"], ["apply", "--auto-approve"]):
        done = on.cxplan(*verb, *words, "--json")
        assert (done.code, done.codes()) == (3, [code])
        assert hint in done.json["errors"][0]["hint"]
    assert asked(on) == 0


def test_what_is_passed_without_need_is_shown_too(on: Bench) -> None:
    text = shown(on, "--allow", "maxAgentsChanged=in case", "--allow", "shifts=in case")
    assert "Guard maxAgentsChanged may be passed. Reason: in case." in text
    assert "Guard shifts may be passed. Reason: in case." in text


def test_a_denied_plan_can_be_passed_at_its_apply(on: Bench) -> None:
    on.write(guards(*DENIED["maxAgentsChanged"].lines))
    done = on.cxplan("plan", "-o", "p.json")
    assert "cxplan show p.json" in done.err
    assert "cxplan apply" not in done.err
    assert on.cxplan("apply", "p.json", "--allow", "maxSkillsRemoved=wrong one").code == 4
    assert on.cxplan("apply", "p.json", "--allow", "maxAgentsChanged=CHG-9").code == 0
    assert started(on)["allowed"] == [{"guard": "maxAgentsChanged", "reason": "CHG-9"}]


# --- off --------------------------------------------------------------------------------------


def test_what_is_off_is_shown_in_every_plan(on: Bench) -> None:
    names = ("maxAgentsChanged", "maxSkillsRemoved", "noAgentWithoutSkill", "overrides")
    on.write(guards(*(f"{name}: off" for name in names)))
    text = shown(on)
    for name in names:
        assert f"Guard {name} is off (" in text
    assert "Guard maxAgentsChanged is off (3 counted)." in text
    assert "Guard maxAgentsChanged is off (3 counted)." in shown(on, "--summary")
    apply_now(on)
    assert "Guard maxAgentsChanged is off (0 counted)." in shown(on)


# --- coverage ---------------------------------------------------------------------------------


def test_a_coverage_that_is_thin_already_warns(on: Bench) -> None:
    on.write(guards("minCoverage: [{skill: voice, agents: 5, horizonHours: 2}]"))
    text = shown(on)
    assert "Guard minCoverage warns for voice: 3, at least 5 (" in text
    assert "3 → 3" in text
    on.write(members(two=ABSENT))
    assert "Guard minCoverage denies for voice: 2, at least 5 (" in shown(on, code=4)


def test_a_coverage_may_ask_for_a_level(on: Bench) -> None:
    rule = "{skill: voice, agents: 1, levelAtLeast: standard, horizonHours: 2}"
    on.write(guards(f"minCoverage: [{rule}]"))
    worse = {key: line.replace("}", ", skills: {voice: 9}}") for key, line in NOTHING.items()}
    on.write(members(**worse))
    assert verdicts(planned(on, code=4))["minCoverage"] == "deny"
    assert verdicts(planned(on, "--only", "agent:one,agent:two"))["minCoverage"] == "pass"


def test_who_has_no_shift_is_not_counted_and_who_cannot_be_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = spec()
    one, two, three = tenant.agents
    tenant = replace(tenant, agents=(one, replace(two, shifts=()), three))
    unreadable = Rule("GET", "/api/v2/wfm/schedules/agent-3", status=403)
    with stage(tmp_path, capsys, tenant, faults=(unreadable,)) as on:
        on.write(FILES | guards("minCoverage: [{skill: voice, agents: 2, horizonHours: 1}]"))
        (found,) = [g for g in planned(on)["guards"] if g["id"] == "minCoverage"]
        assert [(i["before"], i["after"]) for i in found["intervals"]] == [(1, 1)]
        assert found["basis"]["unreadable"] == 1
        assert found["verdict"] == "warn"
        assert "1 schedule unreadable, such as of three" in shown(on)


@pytest.mark.parametrize(("asked_for", "code"), [("agent:two", 4), ("agent:one", 0)])
def test_who_cannot_be_read_is_told_beside_a_coverage_wherever_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked_for: str, code: int
) -> None:
    unread = Rule("GET", "/api/v2/agents/agent-3/skills", status=400)
    with stage(tmp_path, capsys, spec(), faults=(unread,)) as on:
        on.write(FILES | members(two=ABSENT))
        on.write(guards("minCoverage: [{skill: voice, agents: 2, horizonHours: 1}]"))
        plan = planned(on, "--only", asked_for, code=code)
        (found,) = [g for g in plan["guards"] if g["id"] == "minCoverage"]
        assert (found["verdict"], found["basis"]["unread"]) == ("deny" if code else "warn", 1)
        assert plan["summary"]["unread"] == 0
        done = on.cxplan("plan", "--only", asked_for, "-o", "p.json")
        assert "1 agent unread and not counted)" in done.out
        if code:
            refused = on.cxplan("apply", "p.json")
            assert refused.code == 4
            assert "1 agent unread and not counted)" in refused.err


# --- overrides --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "begins", "ends", "claims", "fault"),
    [
        ("{maxDays: 1}", 1, 26, "reason: r", "lasts longer than 1 day"),
        ("{maxDays: 1}", 1, 24, "reason: r", None),
        ("{}", 1, 2, "ticket: t", "names no reason"),
        ("{require: [owner, ticket]}", 1, 2, "reason: r", "names no owner and no ticket"),
        ("{require: []}", 1, 2, "ticket: t", None),
        ("{denyWhenExpiredDays: 2}", -99, -49, "reason: r", "more than 2 days; delete its file"),
        ("{denyWhenExpiredDays: 2}", -99, -47, "reason: r", None),
        ("{}", -999, -900, "reason: r", None),
        ("{require: [ticket]}", -99, -47, "reason: r", None),
    ],
)
def test_what_overrides_must_be_like_is_asked_by_plan_and_not_by_validate(
    on: Bench, rules: str, begins: float, ends: float, claims: str, fault: str | None
) -> None:
    on.write(guards(f"overrides: {rules}"))
    on.write(override("CHG-1", begins, ends, "{skills: {chat: expert}}", claims=claims))
    assert on.cxplan("validate").code == 0
    done = on.cxplan("plan")
    assert done.code == (4 if fault else 0)
    assert ("Guard overrides denies" in done.out) is bool(fault)
    assert (fault or "Plan: 3 agents") in done.out
    over = "the override CHG-1 is over since" in done.out
    assert over is (ends < 0)
    if fault:
        apply_now(on, code=4)
        assert on.patches() == []


def test_without_a_coverage_nobody_else_is_read(on: Bench) -> None:
    planned(on, "--only", "agent:one")
    assert read_agents(on) == {"agent-1"}
