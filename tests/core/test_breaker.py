"""When the breaker opens, and what the budget allows."""

from __future__ import annotations

import pytest

from cxplan.core.answers import Answer, Failure
from cxplan.core.breaker import Breaker, RetryBudget, Tolerance, is_fault


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer(200), False),
        (Answer(400), False),
        (Answer(403), False),
        (Answer(412), False),
        (Answer(429), False),
        (Answer(408), True),
        (Answer(500), True),
        (Answer(503), True),
        (Answer(None, Failure.LOST), True),
        (Answer(None, Failure.NOT_SENT), True),
        (Answer(200, Failure.UNDECODABLE), True),
        (Answer(None, Failure.CERTIFICATE), False),
    ],
)
def test_only_a_tenant_in_trouble_counts(answer: Answer, fault: bool) -> None:
    assert is_fault(answer) is fault


def breaker(results: str) -> Breaker:
    made = Breaker()
    for result in results:
        made = made.noted(fault=result == "x")
    return made


@pytest.mark.parametrize(
    ("results", "opened"),
    [
        ("", False),
        ("xxxx", False),
        ("xxxxx", True),
        ("xxxxxo", False),
        ("xxxx" + "o" + "xxxx", False),
        ("xo" * 10, False),
        ("xo" * 9 + "xx", True),
        ("xxo" * 6, False),
        ("xxo" * 6 + "xx", True),
        ("xxo" * 6 + "ooo", True),
        ("xxo" * 6 + "oooooooo", False),
    ],
)
def test_five_in_a_row_or_more_than_half_of_twenty(results: str, opened: bool) -> None:
    assert breaker(results).open is opened


@pytest.mark.parametrize(
    ("first", "again", "spent"),
    [
        (0, 9, False),
        (0, 10, True),
        (200, 49, False),
        (200, 50, True),
        (4, 10, True),
        (5, 10, False),
    ],
)
def test_retries_are_a_floor_and_a_share(first: int, again: int, spent: bool) -> None:
    assert RetryBudget(first, again).spent is spent


def test_a_run_begins_with_the_floor() -> None:
    assert RetryBudget() == RetryBudget(first=0, again=0)
    assert not RetryBudget(again=9).spent
    assert RetryBudget(again=10).spent


def test_a_tolerance_is_a_number_unless_it_says_percent() -> None:
    assert Tolerance(5) == Tolerance(5, percent=False)


@pytest.mark.parametrize(
    ("tolerance", "ready", "stops_at"),
    [
        (Tolerance(1), 50, 1),
        (Tolerance(60), 50, 60),
        (Tolerance(10, percent=True), 50, 5),
        (Tolerance(10, percent=True), 51, 6),
        (Tolerance(1, percent=True), 1, 1),
        (Tolerance(1, percent=True), 0, 1),
        (Tolerance(100, percent=True), 7, 7),
        (Tolerance(50, percent=True), 400, 200),
    ],
)
def test_failures_are_tolerated_by_number_or_by_share(
    tolerance: Tolerance, ready: int, stops_at: int
) -> None:
    assert tolerance.of(ready) == stops_at
