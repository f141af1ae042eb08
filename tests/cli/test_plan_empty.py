"""Nothing is never *remove everything*: empty files, an empty tenant, an answer that is cut."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cxplan.simulator.rules import Rule
from tests.cli.kit import Bench
from tests.cli.scenes import agents_of, apply_now, asked, members, planned, shown, stage
from tests.cli.small import FILES, small, spec

TIDY = {
    key: f'{{id: "agent-{n}", exclusive: true, skills: {{voice: senior}}}}'
    for n, key in enumerate(("one", "two", "three"), 1)
}
"""Chat goes from everybody: what a bad read must not be taken for, or stand in the way of."""


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    with small(tmp_path, capsys) as made:
        yield made


@pytest.mark.parametrize(
    ("team", "code"),
    [
        (None, "desired.empty"),
        ("team: Small\nmembers: {}\n", "desired.empty"),
        ("team: Small\n", "schema.missing_key"),
        ("team: Small\nmembers:\n", "schema.type"),
        ("", "yaml.root_type"),
    ],
)
def test_files_without_anybody(on: Bench, team: str | None, code: str) -> None:
    path = on.folder / "desired" / "team.yaml"
    if team is None:
        path.unlink()
    else:
        path.write_text(team)
    for verb in (["plan", "-o", "p.json"], ["validate"], ["apply", "--auto-approve"]):
        done = on.cxplan(*verb, "--json")
        assert (done.code, done.codes()) == (3, [code])
    assert asked(on) == 0
    assert not (on.folder / "p.json").exists()


def test_a_folder_without_files(on: Bench) -> None:
    shutil.rmtree(on.folder / "desired")
    (on.folder / "desired").mkdir()
    (on.folder / "desired" / "team.txt").write_text(FILES["team.yaml"])
    done = on.cxplan("plan", "--json")
    assert (done.code, done.codes()) == (3, ["desired.empty"])
    assert asked(on) == 0


def test_a_tenant_without_anybody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with stage(tmp_path, capsys, replace(spec(), agents=())) as on:
        on.write(FILES | members(**TIDY))
        text = shown(on, "-o", "p.json", code=4)
        assert "! 3 agents in Small are blocked" in text
        assert "block: agent.notFound: the tenant knows no such agent" in text
        assert "Plan: 0 agents to change, 0 deferred, 3 blocked, 0 unread. 0 unchanged." in text
        assert on.cxplan("apply", "p.json").code == 4
        assert on.patches() == []


def test_an_agent_that_is_gone_blocks_itself_alone(on: Bench) -> None:
    on.write(members(four='{id: "agent-4", skills: {voice: senior}}'))
    plan = planned(on, code=4)
    assert agents_of(plan)["four"]["status"] == "blocked"
    assert plan["summary"]["ready"] == 3


@pytest.mark.parametrize(
    "rule",
    [
        {"status": 403},
        {"body": "[]"},
        {"body": '{"entities": [{"skillId": "s-voice", "level": 5'},
        {"merge": {"entities": {}}},
        {"merge": {"total": 3}},
        {"merge": {"nextPageUri": "/api/v2/agents/agent-1/skills?pageToken=nowhere"}},
        pytest.param({"cut_after": 30}, id="connection cut"),
    ],
)
def test_an_agent_whose_skills_are_cut_off_is_unread_and_keeps_them(
    on: Bench, rule: dict[str, object]
) -> None:
    on.write(members(**TIDY))
    path = "/api/v2/agents/agent-1/skills"
    on.simulator.world.add_rule(Rule("GET", path, **rule))  # type: ignore[arg-type]  # by name
    plan = planned(on, code=10)
    found = agents_of(plan)
    assert (found["one"]["status"], found["one"]["changes"]) == ("unread", [])
    assert plan["summary"]["unread"] == 1
    assert {guard["basis"].get("unread", 1) for guard in plan["guards"]} == {1}
    if "status" in rule:  # once is enough: reads again and an apply take their time
        assert "? one (agent-1, Small) could not be read" in shown(on, code=10)
        apply_now(on, code=10)
        changed = {change.agent_id for change in on.simulator.world.changes()}
        assert changed == {"agent-2", "agent-3"}


def test_the_second_page_of_an_agents_skills_counts_as_much_as_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Rule("GET", "/api/v2/agents/agent-1/skills", first=2, status=403)
    with stage(tmp_path, capsys, spec(), skills_page=1, faults=(broken,)) as on:
        on.write(FILES | members(**TIDY))
        found = agents_of(planned(on, code=10))
        assert found["one"]["status"] == "unread"
        assert [c["path"] for c in found["two"]["changes"]] == [
            "skills/chat/level",
            "skills/voice/level",
        ]
