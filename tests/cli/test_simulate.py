"""simulate serve as a process of its own, and simulate score."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cli.small import FILES, planned, small

TOP = Path(__file__).parents[2]


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[tuple[Any, subprocess.Popen[str]]]:
    """A simulator in a process of its own, and the line that it printed."""
    command = [sys.executable, "-m", "cxplan", "simulate", "serve", *arguments]
    environ = {**os.environ, "PYTHONPATH": str(TOP)}
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield json.loads(line), process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(10)
            process.stdout.close()


def token(ready: Any) -> dict[str, str]:
    answer = requests.post(
        ready["tokenUrl"],
        data={"grant_type": "client_credentials"},
        auth=(ready["clientId"], ready["clientSecret"]),
        timeout=10,
    )
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_one_line_of_json_tells_a_client_all_it_needs(tmp_path: Path) -> None:
    with serving(tmp_path, "--agents", "7", "--seed", "3") as (ready, process):
        assert set(ready) == {
            "apiUrl", "tokenUrl", "clientId", "clientSecret", "agents", "workModes", "skills",
        }  # fmt: skip
        assert len(ready["agents"]) == 7
        assert set(ready["skills"][0]) == {"skillId", "name"}
        url = f"{ready['apiUrl']}/api/v2/agents/{ready['agents'][0]}"
        assert requests.get(url, headers=token(ready), timeout=10).headers["ETag"].startswith('"')
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130


def test_a_tenant_from_files_holds_what_they_declare_but_for_the_drift(tmp_path: Path) -> None:
    for name, text in FILES.items():
        path = tmp_path / "desired" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    states = []
    for drift in ("0", "100%"):
        arguments = ("--from", "desired", "--drift", drift, "--log-port", "0")
        with serving(tmp_path, *arguments) as (ready, _):
            states.append(requests.get(f"{ready['logUrl']}/state", timeout=10).json()["agents"])
            if drift == "0":
                assert planned_against(tmp_path, ready)["agents"] == []
    plain, drifted = states
    assert len(plain) == 3
    assert all(before != after for before, after in zip(plain, drifted, strict=True))


def planned_against(folder: Path, ready: Any) -> Any:
    """The plan of the files in ``folder`` against a simulator."""
    environ = {
        **os.environ,
        "PYTHONPATH": str(TOP),
        "CXPLAN_API_URL": ready["apiUrl"],
        "CXPLAN_TOKEN_URL": ready["tokenUrl"],
        "CXONE_CLIENT_ID": ready["clientId"],
        "CXONE_CLIENT_SECRET": ready["clientSecret"],
    }
    command = [sys.executable, "-m", "cxplan", "plan", "--json"]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=False)
    return json.loads(done.stdout)


def test_faults_and_logs(tmp_path: Path) -> None:
    rules = [{"method": "GET", "path": "/api/v2/skills", "status": 503}]
    (tmp_path / "faults.json").write_text(json.dumps(rules))
    with serving(tmp_path, "--faults", "faults.json", "--log-port", "0") as (ready, _):
        answer = requests.get(f"{ready['apiUrl']}/api/v2/skills", headers=token(ready), timeout=10)
        assert answer.status_code == 503
        logged = requests.get(f"{ready['logUrl']}/requests", timeout=10).json()
        assert "/api/v2/skills" in json.dumps(logged)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--drift", "2000"],
        ["--drift", "x"],
        ["--faults", "nowhere.json"],
        ["--from", "nowhere"],
        ["--from", ".", "--agents", "3"],
        ["--agents", "0"],
        ["--port", "99999"],
    ],
)
def test_what_cannot_be_served_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with small(tmp_path, capsys) as on:
        done = on.cxplan("simulate", "serve", *arguments, "--json")
        assert done.code == 3
        assert done.json["exit"]["word"] == "invalid"


PAYLOAD = {
    "workModeId": "m-available",
    "skillLevels": [
        {"skillId": "s-voice", "level": 3, "concurrentInteractions": 1},
        {"skillId": "s-chat", "level": 0, "concurrentInteractions": 0},
    ],
    "reason": "test",
    "metadata": {"source": "test", "timestamp": "2026-11-25T12:00:00Z"},
}


def scored(on: Any, payload: object, *more: str) -> Any:
    (on.folder / "payload.json").write_text(json.dumps(payload))
    return on.cxplan("simulate", "score", "payload.json", "--agent", "agent-1", "--json", *more)


def test_a_payload_is_scored_without_any_tenant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        done = scored(on, PAYLOAD)
        assert done.code == 0
        found = done.json
        assert found["agentId"] == "agent-1"
        assert found["simulatedStatus"] == "accepted"
        assert found["workModeId"] == "m-available"
        assert found["routingScore"] == 90
        assert found["validation"] == {"valid": True, "errors": []}
        assert found["metadata"]["source"] == "simulator"
        assert found["simulatedLatencyMs"] == scored(on, PAYLOAD).json["simulatedLatencyMs"]
        assert on.simulator.world.requests() == ()


@pytest.mark.parametrize(
    ("change", "code", "error"),
    [
        ({"workModeId": "m-nowhere"}, 4, "workModeId: not in the catalogue"),
        (
            {"skillLevels": [{"skillId": "s-chat", "level": 5, "concurrentInteractions": 5}]},
            4,
            "chat: concurrent 5 is over the limit 4",
        ),
        (
            {"skillLevels": [{"skillId": "s-chat", "level": 99, "concurrentInteractions": 1}]},
            4,
            "chat: level 99 is not on the scale of tenant.yaml",
        ),
        (
            {"skillLevels": [{"skillId": "s-x", "level": 5, "concurrentInteractions": 1}]},
            4,
            "s-x: not in the catalogue",
        ),
        ({"reason": None}, 3, "reason: a text is required"),
        ({"skillLevels": {}}, 3, "skillLevels: a list is required"),
        (
            {"skillLevels": [{"skillId": "s-x", "level": True, "concurrentInteractions": 1}]},
            3,
            "skillLevels/0/level: a whole number from 0 is required",
        ),
    ],
)
def test_our_own_checks_judge_a_payload(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    code: int,
    error: str,
) -> None:
    with small(tmp_path, capsys) as on:
        done = scored(on, PAYLOAD | change)
        assert (done.code, done.json["validation"]["errors"]) == (code, [error])
        assert done.json["simulatedStatus"] == "rejected"


def test_a_plan_is_scored_before_and_after(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        team = on.folder / "desired" / "team.yaml"
        team.write_text(
            team.read_text().replace("voice: senior}}\n  two", "voice: disabled}}\n  two")
        )
        planned(on)
        done = on.cxplan("simulate", "score", "p.json", "--json")
        found = {agent["agentId"]: agent for agent in done.json["agents"]}
        assert found["agent-1"]["impact"] == {"before": 115, "after": 95, "difference": -20}
        assert found["agent-1"]["routingScore"] == {"before": 100, "after": 95, "difference": -5}
        assert found["agent-3"]["impact"] == {"before": 115, "after": 120, "difference": 5}
        assert "one (agent-1)" in on.cxplan("simulate", "score", "p.json").out
        assert on.cxplan("simulate", "score", "p.json", "--agent", "two", "--json").json["agents"]


def test_what_is_neither_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small(tmp_path, capsys) as on:
        (on.folder / "payload.json").write_text("{")
        assert on.cxplan("simulate", "score", "payload.json", "--agent", "x").code == 3
        (on.folder / "payload.json").write_text("{}")
        assert on.cxplan("simulate", "score", "payload.json").code == 3
        assert on.cxplan("simulate", "score", "nowhere").code == 3
