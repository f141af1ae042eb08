"""Plans, joined to their ports."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from cxplan.ports import DesiredSource, Memory, Progress, Tenant
from cxplan.settings import Settings
from cxplan.usecases.plan import PlanRequest, World
from cxplan.version import __version__
from cxplan.wiring.provenance import commit_of
from cxplan.wiring.system import (
    InlineWorkers,
    SystemClock,
    ThreadWorkers,
)

PLAN_LIFETIME = timedelta(hours=24)


def plan_world(source: DesiredSource, tenant: Tenant, progress: Progress, memory: Memory) -> World:
    """Join the ports of a plan."""
    return World(source, tenant, SystemClock(), ThreadWorkers(), progress, memory)


def offline_world(
    source: DesiredSource, tenant: Tenant, progress: Progress, memory: Memory
) -> World:
    """Join the ports of a plan that asks nobody: threads would only cost time."""
    return World(source, tenant, SystemClock(), InlineWorkers(), progress, memory)


def plan_request(settings: Settings, environ: Mapping[str, str]) -> PlanRequest:
    """Return what a plan takes from its surroundings."""
    commit = commit_of(settings.desired, environ)
    return PlanRequest(commit, PLAN_LIFETIME, settings.concurrency, __version__)
