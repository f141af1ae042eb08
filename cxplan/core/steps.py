"""A step and what came back, to what to do next: the decision tables of one write.

Three questions, three pure functions:

- ``compare``: what was planned and what stands there now, before a write;
- ``after_answer``: what the tenant answered to a PATCH;
- ``after_reading``: what stands there after a write of unknown outcome.

The lock: a write carries the ETag of the state whose values were just compared. A newer tag is
never taken for an old payload without comparing again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cxplan.core.answers import Answer, Failure
from cxplan.core.diff import AgentState, Change, Value, reached, state_of, unmoved
from cxplan.core.errors import Exit
from cxplan.core.ids import ETag
from cxplan.core.live import MissingAgent, ObservedAgent, UnreadAgent

ATTEMPTS = 4
SECONDS = 60.0
"""At most so many attempts and so long for one agent; pauses of the whole tenant don't count."""

COMPARISONS = 3
COMPARE_DELAY = 0.2
LONGEST_PAUSE = 60.0
"""A Retry-After over this many seconds ends the run instead of holding it."""

BACKOFF_BASE = 0.5
BACKOFF_CAP = 10.0
_GATEWAY = frozenset({408, 502, 504})
"""Answers by somebody in between: the tenant itself may still be at it."""

STOPPED = "the run had stopped"
"""Why nothing is sent for an agent any more."""

FORBIDDEN_AT_START = 3
"""So many first writes, all answered 403, mean a missing permission, not a special agent."""


class Outcome(StrEnum):
    """How an agent of the plan ended: exactly one."""

    APPLIED = "applied"
    ALREADY_THERE = "alreadyThere"
    CONVERGED = "converged"
    CONFLICT = "conflict"
    STALE = "stale"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DEFERRED = "deferred"
    BLOCKED = "blocked"
    UNREAD = "unread"
    NOT_ATTEMPTED = "notAttempted"


# --- before a write -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AlreadyThere:
    """Every planned value stands there already; nothing is sent."""


@dataclass(frozen=True, slots=True)
class Proceed:
    """Every planned value is as planned-before or already as wanted; write with the fresh tag."""

    changes: tuple[Change, ...]
    """Those that are still to make."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One value that somebody changed since the plan: planned-before, current and desired."""

    path: str
    before: Value
    current: Value
    desired: Value


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody changed a value that the plan would write; nothing is sent for this agent."""

    moved: tuple[Moved, ...]


Comparison = AlreadyThere | Proceed | Conflict


def compare(changes: tuple[Change, ...], current: AgentState) -> Comparison:
    """Compare each value that the plan would write; the agent's other values are not asked."""
    open_changes = tuple(c for c in changes if not reached(current, c))
    if not open_changes:
        return AlreadyThere()
    moved = tuple(
        Moved(c.path, c.before, current.value(c), c.after)
        for c in open_changes
        if not unmoved(current, c)
    )
    return Conflict(moved) if moved else Proceed(open_changes)


# --- after an answer ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Effort:
    """What has been spent on one agent so far.

    ``unsure`` tells of an attempt of unknown outcome, ``late`` that such an attempt got no answer
    and might still land, ``accepted`` that the tenant promised (202) to make the change.
    """

    attempts: int
    seconds: float
    comparisons: int = 1
    unsure: bool = False
    late: bool = False
    accepted: bool = False

    @property
    def spent(self) -> bool:
        """Whether nothing more may be sent for this agent."""
        return self.attempts >= ATTEMPTS or self.seconds >= SECONDS

    @property
    def given_up(self) -> Outcome:
        """How an agent ends that is not tried again: unknown where a write may still land."""
        return self.ends(Outcome.FAILED)

    def ends(self, not_written: Outcome) -> Outcome:
        """Return an outcome of an agent that was not written, unknown where it still may be."""
        return Outcome.UNKNOWN if self.late else not_written


@dataclass(frozen=True, slots=True)
class Settled:
    """The agent's outcome is known."""

    outcome: Outcome
    message: str = ""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Whether the write landed is unknown: wait, then look."""

    message: str
    late: bool = False
    """Whether it might land after we looked."""
    accepted: bool = False
    """Whether the tenant promised to make it."""


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Known not applied: wait, then send the same payload with the same If-Match."""

    message: str
    asked_to_wait: bool = False
    """Whether the tenant itself said that it is too early (429), which is no fault."""


@dataclass(frozen=True, slots=True)
class CompareAgain:
    """Somebody wrote in between: wait, read, and compare as before a write."""


@dataclass(frozen=True, slots=True)
class StopRun:
    """Nothing more may be written to this tenant; this agent was not written."""

    exit: Exit
    message: str


Decision = Settled | ReadBack | SendAgain | CompareAgain | StopRun


def after_answer(answer: Answer, effort: Effort) -> Decision:
    """Return what one answer to a PATCH means; ``effort`` includes the attempt, if one was made."""
    if answer.failure is not None or answer.status is None:
        return _after_failure(answer.failure or Failure.LOST, answer, effort)
    if answer.succeeded:
        return _after_success(answer, effort)
    return _after_refusal(answer.status, answer, effort)


def _after_success(answer: Answer, effort: Effort) -> Decision:
    if answer.items:
        said = "refused in part: " + "; ".join(answer.items)
        return Settled(effort.ends(Outcome.REJECTED), said)
    if answer.status == 202:  # noqa: PLR2004 - accepted, not done
        return ReadBack("the tenant accepted the change and has not made it yet", accepted=True)
    return Settled(Outcome.APPLIED)


def _after_refusal(status: int, answer: Answer, effort: Effort) -> Decision:
    said = f"the tenant answered {status}" + (f": {answer.detail}" if answer.detail else "")
    match status:
        case 409 | 412:
            return _somebody_wrote(said, effort)
        case 428:
            return StopRun(Exit.INTERNAL, f"{said} to a write that carries If-Match")
        case 429:
            return _again(said, answer.retry_after, effort, asked_to_wait=True)
        case _ if status >= 500 or status == 408:  # noqa: PLR2004 - faults of the platform
            return ReadBack(said, late=status in _GATEWAY)
        case _ if 300 <= status < 400:  # noqa: PLR2004 - the class of redirects
            return Settled(effort.given_up, f"http.redirect: {said}; it is never followed")
        case _:
            return Settled(effort.ends(Outcome.REJECTED), said)


def _somebody_wrote(said: str, effort: Effort) -> Decision:
    if effort.unsure:
        return ReadBack(said)
    if effort.comparisons >= COMPARISONS:
        return Settled(Outcome.CONFLICT, f"{said}; somebody else keeps writing this agent")
    return CompareAgain()


def _again(
    said: str, retry_after: float | None, effort: Effort, *, asked_to_wait: bool
) -> Decision:
    if retry_after is not None and retry_after > LONGEST_PAUSE:
        pause = f"the tenant asks for a pause of {retry_after:.0f} seconds; apply again after that"
        return StopRun(Exit.UNAVAILABLE, pause)
    if effort.spent:
        return Settled(effort.given_up, f"{said}; given up")
    return SendAgain(said, asked_to_wait)


def _after_failure(failure: Failure, answer: Answer, effort: Effort) -> Decision:
    detail = answer.detail
    match failure:
        case Failure.NOT_SENT:
            return _again(f"not sent: {detail}", answer.retry_after, effort, asked_to_wait=False)
        case Failure.LOST:
            return ReadBack(f"the answer was lost: {detail}", late=True)
        case Failure.UNDECODABLE:
            return ReadBack(f"the answer cannot be read: {detail}", late=True)
        case Failure.CERTIFICATE:
            return StopRun(Exit.AUTH, f"the tenant's certificate was refused: {detail}")
        case Failure.WITHDRAWN:
            begun = effort.attempts > 0
            return Settled(effort.ends(Outcome.FAILED if begun else Outcome.NOT_ATTEMPTED), STOPPED)


# --- after looking --------------------------------------------------------------------------


def after_reading(
    reading: ObservedAgent | MissingAgent | UnreadAgent,
    changes: tuple[Change, ...],
    sent: ETag | None,
    effort: Effort,
) -> Decision:
    """Return what stands there after a write of unknown outcome means.

    All values as desired: ours or not, the agent is as wanted. The tag unmoved: not applied yet.
    Anything else cannot be told apart from somebody else's write and is never sent again.
    """
    match reading:
        case ObservedAgent():
            if all(reached(state_of(reading), change) for change in changes):
                return Settled(Outcome.CONVERGED, "the answer was lost; the values are as desired")
            if reading.etag is not None and reading.etag == sent:
                return _not_yet(effort)
            return Settled(Outcome.UNKNOWN, "the answer was lost and the agent has changed since")
        case MissingAgent():
            return Settled(Outcome.UNKNOWN, "the answer was lost and the agent is gone")
        case UnreadAgent(reason=reason):
            message = f"the answer was lost and the agent cannot be read: {reason}"
            return Settled(Outcome.UNKNOWN, message)


def _not_yet(effort: Effort) -> Decision:
    """The tag has not moved: look again where a change was promised, else send again."""
    if not effort.accepted and not effort.spent:
        return SendAgain("the write had not arrived")
    if effort.accepted and effort.seconds < SECONDS:
        return ReadBack("the tenant accepted the change and has not made it yet", accepted=True)
    if effort.accepted or effort.late:
        return Settled(Outcome.UNKNOWN, "the write has not arrived and may still do so")
    return Settled(Outcome.FAILED, "the tenant kept failing; nothing was written")


def backoff(attempt: int, fraction: float) -> float:
    """Return seconds to wait before attempt ``attempt + 1``: full jitter.

    ``fraction`` is a random number in [0, 1). Source: AWS Architecture Blog, "Exponential Backoff
    And Jitter" (2015), the variant *full jitter*.
    """
    return fraction * min(BACKOFF_CAP, BACKOFF_BASE * 2.0 ** (attempt - 1))
