"""A snapshot on disk: verified once, indexed by agent, and each line read only when asked for.

An agent costs some bytes of memory, not its line: what a plan has seen it can forget. Since the
lines stay in the file, each is held against a checksum of the time when the whole was verified.
"""

from __future__ import annotations

import hashlib
import os
import re
import weakref
from array import array
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from cxplan.core.ids import AgentId
from cxplan.core.live import MissingAgent, UnreadableSchedule
from cxplan.core.snapshot import SnapshotEntry, SnapshotHeader, SnapshotSummary
from cxplan.files.regular import open_regular
from cxplan.snapshots.convert import entry_of, header_of
from cxplan.snapshots.refusal import refused
from cxplan.snapshots.schema import (
    FORMAT_VERSION,
    KIND,
    MAX_BYTES,
    MAX_LINE,
    TRAILER_BYTES,
    MalformedSnapshot,
    entry_part,
    header_part,
    trailer_line,
)

_NAME_ONE = "Name a file that cxplan snapshot -o wrote."
_CHUNK = 1 << 20
_BEGINNING = 256
_KIND = b'"kind":"%s"' % KIND.encode("ascii")
_VERSION = re.compile(rb'"formatVersion":"([^".\\]*)')
_START = re.compile(rb'\{(?:"etag":(?:null|"(?:[^"\\]|\\.)*+"),)?"id":"([!#-\[\]-~]+)",')
"""The beginning of an agent's line, up to its id."""
_FIRST_AGENT = 2
"""The line of the first agent."""


def is_snapshot(path: Path) -> bool:
    """Tell whether a file says that it is a snapshot; nothing of it is verified.

    What is missing, no regular file, or not to be read is none.
    """
    try:
        if path.is_symlink() or not path.is_file():
            return False
        with path.open("rb") as file:
            return _KIND in file.read(_BEGINNING)
    except OSError:
        return False


class SnapshotFile:
    """A verified snapshot. Agents may be asked for from several threads at once."""

    def __init__(self, path: Path) -> None:
        """Open and verify the file: its digest, its header, and the ids of all agents.

        Raises:
            InvalidError: no regular file, or ``snapshot.…``: not a snapshot, of a newer format,
                altered, cut, too large, or with agents that are not as many as it says, by id.
        """
        self._name = str(path)
        self._handle = open_regular(path, _NAME_ONE)
        self._finalizer = weakref.finalize(self, os.close, self._handle)
        with os.fdopen(self._handle, "rb", _CHUNK, closefd=False) as file:
            first = file.readline(MAX_LINE + 1)
            self._refuse_foreign(first)
            end = self._verified()
            self.header = self._header(first)
            self._index(file, len(first), end)

    def close(self) -> None:
        """Close the file; no agent may be asked for after that."""
        self._finalizer()

    def entry(self, agent_id: AgentId) -> SnapshotEntry | None:
        """Return one agent, or None where the snapshot does not hold it.

        Raises:
            InvalidError: its line is not what it must be, or changed since it was verified.
        """
        position = self._positions.get(agent_id)
        return None if position is None else self._entry(position)

    def summary(self) -> SnapshotSummary:
        """Read every agent, and return the snapshot without them.

        Raises:
            InvalidError: as ``entry``.
        """
        missing: list[AgentId] = []
        unreadable: list[AgentId] = []
        for position in range(self.header.agents):
            entry = self._entry(position)
            if isinstance(entry, MissingAgent):
                missing.append(entry.id)
            elif isinstance(entry.schedule, UnreadableSchedule):
                unreadable.append(entry.id)
        return SnapshotSummary(self.header, tuple(missing), tuple(unreadable))

    def _entry(self, position: int) -> SnapshotEntry:
        start = self._offsets[position]
        line = os.pread(self._handle, self._offsets[position + 1] - start, start)
        number = position + _FIRST_AGENT
        if crc32(line) != self._checks[position]:
            raise refused(self._name, "changed", "changed while it was in use", number)
        try:
            return entry_of(entry_part(line))
        except MalformedSnapshot as error:
            raise refused(self._name, "shape", str(error), number) from None

    def _refuse_foreign(self, first: bytes) -> None:
        """Say of what is no snapshot, or of a newer format, just that."""
        if _KIND not in first[:_BEGINNING]:
            raise refused(self._name, "kind", "is none: it does not begin like one")
        version = _VERSION.search(first)
        major = FORMAT_VERSION.partition(".")[0].encode("ascii")
        if version is None or version[1] != major:
            what = "is of another format version than this cxplan reads"
            raise refused(self._name, "version", what)

    def _verified(self) -> int:
        """Hold the file against its last line, and return where that begins."""
        size = os.fstat(self._handle).st_size
        if size > MAX_BYTES:
            raise refused(self._name, "too_large", f"is over {MAX_BYTES >> 20} MiB")
        end = max(size - TRAILER_BYTES, 0)
        sha256 = hashlib.sha256()
        for start in range(0, end, _CHUNK):
            sha256.update(os.pread(self._handle, min(_CHUNK, end - start), start))
        last = os.pread(self._handle, TRAILER_BYTES + 1, end)
        if last != trailer_line(sha256.hexdigest()):
            raise refused(self._name, "digest", "was changed or cut after cxplan wrote it")
        return end

    def _header(self, first: bytes) -> SnapshotHeader:
        try:
            return header_of(header_part(first))
        except MalformedSnapshot as error:
            raise refused(self._name, "shape", str(error)) from None

    def _index(self, file: BinaryIO, offset: int, end: int) -> None:
        """Note where the line of each agent is, from ``offset`` to ``end``."""
        self._positions: dict[AgentId, int] = {}
        self._offsets = array("Q", (offset,))
        self._checks = array("I")
        last, number = "", _FIRST_AGENT
        while offset < end and number < _FIRST_AGENT + self.header.agents:
            line = file.readline(MAX_LINE + 1)
            agent_id = self._id(line, number)
            if agent_id <= last:
                raise refused(self._name, "order", "does not have each agent once, by id", number)
            self._positions[agent_id] = number - _FIRST_AGENT
            self._checks.append(crc32(line))
            offset += len(line)
            self._offsets.append(offset)
            last, number = agent_id, number + 1
        if offset != end or number != _FIRST_AGENT + self.header.agents:
            raise refused(self._name, "count", "does not hold as many agents as it says", number)

    def _id(self, line: bytes, number: int) -> AgentId:
        if len(line) > MAX_LINE:
            what = f"has a line of over {MAX_LINE >> 20} MiB"
            raise refused(self._name, "too_large", what, number)
        start = _START.match(line)
        if start is None:
            raise refused(self._name, "shape", "has a line that is no agent", number)
        return AgentId(start[1].decode("ascii"))
