"""The edges, made from settings: files, tenant, ledger."""

from __future__ import annotations

import getpass
import os
import random
from collections.abc import Mapping
from pathlib import Path

from cxplan.audit.keys import load_own_public_key, load_public_key, load_signing_key
from cxplan.audit.ledger import FileLedger
from cxplan.audit.review import Trust
from cxplan.core.errors import InvalidError, UnapprovedError
from cxplan.core.model import Declarations
from cxplan.desired.source import FolderSource
from cxplan.ports import Tenant
from cxplan.settings import Settings, load_credentials
from cxplan.tenant.availability.tenant import AvailabilityTenant
from cxplan.tenant.connection import Connection
from cxplan.wiring.system import RandomIds, SystemClock


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


def tenant(settings: Settings, environ: Mapping[str, str]) -> Tenant:
    """Return the tenant of the profile availability-v2, not yet connected.

    Raises:
        AuthError: credentials are missing.
        InvalidError: an address is none, or is not encrypted.
    """
    credentials = load_credentials(environ)
    connection = Connection(
        api_url=settings.api_url,
        token_url=settings.token_url,
        client_id=credentials.client_id,
        client_secret=credentials.client_secret,
        ca_bundle=None if settings.ca_bundle is None else str(settings.ca_bundle),
        proxy=settings.proxy,
        read_width=settings.concurrency,
    )
    return AvailabilityTenant(connection, clock=SystemClock(), jitter=random.SystemRandom().random)


def ledger(settings: Settings, trusted: tuple[Path, ...] = ()) -> FileLedger:
    """Return the ledger; ``trusted`` are public keys to verify with instead of the own one.

    Raises:
        InvalidError: a key file that is none.
    """
    path = settings.signing_key
    keys = tuple(load_public_key(key) for key in trusted)
    if not keys and path is not None and path.exists():
        keys = (load_own_public_key(path),)
    return FileLedger(
        settings.audit,
        signer=None if path is None else lambda: load_signing_key(path),
        clock=SystemClock(),
        ids=RandomIds(),
        trust=Trust(keys, own_only=not trusted),
        owner=f"{getpass.getuser()} (process {os.getpid()})",
    )


def require_key(settings: Settings) -> None:
    """Refuse to apply without a signing key.

    Raises:
        UnapprovedError: none is configured, or the file is not there.
    """
    path = settings.signing_key
    if path is None or not path.exists():
        missing = "No signing key is set" if path is None else f"There is no signing key {path}"
        raise UnapprovedError(
            f"{missing}; apply seals its evidence with one.",
            code="key.missing",
            hint="Make one with cxplan keys generate, then give it with --signing-key FILE.",
        )
