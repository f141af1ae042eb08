"""The machine: its clocks, its random ids, its threads."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

Item = TypeVar("Item")
Output = TypeVar("Output")


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Return the wall clock in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class RandomIds:
    """Random uuids."""

    def new(self) -> str:
        """Return a fresh uuid4."""
        return str(uuid.uuid4())


class ThreadWorkers:
    """Threads, with a bounded window so that no result waits in memory for long."""

    def map(
        self, function: Callable[[Item], Output], items: Iterable[Item], *, width: int
    ) -> Iterator[Output]:
        """Yield ``function(item)`` in order; an exception cancels what has not begun."""
        window: deque[Future[Output]] = deque()
        pool = ThreadPoolExecutor(max_workers=width)
        try:
            for item in items:
                window.append(pool.submit(function, item))
                if len(window) >= width * 4:
                    yield window.popleft().result()
            while window:
                yield window.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class InlineWorkers:
    """No threads: for work that never waits."""

    def map(
        self, function: Callable[[Item], Output], items: Iterable[Item], *, width: int
    ) -> Iterator[Output]:
        """Yield ``function(item)`` in order; ``width`` is of no concern."""
        del width
        return map(function, items)
