"""apply --only-due: what time alone changed, and what a run deferred; nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cxplan.core.instant import utc_text
from cxplan.simulator.options import Options
from cxplan.simulator.runner import Simulator
from cxplan.simulator.spec import TenantSpec
from cxplan.wiring.system import SystemClock
from tests.cli.kit import Bench, Done
from tests.cli.scenes import (
    apply_now,
    asked,
    guards,
    levels,
    members,
    on_shift,
    override,
    read_agents,
    shown,
    stage,
)
from tests.cli.small import FILES, small

APPLIED = {"agent-1": 3, "agent-2": 3, "agent-3": 5}


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    """A tenant on which the files were applied two hours ago."""
    with small(tmp_path, capsys) as made:
        apply_now(made)
        aged(made, 2)
        yield made


def ledger(on: Bench) -> list[Path]:
    """The sealed bundles, the oldest first."""
    return sorted(path for path in (on.folder / "audit").glob("0*") if path.is_dir())


def aged(on: Bench, hours: float) -> None:
    """Make the newest run one of so many hours ago: a timer reads the ledger unverified."""
    path = ledger(on)[-1] / "records.jsonl"
    then = utc_text(datetime.now(UTC) - timedelta(hours=hours))
    text = path.read_text("ascii")
    path.write_text(re.sub(r'"plannedAt":"[^"]*"', f'"plannedAt":"{then}"', text), "ascii")


def tick(on: Bench, code: int = 0) -> Done:
    """What the scheduled workflow runs."""
    return apply_now(on, "--only-due", code=code)


def plan_of(on: Bench) -> Any:
    """The plan in the newest bundle."""
    return json.loads((ledger(on)[-1] / "plan.json").read_bytes())


def nothing(done: Done) -> bool:
    return "No changes. Nothing is due." in done.out


EXPERT = "{skills: {voice: expert}}"


# --- overrides ------------------------------------------------------------------------------


def test_an_override_that_began_is_written_and_one_that_ended_is_taken_back(on: Bench) -> None:
    on.write(override("CHG-1", -1, 9, EXPERT, "{agents: [one]}"))
    done = tick(on)
    assert "Partial plan: only what is due. What lies outside is neither shown" in done.out
    assert "1 applied" in done.out
    assert levels(on, "s-voice") == APPLIED | {"agent-1": 1}
    scope = plan_of(on)["scope"]
    assert (scope["onlyDue"], scope["partial"]) == (True, True)
    assert "only what is due" in on.cxplan("show", str(ledger(on)[-1] / "plan.json")).out
    assert nothing(tick(on))
    aged(on, 1.5)
    on.write(override("CHG-1", -3, -1, EXPERT, "{agents: [one]}"))
    tick(on)
    assert levels(on, "s-voice") == APPLIED
    assert on.cxplan("plan", "--json").json["summary"]["ready"] == 0


def test_only_agents_of_whom_something_can_be_due_are_read(on: Bench) -> None:
    on.write(override("CHG-1", -1, 9, EXPERT, "{agents: [one]}"))
    on.simulator.world.clear_logs()
    tick(on)
    assert read_agents(on) == {"agent-1"}
    on.simulator.world.clear_logs()
    assert nothing(tick(on))
    assert read_agents(on) == set()


def test_an_emergency_change_is_not_undone_by_the_timer(on: Bench) -> None:
    on.write(override("CHG-1", -1, 9, EXPERT, "{agents: [one, two]}"))
    on.simulator.world.foreign_change("agent-1", skill="s-voice", level=12)
    tick(on)
    assert levels(on, "s-voice") == APPLIED | {"agent-1": 12, "agent-2": 1}
    on.simulator.world.foreign_change("agent-2", skill="s-voice", level=12)
    assert nothing(tick(on))
    aged(on, 1.5)
    on.write(override("CHG-1", -3, -1, EXPERT, "{agents: [one, two]}"))
    assert nothing(tick(on))
    assert levels(on, "s-voice") == APPLIED | {"agent-1": 12, "agent-2": 12}
    apply_now(on)
    assert levels(on, "s-voice") == APPLIED


def test_drift_is_not_undone(on: Bench) -> None:
    on.simulator.world.foreign_change("agent-1", skill="s-voice", level=12)
    on.write(override("CHG-1", -1, 9, "{skills: {chat: expert}}", "{agents: [one]}"))
    tick(on)
    assert levels(on, "s-voice")["agent-1"] == 12
    assert levels(on, "s-chat")["agent-1"] == 1


def test_a_change_of_the_files_is_not_written(on: Bench) -> None:
    on.write(members(one='{id: "agent-1", skills: {voice: 7}}', two='{id: "agent-2"}'))
    on.write(override("CHG-1", -1, 9, "{skills: {chat: expert}}", "{agents: [one]}"))
    tick(on)
    assert levels(on, "s-voice") == APPLIED
    assert levels(on, "s-chat")["agent-1"] == 1
    assert "3 → 7" in shown(on).replace("senior (3)", "3").replace("level 7", "7")


def test_a_pending_value_under_an_override_stays_pending(on: Bench) -> None:
    on.write(members(one='{id: "agent-1", skills: {voice: 7}}'))
    on.write(override("CHG-1", -1, 9, EXPERT, "{agents: [one]}"))
    assert nothing(tick(on))
    assert levels(on, "s-voice") == APPLIED


def test_what_an_override_is_the_first_to_manage_is_written_once(on: Bench) -> None:
    on.simulator.world.foreign_change("agent-1", skill="s-chat", level=9)
    on.write(override("CHG-1", -1, 9, "{skills: {chat: senior}}", "{agents: [one]}"))
    tick(on)
    assert levels(on, "s-chat")["agent-1"] == 3
    on.simulator.world.foreign_change("agent-1", skill="s-chat", level=9)
    assert nothing(tick(on))


def test_a_partial_run_of_others_hides_no_boundary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        apply_now(on)
        aged(on, 2)
        on.write(override("CHG-1", -1, 9, EXPERT, "{agents: [one]}"))
        on.write(override("CHG-2", -1, 9, EXPERT, "{agents: [two]}"))
        done = on.cxplan("plan", "--only", "agent:two", "-o", "p.json")
        assert done.code == 0
        assert on.cxplan("apply", "p.json").code == 0
        tick(on)
        assert levels(on, "s-voice") == APPLIED | {"agent-1": 1, "agent-2": 1}


def test_what_a_rollback_took_back_is_left(on: Bench) -> None:
    on.write(override("CHG-1", -1, 9, EXPERT, "{agents: [one]}"))
    tick(on)
    run = ledger(on)[-1].name.partition("-")[2]
    assert on.cxplan("rollback", run, "-o", "back.json").code == 0
    assert on.cxplan("apply", "back.json").code == 0
    assert levels(on, "s-voice") == APPLIED
    for bundle in ledger(on):
        records = bundle / "records.jsonl"
        then = utc_text(datetime.now(UTC) - timedelta(hours=2))
        text = re.sub(r'"plannedAt":"[^"]*"', f'"plannedAt":"{then}"', records.read_text("ascii"))
        records.write_text(text, "ascii")
    assert nothing(tick(on))
    assert levels(on, "s-voice") == APPLIED


# --- shifts ---------------------------------------------------------------------------------


@contextmanager
def later(on: Bench, spec: TenantSpec) -> Iterator[None]:
    """The same tenant at a later time of its day: other shifts."""
    with Simulator.start(spec, Options(), SystemClock()) as simulator:
        on.simulator = simulator
        on.environ |= {
            "CXONE_CLIENT_ID": simulator.client_id,
            "CXONE_CLIENT_SECRET": simulator.client_secret,
            "CXPLAN_API_URL": simulator.api_url,
            "CXPLAN_TOKEN_URL": simulator.token_url,
        }
        yield


def modes(on: Bench) -> dict[str, str | None]:
    return {agent.id: agent.work_mode for agent in on.simulator.world.agents()}


TRAINING = members(
    one='{id: "agent-1", workMode: training}',
    two='{id: "agent-2", skills: {voice: senior}}',
    three=None,
)


def test_a_deferred_agent_is_written_once_its_shift_has_begun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = on_shift(3, 6, plans="training", live="available")
    with stage(tmp_path, capsys, spec) as on:
        on.write(FILES | TRAINING)
        done = apply_now(on)
        assert "1 applied" in done.out
        assert "1 deferred" in done.out
        assert nothing(tick(on)) is False
        assert modes(on)["agent-1"] == "m-available"
        with later(on, on_shift(-1, 6, plans="training", live="available")):
            tick(on)
            assert modes(on)["agent-1"] == "m-training"
            assert levels(on, "s-voice")["agent-2"] == 5, "a new tenant: nobody is to write that"


@pytest.mark.parametrize("moved", ["live", "files"])
def test_a_deferred_change_that_was_overtaken_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], moved: str
) -> None:
    spec = on_shift(3, 6, plans="training", live="available")
    modes_file = FILES["modes.yaml"] + '  away: {id: "m-away", category: unavailable}\n'
    with stage(tmp_path, capsys, _with_away(spec)) as on:
        on.write(FILES | TRAINING | {"modes.yaml": modes_file})
        apply_now(on)
        if moved == "files":
            on.write(members(one='{id: "agent-1", workMode: away}', three=None))
        with later(on, _with_away(on_shift(-1, 6, plans="training", live="available"))):
            if moved == "live":
                on.simulator.world.foreign_change("agent-1", work_mode="m-away")
            before = modes(on)
            tick(on)
            assert modes(on) == before


def _with_away(spec: TenantSpec) -> TenantSpec:
    away = replace(spec.modes[1], id="m-away", name="away")
    return replace(spec, modes=(*spec.modes, away))


def test_a_shift_that_began_is_followed_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with stage(tmp_path, capsys, on_shift(-9, 6, plans="available", live="available")) as on:
        on.write(FILES | members(three=None))
        team = on.folder / "desired" / "team.yaml"
        team.write_text(team.read_text().replace("members:", "workMode: scheduled\nmembers:"))
        apply_now(on)
        aged(on, 2)
        with later(on, on_shift(-1, 6, plans="training", live="available")):
            on.simulator.world.foreign_change("agent-2", skill="s-voice", level=3)
            on.simulator.world.foreign_change("agent-1", skill="s-voice", level=3)
            tick(on)
            assert modes(on)["agent-1"] == modes(on)["agent-2"] == "m-training"
            on.simulator.world.foreign_change("agent-1", work_mode="m-available")
            assert nothing(tick(on))
            assert modes(on)["agent-1"] == "m-available"


# --- what it says and refuses -----------------------------------------------------------------


def test_without_a_sealed_run_nothing_is_due_and_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        on.write(override("CHG-1", -1, 9, EXPERT, "{agents: [one]}"))
        done = tick(on)
        assert nothing(done)
        assert "Warning: no run of this ledger is sealed yet, so nothing can be due" in done.out
        assert on.patches() == []
        assert read_agents(on) == set()


def test_a_saved_plan_and_a_run_have_plans_of_their_own(on: Bench) -> None:
    before = asked(on)
    for arguments in (["p.json"], ["--resume", "1234"]):
        done = on.cxplan("apply", *arguments, "--only-due", "--json")
        assert (done.code, done.codes()) == (3, ["usage"])
    assert on.cxplan("apply", "--only-due").code == 9
    assert asked(on) == before


def test_guards_stop_a_timer_too(on: Bench) -> None:
    on.write(override("CHG-1", -1, 9, EXPERT, "{agents: [one]}"))
    freeze = (
        'freeze: [{name: peak, from: "2020-01-01T00:00:00Z", until: "2099-01-01T00:00:00Z"EXCEPT}]'
    )
    on.write(guards(freeze.replace("EXCEPT", "")))
    assert on.cxplan("apply", "--auto-approve", "--only-due").code == 4
    assert levels(on, "s-voice") == APPLIED
    on.write(guards(freeze.replace("EXCEPT", ", except: [overrides]")))
    tick(on)
    assert levels(on, "s-voice") == APPLIED | {"agent-1": 1}
