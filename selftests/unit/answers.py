"""Exchanges made by hand, for tests of what judges them."""

from __future__ import annotations

import copy
import json
from typing import Any

from meshi_conformance.contract import load
from meshi_conformance.exchange import Exchange

CORRELATION = "corr-00000001"
JSON = ("Content-Type", "application/json")


def exchange(
    operation: str | None,
    status: int,
    body: Any = None,
    *,
    raw: bytes | None = None,
    headers: list[tuple[str, str]] | None = None,
    sent: dict[str, str] | None = None,
    path: str | None = None,
    request: bytes | None = None,
    method: str | None = None,
) -> Exchange:
    """An exchange of an operation; by default with equal correlation IDs in header and body."""
    known = load().operations.get(operation or "")
    content = raw if raw is not None else json.dumps(body).encode()
    return Exchange(
        id="unit-1",
        operation=operation,
        test="unit",
        method=method or (known.method if known else "GET"),
        path=path or (known.path if known else "/nowhere"),
        key="main",
        request_headers=sent or {},
        request_body=request,
        status=status,
        headers=[JSON, ("x-correlation-id", CORRELATION)] if headers is None else headers,
        body=content,
        started=0.0,
        elapsed=0.01,
    )


def example(operation: str, status: int) -> dict[str, Any]:
    """The example that the OpenAPI file gives for an answer, with our correlation ID."""
    known = load().operations[operation]
    media = load().document["paths"][known.path][known.method.lower()]["responses"][str(status)]["content"]
    return {**copy.deepcopy(media["application/json"]["example"]), "correlation_id": CORRELATION}


def refusal(operation: str, status: int, code: str, **how: Any) -> Exchange:
    """A refusal in the documented envelope."""
    return exchange(operation, status, {"code": code, "message": "No.", "correlation_id": CORRELATION}, **how)
