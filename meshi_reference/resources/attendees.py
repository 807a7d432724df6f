"""Attendees of an event (endpoint-reference, Attendees). An attendee row belongs to one event."""

from __future__ import annotations

from typing import Any

from ..errors import ApiError
from ..rules import paging, presentation, validation
from ..services import Call, Services
from ..settings import Settings
from ..storage import Row
from ..wire.http import Response
from . import events

ROLE_FIELDS = ("role_at_event", "visibility", "goal", "needs", "offers", "onboarded_at", "joined_at")
LIST_SELECT = """
SELECT attendees.*, (
    SELECT count(*) FROM reviews WHERE reviews.subject_seq = attendees.seq AND reviews.status = 'open'
) AS open_reviews FROM attendees
"""


def serialize_identity(open_reviews: int) -> dict[str, Any]:
    """Say whether the attendee waits for a decision, and on how many reviews."""
    return {"review_required": open_reviews > 0, "open_review_count": open_reviews}


def serialize_attendee(row: Row, event_id: str, settings: Settings) -> dict[str, Any]:
    """Build the attendee object (endpoint-reference, GET attendees). Event roles have no source yet: null."""
    return presentation.finish(
        {
            "attendee_id": row["attendee_id"],
            "event_id": event_id,
            "display_name": row["name"],
            "title": row["title"],
            "company": row["company"],
            "event": dict.fromkeys(ROLE_FIELDS),
            "identity": serialize_identity(row["open_reviews"]),
        },
        "attendee",
        settings,
    )


def find_attendee(services: Services, event_seq: int, attendee_id: str) -> Row | None:
    """Return the event's attendee with that ID, unless it was merged away."""
    return services.storage.one(
        "SELECT * FROM attendees WHERE event_seq = ? AND attendee_id = ? AND merged_into IS NULL",
        (event_seq, attendee_id),
    )


def require_attendee(services: Services, event: Row, attendee_id: str) -> Row:
    """Find an attendee like `find_attendee`. Raise ATTENDEE_NOT_FOUND."""
    row = find_attendee(services, event["seq"], attendee_id)
    if row is None:
        raise ApiError("ATTENDEE_NOT_FOUND", f"attendee {attendee_id} is not mapped in this event")
    return row


async def list_attendees(call: Call) -> Response:
    """Answer GET /events/:event_id/attendees (endpoint-reference): ascending by partner ID, byte order."""
    event = events.require_event(call)
    page = paging.fetch_page(
        call,
        "attendees",
        event["event_id"],
        LIST_SELECT,
        "event_seq = ? AND merged_into IS NULL",
        [event["seq"]],
    )
    settings = call.services.settings
    return presentation.page_response(
        {}, [serialize_attendee(row, event["event_id"], settings) for row in page.rows], page
    )


def path_attendee_id(call: Call, parameter: str = "attendee_id") -> str:
    """Check and return the attendee ID of the path."""
    return validation.check_partner_id(call.params[parameter], parameter)
