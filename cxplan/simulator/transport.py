"""Between the server library and plain values: requests in, answers or silence out."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from cxplan.simulator.exchange import Call, Headers, Reply, error_reply
from cxplan.simulator.shaping import Spoiled
from cxplan.version import __version__

BODY_LIMIT = 1 << 20

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_JSON: Headers = (("Content-Type", "application/json"),)
_CHUNK = 1 << 16
_LINGER_NOT = struct.pack("ii", 1, 0)
_PROTOCOL_SETTINGS: dict[str, Any] = {"access_log": None, "auto_decompress": False}


class Protocol(web.RequestHandler):
    """The library's connection, with errors as JSON and no word about clients that go away."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - the library's signature
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - as above
    ) -> web.StreamResponse:
        """Answer what is no HTTP with 400; what the simulator itself did wrong is logged, 500."""
        if status != web.HTTPBadRequest.status_code and not _by_client(exc):
            self.log_exception("The simulator failed on a request", exc_info=exc)
            return plain(error_reply(500, "internal", "The simulator failed."), _JSON)
        response = plain(error_reply(400, "invalid_request", "The request is not HTTP/1.1."), _JSON)
        response.force_close()
        return response


def _by_client(error: BaseException | None) -> bool:
    return isinstance(error, ConnectionError | web.RequestPayloadError)


class Server(web.Server):
    """The library's server, with connections of this module."""

    def __call__(self) -> web.RequestHandler:
        """Return what speaks to one more connection."""
        return Protocol(self, loop=asyncio.get_running_loop(), **_PROTOCOL_SETTINGS)


async def listen(
    handler: Handler, port: int, tls: ssl.SSLContext | None
) -> tuple[Server, asyncio.Server]:
    """Serve ``handler`` on 127.0.0.1 and return the connections and the listening socket.

    Raises:
        OSError: the port is taken or not allowed.
    """
    server = Server(handler)
    loop = asyncio.get_running_loop()
    return server, await loop.create_server(server, "127.0.0.1", port, ssl=tls)


async def receive(request: web.BaseRequest, sequence: int, at: float) -> Call:
    """Return the request as a value, its body read up to ``BODY_LIMIT``."""
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in request.headers.items():
        headers[name.lower()] = (*headers.get(name.lower(), ()), value)
    return Call(
        sequence=sequence,
        at=at,
        method=request.method,
        path=request.rel_url.raw_path,
        query=request.rel_url.raw_query_string,
        headers=headers,
        body=await _body(request) if request.body_exists else b"",
    )


async def _body(request: web.BaseRequest) -> bytes | None:
    kept = bytearray()
    async for chunk in request.content.iter_any():
        kept += chunk
        if len(kept) > BODY_LIMIT:
            return None
    return bytes(kept)


def common_headers(now: datetime, sequence: int) -> Headers:
    """Return the headers of every answer."""
    return (
        ("Date", format_datetime(now, usegmt=True)),
        ("Server", f"cxplan-simulator/{__version__}"),
        ("X-Request-Id", f"request-{sequence}"),
        *_JSON,
    )


def plain(reply: Reply, base: Headers) -> web.Response:
    """Return ``reply`` for the library to send."""
    return web.Response(status=reply.status, body=reply.body, headers=reply.headers + base)


class _Nothing(web.StreamResponse):
    """Ends an exchange of which nothing is left to send; the connection is closed."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send no headers."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Send no body."""


async def send_raw(request: web.BaseRequest, answer: Spoiled) -> web.StreamResponse:
    """Send ``answer`` past the library's checks and close the connection."""
    with suppress(ConnectionError):
        await request.writer.write(answer.head)
        step = 1 if answer.drip_s else _CHUNK
        for start in range(0, len(answer.body), step):
            await asyncio.sleep(answer.drip_s)
            await request.writer.write(answer.body[start : start + step])
    return _Nothing()


def hang_up(request: web.BaseRequest, *, reset: bool) -> web.StreamResponse:
    """End the connection without an answer: by RST, or orderly by FIN."""
    transport = request.transport
    if transport is not None and reset:
        peer = transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        transport.abort()
    return _Nothing()
