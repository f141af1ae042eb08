"""The token endpoint and what tokens allow."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from cxplan.simulator.options import Options
from tests.simulator.kit import Client, Got, running

TOKEN = "/oauth/token"
FORM = "application/x-www-form-urlencoded"
GRANT = "grant_type=client_credentials"


def ask(client: Client, body: str = "", query: str = "", **headers: str) -> Got:
    kind = {"Content_Type": FORM} if body else {}
    sent = {"Authorization": client.basic()} | kind | headers
    return client.send("POST", TOKEN + query, body.encode(), **sent)


@pytest.mark.parametrize(("body", "query"), [(GRANT, ""), ("", f"?{GRANT}")])
def test_the_grant_may_stand_in_the_form_or_in_the_query(body: str, query: str) -> None:
    with running() as client:
        got = ask(client, body, query)
        assert got.status == 200
        assert got.json["token_type"] == "Bearer"
        assert got.json["expires_in"] == 3600
        assert got.headers["Cache-Control"] == "no-store"
        client.token = got.json["access_token"]
        assert client.get("/api/v2/agents/a1").status == 200


def test_granted_is_what_is_asked_for_and_allowed() -> None:
    options = Options(scopes=("agent:read", "skill:read"))
    with running(options=options) as client:
        assert ask(client, GRANT).json["scope"] == "agent:read skill:read"
        some = ask(client, f"{GRANT}&scope=skill:read+agent:write")
        assert some.json["scope"] == "skill:read"
        none = ask(client, f"{GRANT}&scope=agent:write")
        assert (none.status, none.error) == (400, "invalid_scope")


def test_a_bad_client_gets_no_token_and_no_hint() -> None:
    with running() as client:
        good = base64.b64encode(f"{client.simulator.client_id}:".encode()).decode()
        answers = [
            ask(client, GRANT, Authorization=value)
            for value in (client.basic("wrong"), f"Basic {good}", "Basic %%%", "Bearer x", "Basic")
        ]
        answers.append(client.send("POST", TOKEN, GRANT.encode(), Content_Type=FORM))
    assert {(got.status, got.error) for got in answers} == {(400, "invalid_client")}
    assert len({got.body for got in answers}) == 1


def test_form_encoded_credentials_are_understood() -> None:
    with running() as client:
        pair = f"{quote('simulated-client-0', safe='')}:{client.simulator.client_secret}"
        encoded = base64.b64encode(pair.replace("-", "%2D").encode()).decode()
        assert ask(client, GRANT, Authorization=f"Basic {encoded}").status == 200


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        ("", FORM, "unsupported_grant_type"),
        ("grant_type=password", FORM, "unsupported_grant_type"),
        (f"{GRANT}&{GRANT}", FORM, "invalid_request"),
        ('{"grant_type":"client_credentials"}', "application/json", "invalid_request"),
    ],
)
def test_another_request_is_400(body: str, kind: str, error: str) -> None:
    with running() as client:
        got = ask(client, body, Content_Type=kind)
    assert (got.status, got.error) == (400, error)


def test_a_token_dies_of_age() -> None:
    with running(options=Options(token_lifetime=60)) as client:
        assert client.log_in().json["expires_in"] == 60
        client.clock.seconds += 59.9
        assert client.get("/api/v2/agents/a1").status == 200
        client.clock.seconds += 0.1
        expired = client.get("/api/v2/agents/a1")
        assert (expired.status, expired.error) == (401, "invalid_token")
        assert "Bearer" in expired.headers["WWW-Authenticate"]
        client.log_in()
        assert client.get("/api/v2/agents/a1").status == 200


def test_tokens_can_be_withdrawn() -> None:
    with running() as client:
        assert client.get("/api/v2/agents/a1").status == 200
        client.simulator.revoke_tokens()
        assert client.get("/api/v2/agents/a1").status == 401


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer nonsense", "Basic x"])
def test_what_is_no_token_is_401(value: str) -> None:
    with running() as client:
        assert client.send("GET", "/api/v2/agents/a1", Authorization=value).status == 401


def test_two_tokens_live_side_by_side() -> None:
    with running() as client:
        first = client.log_in("agent:read").json["access_token"]
        client.log_in("skill:read")
        assert client.get("/api/v2/agents/a1").status == 403
        client.token = first
        assert client.get("/api/v2/agents/a1").status == 200
