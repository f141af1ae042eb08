"""Writing a snapshot: kept in memory as its lines while it is read, then written whole."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from cxplan.core.canonical import signed_form
from cxplan.core.errors import CxplanError, InvalidError
from cxplan.core.snapshot import SnapshotEntry, SnapshotHeader
from cxplan.files.regular import write_file
from cxplan.snapshots.convert import entry_json, header_json
from cxplan.snapshots.schema import (
    MAX_AGENTS,
    MAX_BYTES,
    MAX_LINE,
    TRAILER_BYTES,
    trailer_line,
)


class SnapshotWriter:
    """Takes a snapshot in, agent by agent, and writes the file once it is whole."""

    def __init__(self) -> None:
        """Nothing is read yet, and nothing is written before ``write``."""
        self._lines: list[bytes] = []
        self._left = 0
        self._bytes = 0
        self._last = ""

    def begin(self, header: SnapshotHeader) -> None:
        """Take the header; it says how many agents are to come.

        Raises:
            InvalidError: it would be over a limit of the file.
        """
        if header.agents > MAX_AGENTS:
            raise _too_large(f"{MAX_AGENTS:,} agents")
        self._left = header.agents
        self._append(header_json(header))

    def add(self, entry: SnapshotEntry) -> None:
        """Take the next agent, by id.

        Raises:
            InvalidError: it would be over a limit of the file.
        """
        if entry.id <= self._last:
            raise CxplanError("The agents of a snapshot come by id, each once.")
        self._last = entry.id
        self._left -= 1
        self._append(entry_json(entry))

    def write(self, path: Path) -> None:
        """Write the file; what stood there is replaced, or left as it is on any failure.

        Raises:
            InvalidError: a symlink, FIFO or folder stands there, or the folder cannot be written.
        """
        if self._left != 0 or not self._lines:
            raise CxplanError("A snapshot is written whole.")
        sha256 = hashlib.sha256()
        for line in self._lines:
            sha256.update(line)
        write_file(path, (*self._lines, trailer_line(sha256.hexdigest())))

    def _append(self, members: dict[str, Any]) -> None:
        line = signed_form(members) + b"\n"
        self._bytes += len(line)
        if len(line) > MAX_LINE:
            raise _too_large(f"{MAX_LINE >> 20} MiB in one line")
        if self._bytes > MAX_BYTES - TRAILER_BYTES:
            raise _too_large(f"{MAX_BYTES >> 20} MiB")
        self._lines.append(line)


def _too_large(limit: str) -> InvalidError:
    return InvalidError(
        f"The snapshot would be over {limit}; nothing was written.",
        code="snapshot.too_large",
        hint="Split the desired state into folders and take a snapshot of each.",
    )
