"""The tenant's rate limit on writes."""

from __future__ import annotations

from collections import deque

WINDOW_S = 1.0


class PatchWindow:
    """At most ``limit`` accepted arrivals within any sliding second, all agents together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._arrivals: deque[float] = deque()

    def admit(self, at: float) -> bool:
        """Count an arrival at ``at`` (monotonic seconds) and accept it, or refuse it uncounted."""
        while self._arrivals and self._arrivals[0] <= at - WINDOW_S:
            self._arrivals.popleft()
        if len(self._arrivals) >= self._limit:
            return False
        self._arrivals.append(at)
        return True
