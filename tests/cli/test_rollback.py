"""rollback: a run taken back over real HTTP, and what is said and refused on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cxplan.audit.keygen import generate_key
from cxplan.simulator.rules import Rule
from tests.cli.kit import Bench, Done, bench
from tests.cli.scenes import (
    agents_of,
    apply_now,
    asked,
    guards,
    levels,
    members,
    override,
    paths,
    planned,
    shown,
)
from tests.cli.small import FILES, small, spec

VOICE = "skills/voice/level"
BEFORE = {"agent-1": 5, "agent-2": 5, "agent-3": 5}
AFTER = BEFORE | {"agent-1": 3, "agent-2": 3}


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    with small(tmp_path, capsys) as made:
        yield made


def runs(on: Bench) -> list[str]:
    """The ids of the sealed runs, the oldest first."""
    names = sorted(p.name for p in (on.folder / "audit").iterdir() if p.is_dir())
    return [name.partition("-")[2] for name in names]


def records(on: Bench, run: str) -> list[Any]:
    (folder,) = (on.folder / "audit").glob(f"*-{run}")
    return [json.loads(line) for line in (folder / "records.jsonl").read_text("ascii").splitlines()]


def applied(on: Bench, *arguments: str, code: int = 0) -> str:
    """Plan, apply, and return the new run's id."""
    apply_now(on, *arguments, code=code)
    return runs(on)[-1]


def rolled(on: Bench, run: str, code: int = 0) -> Any:
    """The way back as JSON."""
    done = on.cxplan("rollback", run, "--json")
    assert done.code == code, done.out + done.err
    return done.json


def taken_back(on: Bench, run: str, code: int = 0) -> str:
    """Roll back, apply that, and return the new run's id."""
    done = on.cxplan("rollback", run, "-o", "back.json")
    assert done.code == code, done.out + done.err
    again = on.cxplan("apply", "back.json")
    assert again.code == code, again.out + again.err
    return runs(on)[-1]


def mode(on: Bench) -> str | None:
    """The work mode of the first agent."""
    (one, *_) = on.simulator.world.agents()
    return one.work_mode


def kept(document: Any) -> dict[str, Any]:
    """``agent/path`` to why, and what it is now."""
    return {
        f"{value['agent']['name']}/{value['path']}": (value["why"], value["left"], value["now"])
        for value in document["rollbackNotes"]["kept"]
    }


# --- there and back ---------------------------------------------------------------------------


def test_a_run_is_taken_back_value_by_value(on: Bench) -> None:
    run = applied(on)
    assert levels(on, "s-voice") == AFTER
    before = len(on.patches())
    done = on.cxplan("rollback", run[:8], "-o", "back.json")
    assert done.code == 0, done.out + done.err
    assert len(on.patches()) == before
    assert f"Rollback of run {run[:8]}: back to what stood there before it." in done.out
    assert f"senior (3) → standard (5)  worse  as before run {run[:8]}" in done.out
    assert "Plan written to back.json. To do exactly this: cxplan apply back.json" in done.err
    assert on.cxplan("show", "back.json").out in done.out
    assert on.cxplan("apply", "back.json").code == 0
    assert levels(on, "s-voice") == BEFORE
    back = runs(on)[-1]
    start, *_ = records(on, back)
    assert start["rollback"] == run
    intents = [line for line in records(on, back) if line["kind"] == "agent.intent"]
    assert {line["reason"].partition(": ")[2] for line in intents} == {f"rollback of run {run}"}
    assert on.cxplan("audit", "verify").code == 0


def test_the_plan_names_the_run_and_its_records_as_the_cause(on: Bench) -> None:
    run = applied(on)
    document = rolled(on, run)
    assert document["rollback"] == run
    assert document["scope"]["partial"] is False
    assert paths(document) == {f"one/{VOICE}", f"two/{VOICE}", "three/skills/chat/concurrent"}
    because = {
        (c["because"]["layer"], c["because"]["file"])
        for agent in document["agents"]
        for c in agent["changes"]
    }
    folder = f"000001-{run}/records.jsonl"
    assert because == {("rollback", folder)}
    assert [g["verdict"] for g in document["guards"]]


def test_it_says_first_which_lines_still_declare_what_it_takes_back(on: Bench) -> None:
    run = applied(on)
    done = on.cxplan("rollback", run)
    first = done.out.splitlines()
    assert first[0] == "Still declared: the next apply would write this again."
    rows = [line.split() for line in first[2:5]]
    assert rows == [
        ["team.yaml:3", VOICE, "senior", "(3)", "one"],
        ["team.yaml:4", VOICE, "senior", "(3)", "two"],
        ["team.yaml:5", "skills/chat/concurrent", "3", "three"],
    ]
    declared = rolled(on, run)["rollbackNotes"]["declared"]
    places = {(d["agent"]["name"], d["because"]["file"], d["because"]["line"]) for d in declared}
    assert places == {("one", "team.yaml", 3), ("two", "team.yaml", 4), ("three", "team.yaml", 5)}


def test_after_git_revert_nothing_declares_it_and_the_plan_after_is_empty(on: Bench) -> None:
    run = applied(on)
    on.write(
        members(
            one='{id: "agent-1", skills: {voice: standard}}',
            two='{id: "agent-2", skills: {voice: standard}}',
            three='{id: "agent-3", skills: {chat: {concurrent: 2}}}',
        )
    )
    done = on.cxplan("rollback", run)
    assert done.out.startswith("No line of the files declares what is taken back.\n")
    taken_back(on, run)
    assert "No changes. Live agents match the desired state." in shown(on)


def test_until_the_revert_the_plan_marks_it_and_an_apply_writes_it(on: Bench) -> None:
    back = taken_back(on, applied(on))
    plan = planned(on)
    marks = {
        (agent["agent"]["name"], change["path"]): change["rolledBack"]
        for agent in plan["agents"]
        for change in agent["changes"]
    }
    assert set(marks.values()) == {back}
    assert len(marks) == 3
    assert f"team.yaml:3  rolled back by {back[:8]}" in shown(on)
    done = on.cxplan("apply", "--auto-approve", "--only-due")
    assert done.code == 0
    assert "No changes. Nothing is due." in done.out
    assert levels(on, "s-voice") == BEFORE
    apply_now(on)
    assert levels(on, "s-voice") == AFTER


def test_a_rollback_of_a_rollback(on: Bench) -> None:
    back = taken_back(on, applied(on))
    document = rolled(on, back)
    assert document["rollbackNotes"]["declared"] == []
    again = taken_back(on, back)
    assert levels(on, "s-voice") == AFTER
    assert "No changes. Live agents match the desired state." in shown(on)
    assert records(on, again)[0]["rollback"] == back


def test_a_second_rollback_of_the_same_run_has_nothing_left_to_do(on: Bench) -> None:
    run = applied(on)
    back = taken_back(on, run)
    done = on.cxplan("rollback", run)
    assert done.code == 0
    assert f"No changes. Nothing that run {run[:8]} left is to be taken back." in done.out
    assert f"as before already by run {back[:8]}" in done.out
    assert {why for why, *_ in kept(rolled(on, run)).values()} == {"alreadyBack"}


# --- what is kept -----------------------------------------------------------------------------


def test_a_value_that_somebody_changed_since_stays_and_is_listed(on: Bench) -> None:
    run = applied(on)
    on.simulator.world.foreign_change("agent-1", skill="s-voice", level=9)
    document = rolled(on, run)
    assert kept(document) == {f"one/{VOICE}": ("moved", 3, 9)}
    assert f"one/{VOICE}" not in paths(document)
    text = on.cxplan("rollback", run).out
    assert f"  one/{VOICE}  left at senior (3), now level 9  changed since" in text
    taken_back(on, run)
    assert levels(on, "s-voice") == BEFORE | {"agent-1": 9}


def test_a_value_of_a_later_run_stays_with_that_run(on: Bench) -> None:
    run = applied(on)
    on.write(members(one='{id: "agent-1", skills: {voice: expert}}'))
    later = applied(on)
    document = rolled(on, run)
    assert kept(document) == {f"one/{VOICE}": ("laterRun", 3, 1)}
    assert f"written by run {later[:8]} since" in on.cxplan("rollback", run).out
    assert document["rollbackNotes"]["kept"][0]["run"] == later


def test_a_change_between_the_way_back_and_its_apply_is_a_conflict(on: Bench) -> None:
    run = applied(on)
    assert on.cxplan("rollback", run, "-o", "back.json").code == 0
    on.simulator.world.foreign_change("agent-1", skill="s-voice", level=9)
    assert on.cxplan("apply", "back.json").code == 5
    assert levels(on, "s-voice") == BEFORE | {"agent-1": 9}


def test_a_write_of_unknown_outcome_stays_and_is_listed_though_it_landed(on: Bench) -> None:
    lost = Rule("PATCH", "/api/v2/agents/agent-1/workmodes", status=504, times=None)
    on.simulator.world.add_rule(lost)
    run = applied(on, code=11)
    on.simulator.world.foreign_change("agent-1", skill="s-voice", level=3)
    document = rolled(on, run)
    assert kept(document) == {f"one/{VOICE}": ("unknown", 3, 3)}
    assert document["rollbackNotes"]["kept"][0]["before"] == 5
    assert f"one/{VOICE}" not in paths(document)
    assert (
        f"  one/{VOICE}  before standard (5), wanted senior (3), now senior (3)  "
        "nobody knows whether the run wrote it"
    ) in on.cxplan("rollback", run).out


# --- skills that came and went ----------------------------------------------------------------


def test_a_skill_that_came_new_goes_and_one_that_went_comes_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = spec()
    with bench(tmp_path, tenant, capsys) as on:
        on.write(FILES | members(one='{id: "agent-1", skills: {chat: absent}}', two=None))
        on.write(members(one='{id: "agent-1", skills: {chat: absent}}', two=None, three=None))
        run = applied(on)
        assert levels(on, "s-chat")["agent-1"] == 0
        document = rolled(on, run)
        changes = agents_of(document)["one"]["changes"]
        assert [(c["path"], c["op"], c["before"], c["after"]) for c in changes] == [
            ("skills/chat/level", "add", 0, 5),
            ("skills/chat/concurrent", "add", None, 2),
        ]
        back = taken_back(on, run)
        (one, *_) = on.simulator.world.agents()
        assert [(h.level, h.concurrent) for h in one.skills if h.skill_id == "s-chat"] == [(5, 2)]
        assert [c["op"] for c in agents_of(rolled(on, back))["one"]["changes"]] == ["remove"]


# --- agents -----------------------------------------------------------------------------------


def test_an_agent_that_the_files_do_not_name_any_more_is_taken_back_too(on: Bench) -> None:
    run = applied(on)
    on.write(members(one=None))
    document = rolled(on, run)
    found = {agent["agent"]["id"]: agent["agent"] for agent in document["agents"]}
    assert found["agent-1"] == {"id": "agent-1", "name": "agent-1", "team": ""}
    text = on.cxplan("rollback", run).out
    assert "# agent-1 (agent-1, not in the files) will be updated" in text
    taken_back(on, run)
    assert levels(on, "s-voice") == BEFORE


def test_who_cannot_be_read_is_left_and_said(on: Bench) -> None:
    run = applied(on)
    on.simulator.world.add_rule(
        Rule("GET", "/api/v2/agents/agent-1/skills", commit=True, body='{"entities": [')
    )
    document = rolled(on, run, code=10)
    assert agents_of(document)["one"]["status"] == "unread"
    taken_back(on, run, code=10)
    assert levels(on, "s-voice") == AFTER | {"agent-2": 5}


def test_only_what_the_run_wrote_is_read(on: Bench) -> None:
    on.write(members(two='{id: "agent-2"}', three='{id: "agent-3"}'))
    run = applied(on)
    on.simulator.world.clear_logs()
    rolled(on, run)
    paths_read = {entry.path for entry in on.simulator.world.requests()}
    assert not any("agent-2" in path or "agent-3" in path for path in paths_read)


# --- guards and checks ------------------------------------------------------------------------


def test_guards_judge_the_way_back_and_are_passed_at_apply(on: Bench) -> None:
    run = applied(on)
    on.write(guards("maxAgentsChanged: {percent: 1, orAtLeast: 1, atMost: 1}"))
    assert rolled(on, run, code=4)["guards"][0]["verdict"] == "deny"
    assert on.cxplan("rollback", run, "-o", "back.json").code == 4
    assert on.cxplan("apply", "back.json").code == 4
    assert levels(on, "s-voice") == AFTER
    done = on.cxplan("apply", "back.json", "--allow", "maxAgentsChanged=the run was wrong")
    assert done.code == 0, done.out + done.err
    assert levels(on, "s-voice") == BEFORE


def test_a_freeze_that_lets_overrides_pass_does_not_let_a_rollback_pass(on: Bench) -> None:
    run = applied(on)
    on.write(
        guards(
            'freeze: [{name: peak, from: "2020-01-01T00:00:00Z", until: "2099-01-01T00:00:00Z", '
            "except: [overrides]}]"
        )
    )
    found = {g["id"]: g["verdict"] for g in rolled(on, run, code=4)["guards"]}
    assert found["freeze"] == "deny"


def test_a_mode_goes_back_by_the_shift_plan_as_ever(on: Bench) -> None:
    on.write(guards("shifts: {modeConflict: warn}"))
    on.write(members(one='{id: "agent-1", workMode: training}', two='{id: "agent-2"}', three=None))
    run = applied(on)
    assert mode(on) == "m-training"
    document = rolled(on, run)
    (change,) = agents_of(document)["one"]["changes"]
    assert (change["before"], change["after"]) == ("m-training", "m-available")
    checks = {c["id"]: c["verdict"] for c in agents_of(document)["one"]["checks"]}
    assert checks["shift.mode"] == "ok"
    back = taken_back(on, run)
    assert mode(on) == "m-available"
    on.write(guards())
    again = rolled(on, back, code=4)
    assert agents_of(again)["one"]["status"] == "blocked"


def test_an_override_that_ended_meanwhile_does_not_make_it_stale(on: Bench) -> None:
    on.write(override("CHG-1", -1, 1, "{skills: {voice: expert}}", "{agents: [one]}"))
    run = applied(on)
    document = rolled(on, run)
    assert agents_of(document)["one"]["holdsUntil"] is None
    declared = document["rollbackNotes"]["declared"]
    assert ("one", "override") in {(d["agent"]["name"], d["because"]["layer"]) for d in declared}


# --- refused ----------------------------------------------------------------------------------


def refused(done: Done) -> tuple[int, list[str]]:
    return done.code, done.codes()


def test_what_is_no_sealed_run_of_this_ledger_is_refused(on: Bench) -> None:
    assert refused(on.cxplan("rollback", "1234", "--json"))[0] == 12
    applied(on)
    before = asked(on)
    assert refused(on.cxplan("rollback", "ffffffff", "--json")) == (3, ["usage.run"])
    assert on.cxplan("rollback").code == 3
    folder = on.bundle()
    folder.rename(folder.with_name(folder.name + ".open"))
    done = on.cxplan("rollback", folder.name.partition("-")[2], "--json")
    assert refused(done) == (12, ["audit.unsealed"])
    assert asked(on) == before


def test_a_run_of_another_tenant_is_refused(on: Bench) -> None:
    run = applied(on)
    text = FILES["tenant.yaml"].replace("tenant: test", "tenant: other")
    on.write({"tenant.yaml": text})
    assert refused(on.cxplan("rollback", run, "--json")) == (9, ["rollback.tenant"])
    on.write({"tenant.yaml": FILES["tenant.yaml"]})
    on.environ["CXPLAN_API_URL"] = on.environ["CXPLAN_API_URL"].replace("127.0.0.1", "localhost")
    before = len(on.patches())
    assert refused(on.cxplan("rollback", run, "--json")) == (9, ["rollback.tenant"])
    assert len(on.patches()) == before


def test_the_way_back_is_of_the_files_that_it_was_made_with(on: Bench) -> None:
    run = applied(on)
    assert on.cxplan("rollback", run, "-o", "back.json").code == 0
    on.write(members(one='{id: "agent-1", skills: {voice: standard}}'))
    assert refused(on.cxplan("apply", "back.json", "--json")) == (6, ["plan.stale_config"])


def test_a_place_that_is_no_file_is_refused_before_the_tenant_is_asked(on: Bench) -> None:
    run = applied(on)
    before = asked(on)
    assert on.cxplan("rollback", run, "-o", "desired").code == 3
    assert asked(on) == before


def test_a_run_that_does_not_verify_is_refused_before_the_tenant_is_asked(on: Bench) -> None:
    run = applied(on)
    assert rolled(on, run)["verified"] is True
    journal = on.bundle() / "records.jsonl"
    text = journal.read_text("ascii").replace('"level":5', '"level":20')
    journal.write_text(text, "ascii")
    before = asked(on)
    done = on.cxplan("rollback", run, "-o", "back.json", "--json")
    assert refused(done) == (12, ["audit.chain"])
    assert asked(on) == before
    assert not (on.folder / "back.json").exists()


def test_a_run_that_another_key_sealed_is_told_to_be_unverified(on: Bench) -> None:
    run = applied(on)
    generate_key(on.folder / "mine.pem")
    on.environ["CXPLAN_SIGNING_KEY"] = "mine.pem"
    assert "The run was read unverified" in on.cxplan("rollback", run).out
    assert rolled(on, run)["verified"] is False


def test_without_a_key_it_says_that_the_run_is_unverified(on: Bench) -> None:
    run = applied(on)
    word = "The run was read unverified"
    assert word not in on.cxplan("rollback", run).out
    del on.environ["CXPLAN_SIGNING_KEY"]
    assert f"{word}: cxplan audit verify {run} checks it." in on.cxplan("rollback", run).out
    assert rolled(on, run)["verified"] is False


def test_what_to_do_next_is_another_rollback(on: Bench) -> None:
    """A plan of the files would write again what is taken back."""
    run = applied(on)
    assert on.cxplan("rollback", run, "-o", "back.json").code == 0
    on.simulator.world.foreign_change("agent-1", skill="s-voice", level=9)
    done = on.cxplan("apply", "back.json")
    assert f"Next: cxplan rollback {run} -o FILE, then cxplan apply FILE" in done.out
    assert "cxplan plan" not in done.out
    assert on.cxplan("rollback", run, "-o", "again.json").code == 0
    on.write(members(one='{id: "agent-1", skills: {voice: standard}}'))
    stale = on.cxplan("apply", "again.json")
    assert f"Run cxplan rollback {run} again" in stale.err
