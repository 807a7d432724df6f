"""Sessions of an event (endpoint-reference, Sessions). Session IDs are unique in the org."""

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
from . import events

NO_START = 2**62
"""Sort key of a session without a start: after all others."""


def serialize_session(row: Row, event_id: str, settings: Settings) -> dict[str, Any]:
    """Build the session object. Timestamps are echoed as they were sent."""
    return presentation.finish(
        {
            "session_id": row["session_id"],
            "event_id": event_id,
            "title": row["title"],
            "description": row["description"],
            "start_timestamp": row["start_timestamp"],
            "end_timestamp": row["end_timestamp"],
            "created_at": clock.format_timestamp(row["created_at"], settings),
            "updated_at": clock.format_timestamp(row["updated_at"], settings),
        },
        "session",
        settings,
    )


def start_sort_key(start_timestamp: str | None) -> int:
    """Return the instant that sessions are ordered by, in microseconds."""
    instant = validation.parse_instant(start_timestamp)
    return NO_START if instant is None else instant


def find_session(services: Services, event: Row, session_id: str) -> Row | None:
    """Return the event's session with that ID."""
    return services.storage.one(
        "SELECT * FROM sessions WHERE event_seq = ? AND session_id = ?", (event["seq"], session_id)
    )


def require_session(services: Services, event: Row, session_id: str) -> Row:
    """Find a session like `find_session`. Raise SESSION_NOT_FOUND."""
    row = find_session(services, event, session_id)
    if row is None:
        raise ApiError("SESSION_NOT_FOUND", f"session {session_id} is not mapped in this event")
    return row


def store_session(services: Services, event: Row, fields: dict[str, Any]) -> None:
    """Insert a session. Raise PARTNER_ID_CONFLICT where the org has the ID already, in whichever event."""
    now = services.clock.now()
    try:
        services.storage.insert(
            "sessions",
            {
                "org_id": event["org_id"],
                "event_seq": event["seq"],
                **fields,
                "start_sort": start_sort_key(fields["start_timestamp"]),
                "created_at": now,
                "updated_at": now,
            },
        )
    except sqlite3.IntegrityError:
        raise events.conflict("session", fields["session_id"]) from None


async def create_session(call: Call) -> Response:
    """Answer POST /events/:event_id/sessions (endpoint-reference)."""
    settings = call.services.settings
    event, fields = presentation.in_order(
        call, lambda: events.require_event(call), lambda: validation.check_session(call.body, settings)
    )
    store_session(call.services, event, fields)
    row = require_session(call.services, event, fields["session_id"])
    return Response(201, serialize_session(row, event["event_id"], settings))


async def list_sessions(call: Call) -> Response:
    """Answer GET /events/:event_id/sessions (endpoint-reference): by start, earliest first."""
    event = events.require_event(call)
    page = paging.fetch_page(
        call, "sessions", event["event_id"], "SELECT * FROM sessions", "event_seq = ?", [event["seq"]]
    )
    settings = call.services.settings
    return presentation.page_response(
        {}, [serialize_session(row, event["event_id"], settings) for row in page.rows], page
    )


async def get_session(call: Call) -> Response:
    """Answer GET /events/:event_id/sessions/:session_id (endpoint-reference)."""
    session_id = validation.check_partner_id(call.params["session_id"], "session_id")
    event = events.require_event(call)
    row = require_session(call.services, event, session_id)
    return Response(200, serialize_session(row, event["event_id"], call.services.settings))
