"""Writing: what is sent, how often, and that every answer is stated and none is decided."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

import pytest

from cxplan.core.answers import Answer, AvailabilityEvent, Failure, SkillWrite, Write
from cxplan.core.errors import AuthError, CxplanError
from cxplan.core.ids import ETag, SkillId, WorkModeId
from cxplan.core.live import Assignment
from cxplan.tenant.connection import Limits
from cxplan.version import __version__
from tests.tenant.server import HANG_UP, RESET, Asked, answer
from tests.tenant.stage import (
    AGENT,
    EVENT,
    PATCH,
    SECRET,
    START,
    TAG,
    TOKEN,
    TOKEN_CALL,
    FakeClock,
    assert_no_canary,
    in_turn,
    seen,
    skill,
    stage,
    token_answer,
    without,
)

CHANGE = Write(AGENT, WorkModeId("wm-2"), (SkillWrite(SkillId("s1"), 5, 2),), "cxplan p1: CHG-1")
DONE = answer(
    {"workModeId": "wm-2", "skillLevels": [skill(1, level=5)]}, headers=[("ETag", '"v2"')]
)


def send(script: Any, **options: Any) -> tuple[Answer, list[Asked]]:
    """One write against a tenant that answers it by ``script``."""
    with stage({PATCH: script}, **options) as here:
        reply = here.tenant.write(CHANGE, seen())
        assert_no_canary(reply)
        return reply, [asked for asked in here.server.asked if asked.key == PATCH]


def test_the_request_is_the_one_that_the_contract_describes() -> None:
    reply, [asked] = send(DONE, clock=FakeClock())
    assert asked.header("If-Match") == TAG
    assert asked.header("Content-Type") == "application/json"
    assert asked.json == {
        "workModeId": "wm-2",
        "skillLevels": [{"skillId": "s1", "level": 5, "concurrentInteractions": 2}],
        "reason": "cxplan p1: CHG-1",
        "metadata": {"source": f"cxplan/{__version__}", "timestamp": "2026-11-22T10:00:00.000Z"},
    }
    assert reply.status == 200
    assert reply.failure is None
    assert reply.etag == '"v2"'
    assert reply.state == without(
        seen(etag='"v2"'),
        work_mode=WorkModeId("wm-2"),
        skills=(Assignment(SkillId("s1"), 5, 1, 2), Assignment(SkillId("s2"), 4, 1, 2)),
    )


def test_what_is_not_wanted_any_more_at_its_turn_never_leaves() -> None:
    with stage({PATCH: DONE}) as here:
        reply = here.tenant.write(CHANGE, seen(), lambda: False)
        assert (reply.status, reply.failure) == (None, Failure.WITHDRAWN)
        assert PATCH not in {asked.key for asked in here.server.asked}
        assert here.tenant.write(CHANGE, seen()).status == 200


def test_the_timestamp_is_that_of_sending_not_of_queueing() -> None:
    slow = answer({}, 429, headers=[("Retry-After", "40")])
    with stage({PATCH: in_turn(slow, DONE)}, clock=FakeClock()) as here:
        here.tenant.write(CHANGE, seen())
        here.tenant.write(CHANGE, seen())
    first, second = [a.json["metadata"]["timestamp"] for a in here.server.asked if a.key == PATCH]
    assert (first, second) == ("2026-11-22T10:00:00.000Z", "2026-11-22T10:00:40.000Z")


@pytest.mark.parametrize("wrong", [seen(etag=None), without(seen(), id="1002")])
def test_a_write_without_its_lock_is_never_sent(wrong: Any) -> None:
    with stage() as here, pytest.raises(CxplanError, match="needs the ETag"):
        here.tenant.write(CHANGE, wrong)
    assert here.server.asked == []


# --- statuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status", [400, 403, 404, 405, 408, 409, 410, 412, 415, 422, 428, 500, 502, 503, 504]
)
def test_a_refusal_is_stated_once_and_not_tried_again(status: int) -> None:
    reply, asked = send(answer({"error": "no", "detail": "because"}, status))
    assert (reply.status, reply.failure, reply.state) == (status, None, None)
    assert "because" in reply.detail
    assert len(asked) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:  # N22
    target = "/api/v2/agents/1002/workmodes?token=abc"
    reply, asked = send(answer(b"", status, headers=[("Location", target)]))
    assert reply.status == status
    assert "abc" not in reply.detail
    assert [a.target for a in asked] == ["/api/v2/agents/1001/workmodes"]


def test_a_redirect_names_the_origin_it_points_to() -> None:
    location = ("Location", "https://evil.example:8443/a?token=abc")
    reply, _ = send(answer(b"", 302, headers=[location]))
    assert "https://evil.example" in reply.detail
    assert "abc" not in reply.detail


@pytest.mark.parametrize(
    ("script", "status"), [(answer(b"", 204), 204), (answer(b"<accepted>", 202), 202)]
)
def test_answers_without_a_body_that_counts(script: Any, status: int) -> None:
    reply, _ = send(script)
    assert (reply.status, reply.failure, reply.state) == (status, None, None)


UNDECODABLE: list[tuple[str, Any, str]] = [
    ("html", answer(b"<html>", headers=[("Content-Type", "text/html")]), "http.content_type"),
    ("empty", answer(b""), "http.json"),
    ("not json", answer(b"{"), "http.json"),
    ("deep", answer(b"[" * 5000), "http.depth"),
    ("no mode", answer({"agentId": "1001"}), "http.shape"),
    (
        "boolean level",
        answer({"workModeId": "w", "skillLevels": [skill(1, level=True)]}),
        "http.shape",
    ),
    ("other agent", answer({"workModeId": "w", "agentId": "1002"}), "http.id_mismatch"),
    (
        "encoded",
        answer({"workModeId": "w"}, headers=[("Content-Encoding", "gzip")]),
        "http.encoding",
    ),
    (
        "large",
        answer({"workModeId": "w"}, headers=[("Content-Length", "99999999")]),
        "http.too_large",
    ),
    ("cut", [b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"wor', HANG_UP], "http.cut"),
]


@pytest.mark.parametrize(("script", "code"), [pytest.param(s, c, id=i) for i, s, c in UNDECODABLE])
def test_a_2xx_that_cannot_be_read_keeps_its_status_and_says_so(script: Any, code: str) -> None:
    reply, asked = send(script)
    assert (reply.status, reply.failure) == (200, Failure.UNDECODABLE)
    assert reply.detail.startswith(code)
    assert len(asked) == 1


def test_an_answer_without_skills_shows_no_state() -> None:
    reply, _ = send(answer({"workModeId": "wm-2"}))
    assert (reply.failure, reply.state, reply.etag) == (None, None, None)


@pytest.mark.parametrize(
    "body",
    [
        {"workModeId": "w", "errorCount": 1, "errors": ["skill s1: not allowed"]},
        {"errorCount": "1", "errors": [{"skillId": "s1", "message": "not allowed"}]},
        {
            "workModeId": "w",
            "skillLevels": [{"skillId": "s1", "success": False, "why": "not allowed"}],
        },
        {"resultSet": [{"success": "false", "error": "not allowed"}, {"success": "true"}]},
    ],
)
def test_refusals_inside_a_2xx_are_items(body: Any) -> None:
    reply, _ = send(answer(body))
    assert reply.failure is None
    assert len(reply.items) == 1
    assert "not allowed" in reply.items[0]


@pytest.mark.parametrize("body", [{"errorCount": 2}, {"success": False}])
def test_a_refusal_that_names_nothing_is_an_item_too(body: Any) -> None:
    reply, _ = send(answer({"workModeId": "w"} | body))
    assert len(reply.items) == 1


@pytest.mark.parametrize("count", [0, "0", None])
def test_no_errors_is_no_item(count: Any) -> None:
    reply, _ = send(answer({"workModeId": "w", "errorCount": count, "errors": []}))
    assert (reply.items, reply.failure) == ((), None)


# --- the wire ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ([HANG_UP], "http.cut"),
        ([RESET], "http.cut"),
        ([b"HTTP/1.1 200 OK\r\nContent-", HANG_UP], "http."),
        ([b"garbage\r\n\r\n", HANG_UP], "http.protocol"),
        ([b"HTTP/1.1 103 Early Hints\r\n\r\n", HANG_UP], "http.protocol"),
        ([5.0], "http.deadline"),
    ],
)
def test_a_lost_answer_is_lost_and_not_sent_again(script: Any, code: str) -> None:
    reply, asked = send(script, limits=Limits(exchange=0.5))
    assert reply.failure is Failure.LOST
    assert reply.detail.startswith(code)
    assert len(asked) == 1


def test_nothing_was_sent_where_nobody_listens() -> None:
    with stage(api_url="http://127.0.0.1:1") as here:
        reply = here.tenant.write(CHANGE, seen())
    assert (reply.status, reply.failure) == (None, Failure.NOT_SENT)
    assert reply.detail.startswith("http.unreachable")
    assert [asked.key for asked in here.server.asked] == [TOKEN_CALL]


def test_the_latency_leaves_out_the_wait_for_a_turn() -> None:
    with stage({PATCH: DONE}, clock=FakeClock()) as here:
        for _ in range(3):
            assert here.tenant.write(CHANGE, seen()).latency_ms == 0
        assert sum(here.clock.sleeps) == pytest.approx(0.42)


def test_a_connection_that_the_tenant_closed_during_the_wait_is_opened_anew() -> None:
    with stage({PATCH: DONE}) as here:
        here.tenant.connect(write=True)

        def idle_timeout() -> None:
            here.server.drop_connections()
            threading.Event().wait(0.2)

        here.clock.meanwhile = idle_timeout
        assert [here.tenant.write(CHANGE, seen()).status for _ in range(3)] == [200, 200, 200]
        assert here.server.connections == 3
    assert here.server.count(PATCH) == 3


# --- tokens -----------------------------------------------------------------------------------


def test_a_401_is_sent_once_more_with_the_same_lock() -> None:
    with stage(
        {
            PATCH: in_turn(answer({}, 401), DONE),
            TOKEN_CALL: in_turn(token_answer(), token_answer("fresh")),
        }
    ) as here:
        assert here.tenant.write(CHANGE, seen()).status == 200
    first, second = [asked for asked in here.server.asked if asked.key == PATCH]
    assert first.header("Authorization") == f"Bearer {TOKEN}"
    assert second.header("Authorization") == "Bearer fresh"
    assert first.header("If-Match") == second.header("If-Match") == TAG


def test_a_second_401_ends_the_run() -> None:
    with stage({PATCH: answer({}, 401)}) as here:
        with pytest.raises(AuthError) as caught:
            here.tenant.write(CHANGE, seen())
        assert_no_canary(caught.value)
    assert here.server.count(PATCH) == 2


def test_without_a_token_nothing_was_sent() -> None:
    down = answer({}, 503)
    with stage({TOKEN_CALL: down}) as here:
        reply = here.tenant.write(CHANGE, seen())
        assert (reply.status, reply.failure) == (None, Failure.NOT_SENT)
        assert reply.detail.startswith("http.unavailable")
    assert here.server.count(PATCH) == 0
    with stage({TOKEN_CALL: in_turn(token_answer(), down), PATCH: answer({}, 401)}) as here:
        assert here.tenant.write(CHANGE, seen()).failure is Failure.NOT_SENT
    assert here.server.count(PATCH) == 1


# --- 429 --------------------------------------------------------------------------------------


def throttled(*headers: tuple[str, str | bytes]) -> Any:
    return answer({}, 429, headers=headers)


@pytest.mark.parametrize(
    ("value", "pause"),
    [
        pytest.param("3", 3, id="seconds"),
        pytest.param("Sun, 22 Nov 2026 10:00:30 GMT", 30, id="date"),
        pytest.param("Sun, 22 Nov 2026 09:00:00 GMT", 0, id="past"),
        pytest.param("abc", 1, id="H41"),
        pytest.param("1.5", 1, id="H42"),
        pytest.param("-5", 1, id="H43"),
        pytest.param("", 1, id="H44"),
        pytest.param("Sun, 22 Nov 2026 10:00:30", 1, id="H45"),
        pytest.param("Sunday, 22-Nov-26 10:00:30 GMT", 1, id="H46"),
        pytest.param("1, 60", 1, id="H47"),
        pytest.param("\u0663".encode(), 1, id="H48"),
        pytest.param(None, 1, id="missing"),
    ],
)
def test_a_429_pauses_the_whole_tenant_before_the_next_write(value: Any, pause: float) -> None:
    headers = [] if value is None else [("Retry-After", value)]
    with stage({PATCH: in_turn(throttled(*headers), DONE)}, clock=FakeClock()) as here:
        reply = here.tenant.write(CHANGE, seen())
        assert reply.status == 429
        assert reply.retry_after == (None if pause == 1 else pause)
        here.tenant.agent(AGENT)
        assert sum(here.clock.sleeps) == pytest.approx(pause)  # reads pause too
        assert here.tenant.write(CHANGE, seen()).status == 200
        assert sum(here.clock.sleeps) == pytest.approx(max(pause, 0.21))


def test_two_retry_after_headers_are_none() -> None:
    reply, _ = send(throttled(("Retry-After", "1"), ("Retry-After", "60")))
    assert reply.retry_after is None


def test_a_pause_over_a_minute_is_stated_and_nothing_more_is_sent() -> None:
    with stage({PATCH: throttled(("Retry-After", "3600"))}, clock=FakeClock()) as here:
        assert here.tenant.write(CHANGE, seen()).retry_after == 3600
        held = here.tenant.write(CHANGE, seen())
        assert (held.status, held.failure, held.retry_after) == (None, Failure.NOT_SENT, 3600)
        assert here.clock.sleeps == []
    assert here.server.count(PATCH) == 1


@pytest.mark.parametrize("value", ["9" * 12, "9" * 21])
def test_an_absurd_pause_is_cut_or_ignored(value: str) -> None:
    reply, _ = send(throttled(("Retry-After", value)), clock=FakeClock())
    assert reply.retry_after in {None, 366 * 86_400.0}


def test_three_in_a_row_halve_the_rate() -> None:
    three = [throttled(("Retry-After", "0"))] * 3
    with stage({PATCH: in_turn(*three, DONE)}, clock=FakeClock()) as here:
        for _ in range(5):
            here.tenant.write(CHANGE, seen())
        assert here.clock.sleeps == pytest.approx([0.21, 0.21, 0.42, 0.42])


def test_another_answer_breaks_the_row() -> None:
    slow = throttled(("Retry-After", "0"))
    with stage({PATCH: in_turn(slow, slow, DONE, slow, slow, DONE)}, clock=FakeClock()) as here:
        for _ in range(6):
            here.tenant.write(CHANGE, seen())
        assert here.clock.sleeps == pytest.approx([0.21] * 5)


def test_a_503_with_retry_after_pauses_without_touching_the_rate() -> None:
    fault = answer({}, 503, headers=[("Retry-After", "2")])
    with stage({PATCH: in_turn(fault, DONE)}, clock=FakeClock()) as here:
        assert here.tenant.write(CHANGE, seen()).retry_after == 2
        here.tenant.agent(AGENT)  # the read-back waits too
        assert here.clock.sleeps == [2]
        here.tenant.write(CHANGE, seen())
        here.tenant.write(CHANGE, seen())
        assert here.clock.sleeps == pytest.approx([2, 0.21])


# --- what records may hold --------------------------------------------------------------------


def test_only_harmless_headers_are_kept_and_they_print() -> None:
    reply, _ = send(
        answer(
            {},
            422,
            headers=[
                ("Date", "Sun, 22 Nov 2026 10:00:30 GMT"),
                ("X-Request-Id", f"r\x1b[31m-1 {TOKEN}"),
                ("Set-Cookie", "session=CXCANARY"),
                ("WWW-Authenticate", f"Bearer realm={TOKEN}"),
                ("ETag", '"' + "x" * 5000 + '"'),
            ],
        )
    )
    kept = dict(reply.headers)
    assert set(kept) == {"date", "x-request-id", "etag", "content-type"}
    assert kept["x-request-id"] == "r\\u{1b}[31m-1 ***"
    assert len(kept["etag"]) == 256


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        pytest.param(
            {"type": "https://evil.example/p", "detail": "\x1b]0;x\x07"},
            "https://evil.example/p",
            id="H51",
        ),
        pytest.param({"detail": "CXCANARY token=abc", "why": "shown"}, "shown", id="H52"),
        pytest.param({"detail": f"client {SECRET}, bearer {TOKEN}"}, "***", id="ours"),
        pytest.param({"client_secret": "hunter2hunter2", "why": "shown"}, "shown", id="named"),
        pytest.param(f"<p>Authorization: Bearer {TOKEN}</p> shown".encode(), "shown", id="html"),
        pytest.param(b"a\x00b\x1b[2J\xff\xe2\x80\xae shown", "shown", id="bytes"),
    ],
)
def test_what_the_tenant_says_is_shown_without_secrets_or_controls(body: Any, shown: str) -> None:
    reply, _ = send(answer(body, 422))
    assert shown in reply.detail
    assert reply.detail.isprintable()
    for hidden in ("CXCANARY", "abc", "hunter2", SECRET, TOKEN):
        assert hidden not in reply.detail


def test_an_escaped_secret_is_found_too() -> None:
    escaped = "".join(f"\\u{ord(c):04x}" for c in SECRET)
    reply, _ = send(answer(f'{{"detail": "{escaped} shown"}}'.encode(), 400))
    assert "shown" in reply.detail
    assert_no_canary(reply)


def test_a_long_refusal_is_cut_at_two_kibibytes() -> None:
    reply, _ = send(answer({"detail": "ä lot of words " * 5000}, 500))
    assert 1500 < len(reply.detail.encode()) <= 2048


def test_items_are_as_safe_as_details() -> None:
    reply, _ = send(answer({"workModeId": "w", "errors": [f"token={TOKEN}\x1b" + "x y " * 500]}))
    [item] = reply.items
    assert item.isprintable()
    assert len(item) <= 256
    assert_no_canary(item)


# --- events -----------------------------------------------------------------------------------


def test_an_event_holds_both_states_whole() -> None:
    event = AvailabilityEvent(
        AGENT,
        seen(skills=[Assignment(SkillId("s1"), 3, 1, 2)]),
        seen(etag='"v2"', skills=[Assignment(SkillId("s1"), 5, None)]),
    )
    with stage() as here:
        reply = here.tenant.publish(event, START)
    assert (reply.status, reply.failure) == (202, None)
    [asked] = [asked for asked in here.server.asked if asked.key == EVENT]
    assert asked.json == {
        "eventType": "agent.availability.changed",
        "data": {
            "agentId": "1001",
            "previousState": {
                "workModeId": "wm-1",
                "skills": [{"skillId": "s1", "level": 3, "concurrentInteractions": 1}],
                "eTag": TAG,
            },
            "newState": {
                "workModeId": "wm-1",
                "skills": [{"skillId": "s1", "level": 5, "concurrentInteractions": None}],
                "eTag": '"v2"',
            },
            "syncTimestamp": "2026-11-22T10:00:00.000Z",
        },
    }


@pytest.mark.parametrize(
    ("script", "status", "failure"),
    [
        (answer({}, 429, headers=[("Retry-After", "9")]), 429, None),
        (answer({}, 503), 503, None),
        (answer({}, 400), 400, None),
        (answer(b"<html>ok</html>", 200, headers=[("Content-Type", "text/html")]), 200, None),
        ([HANG_UP], None, Failure.LOST),
    ],
)
def test_an_event_that_is_not_taken_is_stated_and_holds_nobody_up(
    script: Any, status: int | None, failure: Failure | None
) -> None:
    with stage({EVENT: script}, clock=FakeClock()) as here:
        reply = here.tenant.publish(AvailabilityEvent(AGENT, seen(), seen()), START)
        assert (reply.status, reply.failure) == (status, failure)
        assert here.tenant.write(CHANGE, seen()).status == 200
        assert here.clock.sleeps == []
    assert here.server.count(EVENT) == 1


def test_bodies_are_utf_8_json() -> None:
    with stage() as here:
        here.tenant.write(without(CHANGE, reason="für später ✓"), seen())
    [asked] = [asked for asked in here.server.asked if asked.key == PATCH]
    assert json.loads(asked.body.decode("utf-8"))["reason"] == "für später ✓"
    assert re.fullmatch(r"\d+", asked.header("Content-Length") or "")
    assert ETag(asked.header("If-Match") or "") == TAG
