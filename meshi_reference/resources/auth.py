"""GET /auth: who the key belongs to (endpoint-reference, Service Account)."""

from __future__ import annotations

from ..services import Call
from ..wire.http import Response


async def get_auth(call: Call) -> Response:
    """Answer GET /auth (endpoint-reference)."""
    principal = call.principal
    return Response(
        200,
        {
            "org_id": principal.org_id,
            "principal_type": "service_account",
            "service_account_user_id": principal.user_id,
            "scopes": list(principal.scopes),
        },
    )
