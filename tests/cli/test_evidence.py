"""The bundle of a real run: checked with other people's tools, and with ours after every edit."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.kit import Bench
from tests.cli.small import planned, small

REVIEW = r"""
set -eu
W=$(mktemp -d)
jq -r .payload statement.dsse.json | base64 -d > $W/payload
size=$(wc -c < $W/payload)
{ printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$size"; cat $W/payload; } > $W/pae
jq -r '.signatures[0].sig' statement.dsse.json | base64 -d > $W/sig
openssl dgst -sha256 -verify "$1" -signature $W/sig $W/pae
jq -r '.subject[]|"\(.digest.sha256)  \(.name)"' $W/payload | sha256sum -c --strict
"""


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> object:
    with small(tmp_path, capsys) as made:
        planned(made)
        assert made.cxplan("apply", "p.json").code == 0
        yield made


def test_a_reviewer_needs_nothing_of_ours(on: Bench) -> None:
    for tool in ("jq", "openssl", "sha256sum"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    key = on.folder / "signing-key.pub.pem"
    done = subprocess.run(
        ["sh", "-c", REVIEW, "sh", str(key)],
        cwd=on.bundle(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Verified OK" in done.stdout
    assert done.stdout.count(": OK") == 3


def test_it_verifies_with_the_own_key_and_says_what_that_is_worth(on: Bench) -> None:
    done = on.cxplan("audit", "verify")
    assert done.code == 0
    assert "Verified: yes: 1 bundle" in done.out
    assert "Trusted: this machine's own key only" in done.out
    assert "Complete: not checked" in done.out
    with_key = on.cxplan("audit", "verify", "--key", "signing-key.pub.pem", "--json")
    assert with_key.code == 0
    assert with_key.json["trusted"].startswith("the given keys: SHA256:")


def test_the_head_of_the_apply_is_what_verify_expects(on: Bench) -> None:
    head = on.cxplan("audit", "list", "--json").json["runs"][0]["head"]
    _, sequence, sha256 = head.split(" ")
    pinned = f"{sequence}:{sha256.removeprefix('sha256:')}"
    done = on.cxplan("audit", "verify", "--expect-head", pinned, "--json")
    assert (done.code, done.json["complete"]) == (0, "matches")
    wrong = f"{sequence}:{'0' * 64}"
    done = on.cxplan("audit", "verify", "--expect-head", wrong, "--json")
    assert (done.code, done.json["complete"]) == (12, "differs")


def test_one_changed_byte_in_any_file_is_told(on: Bench) -> None:
    bundle = on.bundle()
    files = sorted(bundle.iterdir())
    assert {f.name for f in files} == {
        "statement.dsse.json",
        "open.dsse.json",
        "plan.json",
        "records.jsonl",
    }
    for path in files:
        whole = path.read_bytes()
        for at in (0, len(whole) // 3, len(whole) // 2, len(whole) - 2):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            done = on.cxplan("audit", "verify", "--json")
            assert done.code == 12, (path.name, at)
            (failure,) = done.json["failures"]
            assert failure["code"].startswith("audit."), failure
            assert bundle.name in failure["place"]
        path.write_bytes(whole)
    assert on.cxplan("audit", "verify").code == 0


def test_every_record_has_what_it_promises(on: Bench) -> None:
    records = on.records()
    kinds = [record["kind"] for record in records]
    assert kinds[0] == "run.start"
    assert kinds[-1] == "run.end"
    assert [kinds.count(k) for k in ("agent.intent", "agent.attempt", "agent.outcome")] == [3, 3, 3]
    assert [kinds.count(k) for k in ("event.intent", "event.outcome")] == [3, 3]
    (first,) = [r for r in records if r["kind"] == "agent.outcome" and r["agentId"] == "agent-1"]
    _record(first)
    for agent in ("agent-1", "agent-2", "agent-3"):
        own = [r["kind"] for r in records if r.get("agentId") == agent]
        assert own[:3] == ["agent.intent", "agent.attempt", "agent.outcome"]


def _record(record: dict[str, Any]) -> None:
    assert record["action"] == "skill_update"
    assert record["outcome"] == "applied"
    assert record["locking"] == "etag"
    assert record["etagBefore"] != record["etagAfter"]
    previous = {s["skillId"]: s for s in record["previousState"]["skills"]}
    new = {s["skillId"]: s for s in record["newState"]["skills"]}
    assert (previous["s-voice"]["level"], new["s-voice"]["level"]) == (5, 3)
    assert previous["s-chat"] == new["s-chat"]
    assert record["validation"] == {"passed": True, "errors": []}
    assert record["apiResponse"]["status"] == 200
    assert set(record["apiResponse"]["headers"]) <= {
        "date",
        "etag",
        "retry-after",
        "content-type",
        "x-request-id",
    }
    assert isinstance(record["metrics"]["latencyMs"], int)
    assert record["complianceFlags"] == {
        "shiftValidated": False,
        "concurrentLimitsChecked": True,
        "optimisticLockingApplied": True,
    }
    assert record["changes"][0]["because"]["file"] == "team.yaml"


def test_the_plan_in_the_bundle_is_the_plan_that_was_reviewed(on: Bench) -> None:
    assert (on.bundle() / "plan.json").read_bytes() == (on.folder / "p.json").read_bytes()


def test_the_same_plan_is_not_applied_twice(on: Bench) -> None:
    before = len(on.patches())
    done = on.cxplan("apply", "p.json", "--json")
    assert (done.code, done.codes()) == (6, ["plan.already_applied"])
    assert len(on.patches()) == before


def test_a_second_run_follows_the_first(on: Bench) -> None:
    team = on.folder / "desired" / "team.yaml"
    team.write_text(team.read_text().replace("concurrent: 3", "concurrent: 4"))
    done = on.cxplan("apply", "--auto-approve", "--json")
    assert done.code == 0
    listed = on.cxplan("audit", "list", "--json").json["runs"]
    assert [run["sequence"] for run in listed] == [1, 2]
    assert on.cxplan("audit", "verify").code == 0
    seal = json.loads(
        (on.folder / "audit" / listed[1]["folder"] / "statement.dsse.json").read_text()
    )
    assert set(seal) == {"payload", "payloadType", "signatures"}
