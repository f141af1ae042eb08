"""Signals that ask for an orderly stop, and then for a quick one."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from cxplan.core.errors import Exit

_SIGNALS = {
    signal.SIGHUP: Exit.HANGUP,
    signal.SIGINT: Exit.INTERRUPTED,
    signal.SIGTERM: Exit.TERMINATED,
}


PATIENCE = 5.0
"""Seconds that what is in flight has to end after the first signal; the second ends them."""


@dataclass(slots=True)
class StopSignals:
    """Remembers the first signal that asked for an orderly stop, and whether one came again."""

    _code: Exit | None = field(init=False, default=None)
    _since: float = field(init=False, default=0.0)
    _again: bool = field(init=False, default=False)
    _event: threading.Event = field(init=False, default_factory=threading.Event)

    def requested(self) -> Exit | None:
        """Return the exit code of the signal, or None."""
        return self._code

    def impatient(self) -> bool:
        """Tell whether nothing in flight is to be waited for any longer."""
        if self._code is None:
            return False
        return self._again or time.monotonic() - self._since > PATIENCE

    def hurried(self) -> bool:
        """Tell whether a second signal came."""
        return self._again

    def wait(self) -> None:
        """Return once a signal came."""
        self._event.wait()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Catch SIGHUP, SIGINT and SIGTERM inside the block (main thread only)."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._caught) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        if self._code is None:
            self._code = _SIGNALS[signal.Signals(number)]
            self._since = time.monotonic()
            self._event.set()
        else:
            self._again = True
