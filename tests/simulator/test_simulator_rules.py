"""The rules file: what it may say, which requests a rule hits, which errors are named how."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cxplan.core.errors import InvalidError
from cxplan.simulator.options import Options
from cxplan.simulator.rules import Moment, Rule, RuleBook
from cxplan.simulator.schema import parse_foreign, parse_rules
from cxplan.simulator.world import World
from tests.simulator.kit import TENANT, StillClock, rules

AGENT = "/api/v2/agents/a1"


def hits(rule: dict[str, Any], *requests: tuple[str, str]) -> list[bool]:
    book = RuleBook(rules({"method": "GET", "path": AGENT, "status": 500} | rule), seed=1)
    return [book.acting_on(method, path) is not None for method, path in requests]


@pytest.mark.parametrize(
    ("method", "path", "request_", "hit"),
    [
        ("GET", AGENT, ("GET", AGENT), True),
        ("GET", AGENT, ("PATCH", AGENT), False),
        ("*", AGENT, ("PATCH", AGENT), True),
        ("GET", "/api/v2/agents/*", ("GET", AGENT), True),
        ("GET", "/api/v2/agents/*", ("GET", AGENT + "/skills"), False),
        ("GET", "/api/v2/agents/*/skills", ("GET", AGENT + "/skills"), True),
        ("GET", "/api/v2/agents/**", ("GET", AGENT + "/skills"), True),
        ("GET", "**", ("GET", "/"), True),
        ("GET", "/api/v2/agents/a.", ("GET", AGENT), False),
        ("GET", AGENT, ("GET", AGENT + "2"), False),
    ],
)
def test_method_and_path_choose(
    method: str, path: str, request_: tuple[str, str], hit: bool
) -> None:
    assert hits({"method": method, "path": path}, request_) == [hit]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"nth": 3}, [3]),
        ({"from": 3}, [3, 4, 5]),
        ({"times": 2}, [1, 2]),
        ({"from": 2, "times": 3}, [2, 3, 4]),
        ({"probability": 0}, []),
        ({"probability": 1.0, "times": 1}, [1]),
    ],
)
def test_the_count_chooses(choice: dict[str, Any], expected: list[int]) -> None:
    other = ("GET", "/other")
    found = hits(choice, *[request for _ in range(5) for request in (other, ("GET", AGENT))])
    assert [place for place, hit in enumerate(found[1::2], 1) if hit] == expected
    assert not any(found[::2])


def test_draws_repeat_with_the_seed_and_meet_their_share() -> None:
    def drawn(seed: int) -> list[bool]:
        book = RuleBook(
            rules({"method": "*", "path": "**", "status": 500, "probability": 0.1}), seed
        )
        return [book.acting_on("GET", "/") is not None for _ in range(2000)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 130 < sum(drawn(1)) < 270


def test_the_first_rule_acts_and_all_count() -> None:
    base = {"method": "GET", "path": AGENT}
    book = RuleBook(
        rules(base | {"nth": 1, "status": 500}, base | {"times": 2, "status": 503}), seed=0
    )
    found = [book.acting_on("GET", AGENT) for _ in range(3)]
    assert [rule.status if rule else None for rule in found] == [500, 503, None]


def test_every_member_arrives() -> None:
    (rule,) = rules(
        {
            "method": "PATCH",
            "path": "/x",
            "from": 2,
            "times": 3,
            "probability": 0.5,
            "status": 503,
            "headers": {"Retry-After": "2", "ETag": None, "Set-Cookie": ["a", "b"]},
            "bodyBase64": "AP8=",
            "delayMs": 1,
            "dripMs": 2,
            "cutAfter": 3,
            "contentLength": "5, 2",
            "headerKb": 4,
            "foreign": {"agentId": "a1", "skill": "s1", "level": 3, "concurrent": 1, "maximum": 2},
            "foreignAfter": {"workMode": "m2", "touch": True},
            "commit": True,
            "revokeTokens": True,
        }
    )
    assert (rule.first, rule.times, rule.probability, rule.status) == (2, 3, 0.5, 503)
    assert rule.headers == (("Retry-After", ("2",)), ("ETag", ()), ("Set-Cookie", ("a", "b")))
    assert (rule.body, rule.delay_ms, rule.drip_ms, rule.cut_after) == (b"\x00\xff", 1, 2, 3)
    assert (rule.content_length, rule.header_kb, rule.revoke_tokens) == ("5, 2", 4, True)
    assert rule.foreign is not None
    assert rule.foreign_after is not None
    assert rule.foreign.values == (3, 1, 2)
    assert (rule.foreign_after.work_mode, rule.foreign_after.touch) == ("m2", True)
    (other,) = rules({"method": "*", "path": "**", "bodyMb": 2, "contentLength": 10**12})
    assert (other.filler_mb, other.content_length) == (2, "1000000000000")


@pytest.mark.parametrize(
    ("members", "handles"),
    [
        ({"headers": {"ETag": None}}, True),
        ({"merge": {}}, True),
        ({"merge": {}, "status": 202}, True),
        ({"delayMs": 5}, True),
        ({"cutAfter": 0}, True),
        ({"foreign": {"touch": True}}, True),
        ({"status": 500}, False),
        ({"body": "x"}, False),
        ({"json": None}, False),
        ({"bodyMb": 1}, False),
        ({"status": 500, "commit": True}, True),
        ({"status": 200, "commit": False}, False),
        ({"reset": "before"}, False),
        ({"reset": "after"}, True),
        ({"close": "before"}, False),
        ({"close": "after"}, True),
        ({"status": 202, "commitDelayMs": 5}, False),
        ({"close": "before", "commitDelayMs": 5}, False),
    ],
)
def test_whether_the_handler_runs(members: dict[str, Any], handles: bool) -> None:
    (rule,) = rules({"method": "*", "path": "**"} | members)
    assert rule.handles is handles


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({}, "method: the rule does nothing"),
        ({"nth": 1}, "method: the rule does nothing"),
        ({"statsu": 500}, "statsu: "),
        ({"status": 500, "CXC\u202e\x1b": 1}, "CXC\\u202e\\x1b: "),
        ({"status": "500"}, "status: "),
        ({"status": True}, "status: "),
        ({"status": 99}, "status: "),
        ({"status": None}, "status: null"),
        ({"status": 500, "method": None}, "method: "),
        ({"status": 500, "method": "get"}, "method: "),
        ({"status": 500, "path": "api"}, "path: "),
        ({"status": 500, "nth": 0}, "nth: "),
        ({"status": 500, "nth": 1, "times": 2}, "nth: excludes"),
        ({"status": 500, "nth": 1, "from": 2}, "nth: excludes"),
        ({"status": 500, "probability": 1.5}, "probability: "),
        ({"status": 500, "from": 1.5}, "from: "),
        ({"headers": {"A": 1}}, "headers.A."),
        ({"headers": {"A": "\u0663"}}, "headers: "),
        ({"headers": {"\u0663": "1"}}, "headers: "),
        ({"contentLength": "\u0663"}, "headers: "),
        ({"bodyBase64": "%"}, "bodyBase64: "),
        ({"bodyBase64": "\u0663"}, "bodyBase64: "),
        ({"body": "a", "json": 1}, "body: only one"),
        ({"body": "a", "bodyMb": 1}, "body: only one"),
        ({"bodyMb": 0}, "bodyMb: "),
        ({"merge": {}, "body": "x"}, "merge: excludes"),
        ({"merge": {}, "commit": False}, "merge: needs"),
        ({"merge": []}, "merge: "),
        ({"reset": "during"}, "reset: "),
        ({"reset": "before", "close": "after"}, "reset: excludes close"),
        ({"reset": "before", "status": 500}, "reset: "),
        ({"close": "after", "commit": True}, "reset: "),
        ({"close": "after", "cutAfter": 1}, "reset: "),
        ({"commit": True}, "commit: needs"),
        ({"commit": False, "delayMs": 1}, "commit: needs"),
        ({"commitDelayMs": 1}, "commitDelayMs: needs"),
        ({"commitDelayMs": 1, "reset": "after"}, "commitDelayMs: needs"),
        ({"commitDelayMs": 1, "status": 500, "commit": True}, "commitDelayMs: needs"),
        ({"delayMs": -1}, "delayMs: "),
        ({"foreign": {"agent": "a1"}}, "foreign.agent: "),
        ({"foreign": {"level": "3"}}, "foreign.level: "),
        ({"revokeTokens": 1}, "revokeTokens: "),
    ],
)
def test_a_wrong_rule_is_named_by_index_and_member(members: dict[str, Any], named: str) -> None:
    good = {"method": "GET", "path": "/", "status": 500}
    with pytest.raises(InvalidError) as caught:
        rules(good, {"method": "GET", "path": "/"} | members)
    problem = caught.value.problem
    assert problem.summary.startswith(f"Fault rule 1: {named}")
    assert problem.hint
    assert problem.summary.isascii()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"null",
        b"[1]",
        b'[{"path":"/","status":500}]',
        b'[{"method":"GET","status":500}]',
        b'[{"method":"GET","path":"/","status":500,"status":501}]',
        b"\xff",
        b"[" * 100_000,
        b'[{"method":"GET","path":"/","status":NaN}]',
    ],
)
def test_what_is_no_rules_file_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_rules(data)
    assert caught.value.problem.hint


@pytest.mark.parametrize(
    ("foreign", "named"),
    [
        ({"agentId": "a9", "touch": True}, "agent"),
        ({"skill": "s9", "level": 1}, "skill"),
        ({"workMode": "m9"}, "work mode"),
        ({"level": 1}, "without naming the skill"),
        ({}, "changes nothing"),
    ],
)
def test_a_foreign_change_must_fit_the_tenant(foreign: dict[str, Any], named: str) -> None:
    rule = {"method": "GET", "path": "/"}
    for member in ("foreign", "foreignAfter"):
        faults = rules(rule | {member: foreign})
        with pytest.raises(InvalidError, match=named):
            World(TENANT, Options(faults=faults), StillClock())


def test_an_unknown_agent_is_no_foreign_change() -> None:
    world = World(TENANT, Options(), StillClock())
    with pytest.raises(InvalidError, match="agent"):
        world.foreign_change("a9", touch=True)
    with pytest.raises(InvalidError, match="agentId"):
        parse_foreign(json.dumps({"touch": True}).encode())


def test_a_rule_can_be_written_in_python_too() -> None:
    rule = Rule("PATCH", "/x", reset=Moment.AFTER)
    assert rules({"method": "PATCH", "path": "/x", "reset": "after"}) == (rule,)
