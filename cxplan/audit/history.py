"""The last values of a ledger, read from its sealed runs, unverified; implements ``ports.Memory``.

Loads no cryptography: ``plan`` asks too. Journals are read line by line, and only the outcomes
that wrote or confirmed something are parsed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from cxplan.audit import disk
from cxplan.audit.folders import Listing, Name, folder_error, names_in
from cxplan.audit.limits import LINE_LIMIT, RECORDS_LIMIT
from cxplan.audit.refusal import Refused, refuse_foreign, unreadable_evidence
from cxplan.core.canonical import StrictJsonError, parse_json
from cxplan.core.due import START, Past, past_of
from cxplan.core.history import CONFIRMING, OUTCOME, Confirmed, History, confirmed, history_of
from cxplan.core.outbox import Undelivered, undelivered

RECORDS = "records.jsonl"
Found = TypeVar("Found")

_START = f'"kind":"{START}"'.encode()
_OUTCOME = f'"kind":"{OUTCOME}"'.encode()
_CONFIRMING = tuple(f'"outcome":"{word}"'.encode() for word in sorted(CONFIRMING))


class LedgerMemory:
    """What the sealed runs of the ledger in one folder last wrote or confirmed.

    A run that is open, or was killed, counts for nothing here.
    """

    def __init__(self, root: Path) -> None:
        """Keep the folder; nothing is read yet."""
        self._root = root

    def last_values(self, tenant: str) -> History:
        """Return the last value of everything that a sealed run wrote or confirmed.

        A ledger that does not exist holds none.

        Raises:
            UnapprovedError: a run of the ledger was made for another tenant.
            EvidenceError: the folder or a run's journal cannot be read.
        """
        return history_of(self._outcomes(tenant))

    def past(self, tenant: str) -> Past:
        """Return when each agent was last as the files wanted it, and what was deferred since.

        Raises:
            UnapprovedError: a run of the ledger was made for another tenant.
            EvidenceError: the folder or a run's journal cannot be read.
        """
        try:
            return past_of(
                _read(root, name, partial(_settling, tenant))
                for root, names in self._ledger()
                for name in names.sealed
            )
        except ValueError as error:
            refused = Refused("audit.record", str(self._root), str(error))
            raise unreadable_evidence("The records", refused) from None

    def open_runs(self) -> tuple[str, ...]:
        """Return the folders of the runs that are not sealed; what they wrote is not counted.

        Raises:
            EvidenceError: the folder cannot be read.
        """
        return tuple(name for _, names in self._ledger() for name in names.open)

    def undelivered(self) -> tuple[Undelivered, ...]:
        """Return the events that no sealed run could deliver yet, the oldest first.

        Raises:
            EvidenceError: the folder or a run's journal cannot be read.
        """
        return undelivered(
            (name.run_id, tuple(_read(root, name, _event)))
            for root, names in self._ledger()
            for name in names.sealed
        )

    def _outcomes(self, tenant: str) -> Iterator[Confirmed]:
        for root, names in self._ledger():
            for name in names.sealed:
                yield from _read(root, name, _Outcomes(tenant))

    def _ledger(self) -> Iterator[tuple[int, Listing]]:
        """Yield the open folder and the names in it, once; nothing where there is no folder."""
        try:
            with disk.folder(self._root) as root:
                yield root, names_in(root)
        except FileNotFoundError:
            return
        except OSError as error:
            raise folder_error(disk.reason(error)) from None


def _read(
    root: int, name: Name, read: Callable[[bytes, str, str], Found | None]
) -> Iterator[Found]:
    place = f"{name.folder}/{RECORDS}"
    try:
        with (
            disk.subfolder(root, name.folder, name.folder) as inside,
            disk.regular(RECORDS, place, limit=RECORDS_LIMIT, parent=inside) as fd,
        ):
            for number, line in enumerate(_lines(fd, place), start=1):
                found = read(line, name.run_id, f"{place}:{number}")
                if found is not None:
                    yield found
    except Refused as refused:
        raise unreadable_evidence("The records", refused) from None


def _lines(fd: int, place: str) -> Iterator[bytes]:
    try:
        with os.fdopen(fd, "rb", closefd=False) as stream:
            while line := stream.readline(LINE_LIMIT + 1):
                yield line
    except OSError as error:
        raise disk.unreadable(place, error) from None


@dataclass(slots=True)
class _Outcomes:
    """Reads the outcomes of one run that wrote or confirmed something."""

    tenant: str
    rollback: str | None = None
    """The run that this one took back, as its first line says."""

    def __call__(self, line: bytes, run_id: str, place: str) -> Confirmed | None:
        if _START in _formed(line, place):
            found = _started(line, self.tenant, place).get("rollback")
            self.rollback = found if isinstance(found, str) else None
            return None
        if _OUTCOME not in line or not any(word in line for word in _CONFIRMING):
            return None
        try:
            return confirmed(_parsed(line, place), run_id, self.rollback)
        except ValueError as error:
            raise Refused("audit.record", place, str(error)) from None


def _settling(tenant: str, line: bytes, _run_id: str, place: str) -> Mapping[str, Any] | None:
    """Return a line that says whom a run looked at, or how an agent ended."""
    if _START in _formed(line, place):
        return _started(line, tenant, place)
    return _parsed(line, place) if _OUTCOME in line else None


def _started(line: bytes, tenant: str, place: str) -> Mapping[str, Any]:
    """Return the first line of a run, which is refused where it is another tenant's."""
    found = _parsed(line, place)
    refuse_foreign(str(found.get("tenant", tenant)), tenant, place)
    return found


def _formed(line: bytes, place: str) -> bytes:
    if not (line.startswith(b'{"') and line.endswith(b"}\n") and b'"kind":"' in line):
        raise Refused("audit.form", place, "not a line in the form that cxplan writes")
    return line


def _parsed(line: bytes, place: str) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = parse_json(line)
    except StrictJsonError as error:
        raise Refused("audit.json", place, str(error)) from None
    return found


def _event(line: bytes, _run_id: str, place: str) -> Mapping[str, Any] | None:
    """Return a line about an event, None for any other."""
    return _parsed(line, place) if b'"kind":"event.' in line else None
