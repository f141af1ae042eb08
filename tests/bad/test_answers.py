"""Hostile and broken answers, row by row: pagination (N), responses (H), the token endpoint (O).

The ids are those of the list of bad inputs; a letter behind one marks a relative of that row. The
paths are those of our API: ``GET /agents/1001`` is ``GET /api/v2/agents/1001``, ``GET /skills`` is
each of our two listings (the skills of an agent, the skills of the tenant), ``POST /token`` is
``POST /oauth/token`` and ``PATCH /agents/1001`` is ``PATCH /api/v2/agents/1001/workmodes``.

What concerns one agent stands in its checks, what ends a command in ``errors``.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cxplan.simulator.options import Options
from cxplan.simulator.rules import Rule
from tests.bad.certificates import Authority
from tests.bad.conditions import MARK
from tests.bad.kit import (
    AGENT,
    LISTING,
    MODES,
    PROFILE,
    SKILLS,
    TOKEN,
    WRITE,
    Stage,
    everybody,
    people,
    stage,
    token,
)

Staged = Callable[..., AbstractContextManager[Stage]]


@pytest.fixture
def staged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Staged:
    def make(**settings: Any) -> AbstractContextManager[Stage]:
        return stage(tmp_path, capsys, **settings)

    return make


def header(name: str, *values: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ((name, values),)


def answered(body: str | bytes, **more: Any) -> Rule:
    """The profile with another body, its ETag kept."""
    return Rule("GET", AGENT, commit=True, body=body, **more)


# --- what is owed ---------------------------------------------------------------------------


def assert_agent_refused(on: Stage, reason: str, *, status: str = "unread", code: int = 10) -> None:
    """That agent alone is set aside, for that reason; the other one is read."""
    done = on.run("plan", "--json")
    assert done.code == code
    assert done.json["exit"]["code"] == code
    found = {entry["agent"]["id"]: entry for entry in done.json["agents"]}
    agent = found.pop("1001")
    assert found == {}
    assert agent["status"] == status
    checks = [check["id"] for check in agent["checks"] if check["verdict"] != "ok"]
    assert checks == [reason]
    assert status != "unread" or (agent["changes"], agent["before"]) == ([], None)
    assert done.json["summary"]["unchanged"] == 1
    shown = on.run("plan", "-v")
    assert shown.code == code
    assert f"(1001, Small) {'could not be read' if status == 'unread' else 'is blocked'}" in (
        shown.out
    )
    assert f"{reason}:" in shown.out


def assert_command_refused(on: Stage, code: int, reason: str) -> None:
    """The command ends for that reason, and leaves no plan."""
    done = on.run("plan", "-o", "p.json", "--json")
    assert done.code == code
    assert done.json["exit"]["code"] == code
    assert done.codes() == [reason]
    assert "agents" not in done.json
    shown = on.run("plan", "-o", "p.json", "-v")
    assert shown.code == code
    assert shown.out == ""
    assert f"[{reason}]" in shown.err
    assert "→" in shown.err


def assert_accepted(on: Stage) -> None:
    """It is planned and applied as if nothing were odd, and then there is nothing left to do."""
    planned = on.run("plan", "-o", "p.json", "-v", writes=("p.json",))
    assert planned.code == 0, planned.out + planned.err
    assert "Plan: 1 agent to change" in planned.out
    applied = on.run("apply", "p.json", "--json", writes=("audit",))
    assert applied.code == 0, applied.out + applied.err
    assert [(a["agent"]["id"], a["outcome"]) for a in applied.json["agents"]] == [
        ("1001", "applied")
    ]
    assert len(on.writes()) == 1
    held = on.on.simulator.world.agent("1001")
    assert held is not None
    assert [(h.skill_id, h.level, h.concurrent) for h in held.skills] == [
        ("s-voice", 3, 1),
        ("s-chat", 5, 2),
    ]
    again = on.run("plan", "--json")
    assert (again.code, again.json["summary"]["ready"], again.json["agents"]) == (0, 0, [])
    assert "No changes" in on.run("plan").out


# --- N: pagination and redirects --------------------------------------------------------------

# Every row runs over TLS, so that https is the tenant's own scheme. {path} is the listing, {host}
# host and port of the tenant, {name} the host alone, {other} the port of the second listener: with
# it a link leads to somebody who would notice.
LINKS = [
    ("N01", "https://evil.example/x", "http.cross_origin"),
    ("N01a", "https://127.0.0.1:{other}/x", "http.cross_origin"),
    ("N02", "//127.0.0.1:{other}{path}", "http.cross_origin"),
    ("N03", "http://{host}{path}?page=2", "http.scheme"),
    ("N04", "https://{name}:8443{path}", "http.cross_origin"),
    ("N04a", "https://{name}:{other}{path}", "http.cross_origin"),
    ("N05", "https://localhost:{other}{path}", "http.cross_origin"),
    ("N06", "https://u:p@{host}{path}", "http.userinfo"),
    ("N06a", f"https://{MARK}@{{host}}{{path}}", "http.userinfo"),
    ("N07", "@evil.example/x", "http.bad_url"),
    ("N07a", "@127.0.0.1:{other}/x", "http.bad_url"),
    ("N09", "https://{host}\\@evil.example/x", "http.bad_url"),
    ("N09a", "https://{host}\\@127.0.0.1:{other}/x", "http.bad_url"),
    ("N10", "https://evil.example\\.{host}/", "http.bad_url"),
    ("N12", "https://{host}\t.evil.example/", "http.bad_url"),
    # With the port in front, as in {host}, it would be a port that is no number.
    ("N13", "https://{name}%2eevil.example/", "http.cross_origin"),
    ("N15", "file:///etc/passwd", "http.scheme"),
    ("N16", "../../../token", "http.path"),
    ("N16a", "{path}/../../../../oauth/token", "http.path"),
    ("N16b", "{path}/%2e%2e/%2e%2e/x", "http.path"),
    ("N16c", "https://{host}/oauth/token", "http.path"),
    ("N18", "https://{name}:99999{path}", "http.bad_url"),
    ("N18a", "https://[::1{path}", "http.bad_url"),
    ("N19", "{path}?" + "x" * 2048, "http.bad_url"),
]

# What a listing does that never ends, or ends oddly.
LISTINGS: list[tuple[str, dict[str, Any], str]] = [
    ("N25", {"nextPageUri": "{path}"}, "http.page_loop"),
    ("N28", {"entities": [], "nextPageUri": "{path}?t={rand}"}, "http.no_progress"),
    ("N30", {"nextPageUri": 5}, "http.shape"),
    ("N30a", {"nextPageUri": ["{path}"]}, "http.shape"),
    ("N30b", {"entities": "not-a-list"}, "http.shape"),
]

BOTH = pytest.mark.parametrize("path", [SKILLS, LISTING], ids=["agent", "tenant"])


def ids(rows: list[Any]) -> list[str]:
    return [row[0] if isinstance(row, tuple) else row.id for row in rows]


def put(text: str, on: Stage, path: str) -> str:
    """Fill in what only a running tenant knows; it fills {host} and {rand} itself."""
    name = on.on.simulator.api_url.partition("://")[2].partition(":")[0]
    places = {"path": path, "name": name, "other": str(on.listener.port)}
    for place, value in places.items():
        text = text.replace(f"{{{place}}}", value)
    return text


def assert_listing_refused(on: Stage, path: str, page: dict[str, Any], reason: str) -> None:
    filled = json.loads(put(json.dumps(page), on, path))
    on.on.simulator.world.add_rule(Rule("GET", path, merge=filled))
    if path == SKILLS:
        assert_agent_refused(on, reason)
    else:
        assert_command_refused(on, 10, reason)


@BOTH
@pytest.mark.parametrize(("link", "reason"), [row[1:] for row in LINKS], ids=ids(LINKS))
def test_a_link_to_elsewhere(
    staged: Staged, trusted: Authority, path: str, link: str, reason: str
) -> None:
    options = Options(tls=trusted.server("good"))
    with staged(options=options, ca=trusted.bundle) as on:
        assert_listing_refused(on, path, {"nextPageUri": link}, reason)
        asked = [entry.path for entry in on.log()]
        assert set(asked) <= {TOKEN, AGENT, SKILLS, LISTING, MODES, *others()}
        assert asked.count(path) == 2  # once in each of two commands


def others() -> set[str]:
    """What is read of the other agent."""
    return {AGENT.replace("1001", "1002"), SKILLS.replace("1001", "1002")}


@BOTH
@pytest.mark.parametrize(("page", "reason"), [row[1:] for row in LISTINGS], ids=ids(LISTINGS))
def test_a_listing_that_goes_wrong(
    staged: Staged, path: str, page: dict[str, Any], reason: str
) -> None:
    with staged() as on:
        assert_listing_refused(on, path, page, reason)


@BOTH
def test_n31_an_empty_link_is_the_end(staged: Staged, path: str) -> None:
    with staged() as on:
        on.on.simulator.world.add_rule(Rule("GET", path, merge={"nextPageUri": ""}))
        assert_accepted(on)


ELSEWHERE = ["https://evil.example/", "http://127.0.0.1:{other}/", "/api/v2/agents/1002"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_n21_a_read_that_is_redirected(staged: Staged, status: int) -> None:
    with staged() as on:
        where = put(ELSEWHERE[status % 3], on, AGENT)
        rule = Rule("GET", AGENT, status=status, headers=header("Location", where))
        on.on.simulator.world.add_rule(rule)
        assert_agent_refused(on, "http.redirect")


@pytest.mark.parametrize("where", ELSEWHERE)
def test_n22_a_write_that_is_redirected(staged: Staged, where: str) -> None:
    """To another agent of the same tenant above all, who then must be as before."""
    with staged() as on:
        bystander = on.on.simulator.world.agent("1002")
        assert on.run("plan", "-o", "p.json", writes=("p.json",)).code == 0
        target = header("Location", put(where, on, WRITE))
        on.on.simulator.world.add_rule(Rule("PATCH", WRITE, status=307, headers=target))
        done = on.run("apply", "p.json", "--json", writes=("audit",))
        assert [entry.path for entry in on.on.patches()] == [WRITE]
        assert on.on.simulator.world.changes() == ()
        assert on.on.simulator.world.agent("1002") == bystander
        assert "http.redirect" in done.out
        assert done.code == 10


def test_n22b_writes_that_are_redirected_again_and_again_end_the_run(staged: Staged) -> None:
    ids = tuple(str(number) for number in range(1001, 1013))
    with staged(spec=people(ids), files=everybody(ids)) as on:
        assert on.run("plan", "-o", "p.json", writes=("p.json",)).code == 0
        away = header("Location", put(ELSEWHERE[1], on, WRITE))
        on.on.simulator.world.add_rule(Rule("PATCH", "**", status=307, headers=away))
        done = on.run("apply", "p.json", "--json", writes=("audit",))
        assert done.code == 10
        assert done.json["stopped"]
        assert len(on.on.patches()) < len(ids)
        assert on.on.simulator.world.changes() == ()


@pytest.mark.parametrize("where", ["https://evil.example/token", "http://127.0.0.1:{other}/token"])
def test_n24_a_token_request_that_is_redirected(staged: Staged, where: str) -> None:
    with staged() as on:
        target = header("Location", put(where, on, TOKEN))
        on.on.simulator.world.add_rule(Rule("POST", TOKEN, status=307, headers=target))
        assert_command_refused(on, 7, "http.redirect")
        assert [entry.path for entry in on.log()] == [TOKEN, TOKEN]  # once in each of two commands


# --- H: responses -----------------------------------------------------------------------------

HTML = f"<html>503 {MARK}</html>"
TEXT_HTML = header("Content-Type", "text/html")
SIX_TIMES = header("Content-Encoding", ", ".join(["gzip"] * 6))
GZIP = header("Content-Encoding", "gzip")
GZIPPED = gzip.compress(json.dumps(PROFILE).encode())


def skill(**values: Any) -> Rule:
    """A page that holds one skill like this."""
    return Rule("GET", SKILLS, merge={"entities": [values]})


UNREAD: list[tuple[str, Rule, str]] = [
    ("H02", Rule("GET", AGENT, headers=SIX_TIMES), "http.encoding"),
    ("H02a", answered(GZIPPED, headers=GZIP), "http.encoding"),
    ("H06", Rule("GET", AGENT, content_length="5, 2"), "http.protocol"),
    ("H06a", Rule("GET", AGENT, headers=header("Content-Length", "5", "2")), "http.protocol"),
    ("H06b", Rule("GET", AGENT, content_length="-5"), "http.protocol"),
    ("H09", answered(HTML, status=200, headers=TEXT_HTML), "http.content_type"),
    ("H09a", answered(HTML), "http.json"),
    ("H10", answered('{"id":"1001","id":"1001"}'), "http.json"),
    ("H11", answered(b"null"), "http.shape"),
    ("H12", answered(b"[]"), "http.shape"),
    ("H13", answered(f'"{MARK}"'), "http.shape"),
    ("H14", answered(b'{"v":NaN}'), "http.json"),
    ("H15", answered(b'{"v":1e999}'), "http.json"),
    ("H16", answered('{"v":' + "9" * 5000 + "}"), "http.json"),
    ("H19", answered('{"name":"\\ud800"}'), "http.json"),
    ("H19a", answered(b'{"name":"\xff"}'), "http.json"),
    # Our profiles name themselves `id`; `agentId` is what this API calls it elsewhere.
    ("H20", answered(b'{"agentId":"1002"}'), "http.id_mismatch"),
    ("H20a", Rule("GET", AGENT, merge={"id": "1002"}), "http.id_mismatch"),
    ("H20b", Rule("GET", AGENT, merge={"id": 1002}), "http.id_mismatch"),
    ("H22", Rule("GET", AGENT, merge={"id": True}), "http.shape"),
    ("H24", Rule("GET", AGENT, merge={"skills": "not-a-list"}), "http.shape"),
    ("H24a", skill(skillId="s-voice", level="5"), "http.shape"),
    ("H24b", skill(skillId="s-voice", level=5.5), "http.shape"),
    ("H24c", skill(skillId="s-voice", level=True), "http.shape"),
    ("H24d", skill(**{MARK: MARK}), "http.shape"),
    ("H33", Rule("GET", AGENT, headers=header("ETag", '"a\r\nX: 1"')), "http.protocol"),
]


@pytest.mark.parametrize(("rule", "reason"), [row[1:] for row in UNREAD], ids=ids(UNREAD))
def test_an_answer_that_cannot_be_used(staged: Staged, rule: Rule, reason: str) -> None:
    with staged(options=Options(faults=(rule,))) as on:
        assert_agent_refused(on, reason)


LOCKLESS = [
    ("H30", ("abc",)),
    ("H31", ('W/"1"',)),
    ("H32", ()),
    ("H34", ('"' + "a" * 65000 + '"',)),
    ("H36", ('"1"', '"2"')),
    ("H37", ('"1", "2"',)),
    ("H38", ("*",)),
]


@pytest.mark.parametrize("tags", [row[1] for row in LOCKLESS], ids=ids(LOCKLESS))
def test_a_tag_that_cannot_lock(staged: Staged, tags: tuple[str, ...]) -> None:
    rule = Rule("GET", AGENT, headers=header("ETag", *tags))
    with staged(options=Options(faults=(rule,))) as on:
        assert_agent_refused(on, "lock.noStrongEtag", status="blocked", code=4)


NAME = "\x1b[2J\x1b]0;x\x07\u202e\r\n::error::x"

READABLE = [
    # The row's `{}` would be an agent without work mode or tag; the mark stands before a whole one.
    ("H18", answered(b"\xef\xbb\xbf" + json.dumps(PROFILE).encode())),
    ("H18a", answered("\ufeff" + json.dumps(PROFILE))),
    ("H21", Rule("GET", AGENT, merge={"id": 1001})),
    ("H21a", Rule("GET", AGENT, merge={"id": None, "agentId": 1001})),
    ("H23", Rule("GET", AGENT, merge={"name": "\x1b[2J"})),
    ("H23a", Rule("GET", AGENT, merge={"name": NAME, "teamId": NAME, MARK: MARK})),
    ("H23b", Rule("GET", AGENT, merge={"currentWorkMode": {"name": NAME}})),
]


@pytest.mark.parametrize("rule", [row[1] for row in READABLE], ids=ids(READABLE))
def test_an_answer_that_is_odd_and_usable(staged: Staged, rule: Rule) -> None:
    with staged(options=Options(faults=(rule,))) as on:
        assert_accepted(on)


# Each of these is no Retry-After: the tenant's own backoff counts, a second at least.
RETRY_AFTER = [
    ("H41", "abc"),
    ("H42", "1.5"),
    ("H44", ""),
    ("H45", "Sun, 22 Nov 2026 10:00:30"),
    ("H47", "1, 60"),
    ("H48", "٣".encode().decode("latin-1")),
]


@pytest.mark.parametrize("value", [row[1] for row in RETRY_AFTER], ids=ids(RETRY_AFTER))
def test_a_retry_after_that_says_nothing(staged: Staged, value: str) -> None:
    busy = Rule("PATCH", WRITE, times=1, status=429, headers=header("Retry-After", value))
    with staged(options=Options(faults=(busy,))) as on:
        assert_accepted(on)
        first, second = (entry.at_ms for entry in on.on.patches())
        assert 1000 <= second - first < 15_000


def test_h43_a_retry_after_that_asks_for_ages_ends_the_run(staged: Staged) -> None:
    busy = Rule("PATCH", WRITE, status=429, headers=header("Retry-After", "999999999999"))
    with staged(options=Options(faults=(busy,))) as on:
        assert on.run("plan", "-o", "p.json", writes=("p.json",)).code == 0
        done = on.run("apply", "p.json", "--json", writes=("audit",))
        assert done.code == 10
        assert len(on.on.patches()) == 1
        assert on.on.simulator.world.changes() == ()


PROBLEMS: list[tuple[str, dict[str, Any] | str, tuple[str, ...]]] = [
    (
        "H51",
        {"type": "https://evil.example/p", "detail": "\x1b]0;x\x07"},
        ("]0;x",),
    ),
    ("H51a", {"type": "http://127.0.0.1:{other}/p", "detail": NAME}, ("u{202e}",)),
    ("H52", {"detail": f"{MARK} token=abc"}, ()),
    ("H52a", {"detail": f"client_secret={MARK} Authorization: Bearer {MARK}"}, ()),
    ("H52b", {"detail": "the secret is {secret}, the token is {token}"}, ()),
    ("H52f", {"detail": f"{MARK} token=abc", "more": "x" * 300_000}, ()),
    ("H52g", {"detail": f"{MARK} token=abc", "more": [[]] * 2_000}, ()),
]


@pytest.mark.parametrize("mode", ["--json", "-v"])
@pytest.mark.parametrize(("problem", "shown"), [row[1:] for row in PROBLEMS], ids=ids(PROBLEMS))
def test_a_refusal_that_says_what_it_should_not(
    staged: Staged, problem: dict[str, Any] | str, shown: tuple[str, ...], mode: str
) -> None:
    with staged() as on:
        assert on.run("plan", "-o", "p.json", writes=("p.json",)).code == 0
        body = put(problem if isinstance(problem, str) else json.dumps(problem), on, WRITE)
        body = body.replace("{secret}", on.on.simulator.client_secret).replace("{token}", token(2))
        kind = header("Content-Type", "application/problem+json")
        on.on.simulator.world.add_rule(Rule("PATCH", WRITE, status=422, headers=kind, body=body))
        done = on.run("apply", "p.json", mode, writes=("audit",))
        assert done.code == 5
        assert on.on.simulator.world.changes() == ()
        assert len(on.on.patches()) == 1
        (record,) = [r for r in on.on.records() if r["kind"] == "agent.outcome"]
        assert (record["outcome"], record["apiResponse"]["status"]) == ("rejected", 422)
        said = record["message"]
        if mode == "--json":
            (agent,) = done.json["agents"]
            assert agent["outcome"] == "rejected"
            said = agent["message"]
        else:
            assert "(1001, Small) rejected: the tenant answered 422" in done.out
        assert all(text in said for text in shown)


@pytest.mark.parametrize("mode", ["--json", "-v"])
@pytest.mark.parametrize(
    "refused",
    [
        {"errors": [f"{MARK} token=abc"]},
        {"errors": [{"message": f"{MARK} token=abc"}]},
        {"skillLevels": [{"skillId": "s-voice", "success": False, "error": f"{MARK} token=abc"}]},
        {"errorCount": f"{MARK} token=abc"},
        {"errors": [NAME]},
    ],
    ids=["H52j", "H52k", "H52l", "H52m", "H52n"],
)
def test_a_refusal_in_part_that_says_what_it_should_not(
    staged: Staged, refused: dict[str, Any], mode: str
) -> None:
    with staged() as on:
        assert on.run("plan", "-o", "p.json", writes=("p.json",)).code == 0
        body = json.dumps({"agentId": "1001", "workModeId": "m-available"} | refused)
        on.on.simulator.world.add_rule(Rule("PATCH", WRITE, body=body))
        done = on.run("apply", "p.json", mode, writes=("audit",))
        assert done.code == 5
        (record,) = [r for r in on.on.records() if r["kind"] == "agent.outcome"]
        assert (record["outcome"], record["apiResponse"]["status"]) == ("rejected", 200)


# --- O: the token endpoint --------------------------------------------------------------------


@dataclass(frozen=True)
class Grant:
    """A row whose token answer is refused."""

    id: str
    answer: dict[str, Any] | str
    reason: str


BEARER = {"access_token": "t", "token_type": "bearer"}

GRANTS = [
    Grant("O01", {}, "auth.token"),
    Grant("O02", {"access_token": ""}, "auth.token"),
    Grant("O02a", {"access_token": None}, "auth.token"),
    Grant("O02b", {"access_token": {MARK: MARK}}, "auth.token"),
    Grant("O02c", f"<html>{MARK}</html>", "auth.token"),
    Grant("O02d", "[]", "auth.token"),
    Grant("O04", {"access_token": f"{MARK}\nX-Evil: 1"}, "auth.token"),
    Grant("O04a", {"access_token": f"{MARK}\r\n\r\n"}, "auth.token"),
    Grant("O05", {"access_token": f" {MARK}"}, "auth.token"),
    Grant("O05a", {"access_token": f"{MARK}\u00e9"}, "auth.token"),
    Grant("O05b", {"access_token": MARK * 10_000}, "auth.token"),
    Grant("O07", {"access_token": "t", "token_type": "mac"}, "auth.token_type"),
    Grant("O07a", {"access_token": MARK, "token_type": [MARK]}, "auth.token_type"),
    Grant("O08", BEARER | {"expires_in": 0}, "auth.expires"),
    Grant("O08a", BEARER | {"expires_in": -1}, "auth.expires"),
    Grant("O08b", BEARER | {"expires_in": MARK}, "auth.expires"),
]


@pytest.mark.parametrize("row", GRANTS, ids=ids(GRANTS))
def test_a_token_answer_that_is_refused(staged: Staged, row: Grant) -> None:
    body = row.answer if isinstance(row.answer, str) else json.dumps(row.answer)
    with staged(options=Options(faults=(Rule("POST", TOKEN, body=body),))) as on:
        assert_command_refused(on, 7, row.reason)
        assert [entry.path for entry in on.log()] == [TOKEN, TOKEN]  # once in each of two commands


# The row's token `t` would be none of this tenant's; the answer around a real one is as in the row.
# That a life is cut to a day cannot be seen from here; tests/tenant does.
USABLE: list[tuple[str, dict[str, Any]]] = [
    ("O10", {"expires_in": 1e18}),
    ("O10a", {"expires_in": "3600"}),
    ("O10b", {"expires_in": None}),
    ("O11", {"resource_server_base_uri": "https://evil.example/"}),
    ("O11a", {"resource_server_base_uri": "http://127.0.0.1:{other}/", "api_endpoint": "{host}"}),
    ("O12", {"token_type": "bEaReR", MARK: MARK}),
]


@pytest.mark.parametrize("extra", [row[1] for row in USABLE], ids=ids(USABLE))
def test_a_token_answer_that_is_odd_and_usable(staged: Staged, extra: dict[str, Any]) -> None:
    with staged() as on:
        filled = json.loads(put(json.dumps(extra), on, TOKEN))
        on.on.simulator.world.add_rule(Rule("POST", TOKEN, merge=filled))
        assert_accepted(on)


def test_the_tokens_that_are_looked_for_are_those_that_are_given_out(staged: Staged) -> None:
    import requests

    with staged() as on:
        simulator = on.on.simulator
        form = {"grant_type": "client_credentials"}
        login = (simulator.client_id, simulator.client_secret)
        for number in (1, 2):
            answer = requests.post(simulator.token_url, data=form, auth=login, timeout=10)
            assert answer.json()["access_token"] == token(number)
        assert on.secrets() == (simulator.client_secret, token(1), token(2))
