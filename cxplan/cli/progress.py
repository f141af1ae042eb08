"""Progress on stderr: a line that moves on a terminal, one every ten seconds elsewhere."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field

from cxplan.cli.screen import Screen
from cxplan.ports import Clock

_TERMINAL_PAUSE = 0.1
_LOG_PAUSE = 10.0


@dataclass(slots=True)
class StderrProgress:
    """Implements ``ports.Progress``; silent where the screen is quiet."""

    screen: Screen
    clock: Clock
    notes: bool = False
    """Whether the note of each step is shown as a line of its own."""
    _what: str = field(init=False, default="")
    _total: int = field(init=False, default=0)
    _done: int = field(init=False, default=0)
    _began: float = field(init=False, default=0.0)
    _shown: float = field(init=False, default=0.0)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    @property
    def _terminal(self) -> bool:
        return sys.stderr.isatty()

    def start(self, what: str, total: int) -> None:
        """A stage of ``total`` items begins."""
        self._what, self._total, self._done = what, total, 0
        self._began = self._shown = self.clock.monotonic()

    def step(self, note: str = "") -> None:
        """One item is done."""
        with self._lock:
            self._done += 1
            if note and self.notes:
                self._clear()
                self.screen.talk(note + "\n")
            now = self.clock.monotonic()
            if now - self._shown < _TERMINAL_PAUSE:
                return
            pause = _TERMINAL_PAUSE if self._terminal else _LOG_PAUSE
            if now - self._shown >= pause:
                self._shown = now
                self._draw(now)

    def finish(self) -> None:
        """The stage is over; on a terminal the line goes away."""
        self._clear()

    def _draw(self, now: float) -> None:
        seconds = max(now - self._began, 0.001)
        rate = self._done / seconds
        left = (self._total - self._done) / rate if rate else 0.0
        text = (
            f"{self._what}: {self._done:,} of {self._total:,}, {rate:,.0f} a second, "
            f"{int(left) // 60}:{int(left) % 60:02d} left"
        )
        self.screen.talk(f"\r\x1b[K{text}" if self._terminal else text + "\n")

    def _clear(self) -> None:
        if self._terminal:
            self.screen.talk("\r\x1b[K")
