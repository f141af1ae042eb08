"""The names in a ledger's folder: sealed bundles, runs that are open, and what belongs to neither.

Names that begin with a dot (the lock, a version control's own files) are left alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from cxplan.audit import disk
from cxplan.audit.refusal import shown
from cxplan.core.errors import EvidenceError, InvalidError
from cxplan.core.ids import UUID

OPEN_SUFFIX = ".open"
_NAME = re.compile(rf"(\d{{6,9}})-({UUID})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """The name of a sealed bundle, which its statement has to bear out."""

    sequence: int
    run_id: str
    folder: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The names in a ledger: bundles by sequence, the others by name."""

    sealed: tuple[Name, ...]
    open: tuple[str, ...]
    strange: tuple[str, ...]


def folder_name(sequence: int, run_id: str) -> str:
    """Return the name of a sealed bundle, such as ``000042-<run uuid>``."""
    return f"{sequence:06d}-{run_id}"


def listing(root: int) -> Listing:
    """Return the names in the open folder ``root``; raises ``OSError``."""
    with os.scandir(root) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    sealed = [found for name in names if (found := sealed_name(name))]
    unsealed = tuple(name for name in names if name.endswith(OPEN_SUFFIX))
    known = {found.folder for found in sealed} | set(unsealed)
    return Listing(tuple(sorted(sealed)), unsealed, tuple(n for n in names if n not in known))


def names_in(root: int) -> Listing:
    """Return the names in the open ledger folder ``root``.

    Raises:
        EvidenceError: ``audit.folder``: it cannot be listed.
    """
    try:
        return listing(root)
    except OSError as error:
        raise folder_error(f"it cannot be listed: {disk.reason(error)}") from None


def folder_error(why: str) -> EvidenceError:
    """Return the error of a ledger folder that cannot be used."""
    return EvidenceError(
        f"The ledger's folder cannot be used: {why}.",
        code="audit.folder",
        hint="Name a folder that can be read and written with --audit.",
    )


def sealed_name(name: str) -> Name | None:
    """Return ``name`` taken apart, None where it is not that of a sealed bundle."""
    parts = _NAME.fullmatch(name)
    if parts is None or folder_name(int(parts[1]), parts[2]) != name:
        return None
    return Name(int(parts[1]), parts[2], name)


def run_of(folder: str) -> str:
    """Return the run id in the name of an open run's folder, or the name where it holds none."""
    parts = _NAME.fullmatch(folder.removesuffix(OPEN_SUFFIX))
    return parts[2] if parts else folder


def ways_on(run: str) -> str:
    """Return what to do about a run that was cut off, as the hint of a message."""
    shown_run = shown(run)
    return (
        f"Go on with it: cxplan apply --resume {shown_run}. Or find out how its writes ended and "
        f"seal it: cxplan recover {shown_run}."
    )


def choose(names: Listing, runs: Sequence[str]) -> Listing:
    """Return the runs that are meant: each by its uuid, a unique beginning of it, or its folder.

    Raises:
        InvalidError: ``usage.run`` where a name fits none or several.
    """
    sealed, unsealed = set[Name](), set[str]()
    for run in runs:
        wanted = PurePath(run).name
        here = [n for n in names.sealed if _means(wanted, n.run_id, n.folder)]
        there = [n for n in names.open if _means(wanted, run_of(n), n)]
        if len(here) + len(there) != 1:
            raise _not_one(run, len(here) + len(there))
        sealed.update(here)
        unsealed.update(there)
    return Listing(tuple(sorted(sealed)), tuple(sorted(unsealed)), ())


def _means(wanted: str, run_id: str, folder: str) -> bool:
    return wanted == folder or (bool(wanted) and run_id.startswith(wanted))


def _not_one(run: str, found: int) -> InvalidError:
    how = f"{found} runs begin with" if found else "No run in the ledger is called"
    return InvalidError(
        f"{how} {shown(run)}.",
        code="usage.run",
        hint="Give a run's uuid, a unique beginning of it, or its folder in the ledger.",
    )
