"""A server that answers what a script says, byte for byte, and remembers what it was asked.

It speaks no HTTP of its own: a script returns the raw bytes, with pauses and hang-ups between them.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

HANG_UP = "hang up"
RESET = "reset"

Step = bytes | float | str
"""Bytes to send, seconds to wait, or the end of the connection."""


@dataclass(frozen=True)
class Asked:
    """One request as it came, and when the last byte of it was there."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    at: float
    connection: int

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def key(self) -> str:
        return f"{self.method} {self.target}"

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Script = Callable[[Asked], Iterable[Step]]


def answer(
    body: Any = b"", status: int = 200, *, headers: Sequence[tuple[str, str | bytes]] = ()
) -> list[Step]:
    """A well-formed answer; a body that is not bytes is sent as JSON."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    named = {name.lower() for name, _ in headers}
    lines = [f"HTTP/1.1 {status} Scripted".encode()]
    lines += [
        name.encode() + b": " + (v if isinstance(v, bytes) else v.encode()) for name, v in headers
    ]
    if "content-type" not in named:
        lines.append(b"Content-Type: application/json")
    if not named & {"content-length", "transfer-encoding"} and status != 204:
        lines.append(f"Content-Length: {len(body)}".encode())
    return [b"\r\n".join(lines) + b"\r\n\r\n" + body]


class ScriptedServer:
    """Listens on loopback from construction to ``close``; a thread for each connection."""

    def __init__(
        self,
        script: Script | None = None,
        tls: ssl.SSLContext | None = None,
        greeting: bytes = b"",
    ) -> None:
        """With a ``greeting`` that is all that anybody gets, whatever they ask."""
        self.script: Script = script or (lambda _: answer({}))
        self._greeting = greeting
        self.asked: list[Asked] = []
        self.connections = 0
        self.accepted_at: list[float] = []
        self._tls = tls
        self._stopped = threading.Event()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}"

    def count(self, key: str) -> int:
        return sum(asked.key == key for asked in self.asked)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop at once; what is under way is cut off."""
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()
        for thread in list(self._threads):
            thread.join(5)

    def drop_connections(self) -> None:
        """Close every open connection, as an idle timeout would."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self.accepted_at.append(time.monotonic())
            thread = threading.Thread(
                target=self._serve, args=(connection, self.connections), daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._open.add(connection)
            if self._greeting:
                connection.sendall(self._greeting)
                connection.recv(65536)
                return
            with connection.makefile("rb") as stream:
                while (asked := _read(stream, number)) is not None:
                    self.asked.append(asked)
                    if not self._play(connection, self.script(asked)):
                        return
        except OSError:
            pass
        finally:
            self._open.discard(connection)
            connection.close()

    def _play(self, connection: socket.socket, steps: Iterable[Step]) -> bool:
        for step in steps:
            if isinstance(step, bytes):
                connection.sendall(step)
            elif isinstance(step, str):
                if step == RESET:
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return False
            elif self._stopped.wait(step):
                return False
        return True


def _read(stream: Any, number: int) -> Asked | None:
    line = stream.readline()
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = tuple(_headers(stream))
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    body = stream.read(length)
    return Asked(method, target, headers, body, time.monotonic(), number)


def _headers(stream: Any) -> Iterator[tuple[str, str]]:
    while (line := stream.readline().strip()) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        yield name, value.strip()
