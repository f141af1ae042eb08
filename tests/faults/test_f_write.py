"""F-07 … F-08, F-13 … F-17, F-19, F-25, F-26, F-32, F-35, F-39: one write and what came of it."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cxplan.simulator.options import Options
from cxplan.simulator.rules import Foreign, Moment, Rule
from tests.bad.conditions import MARK
from tests.faults.scene import ANY, Ran, agent, header, ids, nightly, read, scene, write

Capture = pytest.CaptureFixture[str]


def again_with_the_same_tag(ran: Ran, number: int) -> None:
    """An agent was written to twice, and both times against the same state."""
    first, second = ran.sent(number)
    assert first.if_match == second.if_match
    assert [line["ifMatch"] for line in ran.attempts(number)] == [first.if_match] * 2


# --- refused ----------------------------------------------------------------------------------


def test_f_07_one_agent_is_forbidden(tmp_path: Path, capsys: Capture) -> None:
    body = json.dumps({"title": "Forbidden", "detail": f"not this one; token={MARK}"})
    with scene(tmp_path, capsys, Rule("PATCH", write(2), status=403, body=body)) as on:
        ran = on.apply(code=5)
        assert ran.bundle.counts == {"applied": 2, "rejected": 1, "deferred": 1}
        assert "403" in ran.record(2)["message"]
        (attempt,) = ran.attempts(2)
        assert (attempt["status"], ran.record(2)["apiResponse"]["status"]) == (403, 403)
        assert "Forbidden" in attempt["detail"]
        assert MARK not in json.dumps(attempt)


def test_f_08_the_first_writes_are_all_forbidden(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys, Rule("PATCH", ANY, status=403), agents=20) as on:
        ran = on.apply(code=7)
        assert "forbidden" in ran.bundle.lines[-1]["stopped"]
        assert 3 <= len(ran.log.patches) <= 10
        assert ran.bundle.counts["notAttempted"] == 20 - len(ran.log.patches)
        assert "Agent Management" in ran.done.out


HALF: list[tuple[str, dict[str, Any]]] = [
    ("F-25 errorCount", {"errorCount": 1, "errors": [{"skillId": "s-voice", "message": "no"}]}),
    ("F-25 one item", {"skillLevels": [{"skillId": "s-voice", "success": False, "error": "no"}]}),
]


@pytest.mark.parametrize("items", [row[1] for row in HALF], ids=ids(HALF))
def test_a_success_that_refuses_an_item(
    tmp_path: Path, capsys: Capture, items: dict[str, Any]
) -> None:
    body = json.dumps({"agentId": agent(1), "workModeId": "m-available"} | items)
    with scene(tmp_path, capsys, Rule("PATCH", write(1), body=body)) as on:
        ran = on.apply(code=5)
        assert ran.bundle.counts == {"applied": 2, "rejected": 1, "deferred": 1}
        assert "no" in ran.record(1)["message"]
        assert len(ran.sent(1)) == 1


def test_f_39_a_redirect(tmp_path: Path, capsys: Capture) -> None:
    where = header("Location", f"https://user:{MARK}@evil.example:8443/{MARK}?{MARK}")
    with scene(tmp_path, capsys, Rule("PATCH", ANY, status=307, headers=where), agents=20) as on:
        ran = on.apply(code=10)
        assert "redirects" in ran.bundle.lines[-1]["stopped"]
        assert ran.bundle.counts["failed"] == len(ran.log.patches) <= 10
        details = {line["detail"] for line in ran.bundle.kind("agent.attempt")}
        assert details == {"The tenant answers 307 and points to https://evil.example:8443."}


# --- somebody else writes ---------------------------------------------------------------------

BETWEEN: list[tuple[str, dict[str, Any], str, int, list[int]]] = [
    ("F-13 another skill", {"skill": "s-chat", "level": 9}, "applied", 0, [1, 0]),
    ("F-13 the planned value", {"skill": "s-voice", "level": 9}, "conflict", 5, [1]),
    ("F-13 the same change", {"skill": "s-voice", "level": 3}, "alreadyThere", 0, [1]),
]


@pytest.mark.parametrize(
    ("change", "outcome", "code", "refused", "status"),
    [
        *(pytest.param(*row[1:], 412, id=f"{row[0]} 412") for row in BETWEEN),
        *(nightly(*row[1:], 409, id=f"{row[0]} 409") for row in BETWEEN[1:]),
        pytest.param(*BETWEEN[0][1:], 409, id="F-13 another skill 409"),
    ],
)
def test_somebody_writes_between_our_read_and_our_write(
    tmp_path: Path,
    capsys: Capture,
    change: dict[str, Any],
    outcome: str,
    code: int,
    refused: list[int],
    status: int,
) -> None:
    rule = Rule("PATCH", write(1), times=1, foreign=Foreign(**change))
    options = Options(patches_per_second=10_000, conflict_status=status)
    with scene(tmp_path, capsys, rule, options=options) as on:
        ran = on.apply(code=code)
        assert ran.outcome(1) == outcome
        assert [p.status for p in ran.sent(1)] == [status if no else 200 for no in refused]
        first = ran.attempts(1)[0]
        assert first["status"] == status
        assert "precondition_failed" in first["detail"]
        assert first["ifMatch"] == ran.planned(1)["etag"]
        tags = [line["ifMatch"] for line in ran.bundle.kind("agent.intent", agent(1))]
        assert len(set(tags)) == len(tags) == len(refused)
        assert ran.record(1)["etagAfter"] not in tags[:1]


def test_f_13_somebody_who_never_stops_writing(tmp_path: Path, capsys: Capture) -> None:
    storm = Rule("PATCH", ANY, foreign=Foreign(touch=True))
    with scene(tmp_path, capsys, storm) as on:
        ran = on.apply(code=6)
        assert ran.bundle.counts == {"conflict": 3, "deferred": 1}
        tries = ran.sent(1)
        assert [p.status for p in tries] == [412] * 3
        assert len({p.if_match for p in tries}) == 3
        assert all(later.at_ms - earlier.at_ms >= 200 for earlier, later in pairwise(tries))


# --- the answer is lost -----------------------------------------------------------------------

LOST: list[tuple[str, dict[str, Any], str]] = [
    ("F-14 RST", {"reset": Moment.AFTER}, "lost"),
    ("F-14 FIN", {"close": Moment.AFTER}, "lost"),
    ("F-14 cut off", {"commit": True, "cut_after": 5}, "undecodable"),
    ("F-14 not JSON", {"commit": True, "body": "<html>"}, "undecodable"),
    ("F-19 500", {"commit": True, "status": 500}, "500"),
    ("F-19 502", {"commit": True, "status": 502}, "502"),
    ("F-19 504", {"commit": True, "status": 504}, "504"),
    ("F-35 dripping", {"commit": True, "drip_ms": 100}, "undecodable"),
]


@pytest.mark.parametrize(("how", "told"), [row[1:] for row in LOST], ids=ids(LOST))
def test_applied_and_the_answer_lost(
    tmp_path: Path, capsys: Capture, how: dict[str, Any], told: str
) -> None:
    haste = 100 if "drip_ms" in how else 20
    with scene(tmp_path, capsys, Rule("PATCH", write(1), times=1, **how), haste=haste) as on:
        ran = on.apply(code=0)
        assert ran.bundle.counts == {"applied": 2, "converged": 1, "deferred": 1}
        assert len(ran.sent(1)) == len(ran.log.own[agent(1)]) == 1
        (attempt,) = ran.attempts(1)
        assert told in {attempt["failure"], str(attempt["status"])}
        assert attempt["detail"]
        back = ran.bundle.one("read.back", agent(1))
        record = ran.record(1)
        assert (back["read"], back["etag"]) == (record["newState"], record["etagAfter"])
        assert record["attribution"] == "unproven"
        assert ran.log.events[agent(1)] == 1


def test_f_35_the_deadline_is_named(tmp_path: Path, capsys: Capture) -> None:
    rule = Rule("PATCH", write(1), times=1, commit=True, drip_ms=100)
    with scene(tmp_path, capsys, rule, haste=100) as on:
        (attempt,) = on.apply(code=0).attempts(1)
        assert attempt["detail"].startswith("http.deadline")
        assert 30_000 <= attempt["latencyMs"] < 60_000


@pytest.mark.nightly
def test_f_35_a_body_that_stalls(tmp_path: Path, capsys: Capture) -> None:
    """The socket itself waits for all of the 30 s, in real time."""
    rule = Rule("PATCH", write(1), times=1, commit=True, delay_ms=45_000)
    with scene(tmp_path, capsys, rule, haste=1) as on:
        ran = on.apply(code=0)
        assert ran.outcome(1) == "converged"
        (attempt,) = ran.attempts(1)
        assert attempt["detail"].startswith("http.deadline")
        assert 29_000 <= attempt["latencyMs"] <= 35_000


def test_f_35_a_read_that_drips(tmp_path: Path, capsys: Capture) -> None:
    """A read takes 60 s at most, and is done three times; then the agent is unread."""
    with scene(tmp_path, capsys, Rule("GET", read(1), drip_ms=100), haste=200) as on:
        ran = on.apply(code=10)
        assert ran.outcome(1) == "unread"
        assert "did not come in time" in ran.record(1)["message"]


NOT_APPLIED: list[tuple[str, dict[str, Any]]] = [
    ("F-15 RST", {"reset": Moment.BEFORE}),
    ("F-15 FIN", {"close": Moment.BEFORE}),
    ("F-15 500", {"status": 500}),
]


@pytest.mark.parametrize("how", [row[1] for row in NOT_APPLIED], ids=ids(NOT_APPLIED))
def test_not_applied_and_the_connection_lost(
    tmp_path: Path, capsys: Capture, how: dict[str, Any]
) -> None:
    with scene(tmp_path, capsys, Rule("PATCH", write(1), times=1, **how)) as on:
        ran = on.apply(code=0)
        assert ran.bundle.counts == {"applied": 3, "deferred": 1}
        again_with_the_same_tag(ran, 1)
        back = ran.bundle.one("read.back", agent(1))
        assert back["etag"] == ran.attempts(1)[0]["ifMatch"]
        assert ran.record(1)["metrics"]["attempts"] == 2
        assert ran.record(1)["attribution"] == "own"


def test_f_14_the_change_shows_between_the_tag_and_the_values(
    tmp_path: Path, capsys: Capture
) -> None:
    """A read back is of one state: what is recorded as new stood there under the tag beside it."""
    same = Foreign(skill="s-voice", level=3)
    with scene(tmp_path, capsys) as on:
        on.rules(Rule("PATCH", write(1), times=1, reset=Moment.BEFORE))
        on.rules(Rule("GET", f"{read(1)}/skills", first=2, times=1, foreign=same))
        ran = on.apply(code=0)
        assert ran.outcome(1) == "converged"
        held = on.world.agent(agent(1))
        assert held is not None
        assert ran.record(1)["etagAfter"] == held.etag != ran.attempts(1)[0]["ifMatch"]


def test_f_16_lost_and_then_somebody_elses_edit(tmp_path: Path, capsys: Capture) -> None:
    edit = Foreign(skill="s-voice", level=9)
    rule = Rule("PATCH", write(1), times=1, reset=Moment.AFTER, foreign_after=edit)
    with scene(tmp_path, capsys, rule) as on:
        ran = on.apply(code=11)
        assert ran.bundle.counts == {"applied": 2, "unknown": 1, "deferred": 1}
        assert len(ran.sent(1)) == 1
        intent, back = (ran.bundle.one(k, agent(1)) for k in ("agent.intent", "read.back"))
        images = [intent["before"]["skills"], intent["desired"]["skills"], back["read"]["skills"]]
        found = [
            skill["level"] for image in images for skill in image if skill["skillId"] == "s-voice"
        ]
        assert found == [5, 3, 9]
        assert len({intent["ifMatch"], back["etag"], ran.log.own[agent(1)][0].after.etag}) == 3


def test_f_17_lost_and_no_read_back(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys) as on:
        on.rules(Rule("PATCH", write(1), times=1, reset=Moment.AFTER))
        on.rules(Rule("GET", read(1), first=2, status=503))
        ran = on.apply(code=11)
        assert ran.bundle.counts == {"applied": 2, "unknown": 1, "deferred": 1}
        assert ran.record(1)["metrics"]["attempts"] == len(ran.sent(1)) == 1
        back = ran.bundle.one("read.back", agent(1))
        assert (back["read"], back["etag"]) == (None, None)
        assert "503" in back["unread"]


# --- accepted, or answered without a tag ------------------------------------------------------


@pytest.mark.parametrize(
    ("lands", "code", "outcome"),
    [(100, 0, "converged"), (None, 11, "unknown")],
    ids=["F-26 made later", "F-26 never made"],
)
def test_accepted(
    tmp_path: Path, capsys: Capture, lands: int | None, code: int, outcome: str
) -> None:
    rule = Rule("PATCH", write(1), times=1, status=202, commit_delay_ms=lands)
    with scene(tmp_path, capsys, rule, haste=100) as on:
        ran = on.apply(code=code)
        assert ran.outcome(1) == outcome
        assert len(ran.sent(1)) == 1
        polls = ran.bundle.kind("read.back", agent(1))
        assert all("accepted" in poll["why"] for poll in polls)
        assert len(polls) >= (4 if lands is None else 1)


def test_f_32_an_answer_without_a_tag(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys, Rule("PATCH", write(1), headers=header("ETag"))) as on:
        ran = on.apply(code=0)
        assert ran.bundle.counts == {"applied": 3, "deferred": 1}
        assert ran.record(1)["etagAfter"] == ran.log.own[agent(1)][0].after.etag
        assert len([r for r in ran.log.requests if r.path == read(1)]) == 2
