"""Exchanges made by hand, for tests of what judges them, and an API that answers with them."""

from __future__ import annotations

import copy
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.contract.contract import load
from meshi_conformance.exchanges.exchange import Exchange

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


class Scripted(Api):
    """The operations, answered by a function in place of a server; `calls` are those that were made."""

    def __init__(self, answer: Callable[[Call], Exchange]) -> None:
        self._answer = answer
        self.calls: list[Call] = []
        self.problems: list[str] = []
        quick = SimpleNamespace(poll_first=0.001, poll_most=0.002, deadline=lambda kind: 5.0)
        quick.read_only, quick.read_only_reason = False, "the run is read only"
        recorder = SimpleNamespace(
            add_evidence=lambda exchanges: None,
            waited=lambda *said: None,
            waiting=lambda *said: None,
            outside_test=nullcontext,
            clean=str,
            problem=self.problems.append,
        )
        transport: Any = SimpleNamespace(
            target=quick,
            recorder=recorder,
            late_runs=Counter(),
            late_lists=Counter(),
            ended_runs=defaultdict(list),
            rate_limited_seconds=0.0,
            sleep=lambda seconds: None,
            call=self._sent,
        )
        super().__init__(transport)

    def _sent(self, call: Call) -> Exchange:
        self.calls.append(call)
        return self._answer(call)

    def together(self, calls: Any) -> list[Exchange]:
        return [self.send(one) if isinstance(one, Call) else one() for one in calls]
