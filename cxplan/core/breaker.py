"""When to stop asking a tenant that fails, and how often to ask again.

Five faults in a row, or more than half of the last twenty, open the breaker: nothing new starts.
After a pause one read probes, never a write; two probes that fail end the run. 4xx and 429 are
answers, not faults. Writes that are sent again after a fault come out of a budget (a share of the
first attempts), so that retries cannot keep a tenant down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cxplan.core.answers import Answer, Failure

IN_A_ROW = 5
WINDOW = 20
PROBE_AFTER = 15.0
"""Seconds between opening, or a failed probe, and the next probe."""

PROBES = 2
PATIENCE = 300.0
"""Seconds of nothing but 429 after which reading, or a run, is given up."""

BUDGET_FLOOR = 10
BUDGET_PERCENT = 20
"""Source of the shape: Finagle's RetryBudget, a floor and 20 % of the requests."""

_REQUEST_TIMEOUT = 408
_SERVER_FAULT = 500


def is_fault(answer: Answer) -> bool:
    """Tell whether an answer counts against the tenant's health."""
    if answer.failure in {Failure.NOT_SENT, Failure.LOST, Failure.UNDECODABLE}:
        return True
    return answer.status is not None and (
        answer.status >= _SERVER_FAULT or answer.status == _REQUEST_TIMEOUT
    )


@dataclass(frozen=True, slots=True)
class Breaker:
    """The last results, oldest first, True for a fault."""

    recent: tuple[bool, ...] = ()

    def noted(self, *, fault: bool) -> Breaker:
        """Return the breaker after one more exchange."""
        return replace(self, recent=(*self.recent, fault)[-WINDOW:])

    @property
    def open(self) -> bool:
        """Whether nothing new may start."""
        last = self.recent[-IN_A_ROW:]
        if len(last) == IN_A_ROW and all(last):
            return True
        return len(self.recent) == WINDOW and sum(self.recent) * 2 > WINDOW


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """How many writes were sent first, and how many again."""

    first: int = 0
    again: int = 0

    @property
    def spent(self) -> bool:
        """Whether no write may be sent again after a fault."""
        return self.again >= BUDGET_FLOOR + self.first * BUDGET_PERCENT // 100


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How many agents may fail: a number, or a percentage of those that are ready."""

    number: int
    percent: bool = False

    def of(self, ready: int) -> int:
        """Return the number that stops a run, the percentage rounded up, at least one."""
        if not self.percent:
            return self.number
        return max(-(-ready * self.number // 100), 1)
