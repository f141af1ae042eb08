"""A simulator that runs: in a thread of its own, on loopback only."""

from __future__ import annotations

import asyncio
import errno
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Protocol, Self

from cxplan.core.errors import InvalidError
from cxplan.simulator.logport import LogPort
from cxplan.simulator.oauth import Tokens
from cxplan.simulator.operations import TOKEN_PATH
from cxplan.simulator.options import Clock, Options
from cxplan.simulator.server import TenantApi
from cxplan.simulator.spec import TenantSpec
from cxplan.simulator.transport import Handler, Server, listen
from cxplan.simulator.world import World

_START_S = 10
_STOP_S = 10
_GRACE_S = 0.05
_TURNS = 10
_HIGHEST_PORT = 65_535


class StopSignal(Protocol):
    """What ``serve`` waits for; ``threading.Event`` is one."""

    def wait(self) -> object:
        """Return once it is time to stop."""


class Simulator:
    """A tenant under way. Made by ``start``; a context manager that stops it at the end.

    Attributes:
        world: State, logs and rules; to be used from any thread.
        client_id: Of the one client that the tenant knows.
        client_secret: Its secret; worth nothing outside of this simulator.
    """

    def __init__(self, spec: TenantSpec, options: Options, clock: Clock) -> None:
        """Build the parts; nothing listens yet.

        Raises:
            InvalidError: a fault rule names what the tenant does not have, or no such port exists.
        """
        for port in (options.port, options.log_port or 0):
            _check_port(port)
        self._options = options
        self._tokens = Tokens(options, clock)
        self.world = World(spec, options, clock)
        self.client_id = self._tokens.client_id
        self.client_secret = self._tokens.client_secret
        self._api = TenantApi(self.world, self._tokens, options, clock)
        self._log = LogPort(self.world, clock)
        self._ports: dict[str, int] = {}
        self._open: list[tuple[Server, asyncio.Server]] = []
        self._servers: list[Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)

    @classmethod
    def start(cls, spec: TenantSpec, options: Options, clock: Clock) -> Simulator:
        """Return a simulator that listens.

        Raises:
            InvalidError: a port is taken or not allowed, or the options do not fit the tenant.
        """
        simulator = cls(spec, options, clock)
        simulator._thread.start()
        try:
            simulator._in_loop(simulator._listen())
        except OSError as error:
            simulator.stop()
            raise _no_port(error) from None
        return simulator

    @property
    def api_url(self) -> str:
        """Where the API is, without ``/api/v2``."""
        scheme = "https" if self._options.tls else "http"
        return f"{scheme}://127.0.0.1:{self._ports['api']}"

    @property
    def token_url(self) -> str:
        """Where tokens are given out."""
        return self.api_url + TOKEN_PATH

    @property
    def log_url(self) -> str | None:
        """Where the logs can be read, if anywhere."""
        port = self._ports.get("log")
        return None if port is None else f"http://127.0.0.1:{port}"

    def ready_line(self) -> dict[str, Any]:
        """Return what somebody needs to use this tenant, as a JSON object."""
        line = {
            "apiUrl": self.api_url,
            "tokenUrl": self.token_url,
            "clientId": self.client_id,
            "clientSecret": self.client_secret,
            "agents": list(self.world.agent_ids()),
            "workModes": list(self.world.modes),
            "skills": [{"skillId": s.id, "name": s.name} for s in self.world.skills.values()],
        }
        return line | ({"logUrl": self.log_url} if self.log_url else {})

    def revoke_tokens(self) -> None:
        """Withdraw every access token; the next request of each client is answered 401."""
        self._loop.call_soon_threadsafe(self._tokens.revoke)

    def go_down(self) -> None:
        """Close the ports and all connections; state and logs stay."""
        self._in_loop(self._close())

    def come_up(self) -> None:
        """Listen again on the same ports after ``go_down``.

        Raises:
            InvalidError: a port was taken meanwhile.
        """
        try:
            self._in_loop(self._listen())
        except OSError as error:
            raise _no_port(error) from None

    def stop(self) -> None:
        """Close everything and end the thread; may be called twice."""
        if self._loop.is_closed():
            return
        self._in_loop(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # --- in the thread ---

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(_abandoned(self._loop, self._servers))
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.run_until_complete(_abandoned(self._loop, self._servers))
        self._loop.close()

    def _in_loop(self, work: Coroutine[Any, Any, None]) -> None:
        done: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        done.result(_START_S)

    async def _listen(self) -> None:
        options = self._options
        await self._open_port("api", self._api.handle, options.port, options.tls)
        if options.log_port is not None:
            await self._open_port("log", self._log.handle, options.log_port, None)

    async def _open_port(
        self, name: str, handler: Handler, port: int, tls: ssl.SSLContext | None
    ) -> None:
        server, listening = await listen(handler, self._ports.get(name, port), tls)
        self._open.append((server, listening))
        self._servers.append(server)
        self._ports[name] = listening.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        for _, listening in self._open:
            for accepting in listening.sockets:
                self._loop.remove_reader(accepting)
        # What was accepted becomes a connection that its server lists, before the listener closes.
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        for server, listening in self._open:
            listening.close()
            server.pre_shutdown()
            await server.shutdown(_GRACE_S)
        self._open.clear()


async def _abandoned(loop: asyncio.AbstractEventLoop, servers: Iterable[Server]) -> None:
    """Abort what is still open, and let it finish closing.

    A connection that was accepted while its server shut down is in the server's list, and half a
    TLS handshake only in a table of the loop (public from Python 3.13 on, ``abort_clients``).
    """
    for _ in range(_TURNS):
        accepted = (c.transport for server in servers for c in server.connections)
        for transport in [*accepted, *getattr(loop, "_transports", {}).values()]:
            if transport is not None and not transport.is_closing():
                transport.abort()
        await asyncio.sleep(0)


def serve(
    spec: TenantSpec,
    options: Options,
    clock: Clock,
    announce: Callable[[dict[str, Any]], None],
    stop: StopSignal,
) -> None:
    """Run a simulator until ``stop`` is set; ``announce`` gets the ready line once it listens.

    Raises:
        InvalidError: a port is taken or not allowed, or the options do not fit the tenant.
    """
    with Simulator.start(spec, options, clock) as simulator:
        announce(simulator.ready_line())
        stop.wait()


def _check_port(port: int) -> None:
    if not 0 <= port <= _HIGHEST_PORT:
        raise InvalidError(
            "There is no such port.",
            code="usage.range",
            hint=f"Give a port from 1 to {_HIGHEST_PORT}, or 0 for a free one.",
        )


def _no_port(error: OSError) -> InvalidError:
    taken = error.errno == errno.EADDRINUSE
    reason = "is in use" if taken else "cannot be opened"
    return InvalidError(
        f"The simulator's port {reason}.",
        code="simulator.port",
        hint="Choose another port, or 0 for a free one.",
    )
