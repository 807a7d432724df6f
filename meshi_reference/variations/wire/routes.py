"""Variations of paths, methods and headers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ... import app
from ...patching import operations
from ...patching.patch import Patch
from ...services import Services
from ...wire import http
from ...wire.http import Receive, Request, Response, Scope
from ..registry import variation

OFFERED = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT"})


def scoped_methods(patch: Patch) -> None:
    """Refuse a method that no scope names for its scope."""

    def wrap(inner: operations.Dispatch) -> operations.Dispatch:
        async def dispatch(request: Request, services: Services) -> Response:
            if request.method not in OFFERED:
                raise operations.Refusal(403, "INSUFFICIENT_SCOPE", f"no scope grants {request.method}")
            return await inner(request, services)

        return dispatch

    patch.wrap(app, "dispatch", wrap)


def resolved_dots(patch: Patch) -> None:
    """Resolve dot segments, also encoded ones, before the API sees the path."""

    def wrap(inner: Callable[[Scope, Receive], Request]) -> Any:
        def read_request(scope: Scope, receive: Receive) -> Request:
            request = inner(scope, receive)
            kept: list[str] = []
            for segment in request.raw_path.split("/"):
                plain = segment.replace("%2E", ".").replace("%2e", ".")
                if plain == "..":
                    del kept[max(len(kept) - 1, 1) :]
                elif plain != ".":
                    kept.append(segment)
            return replace(request, raw_path="/".join(kept))

        return read_request

    patch.wrap(http, "read_request", wrap)


def any_correlation_id(patch: Patch) -> None:
    def is_usable(value: str) -> bool:
        return 0 < len(value) <= 1000 and value.isascii() and value.isprintable()

    patch(http, "is_usable_correlation_id", is_usable)


variation(
    "method.scope",
    "DELETE and PATCH are refused for their scope.",
    apply=scoped_methods,
    makes=("routes.delete=scope",),
)
variation(
    "routes.dots_resolved",
    "A proxy resolves encoded dot segments.",
    apply=resolved_dots,
    makes=("routes.dot_segments=resolved",),
)
variation(
    "correlation.any",
    "A correlation ID of up to 1,000 characters is usable.",
    apply=any_correlation_id,
    makes=("correlation.unusual=kept",),
)
