"""Starting and stopping a server: in this thread, or in one of its own."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import uvicorn

from . import clock, storage, work
from .access import auth
from .access.rate_limit import Limiter
from .app import BASES, Application
from .runner import Runner
from .services import Services
from .settings import Settings
from .wire.protocol import Protocol

ApplicationFactory = Callable[[Services], Any]
STOP_SECONDS = 5.0
"""How long answers on their way may take when the server stops."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens and with which keys."""

    base: str
    env: dict[str, str] = field(repr=False)


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handling and its polling: it starts and stops at once."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None], stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._on_start, self._stopping = on_start, stopping

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the caller."""
        yield

    async def main_loop(self) -> None:
        """Serve until the server is stopped."""
        self._on_start()
        await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let the answers on their way finish, close the connections."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            _, late = await asyncio.wait(self.server_state.tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()


def listen(host: str, port: int) -> socket.socket:
    """Bind a socket; port 0 takes a free one. Raise OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only where the protocol is named does asyncio switch Nagle's delay off.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound


def base_url(bound: socket.socket) -> str:
    """Return the base URL of a server on this socket."""
    host, port = bound.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{BASES[0]}"


def build_services(settings: Settings, database: storage.Storage) -> Services:
    """Build the parts of one server on an open database."""
    return Services(
        settings=settings,
        storage=database,
        clock=clock.Clock(storage.latest_time(database)),
        cursor_secret=storage.cursor_secret(database),
        limiter=Limiter(),
        runner=Runner(),
    )


async def serve(
    settings: Settings,
    bound: socket.socket,
    on_start: Callable[[Address], None],
    stopping: asyncio.Event,
    application_factory: ApplicationFactory = Application,
) -> None:
    """Serve on a bound socket until `stopping` is set; `on_start` learns the address once it listens.

    Raise storage.StorageError where the database cannot be used.
    """
    database = storage.open_storage(settings)
    try:
        services = build_services(settings, database)
        base = base_url(bound)
        address = Address(base, {"MESHI_BASE": base, **auth.issue_keys(database)})
        config = uvicorn.Config(
            application_factory(services),
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
        )
        services.runner.start(
            partial(work.complete, services), storage.unfinished_runs(database), settings.generic_runs_end
        )
        try:
            await _Server(config, lambda: on_start(address), stopping).serve([bound])
        finally:
            await services.runner.close()
    finally:
        database.close()


def serve_until_signal(
    settings: Settings,
    bound: socket.socket,
    on_start: Callable[[Address], None],
    application_factory: ApplicationFactory = Application,
) -> None:
    """Serve in the main thread until SIGTERM or SIGINT."""

    async def main() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        await serve(settings, bound, on_start, stopping, application_factory)

    asyncio.run(main())


@contextlib.contextmanager
def running(
    settings: Settings | None = None, application_factory: ApplicationFactory = Application
) -> Iterator[Address]:
    """Run a server in a thread of its own, on a free loopback port, for as long as the block lasts."""
    bound = listen("127.0.0.1", 0)
    started = threading.Event()
    state: dict[str, Any] = {}

    def announce(address: Address) -> None:
        state["address"] = address
        started.set()

    async def main() -> None:
        state["loop"], state["stopping"] = asyncio.get_running_loop(), asyncio.Event()
        await serve(settings or Settings(), bound, announce, state["stopping"], application_factory)

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            state["error"] = error
        finally:
            bound.close()
            started.set()

    thread = threading.Thread(target=run, name="meshi-reference", daemon=True)
    thread.start()
    started.wait()
    try:
        if "address" not in state:
            raise RuntimeError("the server did not start") from state.get("error")
        yield state["address"]
    finally:
        if thread.is_alive() and "stopping" in state:
            with contextlib.suppress(RuntimeError):
                state["loop"].call_soon_threadsafe(state["stopping"].set)
        thread.join()
