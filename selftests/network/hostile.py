"""A server of ours that answers as it is told to, byte by byte, and a proxy that breaks some answers."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

BASE_PATH = "/api/v0/partner"
KEY = "conf-main-key-0123456789abcdef"


@dataclass
class Request:
    """A request as it came: `path` is relative to the base."""

    method: str
    path: str
    head: bytes
    body: bytes
    number: int
    """Which request to this server it is, from 1 on."""
    on_connection: int
    """Which request on its connection it is, from 1 on."""

    def header(self, name: str) -> str | None:
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name.encode().lower():
                return value.strip().decode("latin-1")
        return None

    @property
    def operation(self) -> str:
        """Method and first segments of the path, enough to tell the routes of these tests apart."""
        return f"{self.method} {self.path.partition('?')[0]}"


Connect = Callable[..., Any]
"""Makes the suite's client (Api) for a base URL."""

Events = Callable[[], list[dict[str, Any]]]
"""What the clients of a test have written down."""

Script = Callable[[Request, socket.socket], bool | None]
"""Answers a request on its socket; True keeps the connection open."""


class Server:
    """Hands every request to a script. Whatever a script does to its socket, the server goes on."""

    def __init__(self, script: Script, context: object = None) -> None:
        self.script = script
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._open: set[socket.socket] = set()
        self.closed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def base(self) -> str:
        scheme = "https" if self._context else "http"
        return f"{scheme}://127.0.0.1:{self.port}{BASE_PATH}"

    def close(self) -> None:
        self.closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self.closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(connection)
        with contextlib.suppress(OSError, ValueError):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)  # type: ignore[attr-defined]
            stream = connection.makefile("rb")
            for on_connection in range(1, 1_000_000):
                request = self._read(stream, on_connection)
                if request is None or not self.script(request, connection):
                    break
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
        self._open.discard(connection)

    def _read(self, stream: object, on_connection: int) -> Request | None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline(65_536)  # type: ignore[attr-defined]
            if not line:
                return None
            head += line
        method, path, _ = head.split(b" ", 2)
        request = Request(method.decode(), path.decode().removeprefix(BASE_PATH), head, b"", 0, on_connection)
        length = int(request.header("content-length") or 0)
        request.body = stream.read(length)  # type: ignore[attr-defined]
        with self._lock:
            self.requests.append(request)
            request.number = len(self.requests)
        return request


def raw(status: str, headers: dict[str, str], body: bytes) -> bytes:
    """An answer with exactly these headers."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("utf-8", "surrogateescape") + body


def answer(document: object, status: str = "200 OK", **headers: str) -> bytes:
    """A JSON answer with correlation ID and length; a document of bytes is sent as it is."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    all_headers = {
        "Content-Type": "application/json",
        "x-correlation-id": "cor-0123456789",
        "Content-Length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return raw(status, all_headers, body)


def auth(**members: object) -> dict[str, object]:
    """A valid body of GET /auth."""
    return {
        "org_id": "org-1",
        "principal_type": "service_account",
        "service_account_user_id": "user-1",
        "scopes": ["partner:read", "partner:write"],
        "correlation_id": "cor-0123456789",
        **members,
    }


def refusal(code: str) -> dict[str, object]:
    """A valid error envelope."""
    return {"code": code, "message": "No.", "correlation_id": "cor-0123456789"}


def says(*parts: bytes, keep: bool = False) -> Script:
    """A script that sends the same bytes to every request."""

    def script(request: Request, connection: socket.socket) -> bool:
        for part in parts:
            connection.sendall(part)
        return keep

    return script


def reset(connection: socket.socket) -> None:
    """End a connection with a reset instead of a proper end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@dataclass
class Proxy:
    """Forwards to a real server; `break_` may answer a request instead, or say no by returning None."""

    upstream: str
    break_: Callable[[Request, socket.socket], bool | None] = field(default=lambda request, connection: None)

    def __call__(self, request: Request, connection: socket.socket) -> bool | None:
        done = self.break_(request, connection)
        if done is not None:
            return done
        parts = urlsplit(self.upstream)
        with socket.create_connection((parts.hostname or "", parts.port or 80)) as up:
            up.sendall(request.head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1) + request.body)
            found = b""
            while chunk := up.recv(65_536):
                found += chunk
        head, _, body = found.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        return True


@contextlib.contextmanager
def serving(script: Script, context: object = None) -> Iterator[Server]:
    """A server for as long as the block lasts."""
    with Server(script, context) as server:
        yield server
