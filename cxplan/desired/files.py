"""A folder to the bytes of its YAML files, opening nothing but them.

Every component is opened by its name below the open folder above it, never through a symbolic link
and never waiting for a FIFO; only regular files are read, and never more than the limits say.

Read are files named ``*.yaml`` and ``*.yml``, in all folders. Names that begin with a dot are
passed over, as are files with other names, such as a README; but a symbolic link, a name with
invisible characters, and an ending like ``.YAML`` are refused, since a reviewer may take them for
part of the desired state.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cxplan.desired.faults import Fault, Faults
from cxplan.desired.text import escaped

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_IsRight = Callable[[int], bool]
"""Tells from a mode whether it is the right type of file."""

_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read at most; each is named in the message that it causes."""

    files: int = 20_000
    file_bytes: int = 8 * 2**20
    total_bytes: int = 256 * 2**20
    depth: int = 16


class _Refused(Exception):
    def __init__(self, code: str, summary: str, hint: str) -> None:
        super().__init__(code)
        self.parts = (code, summary, hint)


class _Exceeded(_Refused):
    """A limit of the whole folder is passed."""


def read_folder(root: Path, limits: Limits, faults: Faults) -> list[tuple[str, bytes]]:
    """Return the name below ``root`` and the bytes of each file, sorted; report what is refused."""
    walk = _Walk(limits, faults)
    try:
        with _opened_root(root) as folder:
            walk.folder(folder, "", 1)
    except _Exceeded as exceeded:
        faults.add(Fault(None, *exceeded.parts))
        return []
    except (_Refused, OSError) as error:
        code, summary, _ = _parts(error)
        what = f"The desired folder: {summary[0].lower()}{summary[1:]}"
        faults.add(Fault(None, code, what, "Name a real folder with --desired."))
    return sorted(walk.found)


def _parts(error: _Refused | OSError) -> tuple[str, str, str]:
    if isinstance(error, _Refused):
        return error.parts
    if error.errno == errno.ENOENT:
        return "path.missing", "It does not exist.", "Run the command again."
    reason = errno.errorcode.get(error.errno or 0, "unknown")
    return "path.unreadable", f"It cannot be read ({reason}).", "Check its permissions."


@dataclass(slots=True)
class _Walk:
    """One walk through a folder."""

    limits: Limits
    faults: Faults
    found: list[tuple[str, bytes]] = field(default_factory=list)
    entries: int = 0
    total: int = 0

    def folder(self, folder: int, prefix: str, depth: int) -> None:
        """Take in an open folder and those below it; their depth is limited, so recursion is too.

        Raises:
            _Exceeded: a limit of the whole folder is passed.
            OSError: the folder cannot be listed.
        """
        for entry in self._entries(folder):
            name = prefix + entry.name
            try:
                self._entry(folder, entry, name, depth)
            except _Exceeded:
                raise
            except (_Refused, OSError) as error:
                self.faults.add(Fault(escaped(name), *_parts(error)))

    def _entries(self, folder: int) -> list[os.DirEntry[str]]:
        with os.scandir(folder) as entries:
            seen = []
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                self.entries += 1
                if self.entries > 2 * self.limits.files:
                    raise _too_many(self.limits)
                seen.append(entry)
        return sorted(seen, key=lambda entry: entry.name)

    def _entry(self, folder: int, entry: os.DirEntry[str], name: str, depth: int) -> None:
        if escaped(entry.name) != entry.name:
            raise _Refused("path.name", "The name holds invisible characters.", "Rename it.")
        if entry.name.lower().endswith(_SUFFIXES):
            self._file(folder, entry.name, name)
        elif entry.is_dir(follow_symlinks=False) or entry.is_symlink():
            self._inner(folder, entry.name, name, depth)

    def _inner(self, folder: int, own: str, name: str, depth: int) -> None:
        if depth >= self.limits.depth:
            raise _Refused(
                "path.depth",
                f"Folders are nested more than {self.limits.depth} deep.",
                "Move it up.",
            )
        with _opened(own, folder, stat.S_ISDIR, "a folder") as inner:
            self.folder(inner, name + "/", depth + 1)

    def _file(self, folder: int, own: str, name: str) -> None:
        if not own.endswith(_SUFFIXES):
            raise _Refused(
                "path.name",
                "The ending is .yaml or .yml in other letters, so it is unclear whether it counts.",
                "Write it in small letters.",
            )
        if len(self.found) >= self.limits.files:
            raise _too_many(self.limits)
        with _opened(own, folder, stat.S_ISREG, "a regular file") as file:
            data = self._read(file)
        self.total += len(data)
        if self.total > self.limits.total_bytes:
            raise _Exceeded(
                "path.too_large",
                f"The files are larger than {_mebibytes(self.limits.total_bytes)} together.",
                "Keep only the desired state in the folder.",
            )
        self.found.append((name, data))

    def _read(self, file: int) -> bytes:
        limit = self.limits.file_bytes
        size = os.fstat(file).st_size
        data = b""
        if size <= limit:
            with os.fdopen(os.dup(file), "rb") as stream:
                data = stream.read(limit + 1)
        if max(size, len(data)) > limit:
            raise _Refused(
                "yaml.too_large",
                f"The file is larger than {_mebibytes(limit)}.",
                "Split it: a team, a profile or a part of the catalogue in each file.",
            )
        return data


def _too_many(limits: Limits) -> _Exceeded:
    return _Exceeded(
        "path.too_many",
        f"The folder holds more than {limits.files:,} files.",
        "Keep only the desired state in it.",
    )


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:g} MiB"


@contextmanager
def _opened_root(root: Path) -> Iterator[int]:
    """Open the desired folder; of a relative path no component may be a link.

    Above an absolute path only the last is checked: it comes from whoever runs the command.
    """
    if root.is_absolute():
        with _opened(str(root), None, stat.S_ISDIR, "a folder") as folder:
            yield folder
        return
    with ExitStack() as stack:
        folder = stack.enter_context(_opened(".", None, stat.S_ISDIR, "a folder"))
        for part in root.parts:
            folder = stack.enter_context(_opened(part, folder, stat.S_ISDIR, "a folder"))
        yield folder


@contextmanager
def _opened(name: str, folder: int | None, is_right: _IsRight, what: str) -> Iterator[int]:
    """Open ``name`` below ``folder`` if it is what it should be, before and after opening it."""
    # Opening a device may do something, so the type is asked for first, and again once it is open.
    before = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if stat.S_ISLNK(before):
        raise _Refused(
            "path.symlink",
            "This is a symbolic link, and none is followed.",
            "Put the file or folder itself here.",
        )
    if not is_right(before):
        raise _Refused("path.type", f"This is not {what}.", "Move it out of the folder.")
    file = os.open(name, _FLAGS, dir_fd=folder)
    try:
        if not is_right(os.fstat(file).st_mode):
            raise _Refused("path.type", f"This is not {what} any more.", "Try again.")
        yield file
    finally:
        os.close(file)
