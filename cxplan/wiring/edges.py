"""The edges, made from settings: files and tenant.

The HTTP client is loaded only where a tenant is asked, so that a plan from a snapshot does without.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cxplan.core.errors import InvalidError
from cxplan.core.model import Declarations
from cxplan.desired.source import FolderSource
from cxplan.ports import Tenant
from cxplan.settings import Settings, load_credentials
from cxplan.wiring.system import SystemClock

if TYPE_CHECKING:
    from cxplan.snapshots.tenant import SnapshotTenant


MOST_WRITES = 5.0
"""PATCHes in a second of a tenant, at most."""


def desired_source(settings: Settings) -> FolderSource:
    """Return the files of the desired state."""
    return FolderSource(settings.desired)


def read_declarations(settings: Settings, source: FolderSource) -> Declarations:
    """Return what the files say, of the tenant that ``--tenant`` names where it does.

    Raises:
        DesiredInvalid: with every problem of the files.
        InvalidError: the files are of another tenant.
    """
    declarations = source.read()
    if settings.tenant is not None and settings.tenant != declarations.tenant:
        raise InvalidError(
            f"The files are of tenant {declarations.tenant}, --tenant says {settings.tenant}.",
            code="policy.tenant",
            hint="Correct --tenant, or --desired if these are the wrong files.",
        )
    return declarations


def snapshot(path: Path, declarations: Declarations) -> SnapshotTenant:
    """Return the tenant as a snapshot holds it.

    Raises:
        InvalidError: it is no intact snapshot, or of another tenant than the files.
    """
    from cxplan.snapshots.tenant import SnapshotTenant

    found = SnapshotTenant(path)
    found.refuse_other(declarations)
    return found


def tenant(settings: Settings, environ: Mapping[str, str], max_rps: float = MOST_WRITES) -> Tenant:
    """Return the tenant of the profile availability-v2, not yet connected.

    ``max_rps`` is how many writes may leave in a second, never more than the tenant allows.

    Raises:
        AuthError: credentials are missing.
        InvalidError: an address is none, or is not encrypted.
    """
    from cxplan.tenant.availability.tenant import AvailabilityTenant
    from cxplan.tenant.connection import Connection

    credentials = load_credentials(environ)
    connection = Connection(
        api_url=settings.api_url,
        token_url=settings.token_url,
        client_id=credentials.client_id,
        client_secret=credentials.client_secret,
        ca_bundle=None if settings.ca_bundle is None else str(settings.ca_bundle),
        proxy=settings.proxy,
        read_width=settings.concurrency,
        max_rps=max_rps,
    )
    return AvailabilityTenant(connection, clock=SystemClock(), jitter=random.SystemRandom().random)
