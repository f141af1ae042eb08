"""What lets agents start: the breaker, the reasons to stop, and the budget for sending again.

Shared by all workers of a run; every method may be called from any of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from cxplan.core.answers import Answer
from cxplan.core.breaker import PATIENCE, PROBE_AFTER, PROBES, Breaker, RetryBudget, is_fault
from cxplan.core.errors import Exit
from cxplan.core.steps import FORBIDDEN_AT_START
from cxplan.ports import Clock

FORBIDDEN = 403
THROTTLED = 429
REDIRECTS = range(300, 400)
REDIRECTS_AT_MOST = 2


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
    told: Callable[[str, dict[str, int]], None]
    """Is called with ``breaker.open`` and ``breaker.close``, for the journal."""
    stopped: str | None = field(init=False, default=None)
    exits: list[Exit] = field(init=False, default_factory=list)
    _breaker: Breaker = field(init=False, default=Breaker())
    _budget: RetryBudget = field(init=False, default=RetryBudget())
    _state: _State = field(init=False, default=_State.CLOSED)
    _busy: bool = field(init=False, default=False)
    """Whether somebody probes, or is on trial."""
    _statuses: list[int | None] = field(init=False, default_factory=list)
    _redirects: int = field(init=False, default=0)
    _throttled_since: float | None = field(init=False, default=None)
    _changed: threading.Condition = field(init=False, default_factory=threading.Condition)

    def stop(self, reason: str, code: Exit) -> None:
        """Let nothing more start; the first reason stays."""
        with self._changed:
            self._stop(reason, code)
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
                    return True
            self._probe()

    def leave(self) -> None:
        """An agent has ended; one on trial that sent nothing leaves its place to the next."""
        with self._changed:
            if self._state is _State.TRIAL:
                self._busy = False
                self._changed.notify_all()

    def noted(self, answer: Answer) -> None:
        """Note one answer to a PATCH."""
        with self._changed:
            self._note_throttling(answer.status)
            self._note_redirect(answer.status)
            self._note_forbidden(answer.status)
            if answer.status != THROTTLED:
                self._note_health(fault=is_fault(answer))
            self._changed.notify_all()

    def _note_health(self, *, fault: bool) -> None:
        self._breaker = self._breaker.noted(fault=fault)
        if self._state is _State.TRIAL:
            self._busy = False
            self._breaker = Breaker()
            self._set(_State.OPEN if fault else _State.CLOSED)
        elif self._state is _State.CLOSED and self._breaker.open:
            self._set(_State.OPEN)

    def _set(self, state: _State) -> None:
        self._state = state
        if state is not _State.TRIAL:
            faults = sum(self._breaker.recent)
            seen = len(self._breaker.recent)
            kind = "breaker.open" if state is _State.OPEN else "breaker.close"
            self.told(kind, {"faults": faults, "of": seen})

    def _note_throttling(self, status: int | None) -> None:
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
