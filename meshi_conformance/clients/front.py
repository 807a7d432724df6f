"""The HTTP server that a client talks to: it hands each request to a handler and knows when each byte passed.

It is separate from the reference server because it must do what no web framework offers: close a connection in place of
an answer, name the connection of each request, and tell when a request began and when its answer left.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import h11

BODY_BYTES = 33 * 1024 * 1024
"""How much of a request's body is kept; the reference refuses bodies over 32 MiB. What follows is counted only."""

HEAD_BYTES = 128 * 1024
"""Largest request head."""

HELD_BYTES = 256 * 1024 * 1024
"""Bytes of request bodies that are held at a time over all connections; a client that sends more is stopped."""

CONNECTIONS = 500
"""Connections that are served at a time; further ones wait for their turn."""

NO_BODY_STATUSES = frozenset({204, 304})


@dataclass
class Asked:
    """One request. Times are seconds of the monotonic clock.

    `arrived` is when its first byte came. `body_bytes` is the size that was sent, of which `body` is at most
    BODY_BYTES. `target` is the request target as it was sent. `connection` counts connections from 1, and `port` is the
    client's end of it. `malformed` says what is wrong where the request is not HTTP.
    """

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    body_bytes: int
    arrived: float
    connection: int
    port: int
    malformed: str | None = None

    def header(self, name: str) -> str | None:
        """Return the first value of a header, by its lower-case name."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass
class Reply:
    """One answer; `headers` hold neither its length nor connection options."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    answered: float = field(default=0.0)
    """When it was handed to the client's connection, or when the connection was closed in its place."""


Handler = Callable[[Asked], Awaitable[Reply | None]]
"""Answer a request; None closes the connection without an answer."""

Told = Callable[[Asked, Reply | None, float, bool], None]
"""Learn how a request ended: its answer, when it left, and whether the connection took it."""

Overflow = Callable[[str], None]
"""Learn that the client sends more than can be held, and what."""


class Front:
    """One listening port on the loopback address."""

    def __init__(self, handler: Handler, told: Told, overflow: Overflow, port: int = 0) -> None:
        self.handler = handler
        self.told = told
        self.overflow = overflow
        self.held = 0
        self._port = port
        self._numbers = itertools.count(1)
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen, and return the port. Raise OSError for a port that is taken."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port, limit=256 * 1024)
        address: tuple[str, int] = self._server.sockets[0].getsockname()
        return address[1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            async with self._slots:
                await _Connection(self, reader, writer, next(self._numbers)).serve()
        except (OSError, asyncio.CancelledError):
            pass  # the client went away, or the sandbox ends
        finally:
            self._tasks.discard(task)
            writer.transport.abort()


class _Connection:
    """One connection of the client, from its first request to its last."""

    def __init__(
        self,
        front: Front,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        number: int,
    ) -> None:
        self._front = front
        self._reader, self._writer = reader, writer
        self._number = number
        self._port: int = (writer.get_extra_info("peername") or ("", 0))[1]
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        self._first_byte: float | None = None
        raw = writer.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def serve(self) -> None:
        while True:
            try:
                asked = await self._read()
            except h11.RemoteProtocolError as problem:
                await self._refuse(str(problem))
                return
            if asked is None:
                return
            try:
                reply = await self._front.handler(asked)
            finally:
                self._front.held -= len(asked.body)
            if reply is None:
                self._front.told(asked, None, time.monotonic(), False)
                return
            delivered = await self._answer(asked, reply)
            if not delivered or self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                await self._close()
                return
            self._http.start_next_cycle()
            self._first_byte = time.monotonic() if self._http.trailing_data[0] else None

    async def _read(self) -> Asked | None:
        """Return the next request, or None where the client has closed the connection."""
        head = await self._event()
        if not isinstance(head, h11.Request):
            return None
        body = bytearray()
        size = 0
        whole = False
        try:
            while True:
                event = await self._event()
                if isinstance(event, h11.EndOfMessage):
                    whole = True
                    break
                if not isinstance(event, h11.Data):
                    return None
                size += len(event.data)
                kept = event.data[: BODY_BYTES - len(body)]
                body += kept
                self._front.held += len(kept)
                if self._front.held > HELD_BYTES:
                    self._front.overflow(f"it had more than {HELD_BYTES // 2**20} MiB of request bodies under way")
                    return None
        finally:
            if not whole:
                self._front.held -= len(body)
        return Asked(
            head.method.decode("latin-1"),
            head.target.decode("latin-1"),
            [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers],
            bytes(body),
            size,
            self._first_byte or time.monotonic(),
            self._number,
            self._port,
        )

    async def _event(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                self._write(h11.InformationalResponse(status_code=100, headers=[]))
            data = await self._reader.read(65_536)
            if data and self._first_byte is None:
                self._first_byte = time.monotonic()
            self._http.receive_data(data)

    async def _answer(self, asked: Asked, reply: Reply) -> bool:
        """Send an answer; return whether the connection took it."""
        headers = [*reply.headers, ("content-length", str(len(reply.body)))]
        if reply.status in NO_BODY_STATUSES:
            headers = reply.headers
        try:
            self._write(h11.Response(status_code=reply.status, headers=headers))
            if asked.method != "HEAD" and reply.status not in NO_BODY_STATUSES and reply.body:
                self._write(h11.Data(data=reply.body))
            self._write(h11.EndOfMessage())
            # Stamped before the client can possibly have read it: its next request is surely later.
            moment = time.monotonic()
            await self._writer.drain()
            delivered = not self._writer.is_closing()
        except (OSError, h11.LocalProtocolError):
            moment, delivered = time.monotonic(), False
        self._front.told(asked, reply, moment, delivered)
        return delivered

    async def _refuse(self, problem: str) -> None:
        """Tell that what came is not HTTP; the handler makes the answer."""
        asked = Asked(
            "?", "", [], b"", 0, self._first_byte or time.monotonic(), self._number, self._port, problem[:200]
        )
        reply = await self._front.handler(asked)
        if reply is None or self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        await self._answer(asked, reply)
        await self._close()

    async def _close(self) -> None:
        with suppress(OSError):
            self._writer.close()
            await asyncio.wait_for(self._writer.wait_closed(), 1)

    def _write(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)
