"""Plans and time: judged at an instant, until when they hold, and what becomes true when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cxplan.core.document import plan_bytes, sealed
from cxplan.core.instant import utc_text
from cxplan.planfile.files import parse_plan
from cxplan.simulator.spec import ShiftSpec
from tests.cli.kit import Bench
from tests.cli.scenes import (
    NOTHING,
    agents_of,
    apply_now,
    asked,
    instant,
    levels,
    members,
    on_shift,
    override,
    paths,
    planned,
    shown,
    stage,
)
from tests.cli.small import FILES, outcomes, small

CHAT = "skills/chat/level"
VOICE = "skills/voice/level"


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    with small(tmp_path, capsys) as made:
        yield made


# --- at an instant ----------------------------------------------------------------------------


@pytest.mark.parametrize(("hours", "expert"), [(0.5, False), (2, True), (3.5, False)])
def test_a_plan_is_judged_at_the_instant_that_is_asked_for(
    on: Bench, hours: float, expert: bool
) -> None:
    on.write(override("CHG-1", 1, 3, "{skills: {chat: expert}}", "{agents: [one]}"))
    at = instant(hours)
    plan = planned(on, "--at", at)
    assert ("one/" + CHAT in paths(plan)) is expert
    assert plan["evaluatedAt"] == at
    assert plan["onlyShown"] == ["--at"]
    assert plan["applicable"] is False
    text = shown(on, "--at", at)
    assert ("overrides/CHG-1.yaml:6" in text) is expert
    assert "Made with --at: this plan can be shown, not applied." in text
    assert f"Judged at {at}." in text


def test_a_plan_of_another_instant_is_never_applied(on: Bench) -> None:
    done = on.cxplan("plan", "--at", instant(2), "-o", "p.json")
    assert done.code == 0
    assert "cxplan show p.json" in done.err
    before = asked(on)
    applied = on.cxplan("apply", "p.json", "--json")
    assert (applied.code, applied.codes()) == (9, ["plan.onlyShown"])
    assert asked(on) == before
    assert on.patches() == []
    assert on.cxplan("show", "p.json").out == done.out


@pytest.mark.parametrize("written", ["2026-11-26", "2026-11-26T08:00:00", "tomorrow", ""])
def test_an_instant_needs_an_offset(on: Bench, written: str) -> None:
    done = on.cxplan("plan", "--at", written, "--json")
    assert (done.code, done.codes()) == (3, ["usage"])
    assert "-05:00" in done.json["errors"][0]["hint"]
    assert asked(on) == 0


def test_an_offset_is_taken_for_what_it_is(on: Bench) -> None:
    plan = planned(on, "--at", "2030-01-01T02:00:00+02:00")
    assert plan["evaluatedAt"] == "2030-01-01T00:00:00Z"


def test_a_shift_is_judged_at_the_instant_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = on_shift(3, 6, plans="available", live="training")
    wanted = {key: f'{{id: "agent-{n}", workMode: available}}' for n, key in enumerate(NOTHING, 1)}
    with stage(tmp_path, capsys, spec) as on:
        on.write(FILES | members(**wanted))
        now = planned(on)
        begins = now["agents"][0]["checks"][-1]["until"]
        assert {a["status"] for a in now["agents"]} == {"deferred"}
        assert {a["status"] for a in planned(on, "--at", instant(4))["agents"]} == {"ready"}
        text = shown(on)
        assert f"No changes now. 3 agents deferred, the first until {begins}." in text
        assert f"Next boundary {begins}: from then on this plan would read differently." in text
        events = planned(on, "--timeline", "24h")["timeline"]
        assert [(e["what"], e["at"], e["agents"]) for e in events] == [
            ("due", begins, ["one", "three", "two"])
        ]
        assert planned(on, "--timeline", "2h")["timeline"] == []
        assert "nothing becomes true or ends by itself" in shown(on, "--timeline", "2h")


def test_whose_wish_ends_before_the_shift_is_not_said_to_wait_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = on_shift(3, 6, plans="available", live="available")
    with stage(tmp_path, capsys, spec) as on:
        two = '{id: "agent-2", workMode: training}'
        on.write(FILES | members(one=NOTHING["one"], two=two, three=NOTHING["three"]))
        on.write(override("CHG-1", -1, 2, "{workMode: training}", "{agents: [one]}"))
        plan = planned(on, "--timeline", "24h")
        found = agents_of(plan)
        ends, begins = found["one"]["holdsUntil"], found["two"]["checks"][-1]["until"]
        assert ends < begins
        assert [(e["at"], e["what"], e["agents"]) for e in plan["timeline"]] == [
            (ends, "ends", ["one"]),
            (begins, "due", ["two"]),
        ]
        text = shown(on, "--timeline", "24h")
        said = f"@ one (agent-1, Small) is deferred; what is wanted now holds only until {ends}\n"
        assert said in text
        assert f"@ two (agent-2, Small) is deferred until {begins}\n" in text
        assert f"No changes now. 2 agents deferred, the first until {begins}." in text
        assert f"  {begins}  judged again: two\n" in text
        assert f"Next boundary {ends}: " in text


def test_a_shift_that_begins_for_who_needs_nothing_now_is_not_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = on_shift(3, 6, plans="training", live="available")
    with stage(tmp_path, capsys, spec) as on:
        two = '{id: "agent-2", workMode: scheduled}'
        on.write(FILES | members(one=NOTHING["one"], two=two, three=NOTHING["three"]))
        plan = planned(on, "--timeline", "24h")
        begins = spec.agents[0].shifts[0].start.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert [(e["at"], e["what"]) for e in plan["timeline"]] == [(begins, "boundary")]
        assert plan["agents"] == []


# --- until when a plan holds ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begins", "ends", "sets", "which"),
    [
        (1, 2, "{skills: {voice: expert}}", "from"),
        (-1, 2, "{skills: {voice: expert}}", "until"),
        (1, 2, "{skills: {chat: expert}}", None),
        (1, 2, "{skills: {voice: senior}}", None),
        (1, 2, "{skills: {voice: absent}}", "from"),
        (1, 2, "{workMode: training}", None),
    ],
)
def test_an_agent_holds_until_a_value_that_is_written_would_be_another(
    on: Bench, begins: float, ends: float, sets: str, which: str | None
) -> None:
    files = override("CHG-1", begins, ends, sets, "{agents: [one, three]}")
    on.write(files)
    (text,) = files.values()
    period = {
        key: line.strip('"') for key, _, line in (x.partition(": ") for x in text.split("\n"))
    }
    found = agents_of(planned(on))
    assert found["one"]["holdsUntil"] == (period[which] if which else None)
    assert found["two"]["holdsUntil"] is None


def test_who_follows_the_shift_holds_until_it_ends_or_an_override_comes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = on_shift(-1, 3, plans="available", live="training")
    ends = spec.agents[0].shifts[0].end
    with stage(tmp_path, capsys, spec) as on:
        on.write(FILES | members(**NOTHING))
        team = on.folder / "desired" / "team.yaml"
        team.write_text(team.read_text().replace("members:", "workMode: scheduled\nmembers:"))
        on.write(override("CHG-1", 1, 9, "{workMode: training}", "{agents: [two]}"))
        plan = planned(on, "--timeline", "24h")
        found = agents_of(plan)
        expected = ends.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert found["one"]["holdsUntil"] == expected
        assert found["one"]["changes"][0]["scheduled"] is True
        assert found["two"]["holdsUntil"] < expected
        assert ("shiftEnds", ["one", "three"]) in [
            (event["what"], event["agents"]) for event in plan["timeline"]
        ]


def test_a_shift_that_ends_or_begins_is_a_boundary_of_who_needs_nothing_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = on_shift(-1, 2, plans="available", live="available")
    one, two, three = spec.agents
    (now,) = one.shifts
    training = ShiftSpec(now.end, now.end + timedelta(hours=2), "m-training")
    later = replace(training, start=now.end + timedelta(minutes=30))
    one, two = replace(one, shifts=(now, training)), replace(two, shifts=(later,))
    with stage(tmp_path, capsys, replace(spec, agents=(one, two, three))) as on:
        on.write(FILES)
        follows = {k: f'{{id: "agent-{n}", workMode: scheduled}}' for n, k in enumerate(NOTHING, 1)}
        on.write(members(**follows))
        on.write(override("CHG-1", 20, 22, "{skills: {chat: expert}}"))
        plan = planned(on)
        assert plan["agents"] == []
        assert plan["nextBoundary"] == utc_text(now.end)
        assert f"Next boundary {utc_text(now.end)}: " in shown(on)
        assert planned(on, "--only", "agent:two")["nextBoundary"] == utc_text(later.start)
        for elsewhere in ("agent:three", "skill:chat"):
            assert planned(on, "--only", elsewhere)["nextBoundary"] > utc_text(later.start)


def _held_until_a_moment_ago(on: Bench, *keys: str) -> None:
    """Write a plan of which some agents do not hold any more; intact, as if time had passed."""
    assert on.cxplan("plan", "-o", "p.json").code == 0
    plan = parse_plan((on.folder / "p.json").read_bytes(), "p.json")
    past = plan.created_at - timedelta(minutes=1)
    agents = tuple(
        replace(agent, holds_until=past) if agent.key in keys else agent for agent in plan.agents
    )
    changed = sealed(replace(plan, agents=agents))
    (on.folder / "p.json").write_bytes(plan_bytes(changed))


def test_an_agent_that_does_not_hold_any_more_is_stale(on: Bench) -> None:
    _held_until_a_moment_ago(on, "one")
    done = on.cxplan("apply", "p.json")
    assert done.code == 5
    assert outcomes(on) == {"agent-1": "stale", "agent-2": "applied", "agent-3": "applied"}
    assert levels(on, "s-voice") == {"agent-1": 5, "agent-2": 3, "agent-3": 5}
    assert "one (agent-1, Small) stale: the desired value itself changed" in done.out


def test_where_nothing_holds_any_more_nothing_is_written(on: Bench) -> None:
    _held_until_a_moment_ago(on, "one", "two", "three")
    assert on.cxplan("apply", "p.json").code == 6
    assert on.patches() == []


# --- what becomes true when -------------------------------------------------------------------


def test_a_timeline_lists_beginnings_and_ends_with_their_values(on: Bench) -> None:
    on.write(override("CHG-1", -1, 2, "{skills: {voice: expert}}", "{agents: [one, two]}"))
    on.write(override("CHG-2", 3, 30, "{skills: {chat: {level: expert, concurrent: 1}}}"))
    plan = planned(on, "--timeline", "24h")
    told = [
        (e["what"], e["override"], e["agents"], [(v["path"], v["before"], v["after"]) for v in v_])
        for e in plan["timeline"]
        for v_ in [e["values"]]
    ]
    assert told == [
        ("ends", "CHG-1", ["one", "two"], [(VOICE, 1, 3)]),
        (
            "begins",
            "CHG-2",
            ["one", "two"],
            [("skills/chat/concurrent", None, 1), (CHAT, None, 1)],
        ),
        (
            "begins",
            "CHG-2",
            ["three"],
            [("skills/chat/concurrent", 3, 1), (CHAT, None, 1)],
        ),
    ]
    text = shown(on, "--timeline", "2d")
    assert (
        "override CHG-1 ends: one, two\n      skills/voice/level  expert (1) → senior (3)" in text
    )
    assert "skills/chat/level       unmanaged → expert (1)" in text
    assert "skills/chat/level       expert (1) is released and stays" in text


def test_a_timeline_keeps_to_the_scope(on: Bench) -> None:
    on.write(override("CHG-1", 1, 2, "{skills: {voice: expert, chat: expert}}"))

    def turns(*scope: str) -> set[tuple[str, str]]:
        events = planned(on, "--timeline", "90m", *scope)["timeline"]
        return {(k, v["path"]) for e in events for k in e["agents"] for v in e["values"]}

    assert turns("--only", "agent:one") == {("one", VOICE), ("one", CHAT)}
    assert turns("--only", "skill:chat", "--exclude", "agent:two") == {
        ("one", CHAT),
        ("three", CHAT),
    }


@pytest.mark.parametrize("written", ["", "24", "0h", "367d", "1.5h", "-1h"])
def test_a_span_is_a_number_and_a_unit(on: Bench, written: str) -> None:
    for flag in ("--timeline", "--valid-for"):
        done = on.cxplan("plan", flag, written, "--json")
        assert (done.code, done.codes()) == (3, ["usage"])
    assert asked(on) == 0


# --- an override begins and ends --------------------------------------------------------------


def _peak(on: Bench) -> None:
    """An override under way, applied: everybody is an expert; for two the files say so too."""
    on.write(members(two='{id: "agent-2", skills: {voice: expert}}', three=NOTHING["three"]))
    on.write(override("CHG-7", -2, 1, "{skills: {voice: expert}}"))
    apply_now(on)
    assert levels(on, "s-voice") == {"agent-1": 1, "agent-2": 1, "agent-3": 1}


def _by_key(plan: Any, key: str) -> list[tuple[str, Any, Any, Any]]:
    changes = agents_of(plan).get(key, {"changes": []})["changes"]
    return [(c["path"], c["before"], c["after"], c["overdue"]) for c in changes]


@pytest.mark.parametrize("how", ["--at", "now"])
def test_an_override_that_ends_leaves_to_each_what_the_files_say_then(on: Bench, how: str) -> None:
    _peak(on)
    arguments = ["--at", instant(2)] if how == "--at" else []
    if how == "now":
        on.write(override("CHG-7", -2, -1, "{skills: {voice: expert}}"))
    plan = planned(on, *arguments)
    assert _by_key(plan, "one") == [(VOICE, 1, 3, "CHG-7")]
    assert set(agents_of(plan)) == {"one"}
    (left,) = plan["released"]
    assert (left["agent"]["name"], left["path"], left["value"]) == ("three", VOICE, 1)
    assert left["override"] == "CHG-7"
    assert plan["summary"]["released"] == 1
    text = shown(on, *arguments)
    assert "override CHG-7 is over" in text
    assert (
        "· three/skills/voice/level  released: stays at expert (1), left by override CHG-7, "
        "which is over; write absent to take it away" in text
    )
    assert "Warning: the override CHG-7 is over since" in text
    assert "Released: 1 value, which stays as it is." in text


def test_what_an_override_left_is_taken_back_and_the_file_can_go(on: Bench) -> None:
    _peak(on)
    on.write(override("CHG-7", -2, -1, "{skills: {voice: expert}}"))
    before = len(on.patches())
    apply_now(on)
    assert len(on.patches()) == before + 1
    assert levels(on, "s-voice") == {"agent-1": 3, "agent-2": 1, "agent-3": 1}
    (on.folder / "desired" / "overrides" / "CHG-7.yaml").unlink()
    plan = planned(on)
    assert plan["agents"] == []
    assert [(v["agent"]["name"], v["override"]) for v in plan["released"]] == [("three", None)]


def test_files_that_changed_meanwhile_are_what_one_falls_back_to(on: Bench) -> None:
    _peak(on)
    team = on.folder / "desired" / "team.yaml"
    team.write_text(team.read_text().replace("voice: senior", "voice: 9"))
    assert _by_key(planned(on, "--at", instant(2)), "one") == [(VOICE, 1, 9, "CHG-7")]
