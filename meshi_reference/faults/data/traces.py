"""Refused writes that leave something behind, rows that a silent filter hides, and rows that an import drops."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from ... import app
from ...errors import ApiError
from ...patching import changes, operations
from ...patching.operations import Dispatch, Handler
from ...patching.patch import Patch
from ...resources import events, importing, runs, sessions
from ...rules import validation
from ...services import Call, Services
from ...wire import http
from ...wire.http import Request, Response
from ..registry import fault


def keep_event(call: Call) -> None:
    fields = {name: call.body.get(name) for name in ("event_id", "title", "start_date", "timezone", "visibility")}
    rest: dict[str, Any] = dict.fromkeys(("description", "end_date", "url_slug"))
    events.store_event(call.services, call.org, {**fields, **rest})


def keep_session(call: Call) -> None:
    event = events.require_event(call)
    fields = {name: call.body.get(name) for name in ("session_id", "title", "description", "start_timestamp")}
    sessions.store_session(call.services, event, {**fields, "end_timestamp": None})


def keep_context(call: Call) -> None:
    event = events.require_event(call)
    for name in validation.CONTEXT_FIELDS:
        text = call.body.get(name)
        if isinstance(text, str) and len(text) <= 4000:
            call.services.storage.execute(f"UPDATE events SET {name} = ? WHERE seq = ?", (text, event["seq"]))


for _operation, _suffix, _sentence, _keep, _codes in (
    ("createEvent", "slug", "an event whose slug is too long", keep_event, ("INVALID_URL_SLUG",)),
    ("createEvent", "end_date", "an event whose end is not a date", keep_event, ("INVALID_END_DATE",)),
    ("createSession", "end", "a session whose end is not a moment", keep_session, ("INVALID_END_TIMESTAMP",)),
    ("updateEventContext", "fields", "the fields before one that is too long", keep_context, ("INVALID_CONTEXT",)),
):
    fault(
        f"refused.leaves_nothing.{_operation}.{_suffix}",
        f"{_operation} refuses and keeps {_sentence}.",
        breaks=[f"refused.leaves_nothing.{_operation}"],
    )(partial(changes.after_refusal, operation=_operation, codes=_codes, act=_keep))


@fault(
    "refused.leaves_nothing.importAttendees.conflict",
    "An import whose key conflicts is refused, and its rows are imported.",
    breaks=["refused.leaves_nothing.importAttendees"],
    also=["idempotency.*"],
)
def rows_of_a_conflict(patch: Patch) -> None:
    def make(inner: Callable[..., Any]) -> Any:
        def accept_run(services: Services, new: runs.NewRun) -> Any:
            try:
                return inner(services, new)
            except ApiError:
                if new.kind == "import" and new.event is not None:
                    rows = [row for batch in new.inputs for row in json.loads(batch)]
                    run: Any = {"org_id": new.org, "event_seq": new.event["seq"]}
                    importing.apply_rows(services, run, rows)
                raise

        return accept_run

    patch.wrap(runs, "accept_run", make)


# Rows that are hidden


def upcoming(column: str) -> Callable[[Call, str, list[Any]], tuple[str, list[Any]]]:
    return lambda call, where, parameters: (f"{where} AND coalesce({column}, '9') >= '2026-01-01'", parameters)


for _name, _operation, _suffix, _sentence, _query in (
    ("events", "listEvents", "hidden", "events that have ended", upcoming("end_date")),
    (
        "events",
        "listEvents",
        "undated",
        "events without dates",
        lambda call, where, parameters: (f"{where} AND start_date IS NOT NULL", parameters),
    ),
    ("sessions", "listSessions", "hidden", "sessions that are over", upcoming("end_timestamp")),
):
    fault(
        f"{_name}.listed.past.{_suffix}",
        f"{_operation} leaves out {_sentence}.",
        breaks=[f"{_name}.listed.past"],
    )(partial(changes.rows, operation=_operation, query=_query))


@fault(
    "attendees.look_alikes.dropped",
    "An import keeps the first of several rows that share an e-mail.",
    breaks=["attendees.look_alikes"],
)
def one_row_for_each_email(patch: Patch) -> None:
    first: dict[tuple[int, str], str] = {}

    def make(inner: Callable[..., Any]) -> Any:
        def apply_rows(services: Services, run: Any, rows: list[dict[str, Any]]) -> Any:
            named = [(row, (run["event_seq"], row.get("email") or row["attendee_id"])) for row in rows]
            kept = [row for row, key in named if first.setdefault(key, row["attendee_id"]) == row["attendee_id"]]
            return inner(services, run, kept)

        return apply_rows

    patch.wrap(importing, "apply_rows", make)


# The rate limit


def used_up(what: str, patch: Patch) -> None:
    """Refuse a request past the window, but mark its key or its ID as taken."""
    taken: set[str] = set()

    def make(inner: Dispatch) -> Dispatch:
        async def dispatch(request: Request, services: Services) -> Response:
            try:
                return await inner(request, services)
            except ApiError as error:
                if error.code == "PARTNER_RATE_LIMIT_EXCEEDED" and request.method == "POST":
                    with suppress(ValueError, ApiError):
                        body = json.loads(await http.read_body(request, services.settings.body_limit))
                        taken.add(str(body.get(what)))
                raise

        return dispatch

    patch.wrap(app, "dispatch", make)

    def refusing(code: str, inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            if str(call.body.get(what)) in taken:
                raise ApiError(code, "a request with this name is in progress")
            return await inner(call)

        return handler

    operation, code = {
        "idempotency_key": ("createRun", "IDEMPOTENCY_KEY_CONFLICT"),
        "event_id": ("createEvent", "PARTNER_ID_CONFLICT"),
    }[what]
    operations.handle(patch, operation, partial(refusing, code))


for _what in ("idempotency_key", "event_id"):
    fault(
        f"rate_limit.leaves_nothing.{_what}",
        f"A request that is refused with 429 uses up its {_what}.",
        breaks=["rate_limit.leaves_nothing"],
        sees=["rate_limit"],
    )(partial(used_up, _what))
