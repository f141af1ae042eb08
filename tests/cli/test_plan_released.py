"""Values that a run wrote and that the files name no more: told from the ledger, left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.kit import Bench
from tests.cli.scenes import (
    KEPT,
    NOTHING,
    apply_now,
    levels,
    members,
    planned,
    shown,
    write_base,
)
from tests.cli.small import FILES, small

FULL = '{id: "agent-1", skills: {voice: senior, chat: {level: expert, concurrent: 4}}}'


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    """A tenant to which a run has written voice and chat of one, and nothing of the others."""
    with small(tmp_path, capsys) as made:
        made.write(members(one=FULL, two=NOTHING["two"], three=NOTHING["three"]))
        apply_now(made)
        made.simulator.world.clear_logs()
        yield made


def run_id(on: Bench) -> str:
    return on.bundle().name.partition("-")[2]


def left(plan: Any) -> list[tuple[str, Any]]:
    return [(value["path"], value["value"]) for value in plan["released"]]


VOICE, CHAT, AT_ONCE = (
    ("skills/voice/level", 3),
    ("skills/chat/level", 1),
    ("skills/chat/concurrent", 4),
)


@pytest.mark.parametrize(
    ("line", "released"),
    [
        (FULL, []),
        ('{id: "agent-1"}', [CHAT, AT_ONCE, VOICE]),
        ('{id: "agent-1", skills: {voice: senior}}', [CHAT, AT_ONCE]),
        ('{id: "agent-1", skills: {voice: senior, chat: expert}}', [AT_ONCE]),
        ('{id: "agent-1", skills: {voice: senior, chat: {concurrent: 4}}}', [CHAT]),
    ],
)
def test_what_the_files_name_no_more_is_released(
    on: Bench, line: str, released: list[tuple[str, Any]]
) -> None:
    on.write(members(one=line, two=NOTHING["two"], three=NOTHING["three"]))
    plan = planned(on)
    assert left(plan) == released
    assert plan["agents"] == []
    assert plan["summary"]["released"] == len(released)
    assert {value["run"] for value in plan["released"]} <= {run_id(on)}
    text = shown(on, "-o", "p.json")
    assert "No changes. Live agents match the desired state.\n" in text
    assert ("Released: " in text) is bool(released)
    for path, _ in released:
        assert f"  · one/{path}  released: stays at " in text
    assert on.cxplan("show", "p.json").out == text


@pytest.mark.parametrize("off", ["absent", "disabled"])
def test_what_is_taken_away_is_a_change_and_not_released(on: Bench, off: str) -> None:
    on.write(members(one=f'{{id: "agent-1", skills: {{voice: {off}}}}}', two=None, three=None))
    plan = planned(on)
    assert left(plan) == [CHAT, AT_ONCE]
    assert [change["op"] for change in plan["agents"][0]["changes"]] == ["remove"]


def test_who_is_exclusive_has_nothing_left_over(on: Bench) -> None:
    on.write(members(one='{id: "agent-1", exclusive: true, skills: {voice: senior}}'))
    plan = planned(on)
    assert left(plan) == []
    assert plan["agents"][0]["changes"][0]["path"] == "skills/chat/level"


def test_what_somebody_changed_since_is_theirs(on: Bench) -> None:
    on.simulator.world.foreign_change("agent-1", skill="s-voice", level=9)
    on.write(members(**NOTHING))
    assert left(planned(on)) == [CHAT, AT_ONCE]


def test_releasing_writes_nothing_and_holds(on: Bench) -> None:
    on.write(members(**NOTHING))
    apply_now(on)
    assert on.patches() == []
    assert levels(on, "s-voice")["agent-1"] == 3
    assert left(planned(on)) == [CHAT, AT_ONCE, VOICE]


def test_naming_it_again_takes_it_back(on: Bench) -> None:
    on.write(members(**NOTHING))
    assert left(planned(on))
    on.write(members(one=FULL, two=NOTHING["two"], three=NOTHING["three"]))
    plan = planned(on)
    assert (plan["released"], plan["agents"]) == ([], [])


def test_an_agent_whose_member_is_gone_is_told_and_not_read(on: Bench) -> None:
    on.write(members(one=None, two=NOTHING["two"], three=NOTHING["three"]))
    plan = planned(on)
    found = {value["path"]: (value["agent"], value["value"]) for value in plan["released"]}
    gone = {"id": "agent-1", "name": None, "team": None}
    assert found["skills/voice/level"] == (gone, 3)
    assert "skills/chat/concurrent" in found
    assert not [r for r in on.simulator.world.requests() if "agent-1" in r.path]
    text = shown(on)
    assert (
        "  · agent-1/skills/voice/level  released: the files do not name this agent any more, and "
        "it stays as it is (last written: senior (3))\n" in text
    )
    assert "No changes. Live agents match the desired state.\n" in text
    assert planned(on, "--only", "agent:two")["released"] == []


def test_who_is_gone_and_stood_in_the_base_is_told_once_and_by_name(on: Bench) -> None:
    write_base(on, FILES | members(one=FULL, two=NOTHING["two"], three=NOTHING["three"]))
    on.write(members(one=None, two=NOTHING["two"], three=NOTHING["three"]))
    plan = planned(on, "--base", "base")
    assert left(plan) == [CHAT, AT_ONCE, VOICE]
    whose = {(v["agent"]["id"], v["agent"]["name"], v["run"]) for v in plan["released"]}
    assert whose == {("agent-1", "one", run_id(on))}
    text = shown(on, "--base", "base")
    assert "Released: 3 values, which stay as they are." in text
    assert "· one/skills/voice/level  released: the files do not name this agent any more" in text
    assert "agent-1/" not in text


@pytest.mark.parametrize(
    ("scope", "released"),
    [
        (["--only", "agent:two"], []),
        (["--only", "team:Small"], [CHAT, AT_ONCE, VOICE]),
        (["--only", "skill:voice"], [VOICE]),
        (["--exclude", "team:Small"], []),
        (["--exclude", "skill:chat"], [VOICE]),
        (["--only-this-change"], [CHAT, AT_ONCE, VOICE]),
    ],
)
def test_of_the_base_a_part_tells_of_who_lay_in_it(
    on: Bench, scope: list[str], released: list[tuple[str, Any]]
) -> None:
    apart = {"apart.yaml": 'team: Apart\nmembers:\n  two: {id: "agent-2"}\n'}
    write_base(on, FILES | apart | members(one=FULL, two=None, three=NOTHING["three"]))
    on.write(apart | members(one=None, two=None, three=NOTHING["three"]))
    assert left(planned(on, "--base", "base", *scope)) == released


def test_a_part_tells_of_its_own_agents(on: Bench) -> None:
    on.write(members(**NOTHING))
    assert left(planned(on, "--only", "agent:one")) == [CHAT, AT_ONCE, VOICE]
    assert left(planned(on, "--only", "agent:two")) == []


def test_without_a_ledger_nothing_is_known_to_be_released(on: Bench) -> None:
    on.write(members(**NOTHING))
    assert left(planned(on, "--audit", "another")) == []


def test_many_released_values_are_counted(on: Bench) -> None:
    on.write(members(one=NOTHING["one"], two=KEPT["two"], three=NOTHING["three"]))
    plan = planned(on)
    assert left(plan) == [CHAT, AT_ONCE, VOICE]
    assert "Released: 3 values, which stay as they are." in shown(on)
    assert plan["summary"]["ready"] == 1
