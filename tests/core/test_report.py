"""Outcomes to exit codes, and which wins."""

from __future__ import annotations

import itertools

import pytest

from cxplan.core.errors import Exit, worst
from cxplan.core.ids import AgentId, AgentKey
from cxplan.core.report import AgentReport, Latency, RunReport, latency_of
from cxplan.core.steps import Outcome


def report(*outcomes: str, exits: tuple[Exit, ...] = ()) -> RunReport:
    agents = tuple(
        AgentReport(AgentId(str(i)), AgentKey(str(i)), "t", Outcome(outcome))
        for i, outcome in enumerate(outcomes)
    )
    return RunReport("run", "plan", agents, None, exits=exits)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ((), Exit.OK),
        (("applied", "alreadyThere", "converged", "deferred"), Exit.OK),
        (("applied", "conflict"), Exit.PARTIAL),
        (("applied", "rejected"), Exit.PARTIAL),
        (("applied", "failed"), Exit.PARTIAL),
        (("applied", "notAttempted"), Exit.PARTIAL),
        (("conflict",), Exit.STALE),
        (("conflict", "stale", "alreadyThere", "deferred"), Exit.STALE),
        (("conflict", "rejected"), Exit.PARTIAL),
        (("converged", "conflict"), Exit.PARTIAL),
        (("applied", "blocked"), Exit.BLOCKED),
        (("blocked", "conflict", "applied"), Exit.PARTIAL),
        (("unread", "applied"), Exit.UNAVAILABLE),
        (("unread", "blocked"), Exit.BLOCKED),
        (("unknown", "applied", "conflict", "blocked"), Exit.UNKNOWN),
    ],
)
def test_outcomes_decide_the_exit_code(outcomes: tuple[str, ...], code: Exit) -> None:
    assert report(*outcomes).exit is code


def test_other_reasons_count_too() -> None:
    assert report("applied", "notAttempted", exits=(Exit.AUTH,)).exit is Exit.AUTH
    assert report("unknown", exits=(Exit.INTERRUPTED,)).exit is Exit.UNKNOWN
    assert report("conflict", exits=(Exit.INTERRUPTED,)).exit is Exit.INTERRUPTED


def test_stopped_before_anything_was_written_is_unavailable_not_partial() -> None:
    assert report("failed", "notAttempted", exits=(Exit.UNAVAILABLE,)).exit is Exit.UNAVAILABLE
    assert report("applied", "notAttempted", exits=(Exit.UNAVAILABLE,)).exit is Exit.PARTIAL


ORDER = [1, 11, 12, 7, 3, 9, 8, 129, 130, 143, 6, 5, 4, 10, 2, 0]


def test_precedence_is_that_of_the_table() -> None:
    for earlier, later in itertools.combinations(ORDER, 2):
        assert worst([Exit(later), Exit(earlier)]) == earlier
    assert set(ORDER) == set(Exit)


def test_latency_is_nearest_rank() -> None:
    assert latency_of([]) is None
    assert latency_of([7]) == Latency(7, 7, 7)
    assert latency_of(range(1, 101)) == Latency(50, 95, 100)
