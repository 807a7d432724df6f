"""What the server offers developers besides the API: health, description, a page, CORS, a log of requests.

All of it lies outside the API's base paths, and nothing of it changes an answer of the API but the CORS headers that
were asked for.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, TextIO

from ..app import BASES, Application
from ..server import Address
from ..services import Services
from ..wire.http import CORRELATION_HEADER, Message, Receive, Scope, Send
from . import page
from .exchange import Seen
from .har import HarLog

SHOWN = 50
"""How many of the last exchanges the page shows."""

KEPT_BYTES = 64 * 1024
"""How much of a body the log as HAR keeps."""

CODE_BYTES = 4096
"""How much of a refusal is read for its code."""

PREFLIGHT = {
    "access-control-allow-methods": "GET, HEAD, POST, PUT, OPTIONS",
    "access-control-allow-headers": "authorization, content-type, x-correlation-id",
    "access-control-max-age": "600",
}
EXPOSED = "x-correlation-id, retry-after"
"""What a script in a browser may send, and which headers of an answer it may read."""


@dataclass
class Sandbox:
    """The ASGI callable around the API.

    `origins` may call it from a browser (`*`: all). `log` takes a line for each request, `har` the exchanges as HAR.
    `description` is the API's OpenAPI description, as a JSON object.
    """

    origins: Sequence[str] = ()
    log: TextIO | None = None
    har: HarLog | None = None
    description: dict[str, Any] | None = None
    address: Address = field(default_factory=lambda: Address("", {}))
    last: deque[Seen] = field(default_factory=lambda: deque(maxlen=SHOWN))
    _names: dict[str, str] = field(default_factory=dict, repr=False)

    def around(self, services: Services) -> Sandbox:
        """Wrap the API of one server."""
        self._services = services
        self._api = Application(services)
        return self

    def started(self, address: Address) -> None:
        """Learn the address and the keys."""
        self.address = address
        self._names = {key: name for name, key in address.env.items() if name != "MESHI_BASE"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        path = scope["raw_path"].decode("latin-1")
        own = None if path.startswith(BASES) else self._own(scope, path)
        if own is not None:
            status, kind, content = own
            await _answer(scope, send, status, kind, content)
            return
        allowed = _allowed(scope, self.origins)
        if allowed and scope["method"] == "OPTIONS" and _header(scope, b"access-control-request-method"):
            headers = [*allowed, *((name.encode(), value.encode()) for name, value in PREFLIGHT.items())]
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._observed(scope, receive, send, allowed)

    async def _observed(
        self, scope: Scope, receive: Receive, send: Send, allowed: Sequence[tuple[bytes, bytes]]
    ) -> None:
        seen = self._seen(scope)
        began = time.perf_counter()

        async def passing_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                if allowed:
                    message = {**message, "headers": [*message["headers"], *allowed]}
                seen.status = message["status"]
                seen.headers = _text(message["headers"])
                seen.correlation_id = dict(seen.headers).get(CORRELATION_HEADER, "")
            else:
                _keep(seen.body, message.get("body", b""), KEPT_BYTES if self.har else CODE_BYTES)
            await send(message)

        async def passing_receive() -> Message:
            message = await receive()
            _keep(seen.request_body, message.get("body", b""), KEPT_BYTES)
            return message

        try:
            await self._api(scope, passing_receive if self.har else receive, passing_send)
        finally:
            seen.milliseconds = (time.perf_counter() - began) * 1000
            self._take(seen)

    def _seen(self, scope: Scope) -> Seen:
        target = scope["raw_path"].decode("latin-1")
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")
        token = _header(scope, b"authorization").partition(" ")[2].strip()
        key = self._names.get(token, "unknown key" if token else "no key")
        headers = _text(scope["headers"]) if self.har else []
        return Seen(time.time(), scope["method"], self.without_keys(target)[:2000], key, request_headers=headers)

    def _take(self, seen: Seen) -> None:
        if seen.status >= 400:
            try:
                seen.code = str(json.loads(seen.body)["code"])[:60]
            except (ValueError, KeyError, TypeError):
                seen.code = ""
        if self.har is not None:
            self.har.add(seen, self.address.base, self.without_keys)
        if self.log is not None:
            print(seen.line(), file=self.log, flush=True)
        seen.request_body, seen.body = bytearray(), bytearray()
        self.last.append(seen)

    def without_keys(self, text: str) -> str:
        """Return a text with the names of keys in place of the keys."""
        for key, name in self._names.items():
            text = text.replace(key, f"${name}")
        return text

    def _own(self, scope: Scope, path: str) -> tuple[int, str, bytes] | None:
        """Return status, content type and content where the sandbox itself answers."""
        if scope["method"] not in ("GET", "HEAD"):
            return None
        if path == "/healthz":
            return self._health()
        if path == "/openapi.json" and self.description is not None:
            described = {**self.description, "servers": [{"url": self.address.base}]}
            return 200, "application/json", json.dumps(described).encode()
        if path == "/":
            keys = self.address.env if self._is_private(scope) else None
            return (
                200,
                "text/html; charset=utf-8",
                page.written(self.address.base, self.last, keys, is_described=self.description is not None).encode(
                    "utf-8", "replace"
                ),
            )
        return None

    def _health(self) -> tuple[int, str, bytes]:
        try:
            self._services.storage.scalar("SELECT 1")
        except sqlite3.Error:
            return 503, "application/json", b'{"status":"the database does not answer"}'
        return 200, "application/json", b'{"status":"ok"}'

    def _is_private(self, scope: Scope) -> bool:
        """Return whether this machine alone can have asked: by the server's address, and by the name it was asked by.

        A page of somebody else that gives its own name this machine's address sends that name.
        """
        server = scope.get("server") or ("", 0)
        return _is_loopback(str(server[0])) and _is_loopback(_host(_header(scope, b"host")))


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _text(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _keep(kept: bytearray, more: bytes, most: int) -> None:
    kept += more[: max(0, most - len(kept))]


def _allowed(scope: Scope, origins: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """Return the headers that let a browser hand an answer to the script that asked; none for an unnamed origin."""
    origin = _header(scope, b"origin") if origins else ""
    if not origin or not ("*" in origins or origin in origins):
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", EXPOSED.encode()),
        (b"vary", b"origin"),
    ]


def _host(header: str) -> str:
    """Return the host of a Host header, without port and brackets."""
    return header.partition("]")[0].lstrip("[") if header.startswith("[") else header.partition(":")[0]


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


async def _answer(scope: Scope, send: Send, status: int, kind: str, content: bytes) -> None:
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})
