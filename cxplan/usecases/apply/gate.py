"""What lets agents start: the breaker, the reasons to stop, and the budget for sending again.

Shared by all workers of a run; every method may be called from any of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from math import ceil
from typing import Any

from cxplan.core.answers import Answer
from cxplan.core.breaker import PATIENCE, PROBE_AFTER, PROBES, Breaker, RetryBudget, is_fault
from cxplan.core.errors import Exit
from cxplan.core.ids import AgentId
from cxplan.core.steps import FORBIDDEN_AT_START, Outcome
from cxplan.core.wording import count
from cxplan.ports import Clock

FORBIDDEN = 403
THROTTLED = 429
UNAVAILABLE = 503
GAP = 5.0
"""Seconds by which two clocks may drift apart between two answers."""
REDIRECTS = range(300, 400)
REDIRECTS_AT_MOST = 2
GIVEN_UP = frozenset({Exit.AUTH, Exit.UNAVAILABLE})
"""Reasons to stop that are the tenant's."""
FAILURES = frozenset({Outcome.REJECTED, Outcome.FAILED, Outcome.UNKNOWN})
"""What ``--max-failures`` counts; a conflict is somebody else's change, no failure."""


class _State(Enum):
    CLOSED = auto()
    OPEN = auto()
    TRIAL = auto()
    """A probe succeeded: one agent first, then all again."""


@dataclass(slots=True)
class Gate:
    """Admits agents one by one; ``probe`` reads something of the tenant and tells if it could."""

    clock: Clock
    probe: Callable[[], bool]
    told: Callable[[str, Mapping[str, Any]], None]
    """Is called for the journal: a breaker that opens or closes, a pause, a gap in the clocks."""
    asked: Callable[[], Exit | None] = lambda: None
    """What a signal has asked for, if one came."""
    most_failures: int | None = None
    """So many agents that end in failure stop the run; None for any number."""
    stopped: str | None = field(init=False, default=None)
    crash: str | None = field(init=False, default=None)
    """The first bug that showed, for the report."""
    exits: list[Exit] = field(init=False, default_factory=list)
    _breaker: Breaker = field(init=False, default=Breaker())
    _budget: RetryBudget = field(init=False, default=RetryBudget())
    _state: _State = field(init=False, default=_State.CLOSED)
    _busy: bool = field(init=False, default=False)
    """Whether somebody probes, or is on trial."""
    _on_trial: int | None = field(init=False, default=None)
    """The thread of the agent that is."""
    _statuses: list[int | None] = field(init=False, default_factory=list)
    _failed_trials: int = field(init=False, default=0)
    """Writes in a row that failed right after a probe that did not."""
    _redirects: int = field(init=False, default=0)
    _left: set[AgentId] = field(init=False, default_factory=set)
    _throttled_since: float | None = field(init=False, default=None)
    _throttled: int = field(init=False, default=0)
    """Answers 429 in a row."""
    _ahead: float = field(init=False)
    """Seconds that the wall clock is ahead of the monotonic one."""
    _failures: int = field(init=False, default=0)
    _changed: threading.Condition = field(init=False, default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._ahead = self._wall_ahead()

    def stop(self, reason: str, code: Exit) -> None:
        """Let nothing more start; the first reason stays."""
        with self._changed:
            self._stop(reason, code)
            self._changed.notify_all()

    def heed(self) -> None:
        """Stop the run where a signal asked for it."""
        code = self.asked()
        if code is not None:
            self.stop("interrupted", code)

    @property
    def open(self) -> bool:
        """Whether the breaker is open."""
        return self._state is not _State.CLOSED

    def crashed(self, reason: str) -> None:
        """Note a bug; one is one agent's trouble, a second says that it may hit them all."""
        with self._changed:
            if self.crash is not None:
                self._stop(self.crash, Exit.INTERNAL)
            else:
                self.crash = reason
                self.exits.append(Exit.INTERNAL)
            self._changed.notify_all()

    def enter(self) -> bool:
        """Wait until an agent may start; False where the run has stopped."""
        while True:
            with self._changed:
                while self.stopped is None and self._state is not _State.CLOSED and self._busy:
                    self._changed.wait()
                if self.stopped is not None:
                    return False
                if self._state is _State.CLOSED:
                    return True
                self._busy = True
                if self._state is _State.TRIAL:
                    self._on_trial = threading.get_ident()
                    return True
            self._probe()

    def leave(self) -> None:
        """An agent has ended; one on trial that sent nothing leaves its place to the next."""
        with self._changed:
            if self._on_trial == threading.get_ident():
                self._on_trial = None
                self._busy = False
                self._changed.notify_all()

    def goes_on(self) -> bool:
        """Wait until an agent that is under way may ask again; False where it may not.

        A closed breaker holds nobody up: what is in flight ends, whatever has stopped the run, but
        for a tenant that does not want to be asked any more.
        """
        with self._changed:
            if self._is_given_up():
                return False
            free = self._state is _State.CLOSED or self._on_trial == threading.get_ident()
        return free or self.enter()

    def _is_given_up(self) -> bool:
        return self.stopped is not None and bool(GIVEN_UP & set(self.exits))

    def missed(self) -> None:
        """Note a read of an agent that the tenant failed."""
        with self._changed:
            self._note_health(fault=True)
            self._changed.notify_all()

    def ended(self, outcome: Outcome) -> None:
        """Note how an agent ended; enough failures stop the run."""
        with self._changed:
            self._failures += outcome in FAILURES
            if self.most_failures is not None and self._failures >= self.most_failures:
                reason = f"{count(self._failures, 'agent')} failed (--max-failures)"
                self._stop(reason, Exit.PARTIAL)
                self._changed.notify_all()

    def noted(self, answer: Answer) -> None:
        """Note one answer to a PATCH."""
        with self._changed:
            self._note_gap()
            self._note_throttling(answer.status)
            self._note_pause(answer)
            self._note_redirect(answer.status)
            self._note_forbidden(answer.status)
            if answer.status != THROTTLED:
                self._note_health(fault=is_fault(answer))
            self._changed.notify_all()

    def _note_health(self, *, fault: bool) -> None:
        self._breaker = self._breaker.noted(fault=fault)
        if self._state is _State.TRIAL:
            self._on_trial = None
            self._busy = False
            self._end_trial(fault=fault)
        elif self._state is _State.CLOSED and self._breaker.open:
            self._set(_State.OPEN)

    def _end_trial(self, *, fault: bool) -> None:
        """A tenant that answers reads and fails writes again and again ends the run as well."""
        self._set(_State.OPEN if fault else _State.CLOSED)
        self._breaker = Breaker()
        self._failed_trials = self._failed_trials + 1 if fault else 0
        if self._failed_trials == PROBES:
            self._stop("the tenant answers reads and keeps failing writes", Exit.UNAVAILABLE)

    def _set(self, state: _State) -> None:
        self._state = state
        kind = "breaker.open" if state is _State.OPEN else "breaker.close"
        recent = self._breaker.recent
        self.told(kind, {"faults": sum(recent), "of": len(recent)})

    def _note_gap(self) -> None:
        """A clock that was set, or a machine that slept, moves one clock and not the other."""
        ahead = self._wall_ahead()
        gap, self._ahead = ahead - self._ahead, ahead
        if abs(gap) > GAP:
            self.told("clock.gap", {"seconds": round(gap)})

    def _wall_ahead(self) -> float:
        return self.clock.now().timestamp() - self.clock.monotonic()

    def _note_pause(self, answer: Answer) -> None:
        """The tenant's pauses, as it asked for them: a 429, and a 503 that names a time."""
        asked = answer.retry_after
        if answer.status == THROTTLED or (answer.status == UNAVAILABLE and asked is not None):
            seconds = None if asked is None else ceil(asked)
            fields = {"status": answer.status, "inARow": self._throttled, "askedSeconds": seconds}
            self.told("pace.pause", fields)

    def _note_throttling(self, status: int | None) -> None:
        self._throttled = self._throttled + 1 if status == THROTTLED else 0
        if status != THROTTLED:
            self._throttled_since = None
            return
        now = self.clock.monotonic()
        if self._throttled_since is None:
            self._throttled_since = now
        elif now - self._throttled_since > PATIENCE:
            self._stop("the tenant answered nothing but 429 for five minutes", Exit.UNAVAILABLE)

    def _note_redirect(self, status: int | None) -> None:
        """One redirect is one agent's trouble; a second says that writes do not arrive at all."""
        if status in REDIRECTS:
            self.exits.append(Exit.UNAVAILABLE)
            self._redirects += 1
            if self._redirects == REDIRECTS_AT_MOST:
                self._stop("the tenant answers writes with redirects", Exit.UNAVAILABLE)

    def _note_forbidden(self, status: int | None) -> None:
        if len(self._statuses) == FORBIDDEN_AT_START:
            return
        self._statuses.append(status)
        if self._statuses == [FORBIDDEN] * FORBIDDEN_AT_START:
            reason = "the first writes were all forbidden; the role lacks Agent Management"
            self._stop(reason, Exit.AUTH)

    def _stop(self, reason: str, code: Exit) -> None:
        if self.stopped is None:
            self.stopped = reason
        self.exits.append(code)

    def may_leave(self, agent_id: AgentId) -> bool:
        """Let an agent's write leave, unless the run has stopped.

        What is begun goes on, but for a tenant that does not want to be asked any more.
        """
        self.heed()
        with self._changed:
            if self.stopped is None:
                self._left.add(agent_id)
            return agent_id in self._left and not self._is_given_up()

    def has_left(self, agent_id: AgentId) -> bool:
        """Tell whether a write of an agent may have left."""
        with self._changed:
            return agent_id in self._left

    def sends_first(self) -> None:
        """Note a first attempt, which the budget for further ones grows with."""
        with self._changed:
            self._budget = replace(self._budget, first=self._budget.first + 1)

    def may_send_again(self) -> bool:
        """Take one retry out of the budget; False where it is spent."""
        with self._changed:
            if self._budget.spent:
                return False
            self._budget = replace(self._budget, again=self._budget.again + 1)
            return True

    def _probe(self) -> None:
        """Wait and read, outside of the lock; the second failure ends the run."""
        for _ in range(PROBES):
            self.clock.sleep(PROBE_AFTER)
            if self.probe():
                with self._changed:
                    self._state = _State.TRIAL
                    self._busy = False
                    self._changed.notify_all()
                return
        self.stop("the tenant keeps failing, and does not answer reads either", Exit.UNAVAILABLE)
