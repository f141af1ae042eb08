"""The ledger and its keys, made from settings.

Apart from the other edges, so that a plan does not load any cryptography.
"""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from cxplan.audit.keys import load_own_public_key, load_public_key, load_signing_key
from cxplan.audit.ledger import FileLedger
from cxplan.audit.review import Trust
from cxplan.core.errors import UnapprovedError
from cxplan.settings import Settings
from cxplan.wiring.system import RandomIds, SystemClock


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


def has_key(settings: Settings) -> bool:
    """Tell whether there is a signing key, whose public half can verify."""
    return settings.signing_key is not None and settings.signing_key.exists()


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
