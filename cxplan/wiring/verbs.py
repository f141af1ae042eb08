"""The use cases, joined to their ports."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta

from cxplan.ports import DesiredSource, Ledger, Progress, Tenant
from cxplan.settings import Settings
from cxplan.usecases.apply import ApplyRequest, ApplyWorld
from cxplan.usecases.plan import PlanRequest, World
from cxplan.version import __version__
from cxplan.wiring.provenance import actor_of, commit_of, run_url
from cxplan.wiring.signals import StopSignals
from cxplan.wiring.system import RandomIds, SystemClock, ThreadWorkers

WRITERS = 8
"""Agents under way at once in an apply: enough to keep the pace at a second of latency."""

PLAN_LIFETIME = timedelta(hours=24)


def plan_world(source: DesiredSource, tenant: Tenant, progress: Progress) -> World:
    """Join the ports of a plan."""
    return World(source, tenant, SystemClock(), ThreadWorkers(), progress)


def plan_request(settings: Settings, environ: Mapping[str, str]) -> PlanRequest:
    """Return what a plan takes from its surroundings."""
    commit = commit_of(settings.desired, environ)
    return PlanRequest(commit, PLAN_LIFETIME, settings.concurrency, __version__)


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
        ThreadWorkers(),
        WRITERS,
        random.SystemRandom().random,
        stop.requested,
    )


def apply_request(environ: Mapping[str, str], label: str) -> ApplyRequest:
    """Return what an apply takes from its surroundings."""
    return ApplyRequest(label, actor_of(environ), run_url(environ), __version__)
