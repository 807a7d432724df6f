"""Variations of the wire: headers, encodings, chunks and connections."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from ...patching import operations
from ...patching.patch import Patch
from ...wire import http as wire

Headers = list[tuple[bytes, bytes]]


def on_wire(change: Callable[[int, Headers, bytes], operations.Wire]) -> Callable[[Patch], None]:
    return lambda patch: operations.wire(patch, None, change)


def closed(status: int, headers: Headers, content: bytes) -> operations.Wire:
    return status, [*headers, (b"connection", b"close")], content


def zipped(status: int, headers: Headers, content: bytes) -> operations.Wire:
    return status, [*headers, (b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")], gzip.compress(content, 1)


def chunked(status: int, headers: Headers, content: bytes) -> operations.Wire:
    return status, [*headers, (b"transfer-encoding", b"chunked")], content


def dressed(status: int, headers: Headers, content: bytes) -> operations.Wire:
    """Write header names in capitals, in another order, with others beside them."""
    labels = {b"content-type": b"application/json; charset=utf-8"}
    kept = [(name.title(), labels.get(name, value)) for name, value in reversed(headers)]
    more = [
        (b"SERVER", b"edge"),
        (b"Date", formatdate(usegmt=True).encode()),
        (b"X-Request-Id", b"7"),
        (b"Vary", b"Origin"),
    ]
    return status, [*more, *kept, (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2")], content


def problem_label(status: int, headers: Headers, content: bytes) -> operations.Wire:
    label = b"application/problem+json" if status >= 400 else b"application/json"
    return status, [(name, label if name == b"content-type" else value) for name, value in headers], content


def encoded(**how: Any) -> Callable[[Patch], None]:
    return lambda patch: patch(wire, "encode_json", lambda body: json.dumps(body, **how).encode())


def turned(body: Any) -> Any:
    if isinstance(body, dict):
        return {name: turned(body[name]) for name in reversed(body)}
    return [turned(one) for one in body] if isinstance(body, list) else body


def other_order(patch: Patch) -> None:
    patch.wrap(wire, "encode_json", lambda inner: lambda body: inner(turned(body)))
