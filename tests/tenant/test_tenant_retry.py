"""The table of one read, and the two forms of Retry-After."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxplan.core.answers import Failure
from cxplan.tenant.messages import Broken, Reply, Trouble
from cxplan.tenant.retry import (
    Decision,
    Effort,
    GiveUp,
    Renew,
    Take,
    Throttled,
    Wait,
    decide,
    retry_after,
)
from tests.tenant.stage import START

CUT = Trouble("http.cut", "cut")
SHAPE = Trouble("http.too_large", "large")


def after(outcome: Any, attempts: int = 1, seconds: float = 0.0, jitter: float = 0.5) -> Decision:
    return decide(outcome, Effort(attempts, seconds), START, lambda: jitter)


def reply(status: int, trouble: Trouble | None = None, **headers: str) -> Reply:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Reply(status, named, b"", trouble)


@pytest.mark.parametrize("status", [200, 204, 206, 400, 403, 404, 405, 409, 410, 415, 422])
def test_an_answer_that_stands(status: int) -> None:
    assert after(reply(status)) == Take(reply(status))


@pytest.mark.parametrize("status", [408, 500, 501, 502, 503, 504, 599])
def test_a_fault_of_the_platform_is_tried_again_four_times_in_all(status: int) -> None:
    assert [after(reply(status), n) for n in (1, 2, 3)] == [Wait(0.25), Wait(0.5), Wait(1.0)]
    assert after(reply(status), 4) == GiveUp(
        Trouble("http.unavailable", f"The tenant keeps answering {status}.")
    )


def test_what_the_tenant_asks_for_is_the_least_wait() -> None:
    assert after(reply(503, retry_after="20")) == Wait(20.0)
    assert after(reply(503, retry_after="0")) == Wait(0.25)
    assert isinstance(after(reply(503, retry_after="61")), GiveUp)


def test_a_401_renews_and_a_429_pauses_however_often() -> None:
    assert after(reply(401), 4, 59.0) == Renew(reply(401))
    assert after(reply(429), 4, 59.0) == Throttled(None)
    assert after(reply(429, retry_after="7"), 9) == Throttled(7.0)


def test_a_date_to_wait_for_counts_from_now() -> None:
    date = "Sun, 22 Nov 2026 10:00:30 GMT"
    assert after(reply(429, retry_after=date)) == Throttled(30.0)
    assert after(reply(503, retry_after=date)) == Wait(30.0)


def test_what_a_read_has_cost_adds_up() -> None:
    spent = Effort().plus(Reply(500, latency=1.5)).waited(0.25)
    assert spent == Effort(1, 1.75)
    assert spent.plus(Broken(Failure.LOST, CUT, latency=2.0)) == Effort(2, 3.75)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    decision = after(reply(status, location="https://evil.example/p?q"))
    assert isinstance(decision, GiveUp)
    assert decision.trouble.code == "http.redirect"
    assert "https://evil.example" in decision.trouble.reason
    assert "/p" not in decision.trouble.reason


@pytest.mark.parametrize("location", ["http://[", "/x", "//", "https://evil\x1b[2J/", ""])
def test_a_redirect_to_nonsense_is_named_safely(location: str) -> None:
    decision = after(reply(302, location=location))
    assert isinstance(decision, GiveUp)
    assert decision.trouble.reason.isprintable()


@pytest.mark.parametrize("outcome", [reply(200, CUT), Broken(Failure.LOST, CUT)])
def test_a_broken_connection_is_tried_again(outcome: Any) -> None:
    assert after(outcome) == Wait(0.25)
    assert after(outcome, 4) == GiveUp(CUT)


@pytest.mark.parametrize("outcome", [reply(200, SHAPE), Broken(Failure.LOST, SHAPE)])
def test_what_another_attempt_cannot_mend_is_given_up(outcome: Any) -> None:
    assert after(outcome) == GiveUp(SHAPE)


def test_a_refusal_stands_even_if_its_body_is_cut() -> None:
    assert after(reply(404, CUT)) == Take(reply(404, CUT))


def test_a_minute_is_all_that_a_read_may_take() -> None:
    assert after(reply(500), 2, 59.6) == GiveUp(
        Trouble("http.unavailable", "The tenant keeps answering 500.")
    )
    assert after(reply(500), 2, 59.5) == Wait(0.5)  # it ends within the minute


@pytest.mark.parametrize("code", ["http.cut", "http.deadline", "http.unreachable", "http.proxy"])
def test_troubles_of_the_way_pass(code: str) -> None:
    assert after(Broken(Failure.LOST, Trouble(code, "why"))) == Wait(0.25)


@pytest.mark.parametrize(
    "code", ["http.tls", "http.redirect", "http.protocol", "http.encoding", "http.rate_limited"]
)
def test_troubles_of_the_tenant_stay(code: str) -> None:
    trouble = Trouble(code, "why")
    assert after(Broken(Failure.LOST, trouble)) == GiveUp(trouble)


@given(st.integers(1, 3), st.floats(0, 0.999))
def test_waits_are_spread_over_the_whole_range(attempts: int, jitter: float) -> None:
    decision = after(reply(500), attempts, jitter=jitter)
    assert isinstance(decision, Wait)
    assert 0 <= decision.seconds <= 2.0


# --- Retry-After ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("31622400", 366 * 86_400.0),
        ("31622401", 366 * 86_400.0),
        ("9" * 20, 366 * 86_400.0),
        ("Wed, 24 Nov 2027 10:00:00 GMT", 366 * 86_400.0),
        ("Sun, 22 Nov 2026 10:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 09:59:30 GMT", 0.0),
        ("Mon, 22 Nov 2027 10:00:00 GMT", 365 * 86_400.0),
    ],
)
def test_well_formed_values(value: str, seconds: float) -> None:
    assert retry_after(value, START) == seconds


@pytest.mark.parametrize(
    "value",
    [
        None,
        "abc",
        "1.5",
        "-1",
        "+1",
        " 1",
        "",
        "1, 60",
        "0x10",
        "1_0",
        "9" * 21,
        "٣",
        "Ù£",
        "Sun, 22 Nov 2026 10:00:30",
        "Sun, 22 Nov 2026 10:00:30 UTC",
        "Sun, 22 Nov 2026 10:00:30 +0000",
        "Mon, 22 Nov 2026 10:00:30 GMT",
        "Sun, 31 Feb 2026 10:00:30 GMT",
        "Sun, 22 Nov 2026 25:00:30 GMT",
        "Sun, 22 nov 2026 10:00:30 GMT",
        "Sunday, 22-Nov-26 10:00:30 GMT",
        "Sun Nov 22 10:00:30 2026",
        "Sun, 22 Nov 2026 10:00:30 GMT\n",
        "2026-11-22T10:00:30Z",
    ],
)
def test_malformed_values_are_not_there(value: str | None) -> None:
    assert retry_after(value, START) is None


@given(st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2036, 1, 1)))  # noqa: DTZ001 - made aware below
def test_every_http_date_is_understood(naive: datetime) -> None:
    instant = naive.replace(microsecond=0, tzinfo=UTC)
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    text = (
        f"{days[instant.weekday()]}, {instant.day:02} {months[instant.month - 1]} "
        f"{instant.year} {instant:%H:%M:%S} GMT"
    )
    assert retry_after(text, instant - timedelta(seconds=42)) == 42.0


def test_every_weekday_and_month_goes_by_its_english_name() -> None:
    names = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
    months = ("Nov", "Dec", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct")
    for days in range(366):
        day = START + timedelta(days=days)
        month = months[(day.month - 11) % 12]
        text = f"{names[days % 7]}, {day.day:02} {month} {day.year} 10:00:00 GMT"
        assert retry_after(text, START) == days * 86_400.0
