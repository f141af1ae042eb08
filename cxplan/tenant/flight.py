"""One thread's exchange under way: its deadline, its turn, and what it has sent.

A read timeout bounds one read of a socket, so an answer that drips keeps it from ever passing.
Here each read may take what is left of the whole exchange.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cxplan.ports import Clock
from cxplan.tenant.connection import Limits
from cxplan.tenant.messages import Call
from cxplan.tenant.pacing import Pacer


class Flight:
    """The exchange that one thread has under way; used again for its next."""

    def __init__(self, clock: Clock, pacer: Pacer, limits: Limits) -> None:
        self._clock = clock
        self._pacer = pacer
        self._limits = limits

    def begin(self, call: Call) -> None:
        """Forget the last exchange; the clock starts now."""
        self.call = call
        self.sent = False
        self._started = self._clock.monotonic()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the write's turn; the wait for it does not count for deadline or latency."""
        before = self._clock.monotonic()
        with self._pacer.turn(self.call.may_leave):
            self._started += self._clock.monotonic() - before
            yield

    @property
    def latency(self) -> float:
        """Seconds since the start, without the wait for a turn."""
        return self._clock.monotonic() - self._started

    def remaining(self) -> float:
        """Return the seconds that are left, or raise ``TimeoutError``."""
        left = self._limits.exchange - self.latency
        if left <= 0:
            raise TimeoutError
        return left


class _TimedReader(io.RawIOBase):
    """A socket's bytes, under the deadline of the whole exchange instead of one for each read."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, flight: Flight) -> None:
        self._raw = raw
        self._sock = sock
        self._flight = flight

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._flight.remaining())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class TimedResponse(http.client.HTTPResponse):
    """An answer whose head is under the deadline too, and refused where it does not parse whole."""

    def __init__(self, flight: Flight, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, flight))

    def begin(self) -> None:
        """Read status and headers; left-over text among them is a breach of HTTP."""
        super().begin()
        if self.msg.defects or self.msg.get_payload():
            raise http.client.HTTPException


def hung_up(sock: socket.socket) -> bool:
    """Look below TLS, where tickets may wait that are no end of the connection."""
    sock.settimeout(0)
    try:
        return socket.socket.recv(sock, 1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
