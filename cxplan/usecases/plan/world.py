"""What a plan stands on, and what it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cxplan.core.model import Declarations
from cxplan.core.pastrun import PastRun
from cxplan.core.scope import WHOLE, Scope
from cxplan.core.strictness import Allowance
from cxplan.ports import Clock, DesiredSource, Memory, Progress, Tenant, Workers


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What a plan takes from its surroundings and from whoever asks.

    ``at`` is the instant to judge at, None for now. ``base`` are the files before a change.
    """

    commit: str | None
    valid_for: timedelta
    width: int
    """How many agents are read at once."""
    tool_version: str
    at: datetime | None = None
    base: Declarations | None = None
    scope: Scope = WHOLE
    allowed: tuple[Allowance, ...] = ()
    snapshot_taken: datetime | None = None
    """When the tenant was read, where that was not now."""
    back: PastRun | None = None
    """The run to take back, in place of what the files want."""


@dataclass(frozen=True, slots=True)
class World:
    """The ports that a plan needs; ``memory`` is what earlier runs left."""

    source: DesiredSource
    tenant: Tenant
    clock: Clock
    workers: Workers
    progress: Progress
    memory: Memory
