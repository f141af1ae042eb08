"""Regular files: opened without following a link, replaced whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cxplan.core.errors import InvalidError


def open_regular(path: Path, hint: str) -> int:
    """Return a descriptor of the regular file at ``path``, open for reading.

    A FIFO or a device is not waited for. ``hint`` tells whoever named another thing what to name.

    Raises:
        InvalidError: ``path.type`` where no regular file is there, ``path.unreadable`` where one
            is that may not be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise InvalidError(
            f"Cannot read {path}: {error.strerror}.",
            code="path.unreadable" if path.exists() and not path.is_symlink() else "path.type",
            hint=hint,
        ) from None
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise InvalidError(f"{path} is no regular file.", code="path.type", hint=hint)


def write_file(path: Path, parts: Iterable[bytes]) -> None:
    """Write ``parts``, one after the other, whole or not at all; mode 0600.

    They go to a temporary name beside ``path``, which is then renamed over a regular file.

    Raises:
        InvalidError: as ``refuse_odd``, or the file cannot be written.
    """
    refuse_odd(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, str(error.strerror)) from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def refuse_odd(path: Path) -> None:
    """Refuse a path that nothing can be written to, before any work is done for it.

    Raises:
        InvalidError: ``path.type`` where a symlink, FIFO, device or folder is there,
            ``path.unwritable`` where its folder is missing or may not be written.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:
        mode = stat.S_IFREG
    if not stat.S_ISREG(mode):
        raise InvalidError(
            f"{path} is no regular file; cxplan does not replace it.",
            code="path.type",
            hint="Name another file.",
        )
    if not path.parent.is_dir():
        raise _unwritable(path, "there is no such folder")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise _unwritable(path, "its folder may not be written")


def _unwritable(path: Path, reason: str) -> InvalidError:
    return InvalidError(
        f"Cannot write {path}: {reason}.",
        code="path.unwritable",
        hint="Name a file in a folder that exists and can be written.",
    )
