"""Error codes, their statuses and the one exception that a rule raises to refuse a request.

Sources: errors-and-limits (envelope, authentication, common codes) and each route's error list in
endpoint-reference. NOT_FOUND, METHOD_NOT_ALLOWED, INVALID_REQUEST, INVALID_LIMIT, INVALID_CURSOR, INVALID_TOP_N and
INTERNAL_ERROR are this server's own names where the documentation gives none.
"""

from __future__ import annotations

STATUS: dict[str, int] = {
    "UNAUTHORIZED": 401,
    "ACCOUNT_DISABLED": 401,
    "SERVICE_ACCOUNT_REQUIRED": 403,
    "INSUFFICIENT_SCOPE": 403,
    "PARTNER_ORG_REQUIRED": 403,
    "PARTNER_RATE_LIMIT_EXCEEDED": 429,
    "PAYLOAD_TOO_LARGE": 413,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "INTERNAL_ERROR": 500,
    "PARTNER_ID_CONFLICT": 409,
    "IDEMPOTENCY_KEY_CONFLICT": 409,
    "PARTNER_ID_NOT_FOUND": 404,
    "EVENT_NOT_FOUND": 404,
    "SESSION_NOT_FOUND": 404,
    "ATTENDEE_NOT_FOUND": 404,
    "RUN_NOT_FOUND": 404,
    "MATCH_RUN_NOT_FOUND": 404,
    "MATCH_NOT_FOUND": 404,
    "REVIEW_NOT_FOUND": 404,
    "INVALID_REQUEST": 400,
    "INVALID_JSON": 400,
    "INVALID_LIMIT": 400,
    "INVALID_CURSOR": 400,
    "INVALID_PARTNER_KIND": 400,
    "INVALID_PARTNER_ID": 400,
    "INVALID_IDEMPOTENCY_KEY": 400,
    "INVALID_WEBHOOK_URL": 400,
    "INVALID_TITLE": 400,
    "INVALID_DESCRIPTION": 400,
    "INVALID_START_DATE": 400,
    "INVALID_END_DATE": 400,
    "INVALID_TIMEZONE": 400,
    "INVALID_VISIBILITY": 400,
    "INVALID_URL_SLUG": 400,
    "INVALID_CONTEXT": 400,
    "INVALID_START_TIMESTAMP": 400,
    "INVALID_END_TIMESTAMP": 400,
    "INVALID_ATTENDEES": 400,
    "INVALID_ATTENDEE": 400,
    "DUPLICATE_ATTENDEE_ID": 400,
    "INVALID_ATTENDEE_NAME": 400,
    "INVALID_ATTENDEE_EMAIL": 400,
    "INVALID_ATTENDEE_LINKEDIN_URL": 400,
    "INVALID_ATTENDEE_TITLE": 400,
    "INVALID_ATTENDEE_COMPANY": 400,
    "INVALID_ATTENDEE_RAW_DATA": 400,
    "INVALID_TOP_N": 400,
    "INVALID_RUN_KIND": 400,
    "INVALID_RUN_ID": 400,
    "INVALID_PROGRESS": 400,
    "INVALID_SNAPSHOT_METADATA": 400,
    "INVALID_VERSION_METADATA": 400,
    "INVALID_REVIEW_ID": 400,
    "INVALID_REVIEW_DECISION": 400,
    "REVIEW_SOURCE_MISMATCH": 400,
    "MERGE_REJECTED": 400,
}


class ApiError(Exception):
    """A refusal with a code for programs, a message for people and, seldom, extra headers."""

    def __init__(self, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.headers = headers or {}

    @property
    def status(self) -> int:
        """HTTP status of the code; looked up when it is asked for."""
        return STATUS[self.code]
