"""Every fault as a client sees it on the wire, and what it leaves on the tenant."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

import pytest

from cxplan.simulator.options import Options
from cxplan.simulator.records import Actor
from tests.simulator.kit import Client, Got, event, running, update

AGENT = "/api/v2/agents/a1"
SKILLS = f"{AGENT}/skills"
READ = {"method": "GET", "path": AGENT}
WRITE = {"method": "PATCH", "path": "/api/v2/agents/*/workmodes"}


def changes(client: Client) -> list[str]:
    return [change.actor.value for change in client.simulator.world.changes()]


def statuses(client: Client, method: str) -> list[int | None]:
    return [r.status for r in client.simulator.world.requests() if r.method == method]


def read(fault: dict[str, Any], path: str = AGENT) -> Got:
    """Return the first answer that the fault spoils; the one after it must be sound."""
    with running({"method": "GET", "path": path, "nth": 1} | fault) as client:
        spoiled = client.get(path)
        assert client.get(path).status == 200
        return spoiled


def test_a_status_replaces_the_handler() -> None:
    with running(WRITE | {"nth": 1, "status": 503, "headers": {"Retry-After": "2"}}) as client:
        tag = client.etag("a1")
        got = client.patch("a1", tag=tag)
        assert (got.status, got.error, got.headers["Retry-After"]) == (503, "fault", "2")
        assert changes(client) == []
        assert client.patch("a1", tag=tag).status == 200


@pytest.mark.parametrize("status", [500, 502, 504])
def test_an_error_after_the_commit(status: int) -> None:
    with running(WRITE | {"nth": 1, "status": status, "commit": True}) as client:
        tag = client.etag("a1")
        got = client.patch("a1", tag=tag)
        assert (got.status, got.headers["ETag"], got.error) == (status, None, "fault")
        assert changes(client) == ["api"]
        assert client.etag("a1") != tag


def test_accepted_after_the_commit_keeps_the_body_of_the_handler() -> None:
    with running(WRITE | {"status": 202, "commit": True}) as client:
        got = client.patch("a1", update("m2"))
        assert (got.status, got.json["workModeId"]) == (202, "m2")
        assert got.etag == client.etag("a1")


def test_accepted_now_and_done_later_in_one_place_of_the_rate_window() -> None:
    fault = WRITE | {"nth": 1, "status": 202, "commitDelayMs": 50}
    with running(fault, options=Options(patches_per_second=1)) as client:
        got = client.patch("a1", update("m2"))
        assert (got.status, got.body) == (202, b"")
        deadline = time.monotonic() + 10
        while not changes(client) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert changes(client) == ["api"]
        assert client.get(AGENT).json["currentWorkMode"]["id"] == "m2"


def test_a_late_commit_still_honours_the_lock() -> None:
    late = {"nth": 1, "close": "before", "commitDelayMs": 20, "foreignAfter": {"touch": True}}
    with running(WRITE | late) as client:
        with pytest.raises(http.client.RemoteDisconnected):
            client.patch("a1")
        time.sleep(0.3)
        assert changes(client) == ["foreign"]


@pytest.mark.parametrize(("moment", "committed"), [("before", []), ("after", ["api"])])
def test_a_reset_is_a_reset_on_either_side_of_the_commit(moment: str, committed: list[str]) -> None:
    with running(WRITE | {"nth": 1, "reset": moment}) as client:
        with pytest.raises(ConnectionResetError) as caught:
            client.patch("a1")
        assert not isinstance(caught.value, http.client.RemoteDisconnected)
        assert changes(client) == committed
        assert statuses(client, "PATCH") == [None]


@pytest.mark.parametrize(("moment", "committed"), [("before", []), ("after", ["api"])])
def test_a_close_ends_the_connection_without_a_byte(moment: str, committed: list[str]) -> None:
    with running(WRITE | {"nth": 1, "close": moment}) as client:
        with pytest.raises(http.client.RemoteDisconnected):
            client.patch("a1")
        assert changes(client) == committed


@pytest.mark.parametrize("kept", [0, 1, 10])
def test_a_cut_body_ends_early_after_the_commit(kept: int) -> None:
    with running(WRITE | {"nth": 1, "cutAfter": kept}) as client:
        with pytest.raises(http.client.IncompleteRead) as caught:
            client.patch("a1")
        assert len(caught.value.partial) == kept
        assert changes(client) == ["api"]
        assert statuses(client, "PATCH") == [200]


def test_a_dripping_body_comes_byte_by_byte_and_whole() -> None:
    began = time.monotonic()
    got = read({"dripMs": 5, "body": "x" * 40})
    assert got.body == b"x" * 40
    assert time.monotonic() - began > 0.19


def test_a_client_that_gives_up_on_a_drip_harms_nobody() -> None:
    with running(READ | {"nth": 1, "dripMs": 3_600_000}) as client:
        client.log_in()
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=0.1)
        connection.request("GET", AGENT, headers={"Authorization": f"Bearer {client.token}"})
        answer = connection.getresponse()
        with pytest.raises(TimeoutError):
            answer.read()
        connection.close()
        assert client.get(AGENT).status == 200


def test_a_delay_holds_the_answer_back_after_the_commit() -> None:
    with running(WRITE | {"nth": 1, "delayMs": 200}) as client:
        tag = client.etag("a1")
        began = time.monotonic()
        assert client.patch("a1", tag=tag).status == 200
        assert time.monotonic() - began > 0.19
        assert changes(client) == ["api"]


def test_latency_is_the_delay_of_every_answer() -> None:
    with running(options=Options(latency_ms=60)) as client:
        client.log_in()
        began = time.monotonic()
        assert client.get(AGENT).status == 200
        assert client.get("/nowhere").status == 404
        assert time.monotonic() - began > 0.11


@pytest.mark.parametrize(
    ("fault", "body"),
    [
        ({"body": "<html>503</html>"}, b"<html>503</html>"),
        ({"body": ""}, b""),
        ({"body": "é"}, "é".encode()),
        ({"bodyBase64": "AP8K"}, b"\x00\xff\n"),
        ({"json": None}, b"null"),
        ({"json": {"id": 1}}, b'{"id": 1}'),
    ],
)
def test_a_body_of_ones_own(fault: dict[str, Any], body: bytes) -> None:
    got = read(fault)
    assert (got.status, got.body) == (200, body)
    assert got.headers["Content-Type"] == "application/json"


def test_a_huge_body_is_sent_whole() -> None:
    got = read({"bodyMb": 9})
    assert len(got.body) == 9 << 20


def test_a_huge_header_is_sent_whole() -> None:
    with running(READ | {"headerKb": 300}) as client:
        assert len(client.raw("GET", AGENT)) > 300 << 10


@pytest.mark.parametrize(
    ("fault", "name", "values"),
    [
        ({"contentLength": "5, 2"}, "Content-Length", [b"5, 2"]),
        ({"contentLength": 10**12}, "Content-Length", [b"1000000000000"]),
        ({"headers": {"content-length": "nonsense"}}, "content-length", [b"nonsense"]),
        ({"headers": {"ETag": "abc"}}, "ETag", [b"abc"]),
        ({"headers": {"ETag": 'W/"1"'}}, "ETag", [b'W/"1"']),
        ({"headers": {"etag": ['"1"', '"2"']}}, "etag", [b'"1"', b'"2"']),
        ({"headers": {"ETag": '"a\r\nX: 1"'}}, "X", [b'1"']),
        ({"headers": {"Retry-After": "\u00d9\u00a3"}}, "Retry-After", [b"\xd9\xa3"]),
        ({"headers": {"Retry-After": ""}}, "Retry-After", [b""]),
        ({"headers": {"Content-Encoding": "gzip, gzip"}}, "Content-Encoding", [b"gzip, gzip"]),
        ({"headers": {"Content-Type": "text/html"}}, "Content-Type", [b"text/html"]),
    ],
)
def test_headers_are_sent_as_they_are_written(
    fault: dict[str, Any], name: str, values: list[bytes]
) -> None:
    with running(READ | fault) as client:
        head, _, body = client.raw("GET", AGENT).partition(b"\r\n\r\n")
    pairs = [line.partition(b": ") for line in head.split(b"\r\n")]
    assert [value for key, _, value in pairs if key.lower() == name.lower().encode()] == values
    assert json.loads(body)["id"] == "a1"


def test_a_status_without_a_name_is_sent_too() -> None:
    with running(READ | {"status": 299, "commit": True}) as client:
        assert client.raw("GET", AGENT).startswith(b"HTTP/1.1 299 Unknown\r\n")


def test_headers_can_be_taken_away() -> None:
    with running(
        READ | {"headers": {"ETag": None, "Date": None, "Content-Length": None}}
    ) as client:
        head = client.raw("GET", AGENT).partition(b"\r\n\r\n")[0].lower()
    assert b"etag" not in head
    assert b"date" not in head
    assert b"content-length" not in head


def test_chunks_can_be_broken() -> None:
    fault = {"headers": {"Transfer-Encoding": "chunked"}, "body": "5\r\nab"}
    with running(READ | fault) as client, pytest.raises(http.client.IncompleteRead):
        client.get(AGENT)


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_has_no_length(status: int) -> None:
    got = read({"status": status})
    assert (got.status, got.body, got.headers["Content-Length"]) == (status, b"", None)


@pytest.mark.parametrize(
    ("status", "location"),
    [(302, "https://evil.example/"), (307, "/api/v2/agents/a2/workmodes")],
)
def test_redirects(status: int, location: str) -> None:
    with running(WRITE | {"status": status, "headers": {"Location": location}}) as client:
        got = client.patch("a1")
        assert (got.status, got.headers["Location"], got.body) == (status, location, b"")
        assert changes(client) == []


@pytest.mark.parametrize(
    ("patch", "member", "expected"),
    [
        ({"nextPageUri": 5}, "nextPageUri", 5),
        ({"nextPageUri": ""}, "nextPageUri", ""),
        ({"nextPageUri": "https://u:p@{host}/x"}, "nextPageUri", "https://u:p@HOST/x"),
        ({"nextPageUri": None}, "nextPageUri", ...),
        ({"entities": []}, "entities", []),
        ({"entities": "no"}, "entities", "no"),
        ({"total": {"a": {"b": 1}}}, "total", {"a": {"b": 1}}),
    ],
)
def test_a_merge_changes_members_of_the_real_body(
    patch: dict[str, Any], member: str, expected: Any
) -> None:
    with running({"method": "GET", "path": SKILLS, "merge": patch}) as client:
        body = client.get(SKILLS).json
        host = client.simulator.api_url.removeprefix("http://")
    if isinstance(expected, str):
        expected = expected.replace("HOST", host)
    assert body.get(member, ...) == expected
    assert len(body["entities"]) in (0, 2, 5)


def test_a_merge_goes_into_inner_objects_and_keeps_the_tag() -> None:
    got = read({"merge": {"currentWorkMode": {"name": "\x1b[2J\ud800"}}})
    assert got.json["currentWorkMode"] == {"id": "m1", "name": "\x1b[2J\ud800"}
    assert got.etag


def test_every_random_number_is_new() -> None:
    fault = {"method": "GET", "path": SKILLS, "merge": {"nextPageUri": f"{SKILLS}?t={{rand}}"}}
    with running(fault) as client:
        seen = [client.get(SKILLS).json["nextPageUri"]]
        for _ in range(4):
            seen.append(client.get(seen[-1]).json["nextPageUri"])
    assert len(set(seen)) == 5
    assert all(uri.removeprefix(f"{SKILLS}?t=").isdigit() for uri in seen)


def test_a_merge_leaves_a_refusal_alone() -> None:
    with running(READ | {"merge": {"id": "x"}}) as client:
        assert client.send("GET", AGENT).error == "invalid_token"


def test_a_per_item_failure_in_a_success() -> None:
    with running(WRITE | {"json": {"errorCount": 1, "items": [{"success": False}]}}) as client:
        got = client.patch("a1")
        assert (got.status, got.json["errorCount"]) == (200, 1)
        assert changes(client) == []


def test_another_admin_writes_before_the_handling() -> None:
    fault = WRITE | {"nth": 1, "foreign": {"skill": "s1", "level": 12}}
    with running(fault) as client:
        assert client.patch("a1").status == 412
        assert changes(client) == [Actor.FOREIGN]
        assert client.patch("a1").status == 200


def test_another_admin_writes_between_commit_and_a_lost_answer() -> None:
    fault = WRITE | {"nth": 1, "reset": "after", "foreignAfter": {"workMode": "m2"}}
    with running(fault) as client:
        with pytest.raises(ConnectionResetError):
            client.patch("a1", update("m1"))
        assert changes(client) == ["api", "foreign"]
        assert client.get(AGENT).json["currentWorkMode"]["id"] == "m2"


def test_another_admin_writes_to_another_agent_between_two_pages() -> None:
    fault = {
        "method": "GET",
        "path": SKILLS,
        "nth": 2,
        "foreign": {"agentId": "a2", "touch": True},
        "foreignAfter": {"skill": "s8", "level": 2},
    }
    with running(fault) as client:
        pages = client.pages(SKILLS)
        assert [len(page) for page in pages] == [5, 2]
        agents = [change.agent_id for change in client.simulator.world.changes()]
    assert agents == ["a2", "a1"]


def test_a_foreign_change_on_an_unknown_agent_is_let_be() -> None:
    rule = {"method": "GET", "path": "/api/v2/agents/*", "foreign": {"touch": True}}
    with running(rule) as client:
        assert client.get("/api/v2/agents/nobody").status == 404
        assert client.get(AGENT).status == 200
        assert changes(client) == ["foreign"]


def test_tokens_withdrawn_in_the_middle_of_a_run() -> None:
    with running(WRITE | {"nth": 2, "revokeTokens": True}) as client:
        assert client.patch("a1").status == 200
        tag = client.etag("a1")
        assert client.patch("a1", tag=tag).status == 401
        client.log_in()
        assert client.patch("a1", tag=tag).status == 200
    assert len([r for r in client.simulator.world.requests() if r.path == "/oauth/token"]) == 2


def test_the_token_endpoint_can_fail_too() -> None:
    fault = {"method": "POST", "path": "/oauth/token"}
    with running(
        fault | {"nth": 1, "status": 503, "headers": {"Retry-After": "1"}},
        fault | {"nth": 2, "json": {"access_token": "t", "token_type": "mac"}},
        fault | {"nth": 3, "merge": {"expires_in": "3600", "tenantId": "x", "scope": None}},
    ) as client:
        assert client.log_in().status == 503
        assert client.log_in().json == {"access_token": "t", "token_type": "mac"}
        third = client.log_in().json
        assert (third["expires_in"], third["tenantId"]) == ("3600", "x")
        assert "scope" not in third
        assert client.get(AGENT).status == 200


def test_events_can_fail_too() -> None:
    with running({"method": "POST", "path": "/api/v2/events/publish", "status": 500}) as client:
        assert client.call("POST", "/api/v2/events/publish", event()).status == 500
        assert client.simulator.world.events() == ()


def test_a_write_that_a_rule_answers_takes_its_place_in_the_rate_window() -> None:
    with running(WRITE | {"times": 3, "status": 429}) as client:
        tag = client.etag("a1")
        got = [client.patch("a1", tag=tag).status for _ in range(3)]
        got += [client.patch(agent).status for agent in ("a1", "a2", "a3")]
    assert got == [429, 429, 429, 200, 200, 429]


def test_faults_in_bulk_change_only_what_they_are_told() -> None:
    """Ten per cent refused, ten per cent lost after the commit: the log adds up."""
    options = Options(patches_per_second=10_000)
    rule = WRITE | {"probability": 0.1}
    with running(rule | {"status": 429}, rule | {"reset": "after"}, options=options) as client:
        outcomes = [outcome(client) for _ in range(150)]
        assert len(changes(client)) == outcomes.count("200") + outcomes.count("lost")
    assert min(outcomes.count(word) for word in ("200", "429", "lost")) > 0


def outcome(client: Client) -> str:
    try:
        return str(client.patch("a1").status)
    except ConnectionResetError:
        return "lost"
