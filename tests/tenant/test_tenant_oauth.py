"""The token: what a token answer may say, when one is asked for, and by how many."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

import pytest

from cxplan.core.errors import AuthError, Exit, TenantError, UnavailableError
from cxplan.core.live import ObservedAgent
from cxplan.core.secret import Secret
from cxplan.tenant.connection import Connection, Limits, Site
from cxplan.tenant.messages import Call, Reply
from cxplan.tenant.oauth import Tokens
from tests.tenant.server import HANG_UP, RESET, Asked, answer
from tests.tenant.stage import (
    AGENT,
    PROFILE,
    SECRET,
    TOKEN,
    TOKEN_CALL,
    FakeClock,
    assert_no_canary,
    in_turn,
    stage,
    token_answer,
)

READ_SCOPES = "agent:read skill:read wfm:read"
ALL_SCOPES = f"{READ_SCOPES} agent:write events:publish"


def refused(script: Any, *, write: bool = False, **options: Any) -> TenantError:
    """The error of connecting to a token endpoint that answers ``script``."""
    with stage({TOKEN_CALL: script}, **options) as here:
        with pytest.raises(TenantError) as caught:
            here.tenant.connect(write=write)
        assert_no_canary(caught.value)
        assert caught.value.problem.hint
        assert all(asked.key == TOKEN_CALL for asked in here.server.asked)  # no use of a bad token
        return caught.value


# --- the request ------------------------------------------------------------------------------


@pytest.mark.parametrize(("write", "scopes"), [(False, READ_SCOPES), (True, ALL_SCOPES)])
def test_the_request_is_basic_and_a_form_and_asks_for_no_more_than_the_command_needs(
    write: bool, scopes: str
) -> None:
    with stage() as here:
        identity = here.tenant.connect(write=write)
        assert identity.origin == here.server.url
    [asked] = here.server.asked
    pair = base64.b64decode((asked.header("Authorization") or "").removeprefix("Basic "))
    assert pair == f"client:{SECRET}".encode()
    assert asked.header("Content-Type") == "application/x-www-form-urlencoded"
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": [scopes],
    }
    assert "?" not in asked.target


# --- O: the answer ----------------------------------------------------------------------------

REFUSED: list[tuple[str, Any, str]] = [
    ("O01", answer({}), "auth.token"),
    ("O02", token_answer(""), "auth.token"),
    ("O03", token_answer("CXCANARY\x00"), "auth.token"),
    ("O04", token_answer("CXCANARY\nX-Evil: 1"), "auth.token"),
    ("O05", token_answer(" CXCANARY"), "auth.token"),
    ("O05b", token_answer("CXCANÄRY"), "auth.token"),
    ("O05c", token_answer("x" * 20_000), "auth.token"),
    ("O06", answer({"access_token": 5, "expires_in": 3600}), "auth.token"),
    ("O07", token_answer("t", token_type="mac"), "auth.token_type"),
    ("O07b", token_answer("t", token_type=["bearer"]), "auth.token_type"),
    ("O08", token_answer("t", expires_in=0), "auth.expires"),
    ("O08b", token_answer("t", expires_in=-1), "auth.expires"),
    ("O08c", token_answer("t", expires_in="-5"), "auth.expires"),
    ("O09", token_answer("t", expires_in="soon"), "auth.expires"),
    ("O09b", token_answer("t", expires_in=True), "auth.expires"),
    ("O09c", token_answer("t", expires_in=[1]), "auth.expires"),
    ("not json", answer(b"access_token=t"), "auth.token"),
    ("list", answer(b"[]"), "auth.token"),
    ("twice", answer(b'{"access_token":"a","access_token":"b"}'), "auth.token"),
    ("empty", answer(b"", 204), "auth.token"),
    ("html", answer(b"<html>", headers=[("Content-Type", "text/html")]), "auth.token"),
    ("encoded", answer({}, headers=[("Content-Encoding", "gzip")]), "http.encoding"),
    ("large", answer({}, headers=[("Content-Length", "99999999")]), "http.too_large"),
    ("400", answer({"error": "invalid_client"}, 400), "auth.refused"),
    ("401", answer({"error": "invalid_client"}, 401), "auth.refused"),
    ("403", answer({}, 403), "auth.refused"),
    ("404", answer(b"<html>", 404), "auth.refused"),
    ("invalid_scope", answer({"error": "invalid_scope"}, 400), "auth.scope"),
    (
        "N24",
        answer(b"", 307, headers=[("Location", "https://evil.example/token")]),
        "http.redirect",
    ),
]


@pytest.mark.parametrize(("script", "code"), [pytest.param(s, c, id=i) for i, s, c in REFUSED])
def test_an_answer_that_is_refused_is_never_used(script: Any, code: str) -> None:
    error = refused(script)
    assert isinstance(error, AuthError)
    assert (error.problem.code, error.exit_code) == (code, Exit.AUTH)


def test_a_refusal_is_not_tried_again_and_its_body_is_not_shown() -> None:
    body = {"error": "invalid_client", "error_description": f"secret {SECRET} of eve \x1b[2J"}
    with stage({TOKEN_CALL: answer(body, 401)}) as here:
        for _ in range(2):
            with pytest.raises(AuthError, match=r"refused the client's credentials \(401 inv"):
                here.tenant.agent(AGENT)
    assert here.server.count(TOKEN_CALL) == 1


@pytest.mark.parametrize("evil", ["<script>", "invalid_client\x1b", {"a": 1}, None])
def test_only_known_error_codes_are_named(evil: Any) -> None:
    assert "(400)" in refused(answer({"error": evil}, 400)).problem.summary


USED: list[tuple[str, Any]] = [
    ("O10", token_answer(expires_in=1e18)),
    ("O11", token_answer(resource_server_base_uri="https://evil.example/")),
    ("any case", token_answer(token_type="bEARER")),
    ("no kind", answer({"access_token": TOKEN, "expires_in": 60})),
    ("text", token_answer(expires_in="3600")),
    ("no life", answer({"access_token": TOKEN})),
    ("scopes", token_answer(scope=f"openid {READ_SCOPES}")),
    ("scopes unnamed", token_answer(scope=" ")),
]


@pytest.mark.parametrize("script", [pytest.param(s, id=i) for i, s in USED])
def test_an_answer_that_is_tolerated_is_used(script: Any) -> None:
    with stage({TOKEN_CALL: script}) as here:
        here.tenant.connect(write=False)
        assert isinstance(here.tenant.agent(AGENT), ObservedAgent)
    assert here.server.asked[1].header("Authorization") == f"Bearer {TOKEN}"


# --- scopes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("granted", "write", "missing", "command", "permission"),
    [
        ("agent:read skill:read", False, "wfm:read", "plan, snapshot", "Workforce Management"),
        ("agent:read wfm:read", False, "skill:read", "plan, snapshot", "Agent Management"),
        (READ_SCOPES, True, "agent:write, events:publish", "apply needs", "Agent Management and W"),
        (f"{READ_SCOPES} events:publish", True, "agent:write", "apply needs", "Agent Management"),
    ],
)
def test_a_missing_scope_is_named_with_who_needs_it_and_what_grants_it(
    granted: str, write: bool, missing: str, command: str, permission: str
) -> None:
    problem = refused(token_answer(scope=granted), write=write).problem
    assert problem.code == "auth.scope"
    assert f"lacks the scope {missing}, which {command}" in problem.summary
    assert permission in str(problem.hint)


def test_a_client_that_cannot_write_can_plan() -> None:
    with stage({TOKEN_CALL: token_answer(scope=READ_SCOPES)}) as here:
        here.tenant.connect(write=False)
        with pytest.raises(AuthError):
            here.tenant.connect(write=True)


# --- identity ---------------------------------------------------------------------------------


def jwt(claims: Any) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part(claims)}.c2ln"


@pytest.mark.parametrize(
    ("script", "tenant_id"),
    [
        (token_answer(), None),
        (token_answer(tenantId="acme-7"), "acme-7"),
        (token_answer(tenantId=7), "7"),
        (token_answer(jwt({"tenantId": "acme-8"})), "acme-8"),
        (token_answer(jwt({"tenantId": "acme-8"}), tenantId="acme-7"), "acme-7"),
        (token_answer(jwt({"tenantId": "\x1b[2J"})), None),
        (token_answer(jwt({"tenantId": "x" * 500})), None),
        (token_answer(jwt(["tenantId"])), None),
        (token_answer(tenantId={"a": 1}), None),
        (token_answer("a.b.c"), None),
        (token_answer("a.!!!.c"), None),
    ],
)
def test_the_tenant_that_a_token_names_is_a_hint(script: Any, tenant_id: str | None) -> None:
    with stage({TOKEN_CALL: script}) as here:
        assert here.tenant.connect(write=False).tenant_id == tenant_id


def test_the_servers_date_is_kept_as_sent() -> None:
    date = "Sun, 22 Nov 2026 10:00:30 GMT"
    body = {"access_token": TOKEN, "expires_in": 60}
    with stage({TOKEN_CALL: answer(body, headers=[("Date", date)])}) as here:
        assert here.tenant.connect(write=False).server_date == date


# --- faults -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [answer({}, 500), answer({}, 503), answer({}, 429), [RESET]])
def test_a_passing_fault_is_tried_again(fault: Any) -> None:
    with stage({TOKEN_CALL: in_turn(fault, fault, fault, token_answer())}) as here:
        here.tenant.connect(write=False)
    assert here.server.count(TOKEN_CALL) == 4


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (answer({}, 503), "http.unavailable"),
        (answer({}, 429, headers=[("Retry-After", "2")]), "http.rate_limited"),
        ([HANG_UP], "http.cut"),
        ([9.0], "http.deadline"),
    ],
)
def test_after_four_attempts_it_is_unavailable(fault: Any, code: str) -> None:
    error = refused(fault, limits=Limits(exchange=0.2))
    assert isinstance(error, UnavailableError)
    assert error.problem.code == code


def test_retry_after_is_waited_for_and_a_long_one_is_not() -> None:
    slow = answer({}, 429, headers=[("Retry-After", "30")])
    with stage({TOKEN_CALL: in_turn(slow, token_answer())}, clock=FakeClock()) as here:
        here.tenant.connect(write=False)
        assert here.clock.sleeps == [30.0]
    error = refused(answer({}, 429, headers=[("Retry-After", "3600")]), clock=FakeClock())
    assert error.exit_code is Exit.UNAVAILABLE
    assert "3600 seconds" in error.problem.summary


def test_an_endpoint_that_is_not_there_is_named() -> None:
    error = refused(answer({}), token_url="http://127.0.0.1:1/oauth/token")
    assert isinstance(error, UnavailableError)
    assert "127.0.0.1:1" in error.problem.summary
    assert "--token-url" in str(error.problem.hint)


# --- life and renewal -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("life", "serves"),
    [(3600, 3540), (300, 240), (None, 240), (100, 80), (1, 0.8), (10**9, 86_340), ("3600", 3540)],
)
def test_a_token_is_renewed_a_minute_or_a_fifth_of_its_life_before_its_end(
    life: Any, serves: float
) -> None:
    clock = FakeClock()
    body = {"access_token": TOKEN} | ({} if life is None else {"expires_in": life})
    with stage({TOKEN_CALL: answer(body)}, clock=clock) as here:
        here.tenant.connect(write=False)
        clock.passed = serves - 0.01
        here.tenant.agent(AGENT)
        assert here.server.count(TOKEN_CALL) == 1
        clock.passed = serves + 0.01
        here.tenant.agent(AGENT)
        assert here.server.count(TOKEN_CALL) == 2


def _eight(call: Any) -> list[Any]:
    """Eight threads that begin at the same moment."""
    barrier = threading.Barrier(8)

    def begin(_: int) -> Any:
        barrier.wait(10)
        return call()

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(begin, range(8)))


def slowly(steps: Any) -> Any:
    return [0.1, *steps]


def test_the_first_token_is_asked_for_once_by_eight_threads() -> None:
    with stage({TOKEN_CALL: slowly(token_answer())}) as here:
        _eight(lambda: here.tenant.agent(AGENT))
    assert here.server.count(TOKEN_CALL) == 1


def test_a_token_that_ran_out_is_renewed_once_by_eight_threads() -> None:
    def judge(asked: Asked) -> Any:
        fresh = asked.header("Authorization") == "Bearer fresh"
        return answer({"id": "1001"}, 200 if fresh else 401)

    tokens = in_turn(token_answer(), slowly(token_answer("fresh")))
    with stage({PROFILE: judge, TOKEN_CALL: tokens}) as here:
        here.tenant.connect(write=False)
        readings = _eight(lambda: here.tenant.agent(AGENT))
    assert all(isinstance(reading, ObservedAgent) for reading in readings)
    assert here.server.count(TOKEN_CALL) == 2


def test_who_comes_late_with_the_old_token_gets_the_new_one() -> None:
    answers = [f'{{"access_token":"{TOKEN}{n}"}}'.encode() for n in range(3)]
    asked: list[Call] = []

    def exchange(_: Site, call: Call) -> Reply:
        asked.append(call)
        return Reply(200, body=answers[len(asked) - 1])

    connection = Connection(
        "https://api.example", "https://auth.example/token", "client", Secret(SECRET)
    )
    tokens = Tokens(connection, exchange, FakeClock(), lambda: 0.5)
    old = tokens.require(write=False)
    new = tokens.renew(old)
    assert new is not old
    assert tokens.renew(old) is new
    assert tokens.get() is new
    assert len(asked) == 2
    assert_no_canary(old, tokens, *asked)


def test_a_refusal_is_shared_by_eight_threads() -> None:
    def failing() -> str:
        with pytest.raises(AuthError) as caught:
            here.tenant.agent(AGENT)
        return str(caught.value)

    with stage({TOKEN_CALL: slowly(answer({}, 401))}) as here:
        assert len(set(_eight(failing))) == 1
    assert here.server.count(TOKEN_CALL) == 1
