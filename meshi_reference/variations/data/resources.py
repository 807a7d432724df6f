"""Variations of events, sessions and imports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import storage
from ...errors import ApiError
from ...patching import operations
from ...patching.patch import Patch
from ...resources import events
from ...rules import validation
from ...rules.validation import JsonObject
from ...services import Call, Services
from ...settings import Settings
from ...storage import Row
from ..registry import variation


def cleared_context(patch: Patch) -> None:
    unset: dict[str, Any] = dict.fromkeys(validation.CONTEXT_FIELDS)

    def wrap(inner: Callable[[Services, Row, dict[str, Any]], Row]) -> Any:
        def store_context(services: Services, event: Row, given: dict[str, str]) -> Row:
            return inner(services, event, {**unset, **given})

        return store_context

    patch.wrap(events, "store_context", wrap)


def schema(before: str, after: str) -> Callable[[Patch], None]:
    """Change the database's schema."""

    def change(sql: str) -> str:
        if before not in sql:
            raise LookupError(f"the schema has no {before!r}")
        return sql.replace(before, after)

    return lambda patch: patch.wrap(storage, "SCHEMA", change)


def sessions_of_events(patch: Patch) -> None:
    schema("UNIQUE (org_id, session_id)", "UNIQUE (event_seq, session_id)")(patch)


def events_in_any_case(patch: Patch) -> None:
    schema(
        "org_id TEXT NOT NULL,\n    event_id TEXT NOT NULL,\n    title",
        "org_id TEXT NOT NULL,\n    event_id TEXT NOT NULL COLLATE NOCASE,\n    title",
    )(patch)


def code_of_ids(patch: Patch, is_malformed_row: Callable[[Any], bool], code: str) -> None:
    """Call a row malformed for its ID, with a code of the row."""

    def wrap(inner: Callable[[JsonObject, Settings], str]) -> Any:
        def check_attendee_id(row: JsonObject, settings: Settings) -> str:
            if is_malformed_row(row.get("attendee_id")):
                raise ApiError(code, "attendee_id is required")
            return inner(row, settings)

        return check_attendee_id

    patch.wrap(validation, "check_attendee_id", wrap)


def one_event_an_attendee(patch: Patch) -> None:
    """Refuse an attendee ID that is mapped in another event of the org."""

    def make(inner: operations.Handler) -> operations.Handler:
        async def import_attendees(call: Call) -> Any:
            rows = call.body.get("attendees")
            for row in rows if isinstance(rows, list) else []:
                attendee_id = row.get("attendee_id") if isinstance(row, dict) else None
                if isinstance(attendee_id, str) and call.services.storage.one(
                    "SELECT 1 FROM attendees JOIN events ON events.seq = attendees.event_seq"
                    " WHERE attendees.org_id = ? AND attendee_id = ? AND event_id <> ?",
                    (call.org, attendee_id, call.params["event_id"]),
                ):
                    raise events.conflict("attendee", attendee_id)
            return await inner(call)

        return import_attendees

    operations.handle(patch, "importAttendees", make)


variation(
    "context.replaced",
    "An update of the context unsets the fields that it omits: that they are kept is only implied.",
    apply=cleared_context,
    deviates=("context.kept",),
    makes=("events.context_update=cleared",),
)
variation(
    "sessions.of_events",
    "Session IDs are unique in their event: that they are unique in the org is only implied.",
    apply=sessions_of_events,
    deviates=("sessions.conflict.org_wide",),
    makes=("sessions.used_id=per_event",),
)
variation(
    "ids.any_case",
    "Event IDs that differ in case name one event: that they name two is only implied.",
    apply=events_in_any_case,
    deviates=("events.id.case",),
    makes=("ids.case=folded",),
)
variation(
    "import.empty_id",
    "A row with an empty or wrongly typed ID is malformed as a row.",
    apply=lambda patch: code_of_ids(
        patch, lambda value: value is not None and (value == "" or not isinstance(value, str)), "INVALID_ATTENDEE"
    ),
    makes=("attendees.empty_id=attendee",),
)
variation(
    "attendees.one_event",
    "An attendee ID belongs to the first event that it was imported into.",
    apply=one_event_an_attendee,
    makes=("attendees.two_events=refused",),
)
variation(
    "import.few_bytes",
    "Bodies have at most one MiB: 50,000 rows are too many bytes.",
    settings={"body_limit": 1024 * 1024},
    makes=("attendees.body_limit=bytes",),
)
