"""recover and apply --resume on the command line: what they are told, what they say, exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cxplan.audit.keygen import generate_key
from tests.cli.kit import Bench
from tests.cli.small import FILES, outcomes, planned, small


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    with small(tmp_path, capsys) as made:
        planned(made)
        yield made


def cut_off(on: Bench, lines: int) -> str:
    """Apply, and leave the ledger as a kill after so many lines would; return the run's id."""
    assert on.cxplan("apply", "p.json").code == 0
    bundle = on.bundle()
    folder = bundle.rename(bundle.with_name(bundle.name + ".open"))
    (folder / "statement.dsse.json").unlink()
    journal = folder / "records.jsonl"
    kept = journal.read_bytes().splitlines(keepends=True)[:lines]
    journal.write_bytes(b"".join(kept))
    return bundle.name.partition("-")[2]


START, FIRST_INTENT = 1, 2


def test_run_that_was_cut_off_is_named_wherever_it_is_in_the_way(on: Bench) -> None:
    run = cut_off(on, FIRST_INTENT)
    for arguments in (
        ("apply", "p.json"),
        ("apply", "--auto-approve"),
        ("audit", "verify"),
        ("audit", "list"),
        ("audit", "show", run[:6]),
    ):
        done = on.cxplan(*arguments)
        said = done.out + done.err
        assert f"cxplan apply --resume {run}" in said, arguments
        assert f"cxplan recover {run}" in said, arguments
        wanted = {"apply": 12, "verify": 12, "list": 0, "show": 12}
        assert done.code == wanted[arguments[0] if arguments[0] == "apply" else arguments[1]]
    assert on.cxplan("audit", "list", "--json").json["unsealed"] == [run]


def test_recovered_run_is_told_agent_by_agent(on: Bench) -> None:
    run = cut_off(on, FIRST_INTENT)
    done = on.cxplan("recover", run[:6])
    assert done.code == 5
    assert f"Run {run} is recovered and sealed." in done.out
    assert "Apply stopped: the run was cut off" in done.out
    assert sorted(outcomes(on).values()) == ["converged", "notAttempted", "notAttempted"]
    assert "not attempted: the run was cut off" in done.out
    assert "Head, to be kept elsewhere" in done.out
    assert on.cxplan("audit", "verify").code == 0
    shown = on.cxplan("audit", "show", run[:6])
    assert "the run was cut off while this agent was written" in shown.out
    assert on.cxplan("audit", "list", "--json").json["unsealed"] == []
    again = on.cxplan("recover", run)
    assert (again.code, "is sealed" in again.err) == (3, True)


def test_recovery_as_json(on: Bench) -> None:
    run = cut_off(on, FIRST_INTENT)
    document = on.cxplan("recover", run, "--json").json
    assert document["kind"] == "cxplan/recover"
    assert document["exit"] == {"code": 5, "word": "partial"}
    assert (document["runId"], document["removed"]) == (run, False)
    assert document["summary"]["converged"] == 1
    assert document["undeliveredEvents"] == 1
    assert document["head"]


def test_write_that_may_still_land_is_told_to_be_looked_at_again(on: Bench) -> None:
    """By the journal nothing was answered, and at the tenant the value is another one."""
    run = cut_off(on, FIRST_INTENT)
    [folder] = (on.folder / "audit").glob("*.open")
    agent = json.loads((folder / "records.jsonl").read_bytes().splitlines()[1])["agentId"]
    if agent == "agent-3":
        on.simulator.world.foreign_change(agent, skill="s-chat", concurrent=2)
    else:
        on.simulator.world.foreign_change(agent, skill="s-voice", level=5)
    done = on.cxplan("recover", run)
    assert done.code == 11
    assert "1 agent unknown: a write without an answer may have landed, or do so yet" in done.out


def test_run_that_had_ended_is_only_sealed(on: Bench) -> None:
    run = cut_off(on, 99)
    before = len(on.simulator.world.requests())
    done = on.cxplan("recover", run)
    assert done.code == 0
    assert "Apply complete: 3 applied" in done.out
    assert len(on.simulator.world.requests()) == before


def test_gone_on_with_in_its_own_folder(on: Bench) -> None:
    run = cut_off(on, FIRST_INTENT)
    done = on.cxplan("apply", "--resume", run[:6], "--json")
    assert done.code == 0, done.err
    assert done.json["kind"] == "cxplan/report"
    assert done.json["runId"] == run
    assert sorted(outcomes(on).values()) == ["alreadyThere", "alreadyThere", "converged"]
    assert on.bundle().name == f"000001-{run}"
    assert on.cxplan("audit", "verify").code == 0
    assert on.cxplan("apply", "p.json").code == 6


def test_going_on_takes_no_plan_and_no_approval(on: Bench) -> None:
    run = cut_off(on, START)
    for more in (("p.json",), ("--auto-approve",)):
        done = on.cxplan("apply", "--resume", run, *more)
        assert (done.code, "--resume goes on with the plan" in done.err) == (3, True)
    assert on.cxplan("apply", "--resume", run).code == 0


def test_going_on_is_refused_once_the_files_say_something_else(on: Bench) -> None:
    run = cut_off(on, FIRST_INTENT)
    on.write({"team.yaml": FILES["team.yaml"].replace("senior", "expert")})
    done = on.cxplan("apply", "--resume", run)
    assert done.code == 6
    assert f"cxplan recover {run}" in done.err
    assert on.cxplan("recover", run).code == 5


def test_run_that_had_not_begun_is_removed(on: Bench) -> None:
    run = cut_off(on, START)
    [folder] = (on.folder / "audit").glob("*.open")
    for name in ("open.dsse.json", "records.jsonl"):
        (folder / name).unlink()
    done = on.cxplan("recover", run)
    assert done.code == 0
    assert "it has written nothing" in done.out
    assert not folder.exists()
    assert on.cxplan("apply", "p.json").code == 0


def test_going_on_with_a_run_that_had_not_begun(on: Bench) -> None:
    run = cut_off(on, START)
    [folder] = (on.folder / "audit").glob("*.open")
    for name in ("open.dsse.json", "records.jsonl"):
        (folder / name).unlink()
    done = on.cxplan("apply", "--resume", run, "--json")
    assert (done.code, done.codes()) == (3, ["run.neverBegan"])


def test_name_that_is_missing_or_fits_nothing_lists_what_is_open(on: Bench) -> None:
    assert "No run of this ledger is cut off." in on.cxplan("recover").err
    run = cut_off(on, START)
    for arguments in ((), ("ffffffff",)):
        done = on.cxplan("recover", *arguments)
        assert (done.code, f"Cut off: {run}." in done.err) == (3, True)


def test_keys_are_asked_for_and_told_apart(on: Bench) -> None:
    run = cut_off(on, START)
    assert on.cxplan("recover", run, "--signing-key", "none.pem").code == 9
    generate_key(on.folder / "other.pem")
    done = on.cxplan("recover", run, "--signing-key", "other.pem")
    assert done.code == 12
    assert "Give the key that the run was begun with" in done.err


def test_another_tenant_leaves_the_run_as_it_is(on: Bench) -> None:
    run = cut_off(on, FIRST_INTENT)
    [folder] = (on.folder / "audit").glob("*.open")
    before = (folder / "records.jsonl").read_bytes()
    done = on.cxplan("recover", run, "--api-url", "http://127.0.0.1:9")
    assert done.code == 9
    assert "The plan is for" in done.err
    assert (folder / "records.jsonl").read_bytes() == before
    assert on.cxplan("recover", run).code == 5
