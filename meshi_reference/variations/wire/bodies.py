"""Variations of what a body may hold, and of the forms that values may have."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from ... import app
from ...errors import ApiError
from ...patching import changes, operations
from ...patching.patch import Patch
from ...rules import validation
from ...rules.validation import JsonObject
from ...services import Services
from ...settings import Settings
from ...wire.http import Request, Response
from ..registry import variation

OPTIONAL_TEXTS: dict[str, str] = {
    "description": "INVALID_DESCRIPTION",
    "start_date": "INVALID_START_DATE",
    "end_date": "INVALID_END_DATE",
    "timezone": "INVALID_TIMEZONE",
    "visibility": "INVALID_VISIBILITY",
    "url_slug": "INVALID_URL_SLUG",
    "event_details": "INVALID_CONTEXT",
    "objectives": "INVALID_CONTEXT",
    "welcome_instructions": "INVALID_CONTEXT",
    "start_timestamp": "INVALID_START_TIMESTAMP",
    "end_timestamp": "INVALID_END_TIMESTAMP",
    "webhook_url": "INVALID_WEBHOOK_URL",
    "reason": "INVALID_JSON",
}
"""Optional text members of a body, with the code that refuses each."""

OPTIONAL_ROW_TEXTS: dict[str, str] = {
    "email": "INVALID_ATTENDEE_EMAIL",
    "linkedin_url": "INVALID_ATTENDEE_LINKEDIN_URL",
    "title": "INVALID_ATTENDEE_TITLE",
    "company": "INVALID_ATTENDEE_COMPANY",
}
"""Optional text members of an import row, with the code that refuses each."""

OPTIONAL_OBJECTS: dict[str, str] = {
    "raw_data": "INVALID_ATTENDEE_RAW_DATA",
    "progress": "INVALID_PROGRESS",
    "snapshot_metadata": "INVALID_SNAPSHOT_METADATA",
    "version_metadata": "INVALID_VERSION_METADATA",
}

KEPT_TEXTS = frozenset({"title", "description", "name", "company", *validation.CONTEXT_FIELDS})
"""Texts for people: what is in them is the client's."""

DOCUMENTED = frozenset(
    {
        *OPTIONAL_TEXTS,
        *OPTIONAL_ROW_TEXTS,
        *OPTIONAL_OBJECTS,
        *("event_id", "session_id", "attendee_id", "title", "name", "idempotency_key", "attendees", "top_n", "kind"),
        *("decision", "source_kind", "source_partner_id", "target_kind", "target_partner_id"),
    }
)
"""Every member that a page names for a request."""

MOST_LEVELS = 8
SHORT_KEY = 64


def bodies(patch: Patch, change: Callable[[JsonObject, bool], JsonObject]) -> None:
    """Change every body, and every row of an import, before it is checked: `change(members, whether it is a row)`."""

    def wrap(inner: Callable[[Request, Services], Any]) -> Any:
        async def read_json(request: Request, services: Services) -> JsonObject:
            body: JsonObject = change(await inner(request, services), False)
            rows = body.get("attendees")
            if isinstance(rows, list):
                body = {**body, "attendees": [change(row, True) if isinstance(row, dict) else row for row in rows]}
            return body

        return read_json

    patch.wrap(app, "read_json", wrap)


def codes(is_row: bool) -> dict[str, str]:
    """Return the code of each optional member of a row, or of a body."""
    return {**OPTIONAL_OBJECTS, **(OPTIONAL_ROW_TEXTS if is_row else OPTIONAL_TEXTS)}


def refuse(patch: Patch, is_wrong: Callable[[Any], bool]) -> None:
    """Refuse every optional member with a wrong value, with its own code."""

    def change(members: JsonObject, is_row: bool) -> JsonObject:
        for name, code in codes(is_row).items():
            if name in members and is_wrong(members[name]):
                raise ApiError(code, f"{name} has no such value here")
        return members

    bodies(patch, change)


def drop_blanks(patch: Patch) -> None:
    def change(members: JsonObject, is_row: bool) -> JsonObject:
        optional = codes(is_row)
        return {name: value for name, value in members.items() if not (name in optional and value == "")}

    bodies(patch, change)


def take_blank_titles(patch: Patch) -> None:
    def required_text(value: object, field: str, code: str) -> str:
        if not isinstance(value, str) or not value:
            raise ApiError(code, f"{field} must be a string that is not empty")
        text = validation.optional_text(value, field, code)
        assert text is not None
        return text

    patch(validation, "required_text", required_text)


def trim(patch: Patch) -> None:
    def change(members: JsonObject, is_row: bool) -> JsonObject:
        return {
            name: value.strip(" ") if name in KEPT_TEXTS and isinstance(value, str) else value
            for name, value in members.items()
        }

    bodies(patch, change)


def convert(patch: Patch) -> None:
    """Take numbers and booleans in a text for people as the text that JSON writes."""

    def text_of(value: Any) -> Any:
        if isinstance(value, bool):
            return str(value).lower()
        return str(value) if isinstance(value, int | float) else value

    def change(members: JsonObject, is_row: bool) -> JsonObject:
        return {name: text_of(value) if name in KEPT_TEXTS else value for name, value in members.items()}

    bodies(patch, change)


def strict_members(patch: Patch) -> None:
    def change(members: JsonObject, is_row: bool) -> JsonObject:
        unknown = members.keys() - DOCUMENTED
        if unknown:
            raise ApiError("INVALID_JSON", f"unknown member {min(unknown)}")
        return members

    bodies(patch, change)


def any_case(patch: Patch) -> None:
    for check in ("check_run_kind", "check_decision"):
        patch.wrap(
            validation,
            check,
            lambda inner: lambda value: inner(value.lower() if isinstance(value, str) else value),
        )


def depth(value: Any) -> int:
    """Return how many objects and lists lie in each other."""
    if isinstance(value, dict | list):
        return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)
    return 0


def bounded_objects(patch: Patch) -> None:
    def wrap(inner: Callable[[object, str, str], JsonObject | None]) -> Any:
        def optional_object(value: object, field: str, code: str) -> JsonObject | None:
            if depth(value) > MOST_LEVELS:
                raise ApiError(code, f"{field} must have at most {MOST_LEVELS} levels")
            return inner(value, field, code)

        return optional_object

    patch.wrap(validation, "optional_object", wrap)


def counters_alone(patch: Patch) -> None:
    def wrap(inner: Callable[[object], JsonObject]) -> Any:
        def check_progress(value: object) -> JsonObject:
            progress = inner(value)
            if not all(isinstance(count, int) and not isinstance(count, bool) for count in progress.values()):
                raise ApiError("INVALID_PROGRESS", "progress holds whole numbers")
            return progress

        return check_progress

    patch.wrap(validation, "check_progress", wrap)


def plain_letters(patch: Patch) -> None:
    def wrap(inner: Callable[[object, str, str], str]) -> Any:
        def required_text(value: object, field: str, code: str) -> str:
            text = inner(value, field, code)
            if any(ord(letter) > 0xFFFF for letter in text):
                raise ApiError(code, f"{field} holds characters outside the basic plane")
            return text

        return required_text

    patch.wrap(validation, "required_text", wrap)


def media_type(patch: Patch) -> None:
    def wrap(inner: operations.Dispatch) -> operations.Dispatch:
        async def dispatch(request: Request, services: Services) -> Response:
            label = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if request.method in ("POST", "PUT") and label != "application/json":
                raise operations.Refusal(415, "UNSUPPORTED_MEDIA_TYPE", "the body must be labelled application/json")
            return await inner(request, services)

        return dispatch

    patch.wrap(app, "dispatch", wrap)


variation(
    "body.media_type",
    "A body has to be labelled application/json.",
    apply=media_type,
    makes=("bodies.content_type=required",),
)
variation(
    "body.null_refused",
    "null for an optional member is refused.",
    apply=lambda patch: refuse(patch, lambda value: value is None),
    makes=("bodies.null=refused", "reviews.reason_null=refused"),
)
variation(
    "body.blank_refused",
    "An empty text in an optional member is refused.",
    apply=lambda patch: refuse(patch, lambda value: value == ""),
    makes=("bodies.blank_optional=refused",),
)
variation(
    "body.blank_absent",
    "An empty text in an optional member counts as absent.",
    apply=drop_blanks,
    makes=("bodies.blank_optional=absent",),
)
variation(
    "body.blank_titles",
    "Titles and names of blanks alone are accepted.",
    apply=take_blank_titles,
    makes=("bodies.blank_required=accepted",),
)
variation(
    "body.trimmed",
    "Blanks around texts are taken away: that they come back is only implied.",
    apply=trim,
    deviates=("texts.form.*",),
    makes=("bodies.padded=trimmed",),
)
variation(
    "body.converted",
    "Numbers and booleans are taken for texts.",
    apply=convert,
    makes=("bodies.coercion=converted",),
)
variation(
    "body.strict_members",
    "A body with a member that no page names is refused.",
    apply=strict_members,
    makes=("bodies.unknown_members=refused",),
)
variation(
    "body.any_case",
    "Kinds of runs and decisions count in any case.",
    apply=any_case,
    makes=("bodies.words=taken",),
)
variation(
    "body.bounded_objects",
    "Free objects have at most eight levels.",
    apply=bounded_objects,
    makes=("bodies.free_objects=bounded",),
)
variation(
    "body.counters",
    "The progress of a run holds whole numbers alone.",
    apply=counters_alone,
    makes=("bodies.progress=counters",),
)
variation(
    "body.plain_letters",
    "Titles and names hold characters of the basic plane alone.",
    apply=plain_letters,
    unjudged=("texts.symbols.*",),
    makes=("bodies.letters=refused",),
)


# Forms of values


def any_day(patch: Patch) -> None:
    """Accept as a date whatever looks like one."""
    patch(
        validation,
        "is_calendar_date",
        lambda value: isinstance(value, str) and validation.DATE_PATTERN.fullmatch(value) is not None,
    )


def any_date_form(patch: Patch) -> None:
    """Accept every ISO form of a day, and show it as YYYY-MM-DD."""

    def shown(value: object) -> object:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{8}|[0-9]{4}-W[0-9]{2}-[1-7]", value):
            try:
                return date.fromisoformat(value).isoformat()
            except ValueError:
                return value
        return value

    for check in ("check_start_date", "check_end_date"):
        patch.wrap(validation, check, lambda inner: lambda value: inner(shown(value)))


def rounded_reads(patch: Patch) -> None:
    """Show six digits of a second in the answer to a creation, and three in reads."""

    def finer(body: JsonObject) -> None:
        for name in ("created_at", "updated_at"):
            body[name] = body[name].removesuffix("Z") + "417Z"

    for operation in ("createEvent", "createSession", "createRun"):
        changes.answered(patch, operation, finer)


def other_keys(pattern: str) -> Callable[[Patch], None]:
    """Require that idempotency keys fit a pattern."""

    def apply(patch: Patch) -> None:
        def wrap(inner: Callable[[object, Settings], str]) -> Any:
            def check_idempotency_key(value: object, settings: Settings) -> str:
                key = inner(value, settings)
                if re.fullmatch(pattern, key) is None:
                    raise ApiError("INVALID_IDEMPOTENCY_KEY", "idempotency_key has a form of its own here")
                return key

            return check_idempotency_key

        patch.wrap(validation, "check_idempotency_key", wrap)

    return apply


variation(
    "formats.any_day",
    "Dates that the calendar does not have are accepted.",
    apply=any_day,
    makes=("formats.impossible_dates=accepted",),
)
variation(
    "formats.any_date",
    "Other ISO forms of a day are accepted, and shown as YYYY-MM-DD.",
    apply=any_date_form,
    makes=("formats.date_forms=accepted",),
)
variation(
    "timestamps.rounded",
    "A creation shows more digits of a second than later reads.",
    settings={"timestamp_style": "z-millis"},
    apply=rounded_reads,
    makes=("formats.creation_time=rounded", "formats.timestamps=millis"),
)
variation(
    "sessions.long_titles",
    "Session titles have up to 2,000 characters.",
    apply=lambda patch: patch(validation.MAX_LENGTH, "session_title", 2000),
    makes=("sessions.text_length=longer",),
)
variation(
    "keys.short",
    "Idempotency keys have at most 64 characters.",
    settings={"idempotency_key_max": SHORT_KEY},
    unjudged=("ids.long_keys",),
    makes=("runs.key_length=short",),
)
variation(
    "keys.plain",
    "Idempotency keys have letters, digits, hyphens and underscores.",
    apply=other_keys(r"[A-Za-z0-9_-]+"),
    makes=("runs.key_characters=plain",),
)
