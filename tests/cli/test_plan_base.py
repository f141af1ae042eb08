"""Plans of a pull request: this change, what was pending already, and the guards of the base."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli import small as scene
from tests.cli.kit import TENANT_YAML, Bench
from tests.cli.scenes import (
    KEPT,
    agents_of,
    asked,
    guards,
    instant,
    members,
    override,
    paths,
    planned,
    read_agents,
    shown,
    stage,
    verdicts,
    write_base,
)
from tests.cli.small import FILES, small

OFF = '{id: "agent-2", skills: {voice: disabled, chat: disabled}}'


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    """The base wants of one and two what the files want too; three is this change."""
    with small(tmp_path, capsys) as made:
        write_base(made, FILES | members(three='{id: "agent-3"}'))
        yield made


# --- this change and what was pending ---------------------------------------------------------


def test_this_change_is_shown_and_what_was_pending_is_counted(on: Bench) -> None:
    text = shown(on, "--base", "base")
    assert "# three (agent-3, Small) will be updated" in text
    assert "one (agent-1" not in text
    assert "Plan: 3 agents to change" in text
    assert "This change: 1 change. Already pending: 2 changes of 2 agents." in text
    plan = planned(on, "--base", "base")
    pending = {key: [c["pending"] for c in a["changes"]] for key, a in agents_of(plan).items()}
    assert pending == {"one": [True], "two": [True], "three": [False]}
    without = planned(on)
    assert {c["pending"] for a in without["agents"] for c in a["changes"]} == {None}


def test_an_agent_with_both_shows_its_part_of_this_change(on: Bench) -> None:
    on.write(members(one='{id: "agent-1", skills: {voice: senior, chat: senior}}'))
    text = shown(on, "--base", "base")
    assert "~ skills/chat/level  standard (5) → senior (3)  better  team.yaml:3" in text
    assert "skills/voice/level" not in text
    assert "(1 change already pending hidden)" in text
    assert "This change: 2 changes. Already pending: 2 changes of 2 agents." in text


def test_another_value_than_the_base_wanted_is_this_change(on: Bench) -> None:
    on.write(members(one='{id: "agent-1", skills: {voice: expert}}'))
    text = shown(on, "--base", "base")
    assert "~ skills/voice/level  standard (5) → expert (1)  better  team.yaml:3" in text


def test_the_concurrency_of_a_skill_that_was_pending_has_its_own_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = scene.spec()
    voice_only = tuple(replace(a, skills=a.skills[:1]) for a in spec.agents)
    with stage(tmp_path, capsys, replace(spec, agents=voice_only)) as on:
        write_base(on, FILES | members(three='{id: "agent-3", skills: {chat: standard}}'))
        wanted = '{id: "agent-3", skills: {chat: {level: standard, concurrent: 3}}}'
        on.write(FILES | members(three=wanted))
        text = shown(on, "--base", "base")
        assert "  + skills/chat/concurrent  3  team.yaml:5\n" in text
        assert "(1 change already pending hidden)" in text
        assert "This change: 1 change." in text
        assert "+ skills/chat  standard (5), concurrent 3  team.yaml:5" in shown(on)


def test_where_all_was_pending_no_action_is_announced(on: Bench) -> None:
    write_base(on, FILES)
    text = shown(on, "--base", "base")
    assert text.startswith("Plan: 3 agents to change")
    assert "This change: 0 changes. Already pending: 3 changes of 3 agents." in text


def test_a_value_that_the_base_named_and_the_files_do_not_is_released(on: Bench) -> None:
    write_base(on, members(one='{id: "agent-1", skills: {voice: senior, chat: {concurrent: 4}}}'))
    plan = planned(on, "--base", "base")
    assert [(v["agent"]["name"], v["path"], v["value"]) for v in plan["released"]] == [
        ("one", "skills/chat/concurrent", 2)
    ]
    text = shown(on, "--base", "base")
    assert "  · one/skills/chat/concurrent  released: stays at 2\n" in text
    assert "one/skills/chat/concurrent" not in paths(plan)


def test_a_skill_by_another_name_wants_no_more_than_before(on: Bench) -> None:
    write_base(on, FILES)
    on.write({name: text.replace("voice:", "voice-en:") for name, text in FILES.items()})
    text = shown(on, "--base", "base")
    assert "This change: 0 changes. Already pending: 3 changes of 3 agents." in text
    assert planned(on, "--base", "base", "--only-this-change")["agents"] == []


# --- only this change -------------------------------------------------------------------------


def test_only_this_change_reads_only_whom_it_is_about(on: Bench) -> None:
    plan = planned(on, "--base", "base", "--only-this-change")
    assert read_agents(on) == {"agent-3"}
    assert set(agents_of(plan)) == {"three"}
    assert plan["scope"]["partial"] is True
    assert plan["scope"]["onlyThisChange"] is True
    assert dict(plan["guards"][0]["basis"])["managedAgents"] == 3
    text = shown(on, "--base", "base", "--only-this-change")
    assert text.startswith("Partial plan: only agents that this change is about.")


def test_moving_a_value_to_another_place_is_no_change(on: Bench) -> None:
    everybody = "team: Small\nskills: {voice: senior}\n"
    lines = "".join(f'  {k}: {{id: "agent-{n}"}}\n' for n, k in enumerate(["one", "two"], 1))
    apart = 'team: Apart\nmembers:\n  three: {id: "agent-3"}\n'
    write_base(on, {"apart.yaml": apart} | members(three=None))
    on.write({"apart.yaml": apart, "team.yaml": f"{everybody}members:\n{lines}"})
    planned(on, "--base", "base", "--only-this-change")
    assert read_agents(on) == set()


def test_a_timeline_of_only_this_change_is_about_nobody_else(on: Bench) -> None:
    over = override("CHG-1", 1, 2, "{skills: {voice: expert}}")
    on.write(over)
    write_base(on, over)
    arguments = ["--base", "base", "--timeline", "24h"]
    told = [event["agents"] for event in planned(on, *arguments)["timeline"]]
    assert sorted({key for keys in told for key in keys}) == ["one", "three", "two"]
    told = [e["agents"] for e in planned(on, *arguments, "--only-this-change")["timeline"]]
    assert told == [["three"], ["three"]]


def test_only_this_change_needs_a_base(on: Bench) -> None:
    done = on.cxplan("plan", "--only-this-change", "--json")
    assert (done.code, done.codes()) == (3, ["usage"])
    assert "--base DIR" in done.json["errors"][0]["summary"]
    assert asked(on) == 0


def test_a_plan_of_only_this_change_is_applied_as_it_is(on: Bench) -> None:
    assert on.cxplan("plan", "--base", "base", "--only-this-change", "-o", "p.json").code == 0
    assert on.cxplan("apply", "p.json").code == 0
    assert {change.agent_id for change in on.simulator.world.changes()} == {"agent-3"}


# --- the guards of the base -------------------------------------------------------------------

LOOSENED: Mapping[str, tuple[list[str], list[str], dict[str, str], str]] = {
    "maxAgentsChanged": (
        ["maxAgentsChanged: {percent: 10, orAtLeast: 2, atMost: 10}"],
        ["maxAgentsChanged: {percent: 10, orAtLeast: 9, atMost: 10}"],
        members(),
        "maxAgentsChanged/orAtLeast",
    ),
    "maxSkillsRemoved": (
        ["maxSkillsRemoved: {percent: 0, orAtLeast: 1, atMost: 5}", "noAgentWithoutSkill: off"],
        ["maxSkillsRemoved: off", "noAgentWithoutSkill: off"],
        members(two=OFF),
        "maxSkillsRemoved",
    ),
    "noAgentWithoutSkill": (
        [],
        ["noAgentWithoutSkill: off"],
        members(two=OFF),
        "noAgentWithoutSkill",
    ),
    "minCoverage": (
        ["minCoverage: [{skill: voice, agents: 3, horizonHours: 1}]"],
        ["minCoverage: [{skill: voice, agents: 2, horizonHours: 1}]"],
        members(two='{id: "agent-2", skills: {voice: absent}}'),
        "minCoverage/voice",
    ),
    "freeze": (
        [f'freeze: [{{name: x, from: "{instant(-1)}", until: "{instant(9)}"}}]'],
        ["freeze: []"],
        members(),
        "freeze/x",
    ),
}


@pytest.mark.parametrize("guard", LOOSENED)
def test_a_change_that_loosens_a_guard_is_denied_by_the_one_of_the_base(
    on: Bench, guard: str
) -> None:
    before, after, team, path = LOOSENED[guard]
    write_base(on, guards("overrides: off", *before))
    on.write(guards("overrides: off", *after) | team)
    assert verdicts(planned(on)).get(guard, "off") in {"pass", "warn", "off"}
    done = on.cxplan("plan", "--base", "base", "-o", "p.json")
    assert done.code == 4
    assert f"Guard {guard} denies" in done.out
    assert done.out.startswith("This change alters what protects the tenant:\n\n")
    (line,) = [line for line in done.out.splitlines() if line.startswith("  ~ guards/")]
    assert line.split()[1:3] == [f"guards/{path}", "looser"]
    assert "Plan: 3 agents to change" in done.out
    assert on.cxplan("show", "p.json").out == done.out
    applied = on.cxplan("apply", "p.json", "--json")
    assert (applied.code, applied.codes()) == (4, ["guard.denied"])
    assert on.patches() == []


def test_a_protection_that_is_taken_away_still_counts(on: Bench) -> None:
    write_base(on, members(one='{id: "agent-1", protected: true}'))
    done = on.cxplan("plan", "--base", "base", "-o", "p.json")
    assert done.code == 4
    assert done.out.splitlines()[2] == "  ~ one/protected  looser  protected → not protected"
    assert "# one (agent-1, Small, protected) will be updated" in done.out
    assert on.cxplan("apply", "p.json").code == 4
    assert on.cxplan("plan").code == 0
    assert on.patches() == []


TRAINING = '{id: "agent-3", workMode: training, skills: {chat: {concurrent: 3}}}'


@pytest.mark.parametrize(
    ("before", "after", "path", "line"),
    [
        (
            "totalConcurrent: {atMost: 3}",
            "totalConcurrent: {atMost: 9}",
            "totalConcurrent",
            KEPT["three"],
        ),
        (
            "shifts: {modeConflict: block}",
            "shifts: {modeConflict: allow}",
            "shifts/modeConflict",
            TRAINING,
        ),
    ],
)
def test_checks_of_single_agents_go_by_the_base_too(
    on: Bench, before: str, after: str, path: str, line: str
) -> None:
    write_base(on, guards(before))
    on.write(guards(after) | members(three=line))
    assert agents_of(planned(on))["three"]["status"] == "ready"
    plan = planned(on, "--base", "base", code=4)
    assert agents_of(plan)["three"]["status"] == "blocked"
    (rule,) = plan["ruleChanges"]
    assert (rule["path"], rule["looser"]) == (f"guards/{path}", True)


def test_stricter_guards_are_listed_and_count(on: Bench) -> None:
    write_base(on, guards("minCoverage: [{skill: voice, agents: 2}]"))
    on.write(
        guards(
            "maxAgentsChanged: {percent: 1, orAtLeast: 1, atMost: 1}",
            "minCoverage: [{skill: voice, agents: 3}]",
        )
        | members(one='{id: "agent-1", protected: true, skills: {voice: senior}}')
    )
    plan = planned(on, "--base", "base", code=4)
    assert [(rule["path"], rule["looser"]) for rule in plan["ruleChanges"]] == [
        ("guards/maxAgentsChanged/percent", False),
        ("guards/maxAgentsChanged/orAtLeast", False),
        ("guards/maxAgentsChanged/atMost", False),
        ("guards/minCoverage/voice", False),
        ("one/protected", False),
    ]
    found = verdicts(plan)
    assert (found["maxAgentsChanged"], found["protected"]) == ("deny", "deny")
    assert [g["limit"] for g in plan["guards"] if g["id"] == "minCoverage"] == [3]
    assert "looser" not in shown(on, "--base", "base", code=4)


def test_equal_guards_are_not_told(on: Bench) -> None:
    write_base(on, guards("maxAgentsChanged: {percent: 30, orAtLeast: 10, atMost: 1000}"))
    plan = planned(on, "--base", "base")
    assert plan["ruleChanges"] == []
    assert "alters what protects" not in shown(on, "--base", "base")


# --- a base that is none ----------------------------------------------------------------------


def test_what_is_wrong_with_a_base_is_said_to_be_there(on: Bench) -> None:
    write_base(on, {"tenant.yaml": "tenant: test\n", "team.yaml": "team: Small\nmember:\n"})
    done = on.cxplan("plan", "--base", "base", "--json")
    assert done.code == 3
    assert {error["file"] for error in done.json["errors"]} == {
        "base/tenant.yaml",
        "base/team.yaml",
    }
    assert asked(on) == 0


@pytest.mark.parametrize("name", ["nowhere", "signing-key.pem"])
def test_a_base_that_is_no_folder(on: Bench, name: str) -> None:
    done = on.cxplan("plan", "--base", name)
    assert done.code == 3
    assert f"--base {name}: " in done.err
    assert "--desired" not in done.err
    assert asked(on) == 0


def test_a_base_of_another_tenant(on: Bench) -> None:
    write_base(on, {"tenant.yaml": TENANT_YAML.replace("tenant: test", "tenant: other")})
    done = on.cxplan("plan", "--base", "base", "--json")
    assert (done.code, done.codes()) == (3, ["policy.tenant"])
    assert asked(on) == 0
