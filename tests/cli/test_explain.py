"""explain: from the files alone, and beside a tenant over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cxplan.cli.app import LAZY
from cxplan.cli.explaining import COMMANDS
from cxplan.core.instant import utc_text
from cxplan.simulator.rules import Rule
from tests.cli.kit import Bench, bench, random_files, random_tenant
from tests.cli.small import FILES, small

OVERRIDE = """\
override: CHG-7
reason: cover
from: "2030-01-01T00:00:00+02:00"
until: "2030-02-01T00:00:00+02:00"
match: {agents: [one]}
set:
  workMode: training
  skills:
    voice: expert
"""
AGENT = "/api/v2/agents/agent-1/**"
SCHEDULES = "/api/v2/wfm/schedules/*"


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    with small(tmp_path, capsys) as made:
        made.write({"overrides/CHG-7.yaml": OVERRIDE})
        yield made
        assert made.patches() == []


def rows(out: str) -> list[list[str]]:
    """The words of each line."""
    return [line.split() for line in out.splitlines()]


def test_the_short_help_is_the_commands_own() -> None:
    text = COMMANDS["explain"].help
    assert text is not None
    assert text.startswith(LAZY["explain"][1])


# --- the files alone ------------------------------------------------------------------------


def test_without_live_nothing_is_asked_of_anybody(on: Bench) -> None:
    on.environ.clear()
    for name in ("one", "agent-1"):
        done = on.cxplan("explain", name)
        assert done.code == 0, done.err
        head, *lines = rows(done.out)
        assert head[:3] == ["one", "(agent-1,", "Small)"]
        assert lines[0] == ["workMode", "unmanaged"]
        assert lines[1] == ["skills/voice/level", "senior", "(3)", "team.yaml:3", "(member)"]
        assert done.err == ""
    assert not on.simulator.world.requests()


def test_at_another_instant_overrides_count(on: Bench) -> None:
    on.environ.clear()
    done = on.cxplan("explain", "one", "--at", "2030-01-31T23:00:00+01:00")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == "one (agent-1, Small) at 2030-01-31T22:00:00Z"
    assert ["workMode", "unmanaged"] in rows(done.out)
    inside = on.cxplan("explain", "one", "--at", "2030-01-31T23:59:59+02:00")
    until = ["(override", "CHG-7", "until", "2030-01-31T22:00:00Z)"]
    assert rows(inside.out)[1:4] == [
        ["workMode", "training", "overrides/CHG-7.yaml:7", *until],
        ["skills/voice/level", "expert", "(1)", "overrides/CHG-7.yaml:9", *until],
        ["over", "senior", "(3)", "team.yaml:3", "(member)"],
    ]


def test_what_begins_and_ends_later_is_told(on: Bench) -> None:
    assert on.cxplan("explain", "one").out.partition("Overrides:\n")[2].splitlines() == [
        "  CHG-7 begins 2029-12-31T22:00:00Z: workMode training, skills/voice/level expert (1)",
        "  CHG-7 ends 2030-01-31T22:00:00Z: workMode unmanaged, skills/voice/level senior (3)",
    ]
    assert "Overrides" not in on.cxplan("explain", "two").out


@pytest.mark.parametrize("text", ["2030-01-01T00:00:00", "tomorrow", ""])
def test_an_instant_without_an_offset_is_refused_with_an_example(on: Bench, text: str) -> None:
    done = on.cxplan("explain", "one", "--at", text)
    assert done.code == 3
    assert done.out == ""
    assert "--at" in done.err
    assert "2026-11-26T08:00:00-05:00" in done.err


def test_an_unknown_agent(on: Bench) -> None:
    done = on.cxplan("explain", "thre", "--live", "--json")
    assert done.code == 3
    assert done.codes() == ["agent.unknown"]
    assert done.json["kind"] == "cxplan/explain"
    assert "three" in done.json["errors"][0]["hint"]
    assert not on.simulator.world.requests()


def test_one_line_may_make_two_values(on: Bench) -> None:
    on.write(
        {
            "team.yaml": 'team: Small\nmembers:\n  one:\n    id: "agent-1"\n    skills:\n'
            "      chat: {level: 7, concurrent: 2}\n      voice:\n        level: 4\n"
            "        concurrent: 1\n"
        }
    )
    values = on.cxplan("explain", "one", "--json").json["values"]
    assert [
        (v["path"], v["value"], v["because"]["line"], v["because"]["column"])
        for v in values
        if v["because"]
    ] == [
        ("skills/chat/level", 7, 6, 21),
        ("skills/chat/concurrent", 2, 6, 36),
        ("skills/voice/level", 4, 8, 16),
        ("skills/voice/concurrent", 1, 9, 21),
    ]


# --- beside the tenant ----------------------------------------------------------------------


def test_both_sides_and_the_running_shift(on: Bench) -> None:
    done = on.cxplan("explain", "one", "--live")
    assert done.code == 0, done.err
    found = rows(done.out)
    assert found[1] == ["VALUE", "FILES", "LIVE", "WRITTEN", "IN"]
    assert ["workMode", "unmanaged", "available"] in found
    place = ["team.yaml:3", "(member)"]
    assert ["skills/voice/level", "senior", "(3)", "standard", "(5)", "differs", *place] in found
    assert ["skills/chat/level", "unmanaged", "standard", "(5)"] in found
    assert ["skills/chat/concurrent", "unmanaged", "2"] in found
    assert "Shift: available until 20" in done.out
    assert "Live as of 20" in done.out


def test_what_the_files_and_the_tenant_agree_on_matches(on: Bench) -> None:
    on.write({"team.yaml": FILES["team.yaml"].replace("senior", "standard")})
    done = on.cxplan("explain", "two", "--live")
    assert any(row[:1] == ["skills/voice/level"] and "matches" in row for row in rows(done.out))
    assert "differs" not in done.out


def test_missing_credentials_are_a_matter_of_live_only(on: Bench) -> None:
    del on.environ["CXONE_CLIENT_SECRET"]
    assert on.cxplan("explain", "one").code == 0
    done = on.cxplan("explain", "one", "--live")
    assert done.code == 7
    assert "CXONE_CLIENT_SECRET" in done.err


def test_a_tenant_that_is_not_there(on: Bench) -> None:
    on.simulator.go_down()
    done = on.cxplan("explain", "one", "--live")
    on.simulator.come_up()
    assert done.code == 10
    assert done.out == ""


def test_what_scheduled_means_now_and_without_a_shift(on: Bench) -> None:
    on.write(
        {"team.yaml": FILES["team.yaml"].replace("team: Small", "team: Small\nworkMode: scheduled")}
    )
    now = on.cxplan("explain", "one", "--live")
    assert ["workMode", "scheduled", "available", "matches", "team.yaml:2", "(team)"] in rows(
        now.out
    )
    assert "; scheduled means available." in now.out
    earlier = datetime.now(UTC) - timedelta(hours=9)
    then = on.cxplan("explain", "one", "--live", "--at", utc_text(earlier))
    assert ["workMode", "scheduled", "available", "team.yaml:2", "(team)"] in rows(then.out)
    assert "Shift: no shift at this instant; the next begins 20" in then.out
    assert "scheduled leaves the work mode as it is" in then.out


def test_a_schedule_that_cannot_be_read_is_said_to_be_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys, Rule("GET", SCHEDULES, status=403)) as on:
        done = on.cxplan("explain", "one", "--live")
        assert done.code == 0, done.err
        assert "Shift: the schedule could not be read: " in done.out
        assert "differs" in done.out
        shift = on.cxplan("explain", "one", "--live", "--json").json["live"]["shift"]
        assert shift["trouble"].startswith("the schedule could not be read: ")


def test_an_agent_that_cannot_be_read_leaves_what_the_files_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Rule("GET", AGENT, status=410)
    with small(tmp_path, capsys, broken) as on:
        done = on.cxplan("explain", "one", "--live")
        assert done.code == 10, done.err
        assert ["skills/voice/level", "senior", "(3)", "team.yaml:3", "(member)"] in rows(done.out)
        assert "could not be read" in done.out
        assert "agent-1" in done.err
        document = on.cxplan("explain", "one", "--live", "--json").json
        assert document["live"]["state"] == "unread"
        assert document["exit"] == {"code": 10, "word": "unavailable"}
        assert len(document["errors"]) == 1


def test_an_agent_whom_the_tenant_does_not_know(on: Bench) -> None:
    on.write({"team.yaml": FILES["team.yaml"].replace("agent-1", "agent-9")})
    done = on.cxplan("explain", "one", "--live")
    assert done.code == 0, done.err
    assert "The tenant knows no agent agent-9" in done.out
    assert on.cxplan("explain", "one", "--live", "--json").json["live"]["state"] == "missing"


def test_what_differs_is_what_a_plan_would_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The law that binds the two commands, on random agents, with exclusive and scheduled."""
    spec = random_tenant(25, 11)
    files = random_files(spec, 11)
    strict = "profile: strict\nexclusive: true\nworkMode: scheduled\n"
    half = files["teams/everybody.yaml"].replace("    id:", "    profile: strict\n    id:", 12)
    with bench(tmp_path, spec, capsys) as on:
        on.write(files | {"teams/everybody.yaml": half, "profiles/strict.yaml": strict})
        plan = on.cxplan("plan", "--json").json
        planned = {
            agent["agent"]["id"]: {change["path"] for change in agent["changes"]}
            for agent in plan["agents"]
        }
        seen, swept = set(), 0
        for agent in spec.agents:
            document = on.cxplan("explain", agent.id, "--live", "--json").json
            differs = {v["path"] for v in document["values"] if v["matches"] is False}
            assert differs == planned.get(agent.id, set()), agent.id
            seen |= {str(v["matches"]) for v in document["values"]}
            swept += sum(
                v["because"] is not None and v["because"]["name"] == "strict"
                for v in document["values"]
                if v["value"] == "absent"
            )
    assert seen == {"True", "False", "None"}
    assert swept > 5
    assert sum(map(len, planned.values())) > 20
