"""What an apply stands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cxplan.core.errors import Exit
from cxplan.ports import Clock, Ids, LeavableWorkers, Ledger, Progress, Tenant


@dataclass(frozen=True, slots=True)
class ApplyWorld:
    """The ports of an apply. ``fraction`` returns random numbers in [0, 1) for waiting times.

    ``stop`` returns the exit code of a signal that asked for an orderly stop, else None.
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
