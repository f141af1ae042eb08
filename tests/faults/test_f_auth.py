"""F-01 … F-05, F-37, F-61: the token, the certificate, and whose tenant it is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import DNSName

from cxplan.simulator.options import Options
from cxplan.simulator.rules import Moment, Rule
from tests.bad.certificates import DAY, Authority, authority
from tests.bad.conditions import MARK
from tests.faults.scene import ANY, TOKEN, header, ids, nightly, scene, soon

Capture = pytest.CaptureFixture[str]


# --- the token endpoint -----------------------------------------------------------------------

REFUSED: list[tuple[str, int, Any]] = [
    ("F-01 400", 400, {"error": "invalid_client", "error_description": f"{MARK} secret"}),
    ("F-01 401", 401, {"error": "invalid_grant", MARK: MARK}),
    ("F-01 not JSON", 401, f"<html>{MARK}</html>"),
]


@pytest.mark.parametrize(("status", "body"), [row[1:] for row in REFUSED], ids=ids(REFUSED))
def test_a_client_that_is_refused(tmp_path: Path, capsys: Capture, status: int, body: Any) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    with scene(tmp_path, capsys, Rule("POST", TOKEN, status=status, body=text)) as on:
        done, log = on.refused(code=7)
        (error,) = done.json["errors"]
        assert error["code"] == "auth.refused"
        assert str(status) in error["summary"]
        assert "CXONE_CLIENT_SECRET" in error["hint"]
        assert MARK not in done.out + done.err
        assert [r.path for r in log.requests] == [TOKEN]


PASSING = [
    ("F-02 500", Rule("POST", TOKEN, status=500), "http.unavailable"),
    ("F-02 503", Rule("POST", TOKEN, status=503, headers=header("Retry-After", "2")), None),
    ("F-02 429", Rule("POST", TOKEN, status=429), "http.rate_limited"),
    ("F-02 429 until", Rule("POST", TOKEN, status=429, headers=header("Retry-After", "2")), None),
    ("F-02 reset", Rule("POST", TOKEN, reset=Moment.BEFORE), "http.cut"),
    ("F-02 dripping", Rule("POST", TOKEN, commit=True, drip_ms=100), "http.deadline"),
]


@pytest.mark.parametrize(("rule", "reason"), [row[1:] for row in PASSING], ids=ids(PASSING))
def test_a_token_endpoint_that_fails(
    tmp_path: Path, capsys: Capture, rule: Rule, reason: str | None
) -> None:
    """A token call that takes 30 s each time is over after two: 60 s are all that it may take."""
    with scene(tmp_path, capsys, rule, haste=100 if rule.drip_ms else 20) as on:
        done, log = on.refused(code=10)
        assert {r.path for r in log.requests} == {TOKEN}
        assert len(log.requests) == (2 if rule.drip_ms else 4)
        (error,) = done.json["errors"]
        assert reason in {error["code"], None}
        if rule.headers:
            times = [request.at_ms for request in log.requests]
            assert all(later - earlier >= 2000 for earlier, later in pairwise(times))


def test_f_02_a_token_endpoint_that_recovers(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys, Rule("POST", TOKEN, times=3, status=503)) as on:
        assert on.apply(code=0).log.tokens == 4


BEARER = {"access_token": "t", "token_type": "bearer", "expires_in": 60}
MALFORMED: list[tuple[str, dict[str, Any] | str, str]] = [
    ("F-03 not JSON", f"{{{MARK}", "auth.token"),
    ("F-03 no token", {"token_type": "bearer"}, "auth.token"),
    ("F-03 another kind", BEARER | {"token_type": "mac"}, "auth.token_type"),
    ("F-03 control characters", BEARER | {"access_token": f"{MARK}\r\nX: 1"}, "auth.token"),
    ("F-04 zero", BEARER | {"expires_in": 0}, "auth.expires"),
    ("F-04 negative", BEARER | {"expires_in": -1}, "auth.expires"),
    ("F-04 no number", BEARER | {"expires_in": MARK}, "auth.expires"),
]


@pytest.mark.parametrize(("answer", "reason"), [row[1:] for row in MALFORMED], ids=ids(MALFORMED))
def test_a_token_that_is_refused_before_any_use(
    tmp_path: Path, capsys: Capture, answer: dict[str, Any] | str, reason: str
) -> None:
    body = answer if isinstance(answer, str) else json.dumps(answer)
    with scene(tmp_path, capsys, Rule("POST", TOKEN, body=body)) as on:
        done, log = on.refused(code=7)
        assert done.codes() == [reason]
        assert MARK not in done.out + done.err
        assert [r.path for r in log.requests] == [TOKEN]


LIVES: list[tuple[str, Any, bool]] = [
    ("F-04 missing", None, True),
    ("F-04 text", "3600", False),
    ("F-04 huge", 1_000_000_000, False),
    ("F-04 short", 100, True),
]


@pytest.mark.parametrize(("said", "renewed"), [row[1:] for row in LIVES], ids=ids(LIVES))
def test_how_long_a_token_serves(tmp_path: Path, capsys: Capture, said: Any, renewed: bool) -> None:
    """Four writes, 100 s apart: where no life is stated it is 300 s, and a minute is left of it."""
    rule = Rule("POST", TOKEN, merge={"expires_in": said})
    with scene(tmp_path, capsys, rule, agents=4, haste=600) as on:
        ran = on.apply("--max-rps", "0.01", code=0)
        assert (ran.log.tokens > 1) is renewed
        assert [p.status for p in ran.log.patches] == [200] * 4


# --- in the middle of a run -------------------------------------------------------------------

EXPIRED = [
    ("F-05 while writing", Rule("PATCH", ANY, first=2, times=1, revoke_tokens=True)),
    ("F-05 while reading", Rule("GET", "/api/v2/agents/*", first=2, times=1, revoke_tokens=True)),
]


@pytest.mark.parametrize("rule", [row[1] for row in EXPIRED], ids=ids(EXPIRED))
def test_one_fresh_token_for_all_workers(tmp_path: Path, capsys: Capture, rule: Rule) -> None:
    with scene(tmp_path, capsys, rule, agents=8) as on:
        ran = on.apply(code=0)
        assert ran.log.tokens == 2
        assert 401 in {r.status for r in ran.log.requests if r.method == rule.method}
        assert ran.bundle.counts == {"applied": 8, "deferred": 1}
        tags: dict[str, set[str | None]] = {}
        for patch in ran.log.patches:
            tags.setdefault(patch.agent_id or "", set()).add(patch.if_match)
        assert all(len(found) == 1 for found in tags.values())
        assert max(Counter(p.agent_id for p in ran.log.patches).values()) <= 2


def test_f_05_a_fresh_token_that_is_refused_too(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys, Rule("PATCH", ANY, first=2, status=401), agents=8) as on:
        ran = on.apply(code=7)
        assert ran.log.tokens >= 2
        assert ran.bundle.counts["applied"] == 1
        assert "401" in ran.bundle.lines[-1]["stopped"]


# --- who it is --------------------------------------------------------------------------------


def test_f_61_the_token_of_another_tenant(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys) as on:
        on.rules(Rule("POST", TOKEN, times=1, merge={"tenantId": "acme-one"}))
        on.plan()
        on.rules(Rule("POST", TOKEN, merge={"tenantId": "acme-two"}))
        done, log = on.refused(code=9)
        (error,) = done.json["errors"]
        assert error["code"] == "plan.tenant"
        assert "acme-one" in error["summary"]
        assert "acme-two" in error["summary"]
        assert [r.path for r in log.requests] == [TOKEN]


IMPOSTORS: list[tuple[str, Callable[[Authority], object], str, str]] = [
    ("F-37 self-signed", Authority.self_signed, "nobody.pem", "signed by itself"),
    (
        "F-37 wrong host",
        lambda by: by.server("other", DNSName("tenant.example")),
        "other.pem",
        "for another",
    ),
    (
        "F-37 expired",
        lambda by: by.server("old", until=datetime.now(UTC) - DAY),
        "old.pem",
        "expired",
    ),
]
"""Each writes its certificate to a file, which a running server can be made to show."""


AT = [
    *(pytest.param(*row[1:], False, id=f"{row[0]} at the start") for row in IMPOSTORS),
    pytest.param(*IMPOSTORS[2][1:], True, id="F-37 expired in the middle"),
    *(nightly(*row[1:], True, id=f"{row[0]} in the middle") for row in IMPOSTORS[:2]),
]


@pytest.mark.parametrize(("make", "file", "why", "in_the_middle"), AT)
def test_a_certificate_that_proves_nothing(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: Capture,
    make: Callable[[Authority], object],
    file: str,
    why: str,
    in_the_middle: bool,
) -> None:
    by = authority(tmp_path_factory.mktemp("authority"))
    make(by)
    tls = by.server("good")
    with scene(tmp_path, capsys, options=Options(tls=tls), ca=by.bundle, haste=40) as on:

        def replace() -> None:
            tls.load_cert_chain(by.folder / file)
            on.on.simulator.go_down()
            on.on.simulator.come_up()

        if not in_the_middle:
            replace()
            done, log = on.refused(code=7)
            assert done.codes() == ["http.tls"]
            assert why in done.json["errors"][0]["summary"]
            assert log.requests == ()
            return
        with soon(lambda: len(on.world.events()) == 1, replace):
            ran = on.apply("--max-rps", "0.1", code={7, 11})
        assert len(ran.log.patches) == 1
        assert ran.bundle.counts["applied"] == 1
        told = [line["detail"] or "" for line in ran.bundle.kind("agent.attempt")]
        told += [line["unread"] or "" for line in ran.bundle.kind("read.back")]
        assert [text for text in told if why in text]
        assert (ran.done.code == 11) is (ran.bundle.counts["unknown"] > 0)
