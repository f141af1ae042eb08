"""A plan from a snapshot: no credential, no network, the same meaning, never applied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.kit import Bench, bench, random_files, random_tenant
from tests.cli.offline import TRIED, run_offline
from tests.cli.small import planned, small


def offline(on: Bench, *arguments: str) -> Any:
    """Run plan where there is neither a network nor any variable."""
    done = run_offline(["plan", "--json", *arguments], on.folder, {})
    assert done.returncode != TRIED, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_means_the_same_as_live_where_nothing_moved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    spec = random_tenant(40, seed)
    with bench(tmp_path, spec, capsys) as on:
        on.write(random_files(spec, seed))
        assert on.cxplan("snapshot", "-o", "tenant.jsonl").code == 0
        live = on.cxplan("plan", "--json").json
        there = offline(on, "--snapshot", "tenant.jsonl", "--at", live["evaluatedAt"])
    assert live["summary"]["changes"] > 0
    assert there["semanticDigest"] == live["semanticDigest"]
    assert there["summary"] == live["summary"]
    assert [agent["etag"] for agent in there["agents"]] == [a["etag"] for a in live["agents"]]


def test_what_moved_since_is_another_meaning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        assert on.cxplan("snapshot", "-o", "tenant.jsonl").code == 0
        on.simulator.world.foreign_change("agent-1", skill="s-voice", level=3)
        live = on.cxplan("plan", "--json").json
        there = offline(on, "--snapshot", "tenant.jsonl")
    assert there["semanticDigest"] != live["semanticDigest"]
    assert (there["summary"]["changes"], live["summary"]["changes"]) == (3, 2)


def test_it_tells_its_age_and_is_never_applied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        planned(on)
        assert on.cxplan("snapshot", "-o", "tenant.jsonl").code == 0
        done = on.cxplan("plan", "--snapshot", "tenant.jsonl", "-o", "s.json")
        assert done.code == 0
        assert "(a snapshot, less than a minute old)" in done.out
        assert "this plan can be shown, not applied" in done.out
        assert "cxplan show s.json" in done.err
        refused = on.cxplan("apply", "s.json", "--json")
        assert (refused.code, refused.codes()) == (9, ["plan.onlyShown"])
        assert not on.patches()
