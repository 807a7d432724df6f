"""Requests in, answers out: the thin layer between ASGI and the operations."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from ..errors import ApiError
from ..settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
JsonObject = dict[str, Any]

CORRELATION_HEADER = "x-correlation-id"
CORRELATION_PATTERN = re.compile(r"[A-Za-z0-9._:-]{1,128}")
DRAIN_LIMIT = 256 * 1024 * 1024
"""How much of an unwanted body is read away before the connection is given up, in bytes."""
MOST_LEVELS = 100
"""How deep a body may be nested. What Python itself can read and write differs between its versions."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(slots=True)
class Request:
    """One HTTP request, split but not yet judged."""

    method: str
    raw_path: str
    query: dict[str, str]
    headers: dict[str, str]
    receive: Receive
    correlation_id: str
    body_read: bool = False


@dataclass(slots=True)
class Response:
    """One answer. `body` gets the correlation ID when it is sent; None means no body."""

    status: int
    body: JsonObject | None
    headers: dict[str, str] = field(default_factory=dict)


def read_request(scope: Scope, receive: Receive) -> Request:
    """Split the ASGI scope. Of a repeated header or query parameter the first one counts."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1")
        # Two credentials in one request are ambiguous: joined, they fail authentication.
        if key == "authorization" and key in headers:
            headers[key] += ", " + value.decode("latin-1")
        headers.setdefault(key, value.decode("latin-1"))
    query: dict[str, str] = {}
    if scope["query_string"]:
        for key, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
            query.setdefault(key, value)
    return Request(
        method=scope["method"],
        raw_path=scope["raw_path"].decode("latin-1"),
        query=query,
        headers=headers,
        receive=receive,
        correlation_id=effective_correlation_id(headers.get(CORRELATION_HEADER)),
    )


def is_usable_correlation_id(value: str) -> bool:
    """Tell whether to take over a client's correlation ID: 1 to 128 letters, digits, dots, colons, - and _."""
    return CORRELATION_PATTERN.fullmatch(value) is not None


def new_correlation_id() -> str:
    """Make up a correlation ID."""
    return "cor_" + secrets.token_hex(12)


def effective_correlation_id(sent: str | None) -> str:
    """Return the client's ID where it is usable, else a made-up one (errors-and-limits)."""
    return sent if sent is not None and is_usable_correlation_id(sent) else new_correlation_id()


def split_path(raw_path: str, bases: tuple[str, ...]) -> list[str] | None:
    """Return the decoded segments below one of the base paths; None outside of them.

    Each segment is decoded on its own, so that `%2F` stays inside its segment.
    """
    for base in bases:
        if raw_path.startswith(base + "/"):
            return [unquote(segment) for segment in raw_path[len(base) + 1 :].split("/")]
    return None


def has_body(request: Request) -> bool:
    """Tell whether the client announces a body."""
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"


def too_large(limit: int) -> ApiError:
    """Build the refusal of a body over the byte limit."""
    return ApiError("PAYLOAD_TOO_LARGE", f"the body must have at most {limit} bytes")


async def read_body(request: Request, limit: int) -> bytes:
    """Read the whole body. Raise PAYLOAD_TOO_LARGE as soon as the announced or the received size says so."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise too_large(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await request.receive()
        if message["type"] != "http.request":
            raise ConnectionAbortedError("the client went away while it sent the body")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body"):
            request.body_read = True
            return b"".join(chunks)


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("number out of range")
    return number


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _refuse_depth(value: Any) -> None:
    """Raise ValueError for a value that is nested deeper than MOST_LEVELS."""
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise ValueError("nested too deeply")


def parse_json(body: bytes) -> Any:
    """Parse strict JSON: no NaN or Infinity, UTF-8 only, bounded depth, no lone surrogates. Raise INVALID_JSON."""
    try:
        value = json.loads(body.decode("utf-8"), parse_float=_finite, parse_constant=_refuse_constant)
        if body.count(b"[") + body.count(b"{") > MOST_LEVELS:
            _refuse_depth(value)
        if _SURROGATE.search(body):
            # An unpaired \\uD800 parses, but cannot be stored or sent back as text.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise ApiError("INVALID_JSON", "the body is not valid JSON") from None
    return value


def parse_object(body: bytes, settings: Settings) -> JsonObject:
    """Parse the body as a JSON object. Raise INVALID_JSON for anything else, unless the settings are lenient."""
    value = parse_json(body)
    if not isinstance(value, dict):
        if settings.non_object_body == "empty_object":
            return {}
        raise ApiError("INVALID_JSON", "the body must be a JSON object")
    return value


def envelope(error: ApiError, correlation_id: str) -> JsonObject:
    """Build the error body that all errors share (errors-and-limits)."""
    return {"code": error.code, "message": error.message, "correlation_id": correlation_id}


def error_response(error: ApiError, correlation_id: str) -> Response:
    """Turn a refusal into an answer."""
    return Response(error.status, envelope(error, correlation_id), dict(error.headers))


def with_correlation(body: JsonObject, correlation_id: str) -> JsonObject:
    """Add the effective correlation ID to a success body."""
    return {**body, "correlation_id": correlation_id}


def encode_json(body: JsonObject) -> bytes:
    """Encode a value as compact UTF-8 JSON."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def response_headers(response: Response, content: bytes, correlation_id: str) -> list[tuple[bytes, bytes]]:
    """Build all headers of an answer."""
    headers = [(CORRELATION_HEADER.encode(), correlation_id.encode())]
    if response.body is not None:
        headers.append((b"content-type", b"application/json"))
        headers.append((b"content-length", str(len(content)).encode()))
    headers.extend((name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items())
    return headers


async def send_response(request: Request, response: Response, send: Send) -> None:
    """Send the answer; where the body is still on its way, answer first and then read it away.

    Closing a connection with unread data resets it, and the client might never see the answer.
    """
    content = b"" if response.body is None else encode_json(response.body)
    headers = response_headers(response, content, request.correlation_id)
    if {"content-length", "transfer-encoding"} <= request.headers.keys():
        # Two lengths: whatever follows may have been meant as a part of this body (RFC 9112, 6.3).
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if request.body_read or not has_body(request):
        await send({"type": "http.response.body", "body": content})
        return
    await send({"type": "http.response.body", "body": content, "more_body": True})
    await discard_body(request)
    await send({"type": "http.response.body", "body": b""})


async def discard_body(request: Request) -> None:
    """Read the rest of the body away, up to `DRAIN_LIMIT` bytes."""
    size = 0
    while size <= DRAIN_LIMIT:
        message = await request.receive()
        if message["type"] != "http.request":
            return
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            request.body_read = True
            return
