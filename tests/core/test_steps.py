"""The decision tables of one write: every row, and the lock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cxplan.core.answers import Answer, Failure
from cxplan.core.diff import Change, Op, state_of
from cxplan.core.errors import Exit
from cxplan.core.ids import AgentId, ETag, SkillId
from cxplan.core.live import AgentReading, MissingAgent, UnreadAgent
from cxplan.core.steps import (
    COMPARE_DELAY,
    FORBIDDEN_AT_START,
    LONGEST_PAUSE,
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
LAST = Effort(4, 20.0)
LATE = Effort(2, 60.0)
OPEN = Effort(2, 0.1, unsure=True, late=True)
CHANGE = Change("skills/voice/level", Op.CHANGE, 5, 3, None, SkillId("skill-1"))
SENT = ETag('"1"')
NOT_YET = observed(skills={"voice": (5, 1)}, etag=SENT)
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
        (300, "failed", "failed"),
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
        (Failure.WITHDRAWN, "failed", "failed"),
    ],
)
def test_each_failure_decides(failure: Failure, first: str, last: str) -> None:
    assert kind(after_answer(Answer(None, failure), FIRST)) == first
    assert kind(after_answer(Answer(None, failure), LAST)) == last


def test_a_success_with_refused_items_is_refused() -> None:
    decision = after_answer(Answer(200, items=("skill-1: unknown",)), FIRST)
    assert decision == Settled(Outcome.REJECTED, "refused in part: skill-1: unknown")


SAID: list[tuple[Answer, Effort, Decision]] = [
    (Answer(200, items=("a", "b")), FIRST, Settled(Outcome.REJECTED, "refused in part: a; b")),
    (Answer(200, items=("a",)), OPEN, Settled(Outcome.UNKNOWN, "refused in part: a")),
    (
        Answer(202),
        FIRST,
        ReadBack("the tenant accepted the change and has not made it yet", accepted=True),
    ),
    (
        Answer(307),
        FIRST,
        Settled(Outcome.FAILED, "http.redirect: the tenant answered 307; it is never followed"),
    ),
    (
        Answer(307),
        OPEN,
        Settled(Outcome.UNKNOWN, "http.redirect: the tenant answered 307; it is never followed"),
    ),
    (Answer(404), FIRST, Settled(Outcome.REJECTED, "the tenant answered 404")),
    (Answer(404), OPEN, Settled(Outcome.UNKNOWN, "the tenant answered 404")),
    (
        Answer(422, detail="level out of range"),
        FIRST,
        Settled(Outcome.REJECTED, "the tenant answered 422: level out of range"),
    ),
    (Answer(200), FIRST, Settled(Outcome.APPLIED, "")),
    (Answer(412), OPEN, ReadBack("the tenant answered 412", late=False, accepted=False)),
    (
        Answer(409),
        replace(FIRST, comparisons=3),
        Settled(
            Outcome.CONFLICT, "the tenant answered 409; somebody else keeps writing this agent"
        ),
    ),
    (
        Answer(428),
        FIRST,
        StopRun(Exit.INTERNAL, "the tenant answered 428 to a write that carries If-Match"),
    ),
    (Answer(429), FIRST, SendAgain("the tenant answered 429", asked_to_wait=True)),
    (Answer(429), LAST, Settled(Outcome.FAILED, "the tenant answered 429; given up")),
    (
        Answer(429),
        replace(LAST, late=True),
        Settled(Outcome.UNKNOWN, "the tenant answered 429; given up"),
    ),
    (
        Answer(429, retry_after=3600.0),
        FIRST,
        StopRun(
            Exit.UNAVAILABLE,
            "the tenant asks for a pause of 3600 seconds; apply again after that",
        ),
    ),
    (Answer(503), FIRST, ReadBack("the tenant answered 503", late=False, accepted=False)),
    (
        Answer(None, Failure.NOT_SENT, detail="refused"),
        FIRST,
        SendAgain("not sent: refused", asked_to_wait=False),
    ),
    (
        Answer(None, Failure.NOT_SENT, detail="refused"),
        LAST,
        Settled(Outcome.FAILED, "not sent: refused; given up"),
    ),
    (
        Answer(None, Failure.LOST, detail="reset"),
        FIRST,
        ReadBack("the answer was lost: reset", late=True, accepted=False),
    ),
    (
        Answer(200, Failure.UNDECODABLE, detail="cut"),
        FIRST,
        ReadBack("the answer cannot be read: cut", late=True),
    ),
    (
        Answer(None, Failure.CERTIFICATE, detail="expired"),
        FIRST,
        StopRun(Exit.AUTH, "the tenant's certificate was refused: expired"),
    ),
    (
        Answer(None, Failure.WITHDRAWN, detail="http.withdrawn"),
        replace(FIRST, attempts=0),
        Settled(Outcome.NOT_ATTEMPTED, "the run had stopped"),
    ),
    (
        Answer(None, Failure.WITHDRAWN),
        replace(FIRST, late=True),
        Settled(Outcome.UNKNOWN, "the run had stopped"),
    ),
]


@pytest.mark.parametrize(("answer", "effort", "expected"), SAID)
def test_each_decision_says_what_came_back(
    answer: Answer, effort: Effort, expected: Decision
) -> None:
    assert after_answer(answer, effort) == expected


def test_an_answer_with_neither_status_nor_reason_may_have_landed() -> None:
    assert after_answer(Answer(None), FIRST) == ReadBack("the answer was lost: ", late=True)


@pytest.mark.parametrize(
    ("attempts", "seconds", "expected"),
    [
        (3, 59.9, "SendAgain"),
        (4, 0.1, "failed"),
        (5, 0.1, "failed"),
        (1, 60.0, "failed"),
        (1, 61.0, "failed"),
    ],
)
def test_four_attempts_or_a_minute_are_enough(attempts: int, seconds: float, expected: str) -> None:
    effort = Effort(attempts, seconds)
    assert kind(after_answer(Answer(429), effort)) == expected
    assert kind(after_answer(Answer(None, Failure.NOT_SENT), effort)) == expected
    assert kind(after_reading(NOT_YET, (CHANGE,), SENT, effort)) == expected


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [
        (None, "SendAgain"),
        (0.0, "SendAgain"),
        (60.0, "SendAgain"),
        (60.5, "stop 10"),
        (3600.0, "stop 10"),
    ],
)
@pytest.mark.parametrize("came", [(429, None), (None, Failure.NOT_SENT)])
def test_a_pause_over_a_minute_ends_the_run(
    came: tuple[int | None, Failure | None], retry_after: float | None, expected: str
) -> None:
    assert kind(after_answer(Answer(*came, retry_after=retry_after), FIRST)) == expected


def test_a_first_attempt_was_compared_once_and_leaves_nothing_open() -> None:
    assert Effort(1, 0.5) == Effort(
        attempts=1, seconds=0.5, comparisons=1, unsure=False, late=False, accepted=False
    )


def test_the_limits_that_others_take_from_here_are_those_of_the_contract() -> None:
    assert LONGEST_PAUSE == 60.0
    assert COMPARE_DELAY == 0.2
    assert FORBIDDEN_AT_START == 3


def test_after_an_attempt_of_unknown_outcome_a_stale_tag_may_be_our_own() -> None:
    unsure = replace(FIRST, unsure=True)
    assert isinstance(after_answer(Answer(412), unsure), ReadBack)
    assert isinstance(after_answer(Answer(412), FIRST), CompareAgain)


def test_the_comparison_is_made_three_times_at_most() -> None:
    compared = [replace(FIRST, comparisons=number) for number in (1, 2, 3, 4)]
    assert [kind(after_answer(Answer(412), effort)) for effort in compared] == [
        "CompareAgain",
        "CompareAgain",
        "conflict",
        "conflict",
    ]


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


@pytest.mark.parametrize(
    ("live", "etag", "effort", "expected"),
    [
        ({"voice": (3, 1)}, '"2"', FIRST, "converged"),
        ({"voice": (3, 1)}, '"1"', FIRST, "converged"),
        ({"voice": (5, 1)}, '"1"', FIRST, "SendAgain"),
        ({"voice": (5, 1)}, '"2"', FIRST, "unknown"),
        ({"voice": (9, 1)}, '"2"', FIRST, "unknown"),
        ({"voice": (5, 1)}, None, FIRST, "unknown"),
        ({}, '"2"', FIRST, "unknown"),
        ({"voice": (5, 1)}, '"1"', LAST, "failed"),
        ({"voice": (5, 1)}, '"1"', replace(LAST, late=True), "unknown"),
        ({"voice": (5, 1)}, '"1"', replace(FIRST, accepted=True), "ReadBack"),
        ({"voice": (5, 1)}, '"1"', replace(LAST, accepted=True), "ReadBack"),
        ({"voice": (5, 1)}, '"1"', replace(FIRST, seconds=59.9, accepted=True), "ReadBack"),
        ({"voice": (5, 1)}, '"1"', replace(LATE, accepted=True), "unknown"),
    ],
)
def test_what_stands_there_decides(
    live: Any, etag: str | None, effort: Effort, expected: str
) -> None:
    reading = observed(skills=live, etag=etag)
    assert kind(after_reading(reading, (CHANGE,), SENT, effort)) == expected


def test_all_values_must_stand_there() -> None:
    half = observed(skills={"voice": (3, 1), "chat": (5, 1)}, etag='"2"')
    whole = observed(skills={"voice": (3, 1), "chat": (5, 2)}, etag='"2"')
    assert kind(after_reading(half, (CHANGE, OTHER), SENT, FIRST)) == "unknown"
    assert kind(after_reading(whole, (CHANGE, OTHER), SENT, FIRST)) == "converged"


def test_two_missing_tags_are_not_the_same_tag() -> None:
    assert kind(after_reading(replace(NOT_YET, etag=None), (CHANGE,), None, FIRST)) == "unknown"


MADE = observed(skills={"voice": (3, 1)}, etag='"2"')
MOVED = observed(skills={"voice": (9, 1)}, etag='"2"')
PROMISED = replace(FIRST, accepted=True)
LOOKED: list[tuple[AgentReading, Effort, Decision]] = [
    (
        MADE,
        FIRST,
        Settled(Outcome.CONVERGED, "the answer was lost; the values are as desired"),
    ),
    (
        MOVED,
        FIRST,
        Settled(Outcome.UNKNOWN, "the answer was lost and the agent has changed since"),
    ),
    (
        MissingAgent(AgentId("a")),
        FIRST,
        Settled(Outcome.UNKNOWN, "the answer was lost and the agent is gone"),
    ),
    (
        UnreadAgent(AgentId("a"), "http.json", "cut"),
        FIRST,
        Settled(Outcome.UNKNOWN, "the answer was lost and the agent cannot be read: cut"),
    ),
    (NOT_YET, FIRST, SendAgain("the write had not arrived", asked_to_wait=False)),
    (
        NOT_YET,
        PROMISED,
        ReadBack("the tenant accepted the change and has not made it yet", accepted=True),
    ),
    (
        NOT_YET,
        replace(LAST, late=True),
        Settled(Outcome.UNKNOWN, "the write has not arrived and may still do so"),
    ),
    (NOT_YET, LAST, Settled(Outcome.FAILED, "the tenant kept failing; nothing was written")),
]


@pytest.mark.parametrize(("reading", "effort", "expected"), LOOKED)
def test_each_look_says_what_stands_there(
    reading: AgentReading, effort: Effort, expected: Decision
) -> None:
    assert after_reading(reading, (CHANGE,), SENT, effort) == expected


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


def test_outcomes_go_by_the_names_that_reports_and_records_promise() -> None:
    assert [outcome.value for outcome in Outcome] == [
        "applied",
        "alreadyThere",
        "converged",
        "conflict",
        "stale",
        "rejected",
        "failed",
        "unknown",
        "deferred",
        "blocked",
        "unread",
        "notAttempted",
    ]
