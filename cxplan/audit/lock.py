"""One apply per ledger: a lock that the kernel frees, with a note of who holds it."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from cxplan.audit import disk
from cxplan.audit.refusal import shown
from cxplan.core.canonical import StrictJsonError, parse_json, signed_form
from cxplan.core.errors import EvidenceError, LockedError

LOCK = ".lock"
NOTE_LIMIT = 4096
"""Bytes that are read of a note at most."""

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def held(root: int, *, owner: str, plan_id: str, since: str) -> Iterator[None]:
    """Hold the lock of the ledger whose open folder is ``root``.

    Raises:
        LockedError: another process holds it; the message says who, since when, on which plan.
        EvidenceError: ``audit.folder``: the lock file cannot be opened or written.
    """
    fd = _opened(root)
    try:
        _take(fd)
        _write_note(fd, {"owner": owner, "planId": plan_id, "since": since})
        try:
            yield
        finally:
            with suppress(OSError):
                os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def _opened(root: int) -> int:
    try:
        fd = os.open(LOCK, _FLAGS, disk.FILE_MODE, dir_fd=root)
    except OSError as error:
        raise _no_lock(disk.reason(error)) from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _no_lock("it is not a regular file")
    return fd


def _take(fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LockedError(
            f"Another run holds the ledger: {_note(fd)}.",
            hint="Wait until it is over, or stop it; the lock goes with its process.",
        ) from None
    except OSError as error:
        raise _no_lock(disk.reason(error)) from None


def _write_note(fd: int, note: dict[str, str]) -> None:
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, signed_form(note), 0)
    except OSError as error:
        raise _no_lock(disk.reason(error)) from None


def _note(fd: int) -> str:
    """Return who holds the lock, in words; its note may be missing or not ours."""
    try:
        note: Any = parse_json(os.pread(fd, NOTE_LIMIT, 0))
        owner, since, plan = (shown(note[part]) for part in ("owner", "since", "planId"))
    except (OSError, StrictJsonError, KeyError, TypeError):
        return "it has only just begun and has not said yet who it is"
    return f"{owner}, since {since}, on plan {plan}"


def _no_lock(why: str) -> EvidenceError:
    return EvidenceError(
        f"The ledger cannot be locked: {why}.",
        code="audit.folder",
        hint="Nothing was sent. See that the folder given with --audit can be written.",
    )
