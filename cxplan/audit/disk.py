"""Files read without trust and written so that a crash leaves the old state or the new one.

Reading follows no link, opens regular files only, and knows the size before the first byte.
Writing goes to a temporary name, is forced to disk, gets its name by a rename, and the folder is
forced to disk too.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cxplan.audit.refusal import Refused

FILE_MODE = 0o600
FOLDER_MODE = 0o700
TEMPORARY = ".tmp"
"""Ends the name of a file that is not whole yet."""

# Without O_NONBLOCK a FIFO that takes a file's place between two calls would hang the reader.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def folder(path: Path) -> Iterator[int]:
    """Hold the folder at ``path`` open, links followed; raises ``OSError``."""
    fd = os.open(path, _FOLDER)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def subfolder(parent: int, name: str, place: str) -> Iterator[int]:
    """Hold a folder inside ``parent`` open, no link followed.

    Raises:
        Refused: ``path.symlink``, ``path.type``, ``path.unreadable`` or ``audit.missing``.
    """
    kind = _kind(name, place, parent)
    if not stat.S_ISDIR(kind):
        raise Refused("path.type", place, "this is not a folder")
    fd = _opened(name, _FOLDER | os.O_NOFOLLOW, place, parent)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def regular(
    name: str | Path, place: str, *, limit: int, parent: int | None = None
) -> Iterator[int]:
    """Hold a regular file of at most ``limit`` bytes open for reading, no link followed.

    Raises:
        Refused: ``path.symlink``, ``path.type``, ``path.unreadable``, ``audit.missing`` or
            ``audit.too_large``, each before anything is read.
    """
    kind = _kind(name, place, parent)
    if not stat.S_ISREG(kind):
        raise Refused("path.type", place, "this is not a regular file")
    fd = _opened(name, _READ, place, parent)
    try:
        _refuse_size(os.fstat(fd), limit, place)
        yield fd
    finally:
        os.close(fd)


def _kind(name: str | Path, place: str, parent: int | None) -> int:
    try:
        kind = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        raise Refused("audit.missing", place, "this does not exist") from None
    except (OSError, ValueError) as error:
        raise unreadable(place, error) from None
    if stat.S_ISLNK(kind):
        raise Refused("path.symlink", place, "this is a symbolic link")
    return kind


def _opened(name: str | Path, flags: int, place: str, parent: int | None) -> int:
    try:
        return os.open(name, flags, dir_fd=parent)
    except OSError as error:
        raise unreadable(place, error) from None


def _refuse_size(found: os.stat_result, limit: int, place: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Refused("path.type", place, "this is not a regular file")
    if found.st_size > limit:
        raise Refused(
            "audit.too_large", place, f"{found.st_size} bytes, where {limit} are the most"
        )


def unreadable(place: str, error: Exception) -> Refused:
    """Return the refusal of what the system does not let be read."""
    return Refused("path.unreadable", place, f"this cannot be read: {reason(error)}")


def reason(error: Exception) -> str:
    """Return the system's own words for ``error``, without any path."""
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def read_all(fd: int, place: str, *, limit: int) -> bytes:
    """Return everything in an open file, at most ``limit`` bytes.

    Raises:
        Refused: ``audit.too_large`` where it grew while it was read, or ``path.unreadable``.
    """
    try:
        with os.fdopen(fd, "rb", closefd=False) as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise unreadable(place, error) from None
    if len(data) > limit:
        raise Refused("audit.too_large", place, f"more than {limit} bytes")
    return data


def create(name: str | Path, mode: int = FILE_MODE, *, parent: int | None = None) -> int:
    """Create a file that must not exist yet and return it open for writing."""
    return os.open(name, _CREATE, mode, dir_fd=parent)


def write_new(parent: int, name: str, data: bytes) -> None:
    """Write a whole file into ``parent``; it has its name only once it is on disk.

    Raises:
        OSError: it could not be written; no part of it stays.
    """
    temporary = name + TEMPORARY
    try:
        write_synced(create(temporary, parent=parent), data)
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
        os.fsync(parent)
    except OSError:
        remove(parent, temporary, name)
        raise


def write_synced(fd: int, data: bytes) -> None:
    """Write ``data``, force it to disk and close ``fd``, whatever happens."""
    try:
        with os.fdopen(fd, "wb", closefd=False) as stream:
            stream.write(data)
        os.fsync(fd)
    finally:
        os.close(fd)


def remove(parent: int, *names: str) -> None:
    """Remove what there is of ``names``; what cannot be removed stays."""
    for name in names:
        with suppress(OSError):
            os.unlink(name, dir_fd=parent)
