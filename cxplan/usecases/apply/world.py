"""What an apply stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from cxplan.core.errors import Exit, Interrupted
from cxplan.ports import Clock, Ids, LeavableWorkers, Ledger, Progress, Tenant


@dataclass(frozen=True, slots=True)
class ApplyWorld:
    """The ports of an apply. ``fraction`` returns random numbers in [0, 1) for waiting times.

    ``stop`` returns the exit code of a signal that asked for an orderly stop, else None. Signals
    ask for one only inside ``in_order()``; outside they end the command at once.
    """

    tenant: Tenant
    ledger: Ledger
    clock: Clock
    ids: Ids
    progress: Progress
    workers: LeavableWorkers
    width: int
    """How many agents are under way at once; the pace of the writes is the tenant's."""
    fraction: Callable[[], float]
    stop: Callable[[], Exit | None]
    in_order: Callable[[], AbstractContextManager[None]]

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Let a signal stop what is in the block in order, from right before a run begins.

        Raises:
            Interrupted: one came before anything in the block was done.
        """
        with self.in_order():
            code = self.stop()
            if code is not None:
                raise Interrupted(code)
            yield
