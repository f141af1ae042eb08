"""The memory of past runs, made from settings; loads no cryptography."""

from __future__ import annotations

from cxplan.audit.history import LedgerMemory
from cxplan.ports import Progress, Tenant
from cxplan.settings import Settings
from cxplan.usecases.drift import DriftWorld
from cxplan.wiring.system import ThreadWorkers


def memory(settings: Settings) -> LedgerMemory:
    """Return what the ledger's sealed runs say of themselves, not yet read."""
    return LedgerMemory(settings.audit)


def drift_world(
    settings: Settings, remembered: LedgerMemory, tenant: Tenant, progress: Progress
) -> DriftWorld:
    """Join the ports of a drift."""
    return DriftWorld(tenant, remembered, ThreadWorkers(), progress, settings.concurrency)
