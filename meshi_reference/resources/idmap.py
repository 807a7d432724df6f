"""ID resolution (endpoint-reference, GET /id-map/:kind/:partner_id)."""

from __future__ import annotations

from ..errors import ApiError
from ..rules import validation
from ..services import Call, Services
from ..wire.http import Response

QUERIES: dict[str, str] = {
    "event": "SELECT 1 FROM events WHERE org_id = ? AND event_id = ?",
    "session": "SELECT 1 FROM sessions WHERE org_id = ? AND session_id = ?",
    "attendee": "SELECT 1 FROM attendees WHERE org_id = ? AND attendee_id = ? AND merged_into IS NULL",
}
MERGED_TOO = "SELECT 1 FROM attendees WHERE org_id = ? AND attendee_id = ?"


def is_mapped(services: Services, org: str, kind: str, partner_id: str) -> bool:
    """Tell whether the org has mapped the ID for that kind. An unknown kind maps nothing."""
    query = QUERIES.get(kind)
    if kind == "attendee" and services.settings.merged_id_mapped:
        query = MERGED_TOO
    return query is not None and services.storage.one(query, (org, partner_id)) is not None


def not_mapped(kind: str, partner_id: str) -> ApiError:
    """Build the refusal of an ID that the org has not mapped."""
    return ApiError("PARTNER_ID_NOT_FOUND", f"{kind} ID {partner_id} is not mapped in this org")


async def get_id_mapping(call: Call) -> Response:
    """Answer GET /id-map/:kind/:partner_id (endpoint-reference)."""
    kind = validation.check_kind(call.params["kind"])
    partner_id = validation.check_partner_id(call.params["partner_id"])
    if not is_mapped(call.services, call.org, kind, partner_id):
        raise not_mapped(kind, partner_id)
    return Response(200, {"kind": kind, "partner_id": partner_id, "mapped": True})
