"""Events and their context: what is lost, mangled or overwritten between writing and reading."""

from __future__ import annotations

import asyncio
import html
import sqlite3
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

from ... import clock, ids
from ...errors import ApiError
from ...patching import changes, operations
from ...patching.operations import Handler
from ...patching.patch import Patch
from ...resources import events
from ...rules import validation
from ...services import Call, Services
from ...settings import Settings
from ...storage import Row
from ...wire.http import JsonObject, Response
from ..registry import fault

Values = Callable[[Any], Any]


def on_text(change: Callable[[str], str]) -> Values:
    """Change texts, and leave null alone."""
    return lambda value: change(value) if isinstance(value, str) else value


def day_before(text: str) -> str:
    return (date.fromisoformat(text) - timedelta(days=1)).isoformat()


def without_accents(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def mojibake(text: str) -> str:
    return text.encode().decode("latin-1")


def stored(patch: Patch, field: str, value: Values) -> None:
    """Store something else of a new event than was sent."""

    def make(inner: Callable[[JsonObject, Settings], JsonObject]) -> Any:
        def check(body: JsonObject, settings: Settings) -> JsonObject:
            fields = inner(body, settings)
            return {**fields, field: value(fields[field])}

        return check

    patch.wrap(validation, "check_event", make)


# What was written is what is read

STORED: tuple[tuple[str, str, str, Values], ...] = (
    ("title", "first_word", "keeps the first word of a title", on_text(lambda text: text.split(" ")[0])),
    ("title", "lower", "stores titles in lower case", on_text(str.lower)),
    ("description", "lost", "does not store the description", lambda value: None),
    ("description", "sentence", "keeps the first sentence of a description", on_text(lambda text: text.split(";")[0])),
    ("start_date", "day_before", "stores the day before, as seen from another time zone", on_text(day_before)),
    ("end_date", "day_before", "stores the day before, as seen from another time zone", on_text(day_before)),
    ("end_date", "lost", "does not store the end date", lambda value: None),
    ("timezone", "utc", "takes every time zone for UTC", on_text(lambda text: "UTC")),
    ("timezone", "case", "stores time zones in lower case", on_text(str.lower)),
    ("visibility", "default", "makes every event public", on_text(lambda text: "public")),
    ("url_slug", "made_up", "makes slugs of its own", on_text(lambda text: text + "-1")),
    ("url_slug", "lost", "does not store the slug", lambda value: None),
    ("url_slug", "cut", "stores 64 characters of a slug", on_text(lambda text: text[:64])),
    ("description", "cut", "stores 1000 characters of a description", on_text(lambda text: text[:1000])),
    ("title", "cut", "stores 100 characters of a title", on_text(lambda text: text[:100])),
)

for _field, _suffix, _sentence, _value in STORED:
    fault(
        f"events.read_back.{_field}.{_suffix}",
        f"createEvent {_sentence}.",
        breaks=[f"events.read_back.{_field}"],
        also=["events.text", "generated.model.events", "limits.text.*", "events.id.case", "platform.legacy_alias.*"],
    )(partial(stored, field=_field, value=_value))

ANSWERED: tuple[tuple[str, str, str, Values], ...] = (
    ("event_id", "prefixed", "shows event IDs with a namespace in front", lambda value: f"partner:{value}"),
    ("event_id", "internal", "shows a number of its own in place of the event ID", lambda value: str(abs(hash(value)))),
    (
        "title",
        "escaped",
        "shows titles escaped for HTML",
        on_text(lambda text: html.escape(text).replace(" ", "&#32;")),
    ),
    ("start_date", "none", "does not show the start date", lambda value: None),
    ("visibility", "capital", "shows visibilities in capitals", on_text(str.upper)),
)

for _operation in ("getEvent", "createEvent"):
    for _field, _suffix, _sentence, _value in ANSWERED:
        fault(
            f"events.read_back.{_field}.{_operation}.{_suffix}",
            f"{_operation} {_sentence}.",
            breaks=[f"events.read_back.{_field}"],
            also=["events.*", "generated.model.events", "limits.text.*", "platform.legacy_alias.*"],
        )(partial(changes.answered_member, operation=_operation, name=_field, value=_value))

for _suffix, _sentence, _text in (
    ("question_marks", "stores text outside ASCII as question marks", without_accents),
    ("mojibake", "reads UTF-8 as Latin-1", mojibake),
):

    def _mangle(patch: Patch, text: Callable[[str], str] = _text) -> None:
        stored(patch, "title", on_text(text))
        stored(patch, "description", on_text(text))

    fault(
        f"events.text.{_suffix}",
        f"createEvent {_sentence}.",
        breaks=["events.text"],
        also=["limits.text.kept_whole", "generated.model.events"],
    )(_mangle)


@fault(
    "events.text.emoji.stripped",
    "createEvent leaves characters outside the basic plane out of titles.",
    breaks=["events.text.emoji"],
    also=["generated.model.events"],
)
def _(patch: Patch) -> None:
    stored(patch, "title", on_text(lambda text: "".join(letter for letter in text if ord(letter) < 0x10000)))


@fault(
    "events.optional.empty", "Details that an event was not given are shown as empty texts.", breaks=["events.optional"]
)
def _(patch: Patch) -> None:
    def change(body: JsonObject, row: Row) -> None:
        for field in ("description", "timezone", "visibility", "url_slug"):
            body[field] = body[field] or ""

    changes.shown(patch, events, "serialize_event", change)


@fault("events.optional.defaults", "An event without visibility is shown as private.", breaks=["events.optional"])
def _(patch: Patch) -> None:
    changes.shown(patch, events, "serialize_event", changes.member("visibility", lambda value: value or "private"))


def in_list(name: str, value: Values) -> Callable[[Patch], None]:
    """Show a member otherwise in every row of the event list."""

    def change(rows: list[Any]) -> list[Any]:
        return [{**row, name: value(row[name])} for row in rows]

    return lambda patch: changes.items(patch, "listEvents", change)


for _part, _field, _sentence, _value in (
    ("context", "objectives", "shows no objectives", lambda value: None),
    ("details", "description", "shows the start of long descriptions alone", on_text(lambda text: text[:20] + "…")),
    ("details", "timezone", "shows no time zone", lambda value: None),
):
    fault(
        f"events.listed.{_part}.{_field}",
        f"The event list {_sentence}.",
        breaks=[f"events.listed.{_part}"],
        also=["lists.*", "generated.model.events", "events.list_row"],
    )(in_list(_field, _value))


@fault(
    "events.listed.details.left_out",
    "The event list has the details of an event that its example shows first, and no others.",
    breaks=["events.listed.details"],
    also=["events.list_row", "generated.model.events", "shape.listEvents.200"],
)
def _(patch: Patch) -> None:
    def change(rows: list[Any]) -> list[Any]:
        return [{name: row[name] for name in row if name not in ("visibility", "url_slug")} for row in rows]

    changes.items(patch, "listEvents", change)


@fault(
    "events.listed.context.stale",
    "The event list shows the context that an event had when it was listed first.",
    breaks=["events.listed.context"],
    also=["events.list_row", "generated.model.events"],
)
def _(patch: Patch) -> None:
    first: dict[str, dict[str, Any]] = {}

    def change(rows: list[Any]) -> list[Any]:
        known = [
            first.setdefault(row["event_id"], {name: row[name] for name in validation.CONTEXT_FIELDS}) for row in rows
        ]
        return [{**row, **context} for row, context in zip(rows, known, strict=True)]

    changes.items(patch, "listEvents", change)


@fault(
    "events.list_row.updated_at",
    "The event list shows when an event was created as the time of its last change.",
    breaks=["events.list_row"],
    also=["generated.model.events"],
)
def _(patch: Patch) -> None:
    changes.items(patch, "listEvents", lambda rows: [{**row, "updated_at": row["created_at"]} for row in rows])


@fault(
    "events.created_at.touched",
    "A change of the context makes the event a new one: `created_at` moves on with `updated_at`.",
    breaks=["events.created_at.stable"],
    also=["lists.events.*", "events.list_row"],
)
def _(patch: Patch) -> None:
    def change(body: JsonObject, row: Row) -> None:
        body["created_at"] = body["updated_at"]

    changes.shown(patch, events, "serialize_event", change)


@fault(
    "events.created_at.now",
    "The answer to a read shows the time of the request as `created_at`.",
    breaks=["events.created_at.stable"],
    also=["events.list_row", "events.conflict.unchanged", "events.updated_at.order"],
)
def _(patch: Patch) -> None:
    now = clock.Clock().now
    changes.answered_member(patch, "getEvent", "created_at", lambda value: clock.format_timestamp(now(), Settings()))


@fault(
    "events.updated_at.back",
    "`updated_at` is shown in local time, five hours behind, but as UTC.",
    breaks=["events.updated_at.order"],
)
def _(patch: Patch) -> None:
    def change(body: JsonObject, row: Row) -> None:
        body["updated_at"] = clock.format_timestamp(row["updated_at"] - 5 * 3_600_000_000, Settings())

    changes.shown(patch, events, "serialize_event", change)


# An ID is created once


def overwrite(services: Services, org: str, fields: JsonObject) -> None:
    """Write a creation although its ID is taken."""
    services.storage.execute(
        "UPDATE events SET title = ?, description = ? WHERE org_id = ? AND event_id = ?",
        (fields["title"], fields["description"], org, fields["event_id"]),
    )


@fault(
    "events.conflict.overwritten",
    "createEvent updates the event of a taken ID, and then answers 409.",
    breaks=["events.conflict.unchanged"],
    also=["generated.model.events"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[Services, str, JsonObject], None]) -> Any:
        def store_event(services: Services, org: str, fields: JsonObject) -> None:
            try:
                inner(services, org, fields)
            except ApiError:
                overwrite(services, org, fields)
                raise

        return store_event

    patch.wrap(events, "store_event", make)


def create_after_looking(taken: Callable[[Call, JsonObject], None]) -> Callable[[Patch], None]:
    """Look up and insert with other requests in between; `taken` decides what a lost race ends in."""

    def make(inner: Handler) -> Handler:
        async def create_event(call: Call) -> Response:
            fields = validation.check_event(call.body, call.services.settings)
            if events.find_event(call.services, call.org, fields["event_id"]) is not None:
                raise events.conflict("event", fields["event_id"])
            await asyncio.sleep(0.1)
            try:
                return await inner(call)
            except ApiError:
                taken(call, fields)
            row = events.find_event(call.services, call.org, fields["event_id"])
            assert row is not None
            return Response(201, events.serialize_event(row, call.services.settings))

        return create_event

    return lambda patch: operations.handle(patch, "createEvent", make)


def upsert(call: Call, fields: JsonObject) -> None:
    overwrite(call.services, call.org, fields)


def crash(call: Call, fields: JsonObject) -> None:
    raise sqlite3.IntegrityError("UNIQUE constraint failed: events.event_id")


fault(
    "events.create.race",
    "createEvent looks an ID up and inserts it later: simultaneous creations are all accepted.",
    breaks=["events.create.once"],
    also=["generated.model.events"],
)(create_after_looking(upsert))
fault(
    "events.create.constraint",
    "createEvent looks an ID up and breaks on the database's constraint where another was faster.",
    breaks=["events.create.once"],
    also=["generated.model.events", "status.createEvent.*", "codes.createEvent", "server_errors.createEvent"],
)(create_after_looking(crash))


@fault(
    "events.id.no_case",
    "Event IDs are compared without regard to case.",
    breaks=["events.id.case"],
    also=["generated.model.events"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[Services, str, JsonObject], None]) -> Any:
        def store_event(services: Services, org: str, fields: JsonObject) -> None:
            same = "SELECT 1 FROM events WHERE org_id = ? AND event_id = ? COLLATE NOCASE"
            if services.storage.one(same, (org, fields["event_id"])):
                raise events.conflict("event", fields["event_id"])
            inner(services, org, fields)

        return store_event

    patch.wrap(events, "store_event", make)


@fault(
    "events.id.lower_case",
    "Event IDs are looked up in lower case alone, and stored as they come.",
    breaks=["events.id.case"],
    also=["generated.model.events", "limits.*.event_id", "status.getEvent.200"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[Services, str, str], Row | None]) -> Any:
        return lambda services, org, event_id: services.storage.one(
            "SELECT * FROM events WHERE org_id = ? AND lower(event_id) = ? ORDER BY seq", (org, event_id.lower())
        )

    patch.wrap(events, "find_event", make)


# Context

MODEL = "generated.model.context"

for _place, _field in enumerate(validation.CONTEXT_FIELDS):
    _next = validation.CONTEXT_FIELDS[(_place + 1) % 3]

    def _context_loses(patch: Patch, field: str = _field) -> None:
        def change(body: JsonObject) -> None:
            body["context"] = {**body["context"], field: None}

        changes.answered(patch, "getEventContext", change)

    fault(
        f"context.read_back.{_field}.lost",
        f"getEventContext shows no `{_field}`.",
        breaks=[f"context.read_back.{_field}"],
        also=["context.*", "limits.text.kept_whole", MODEL],
    )(_context_loses)

    def _update_shows_before(patch: Patch, field: str = _field) -> None:
        def make(inner: Handler) -> Handler:
            async def update_context(call: Call) -> Response:
                before = events.find_event(call.services, call.org, call.params["event_id"])
                answer = await inner(call)
                assert answer.body is not None
                assert before is not None
                answer.body["context"] = {**answer.body["context"], field: before[field]}
                return answer

            return update_context

        operations.handle(patch, "updateEventContext", make)

    fault(
        f"context.read_back.{_field}.before",
        f"The answer to a context update shows `{_field}` as it was before.",
        breaks=[f"context.read_back.{_field}"],
        also=["context.*", MODEL],
    )(_update_shows_before)

    def _store_swaps(patch: Patch, field: str = _field, other: str = _next) -> None:
        def make(inner: Callable[[Services, Row, dict[str, str]], Row]) -> Any:
            def store_context(services: Services, event: Row, given: dict[str, str]) -> Row:
                swapped = {**given, field: given[other]} if field in given and other in given else given
                return inner(services, event, swapped)

            return store_context

        patch.wrap(events, "store_context", make)

    fault(
        f"context.read_back.{_field}.swapped",
        f"An update of both stores `{_next}` as `{_field}` too.",
        breaks=[f"context.read_back.{_field}", f"context.on_event.{_field}"],
        also=["context.*", "limits.text.kept_whole", MODEL],
    )(_store_swaps)

    def _event_loses(patch: Patch, field: str = _field) -> None:
        changes.shown(patch, events, "serialize_event", changes.member(field, lambda value: None))

    fault(
        f"context.on_event.{_field}.lost",
        f"Events are shown without `{_field}`.",
        breaks=[f"context.on_event.{_field}"],
        also=[MODEL],
    )(_event_loses)

    def _refuses_alone(patch: Patch, field: str = _field) -> None:
        def make(inner: Callable[[JsonObject], dict[str, str]]) -> Any:
            def check_context(body: JsonObject) -> dict[str, str]:
                given = inner(body)
                if list(given) == [field]:
                    raise ApiError("INVALID_CONTEXT", f"{field} is not enough")
                return given

            return check_context

        patch.wrap(validation, "check_context", make)

    fault(
        f"context.alone.{_field}.refused",
        f"updateEventContext refuses `{_field}` alone.",
        breaks=[f"context.alone.{_field}"],
        also=["limits.updateEventContext.*", MODEL],
    )(_refuses_alone)


@fault(
    "context.alone.all_required",
    "updateEventContext wants all three fields.",
    breaks=["context.alone.*"],
    also=["context.*", "limits.updateEventContext.*", MODEL],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[JsonObject], dict[str, str]]) -> Any:
        def check_context(body: JsonObject) -> dict[str, str]:
            given = inner(body)
            if len(given) < len(validation.CONTEXT_FIELDS):
                raise ApiError("INVALID_CONTEXT", "all fields are required")
            return given

        return check_context

    patch.wrap(validation, "check_context", make)


for _operation in ("getEventContext", "updateEventContext"):
    fault(
        f"context.event_id.{_operation}",
        f"{_operation} names the event by a digest of its ID.",
        breaks=["context.event_id"],
        also=[MODEL],
    )(partial(changes.answered_member, operation=_operation, name="event_id", value=ids.digest))


def context_update(make: Callable[[Callable[..., Row]], Callable[[Services, Row, dict[str, str]], Row]]) -> Any:
    """Store a context in another way."""
    return lambda patch: patch.wrap(events, "store_context", make)


fault(
    "context.replaced.first_stays",
    "A context field that is set keeps its first value.",
    breaks=["context.replaced"],
    also=["generated.model.context"],
)(
    context_update(
        lambda inner: (
            lambda services, event, given: inner(
                services, event, {field: event[field] or value for field, value in given.items()}
            )
        )
    )
)
fault(
    "context.replaced.appended",
    "A later value of a context field is added to the earlier one.",
    breaks=["context.replaced"],
    also=["generated.model.context"],
)(
    context_update(
        lambda inner: (
            lambda services, event, given: inner(
                services,
                event,
                {field: f"{event[field]}\n{value}" if event[field] else value for field, value in given.items()},
            )
        )
    )
)
fault(
    "context.kept.replaced_whole",
    "A context update clears the fields that it leaves out.",
    breaks=["context.kept"],
    also=["generated.model.context"],
)(
    context_update(
        lambda inner: (
            lambda services, event, given: inner(services, event, {**dict.fromkeys(validation.CONTEXT_FIELDS), **given})
        )
    )
)
for _alone, _cleared in (("event_details", "welcome_instructions"), ("welcome_instructions", "objectives")):

    def _clear(patch: Patch, alone: str = _alone, cleared: str = _cleared) -> None:
        context_update(
            lambda inner: (
                lambda services, event, given: inner(
                    services, event, {**given, cleared: None} if set(given) == {alone} else given
                )
            )
        )(patch)

    fault(
        f"context.kept.{_cleared}",
        f"A context update of `{_alone}` alone clears `{_cleared}`.",
        breaks=["context.kept"],
        also=["generated.model.context", "context.alone.*"],
    )(_clear)
fault(
    "context.details_kept.description",
    "A context update takes `objectives` for the event's description.",
    breaks=["context.details_kept"],
    also=["generated.model.events"],
)(
    context_update(
        lambda inner: (
            lambda services, event, given: inner(
                services, event, {**given, **({"description": given["objectives"]} if "objectives" in given else {})}
            )
        )
    )
)
fault(
    "context.details_kept.cleared",
    "A context update saves the whole event without the details that the form lacks.",
    breaks=["context.details_kept"],
    also=["generated.model.events"],
)(
    context_update(
        lambda inner: (
            lambda services, event, given: inner(
                services, event, {**given, **dict.fromkeys(("timezone", "visibility", "url_slug"))}
            )
        )
    )
)


@fault("context.unset.empty", "Context fields that were never set are shown as empty texts.", breaks=["context.unset"])
def _(patch: Patch) -> None:
    def change(body: JsonObject, row: Row) -> None:
        for field in validation.CONTEXT_FIELDS:
            body[field] = body[field] or ""

    changes.shown(patch, events, "serialize_context", change)


for _suffix, _sentence, _text in (
    ("question_marks", "stores text outside ASCII as question marks", without_accents),
    ("mojibake", "reads UTF-8 as Latin-1", mojibake),
):

    def _mangled(
        inner: Callable[..., Row], text: Callable[[str], str] = _text
    ) -> Callable[[Services, Row, dict[str, str]], Row]:
        return lambda services, event, given: inner(
            services, event, {field: text(value) for field, value in given.items()}
        )

    fault(
        f"context.text.{_suffix}",
        f"updateEventContext {_sentence}.",
        breaks=["context.text"],
        also=["limits.text.kept_whole"],
    )(context_update(_mangled))


@fault(
    "context.own_event.whole_org",
    "A context update changes all events of the org: its condition lacks the event.",
    breaks=["context.own_event"],
    also=["generated.model.*", "context.unset", "events.list_row"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[Services, Row, dict[str, str]], Row]) -> Any:
        def store_context(services: Services, event: Row, given: dict[str, str]) -> Row:
            assignments = ", ".join(f"{field} = ?" for field in given)
            services.storage.execute(
                f"UPDATE events SET {assignments} WHERE org_id = ?", (*given.values(), event["org_id"])
            )
            return inner(services, event, given)

        return store_context

    patch.wrap(events, "store_context", make)
