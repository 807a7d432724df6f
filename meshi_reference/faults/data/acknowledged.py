"""Rows that were acknowledged and are missed by the reads that follow."""

from __future__ import annotations

import time

from ...errors import ApiError
from ...patching import operations
from ...patching.operations import Handler
from ...patching.patch import Patch
from ...services import Call
from ...wire.http import Response
from ..registry import fault

LAG = 0.25
"""Seconds for which a row is missed, counted from the first time that it is asked for."""


def late(patch: Patch, operation: str, parameter: str, code: str) -> None:
    """Make an operation miss what a parameter names until a moment after it is first asked for."""
    asked: dict[str, float] = {}

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            answer = await inner(call)  # what is never there is missed by the operation itself
            now = time.monotonic()
            if now - asked.setdefault(f"{call.org} {call.params[parameter]}", now) < LAG:
                raise ApiError(code, "There is nothing of that name.")
            return answer

        return handler

    operations.handle(patch, operation, make)


for _name, _breaks, _operation, _parameter, _code in (
    ("event", "acknowledged.event", "getEvent", "event_id", "EVENT_NOT_FOUND"),
    ("context", "acknowledged.event", "getEventContext", "event_id", "EVENT_NOT_FOUND"),
    ("id_map", "acknowledged.event", "getIdMapping", "partner_id", "PARTNER_ID_NOT_FOUND"),
    ("session", "acknowledged.session", "getSession", "session_id", "SESSION_NOT_FOUND"),
    ("run", "acknowledged.run", "getRun", "run_id", "RUN_NOT_FOUND"),
    ("elsewhere", "acknowledged.elsewhere", "listSessions", "event_id", "EVENT_NOT_FOUND"),
):

    @fault(
        f"acknowledged.{_name}.late",
        f"{_operation} misses what it is asked for until a quarter of a second after the first request.",
        breaks=[_breaks],
        also=["acknowledged.*"],
    )
    def _(patch: Patch, operation: str = _operation, parameter: str = _parameter, code: str = _code) -> None:
        late(patch, operation, parameter, code)
