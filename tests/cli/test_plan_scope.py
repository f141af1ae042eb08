"""Parts of a plan: what is chosen, what is written of it, and guards that see the whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.kit import Bench
from tests.cli.scenes import (
    agents_of,
    asked,
    guards,
    levels,
    members,
    paths,
    planned,
    read_agents,
    shown,
    stage,
    verdicts,
)
from tests.cli.small import FILES, small, spec

ONE, TWO, THREE = (
    "one/skills/voice/level",
    "Two, of us/skills/voice/level",
    "three/skills/voice/level",
)
ONE_CHAT, THREE_CHAT = "one/skills/chat/level", "three/skills/chat/level"
TEAMS = {
    "team.yaml": (
        "team: Small\nlabels: {site: east}\nskills: {voice: senior}\nmembers:\n"
        '  one: {id: "agent-1", skills: {chat: expert}, labels: {lang: es}}\n'
        '  "Two, of us": {id: "agent-2", labels: {site: west}}\n'
    ),
    "other.yaml": (
        "team: Other\nlabels: {site: west}\nmembers:\n"
        '  three: {id: "agent-3", skills: {voice: senior, chat: expert}}\n'
    ),
}


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    with stage(tmp_path, capsys, spec()) as made:
        made.write({name: text for name, text in FILES.items() if name != "team.yaml"} | TEAMS)
        yield made


def only(*texts: str) -> list[str]:
    return [word for text in texts for word in ("--only", text)]


def exclude(*texts: str) -> list[str]:
    return [word for text in texts for word in ("--exclude", text)]


# --- what is chosen ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        ([], {ONE, TWO, THREE, ONE_CHAT, THREE_CHAT}),
        (only("team:Small"), {ONE, TWO, ONE_CHAT}),
        (only("agent:three"), {THREE, THREE_CHAT}),
        (only("label:site=west"), {TWO, THREE, THREE_CHAT}),  # a member's label before its team's
        (only("label:lang=es"), {ONE, ONE_CHAT}),
        (only("skill:voice"), {ONE, TWO, THREE}),
        (only("agent:one,agent:three"), {ONE, THREE, ONE_CHAT, THREE_CHAT}),
        (only(" agent:one , agent:three "), {ONE, THREE, ONE_CHAT, THREE_CHAT}),
        (only("agent:one,skill:voice"), {ONE, TWO, THREE, ONE_CHAT}),
        (only("skill:voice,skill:chat"), {ONE, TWO, THREE, ONE_CHAT, THREE_CHAT}),
        (only("team:Small", "skill:voice"), {ONE, TWO}),
        (only("team:Small", "label:site=west"), {TWO}),
        (exclude("team:Small"), {THREE, THREE_CHAT}),
        (exclude("skill:voice"), {ONE_CHAT, THREE_CHAT}),
        (exclude("agent:one,agent:three"), {TWO}),
        (exclude("agent:one", "agent:three"), {TWO}),
        (exclude("team:Small", "skill:voice"), {THREE_CHAT}),
        (only("team:Small") + exclude("agent:one"), {TWO}),
        (only("skill:voice") + exclude("label:site=west"), {ONE}),
    ],
)
def test_expressions(on: Bench, arguments: list[str], chosen: set[str]) -> None:
    plan = planned(on, *arguments)
    assert paths(plan) == chosen
    assert plan["scope"]["partial"] is bool(arguments)


@pytest.mark.parametrize(
    ("arguments", "flags"),
    [
        (only("team:Small", "team:Other"), "--only"),
        (only("skill:voice", "skill:chat"), "--only"),
        (only("skill:voice") + exclude("skill:voice"), "--only and --exclude"),
        (exclude("team:Small,team:Other"), "--exclude"),
    ],
)
def test_an_empty_choice_is_no_plan_without_changes(
    on: Bench, arguments: list[str], flags: str
) -> None:
    done = on.cxplan("plan", *arguments, "--detailed-exitcode", "--json")
    assert (done.code, done.codes()) == (3, ["scope.nobody"])
    (error,) = done.json["errors"]
    assert error["summary"] == f"{flags} choose nobody."
    assert "means and" in error["hint"]
    assert asked(on) == 0


def test_a_file_of_choices_has_one_a_line(on: Bench) -> None:
    text = "\ufeff# those of the ticket\n\n agent:three \r\nagent:Two, of us\n"
    (on.folder / "who.txt").write_text(text, "utf-8")
    plan = planned(on, "--only", "@who.txt")
    assert paths(plan) == {TWO, THREE, THREE_CHAT}
    assert plan["scope"]["only"] == [["agent:three", "agent:Two, of us"]]
    assert paths(planned(on, "--exclude", "@who.txt")) == {ONE, ONE_CHAT}


@pytest.mark.parametrize(
    ("written", "code", "near"),
    [
        ("team:Smal", "scope.unknown", "Did you mean Small?"),
        ("agent:thre", "scope.unknown", "Did you mean three?"),
        ("agent:agent-1", "scope.unknown", "That is the id of one; write"),
        ("agent:nobody at all", "scope.unknown", "Names are those of the files"),
        ("skill:voise", "scope.unknown", "Did you mean voice?"),
        ("label:site=eastt", "scope.unknown", "Did you mean site=east or"),
        ("agent:one,agent:tree", "scope.unknown", "Did you mean three?"),
        ("Small", "scope.form", "team:Billing East"),
        ("teams:Small", "scope.form", "team:Billing East"),
        ("team:", "scope.form", "team:Billing East"),
        ("", "scope.form", "team:Billing East"),
        ("agent:one,", "scope.form", "team:Billing East"),
        ("agent:Two, of us", "scope.unknown", "with a comma goes into a file"),
        ("@nowhere.txt", "path.type", "one a line"),
        ("@desired", "path.type", "one a line"),
        ("@empty.txt", "scope.form", "one choice a line"),
        ("@latin.txt", "usage", "one a line"),
    ],
)
def test_what_chooses_nothing_is_an_error(on: Bench, written: str, code: str, near: str) -> None:
    (on.folder / "empty.txt").write_text("# nobody\n\n")
    (on.folder / "latin.txt").write_bytes(b"agent:\xe9\n")
    for flag in ("--only", "--exclude"):
        done = on.cxplan("plan", flag, written, "--json")
        assert (done.code, done.codes()) == (3, [code])
        (error,) = done.json["errors"]
        assert flag in error["summary"] or code == "path.type"
        assert near in error["hint"]
    assert asked(on) == 0


def test_a_name_is_shown_as_what_it_is(on: Bench) -> None:
    done = on.cxplan("plan", "--only", "team:\u202ex\x1b[2J")
    assert done.code == 3
    assert "\x1b" not in done.err
    assert "\u202e" not in done.err


# --- partial ----------------------------------------------------------------------------------


def test_a_part_is_marked_wherever_it_is_shown(on: Bench) -> None:
    arguments = [*only("agent:one,skill:voice", "team:Small"), *exclude("agent:Two, of us")]
    done = on.cxplan("plan", *only("agent:one,skill:voice", "team:Small"), "-o", "p.json")
    assert done.out.splitlines()[0] == (
        "Partial plan: only agent:one or skill:voice; only team:Small. "
        "What lies outside is neither shown nor written."
    )
    assert on.cxplan("show", "p.json").out == done.out
    assert on.cxplan("show", "p.json", "--json").json["scope"] == {
        "only": [["agent:one", "skill:voice"], ["team:Small"]],
        "exclude": None,
        "onlyThisChange": False,
        "onlyDue": False,
        "partial": True,
    }
    assert on.cxplan("plan", *arguments).code == 3  # a comma parts, quoted or not


def test_a_part_reads_only_whom_it_is_about(on: Bench) -> None:
    plan = planned(on, *only("agent:three"))
    assert read_agents(on) == {"agent-3"}
    assert plan["summary"]["agents"] == 1


def test_a_part_is_applied_as_it_is(on: Bench) -> None:
    assert on.cxplan("plan", *only("skill:voice"), *exclude("agent:one"), "-o", "p.json").code == 0
    assert on.cxplan("apply", "p.json").code == 0
    assert levels(on, "s-voice") == {"agent-1": 5, "agent-2": 3, "agent-3": 3}
    assert levels(on, "s-chat") == {"agent-1": 5, "agent-2": 5, "agent-3": 5}
    assert {p.path for p in on.patches()} == {f"/api/v2/agents/agent-{n}/workmodes" for n in (2, 3)}
    assert paths(planned(on)) == {ONE, ONE_CHAT, THREE_CHAT}


def test_the_part_is_in_what_an_approval_covers(on: Bench) -> None:
    whole, part = planned(on), planned(on, *exclude("skill:chat", "team:Other", "agent:one"))
    again = planned(on, *exclude("skill:chat", "team:Other", "agent:one"))
    assert part["semanticDigest"] == again["semanticDigest"]
    assert part["semanticDigest"] != whole["semanticDigest"]
    same_changes = planned(on, *only("team:Small,team:Other"))
    assert paths(same_changes) == paths(whole)
    assert same_changes["semanticDigest"] != whole["semanticDigest"]


# --- guards see the whole ---------------------------------------------------------------------


def test_limits_go_by_everybody_who_is_managed(on: Bench) -> None:
    on.write(guards("maxAgentsChanged: {percent: 40, orAtLeast: 0, atMost: 9}"))
    plan = planned(on, *only("agent:one"))
    basis = {guard["id"]: guard["basis"] for guard in plan["guards"]}
    assert basis["maxAgentsChanged"]["managedAgents"] == 3
    assert basis["maxSkillsRemoved"]["managedAssignments"] == 5
    assert verdicts(plan)["maxAgentsChanged"] == "pass"
    assert verdicts(planned(on, code=4))["maxAgentsChanged"] == "deny"


@pytest.mark.parametrize(
    ("needed", "verdict", "code"), [(1, "pass", 0), (2, "pass", 0), (3, "deny", 4)]
)
def test_coverage_counts_those_outside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], needed: int, verdict: str, code: int
) -> None:
    with small(tmp_path, capsys) as on:
        on.write(guards(f"minCoverage: [{{skill: voice, agents: {needed}, horizonHours: 1}}]"))
        on.write(members(one='{id: "agent-1", skills: {voice: absent}}'))
        plan = planned(on, *only("agent:one"), code=code)
        assert verdicts(plan)["minCoverage"] == verdict
        (guard,) = [g for g in plan["guards"] if g["id"] == "minCoverage"]
        assert [(i["before"], i["after"]) for i in guard["intervals"]] == [(3, 2)]
        assert set(agents_of(plan)) == {"one"}
        assert read_agents(on) == {"agent-1", "agent-2", "agent-3"}
        assert ("Guard minCoverage denies" in shown(on, *only("agent:one"), code=code)) is bool(
            code
        )
