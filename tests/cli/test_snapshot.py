"""cxplan snapshot, and show of what it wrote: whole or not at all, and exactly the tenant's."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cxplan.core.canonical import parse_json
from cxplan.core.ids import AgentId
from cxplan.core.live import MissingAgent
from cxplan.settings import load_settings
from cxplan.simulator.options import Options
from cxplan.simulator.rules import Rule
from cxplan.snapshots.tenant import SnapshotTenant
from cxplan.wiring import edges
from tests.cli.kit import Bench, bench, random_files, random_tenant
from tests.cli.offline import TRIED, namespace, run_offline
from tests.cli.small import FILES, small

AGENTS = "/api/v2/agents"
SCHEDULES = "/api/v2/wfm/schedules"
NOBODY = FILES["team.yaml"] + '  four: {id: "agent-4", skills: {voice: senior}}\n'
FEW = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    with small(tmp_path, capsys) as made:
        yield made
        assert made.patches() == []


def test_it_gives_exactly_what_the_tenant_gave(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = random_tenant(40, 3)
    broken = Rule("GET", f"{SCHEDULES}/{spec.agents[5].id}", body="[1]")
    with bench(tmp_path, spec, capsys, Options(faults=(broken,))) as on:
        on.write(random_files(spec, 3))
        everybody = (on.folder / "desired" / "teams" / "everybody.yaml").read_text("utf-8")
        on.write({"teams/everybody.yaml": everybody + '  gone:\n    id: "gone-1"\n'})
        done = on.cxplan("snapshot", "-o", "s.jsonl", "--json")
        assert (done.code, done.json["agents"]) == (0, 41), done.err
        assert done.json["missing"] == ["gone-1"]
        assert done.json["unreadableSchedules"] == [spec.agents[5].id]
        kept = SnapshotTenant(on.folder / "s.jsonl")
        live = edges.tenant(load_settings({}, on.environ), on.environ)
        identity = live.connect(write=False)
        assert kept.connect(write=False) == replace(identity, server_date=None)
        assert kept.lists() == live.lists()
        for agent in [*spec.agents, *spec.agents[:3]]:
            found = AgentId(agent.id)
            assert kept.agent(found) == live.agent(found)
            assert kept.schedule(found) == live.schedule(found)
        assert kept.agent(AgentId("gone-1")) == MissingAgent(AgentId("gone-1"))


def test_what_it_says(on: Bench) -> None:
    on.write({"team.yaml": NOBODY})
    done = on.cxplan("snapshot", "-o", "s.jsonl")
    assert done.code == 0
    assert re.search(r"^Snapshot of test: 4 agents\.$", done.out, re.MULTILINE)
    assert "! 1 agent unknown to the tenant: agent-4" in done.out
    assert "less than a minute ago" in done.out
    assert "Snapshot written to s.jsonl." in done.err
    assert "keep it as you keep the files" in done.err
    assert "cxplan plan --snapshot s.jsonl" in done.err


def test_the_file_holds_ids_and_no_names_of_people(on: Bench) -> None:
    assert on.cxplan("snapshot", "-o", "s.jsonl").code == 0
    path = on.folder / "s.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text("ascii")
    assert "agent-1" in text
    for name in ("Person", "one", "two", "three"):
        assert f'"{name}' not in text
    assert on.simulator.client_id not in text
    assert on.simulator.client_secret not in text
    header = parse_json(text.splitlines()[0].encode())
    assert header["tenant"]["name"] == "test"
    assert header["lists"]["skills"] == [["s-chat", "chat", 4], ["s-voice", "voice", 1]]


def test_json_of_snapshot_and_of_show_is_one_document(on: Bench) -> None:
    taken = on.cxplan("snapshot", "-o", "s.jsonl", "--json")
    shown = on.cxplan("show", "s.jsonl", "--json")
    assert taken.json == shown.json
    assert taken.json["kind"] == "cxplan/snapshot"
    assert taken.json["exit"] == {"code": 0, "word": "ok"}
    assert (taken.json["agents"], taken.json["skills"], taken.json["workModes"]) == (3, 2, 2)


def test_show_needs_no_tenant(on: Bench) -> None:
    assert on.cxplan("snapshot", "-o", "s.jsonl").code == 0
    done = run_offline(["show", "s.jsonl"], on.folder, FEW)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Snapshot of test: 3 agents." in done.stdout


def test_offline_is_offline(on: Bench) -> None:
    seen = len(on.simulator.world.requests())
    done = run_offline(["plan"], on.folder, FEW | on.environ)
    assert done.returncode == TRIED, done.stderr
    assert "network: socket." in done.stderr
    assert len(on.simulator.world.requests()) == seen


@pytest.mark.skipif(not namespace(), reason="this system gives nobody a network namespace")
def test_the_namespace_is_empty(on: Bench) -> None:
    import subprocess
    import sys
    from urllib.parse import urlsplit

    port = urlsplit(on.environ["CXPLAN_API_URL"]).port
    program = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
    words = [sys.executable, "-c", program]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    assert subprocess.run([*namespace(), *words], capture_output=True, check=False).returncode == 1


def untouched(on: Bench, code: int, error: str) -> dict[str, object]:
    """Take a snapshot over an older one, which must fail and leave it as it is."""
    path = on.folder / "s.jsonl"
    path.write_bytes(b"older\n")
    before = sorted(on.folder.iterdir())
    done = on.cxplan("snapshot", "-o", "s.jsonl", "--json")
    assert (done.code, done.codes()) == (code, [error]), done.out
    assert path.read_bytes() == b"older\n"
    assert sorted(on.folder.iterdir()) == before
    found: dict[str, object] = done.json["errors"][0]
    return found


def test_an_unread_agent_ends_it_and_an_older_file_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys, Rule("GET", f"{AGENTS}/agent-2", body="[]")) as on:
        error = untouched(on, 10, "http.shape")
        assert error["address"] == "agent-2"
        assert "1 of 3 agents could not be read" in str(error["summary"])
        (on.folder / "s.jsonl").unlink()
        assert on.cxplan("snapshot", "-o", "s.jsonl").code == 10
        assert not (on.folder / "s.jsonl").exists()


@pytest.mark.parametrize(
    ("rule", "code", "error"),
    [
        (Rule("GET", "/api/v2/skills", status=403), 7, "auth.scope"),
        (Rule("GET", "/api/v2/work-modes", body='{"entities": []}'), 10, "tenant.empty"),
        (Rule("GET", f"{AGENTS}/**", status=403), 7, "auth.scope"),
    ],
    ids=["a forbidden list", "an empty list", "all agents forbidden"],
)
def test_what_all_others_stand_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rule: Rule, code: int, error: str
) -> None:
    with small(tmp_path, capsys, rule) as on:
        untouched(on, code, error)


def test_a_wrong_secret_and_a_tenant_that_is_not_there(on: Bench) -> None:
    right = on.environ["CXONE_CLIENT_SECRET"]
    on.environ["CXONE_CLIENT_SECRET"] = "wrong"
    untouched(on, 7, "auth.refused")
    on.environ["CXONE_CLIENT_SECRET"] = right
    on.simulator.go_down()
    done = on.cxplan("snapshot", "-o", "s2.jsonl")
    on.simulator.come_up()
    assert done.code == 10
    assert not (on.folder / "s2.jsonl").exists()


def test_the_output_is_named_and_fit_before_the_tenant_is_asked(on: Bench) -> None:
    (on.folder / "link").symlink_to(on.folder / "elsewhere")
    for arguments, error in (
        ([], "usage"),
        (["-o", "link"], "path.type"),
        (["-o", "desired"], "path.type"),
        (["-o", "nowhere/s.jsonl"], "path.unwritable"),
    ):
        done = on.cxplan("snapshot", *arguments, "--json")
        assert (done.code, done.codes()) == (3, [error]), arguments
    assert not (on.folder / "elsewhere").exists()
    assert not on.simulator.world.requests()


def test_a_damaged_snapshot_is_not_shown(on: Bench) -> None:
    assert on.cxplan("snapshot", "-o", "s.jsonl").code == 0
    path = on.folder / "s.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"s-voice",5', b'"s-voice",6', 1))
    done = on.cxplan("show", "s.jsonl", "--json")
    assert (done.code, done.codes()) == (3, ["snapshot.digest"])
    assert done.json["errors"][0]["file"] == "s.jsonl"
    text = on.cxplan("show", "s.jsonl").err
    assert "s.jsonl:1:1" in text
    assert "cxplan snapshot -o" in text


def test_a_member_declared_after_the_snapshot_is_unread(on: Bench) -> None:
    assert on.cxplan("snapshot", "-o", "s.jsonl").code == 0
    on.write({"team.yaml": NOBODY})
    done = run_offline(["plan", "--snapshot", "s.jsonl", "--json"], on.folder, FEW)
    assert done.returncode == 10, done.stderr
    unread = [a for a in json.loads(done.stdout)["agents"] if a["status"] == "unread"]
    assert [(a["agent"]["id"], a["checks"][0]["id"]) for a in unread] == [
        ("agent-4", "snapshot.notTaken")
    ]


def test_a_snapshot_of_another_tenant_is_refused(on: Bench) -> None:
    assert on.cxplan("snapshot", "-o", "s.jsonl").code == 0
    on.write({"tenant.yaml": FILES["tenant.yaml"].replace("tenant: test", "tenant: live")})
    done = on.cxplan("plan", "--snapshot", "s.jsonl", "--json")
    assert (done.code, done.codes()) == (3, ["snapshot.tenant"])


def test_a_snapshot_is_no_plan_to_apply(on: Bench) -> None:
    assert on.cxplan("snapshot", "-o", "s.jsonl").code == 0
    assert on.cxplan("apply", "s.jsonl").code == 9


def test_quiet_says_only_what_was_found(on: Bench) -> None:
    done = on.cxplan("snapshot", "-o", "s.jsonl", "-q")
    assert done.err == ""
    assert json.loads((on.folder / "s.jsonl").read_text().splitlines()[-1])["digest"]
