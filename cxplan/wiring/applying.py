"""An apply, joined to its ports; its workers may be left behind."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.pool import AsyncResult, ThreadPool
from typing import TypeVar

from cxplan.core.breaker import Tolerance
from cxplan.core.strictness import Allowance
from cxplan.ports import Ledger, Progress, Tenant
from cxplan.usecases.apply import ApplyRequest, ApplyWorld
from cxplan.version import __version__
from cxplan.wiring.provenance import actor_of, run_url
from cxplan.wiring.signals import StopSignals
from cxplan.wiring.system import RandomIds, SystemClock

Item = TypeVar("Item")
Output = TypeVar("Output")

WRITERS = 8
"""Agents under way at once in an apply: enough to keep the pace at a second of latency."""

GLANCE = 0.05
"""Seconds between two looks at whether somebody has lost patience."""


def apply_world(
    ledger: Ledger, tenant: Tenant, progress: Progress, stop: StopSignals
) -> ApplyWorld:
    """Join the ports of an apply."""
    return ApplyWorld(
        tenant,
        ledger,
        SystemClock(),
        RandomIds(),
        progress,
        LeavableWorkers(stop.impatient, stop.hurried),
        WRITERS,
        random.SystemRandom().random,
        stop.requested,
        stop.installed,
    )


def apply_request(
    environ: Mapping[str, str],
    label: str,
    allowed: tuple[Allowance, ...],
    *,
    strict: bool = False,
    tolerance: Tolerance | None = None,
) -> ApplyRequest:
    """Return what an apply takes from its surroundings and from whoever asks."""
    actor, where = actor_of(environ), run_url(environ)
    return ApplyRequest(label, allowed, actor, where, __version__, strict, tolerance)


@dataclass(frozen=True, slots=True)
class LeavableWorkers:
    """Threads whose work may be left behind: they are daemons, and nobody joins them.

    Once ``impatient()`` says so, ``map`` ends without what is still under way; ``hurried()`` tells
    that not even a short wait is wanted.
    """

    impatient: Callable[[], bool]
    hurried: Callable[[], bool]

    def map(
        self, function: Callable[[Item], Output], items: Iterable[Item], *, width: int
    ) -> Iterator[Output]:
        """Yield ``function(item)`` in order, for as long as somebody waits for it."""
        window: deque[AsyncResult[Output]] = deque()
        pool = ThreadPool(width)
        try:
            for item in items:
                window.append(pool.apply_async(function, (item,)))
                if len(window) >= width * 4:
                    if not self._done(window[0]):
                        return
                    yield window.popleft().get()
            while window and self._done(window[0]):
                yield window.popleft().get()
        finally:
            pool.terminate()

    def briefly(
        self, function: Callable[[Item], Output], items: Sequence[Item], *, seconds: float
    ) -> tuple[Output | None, ...]:
        """Return ``function(item)`` of each item, None where it took longer than ``seconds``."""
        pool = ThreadPool(max(len(items), 1))
        try:
            results = [pool.apply_async(function, (item,)) for item in items]
            end = time.monotonic() + seconds
            while not all(result.ready() for result in results):
                if self.hurried() or time.monotonic() > end:
                    break
                time.sleep(GLANCE)
            return tuple(result.get() if result.ready() else None for result in results)
        finally:
            pool.terminate()

    def _done(self, result: AsyncResult[Output]) -> bool:
        """Wait for a result; False once nobody does any longer."""
        while not result.ready():
            result.wait(GLANCE)
            if self.impatient() and not result.ready():
                return False
        return True
