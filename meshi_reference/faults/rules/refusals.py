"""Every error row of the endpoint reference, refused wrongly or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from ...errors import STATUS, ApiError
from ...patching import operations
from ...patching.operations import Handler, Refusal
from ...patching.patch import Patch
from ...resources import events
from ...rules import validation
from ...services import Call
from ...settings import Settings
from ...wire import http
from ...wire.http import Response
from ..registry import fault

RUN_BODY = ("INVALID_JSON", "INVALID_IDEMPOTENCY_KEY", "INVALID_WEBHOOK_URL")
EVENT = ("INVALID_PARTNER_ID", "EVENT_NOT_FOUND")
EVENT_RUN = (*EVENT, *RUN_BODY, "IDEMPOTENCY_KEY_CONFLICT")

ROWS: dict[str, tuple[str, ...]] = {
    "getIdMapping": ("INVALID_PARTNER_KIND", "INVALID_PARTNER_ID", "PARTNER_ID_NOT_FOUND"),
    "createEvent": (
        "INVALID_JSON",
        "INVALID_PARTNER_ID",
        "INVALID_TITLE",
        "INVALID_DESCRIPTION",
        "INVALID_START_DATE",
        "INVALID_END_DATE",
        "INVALID_TIMEZONE",
        "INVALID_VISIBILITY",
        "INVALID_URL_SLUG",
        "PARTNER_ID_CONFLICT",
    ),
    "getEvent": EVENT,
    "getEventContext": EVENT,
    "updateEventContext": (*EVENT, "INVALID_JSON", "INVALID_CONTEXT"),
    "listSessions": EVENT,
    "createSession": (
        *EVENT,
        "INVALID_TITLE",
        "INVALID_DESCRIPTION",
        "INVALID_START_TIMESTAMP",
        "INVALID_END_TIMESTAMP",
        "PARTNER_ID_CONFLICT",
    ),
    "getSession": (*EVENT, "SESSION_NOT_FOUND"),
    "listAttendees": EVENT,
    "importAttendees": (
        *EVENT_RUN,
        "INVALID_ATTENDEES",
        "INVALID_ATTENDEE",
        "DUPLICATE_ATTENDEE_ID",
        "INVALID_ATTENDEE_NAME",
        "INVALID_ATTENDEE_EMAIL",
        "INVALID_ATTENDEE_LINKEDIN_URL",
        "INVALID_ATTENDEE_TITLE",
        "INVALID_ATTENDEE_COMPANY",
        "INVALID_ATTENDEE_RAW_DATA",
        "PAYLOAD_TOO_LARGE",
    ),
    "listAttendeeIdentity": (*EVENT, "ATTENDEE_NOT_FOUND"),
    "createEnrichmentRun": EVENT_RUN,
    "createMatchRun": EVENT_RUN,
    "listAttendeeMatches": (*EVENT, "ATTENDEE_NOT_FOUND", "MATCH_RUN_NOT_FOUND"),
    "listEventMatches": (*EVENT, "SESSION_NOT_FOUND", "MATCH_RUN_NOT_FOUND"),
    "getMatch": (*EVENT, "ATTENDEE_NOT_FOUND", "MATCH_RUN_NOT_FOUND", "MATCH_NOT_FOUND"),
    "listRuns": ("INVALID_RUN_KIND",),
    "createRun": (
        *RUN_BODY,
        "INVALID_RUN_KIND",
        "INVALID_PROGRESS",
        "INVALID_SNAPSHOT_METADATA",
        "INVALID_VERSION_METADATA",
    ),
    "getRun": ("INVALID_RUN_ID", "RUN_NOT_FOUND"),
    "listEventReviews": EVENT,
    "resolveReview": ("INVALID_REVIEW_ID", "INVALID_JSON", "INVALID_REVIEW_DECISION", "REVIEW_NOT_FOUND"),
    "mergeReview": (
        "INVALID_REVIEW_ID",
        "INVALID_JSON",
        "INVALID_PARTNER_KIND",
        "INVALID_PARTNER_ID",
        "REVIEW_SOURCE_MISMATCH",
        "MERGE_REJECTED",
        "REVIEW_NOT_FOUND",
        "PARTNER_ID_NOT_FOUND",
    ),
}
"""The codes that each operation lists."""

SIBLINGS: dict[str, str] = {
    "INVALID_JSON": "INVALID_REQUEST",
    "INVALID_PARTNER_ID": "INVALID_EVENT_ID",
    "INVALID_PARTNER_KIND": "INVALID_PARTNER_ID",
    "INVALID_TITLE": "INVALID_DESCRIPTION",
    "INVALID_DESCRIPTION": "INVALID_TITLE",
    "INVALID_START_DATE": "INVALID_END_DATE",
    "INVALID_END_DATE": "INVALID_START_DATE",
    "INVALID_TIMEZONE": "INVALID_VISIBILITY",
    "INVALID_VISIBILITY": "INVALID_TIMEZONE",
    "INVALID_URL_SLUG": "INVALID_TITLE",
    "INVALID_CONTEXT": "INVALID_JSON",
    "INVALID_START_TIMESTAMP": "INVALID_END_TIMESTAMP",
    "INVALID_END_TIMESTAMP": "INVALID_START_TIMESTAMP",
    "INVALID_IDEMPOTENCY_KEY": "INVALID_JSON",
    "INVALID_WEBHOOK_URL": "INVALID_JSON",
    "INVALID_ATTENDEES": "INVALID_ATTENDEE",
    "INVALID_ATTENDEE": "INVALID_ATTENDEE_NAME",
    "INVALID_ATTENDEE_NAME": "INVALID_ATTENDEE",
    "INVALID_ATTENDEE_EMAIL": "INVALID_ATTENDEE",
    "INVALID_ATTENDEE_LINKEDIN_URL": "INVALID_ATTENDEE_EMAIL",
    "INVALID_ATTENDEE_TITLE": "INVALID_ATTENDEE_COMPANY",
    "INVALID_ATTENDEE_COMPANY": "INVALID_ATTENDEE_TITLE",
    "INVALID_ATTENDEE_RAW_DATA": "INVALID_ATTENDEE",
    "DUPLICATE_ATTENDEE_ID": "INVALID_ATTENDEES",
    "INVALID_RUN_KIND": "INVALID_PARTNER_KIND",
    "INVALID_RUN_ID": "INVALID_PARTNER_ID",
    "INVALID_REVIEW_ID": "INVALID_PARTNER_ID",
    "INVALID_REVIEW_DECISION": "INVALID_DECISION",
    "INVALID_PROGRESS": "INVALID_SNAPSHOT_METADATA",
    "INVALID_SNAPSHOT_METADATA": "INVALID_VERSION_METADATA",
    "INVALID_VERSION_METADATA": "INVALID_PROGRESS",
    "PARTNER_ID_CONFLICT": "IDEMPOTENCY_KEY_CONFLICT",
    "IDEMPOTENCY_KEY_CONFLICT": "PARTNER_ID_CONFLICT",
    "PAYLOAD_TOO_LARGE": "INVALID_ATTENDEES",
    "PARTNER_ID_NOT_FOUND": "ATTENDEE_NOT_FOUND",
    "EVENT_NOT_FOUND": "PARTNER_ID_NOT_FOUND",
    "SESSION_NOT_FOUND": "EVENT_NOT_FOUND",
    "ATTENDEE_NOT_FOUND": "EVENT_NOT_FOUND",
    "RUN_NOT_FOUND": "MATCH_RUN_NOT_FOUND",
    "MATCH_RUN_NOT_FOUND": "RUN_NOT_FOUND",
    "MATCH_NOT_FOUND": "MATCH_RUN_NOT_FOUND",
    "REVIEW_NOT_FOUND": "PARTNER_ID_NOT_FOUND",
    "REVIEW_SOURCE_MISMATCH": "MERGE_REJECTED",
    "MERGE_REJECTED": "REVIEW_SOURCE_MISMATCH",
}
"""The code that a hurried hand writes in place of another."""

OTHER_STATUS = {400: 422, 404: 400, 409: 400, 413: 400}
"""The status that other APIs use for the same refusal."""

FIELD_OF: dict[str, tuple[str, ...]] = {
    "INVALID_PARTNER_KIND": ("*kind",),
    "INVALID_PARTNER_ID": ("*_id",),
    "INVALID_TITLE": ("title",),
    "INVALID_DESCRIPTION": ("description",),
    "INVALID_START_DATE": ("start_date",),
    "INVALID_END_DATE": ("end_date",),
    "INVALID_TIMEZONE": ("timezone",),
    "INVALID_VISIBILITY": ("visibility",),
    "INVALID_URL_SLUG": ("url_slug",),
    "INVALID_CONTEXT": ("*",),
    "INVALID_START_TIMESTAMP": ("start_timestamp",),
    "INVALID_END_TIMESTAMP": ("end_timestamp",),
    "INVALID_IDEMPOTENCY_KEY": ("idempotency_key",),
    "INVALID_WEBHOOK_URL": ("webhook_url",),
    "INVALID_ATTENDEES": ("attendees",),
    "INVALID_ATTENDEE_NAME": ("row.name",),
    "INVALID_ATTENDEE_EMAIL": ("row.email",),
    "INVALID_ATTENDEE_LINKEDIN_URL": ("row.linkedin_url",),
    "INVALID_ATTENDEE_TITLE": ("row.title",),
    "INVALID_ATTENDEE_COMPANY": ("row.company",),
    "INVALID_RUN_KIND": ("kind",),
    "INVALID_REVIEW_DECISION": ("decision",),
}
"""The bounded fields that a code refuses: their requirements break along with the code's own."""


def consequences(operation: str, code: str) -> list[str]:
    """Return what else depends on one refusal: the bounds of its field, and the wall that answers not-found."""
    found = [f"codes.{operation}"]
    found += [f"limits.{operation}.{field}" for field in FIELD_OF.get(code, ()) if (operation, field) not in NO_BOUND]
    if code == "INVALID_PARTNER_ID":
        found += ["limits.attendee_id.missing", "limits.ids.*"]
    if code.endswith("_NOT_FOUND"):
        found.append(f"isolation.{operation}")
    if code == "PARTNER_ID_NOT_FOUND" and operation == "getIdMapping":
        found += ["id_map.*", "limits.getIdMapping.kind"]
    return found


NO_BOUND = {("createSession", "description"), ("listRuns", "kind")}
"""Fields whose type alone is checked."""


def register(operation: str, code: str, suffix: str, sentence: str, apply: Callable[[Patch], None]) -> None:
    """Register one fault of one error row."""
    fault(
        f"error.{operation}.{code}.{suffix}",
        sentence,
        breaks=[f"error.{operation}.{code}"],
        also=consequences(operation, code),
        sees=["large"] if code == "PAYLOAD_TOO_LARGE" else [],
    )(apply)


def otherwise(operation: str, code: str, status: int, said: str, patch: Patch) -> None:
    operations.refusal(patch, operation, lambda error: Refusal(status, said, error.message), code)


for _operation, _codes in ROWS.items():
    for _place, _code in enumerate(_codes):
        _status = STATUS[_code]
        # The two kinds go around over the rows; some rows have both. What MERGE_REJECTED covers is open, so that
        # another code in its place is not a violation that could be seen.
        _rejected = _code == "MERGE_REJECTED"
        if not _rejected and (_place % 2 or list(SIBLINGS).index(_code) % 3 == 0):
            _said = SIBLINGS[_code]
            register(
                _operation,
                _code,
                "sibling",
                f"{_operation} says {_said} where {_code} is listed.",
                partial(otherwise, _operation, _code, _status, _said),
            )
        if _place % 2 == 0 or _rejected:
            _other = OTHER_STATUS[_status]
            register(
                _operation,
                _code,
                f"is_{_other}",
                f"{_operation} answers {_code} with {_other} where {_status} is listed.",
                partial(otherwise, _operation, _code, _other, _code),
            )


# Mistakes that are easily overlooked


def retry(operation: str, code: str, repair: Callable[[Call], Any], patch: Patch) -> None:
    """Repair in silence, and accept, what would be refused with the code; `repair` may answer by itself."""

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            try:
                return await inner(call)
            except ApiError as error:
                if error.code != code:
                    raise
            answered = repair(call)
            if answered is not None:
                response: Response = await answered
                return response
            return await inner(call)

        return handler

    operations.handle(patch, operation, make)


def put(name: str, value: Any) -> Callable[[Call], None]:
    def repair(call: Call) -> None:
        call.body[name] = value

    return repair


def drop(name: str) -> Callable[[Call], None]:
    def repair(call: Call) -> None:
        del call.body[name]

    return repair


def new_key(call: Call) -> None:
    call.body["idempotency_key"] = secrets.token_hex(8)


def forget_kind(call: Call) -> None:
    del call.request.query["kind"]


def keep_good_rows(call: Call) -> None:
    """Leave out the rows that cannot be read."""
    good = []
    for row in call.body["attendees"]:
        with suppress(ApiError):
            validation.check_attendee(row, call.services.settings)
            good.append(row)
    call.body["attendees"] = good


def keep_last_rows(call: Call) -> None:
    call.body["attendees"] = list({row["attendee_id"]: row for row in call.body["attendees"]}.values())


def keep_good_context(call: Call) -> Any:
    call.body.update({name: None for name in validation.CONTEXT_FIELDS if not isinstance(call.body.get(name), str)})
    return None if any(call.body.values()) else events.get_context(call)


async def empty_page(call: Call) -> Response:
    given = {name: value for name, value in call.params.items() if name in ("event_id", "attendee_id")}
    if "matches" in call.request.raw_path:
        given["run_id"] = call.request.query.get("run_id", "run_none")
    return Response(200, {**given, "items": [], "next_cursor": None})


async def unmapped(call: Call) -> Response:
    return Response(200, {**call.params, "mapped": False})


async def existing_event(call: Call) -> Response:
    call.params["event_id"] = call.body["event_id"]
    return Response(201, (await events.get_event(call)).body)


async def resolved_already(call: Call) -> Response:
    body = {"kind": "attendee", "partner_id": "somebody", "decision": call.body["decision"]}
    return Response(200, {"review_id": call.params["review_id"], **body, "logged": True, "minted": False})


def made_on_demand(call: Call) -> None:
    """Create the event that a request names."""
    fields = validation.check_event({"event_id": call.params["event_id"], "title": "Untitled"}, call.services.settings)
    events.store_event(call.services, call.org, fields)


REPAIRS: tuple[tuple[str, str, str, Callable[[Call], Any]], ...] = (
    ("getIdMapping", "PARTNER_ID_NOT_FOUND", "answers that an unknown ID is not mapped, as a success", unmapped),
    ("createEvent", "INVALID_TITLE", "makes up a missing title", put("title", "Untitled")),
    ("createEvent", "INVALID_DESCRIPTION", "drops a description that is too long", drop("description")),
    ("createEvent", "INVALID_START_DATE", "drops a start that is not a date", drop("start_date")),
    ("createEvent", "INVALID_END_DATE", "drops an end that is not a date", drop("end_date")),
    ("createEvent", "INVALID_TIMEZONE", "drops a bad time zone", drop("timezone")),
    ("createEvent", "INVALID_VISIBILITY", "drops a bad visibility", drop("visibility")),
    ("createEvent", "INVALID_URL_SLUG", "drops a bad slug", drop("url_slug")),
    ("createEvent", "PARTNER_ID_CONFLICT", "answers a used ID with the event that has it", existing_event),
    ("updateEventContext", "INVALID_CONTEXT", "drops context that is too long", keep_good_context),
    ("updateEventContext", "EVENT_NOT_FOUND", "creates the event that is missing", made_on_demand),
    ("createSession", "INVALID_TITLE", "makes up a missing title", put("title", "Untitled")),
    ("createSession", "INVALID_DESCRIPTION", "drops a description that is not a text", drop("description")),
    ("createSession", "INVALID_START_TIMESTAMP", "drops a start that is not a timestamp", drop("start_timestamp")),
    ("createSession", "INVALID_END_TIMESTAMP", "drops an end that is not a timestamp", drop("end_timestamp")),
    ("createSession", "EVENT_NOT_FOUND", "creates the event that is missing", made_on_demand),
    ("importAttendees", "EVENT_NOT_FOUND", "creates the event that is missing", made_on_demand),
    ("importAttendees", "INVALID_ATTENDEE", "skips rows that are not objects", keep_good_rows),
    ("importAttendees", "DUPLICATE_ATTENDEE_ID", "keeps the last of two rows with one ID", keep_last_rows),
    ("importAttendees", "INVALID_PARTNER_ID", "skips rows with a malformed ID", keep_good_rows),
    ("importAttendees", "INVALID_ATTENDEE_NAME", "skips rows without a name", keep_good_rows),
    ("importAttendees", "INVALID_ATTENDEE_EMAIL", "skips rows with a bad e-mail", keep_good_rows),
    ("importAttendees", "INVALID_ATTENDEE_LINKEDIN_URL", "skips rows with a bad LinkedIn URL", keep_good_rows),
    ("importAttendees", "INVALID_ATTENDEE_TITLE", "skips rows with a bad title", keep_good_rows),
    ("importAttendees", "INVALID_ATTENDEE_COMPANY", "skips rows with a bad company", keep_good_rows),
    ("importAttendees", "INVALID_ATTENDEE_RAW_DATA", "skips rows with bad raw data", keep_good_rows),
    ("importAttendees", "INVALID_IDEMPOTENCY_KEY", "makes up a missing idempotency key", new_key),
    ("importAttendees", "INVALID_WEBHOOK_URL", "drops a bad webhook URL", drop("webhook_url")),
    ("createEnrichmentRun", "INVALID_IDEMPOTENCY_KEY", "makes up a missing idempotency key", new_key),
    ("createEnrichmentRun", "INVALID_WEBHOOK_URL", "drops a bad webhook URL", drop("webhook_url")),
    ("createEnrichmentRun", "EVENT_NOT_FOUND", "creates the event that is missing", made_on_demand),
    ("createMatchRun", "INVALID_IDEMPOTENCY_KEY", "makes up a missing idempotency key", new_key),
    ("createMatchRun", "INVALID_WEBHOOK_URL", "drops a bad webhook URL", drop("webhook_url")),
    ("createRun", "INVALID_IDEMPOTENCY_KEY", "makes up a missing idempotency key", new_key),
    ("createRun", "INVALID_RUN_KIND", "takes an unknown kind for an import", put("kind", "import")),
    ("createRun", "INVALID_PROGRESS", "drops progress that is not an object", drop("progress")),
    ("createRun", "INVALID_SNAPSHOT_METADATA", "drops metadata that is not an object", drop("snapshot_metadata")),
    ("createRun", "INVALID_VERSION_METADATA", "drops metadata that is not an object", drop("version_metadata")),
    ("createRun", "INVALID_WEBHOOK_URL", "drops a bad webhook URL", drop("webhook_url")),
    ("listRuns", "INVALID_RUN_KIND", "ignores an unknown kind", forget_kind),
    ("listSessions", "EVENT_NOT_FOUND", "lists nothing for an unknown event", empty_page),
    ("listAttendees", "EVENT_NOT_FOUND", "lists nothing for an unknown event", empty_page),
    ("listAttendeeIdentity", "EVENT_NOT_FOUND", "lists nothing for an unknown event", empty_page),
    ("listAttendeeIdentity", "ATTENDEE_NOT_FOUND", "lists nothing for an unknown attendee", empty_page),
    ("listEventReviews", "EVENT_NOT_FOUND", "lists nothing for an unknown event", empty_page),
    ("listAttendeeMatches", "ATTENDEE_NOT_FOUND", "lists nothing for an unknown attendee", empty_page),
    ("listAttendeeMatches", "MATCH_RUN_NOT_FOUND", "lists nothing for an unknown run", empty_page),
    ("listEventMatches", "SESSION_NOT_FOUND", "lists nothing for an unknown session", empty_page),
    ("listEventMatches", "MATCH_RUN_NOT_FOUND", "lists nothing for an unknown run", empty_page),
    (
        "resolveReview",
        "INVALID_REVIEW_DECISION",
        "takes an unknown decision for a rejection",
        put("decision", "reject"),
    ),
    ("resolveReview", "REVIEW_NOT_FOUND", "accepts a decision on a review that is not open", resolved_already),
)
"""Operation, code, what the server does in place of refusing, and how."""

for _operation, _code, _sentence, _repair in REPAIRS:
    register(_operation, _code, "lenient", f"{_operation} {_sentence}.", partial(retry, _operation, _code, _repair))


def ignore_bad_json(operation: str, patch: Patch) -> None:
    def make(inner: Callable[[bytes, Settings], Any]) -> Any:
        def parse_object(body: bytes, settings: Settings) -> Any:
            try:
                return inner(body, settings)
            except ApiError:
                return {}

        return parse_object

    operations.while_answering(patch, operation, http, "parse_object", make)


for _operation, _codes in ROWS.items():
    if "INVALID_JSON" in _codes:
        register(
            _operation,
            "INVALID_JSON",
            "lenient",
            f"{_operation} treats a body that is not JSON as an empty object.",
            partial(ignore_bad_json, _operation),
        )


@fault(
    "error.importAttendees.DUPLICATE_ATTENDEE_ID.neighbours",
    "importAttendees notices a repeated ID only in neighbouring rows.",
    breaks=["error.importAttendees.DUPLICATE_ATTENDEE_ID"],
)
def _(patch: Patch) -> None:
    def wrap(inner: Callable[[str, set[str]], None]) -> Any:
        def check_unique_attendee(attendee_id: str, seen: set[str]) -> None:
            inner(attendee_id, seen)
            seen.intersection_update({attendee_id})

        return check_unique_attendee

    patch.wrap(validation, "check_unique_attendee", wrap)


@fault(
    "error.createSession.PARTNER_ID_CONFLICT.lenient",
    "createSession with a used ID replaces the session.",
    breaks=["error.createSession.PARTNER_ID_CONFLICT"],
)
def _(patch: Patch) -> None:
    def replace(call: Call) -> None:
        call.services.storage.execute(
            "DELETE FROM sessions WHERE org_id = ? AND session_id = ?", (call.org, call.body["session_id"])
        )

    retry("createSession", "PARTNER_ID_CONFLICT", replace, patch)


def unless_empty(patch: Patch, function: str) -> None:
    """Treat falsy values as if they had not been sent."""
    patch.wrap(validation, function, lambda inner: lambda value, *rest: inner(value or None, *rest))


register(
    "importAttendees",
    "INVALID_ATTENDEE_RAW_DATA",
    "unless_empty",
    "importAttendees treats 0 and false as `raw_data` as if it were absent.",
    partial(unless_empty, function="check_attendee_raw_data"),
)
