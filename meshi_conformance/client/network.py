"""The wire under the client: every answer is bounded in time and size, from its first byte on."""

from __future__ import annotations

import socket
import ssl
import threading
import time
import weakref
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import httpcore
import httpx

from ..errors import TransportTrouble
from ..target.access import Access

HEAD_BYTES = 1024 * 1024
"""The most that a server may send before its answer's header is complete, interim (1xx) answers included."""

ANSWER_BYTES = 16 * 1024 * 1024
"""The largest answer that is read, as it travels and decoded; past it the server is cut off."""

ANSWER_VALUES = 400_000
"""The most values in one JSON answer: each costs many times its text in memory."""

HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "meshi-conformance"}
"""What every request carries; a test may send other values."""

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0
"""How long a server may stay silent within an answer."""


class Exceeded(TransportTrouble):
    """An answer went past its bound; sending the request again would end alike."""


class Patience(threading.local):
    """What is left of the request that this thread makes: the moment of its end, and bytes to be read."""

    def __init__(self) -> None:
        self.end = float("inf")
        self.bytes = 0
        self.part = ""
        self.touched = False

    def begin(self, seconds: float) -> None:
        """Start the clock of a request."""
        self.end = time.monotonic() + seconds
        self.bytes = HEAD_BYTES
        self.part = f"a header of more than {HEAD_BYTES >> 10} KiB"
        self.touched = False

    def expect_body(self) -> None:
        """Note that the header is complete."""
        self.bytes = ANSWER_BYTES + HEAD_BYTES
        self.part = f"an answer of more than {ANSWER_BYTES >> 20} MiB"

    def timeout(self, given: float | None) -> float:
        """Return how long the next step may take."""
        return max(0.001, min(SILENCE_SECONDS if given is None else given, self.end - time.monotonic()))

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.end


class _Stream(httpcore.NetworkStream):
    """A connection that keeps to the patience of its user."""

    def __init__(self, inner: httpcore.NetworkStream, wire: Wire) -> None:
        self._inner = inner
        self._wire = wire
        self._has_asked = False
        wire.streams.add(self)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        patience = self._wire.patience
        if self._wire.closed:
            raise httpcore.ReadError("the run is over")
        if patience.over:
            raise httpcore.ReadTimeout("the answer took too long in all")
        data = self._inner.read(max_bytes, patience.timeout(timeout))
        patience.touched = patience.touched or bool(data)
        patience.bytes -= len(data)
        if patience.bytes < 0:
            raise Exceeded(f"{patience.part}; reading was stopped", "an answer past every bound")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._wire.closed:
            raise httpcore.WriteError("the run is over")
        patience = self._wire.patience
        if not self._has_asked:
            self._has_asked = True
            plain = self._inner.get_extra_info("ssl_object") is None  # TLS sends tickets of its own
            if plain and self._inner.get_extra_info("is_readable"):
                raise httpcore.ConnectError("the server sent an answer, or ended, before it was asked")
        # In pieces, so that a server that takes a byte now and then is bounded too.
        view = memoryview(buffer)
        for start in range(0, len(view), 65_536):
            if patience.over:
                raise httpcore.WriteTimeout("the request took too long to send")
            self._inner.write(bytes(view[start : start + 65_536]), patience.timeout(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(
            self._inner.start_tls(ssl_context, server_hostname, self._wire.patience.timeout(timeout)), self._wire
        )

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class Wire(httpcore.NetworkBackend):
    """Opens connections for one client and can cut all of them at once."""

    def __init__(self) -> None:
        self.patience = Patience()
        self.streams: weakref.WeakSet[_Stream] = weakref.WeakSet()
        self.closed = False
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        if self.closed:
            raise httpcore.ConnectError("the run is over")
        try:
            inner = self._inner.connect_tcp(
                host, port, self.patience.timeout(timeout), local_address, list(socket_options or [])
            )
        except UnicodeError as problem:  # a host name that no resolver takes
            raise httpcore.ConnectError(str(problem)) from None
        return _Stream(inner, self)

    def cut(self) -> None:
        """End every connection, also those that a thread waits on."""
        self.closed = True
        for stream in list(self.streams):
            with suppress(OSError, AttributeError):
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _trust(base: str, way: Access) -> ssl.SSLContext:
    """Choose the certificates to trust; none at all where TLS is never spoken."""
    # Reading the certificate store takes longer than many a run on a plain local target.
    speaks_tls = base.startswith("https:") or (way.proxy or "").startswith("https:")
    return way.trust() if speaks_tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Connections:
    """Connections to one target: its proxy, certificates and further headers, no redirects, no cookies.

    `keep_alive` is how many seconds an idle connection is used again; 0 opens one for each request. Each of the
    transports serves one request at a time: a pool with many connections looks through all of them, under its
    lock, for each request.
    """

    def __init__(self, base: str, way: Access, wire: Wire, keep_alive: float, answer_seconds: float) -> None:
        self._trust = _trust(base, way)
        self._proxy = httpx.Proxy(way.proxy, ssl_context=self._proxy_trust(way.proxy)) if way.proxy else None
        self._headers = {**HEADERS, **way.headers}
        self._wire = wire
        self._limits = httpx.Limits(max_keepalive_connections=None if keep_alive else 0, keepalive_expiry=keep_alive)
        silence = min(SILENCE_SECONDS, answer_seconds)
        self._timeout = httpx.Timeout(silence, connect=min(CONNECT_SECONDS, answer_seconds)).as_dict()
        self._free: deque[httpx.HTTPTransport] = deque()
        self._all: list[httpx.HTTPTransport] = []

    def _proxy_trust(self, proxy: str) -> ssl.SSLContext | None:
        return self._trust if proxy.startswith("https:") else None

    def _transport(self) -> httpx.HTTPTransport:
        """Return the most recently used idle transport; its connection is most likely still open."""
        try:
            return self._free.pop()
        except IndexError:
            made = httpx.HTTPTransport(verify=self._trust, proxy=self._proxy, limits=self._limits)
            # httpx hands no network backend through to httpcore; selftests/network notices if this name ever changes.
            made._pool._network_backend = self._wire
            self._all.append(made)
            return made

    @contextmanager
    def open(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | Iterable[bytes] | None
    ) -> Iterator[httpx.Response]:
        """Send a request; the answer's header has come, its body can be read inside the block.

        The client above this layer is left out on purpose: it follows `Location` in part even when told not to.
        """
        sent = httpx.Headers(self._headers)
        sent.update(headers)
        request = httpx.Request(method, url, headers=sent, content=content, extensions={"timeout": self._timeout})
        transport = self._transport()
        try:
            response = transport.handle_request(request)
            try:
                yield response
            finally:
                response.close()
                _drop_unread(transport)
        finally:
            self._free.append(transport)

    def close(self) -> None:
        for transport in self._all:
            transport.close()


def _drop_unread(transport: httpx.HTTPTransport) -> None:
    """Close connections on which more came than the answer: it would be taken for the answer to the next request.

    httpcore notices unread bytes of the socket by itself, and not those that it has read along with the answer.
    """
    for one in transport._pool.connections:
        # A connection of HTTP/1.1 that is in use knows its parser; one through a proxy holds another within.
        inner = getattr(one, "_connection", None)
        while inner is not None and not hasattr(inner, "_h11_state"):
            inner = getattr(inner, "_connection", None)
        if inner is not None and inner._h11_state.trailing_data[0]:
            one.close()


def decoded(body: bytes | bytearray, coding: str) -> bytes:
    """Return a body without its content coding.

    Raise TransportTrouble for a coding that was not asked for, for data that do not decode, and for what
    grows past ANSWER_BYTES: at no moment is more than that held.
    """
    names = [name for name in (part.strip().lower() for part in coding.split(",")) if name not in ("", "identity")]
    if not names or not body:
        return bytes(body)
    if len(names) > 1 or names[0] not in ("gzip", "x-gzip", "deflate"):
        raise TransportTrouble(
            f"the body has the content coding {coding[:60]!r}, which was not asked for", "an unreadable content coding"
        )
    try:
        if names[0] == "deflate":
            try:
                return _inflated(body, zlib.MAX_WBITS)
            except zlib.error:
                return _inflated(body, -zlib.MAX_WBITS)
        return _inflated(body, 16 + zlib.MAX_WBITS)
    except zlib.error as problem:
        raise TransportTrouble(
            f"the body does not decode as {names[0]}: {problem}", "a body that does not decode"
        ) from None


def _inflated(body: bytes | bytearray, form: int) -> bytes:
    found = bytearray()
    rest: bytes | bytearray = body
    while rest:
        stream = zlib.decompressobj(form)
        piece: bytes | bytearray = rest
        while piece and not stream.eof:
            # A little at a time: the answer grows in one place and nowhere else.
            found += stream.decompress(piece, 65_536)
            piece = stream.unconsumed_tail
            if len(found) > ANSWER_BYTES:
                raise Exceeded(
                    f"a body of {len(body)} bytes decodes to more than {ANSWER_BYTES >> 20} MiB; decoding was stopped",
                    "an answer past every bound",
                )
        if not stream.eof:
            raise zlib.error("the stream is cut short")
        rest = stream.unused_data.lstrip(b"\0")
    return bytes(found)


def value_count(body: bytes) -> int:
    """Return at least the number of values in a JSON body, at the cost of a few scans."""
    return body.count(b",") + body.count(b"[") + body.count(b"{")
