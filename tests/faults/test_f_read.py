"""F-09 … F-11, F-27 … F-29, F-31: what stands at the tenant when it is read, and how it reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cxplan.simulator.rules import Rule
from tests.faults.scene import Scene, agent, header, ids, read, scene

Capture = pytest.CaptureFixture[str]
SKILLS = f"{read(1)}/skills"
LISTING = "/api/v2/skills"


# --- before the write: what the plan found, and what is there now -----------------------------


def test_f_09_an_agent_that_is_gone(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys, Rule("GET", read(1), status=404)) as on:
        ran = on.apply(code=5)
        assert ran.bundle.counts == {"applied": 2, "conflict": 1, "deferred": 1}
        record = ran.record(1)
        assert record["message"].startswith("agent.notFound")
        assert record["previousState"] == ran.planned(1)["before"]
        assert ran.sent(1) == []


def test_f_09_all_are_gone(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys, Rule("GET", "/api/v2/agents/*", status=404)) as on:
        ran = on.apply(code=6)
        assert ran.bundle.counts == {"conflict": 3, "deferred": 1}
        assert ran.log.patches == []


@pytest.mark.parametrize(
    ("moved", "code"), [((1,), 5), ((1, 2, 3), 6)], ids=["F-10 one", "F-10 everybody"]
)
def test_a_planned_value_was_changed(
    tmp_path: Path, capsys: Capture, moved: tuple[int, ...], code: int
) -> None:
    with scene(tmp_path, capsys) as on:
        tags = {n: on.world.foreign_change(agent(n), skill="s-voice", level=9).etag for n in moved}
        ran = on.apply(code=code)
        for number, tag in tags.items():
            assert ran.sent(number) == []
            record = ran.record(number)
            assert (record["outcome"], record["attribution"]) == ("conflict", None)
            assert record["conflict"] == [
                {"path": "skills/voice/level", "plannedBefore": 5, "current": 9, "desired": 3}
            ]
            assert (record["etagBefore"], record["etagAfter"]) == (ran.planned(number)["etag"], tag)
        assert len(ran.log.patches) == 3 - len(moved)


ELSEWHERE: list[tuple[str, dict[str, Any]]] = [
    ("F-10a tag", {"touch": True}),
    ("F-10a another skill", {"skill": "s-chat", "level": 9}),
    ("F-10a work mode", {"work_mode": "m-training"}),
]


@pytest.mark.parametrize("change", [row[1] for row in ELSEWHERE], ids=ids(ELSEWHERE))
def test_only_the_tag_or_other_values_moved(
    tmp_path: Path, capsys: Capture, change: dict[str, Any]
) -> None:
    with scene(tmp_path, capsys) as on:
        fresh = on.world.foreign_change(agent(1), **change).etag
        ran = on.apply(code=0)
        (patch,) = ran.sent(1)
        assert patch.if_match == fresh
        assert ran.bundle.one("agent.intent", agent(1))["ifMatch"] == fresh
        assert ran.planned(1)["etag"] != fresh
        assert ran.record(1)["attribution"] == "own"


def test_f_11_already_as_desired(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys) as on:
        there = on.world.foreign_change(agent(1), skill="s-voice", level=3).etag
        ran = on.apply(code=0)
        assert ran.bundle.counts == {"applied": 2, "alreadyThere": 1, "deferred": 1}
        assert ran.record(1)["etagBefore"] == there
        assert ran.sent(1) == []


# --- how it reads -----------------------------------------------------------------------------


def test_f_27_no_content_is_an_empty_list(tmp_path: Path, capsys: Capture) -> None:
    """Who holds no skill is given one; that is the same before the plan and before the write."""
    with scene(tmp_path, capsys) as on:
        on.rules(Rule("GET", SKILLS, status=204))
        on.plan()
        ran = on.apply(code=0)
        assert ran.planned(1)["before"]["skills"] == []
        assert ran.outcome(1) == "applied"


BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("F-28 partial content", {"status": 206, "commit": True}),
    ("F-28 cut off", {"commit": True, "cut_after": 40}),
    ("F-28 total", {"merge": {"total": 99}}),
    ("F-29 twice", {"merge": {"entities": [{"skillId": "s-voice", "name": "x"}] * 2}}),
]


@pytest.mark.parametrize("how", [row[1] for row in BROKEN], ids=ids(BROKEN))
def test_a_list_of_one_agent_that_is_not_whole(
    tmp_path: Path, capsys: Capture, how: dict[str, Any]
) -> None:
    with scene(tmp_path, capsys, Rule("GET", SKILLS, **how)) as on:
        ran = on.apply(code=10)
        assert ran.bundle.counts == {"applied": 2, "unread": 1, "deferred": 1}
        assert ran.sent(1) == []


@pytest.mark.parametrize("how", [row[1] for row in BROKEN], ids=ids(BROKEN))
def test_a_list_of_the_tenant_that_is_not_whole(
    tmp_path: Path, capsys: Capture, how: dict[str, Any]
) -> None:
    with scene(tmp_path, capsys, Rule("GET", LISTING, **how)) as on:
        on.refused(code=10)


def moving(on: Scene, times: int | None) -> None:
    """Let the skills of an agent move between two pages: one comes twice."""
    held = {"skillId": "s-voice", "level": 5, "concurrentInteractions": 1}
    page = {"entities": [held | {"maximumConcurrentInteractions": 1}] * 2}
    on.rules(Rule("GET", SKILLS, times=times, merge=page))


def test_f_29_a_list_that_moves_once_is_read_again(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys) as on:
        moving(on, 1)
        ran = on.apply(code=0)
        assert len([r for r in ran.log.requests if r.path == SKILLS]) == 2


def test_f_29_a_list_that_keeps_moving_is_given_up(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys) as on:
        moving(on, None)
        ran = on.apply(code=10)
        assert ran.outcome(1) == "unread"
        assert "s-voice" in ran.record(1)["message"]
        assert len([r for r in ran.log.requests if r.path == SKILLS]) == 2


TAGS = [("F-31 none", ()), ("F-31 weak", ('W/"1"',))]


@pytest.mark.parametrize("tag", [row[1] for row in TAGS], ids=ids(TAGS))
def test_no_tag_to_lock_with(tmp_path: Path, capsys: Capture, tag: tuple[str, ...]) -> None:
    with scene(tmp_path, capsys, Rule("GET", read(1), headers=header("ETag", *tag))) as on:
        ran = on.apply(code=4)
        assert ran.bundle.counts == {"applied": 2, "blocked": 1, "deferred": 1}
        assert "lock.noStrongEtag" in json.dumps(ran.record(1)["validation"])
        assert ran.sent(1) == []
        planned = on.on.cxplan("plan", "--json")
        assert planned.code == 4
        (mine,) = [a for a in planned.json["agents"] if a["agent"]["id"] == agent(1)]
        assert mine["status"] == "blocked"
