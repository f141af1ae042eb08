"""How fast a tenant is asked: one pace for writes, one width for reads, and pauses for both.

Writes take turns: the next may start only when an interval has passed since the last one was
written to its connection. That, and not a token bucket, keeps any second at five or less. Reads
run side by side up to a width that halves when the tenant answers 429 and grows by one a second.
Nothing here starts a thread or reads a clock of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

from cxplan.core.answers import Failure
from cxplan.core.breaker import PATIENCE
from cxplan.core.steps import LONGEST_PAUSE
from cxplan.ports import Clock, always
from cxplan.tenant.messages import Broken, Trouble

INTERVAL = 0.21
"""Seconds between two writes at the fastest: five in any second, and a margin for the network."""

IN_A_ROW = 3
"""So many 429 without another answer between them halve the rate of writes."""

_LONGEST_BACKOFF = 30.0


class Unsent(Exception):
    """Nothing is sent; ``outcome`` is what that means for the exchange."""

    outcome: Broken


class Held(Unsent):
    """The tenant asks for a pause that is too long to wait; ``seconds`` of it are left."""

    def __init__(self, seconds: float) -> None:
        """Keep how long it would be."""
        trouble = Trouble("http.rate_limited", "The tenant asks for a pause over a minute.")
        self.outcome = Broken(Failure.NOT_SENT, trouble, retry_after=seconds)
        self.seconds = seconds


class Withdrawn(Unsent):
    """A write was not wanted any more when its turn came."""

    outcome = Broken(Failure.WITHDRAWN, Trouble("http.withdrawn", "The write was withdrawn."))


class _Pause:
    """An instant before which nothing may be sent. Each change of it is atomic."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = clock.monotonic()
        self._lock = threading.Lock()

    def extend(self, seconds: float) -> None:
        with self._lock:
            self._until = max(self._until, self._clock.monotonic() + seconds)

    @property
    def left(self) -> float:
        return self._until - self._clock.monotonic()

    def wait(self, not_before: Callable[[], float]) -> None:
        """Return when the pause is over and ``not_before`` has come, even if they move."""
        while True:
            left = self.left
            if left > LONGEST_PAUSE:
                raise Held(left)
            left = max(left, not_before() - self._clock.monotonic())
            if left <= 0:
                return
            self._clock.sleep(left)


def _own_backoff(in_a_row: int, fraction: float) -> float:
    """Return the pause after a 429 that names none: full jitter, a second at least."""
    return max(1.0, fraction * min(_LONGEST_BACKOFF, 2.0**in_a_row))


class Pacer:
    """Gives writes their turns, for all threads together."""

    def __init__(self, clock: Clock, jitter: Callable[[], float], *, rate: float) -> None:
        """Take turns at ``rate`` a second, or at five where that is less."""
        self._clock = clock
        self._jitter = jitter
        self._interval = max(INTERVAL, 1.0 / rate)
        self._pause = _Pause(clock)
        self._turns = threading.Lock()
        self._last: float | None = None
        self._counting = threading.Lock()
        self._in_a_row = 0

    @property
    def interval(self) -> float:
        """Seconds between two turns as it stands."""
        return self._interval

    @contextmanager
    def turn(self, may_leave: Callable[[], bool] = always) -> Iterator[None]:
        """Hold the turn while the block writes its request, and no longer.

        The interval is counted from the end of the block, so a thread that is held up inside it
        delays the others instead of being followed too closely.

        Raises:
            Held: the tenant asked for a pause over a minute.
            Withdrawn: ``may_leave`` said no; the turn is the next one's.
        """
        with self._turns:
            self._pause.wait(self._earliest)
            if not may_leave():
                raise Withdrawn
            try:
                yield
            finally:
                self._last = self._clock.monotonic()

    def _earliest(self) -> float:
        return -inf if self._last is None else self._last + self._interval

    def throttled(self, retry_after: float | None) -> float:
        """Note a 429: everybody pauses, and the third in a row halves the rate.

        Returns:
            The seconds of the pause.
        """
        with self._counting:
            self._in_a_row += 1
            if self._in_a_row % IN_A_ROW == 0:
                self._interval *= 2
            own = _own_backoff(self._in_a_row, self._jitter())
        pause = own if retry_after is None else retry_after
        self._pause.extend(pause)
        return pause

    def answered(self) -> None:
        """Note an answer that is not 429."""
        with self._counting:
            self._in_a_row = 0

    def hold(self, seconds: float) -> None:
        """Pause everybody for a reason that says nothing about the rate."""
        self._pause.extend(min(seconds, LONGEST_PAUSE))


class ReadGate:
    """Lets so many reads run side by side, for all threads together."""

    def __init__(self, clock: Clock, jitter: Callable[[], float], *, width: int) -> None:
        """Start with the full ``width``."""
        self._clock = clock
        self._jitter = jitter
        self._widest = width
        self._halved = width
        self._since = clock.monotonic()
        self._pause = _Pause(clock)
        self._freed = threading.Condition()
        self._active = 0
        self._generation = 0
        self._in_a_row = 0
        self._first_refusal: float | None = None

    @property
    def width(self) -> int:
        """Reads that may run at this moment."""
        grown = max(0.0, self._clock.monotonic() - self._since)
        return min(self._widest, self._halved + int(grown))

    @contextmanager
    def slot(self) -> Iterator[int]:
        """Hold a place while the block reads; yields a number to give to ``throttled``.

        Raises:
            Held: the tenant asked for a pause over a minute.
        """
        with self._freed:
            while self._active >= self.width:
                self._freed.wait()
            self._active += 1
        try:
            self._pause.wait(lambda: -inf)
            yield self._generation
        finally:
            with self._freed:
                self._active -= 1
                self._freed.notify(max(1, self.width - self._active))

    def throttled(self, generation: int, retry_after: float | None) -> None:
        """Note a 429. Reads that ran side by side halve the width once, not each.

        Raises:
            Held: nothing but 429 for five minutes.
        """
        now = self._clock.monotonic()
        with self._freed:
            self._in_a_row += 1
            if self._first_refusal is None:
                self._first_refusal = now
            starved = now - self._first_refusal > PATIENCE
            own = _own_backoff(self._in_a_row, self._jitter())
            pause = own if retry_after is None else retry_after
            if generation == self._generation:
                self._generation += 1
                self._halved = max(1, self.width // 2)
                self._since = now + pause
        self._pause.extend(pause)
        if starved:
            raise Held(pause)

    def answered(self) -> None:
        """Note an answer that is not 429."""
        if self._first_refusal is not None:
            with self._freed:
                self._in_a_row = 0
                self._first_refusal = None

    def hold(self, seconds: float) -> None:
        """Pause all reads, because the tenant asked its writers to."""
        self._pause.extend(min(seconds, LONGEST_PAUSE))
