"""Events and their matchmaking context (endpoint-reference, Events)."""

from __future__ import annotations

import sqlite3
from typing import Any

from .. import clock
from ..errors import ApiError
from ..rules import paging, presentation, validation
from ..services import Call, Services
from ..settings import Settings
from ..storage import Row
from ..wire.http import Response

DETAIL_FIELDS = ("start_date", "end_date", "timezone", "visibility", "url_slug")


def serialize_event(row: Row, settings: Settings) -> dict[str, Any]:
    """Build the event object (endpoint-reference, GET /events)."""
    return presentation.finish(
        {
            "event_id": row["event_id"],
            "title": row["title"],
            "description": row["description"],
            **{field: row[field] for field in validation.CONTEXT_FIELDS},
            **{field: row[field] for field in DETAIL_FIELDS},
            "created_at": clock.format_timestamp(row["created_at"], settings),
            "updated_at": clock.format_timestamp(row["updated_at"], settings),
        },
        "event",
        settings,
    )


def serialize_context(row: Row) -> dict[str, Any]:
    """Build the context object: every field, null where it was never set."""
    return {field: row[field] for field in validation.CONTEXT_FIELDS}


def conflict(kind: str, partner_id: str) -> ApiError:
    """Build the refusal of an ID that the org has already mapped."""
    return ApiError("PARTNER_ID_CONFLICT", f"{kind} ID {partner_id} is already mapped in this org")


def find_event(services: Services, org: str, event_id: str) -> Row | None:
    """Return the org's event with that ID."""
    return services.storage.one("SELECT * FROM events WHERE org_id = ? AND event_id = ?", (org, event_id))


def check_event_id(call: Call) -> str:
    """Check and return the path's event ID."""
    return validation.check_partner_id(call.params["event_id"], "event_id")


def require_event(call: Call) -> Row:
    """Return the event that the path names. Raise INVALID_PARTNER_ID or EVENT_NOT_FOUND."""
    event_id = check_event_id(call)
    row = find_event(call.services, call.org, event_id)
    if row is None:
        raise ApiError("EVENT_NOT_FOUND", f"event {event_id} is not mapped in this org")
    return row


def store_event(services: Services, org: str, fields: dict[str, Any]) -> None:
    """Insert an event. Raise PARTNER_ID_CONFLICT where the org has the ID already."""
    now = services.clock.now()
    try:
        services.storage.insert("events", {"org_id": org, **fields, "created_at": now, "updated_at": now})
    except sqlite3.IntegrityError:
        raise conflict("event", fields["event_id"]) from None


async def create_event(call: Call) -> Response:
    """Answer POST /events (endpoint-reference)."""
    fields = validation.check_event(call.body, call.services.settings)
    store_event(call.services, call.org, fields)
    row = find_event(call.services, call.org, fields["event_id"])
    assert row is not None
    return Response(201, serialize_event(row, call.services.settings))


async def list_events(call: Call) -> Response:
    """Answer GET /events (endpoint-reference): newest first."""
    page = paging.fetch_page(call, "events", "", "SELECT * FROM events", "org_id = ?", [call.org])
    return presentation.page_response({}, [serialize_event(row, call.services.settings) for row in page.rows], page)


async def get_event(call: Call) -> Response:
    """Answer GET /events/:event_id (endpoint-reference)."""
    return Response(200, serialize_event(require_event(call), call.services.settings))


def store_context(services: Services, event: Row, given: dict[str, str]) -> Row:
    """Set the given context fields; omitted ones keep their value. The event as it is then."""
    assignments = "".join(f"{field} = ?, " for field in given)
    with services.storage.transaction():
        services.storage.execute(
            f"UPDATE events SET {assignments}updated_at = ? WHERE seq = ?",
            (*given.values(), services.clock.now(), event["seq"]),
        )
    row = services.storage.one("SELECT * FROM events WHERE seq = ?", (event["seq"],))
    assert row is not None
    return row


async def update_context(call: Call) -> Response:
    """Answer POST /events/:event_id/context (endpoint-reference)."""
    event, given = presentation.in_order(call, lambda: require_event(call), lambda: validation.check_context(call.body))
    row = store_context(call.services, event, given)
    return Response(200, {"event_id": row["event_id"], "context": serialize_context(row)})


async def get_context(call: Call) -> Response:
    """Answer GET /events/:event_id/context (endpoint-reference)."""
    row = require_event(call)
    return Response(200, {"event_id": row["event_id"], "context": serialize_context(row)})
