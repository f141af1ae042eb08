"""Writing: the lock, the checks in their order, the rate limit, the logs, events."""

from __future__ import annotations

from typing import Any

import pytest

from cxplan.simulator.options import Options
from cxplan.simulator.records import Actor, RequestEntry
from cxplan.simulator.world import MAX_REQUESTS_KEPT, World
from tests.simulator.kit import TENANT, Client, StillClock, event, running, update

PATH = "/api/v2/agents/a1/workmodes"


def levels(client: Client, agent: str) -> dict[str, tuple[int, int | None]]:
    state = client.simulator.world.agent(agent)
    assert state is not None
    return {held.skill_id: (held.level, held.concurrent) for held in state.skills}


def test_a_write_sets_the_mode_and_upserts_only_the_listed_skills() -> None:
    with running() as client:
        before = client.etag("a2")
        got = client.patch("a2", update("m1", ("s3", 9, 2), ("s1", 4, 3)))
        assert (got.status, got.json["agentId"], got.json["workModeId"]) == (200, "a2", "m1")
        assert [
            (held["skillId"], held["level"], held["concurrentInteractions"])
            for held in got.json["skillLevels"]
        ] == [("s1", 4, 3), ("s3", 9, 2)]
        assert levels(client, "a2") == {"s1": (4, 3), "s3": (9, 2)}
        assert client.etag("a2") == got.etag != before
        untouched = client.patch("a2", update("m2"))
        assert len(untouched.json["skillLevels"]) == 2


def test_a_write_that_changes_nothing_still_moves_the_tag() -> None:
    with running() as client:
        tags = [client.etag("a1")]
        for _ in range(3):
            got = client.patch("a1")
            assert got.status == 200
            tags.append(got.etag)
    assert len(set(tags)) == 4


@pytest.mark.parametrize("conflict", [412, 409])
def test_only_the_current_strong_tag_opens_the_lock(conflict: int) -> None:
    with running(options=Options(conflict_status=conflict, patches_per_second=99)) as client:
        old = client.etag("a1")
        current = client.patch("a1").etag
        for tag in (old, "*", f"W/{current}", f"{current}, {old}", current.strip('"'), '""'):
            refused = client.patch("a1", tag=tag)
            assert (refused.status, refused.error) == (conflict, "precondition_failed"), tag
        assert client.patch("a1", tag="").error == "precondition_required"
        assert client.patch("a1", tag="").status == 428
        assert len(client.simulator.world.changes()) == 1
        assert client.patch("a1", tag=current).status == 200


def test_another_admins_change_moves_the_tag_and_shows() -> None:
    with running() as client:
        world = client.simulator.world
        seen = client.etag("a1")
        world.foreign_change("a1", skill="s1", level=17)
        assert client.patch("a1", tag=seen).status == 412
        assert levels(client, "a1")["s1"] == (17, 1)
        world.foreign_change("a1", skill="s8", concurrent=0)
        assert levels(client, "a1")["s8"] == (1, 0)
        world.foreign_change("a1", work_mode="m2", skill="s1", maximum=2)
        assert client.get("/api/v2/agents/a1").json["currentWorkMode"]["id"] == "m2"
        assert client.patch("a1", update("m2", ("s1", 1, 3))).status == 422
        touched = client.etag("a1")
        world.foreign_change("a1", touch=True)
        assert client.etag("a1") != touched
        assert {change.actor for change in world.changes()} == {Actor.FOREIGN}


def without(body: dict[str, Any], *path: str) -> dict[str, Any]:
    inner = body
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return body


def level(**members: Any) -> dict[str, Any]:
    body = update("m1", ("s1", 1, 1))
    body["skillLevels"][0] |= members
    return body


def with_timestamp(text: Any) -> dict[str, Any]:
    body = update()
    body["metadata"]["timestamp"] = text
    return body


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        (b"", 400, "JSON"),
        (b"{", 400, "JSON"),
        (b"[]", 400, "body"),
        (b"\xff", 400, "JSON"),
        (b'{"workModeId":"m1","workModeId":"m2"}', 400, "JSON"),
        (b'{"a":NaN}', 400, "JSON"),
        (b"[" * 200_000, 400, "JSON"),
        (b'{"a":' + b"9" * 5000 + b"}", 400, "JSON"),
        (without(update(), "workModeId"), 400, "workModeId"),
        (without(update(), "skillLevels"), 400, "skillLevels"),
        (without(update(), "reason"), 400, "reason"),
        (without(update(), "metadata"), 400, "metadata"),
        (without(update(), "metadata", "source"), 400, "metadata.source"),
        (without(update(), "metadata", "timestamp"), 400, "metadata.timestamp"),
        (with_timestamp("2026-11-22T09:00:00"), 400, "offset"),
        (with_timestamp("2026-13-22T09:00:00Z"), 400, "metadata.timestamp"),
        (with_timestamp("yesterday"), 400, "offset"),
        (with_timestamp(7), 400, "metadata.timestamp"),
        (update() | {"workModeId": 1}, 400, "workModeId"),
        (update() | {"workModeId": ""}, 400, "workModeId"),
        (update() | {"workModeId": None}, 400, "workModeId"),
        (update() | {"skillLevels": {}}, 400, "skillLevels"),
        (update() | {"reason": None}, 400, "reason"),
        (level(level=True), 400, "skillLevels.0.level"),
        (level(level="5"), 400, "skillLevels.0.level"),
        (level(level=5.0), 400, "skillLevels.0.level"),
        (level(level=-1), 400, "skillLevels.0.level"),
        (level(level=101), 400, "skillLevels.0.level"),
        (level(level=None), 400, "skillLevels.0.level"),
        (level(concurrentInteractions=False), 400, "skillLevels.0.concurrentInteractions"),
        (level(concurrentInteractions=-1), 400, "skillLevels.0.concurrentInteractions"),
        (level(skillId=1), 400, "skillLevels.0.skillId"),
        (update("m1", ("s1", 1, 1), ("s1", 2, 1)), 400, "twice"),
        (update("m9"), 422, "work mode"),
        (update("m1", ("s9", 1, 1)), 422, "skill"),
        (update("m1", ("s1", 1, 5)), 422, "limit for this skill is 4"),
        (update("m1", ("s8", 1, 2)), 422, "limit for this skill is 1"),
    ],
)
def test_a_body_that_is_wrong_is_refused_and_changes_nothing(
    body: Any, status: int, place: str
) -> None:
    with running() as client:
        got = client.patch("a1", body)
        assert (got.status, place in got.json["message"]) == (status, True), got.json
        assert client.simulator.world.changes() == ()


def test_a_limit_that_is_not_stated_counts_as_one() -> None:
    with running() as client:
        assert client.patch("a4", update("m1", ("s1", 1, 2))).status == 422
        assert client.patch("a4", update("m1", ("s1", 1, 1))).status == 200


def test_the_edges_of_the_scale_and_unknown_members_are_accepted() -> None:
    with running() as client:
        body = update("m1", ("s1", 0, 0), ("s3", 100, 4)) | {"later": {"x": 1}}
        assert client.patch("a1", body).status == 200


@pytest.mark.parametrize(
    ("kind", "coding"),
    [("text/plain", ""), ("application/x-www-form-urlencoded", ""), ("application/json", "gzip")],
)
def test_a_body_of_another_kind_is_415(kind: str, coding: str) -> None:
    headers = {"Content_Type": kind} | ({"Content_Encoding": coding} if coding else {})
    with running() as client:
        assert client.patch("a1", update(), **headers).status == 415
        assert client.call("POST", "/api/v2/events/publish", event(), **headers).status == 415


def test_json_with_a_charset_is_json() -> None:
    with running() as client:
        kind = "Application/JSON; charset=utf-8"
        assert client.patch("a1", update(), Content_Type=kind).status == 200


def test_a_body_over_one_mebibyte_is_413() -> None:
    padding = update() | {"reason": "x" * (1 << 20)}
    with running() as client:
        assert client.patch("a1", padding).status == 413
        assert client.patch("a1", update() | {"reason": "x" * 1_000_000}).status == 200


def test_the_checks_come_in_order() -> None:
    """Each request repairs the first fault of the one before."""
    with running(options=Options(patches_per_second=4)) as client:
        assert client.send("PATCH", PATH, b"x").status == 401
        client.log_in("agent:read")
        assert client.call("PATCH", PATH, b"x").status == 403
        client.log_in()
        unknown = "/api/v2/agents/nobody/workmodes"
        assert client.call("PATCH", unknown, b"x", Content_Type="text/plain").status == 415
        assert client.call("PATCH", unknown, b"x").status == 400
        assert client.call("PATCH", unknown, update()).status == 404
        assert client.call("PATCH", PATH, update("m1", ("s1", 1, 9))).status == 428
        assert client.call("PATCH", unknown, b"x").status == 429
        client.clock.seconds += 1
        stale = client.call("PATCH", PATH, update("m1", ("s1", 1, 9)), If_Match='"old"')
        assert stale.status == 412


def test_five_writes_fit_into_any_second_and_no_more() -> None:
    with running() as client:
        start = client.clock.seconds
        statuses = []
        for offset in (0.0, 0.2, 0.4, 0.6, 0.8, 0.999, 1.0, 1.1, 1.2, 1.35, 1.39, 1.4):
            client.clock.seconds = start + offset
            statuses.append(client.patch("a1").status)
        refused = client.patch("a2")
    assert statuses == [200, 200, 200, 200, 200, 429, 200, 429, 200, 429, 429, 200]
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")


def test_the_limit_is_the_tenants_not_the_agents_and_reads_do_not_count() -> None:
    with running() as client:
        for agent in ("a1", "a2", "a3", "a4", "a1"):
            assert client.patch(agent).status == 200
        assert client.patch("a2").status == 429
        assert all(client.get("/api/v2/agents/a1").status == 200 for _ in range(9))


def test_the_logs_tell_who_changed_what_and_when() -> None:
    with running() as client:
        world = client.simulator.world
        tag = client.etag("a2")
        world.clear_logs()
        client.clock.seconds += 2.5
        body = update("m1", ("s1", 3, 2))
        after = client.patch("a2", body, tag=tag).etag
        (request,) = world.requests()
        (change,) = world.changes()
    assert (request.method, request.path, request.query) == (
        "PATCH",
        "/api/v2/agents/a2/workmodes",
        "",
    )
    assert (request.agent_id, request.if_match, request.status) == ("a2", tag, 200)
    assert (request.at_ms, request.body) == (102_500, body)
    assert (change.agent_id, change.actor, change.request) == ("a2", Actor.API, request.sequence)
    assert (change.before.etag, change.after.etag) == (tag, after)
    assert change.before.work_mode == "m2"
    assert change.after.work_mode == "m1"
    held = change.after.holds("s1")
    assert held is not None
    assert (held.level, held.concurrent) == (3, 2)


def test_no_log_holds_a_token_or_a_secret() -> None:
    with running() as client:
        client.send("POST", "/oauth/token?grant_type=client_credentials&client_secret=CXCANARY")
        client.patch("a1")
        everything = repr(client.simulator.world.requests())
        assert client.token
        assert client.token not in everything
    assert client.simulator.client_secret not in everything
    assert "CXCANARY" not in everything


def test_the_request_log_keeps_the_newest_within_its_bound() -> None:
    world = World(TENANT, Options(), StillClock())
    for number in range(1, MAX_REQUESTS_KEPT + 3):
        world.log_request(RequestEntry(number, 0.0, "GET", "/", "", None, None))
    kept = world.requests()
    assert (len(kept), kept[0].sequence) == (MAX_REQUESTS_KEPT, 3)


def test_events_are_kept_as_sent() -> None:
    with running() as client:
        got = client.call("POST", "/api/v2/events/publish", event("a2") | {"extra": [1]})
        assert got.status == 202
        (kept,) = client.simulator.world.events()
    assert (kept.agent_id, kept.body) == ("a2", event("a2") | {"extra": [1]})


@pytest.mark.parametrize(
    "body",
    [
        event() | {"eventType": "agent.changed"},
        without(event(), "data"),
        without(event(), "data", "agentId"),
        without(event(), "data", "previousState"),
        without(event(), "data", "newState"),
        without(event(), "data", "syncTimestamp"),
        {"eventType": "agent.availability.changed", "data": event()["data"] | {"newState": []}},
    ],
)
def test_an_event_that_is_wrong_is_refused_and_not_kept(body: Any) -> None:
    with running() as client:
        assert client.call("POST", "/api/v2/events/publish", body).status == 400
        assert client.simulator.world.events() == ()
