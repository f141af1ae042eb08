"""Sealed runs as their own statements tell them, unverified: for listing and for going on.

What is read here decides where the next run stands and whether a plan was carried out. It is no
proof of anything: that is what ``verify`` is for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cxplan.audit import disk, envelope
from cxplan.audit.folders import Name, folder_error, names_in
from cxplan.audit.refusal import Refused, unreadable_evidence
from cxplan.audit.schema import SealStatement
from cxplan.audit.statement import STATEMENT, head_of, read
from cxplan.core.evidence import Head


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed run: what its statement says, and its place in the ledger."""

    statement: SealStatement
    head: Head


def sealed_runs(path: Path) -> Iterator[Sealed]:
    """Yield the sealed runs of the ledger at ``path`` in order; none where there is no folder.

    Raises:
        EvidenceError: the folder or a statement cannot be read.
    """
    try:
        with disk.folder(path) as root:
            for name in names_in(root).sealed:
                yield read_sealed(root, name)
    except FileNotFoundError:
        return
    except OSError as error:
        raise folder_error(disk.reason(error)) from None


def read_sealed(root: int, name: Name) -> Sealed:
    """Return the sealed run called ``name``.

    Raises:
        EvidenceError: its statement cannot be read, or is not that of this folder.
    """
    try:
        found = _read(root, name)
    except Refused as refused:
        raise unreadable_evidence(f"The bundle {name.folder}", refused) from None
    return found


def _read(root: int, name: Name) -> Sealed:
    place = f"{name.folder}/{STATEMENT}"
    limit = envelope.ENVELOPE_LIMIT
    with (
        disk.subfolder(root, name.folder, name.folder) as inside,
        disk.regular(STATEMENT, place, limit=limit, parent=inside) as fd,
    ):
        signed = envelope.parse(disk.read_all(fd, place, limit=limit), place)
    statement = read(SealStatement, signed.payload, place)
    said = statement.predicate
    if (said.ledger.sequence, said.run.id) != (name.sequence, name.run_id):
        raise Refused("audit.name", place, "its statement is that of another run")
    return Sealed(statement, head_of(statement, signed.payload, name.folder))
