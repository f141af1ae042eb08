"""The decision tables of one write: every row, and the lock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cxplan.core.answers import Answer, Failure
from cxplan.core.diff import Change, Op, state_of
from cxplan.core.errors import Exit
from cxplan.core.ids import AgentId, ETag, SkillId
from cxplan.core.live import MissingAgent, UnreadAgent
from cxplan.core.steps import (
    ATTEMPTS,
    COMPARISONS,
    AlreadyThere,
    CompareAgain,
    Conflict,
    Decision,
    Effort,
    Outcome,
    Proceed,
    ReadBack,
    SendAgain,
    Settled,
    StopRun,
    after_answer,
    after_reading,
    backoff,
    compare,
)
from tests.core.make import observed

FIRST = Effort(1, 0.1)
LAST = Effort(ATTEMPTS, 20.0)
LATE = Effort(2, 60.0)
CHANGE = Change("skills/voice/level", Op.CHANGE, 5, 3, None, SkillId("skill-1"))
OTHER = Change("skills/chat/concurrent", Op.CHANGE, 1, 2, None, SkillId("skill-2"))


def kind(decision: Decision) -> str:
    if isinstance(decision, Settled):
        return decision.outcome.value
    if isinstance(decision, StopRun):
        return f"stop {decision.exit.value}"
    return type(decision).__name__


@pytest.mark.parametrize(
    ("status", "first", "last"),
    [
        (200, "applied", "applied"),
        (204, "applied", "applied"),
        (202, "ReadBack", "ReadBack"),
        (301, "failed", "failed"),
        (307, "failed", "failed"),
        (400, "rejected", "rejected"),
        (403, "rejected", "rejected"),
        (404, "rejected", "rejected"),
        (405, "rejected", "rejected"),
        (408, "ReadBack", "ReadBack"),
        (409, "CompareAgain", "CompareAgain"),
        (410, "rejected", "rejected"),
        (412, "CompareAgain", "CompareAgain"),
        (415, "rejected", "rejected"),
        (422, "rejected", "rejected"),
        (428, "stop 1", "stop 1"),
        (429, "SendAgain", "failed"),
        (500, "ReadBack", "ReadBack"),
        (502, "ReadBack", "ReadBack"),
        (503, "ReadBack", "ReadBack"),
        (504, "ReadBack", "ReadBack"),
        (599, "ReadBack", "ReadBack"),
    ],
)
def test_each_status_decides(status: int, first: str, last: str) -> None:
    assert kind(after_answer(Answer(status), FIRST)) == first
    assert kind(after_answer(Answer(status), LAST)) == last


@pytest.mark.parametrize(
    ("failure", "first", "last"),
    [
        (Failure.NOT_SENT, "SendAgain", "failed"),
        (Failure.LOST, "ReadBack", "ReadBack"),
        (Failure.UNDECODABLE, "ReadBack", "ReadBack"),
        (Failure.CERTIFICATE, "stop 7", "stop 7"),
    ],
)
def test_each_failure_decides(failure: Failure, first: str, last: str) -> None:
    assert kind(after_answer(Answer(None, failure), FIRST)) == first
    assert kind(after_answer(Answer(None, failure), LAST)) == last


def test_a_success_with_refused_items_is_refused() -> None:
    decision = after_answer(Answer(200, items=("skill-1: unknown",)), FIRST)
    assert decision == Settled(Outcome.REJECTED, "refused in part: skill-1: unknown")


def test_sixty_seconds_are_enough_too() -> None:
    assert kind(after_answer(Answer(429), LATE)) == "failed"
    assert kind(after_answer(Answer(429), replace(LATE, seconds=59.9))) == "SendAgain"


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [(None, "SendAgain"), (0.0, "SendAgain"), (60.0, "SendAgain"), (61.0, "stop 10")],
)
def test_a_pause_over_a_minute_ends_the_run(retry_after: float | None, expected: str) -> None:
    assert kind(after_answer(Answer(429, retry_after=retry_after), FIRST)) == expected


def test_after_an_attempt_of_unknown_outcome_a_stale_tag_may_be_our_own() -> None:
    unsure = replace(FIRST, unsure=True)
    assert isinstance(after_answer(Answer(412), unsure), ReadBack)
    assert isinstance(after_answer(Answer(412), FIRST), CompareAgain)


def test_the_comparison_is_made_three_times_at_most() -> None:
    assert kind(after_answer(Answer(412), replace(FIRST, comparisons=COMPARISONS - 1))) == (
        "CompareAgain"
    )
    assert kind(after_answer(Answer(412), replace(FIRST, comparisons=COMPARISONS))) == "conflict"


@pytest.mark.parametrize(
    ("answer", "late"),
    [
        (Answer(500), False),
        (Answer(503), False),
        (Answer(502), True),
        (Answer(504), True),
        (Answer(408), True),
        (Answer(None, Failure.LOST), True),
        (Answer(200, Failure.UNDECODABLE), True),
    ],
)
def test_only_an_answer_of_the_tenant_itself_rules_out_a_late_landing(
    answer: Answer, late: bool
) -> None:
    decision = after_answer(answer, FIRST)
    assert isinstance(decision, ReadBack)
    assert decision.late is late


SENT = ETag('"1"')


@pytest.mark.parametrize(
    ("live", "etag", "effort", "expected"),
    [
        ({"voice": (3, 1)}, '"2"', FIRST, "converged"),
        ({"voice": (3, 1)}, '"1"', FIRST, "converged"),
        ({"voice": (5, 1)}, '"1"', FIRST, "SendAgain"),
        ({"voice": (5, 1)}, '"2"', FIRST, "unknown"),
        ({"voice": (9, 1)}, '"2"', FIRST, "unknown"),
        ({"voice": (5, 1)}, None, FIRST, "unknown"),
        ({"voice": (5, 1)}, '"1"', LAST, "failed"),
        ({"voice": (5, 1)}, '"1"', replace(LAST, late=True), "unknown"),
        ({"voice": (5, 1)}, '"1"', replace(FIRST, accepted=True), "ReadBack"),
        ({"voice": (5, 1)}, '"1"', replace(LATE, accepted=True), "unknown"),
    ],
)
def test_what_stands_there_decides(
    live: Any, etag: str | None, effort: Effort, expected: str
) -> None:
    reading = observed(skills=live, etag=etag)
    assert kind(after_reading(reading, (CHANGE,), SENT, effort)) == expected


def test_an_agent_that_cannot_be_read_leaves_it_unknown() -> None:
    gone, unread = MissingAgent(AgentId("a")), UnreadAgent(AgentId("a"), "http.json", "cut")
    assert kind(after_reading(gone, (CHANGE,), SENT, FIRST)) == "unknown"
    assert kind(after_reading(unread, (CHANGE,), SENT, FIRST)) == "unknown"


@pytest.mark.parametrize(
    ("voice", "chat", "expected"),
    [
        (5, 1, Proceed((CHANGE, OTHER))),
        (3, 1, Proceed((OTHER,))),
        (3, 2, AlreadyThere()),
    ],
)
def test_values_as_before_or_as_wanted_are_written(voice: int, chat: int, expected: object) -> None:
    current = state_of(observed(skills={"voice": (voice, 1), "chat": (5, chat)}))
    assert compare((CHANGE, OTHER), current) == expected


def test_a_value_that_is_neither_stops_the_whole_agent_and_is_shown() -> None:
    current = state_of(observed(skills={"voice": (9, 1), "chat": (5, 1)}))
    found = compare((CHANGE, OTHER), current)
    assert isinstance(found, Conflict)
    (moved,) = found.moved
    assert (moved.path, moved.before, moved.current, moved.desired) == (CHANGE.path, 5, 9, 3)


def test_other_values_of_the_agent_are_not_asked() -> None:
    current = state_of(observed(skills={"voice": (5, 7), "mail": (1, 1)}, mode="mode-off"))
    assert compare((CHANGE,), current) == Proceed((CHANGE,))


def test_waiting_is_full_jitter_and_bounded() -> None:
    assert [backoff(n, 0.0) for n in range(1, 9)] == [0.0] * 8
    assert [backoff(n, 1.0) for n in (1, 2, 3, 4, 5, 6)] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0]


def test_an_outcome_of_a_bug_is_the_internal_code() -> None:
    decision = after_answer(Answer(428), FIRST)
    assert isinstance(decision, StopRun)
    assert decision.exit is Exit.INTERNAL
    assert isinstance(after_answer(Answer(429), FIRST), SendAgain)
