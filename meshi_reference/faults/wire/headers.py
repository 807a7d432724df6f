"""Correlation headers that are missing in unlikely places, or repeated."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from ...patching import operations
from ...patching.operations import OPERATIONS, Wire
from ...patching.patch import Patch
from ...wire import http
from ...wire.http import CORRELATION_HEADER, Message, Request, Response, Send
from ..registry import fault

Headers = list[tuple[bytes, bytes]]
NAME = CORRELATION_HEADER.encode()


def on_method(method: str, change: Callable[[Headers], Headers], patch: Patch) -> None:
    """Change the headers of every answer to one method."""

    def make(inner: Callable[..., Any]) -> Any:
        async def send_response(request: Request, response: Response, send: Send) -> None:
            async def changed(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message = {**message, "headers": change(list(message["headers"]))}
                await send(message)

            await inner(request, response, changed if request.method == method else send)

        return send_response

    patch.wrap(http, "send_response", make)


def without(headers: Headers) -> Headers:
    return [pair for pair in headers if pair[0] != NAME]


def renamed(headers: Headers) -> Headers:
    return [*without(headers), (NAME, b"cor_" + secrets.token_hex(12).encode())]


for _method in ("HEAD", "OPTIONS"):
    for _suffix, _sentence, _change in (
        ("missing", "carries no correlation ID", without),
        ("replaced", "carries a correlation ID of the server's own in place of the client's", renamed),
    ):
        fault(
            f"routes.{_method.lower()}.correlation.{_suffix}",
            f"The answer to {_method} {_sentence}.",
            breaks=[f"routes.{_method.lower()}.correlation"],
        )(partial(on_method, _method, _change))


def twice(status: int, headers: Headers, content: bytes) -> Wire:
    return status, [*headers, (NAME, b"gw-" + secrets.token_hex(8).encode())], content


for _operation in OPERATIONS:

    def _apply(patch: Patch, operation: str = _operation) -> None:
        operations.wire(patch, operation, twice)

    fault(
        f"correlation.{_operation}.twice",
        f"A gateway adds an x-correlation-id of its own behind the one of {_operation}.",
        breaks=[f"correlation.{_operation}"],
        also=["correlation.*"],
    )(_apply)
