"""What ``doctor`` looks at and what it finds, as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from cxplan.core.errors import CxplanError, Exit, Problem, worst
from cxplan.core.evidence import Head

Value = TypeVar("Value")


class State(StrEnum):
    """How one thing stands; only ``BAD`` is a failure."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    NOT_CHECKED = "notChecked"
    """It could not be looked at, since something before it failed."""

    @property
    def word(self) -> str:
        """The state for people."""
        return "not checked" if self is State.NOT_CHECKED else self.value


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was found, and what to do about it.

    ``code`` and ``exit`` say of a bad one what a command would end with that stands on it.
    """

    id: str
    state: State
    found: str
    hint: str | None = None
    code: str | None = None
    exit: Exit = Exit.OK

    @property
    def problem(self) -> Problem | None:
        """The check as an error, or None where it is not bad."""
        if self.state is not State.BAD:
            return None
        return Problem(self.code or self.id, self.found, address=self.id, hint=self.hint)


def good(name: str, found: str, hint: str | None = None) -> Check:
    """Return a check that found nothing wrong."""
    return Check(name, State.GOOD, found, hint)


def warning(name: str, found: str, hint: str) -> Check:
    """Return a check that found what somebody should know of, and that stops nothing."""
    return Check(name, State.WARNING, found, hint)


def not_checked(name: str, why: str) -> Check:
    """Return a check that could not be made."""
    return Check(name, State.NOT_CHECKED, why)


def bad(name: str, error: CxplanError, code: Exit | None = None) -> Check:
    """Return a check that failed with ``error``; ``code`` where its own exit code does not fit."""
    problem = error.problem
    exit_code = error.exit_code if code is None else code
    return Check(name, State.BAD, problem.summary, problem.hint, problem.code, exit_code)


def attempt(
    name: str, look: Callable[[], Value], judge: Callable[[Value], Check]
) -> tuple[Check, Value | None]:
    """Return what ``judge`` says of what ``look`` saw, and that; None and a bad check on an error.

    ``look`` raises ``CxplanError`` for what is wrong with its subject.
    """
    try:
        value = look()
    except CxplanError as error:
        return bad(name, error), None
    return judge(value), value


@dataclass(frozen=True, slots=True)
class Health:
    """Everything that was looked at, in the order to show it."""

    checks: tuple[Check, ...]

    @property
    def exit(self) -> Exit:
        """The worst of the bad checks; ``OK`` where there are only warnings."""
        return worst(check.exit for check in self.checks)

    @property
    def counts(self) -> Mapping[State, int]:
        """How many checks are in each state, every state named."""
        return {state: sum(c.state is state for c in self.checks) for state in State}


@dataclass(frozen=True, slots=True)
class Arrival:
    """An address that answered, whatever it said.

    ``at`` is this machine's time in the middle of the exchange, ``date`` the server's, in whole
    seconds, None where the answer has none.
    """

    address: str
    at: datetime
    date: datetime | None


@dataclass(frozen=True, slots=True)
class LedgerRuns:
    """The runs in a ledger: how many are sealed, the newest head, and those that are not, by id."""

    sealed: int = 0
    head: Head | None = None
    unsealed: tuple[str, ...] = ()
    ways_on: str | None = None
    """What to do about the first that is not sealed."""
