"""A tour of every operation, each answer held against the OpenAPI file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from cxplan.simulator.operations import ROUTES
from cxplan.simulator.options import Options
from cxplan.simulator.seed import random_spec
from tests.simulator.contract import operations, problems, response_schema
from tests.simulator.kit import NOW, Client, event, running, update

EVERY_OPERATION = sorted(operations())


def test_the_simulator_has_the_operations_of_the_contract_and_no_others() -> None:
    assert {route.operation: (route.method, route.path) for route in ROUTES} == operations()


def tour(client: Client) -> Iterator[tuple[str, int, Any]]:
    """Yield operation, status and body of one answer after the other."""
    token = client.log_in()
    yield "getToken", token.status, token.json
    for path, name in (
        ("/api/v2/agents?pageSize=7", "listAgents"),
        ("/api/v2/skills", "listSkills"),
        ("/api/v2/work-modes", "listWorkModes"),
    ):
        yield from follow(client, name, path)
    for agent in client.simulator.world.agent_ids():
        profile = client.get(f"/api/v2/agents/{agent}")
        yield "getAgent", profile.status, profile.json
        yield from follow(client, "getAgentSkills", f"/api/v2/agents/{agent}/skills")
        schedule = client.get(f"/api/v2/wfm/schedules/{agent}")
        yield "getSchedule", schedule.status, schedule.json
        client.clock.seconds += 1
        written = client.patch(
            agent, update("workMode-100", ("skill-4711", 3, 2)), tag=profile.etag
        )
        yield "updateWorkMode", written.status, written.json
        published = client.call("POST", "/api/v2/events/publish", event(agent))
        yield "publishEvent", published.status, published.json


def follow(client: Client, name: str, path: str | None) -> Iterator[tuple[str, int, Any]]:
    while path:
        page = client.get(path)
        yield name, page.status, page.json
        path = page.json["nextPageUri"]


def test_every_answer_of_a_tour_fits_its_schema() -> None:
    spec = random_spec(20, 3, NOW)
    seen = set()
    with running(spec=spec, options=Options(skills_page=3)) as client:
        for name, status, body in tour(client):
            seen.add((name, status))
            schema = response_schema(name, status)
            assert schema is None or not problems(schema, body, name)
    assert {name for name, status in seen if status < 300} == set(EVERY_OPERATION)
    assert ("getSchedule", 404) in seen


@pytest.mark.parametrize("name", [n for n in EVERY_OPERATION if n != "getToken"])
def test_every_refusal_is_json_that_says_what_is_wrong(name: str) -> None:
    method, template = operations()[name]
    path = template.replace("{agentId}", "a1")
    with running() as client:
        assert client.send(method, path).error == "invalid_token"
        client.log_in("wfm:read" if name != "getSchedule" else "agent:read")
        refused = client.call(method, path, {})
        assert (refused.status, refused.error) == (403, "insufficient_scope")
        wrong = client.call("DELETE", path)
        assert (wrong.status, wrong.error) == (405, "method_not_allowed")
        assert wrong.headers["Allow"] == method
        if "{agentId}" in template:
            client.log_in()
            unknown = client.call(
                method, template.replace("{agentId}", "nobody"), update(), If_Match='"x"'
            )
            assert (unknown.status, unknown.error) == (404, "not_found")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/v2",
        "/api/v2/agents/",
        "/api/v2/agents//skills",
        "/api/v2/agents/a1/",
        "/api/v2/agents/a1/x/skills",
        "/api/v2/agents/../agents",
        "/api/v1/agents",
        "/requests",
    ],
)
def test_an_unknown_path_is_404_whatever_the_token(path: str) -> None:
    with running() as client:
        assert client.send("GET", path).status == 404
        assert client.get(path).error == "not_found"


def test_every_answer_carries_date_and_request_id_and_the_clock_is_the_given_one() -> None:
    with running() as client:
        first, second = client.get("/api/v2/agents/a1"), client.get("/api/v2/agents/nobody")
    assert first.headers["Date"] == "Sun, 22 Nov 2026 09:00:00 GMT"
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    assert datetime(2026, 11, 22, 9, tzinfo=UTC) == NOW


def test_what_is_no_http_is_answered_with_json() -> None:
    with running() as client:
        answer = client.raw("GET", "/api v2")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b" 400 Bad Request\r\n" in head
        assert b"Content-Type: application/json" in head
        assert set(json.loads(body)) == {"error", "message"}
        assert client.get("/api/v2/agents/a1").status == 200


def test_an_optional_operation_can_be_missing() -> None:
    with running(options=Options(missing=frozenset({"listAgents"}))) as client:
        assert client.get("/api/v2/agents").status == 404
        assert client.get("/api/v2/agents/a1").status == 200
