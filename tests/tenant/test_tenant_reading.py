"""Reading agents, schedules and the skill list: what a tenant may say, what we make of it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest

from cxplan.core.errors import AuthError, Exit, TenantError, UnavailableError
from cxplan.core.ids import AgentId, ETag, SkillId, WorkModeId
from cxplan.core.live import (
    Assignment,
    ListedSkill,
    MissingAgent,
    ObservedAgent,
    Schedule,
    UnreadableSchedule,
    UnreadAgent,
)
from cxplan.tenant.connection import Limits
from tests.tenant.server import HANG_UP, RESET, Asked, answer
from tests.tenant.stage import (
    AGENT,
    CATALOGUE,
    PROFILE,
    SCHEDULE,
    SKILLS,
    TAG,
    TOKEN,
    TOKEN_CALL,
    assert_no_canary,
    in_turn,
    skill,
    stage,
    token_answer,
)

ETAG = ("ETag", TAG)
BODY = {"id": "1001", "currentWorkMode": {"id": "wm-1"}}


def test_an_agent_is_its_profile_and_all_pages_of_its_skills() -> None:
    pages = {
        SKILLS: answer({"entities": [skill(2)], "nextPageUri": "/api/v2/agents/1001/skills?p=2"}),
        f"{SKILLS}?p=2": answer({"entities": [skill(1, level=0)], "nextPageUri": None}),
    }
    with stage(pages) as here:
        reading = here.tenant.agent(AGENT)
    assert reading == ObservedAgent(
        AGENT,
        ETag(TAG),
        WorkModeId("wm-1"),
        (Assignment(SkillId("s1"), 0, 1, None), Assignment(SkillId("s2"), 3, 1, None)),
    )
    assert [a.key for a in here.server.asked] == [TOKEN_CALL, PROFILE, SKILLS, f"{SKILLS}?p=2"]


def test_a_get_carries_what_it_must_and_nothing_that_the_environment_adds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password eve\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    with stage() as here:
        assert isinstance(here.tenant.agent(AGENT), ObservedAgent)
    asked = here.server.asked[1]
    assert asked.header("Authorization") == f"Bearer {TOKEN}"
    assert asked.header("Accept-Encoding") == "identity"
    assert asked.header("Cookie") is None


def test_cookies_of_a_tenant_are_not_kept() -> None:
    with stage({PROFILE: answer(BODY, headers=[ETAG, ("Set-Cookie", "track=me; Path=/")])}) as here:
        here.tenant.agent(AGENT)
    assert all(asked.header("Cookie") is None for asked in here.server.asked)


# --- H: answers about one agent ---------------------------------------------------------------

TOO_LARGE = Limits(body=64 << 10)

UNREAD: list[tuple[str, Any, str]] = [
    (
        "H02",
        answer(BODY, headers=[ETAG, ("Content-Encoding", "gzip, gzip, gzip, gzip")]),
        "http.encoding",
    ),
    ("H01", answer(BODY, headers=[ETAG, ("Content-Encoding", "br")]), "http.encoding"),
    (
        "H03",
        [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * (65 << 10), HANG_UP],
        "http.too_large",
    ),
    (
        "H04",
        [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"8000\r\n"
            + b" " * 0x8000
            + b"\r\n8001\r\n"
            + b" " * 0x8001
            + b"\r\n0\r\n\r\n"
        ],
        "http.too_large",
    ),
    ("H05", answer(BODY, headers=[ETAG, ("Content-Length", str(10**12))]), "http.too_large"),
    ("H06", answer(BODY, headers=[ETAG, ("Content-Length", "5, 2")]), "http.protocol"),
    ("H08", answer(BODY, headers=[ETAG, ("X-Long", "x" * (1 << 20))]), "http.protocol"),
    ("H08b", answer(BODY, headers=[(f"X-{n}", "x") for n in range(300)]), "http.protocol"),
    ("H07", [b"HELO what is this\r\n\r\n", HANG_UP], "http.protocol"),
    (
        "H09",
        answer(b"<html>503</html>", headers=[ETAG, ("Content-Type", "text/html")]),
        "http.content_type",
    ),
    ("H10", answer(b"", headers=[ETAG]), "http.json"),
    ("H11", answer(b"null", headers=[ETAG]), "http.shape"),
    ("H12", answer(b"[]", headers=[ETAG]), "http.shape"),
    ("H13", answer(b'{"id": "1001"', headers=[ETAG]), "http.json"),
    ("H14", answer(b'{"id":"1001","v":NaN}', headers=[ETAG]), "http.json"),
    ("H15", answer(b'{"id":"1001","v":1e999}', headers=[ETAG]), "http.json"),
    ("H16", answer(b'{"id":"1001","id":"1002"}', headers=[ETAG]), "http.json"),
    ("H17", answer(b"[" * 50_000, headers=[ETAG]), "http.depth"),
    ("H19", answer(b'{"id":"\xff"}', headers=[ETAG]), "http.json"),
    ("H19b", answer(b'{"id":"1001","name":"\\ud800"}', headers=[ETAG]), "http.json"),
    ("H20", answer({"agentId": "1002"}, headers=[ETAG]), "http.id_mismatch"),
    ("H20b", answer({"id": 1002}, headers=[ETAG]), "http.id_mismatch"),
    ("H22", answer({"id": True}, headers=[ETAG]), "http.shape"),
    ("H24", answer({"id": "1001", "skills": "not-a-list"}, headers=[ETAG]), "http.shape"),
    ("H25", answer({"id": "1001", "currentWorkMode": "wm-1"}, headers=[ETAG]), "http.shape"),
    (
        "H33",
        [
            b'HTTP/1.1 200 OK\r\nETag: "a\r\nX: 1"\r\nContent-Type: application/json\r\n'
            b'Content-Length: 13\r\n\r\n{"id":"1001"}'
        ],
        "http.protocol",
    ),
    (
        "H33b",
        [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nno colon\r\n\r\n{}", HANG_UP],
        "http.protocol",
    ),
    ("103", [b"HTTP/1.1 103 Early Hints\r\n\r\n", HANG_UP], "http.protocol"),
    ("206", answer(BODY, 206, headers=[ETAG]), "http.status"),
    ("204", answer(b"", 204), "http.shape"),
    ("400", answer({}, 400), "http.status"),
    ("403", answer({}, 403), "http.forbidden"),
    (
        "N21",
        answer(b"", 302, headers=[("Location", "http://{evil}/")]),
        "http.redirect",
    ),
    ("N23", answer(b"", 307, headers=[("Location", "/api/v2/agents/1002")]), "http.redirect"),
    ("501", answer({}, 501), "http.unavailable"),
    ("cut", [b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"id"', HANG_UP], "http.cut"),
    ("lost", [HANG_UP], "http.cut"),
    ("reset", [RESET], "http.cut"),
]


@pytest.mark.parametrize(("script", "code"), [pytest.param(s, c, id=i) for i, s, c in UNREAD])
def test_an_answer_that_is_refused_makes_its_agent_unread(script: Any, code: str) -> None:
    with stage(limits=TOO_LARGE) as here:
        here.answers[PROFILE] = [
            step.replace(b"{evil}", here.elsewhere.host.encode())
            if isinstance(step, bytes)
            else step
            for step in script
        ]
        reading = here.tenant.agent(AGENT)
        assert isinstance(reading, UnreadAgent)
        assert reading.code == code
        assert re.fullmatch(r"[\x20-\x7e]{10,200}", reading.reason)
        assert_no_canary(reading)
        here.answers[PROFILE] = answer(BODY, headers=[ETAG])
        assert isinstance(here.tenant.agent(AGENT), ObservedAgent)  # the session still works


def test_the_body_of_a_redirect_is_bounded_too() -> None:
    sent: list[int] = []

    def endless(_: Asked) -> Iterator[bytes]:
        yield b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n"
        for number in range(1000):
            sent.append(number)
            yield b" " * 65536

    with stage({PROFILE: endless}, limits=Limits(body=1 << 16)) as here:
        reading = here.tenant.agent(AGENT)
    assert isinstance(reading, UnreadAgent)
    assert reading.code == "http.redirect"
    assert len(sent) < 500  # what the sockets buffer, and no more


READ: list[tuple[str, Any, str | None]] = [
    ("H18", answer(b"\xef\xbb\xbf{}", headers=[ETAG]), TAG),
    ("H18b", answer(b'\xef\xbb\xbf{"id": "1001"}', headers=[ETAG]), TAG),
    ("H21", answer({"agentId": 1001}, headers=[ETAG]), TAG),
    ("H21b", answer({"id": 1001, "unknown": {"deep": [1.5]}}, headers=[ETAG]), TAG),
    ("H23", answer({"id": "1001", "name": "\x1b[2J"}, headers=[ETAG]), TAG),
    ("H26", answer({"id": "1001", "skills": [skill(9)]}, headers=[ETAG]), TAG),
    ("H30", answer(BODY, headers=[("ETag", "abc")]), None),
    ("H31", answer(BODY, headers=[("ETag", 'W/"1"')]), None),
    ("H32", answer(BODY), None),
    ("H34", answer(BODY, headers=[("ETag", '"' + "a" * 65000 + '"')]), None),
    ("H36", answer(BODY, headers=[("ETag", '"1"'), ("ETag", '"2"')]), None),
    ("H36b", answer(BODY, headers=[("ETag", '"1"'), ("eTAG", '"1"')]), None),
    ("H37", answer(BODY, headers=[("ETag", '"1", "2"')]), None),
    ("H38", answer(BODY, headers=[("ETag", '"caf\u00e9"'.encode())]), None),
    ("plus", answer(BODY, headers=[ETAG, ("Content-Type", "application/hal+json; v=1")]), TAG),
    (
        "untyped",
        [b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Length: 13\r\n\r\n{"id":"1001"}'],
        TAG,
    ),
    ("identity", answer(BODY, headers=[ETAG, ("Content-Encoding", "identity")]), TAG),
]


@pytest.mark.parametrize(("script", "etag"), [pytest.param(s, e, id=i) for i, s, e in READ])
def test_an_answer_that_is_tolerated_gives_an_agent(script: Any, etag: str | None) -> None:
    with stage({PROFILE: script}) as here:
        reading = here.tenant.agent(AGENT)
    assert isinstance(reading, ObservedAgent)
    assert reading.etag == etag
    assert [held.skill_id for held in reading.skills] == ["s1"]  # of the pages, not the profile


SKILL_PAGES: list[tuple[str, Any, str]] = [
    ("boolean level", {"entities": [skill(1, level=True)]}, "http.shape"),
    ("float level", {"entities": [skill(1, level=3.5)]}, "http.shape"),
    ("negative level", {"entities": [skill(1, level=-1)]}, "http.shape"),
    ("text level", {"entities": [skill(1, level="3")]}, "http.shape"),
    ("no id", {"entities": [{"level": 3}]}, "http.shape"),
    ("not a list", {"entities": {}}, "http.shape"),
    ("bare list", [skill(1)], "http.shape"),
    ("short", {"entities": [skill(1)], "total": 2}, "http.short_list"),
    ("short, other name", {"entities": [skill(1)], "totalRecords": 2}, "http.short_list"),
    ("twice", {"entities": [skill(1), skill(1)]}, "http.duplicate"),
]


@pytest.mark.parametrize(("page", "code"), [pytest.param(p, c, id=i) for i, p, c in SKILL_PAGES])
def test_a_page_of_skills_that_is_refused_makes_its_agent_unread(page: Any, code: str) -> None:
    with stage({SKILLS: answer(page)}) as here:
        reading = here.tenant.agent(AGENT)
    assert isinstance(reading, UnreadAgent)
    assert reading.code == code


@pytest.mark.parametrize(
    "script", [answer(b"", 204), answer({}), answer({"entities": None}), answer({"entities": []})]
)
def test_an_empty_list_of_skills_is_no_error(script: Any) -> None:
    with stage({SKILLS: script}) as here:
        reading = here.tenant.agent(AGENT)
    assert isinstance(reading, ObservedAgent)
    assert reading.skills == ()


def test_parts_that_the_tenant_does_not_state_are_unknown_not_zero() -> None:
    page = answer({"entities": [{"skillId": 7, "level": None, "name": "x"}]})
    with stage({SKILLS: page, PROFILE: answer({"id": "1001", "currentWorkMode": None})}) as here:
        reading = here.tenant.agent(AGENT)
    assert reading == ObservedAgent(
        AGENT, None, None, (Assignment(SkillId("7"), None, None, None),)
    )


def test_a_list_that_moved_while_it_was_read_is_read_once_more() -> None:
    moved = answer({"entities": [skill(1), skill(2), skill(1)]})
    with stage({SKILLS: in_turn(moved, answer({"entities": [skill(1), skill(2)]}))}) as here:
        reading = here.tenant.agent(AGENT)
    assert isinstance(reading, ObservedAgent)
    assert here.server.count(SKILLS) == 2


def test_an_unknown_agent_is_missing_not_unread() -> None:
    with stage() as here:
        assert here.tenant.agent(AgentId("4711")) == MissingAgent(AgentId("4711"))


@pytest.mark.parametrize("agent", ["a/../b", "a?b#c", "a b", "%2e%2e", "\u00e4;x", "1\r\nX: 1"])
def test_an_id_stays_one_segment_of_the_path(agent: str) -> None:
    with stage() as here:
        here.tenant.agent(AgentId(agent))
    target = here.server.asked[-1].target
    assert re.fullmatch(r"/api/v2/agents/[A-Za-z0-9%._~-]+", target)


# --- N: next pages ----------------------------------------------------------------------------

LINKS: list[tuple[str, Any, str]] = [
    ("N01", "http://{evil}/x", "http.cross_origin"),
    ("N02", "//{evil}/x", "http.cross_origin"),
    ("N03", "https://{host}/api/v2/skills?page=2", "http.scheme"),
    ("N04", "http://127.0.0.1:1/api/v2/skills", "http.cross_origin"),
    ("N06", "http://u:p@{host}/api/v2/skills", "http.userinfo"),
    ("N06b", "http://{host}@{evil}/", "http.userinfo"),
    ("N07", "@{evil}/x", "http.bad_url"),
    ("N08", "page2", "http.bad_url"),
    ("N09", "http://{host}\\@{evil}/x", "http.bad_url"),
    ("N10", "http://evil.example\\.{host}/", "http.bad_url"),
    ("N12", "http://{host}\t.evil.example/", "http.bad_url"),
    ("N13", "http://{host}%2eevil.example/", "http.bad_url"),
    ("N15", "file:///etc/passwd", "http.scheme"),
    ("N16", "../../../token", "http.path"),
    ("N17", "/oauth/token", "http.path"),
    ("N18", "http://{host}:99999/x", "http.bad_url"),
    ("N19", "/api/v2/skills?" + "x" * 2048, "http.bad_url"),
    ("N30", 5, "http.shape"),
]


@pytest.mark.parametrize(("link", "code"), [pytest.param(u, c, id=i) for i, u, c in LINKS])
def test_a_link_that_leads_away_is_not_followed(link: Any, code: str) -> None:
    with stage() as here:
        uri = here.fill(link) if isinstance(link, str) else link
        page = answer({"entities": [skill(1)], "nextPageUri": uri})
        here.answers |= {SKILLS: page, CATALOGUE: page}
        reading = here.tenant.agent(AGENT)
        assert isinstance(reading, UnreadAgent)
        assert reading.code == code
        with pytest.raises(UnavailableError) as caught:
            here.tenant.lists()
        assert (caught.value.problem.code, caught.value.exit_code) == (code, Exit.UNAVAILABLE)
    assert len(here.server.asked) == 4  # token, profile, one page each


def _numbered(items: int) -> Any:
    numbers = itertools.count()

    def play(asked: Asked) -> Any:
        number = next(numbers)
        path = asked.target.partition("?")[0]
        entities = [skill(number)] * items
        return answer({"entities": entities, "nextPageUri": f"{path}?t={number}"})

    return play


def test_a_list_that_leads_back_to_itself_is_refused() -> None:  # N25
    page = answer({"entities": [skill(1)], "nextPageUri": "/api/v2/agents/1001/skills"})
    with stage({SKILLS: page}) as here:
        reading = here.tenant.agent(AGENT)
    assert isinstance(reading, UnreadAgent)
    assert reading.code == "http.page_loop"


def test_a_list_without_an_end_stops_at_a_thousand_pages() -> None:  # N27
    with stage({SKILLS: _numbered(1)}) as here:
        reading = here.tenant.agent(AGENT)
    assert isinstance(reading, UnreadAgent)
    assert reading.code == "http.page_limit"
    assert sum("/skills" in asked.target for asked in here.server.asked) == 1000


def test_an_empty_page_that_names_a_next_one_is_refused_at_once() -> None:  # N28
    with stage({SKILLS: _numbered(0)}) as here:
        reading = here.tenant.agent(AGENT)
    assert isinstance(reading, UnreadAgent)
    assert reading.code == "http.no_progress"
    assert sum("/skills" in asked.target for asked in here.server.asked) == 1


def test_an_empty_link_is_the_end() -> None:  # N31
    with stage({SKILLS: answer({"entities": [skill(1)], "nextPageUri": ""})}) as here:
        assert isinstance(here.tenant.agent(AGENT), ObservedAgent)


# --- the skill list ---------------------------------------------------------------------------


def test_limits_come_from_every_page_of_the_skill_list() -> None:
    with stage() as here:
        entities = [skill(1, maximumConcurrentInteractions=4), skill(2)]
        absolute = here.fill("http://{host}/api/v2/skills?c=1")
        here.answers |= {
            CATALOGUE: answer({"entities": entities, "nextPageUri": absolute}),
            f"{CATALOGUE}?c=1": answer({"entities": [skill(3, maximumConcurrentInteractions=0)]}),
        }
        assert here.tenant.lists().skills == {
            "s1": ListedSkill(maximum=4),
            "s2": ListedSkill(),
            "s3": ListedSkill(maximum=0),
        }


@pytest.mark.parametrize("status", [404, 405])
def test_a_tenant_without_a_skill_list_has_no_limits(status: int) -> None:
    with stage({CATALOGUE: answer({}, status)}) as here:
        assert here.tenant.lists().skills is None


@pytest.mark.parametrize(
    ("script", "kind", "code"),
    [
        (answer({}, 403), AuthError, "auth.scope"),
        (answer({}, 500), UnavailableError, "http.unavailable"),
        (answer({}, 400), UnavailableError, "http.status"),
        (answer(b"<html>", headers=[("Content-Type", "text/html")]), UnavailableError, None),
    ],
)
def test_a_skill_list_that_cannot_be_read_ends_the_command(
    script: Any, kind: type[TenantError], code: str | None
) -> None:
    with stage({CATALOGUE: script}) as here, pytest.raises(kind) as caught:
        here.tenant.lists()
    assert caught.value.problem.code == (code or "http.content_type")
    assert caught.value.problem.hint


# --- schedules --------------------------------------------------------------------------------


def _shift(start: str, end: str = "2026-11-22T18:00:00Z", mode: Any = "wm-1") -> dict[str, Any]:
    return {"startTime": start, "endTime": end, "workModeId": mode}


@pytest.mark.parametrize(
    "script",
    [
        answer({}, 404),
        answer(b"", 204),
        answer(b"null"),
        answer(b"[]"),
        answer({"shifts": None}),
        answer({"shifts": []}),
        answer({"agentId": 1001}),
    ],
)
def test_no_shift_has_many_forms(script: Any) -> None:
    with stage({SCHEDULE: script}) as here:
        assert here.tenant.schedule(AGENT) == Schedule(())


def test_shifts_are_in_utc_and_sorted() -> None:
    rows = [_shift("2026-11-22T09:30:00.5+02:00", mode=7), _shift("2026-11-22t06:00:00z")]
    with stage({SCHEDULE: answer({"shifts": rows})}) as here:
        schedule = here.tenant.schedule(AGENT)
    assert isinstance(schedule, Schedule)
    assert [shift.start.isoformat() for shift in schedule.shifts] == [
        "2026-11-22T06:00:00+00:00",
        "2026-11-22T07:30:00.500000+00:00",
    ]
    assert [shift.work_mode for shift in schedule.shifts] == ["wm-1", "7"]


UNREADABLE: list[tuple[str, Any]] = [
    ("naive", answer({"shifts": [_shift("2026-11-22T09:00:00")]})),
    ("date only", answer({"shifts": [_shift("2026-11-22")]})),
    ("no such day", answer({"shifts": [_shift("2026-02-30T09:00:00Z")]})),
    ("out of range", answer({"shifts": [_shift("0001-01-01T00:00:00+14:00")]})),
    ("number", answer({"shifts": [_shift(1763800000)]})),  # type: ignore[arg-type]
    ("no end", answer({"shifts": [{"startTime": "2026-11-22T09:00:00Z"}]})),
    ("not a list", answer({"shifts": {}})),
    ("other agent", answer({"agentId": "1002", "shifts": []})),
    ("html", answer(b"<html>", headers=[("Content-Type", "text/html")])),
    ("empty body", answer(b"")),
    ("forbidden", answer({}, 403)),
    ("failing", answer({}, 503)),
    ("redirect", answer(b"", 302, headers=[("Location", "/x")])),
    ("no method", answer({}, 405)),
]


@pytest.mark.parametrize("script", [pytest.param(s, id=i) for i, s in UNREADABLE])
def test_a_schedule_that_cannot_be_read_is_never_no_shift(script: Any) -> None:
    with stage({SCHEDULE: script}) as here:
        schedule = here.tenant.schedule(AGENT)
    assert isinstance(schedule, UnreadableSchedule)
    assert schedule.reason.startswith("http.")


# --- retries, tokens, permissions -------------------------------------------------------------


@pytest.mark.parametrize("fault", [answer({}, 500), answer({}, 503), [HANG_UP], [RESET]])
def test_a_passing_fault_is_tried_again(fault: Any) -> None:
    good = answer(BODY, headers=[ETAG])
    with stage({PROFILE: in_turn(fault, fault, fault, good)}) as here:
        assert isinstance(here.tenant.agent(AGENT), ObservedAgent)
    assert here.server.count(PROFILE) == 4


def test_after_four_attempts_the_agent_is_unread() -> None:
    with stage({PROFILE: answer({}, 502)}) as here:
        reading = here.tenant.agent(AGENT)
    assert isinstance(reading, UnreadAgent)
    assert reading.code == "http.unavailable"
    assert here.server.count(PROFILE) == 4


def test_a_token_that_ran_out_is_renewed_once() -> None:
    def judge(asked: Asked) -> Any:
        fresh = asked.header("Authorization") == "Bearer fresh"
        return answer(BODY, headers=[ETAG]) if fresh else answer({}, 401)

    with stage(
        {PROFILE: judge, TOKEN_CALL: in_turn(token_answer(), token_answer("fresh"))}
    ) as here:
        assert isinstance(here.tenant.agent(AGENT), ObservedAgent)
    assert here.server.count(TOKEN_CALL) == 2


def test_a_fresh_token_that_is_refused_ends_the_command() -> None:
    with stage({PROFILE: answer({}, 401)}) as here:
        with pytest.raises(AuthError) as caught:
            here.tenant.agent(AGENT)
        assert_no_canary(caught.value)
    assert here.server.count(PROFILE) == 2
    assert here.server.count(TOKEN_CALL) == 2


@pytest.mark.parametrize(
    ("forbidden", "scope"), [(r"/agents/\d", "agent:read"), (r"/skills$", "skill:read")]
)
def test_three_forbidden_agents_at_the_start_mean_a_missing_permission(
    forbidden: str, scope: str
) -> None:
    def judge(asked: Asked) -> Any:
        if asked.key == TOKEN_CALL:
            return token_answer()
        return answer({}, 403 if re.search(forbidden, asked.target) else 200)

    with stage() as here:
        here.server.script = judge
        for number in ("1", "2"):
            reading = here.tenant.agent(AgentId(number))
            assert isinstance(reading, UnreadAgent)
            assert scope in reading.reason
        with pytest.raises(AuthError, match=scope) as caught:
            here.tenant.agent(AgentId("3"))
    assert "Agent Management" in str(caught.value.problem.hint)


def test_a_forbidden_agent_later_on_is_only_unread() -> None:
    with stage({PROFILE.replace("1001", "9"): answer({}, 403)}) as here:
        assert isinstance(here.tenant.agent(AGENT), ObservedAgent)
        for _ in range(4):
            assert isinstance(here.tenant.agent(AgentId("9")), UnreadAgent)


def test_a_tenant_that_is_not_there_ends_the_command_and_says_which() -> None:
    with stage(api_url="http://127.0.0.1:1") as here:
        with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1 cannot be reached") as caught:
            here.tenant.agent(AGENT)
        assert caught.value.problem.code == "http.unreachable"
        assert "--api-url" in str(caught.value.problem.hint)
        assert len(here.clock.sleeps) == 3


def test_a_tenant_that_goes_away_later_leaves_agents_unread() -> None:
    with stage() as here:
        here.tenant.connect(write=False)
        assert isinstance(here.tenant.agent(AGENT), ObservedAgent)
        here.server.close()
        reading = here.tenant.agent(AGENT)
    assert isinstance(reading, UnreadAgent)
    assert reading.code == "http.unreachable"


def test_a_throttled_read_pauses_and_goes_on() -> None:
    slow = answer({}, 429, headers=[("Retry-After", "7")])
    with stage({PROFILE: in_turn(slow, answer(BODY, headers=[ETAG]))}) as here:
        assert isinstance(here.tenant.agent(AGENT), ObservedAgent)
        assert sum(here.clock.sleeps) == pytest.approx(7, abs=0.5)


def test_a_pause_over_a_minute_ends_the_command_with_the_time() -> None:
    script = answer({}, 429, headers=[("Retry-After", "3600")])
    with stage({PROFILE: script}) as here:
        with pytest.raises(UnavailableError, match=r"until 2026-11-22T1(0:59|1:00):") as caught:
            here.tenant.agent(AGENT)
        assert caught.value.problem.code == "http.rate_limited"
        assert not here.clock.sleeps


def test_nothing_but_429_ends_after_five_minutes() -> None:
    with stage({PROFILE: answer({}, 429, headers=[("Retry-After", "30")])}) as here:
        with pytest.raises(UnavailableError) as caught:
            here.tenant.agent(AGENT)
        assert caught.value.problem.code == "http.rate_limited"
        assert 299 <= sum(here.clock.sleeps) <= 360


def test_an_answer_that_drips_ends_at_the_deadline_of_the_whole_exchange() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
    drip = [head, *[b" ", 0.05] * 200]
    slow_head = [*itertools.chain(*[(head[i : i + 1], 0.05) for i in range(len(head))])]
    for script in (drip, slow_head):
        with stage({PROFILE: script}, limits=Limits(exchange=0.2)) as here:
            began = here.clock.monotonic()
            reading = here.tenant.agent(AGENT)
            spent = here.clock.monotonic() - began - sum(here.clock.sleeps)
        assert isinstance(reading, UnreadAgent)
        assert reading.code == "http.deadline"
        assert spent < 4 * 0.2 + 1.5  # four attempts, each cut off
