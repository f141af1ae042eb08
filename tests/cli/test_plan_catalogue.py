"""The files' catalogue against the tenant's own lists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cxplan.simulator.rules import Rule
from tests.cli.kit import Bench
from tests.cli.scenes import agents_of, members, on_shift, planned, shown, stage
from tests.cli.small import FILES, small

SKILLS, MODES = "/api/v2/skills", "/api/v2/work-modes"


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    with small(tmp_path, capsys) as made:
        yield made


def statuses(on: Bench, code: int = 0) -> dict[str, str]:
    plan = planned(on, code=code)
    return {key: agent["status"] for key, agent in agents_of(plan).items()}


def rename(on: Bench, file: str, old: str, new: str) -> None:
    on.write({file: FILES[file].replace(old, new)})


def test_an_id_that_the_tenant_does_not_list_blocks_who_would_be_given_it(on: Bench) -> None:
    rename(on, "catalogue.yaml", "s-voice", "s-voise")
    assert statuses(on, code=4) == {"one": "blocked", "two": "blocked", "three": "ready"}
    plan = planned(on, code=4)
    for key in ("one", "two"):
        found = [c for c in agents_of(plan)[key]["checks"] if c["id"] == "catalogue.unknownId"]
        assert len(found) == 1
        assert found[0]["verdict"] == "block"
    text = shown(on, "-o", "p.json", code=4)
    assert (
        "block: catalogue.unknownId: the tenant's list knows no skill s-voise; "
        "correct its id in the catalogue" in text
    )
    assert on.cxplan("apply", "p.json").code == 4
    assert {change.agent_id for change in on.simulator.world.changes()} == {"agent-3"}


def test_a_work_mode_that_the_tenant_does_not_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = on_shift(-1, 3, plans="available", live="training")
    with stage(tmp_path, capsys, spec) as on:
        on.write(FILES | members(one='{id: "agent-1", workMode: available}'))
        assert statuses(on)["one"] == "ready"
        rename(on, "modes.yaml", "m-available", "m-availible")
        assert statuses(on, code=4)["one"] == "blocked"
        assert "knows no work mode m-availible" in shown(on, code=4)


def test_an_id_that_nothing_would_be_written_with_blocks_nobody(on: Bench) -> None:
    on.write({"more.yaml": 'skills:\n  fax: {id: "s-fax"}\n'})
    assert set(statuses(on).values()) == {"ready"}


@pytest.mark.parametrize(
    ("written", "warned"),
    [("voice", False), ("VOICE", False), ("v-o.i_ce", False), ("phone", True), ("voice2", True)],
)
def test_a_differing_name_is_a_warning(on: Bench, written: str, warned: bool) -> None:
    rename(on, "catalogue.yaml", "voice:", f"{written}:")
    team = FILES["team.yaml"].replace("voice:", f"{written}:")
    on.write({"team.yaml": team})
    plan = planned(on)
    assert [w["id"] for w in plan["warnings"]] == ["catalogue.name"] * warned
    said = f"Warning: the files call the skill s-voice {written}, the tenant calls it voice"
    assert (said in shown(on)) is warned
    assert {agent["status"] for agent in plan["agents"]} == {"ready"}


def test_a_mode_of_another_name_is_told_too(on: Bench) -> None:
    rename(on, "modes.yaml", "training:", "coaching:")
    assert (
        "the files call the work mode m-training coaching, the tenant calls it training"
        in shown(on)
    )


def test_a_hostile_name_of_the_tenant_is_shown_as_what_it_is(on: Bench) -> None:
    name = "\u202evoi\x1b[2Jce\n::error::x"
    on.simulator.world.add_rule(
        Rule("GET", SKILLS, merge={"entities": [{"skillId": "s-voice", "name": name}]})
    )
    text = shown(on, code=4)  # chat is not listed
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert not [line for line in text.splitlines() if line.startswith("::")]
    assert "[catalogue.name]" in text


@pytest.mark.parametrize("path", [SKILLS, MODES])
def test_a_tenant_that_has_no_such_list_is_not_compared(on: Bench, path: str) -> None:
    on.simulator.world.add_rule(Rule("GET", path, status=404))
    rename(on, "catalogue.yaml", "s-chat", "s-talk")
    expected = "blocked" if path == MODES else "ready"
    on.write(members(three='{id: "agent-3", skills: {chat: expert}}'))
    assert statuses(on, code=4 if path == MODES else 0)["three"] == expected


@pytest.mark.parametrize("path", [SKILLS, MODES])
def test_an_empty_list_ends_it(on: Bench, path: str) -> None:
    on.simulator.world.add_rule(Rule("GET", path, merge={"entities": []}))
    done = on.cxplan("plan", "-o", "p.json", "--json")
    assert (done.code, done.json["errors"][0]["code"]) == (10, "tenant.empty")
    assert not (on.folder / "p.json").exists()


@pytest.mark.parametrize("path", [SKILLS, MODES])
@pytest.mark.parametrize(
    "rule",
    [
        {"body": '{"entities": [{"skillId": "s-'},
        {"merge": {"nextPageUri": "{path}?pageToken=nowhere"}},
        {"merge": {"total": 99}},
        {"body": "null{}"},
    ],
)
def test_a_list_that_cannot_be_read_to_its_end_ends_it(
    on: Bench, path: str, rule: dict[str, Any]
) -> None:
    following = rule.get("merge", {}).get("nextPageUri")
    if following:
        rule = {"merge": {"nextPageUri": following.format(path=path)}}
    on.simulator.world.add_rule(Rule("GET", path, **rule))
    done = on.cxplan("plan", "-o", "p.json", "--json")
    assert done.code == 10
    assert done.json["errors"][0]["summary"].startswith("The tenant's list of ")
    assert not (on.folder / "p.json").exists()
