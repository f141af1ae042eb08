"""Agents that cannot be read: nothing is concluded about them, and of many nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cxplan.simulator.rules import Rule
from tests.bad.kit import FILES, UNGUARDED, Stage, people, stage

CHANGED = ("0001", "0002", "0003")
"""Each of them is to lose chat and to become better at voice."""


def team(size: int) -> dict[str, str]:
    changed = "".join(
        f'  a{n}: {{id: "{n}", skills: {{voice: senior, chat: absent}}}}\n' for n in CHANGED
    )
    rest = "".join(
        f'  a{n:04}: {{id: "{n:04}", skills: {{voice: standard}}}}\n'
        for n in range(len(CHANGED) + 1, size + 1)
    )
    return FILES | UNGUARDED | {"team.yaml": f"team: Many\nmembers:\n{changed}{rest}"}


def unreadable(*numbers: int) -> tuple[Rule, ...]:
    """Rules that garble the skills of those agents."""
    return tuple(
        Rule("GET", f"/api/v2/agents/{number:04}/skills", commit=True, body='{"entities": [')
        for number in numbers
    )


def planned(on: Stage, *rules: Rule) -> Any:
    """Write a plan under these rules, without a word in it for those who cannot be read."""
    for rule in rules:
        on.on.simulator.world.add_rule(rule)
    done = on.run("plan", "-o", "p.json", "--json", writes=("p.json",))
    assert done.code == 10
    for agent in done.json["agents"]:
        if agent["status"] == "unread":
            assert (agent["before"], agent["after"], agent["changes"]) == (None, None, [])
            assert [check["id"] for check in agent["checks"]] == ["http.json"]
    return done.json


def statuses(document: Any) -> dict[str, str]:
    return {agent["agent"]["id"]: agent["status"] for agent in document["agents"]}


def test_one_of_two_hundred(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = 200
    spec = people(tuple(f"{n:04}" for n in range(1, size + 1)))
    with stage(tmp_path, capsys, spec=spec, files=team(size)) as on:
        document = planned(on, *unreadable(2))
        assert document["applicable"] is True
        assert statuses(document) == {"0001": "ready", "0002": "unread", "0003": "ready"}
        counts = document["summary"]
        assert (counts["agents"], counts["unread"], counts["unchanged"]) == (200, 1, 197)
        counted = [g["basis"]["unread"] for g in document["guards"] if "unread" in g["basis"]]
        assert set(counted) == {1}
        assert "a0002 (0002, Many) could not be read" in on.run("plan").out
        before = on.on.simulator.world.agent("0002")
        done = on.run("apply", "p.json", "--json", writes=("audit",))
        assert done.code == 10
        assert {a["agent"]["id"]: a["outcome"] for a in done.json["agents"]} == {
            "0001": "applied",
            "0002": "unread",
            "0003": "applied",
        }
        assert on.on.simulator.world.agent("0002") == before
        assert {entry.agent_id for entry in on.on.patches()} == {"0001", "0003"}


@pytest.mark.parametrize(
    ("unread", "size", "applicable"),
    [(11, 200, False), (10, 200, True), (11, 219, False), (11, 220, True)],
)
def test_many(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    unread: int,
    size: int,
    applicable: bool,
) -> None:
    """More than ten and more than 5 %: the plan can be shown and never applied."""
    spec = people(tuple(f"{n:04}" for n in range(1, size + 1)))
    with stage(tmp_path, capsys, spec=spec, files=team(size)) as on:
        document = planned(on, *unreadable(*range(4, 4 + unread)))
        assert document["applicable"] is applicable
        assert document["summary"]["unread"] == unread
        assert (on.on.folder / "p.json").exists()
        assert on.run("show", "p.json", "--json").json["applicable"] is applicable
        shown = on.run("show", "p.json")
        assert shown.code == 0
        assert f"{unread} unread" in shown.out
        if not applicable:
            _refused(on, unread, size)


def _refused(on: Stage, unread: int, size: int) -> None:
    done = on.run("apply", "p.json", "--json", writes=("audit",))
    assert (done.code, done.codes()) == (10, ["plan.unread"])
    assert f"{unread} of {size} agents" in done.json["errors"][0]["summary"]
    again = on.run("apply", "--auto-approve", "--json", writes=("audit",))
    assert (again.code, again.codes()) == (10, ["plan.unread"])
    assert on.on.patches() == []
    assert on.on.simulator.world.changes() == ()
    assert not list((on.on.folder / "audit").glob("*/"))
