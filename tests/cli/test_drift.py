"""drift after a real run: another admin, a changed file, both, and what nobody touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cxplan.core.drift import Case, DriftReport
from cxplan.core.due import Past
from cxplan.core.history import History, LastValue, ValueKey
from cxplan.core.ids import AgentId, WorkModeId
from cxplan.core.live import Schedule, UnreadableSchedule, UnreadAgent
from cxplan.core.model import Declarations
from cxplan.simulator.rules import Rule
from cxplan.usecases.drift import DriftWorld, find_drift
from tests.cli.kit import Bench, Done
from tests.cli.small import FILES, planned, small
from tests.core.make import NOW, declarations, member, observed, schedule, shift, team
from tests.usecases.fake import FakeTenant, InOrder, Silent

TEAM = "team: Small\nmembers:\n"


def applied(on: Bench) -> str:
    """Apply the files and return the run's id."""
    planned(on)
    assert on.cxplan("apply", "p.json").code == 0
    return on.bundle().name.partition("-")[2]


def members(on: Bench, **lines: str) -> None:
    """Write the team; those who are not named here keep their lines."""
    kept = {
        "one": '{id: "agent-1", skills: {voice: senior}}',
        "two": '{id: "agent-2", skills: {voice: senior}}',
        "three": '{id: "agent-3", skills: {chat: {concurrent: 3}}}',
    }
    on.write({"team.yaml": TEAM + "".join(f"  {k}: {v}\n" for k, v in (kept | lines).items())})


def cases(done: Done) -> dict[str, str]:
    return {
        f"{agent['agent']['name']}/{value['path']}": value["case"]
        for agent in done.json["agents"]
        for value in agent["values"]
    }


def test_after_an_apply_nothing_has_moved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        applied(on)
        done = on.cxplan("drift", "--detailed-exitcode")
        assert done.code == 0
        assert done.out.splitlines()[-1] == (
            "No drift. 0 pending (0 never written by a run), 0 caught up, "
            "0 released (0 moved since), 3 in sync; 0 agents unread, 0 missing."
        )
        assert "read unverified: cxplan audit verify checks it." in done.out


def test_another_admin_is_named_with_the_run_that_was_there_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        run = applied(on)
        on.simulator.world.foreign_change("agent-1", skill="s-voice", level=5)
        on.simulator.world.foreign_change("agent-2", skill="s-chat", level=9)
        before = len(on.patches())
        done = on.cxplan("drift")
        assert done.code == 0
        (line,) = [text for text in done.out.splitlines() if "moved" in text and "!" in text]
        said, _, to = line.partition(", to ")
        assert said.startswith(
            "  ! one (agent-1, Small): skills/voice/level moved from senior (3), "
            f"written by run {run[:8]} at 20"
        )
        assert to == "standard (5)"
        assert done.out.splitlines()[-1].startswith("Drift: 1 drifted, 0 in conflict, 0 pending")
        assert on.cxplan("drift", "--detailed-exitcode").code == 2
        assert len(on.patches()) == before
        (agent,) = on.cxplan("drift", "--json").json["agents"]
        (value,) = agent["values"]
        assert (value["case"], value["base"], value["desired"], value["live"]) == ("drift", 3, 3, 5)
        assert value["run"] == run


def test_all_ways_at_once_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        applied(on)
        members(
            on,
            one='{id: "agent-1", skills: {voice: expert, chat: expert}}',
            two='{id: "agent-2", skills: {voice: expert}}',
            three='{id: "agent-3", skills: {chat: {concurrent: 1}}}',
        )
        on.simulator.world.foreign_change("agent-2", skill="s-voice", level=9)
        on.simulator.world.foreign_change("agent-3", skill="s-chat", concurrent=1)
        done = on.cxplan("drift", "--json", "--detailed-exitcode")
        assert done.code == 2
        assert cases(done) == {
            "one/skills/chat/level": "pending",
            "one/skills/voice/level": "pending",
            "two/skills/voice/level": "conflict",
            "three/skills/chat/concurrent": "caughtUp",
        }
        summary = done.json["summary"]
        assert (summary["pending"], summary["neverWritten"]) == (2, 1)
        text = on.cxplan("drift").out
        assert "to level 9; the files want expert (1) by now" in text
        assert "skills/chat/level standard (5) → expert (1), never written by a run" in text


def test_what_the_files_name_no_more_is_released_and_no_drift(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        applied(on)
        on.write({"team.yaml": TEAM + '  one: {id: "agent-1"}\n  two: {id: "agent-2"}\n'})
        on.simulator.world.foreign_change("agent-2", skill="s-voice", level=9)
        done = on.cxplan("drift", "--json", "--detailed-exitcode")
        assert done.code == 0
        assert cases(done) == {
            "one/skills/voice/level": "released",
            "two/skills/voice/level": "releasedMoved",
        }
        assert done.json["summary"]["undeclared"] == 1
        assert on.cxplan("drift").out.splitlines()[-1].startswith("No drift. ")


def test_a_renamed_skill_keeps_its_base(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small(tmp_path, capsys) as on:
        applied(on)
        renamed = {
            name: text.replace("voice:", "calls:")
            for name, text in FILES.items()
            if name in {"catalogue.yaml", "team.yaml"}
        }
        on.write(renamed)
        on.simulator.world.foreign_change("agent-1", skill="s-voice", level=5)
        assert cases(on.cxplan("drift", "--json")) == {"one/skills/calls/level": "drift"}


def test_before_the_first_run_everything_that_differs_is_pending(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        done = on.cxplan("drift", "--json", "--detailed-exitcode")
        assert done.code == 0
        assert set(cases(done).values()) == {"pending"}
        assert done.json["summary"]["neverWritten"] == 3
        assert not (on.folder / "audit").exists()


def test_who_cannot_be_read_or_found_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    garbled = Rule("GET", "/api/v2/agents/agent-1/skills", commit=True, body='{"entities": [')
    with small(tmp_path, capsys) as on:
        applied(on)
        on.simulator.world.foreign_change("agent-2", skill="s-voice", level=9)
        on.simulator.world.add_rule(garbled)
        members(on, four='{id: "agent-4", skills: {voice: senior}}')
        done = on.cxplan("drift", "--detailed-exitcode", "--json")
        assert done.code == 10
        document = done.json
        assert [agent["agent"]["name"] for agent in document["unread"]] == ["one"]
        assert [agent["agent"]["name"] for agent in document["missing"]] == ["four"]
        assert cases(done) == {"two/skills/voice/level": "drift"}
        text = on.cxplan("drift").out
        assert "  ? one (agent-1, Small) could not be read: " in text
        assert "  ? four (agent-4, Small) is missing: the tenant knows no such agent" in text


def test_a_ledger_that_cannot_be_read_ends_it_before_the_tenant_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        applied(on)
        records = on.bundle() / "records.jsonl"
        records.write_bytes(records.read_bytes()[:-1])
        before = len(on.simulator.world.requests())
        done = on.cxplan("drift", "--json")
        assert done.code == 12
        assert done.codes() == ["audit.form"]
        assert len(on.simulator.world.requests()) == before


def test_a_run_that_was_never_sealed_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        applied(on)
        folder = on.bundle()
        folder.rename(folder.with_name(folder.name + ".open"))
        done = on.cxplan("drift")
        assert f"Warning: the run {folder.name}.open is not sealed" in done.out
        assert on.cxplan("drift", "--json").json["unsealed"] == [folder.name + ".open"]


# --- work modes that follow the shift, on a tenant in memory -------------------------------------


@dataclass(frozen=True)
class Remembered:
    """A ledger whose last run put the agent into ``mode``."""

    mode: str

    def last_values(self, tenant: str) -> History:
        del tenant
        last = LastValue(self.mode, "run", NOW, "workMode")
        return {AgentId("id-a"): {ValueKey(None, "workMode"): last}}

    def past(self, tenant: str) -> Past:
        del tenant
        return Past()


def found(mode: str, live: str, schedules: Mapping[AgentId, Any]) -> DriftReport:
    """A drift where the files want the shift's mode and a run wrote ``mode``."""
    wanted: Declarations = declarations(team(member("a", mode="scheduled")))
    seen = observed(mode=live)
    tenant = FakeTenant({seen.id: seen}, schedules=dict(schedules))
    return find_drift(DriftWorld(tenant, Remembered(mode), InOrder(), Silent(), 1), wanted, NOW)


@pytest.mark.parametrize(
    ("written", "live", "planned_mode", "case"),
    [
        ("mode-training", "mode-training", "training", Case.IN_SYNC),
        ("mode-training", "mode-available", "training", Case.DRIFT),
        ("mode-available", "mode-available", "training", Case.PENDING),
        ("mode-available", "mode-training", "training", Case.CAUGHT_UP),
        ("mode-available", "mode-off", "training", Case.CONFLICT),
    ],
)
def test_the_mode_of_the_running_shift_is_what_the_files_want(
    written: str, live: str, planned_mode: str, case: Case
) -> None:
    report = found(written, live, {AgentId("id-a"): schedule(shift(-1, 4, planned_mode))})
    assert {case: 1} == report.counts
    assert report.unfollowed == 0


@pytest.mark.parametrize(
    "reading", [Schedule(), schedule(shift(2, 4)), UnreadableSchedule("forbidden")]
)
def test_without_a_shift_the_mode_is_not_compared_and_that_is_counted(reading: Any) -> None:
    report = found("mode-training", "mode-available", {AgentId("id-a"): reading})
    assert (report.counts, report.agents, report.unfollowed) == ({}, (), 1)


def test_an_unread_agent_is_neither_in_sync_nor_drifted() -> None:
    wanted = declarations(team(member("a", {"chat": 5}), member("b", {"chat": 5})))
    seen = observed("b", skills={"chat": (5, 1)})
    unread = UnreadAgent(AgentId("id-a"), "http.json", "cut off")
    tenant = FakeTenant({seen.id: seen}, readings={unread.id: unread})
    world = DriftWorld(tenant, Remembered(WorkModeId("mode-off")), InOrder(), Silent(), 1)
    report = find_drift(world, wanted, NOW)
    assert report.counts == {Case.IN_SYNC: 1}
    assert [agent.id for agent in report.unread] == ["id-a"]
    assert report.exit(detailed=True).word == "unavailable"
