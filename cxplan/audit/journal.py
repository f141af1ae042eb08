"""The journal: append-only, hash-chained, each line on disk before its writer goes on."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

from cxplan.audit import disk
from cxplan.audit.limits import LINE_LIMIT, RECORDS_LIMIT
from cxplan.audit.records import OWN, Walk
from cxplan.audit.refusal import Refused
from cxplan.core.canonical import signed_form
from cxplan.core.errors import EvidenceError
from cxplan.core.instant import utc_millis
from cxplan.ports import Clock


class Journal:
    """Appends lines to an open file; thread-safe.

    The first line that cannot be written whole closes the journal for good: what stands on the
    disk is no longer known, so nothing may be added after it.
    """

    def __init__(self, fd: int, walk: Walk, clock: Clock) -> None:
        """Take over ``fd``, an empty file open for appending."""
        self._fd = fd
        self._walk = walk
        self._clock = clock
        self._lock = threading.Lock()
        self._closed: str | None = None

    @property
    def walk(self) -> Walk:
        """What the lines so far add up to."""
        return self._walk

    def append(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Write one line and force it to disk.

        Raises:
            EvidenceError: ``audit.write``: it is not known to be on disk, or one before it is not.
            ValueError: the line breaks a rule of ``records``, which is a bug of the caller;
                nothing is written.
        """
        if OWN & fields.keys():
            raise ValueError(f"the journal itself gives {sorted(OWN & fields.keys())}")
        with self._lock:
            self.refuse_closed()
            self._write(self._line(kind, fields))

    def refuse_closed(self) -> None:
        """Raise ``EvidenceError`` where the journal takes no more lines."""
        if self._closed is not None:
            raise _not_written(f"it is closed: {self._closed}")

    def _line(self, kind: str, fields: Mapping[str, Any]) -> bytes:
        own = {
            "i": self._walk.count + 1,
            "prev": self._walk.last,
            "at": utc_millis(self._clock.now()),
            "kind": kind,
        }
        line = signed_form({**fields, **own})
        if len(line) > LINE_LIMIT or self._walk.size + len(line) >= RECORDS_LIMIT:
            raise _not_written(f"it holds {RECORDS_LIMIT} bytes at most, a line {LINE_LIMIT}")
        try:
            self._walk.take(line)
        except Refused as refused:
            raise ValueError(str(refused)) from None
        return line + b"\n"

    def _write(self, line: bytes) -> None:
        """Count the line as failed until it is known to be on disk.

        A disk that is nearly full takes a part; the next call then says what is wrong with it.
        """
        self._closed = "a line was cut off"
        left = memoryview(line)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
            os.fsync(self._fd)
            self._closed = None
        except OSError as error:
            self._closed = disk.reason(error)
        if self._closed is not None:
            raise _not_written(self._closed)

    def close(self) -> None:
        """Release the file; nothing can be added from now on. May be called again."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
            self._closed = self._closed or "the run is over"


def _not_written(why: str) -> EvidenceError:
    return EvidenceError(
        f"The journal cannot be written: {why}.",
        code="audit.write",
        hint="Nothing more is sent to the tenant. Keep the run's folder, it holds what was done; "
        "see that the disk has room and works.",
    )
