"""The rules for what a client may send: one small function for each rule.

A check returns the value to keep or raises `ApiError` with the code that the documentation lists for
that field. Lengths count Unicode code points. `null` for an optional member means that it is absent.
Sources: identity-and-ids (patterns), endpoint-reference (field limits), errors-and-limits (codes).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

from ..errors import ApiError
from ..settings import Settings

JsonObject = dict[str, Any]

KIND_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
PARTNER_ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
OPAQUE_ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
DATE_PATTERN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
DATETIME_PATTERN = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?"
)
EMAIL_PATTERN = re.compile(r"[^@\s]+@[^@\s]+")
TIMEZONE_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")
SLUG_PATTERN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
VISIBILITIES = frozenset({"private", "public", "unlisted"})

MAX_LENGTH: dict[str, int] = {
    "title": 200,
    "description": 4000,
    "timezone": 128,
    "visibility": 32,
    "url_slug": 128,
    "context": 4000,
    "session_title": 200,
    "session_description": 4000,
    "attendee_name": 240,
    "attendee_email": 320,
    "attendee_linkedin_url": 2048,
    "attendee_title": 512,
    "attendee_company": 512,
    "webhook_url": 2048,
}
RUN_KINDS: tuple[str, ...] = ("import", "enrichment", "match")
DECISIONS: tuple[str, ...] = ("accept", "reject", "distinct")
CONTEXT_FIELDS: tuple[str, ...] = ("event_details", "objectives", "welcome_instructions")
TOP_N_DEFAULT, TOP_N_MIN, TOP_N_MAX = 10, 1, 50


# Shared shapes


def text_length(text: str) -> int:
    """Return the length in characters: Unicode code points."""
    return len(text)


def required_text(value: object, field: str, code: str) -> str:
    """Require a non-empty string within the field's length."""
    if not isinstance(value, str) or not value.strip():
        raise ApiError(code, f"{field} must be a string that is not empty")
    if text_length(value) > MAX_LENGTH[field]:
        raise ApiError(code, f"{field} must have at most {MAX_LENGTH[field]} characters")
    return value


def optional_text(value: object, field: str, code: str) -> str | None:
    """Accept a string within the field's length, or nothing."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ApiError(code, f"{field} must be a string")
    if text_length(value) > MAX_LENGTH[field]:
        raise ApiError(code, f"{field} must have at most {MAX_LENGTH[field]} characters")
    return value


def optional_object(value: object, field: str, code: str) -> JsonObject | None:
    """Accept a JSON object, or nothing."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ApiError(code, f"{field} must be a JSON object")
    return value


# Identifiers


def check_partner_id(value: object, field: str = "partner_id") -> str:
    """Require a partner-owned ID, or raise INVALID_PARTNER_ID (identity-and-ids)."""
    if not isinstance(value, str) or PARTNER_ID_PATTERN.fullmatch(value) is None:
        raise ApiError("INVALID_PARTNER_ID", f"{field} must match ^[A-Za-z0-9][A-Za-z0-9._:-]{{0,127}}$")
    return value


def check_kind(value: object, field: str = "kind") -> str:
    """Require a kind of partner ID, or raise INVALID_PARTNER_KIND (identity-and-ids)."""
    if not isinstance(value, str) or KIND_PATTERN.fullmatch(value) is None:
        raise ApiError("INVALID_PARTNER_KIND", f"{field} must match ^[A-Za-z][A-Za-z0-9_-]{{0,63}}$")
    return value


def check_run_id(value: str) -> str:
    """Require a run ID as the server could have issued it, or raise INVALID_RUN_ID."""
    if OPAQUE_ID_PATTERN.fullmatch(value) is None:
        raise ApiError("INVALID_RUN_ID", "run_id is malformed")
    return value


def check_review_id(value: str) -> str:
    """Require a review ID as the server could have issued it, or raise INVALID_REVIEW_ID."""
    if OPAQUE_ID_PATTERN.fullmatch(value) is None:
        raise ApiError("INVALID_REVIEW_ID", "review_id is malformed")
    return value


# Events (endpoint-reference, POST /events)


def check_title(value: object) -> str:
    """Require 1 to 200 characters."""
    return required_text(value, "title", "INVALID_TITLE")


def check_description(value: object) -> str | None:
    """Accept at most 4000 characters, or nothing."""
    return optional_text(value, "description", "INVALID_DESCRIPTION")


def is_calendar_date(value: object) -> bool:
    """Tell whether the value is an ISO date that the calendar has."""
    if not isinstance(value, str) or DATE_PATTERN.fullmatch(value) is None:
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def check_start_date(value: object) -> str | None:
    """Accept an ISO date, or nothing."""
    if value is not None and not is_calendar_date(value):
        raise ApiError("INVALID_START_DATE", "start_date must be an ISO date, such as 2026-09-10")
    return value  # type: ignore[return-value]


def check_end_date(value: object) -> str | None:
    """Accept an ISO date, or nothing. It may precede the start: the pages forbid it nowhere."""
    if value is not None and not is_calendar_date(value):
        raise ApiError("INVALID_END_DATE", "end_date must be an ISO date, such as 2026-09-11")
    return value  # type: ignore[return-value]


def check_timezone(value: object, settings: Settings) -> str | None:
    """Accept at most 128 characters, or nothing."""
    text = optional_text(value, "timezone", "INVALID_TIMEZONE")
    if settings.strict_formats and text is not None and not TIMEZONE_PATTERN.fullmatch(text):
        raise ApiError("INVALID_TIMEZONE", "timezone must be an IANA time zone name")
    return text


def check_visibility(value: object, settings: Settings) -> str | None:
    """Accept at most 32 characters, or nothing."""
    text = optional_text(value, "visibility", "INVALID_VISIBILITY")
    if settings.strict_formats and text is not None and text not in VISIBILITIES:
        raise ApiError("INVALID_VISIBILITY", f"visibility must be one of {', '.join(sorted(VISIBILITIES))}")
    return text


def check_url_slug(value: object, settings: Settings) -> str | None:
    """Accept at most 128 characters, or nothing."""
    text = optional_text(value, "url_slug", "INVALID_URL_SLUG")
    if settings.strict_formats and text is not None and not SLUG_PATTERN.fullmatch(text):
        raise ApiError("INVALID_URL_SLUG", "url_slug must consist of lower-case words joined by hyphens")
    return text


def check_event(body: JsonObject, settings: Settings) -> JsonObject:
    """Check the whole body of POST /events."""
    return {
        "event_id": check_partner_id(body.get("event_id"), "event_id"),
        "title": check_title(body.get("title")),
        "description": check_description(body.get("description")),
        "start_date": check_start_date(body.get("start_date")),
        "end_date": check_end_date(body.get("end_date")),
        "timezone": check_timezone(body.get("timezone"), settings),
        "visibility": check_visibility(body.get("visibility"), settings),
        "url_slug": check_url_slug(body.get("url_slug"), settings),
    }


def check_context_value(field: str, value: object) -> str:
    """Check one context field: a string of at most 4000 characters."""
    if not isinstance(value, str):
        raise ApiError("INVALID_CONTEXT", f"{field} must be a string")
    if text_length(value) > MAX_LENGTH["context"]:
        raise ApiError("INVALID_CONTEXT", f"{field} must have at most {MAX_LENGTH['context']} characters")
    return value


def check_context(body: JsonObject) -> dict[str, str]:
    """Check the given context fields; at least one (endpoint-reference, POST /events/:event_id/context)."""
    given = {field: check_context_value(field, body[field]) for field in CONTEXT_FIELDS if body.get(field) is not None}
    if not given:
        raise ApiError("INVALID_CONTEXT", f"at least one of {', '.join(CONTEXT_FIELDS)} is required")
    return given


# Sessions (endpoint-reference, POST /events/:event_id/sessions)


def check_session_title(value: object) -> str:
    """Require a title; the length limit is the event title's, as the pages give none."""
    return required_text(value, "session_title", "INVALID_TITLE")


def check_session_description(value: object) -> str | None:
    """Accept a text or nothing; the length limit is the event description's, as the pages give none."""
    return optional_text(value, "session_description", "INVALID_DESCRIPTION")


def parse_instant(value: object) -> int | None:
    """Return an ISO datetime in microseconds since 1970, UTC where it names no zone; None for anything else."""
    if not isinstance(value, str) or DATETIME_PATTERN.fullmatch(value) is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def check_start_timestamp(value: object, settings: Settings) -> str | None:
    """Accept an ISO datetime, or nothing."""
    if value is None and not settings.require_session_times:
        return None
    if parse_instant(value) is None:
        raise ApiError("INVALID_START_TIMESTAMP", "start_timestamp must be an ISO datetime")
    return value  # type: ignore[return-value]


def check_end_timestamp(value: object, start: str | None, settings: Settings) -> str | None:
    """Accept an ISO datetime, or nothing. Whether it may precede the start is open; by default it may."""
    if value is None and not settings.require_session_times:
        return None
    end = parse_instant(value)
    if end is None:
        raise ApiError("INVALID_END_TIMESTAMP", "end_timestamp must be an ISO datetime")
    begin = parse_instant(start)
    if settings.refuse_end_before_start and begin is not None and end < begin:
        raise ApiError("INVALID_END_TIMESTAMP", "end_timestamp must not precede start_timestamp")
    return value  # type: ignore[return-value]


def check_session(body: JsonObject, settings: Settings) -> JsonObject:
    """Check the whole body of a session creation."""
    start = check_start_timestamp(body.get("start_timestamp"), settings)
    return {
        "session_id": check_partner_id(body.get("session_id"), "session_id"),
        "title": check_session_title(body.get("title")),
        "description": check_session_description(body.get("description")),
        "start_timestamp": start,
        "end_timestamp": check_end_timestamp(body.get("end_timestamp"), start, settings),
    }


# Imports (endpoint-reference, PUT /events/:event_id/attendees:import)


def check_attendees(value: object, settings: Settings) -> list[Any]:
    """Require a list with at least one row and at most the cap."""
    if not isinstance(value, list) or not value:
        raise ApiError("INVALID_ATTENDEES", "attendees must be a non-empty array")
    if len(value) > settings.attendee_cap:
        raise ApiError("INVALID_ATTENDEES", f"attendees must have at most {settings.attendee_cap} rows")
    return value


def check_attendee_id(row: JsonObject, settings: Settings) -> str:
    """Check the row's ID. The settings choose the code that refuses a missing one."""
    if row.get("attendee_id") is None and settings.missing_attendee_id == "INVALID_ATTENDEE":
        raise ApiError("INVALID_ATTENDEE", "attendee_id is required")
    return check_partner_id(row.get("attendee_id"), "attendee_id")


def check_attendee_name(value: object) -> str:
    """Require 1 to 240 characters."""
    return required_text(value, "attendee_name", "INVALID_ATTENDEE_NAME")


def check_attendee_email(value: object, settings: Settings) -> str | None:
    """Accept at most 320 characters, or nothing."""
    text = optional_text(value, "attendee_email", "INVALID_ATTENDEE_EMAIL")
    if settings.strict_formats and text is not None and not EMAIL_PATTERN.fullmatch(text):
        raise ApiError("INVALID_ATTENDEE_EMAIL", "email must be an e-mail address")
    return text


def check_attendee_linkedin_url(value: object, settings: Settings) -> str | None:
    """Accept at most 2048 characters, or nothing."""
    text = optional_text(value, "attendee_linkedin_url", "INVALID_ATTENDEE_LINKEDIN_URL")
    if settings.strict_formats and text is not None and not is_http_url(text):
        raise ApiError("INVALID_ATTENDEE_LINKEDIN_URL", "linkedin_url must be an http or https URL")
    return text


def check_attendee_title(value: object) -> str | None:
    """Accept at most 512 characters, or nothing."""
    return optional_text(value, "attendee_title", "INVALID_ATTENDEE_TITLE")


def check_attendee_company(value: object) -> str | None:
    """Accept at most 512 characters, or nothing."""
    return optional_text(value, "attendee_company", "INVALID_ATTENDEE_COMPANY")


def check_attendee_raw_data(value: object) -> JsonObject | None:
    """Accept a JSON object, or nothing."""
    return optional_object(value, "raw_data", "INVALID_ATTENDEE_RAW_DATA")


def check_attendee(row: object, settings: Settings) -> JsonObject:
    """Check one row of an import, reduced to the members that it gives and that the API knows."""
    if not isinstance(row, dict):
        raise ApiError("INVALID_ATTENDEE", "each attendee must be a JSON object")
    checked = {
        "attendee_id": check_attendee_id(row, settings),
        "name": check_attendee_name(row.get("name")),
        "email": check_attendee_email(row.get("email"), settings),
        "linkedin_url": check_attendee_linkedin_url(row.get("linkedin_url"), settings),
        "title": check_attendee_title(row.get("title")),
        "company": check_attendee_company(row.get("company")),
        "raw_data": check_attendee_raw_data(row.get("raw_data")),
    }
    return {member: value for member, value in checked.items() if value is not None}


def check_unique_attendee(attendee_id: str, seen: set[str]) -> None:
    """Refuse an ID that is twice in one payload; remember the ID."""
    if attendee_id in seen:
        raise ApiError("DUPLICATE_ATTENDEE_ID", f"attendee_id {attendee_id} occurs more than once")
    seen.add(attendee_id)


# Runs


def check_idempotency_key(value: object, settings: Settings) -> str:
    """Require a string of 1 to 255 characters (errors-and-limits: missing, empty or too long)."""
    if not isinstance(value, str) or not value:
        raise ApiError("INVALID_IDEMPOTENCY_KEY", "idempotency_key must be a string that is not empty")
    if text_length(value) > settings.idempotency_key_max:
        raise ApiError(
            "INVALID_IDEMPOTENCY_KEY",
            f"idempotency_key must have at most {settings.idempotency_key_max} characters",
        )
    return value


def is_http_url(text: str, schemes: tuple[str, ...] = ("http", "https")) -> bool:
    """Tell whether the text is an absolute URL of one of the schemes, with a host and without blanks."""
    if any(character.isspace() or ord(character) < 33 for character in text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def check_webhook_url(value: object, settings: Settings) -> str | None:
    """Accept an http or https URL, or nothing; it is echoed and never called (overview)."""
    text = optional_text(value, "webhook_url", "INVALID_WEBHOOK_URL")
    schemes = ("https",) if settings.require_https_webhook else ("http", "https")
    if text is not None and not is_http_url(text, schemes):
        raise ApiError("INVALID_WEBHOOK_URL", f"webhook_url must be a URL ({' or '.join(schemes)})")
    return text


def check_top_n(value: object) -> int:
    """Accept an integer from 1 to 50, by default 10 (endpoint-reference, POST match-runs)."""
    if value is None:
        return TOP_N_DEFAULT
    if isinstance(value, bool) or not isinstance(value, int) or not TOP_N_MIN <= value <= TOP_N_MAX:
        raise ApiError("INVALID_TOP_N", f"top_n must be an integer from {TOP_N_MIN} to {TOP_N_MAX}")
    return value


def check_run_kind(value: object) -> str:
    """Require one of the three run kinds, or raise INVALID_RUN_KIND."""
    if not isinstance(value, str) or value not in RUN_KINDS:
        raise ApiError("INVALID_RUN_KIND", f"kind must be one of {', '.join(RUN_KINDS)}")
    return value


def check_progress(value: object) -> JsonObject:
    """Accept a JSON object, or nothing."""
    return optional_object(value, "progress", "INVALID_PROGRESS") or {}


def check_snapshot_metadata(value: object) -> JsonObject:
    """Accept a JSON object, or nothing."""
    return optional_object(value, "snapshot_metadata", "INVALID_SNAPSHOT_METADATA") or {}


def check_version_metadata(value: object) -> JsonObject:
    """Accept a JSON object, or nothing."""
    return optional_object(value, "version_metadata", "INVALID_VERSION_METADATA") or {}


# Reviews


def check_decision(value: object) -> str:
    """Require accept, reject or distinct."""
    if not isinstance(value, str) or value not in DECISIONS:
        raise ApiError("INVALID_REVIEW_DECISION", f"decision must be one of {', '.join(DECISIONS)}")
    return value


def check_reason(value: object) -> str | None:
    """Accept a text for people. No route lists a code for it, so a wrong type is a malformed body."""
    if value is not None and not isinstance(value, str):
        raise ApiError("INVALID_JSON", "reason must be a string")
    return value
