"""What must hold after every command, whatever the tenant answered.

The general conditions of the list of bad inputs: no traceback, little talk, no secret in any form,
nothing that a terminal or a CI could be fooled by, no connection to anybody else, no file touched.
"""

from __future__ import annotations

import base64
import resource
import socket
import stat
import sys
import threading
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tests.cli.kit import Done

MARK = "CXCANARY"
"""Stands in many answers as something that nobody may ever read."""

STDERR_BYTES = 4096
CPU_SECONDS = 5.0
GROWTH_KIB = 128 * 1024

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_WORKFLOW_COMMANDS = ("::", "##[")
_PROGRAMS = {"git"}


class Listener:
    """A port of this machine that notes every connection."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.seen = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.seen += 1
            connection.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


class _Outside:
    """What this process reached for, told by the interpreter's own audit events."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] | None = None
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.seen is None:
            return
        match event, arguments:
            case "socket.connect", (_, (str(host), int(port), *_)):
                self.seen.append(("connect", f"{host}:{port}"))
            case (("socket.getaddrinfo" | "socket.gethostbyname"), (host, *_)):
                self.seen.append(("resolve", str(host)))
            case "subprocess.Popen", (program, command, *_):
                name = program or (command[0] if isinstance(command, list) else command)
                self.seen.append(("run", str(name)))
            case (("os.system" | "os.exec" | "os.posix_spawn" | "os.spawn"), (name, *_)):
                self.seen.append(("run", str(name)))
            case _:
                pass


_OUTSIDE: list[_Outside] = []
"""One at most: an audit hook stays for as long as the interpreter runs."""


@contextmanager
def watching() -> Iterator[list[tuple[str, str]]]:
    """Note every connection, every name looked up and every program started meanwhile."""
    if not _OUTSIDE:
        _OUTSIDE.append(_Outside())
    seen: list[tuple[str, str]] = []
    _OUTSIDE[0].seen = seen
    try:
        yield seen
    finally:
        _OUTSIDE[0].seen = None


@contextmanager
def frugal() -> Iterator[None]:
    """Bound what this process takes, the simulated tenant included."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    yield
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert cpu < CPU_SECONDS
    kib = 1024 if sys.platform == "darwin" else 1
    assert (after.ru_maxrss - before.ru_maxrss) // kib < GROWTH_KIB


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every path below ``folder`` with its mode and what is in it."""
    found = {}
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        content = path.read_bytes() if stat.S_ISREG(mode) else b""
        found[str(path.relative_to(folder))] = (mode, content)
    return found


def forms(secret: str) -> Iterator[bytes]:
    """The secret as it stands, URL-encoded, and as it looks inside of any base64."""
    raw = secret.encode()
    yield raw
    yield quote(secret, safe="").encode()
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + raw).rstrip(b"=")
        whole = (shift + len(raw)) * 8 // 6
        inside = text[(shift * 4 + 2) // 3 : whole]
        yield inside
        yield inside.replace(b"+", b"-").replace(b"/", b"_")


def assert_no_secret(produced: bytes, secrets: tuple[str, ...]) -> None:
    for secret in secrets:
        assert len(secret) >= 8
        for form in forms(secret):
            assert form not in produced, "a secret was left behind"


def assert_readable(done: Done) -> None:
    """Nobody sees a traceback, much talk, or anything but plain text."""
    assert done.code != 1
    assert "Traceback" not in done.out + done.err
    assert len(done.err.encode()) < STDERR_BYTES
    bad = {c for c in done.out + done.err if c != "\n" and unicodedata.category(c) in _HIDDEN}
    assert not bad
    assert not [line for line in done.out.splitlines() if line.startswith(_WORKFLOW_COMMANDS)]


def assert_stayed_home(seen: list[tuple[str, str]], addresses: frozenset[str]) -> None:
    """Only the tenant was connected to, and only git was run."""
    assert {what for how, what in seen if how == "connect"} <= addresses
    hosts = {address.rpartition(":")[0] for address in addresses}
    assert {what for how, what in seen if how == "resolve"} <= hosts
    assert {Path(what).name for how, what in seen if how == "run"} <= _PROGRAMS


def assert_untouched(
    before: Mapping[str, tuple[int, bytes]],
    after: Mapping[str, tuple[int, bytes]],
    writes: tuple[str, ...],
) -> None:
    """Only what the command is to write is new; all else is byte for byte as it was."""
    touched = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert {name for name in touched if not name.startswith(writes or ("\0",))} == set()
