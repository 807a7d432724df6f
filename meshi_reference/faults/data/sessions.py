"""Sessions: what is lost or mangled between writing and reading, and in which event they appear."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

from ...errors import ApiError
from ...patching import changes, operations
from ...patching.operations import Handler
from ...patching.patch import Patch
from ...resources import events, sessions
from ...rules import validation
from ...services import Call, Services
from ...settings import Settings
from ...storage import Row
from ...wire.http import JsonObject, Response
from ..registry import fault
from .events import mojibake, on_text, without_accents

Values = Callable[[Any], Any]
MODEL = "generated.model.sessions"


def stored(patch: Patch, field: str, value: Values) -> None:
    """Store something else of a new session than was sent."""

    def make(inner: Callable[[JsonObject, Settings], JsonObject]) -> Any:
        def check(body: JsonObject, settings: Settings) -> JsonObject:
            fields = inner(body, settings)
            return {**fields, field: value(fields[field])}

        return check

    patch.wrap(validation, "check_session", make)


def local(text: str) -> str:
    return text.replace("Z", "+02:00")


def an_hour_on(text: str) -> str:
    hour = (int(text[11:13]) + 1) % 24
    return f"{text[:11]}{hour:02d}{text[13:]}"


for _field, _suffix, _sentence, _value in (
    ("title", "lower", "stores titles in lower case", on_text(str.lower)),
    ("description", "lost", "does not store the description", lambda value: None),
    ("start_timestamp", "local", "takes UTC for local time", on_text(local)),
    ("start_timestamp", "hour", "moves the start by an hour of summer time", on_text(an_hour_on)),
    ("start_timestamp", "day", "keeps the day of the start alone", on_text(lambda text: text[:10] + "T00:00:00Z")),
    ("end_timestamp", "local", "takes UTC for local time", on_text(local)),
    ("end_timestamp", "lost", "does not store the end", lambda value: None),
):
    fault(
        f"sessions.read_back.{_field}.{_suffix}",
        f"createSession {_sentence}.",
        breaks=[f"sessions.read_back.{_field}"],
        also=["sessions.id.case", "sessions.text", "lists.sessions.*", MODEL],
    )(partial(stored, field=_field, value=_value))

ANSWERED: tuple[tuple[str, str, str, Values], ...] = (
    ("session_id", "of_event", "shows session IDs with a namespace in front", lambda value: f"session:{value}"),
    ("event_id", "internal", "shows a number of its own in place of the event's ID", lambda value: "1"),
    ("title", "none", "shows titles cut to eight characters", on_text(lambda text: text[:8])),
    ("end_timestamp", "hour", "shows the end an hour later", on_text(an_hour_on)),
)
for _operation in ("getSession", "createSession"):
    for _field, _suffix, _sentence, _value in ANSWERED:
        fault(
            f"sessions.read_back.{_field}.{_operation}.{_suffix}",
            f"{_operation} {_sentence}.",
            breaks=[f"sessions.read_back.{_field}"],
            also=["sessions.list_row", "sessions.id.case", "sessions.text", MODEL],
        )(partial(changes.answered_member, operation=_operation, name=_field, value=_value))

for _suffix, _sentence, _text in (
    ("question_marks", "stores text outside ASCII as question marks", without_accents),
    ("mojibake", "reads UTF-8 as Latin-1", mojibake),
):

    def _mangle(patch: Patch, text: Callable[[str], str] = _text) -> None:
        stored(patch, "title", on_text(text))
        stored(patch, "description", on_text(text))

    fault(f"sessions.text.{_suffix}", f"createSession {_sentence}.", breaks=["sessions.text"], also=[MODEL])(_mangle)

for _field, _sentence, _value in (
    ("description", "shows no description", lambda value: None),
    ("end_timestamp", "shows no end", lambda value: None),
    ("event_id", "shows no event", lambda value: ""),
):

    def _in_list(patch: Patch, name: str = _field, value: Values = _value) -> None:
        changes.items(patch, "listSessions", lambda rows: [{**row, name: value(row[name])} for row in rows])

    fault(
        f"sessions.list_row.{_field}",
        f"The session list {_sentence}.",
        breaks=["sessions.list_row"],
        also=["lists.sessions.*", MODEL],
    )(_in_list)


@fault(
    "sessions.other_event.found",
    "A session is found below every event of the org.",
    breaks=["sessions.other_event"],
    also=[MODEL, "error.listEventMatches.SESSION_NOT_FOUND"],
)
def _(patch: Patch) -> None:
    def find_session(services: Services, event: Row, session_id: str) -> Row | None:
        return services.storage.one(
            "SELECT * FROM sessions WHERE org_id = ? AND session_id = ?", (event["org_id"], session_id)
        )

    patch(sessions, "find_session", find_session)


@fault(
    "sessions.other_event.code",
    "A session of another event of the org is refused with 404 EVENT_NOT_FOUND.",
    breaks=["sessions.other_event"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[Services, Row, str], Row]) -> Any:
        def require_session(services: Services, event: Row, session_id: str) -> Row:
            known = "SELECT 1 FROM sessions WHERE org_id = ? AND session_id = ? AND event_seq <> ?"
            if services.storage.one(known, (event["org_id"], session_id, event["seq"])):
                raise ApiError("EVENT_NOT_FOUND", "the session belongs to another event")
            return inner(services, event, session_id)

        return require_session

    patch.wrap(sessions, "require_session", make)


# An ID is created once


def overwrite(services: Services, event: Row, fields: JsonObject) -> None:
    """Write a creation although its ID is taken."""
    services.storage.execute(
        "UPDATE sessions SET title = ?, description = ? WHERE org_id = ? AND session_id = ?",
        (fields["title"], fields["description"], event["org_id"], fields["session_id"]),
    )


def on_conflict(otherwise: Callable[[Services, Row, JsonObject], bool]) -> Callable[[Patch], None]:
    """Change what happens to a taken ID; `otherwise` says whether the creation is refused after all."""

    def make(inner: Callable[[Services, Row, JsonObject], None]) -> Any:
        def store_session(services: Services, event: Row, fields: JsonObject) -> None:
            try:
                inner(services, event, fields)
            except ApiError:
                if otherwise(services, event, fields):
                    raise

        return store_session

    return lambda patch: patch.wrap(sessions, "store_session", make)


def overwrite_and_refuse(services: Services, event: Row, fields: JsonObject) -> bool:
    overwrite(services, event, fields)
    return True


def move_here(services: Services, event: Row, fields: JsonObject) -> bool:
    """Move a session of another event into this one."""
    return not services.storage.execute(
        "UPDATE sessions SET event_seq = ? WHERE org_id = ? AND session_id = ? AND event_seq <> ?",
        (event["seq"], event["org_id"], fields["session_id"], event["seq"]),
    ).rowcount


fault(
    "sessions.conflict.overwritten",
    "createSession updates the session of a taken ID, and then answers 409.",
    breaks=["sessions.conflict.unchanged"],
    also=[MODEL],
)(on_conflict(overwrite_and_refuse))


def move_and_refuse(services: Services, event: Row, fields: JsonObject) -> bool:
    move_here(services, event, fields)
    return True


fault(
    "sessions.conflict.moved_and_refused",
    "createSession with the ID of another event's session moves that session, and then answers 409.",
    breaks=["sessions.conflict.unchanged"],
    also=[MODEL, "sessions.*", "lists.sessions.*"],
)(on_conflict(move_and_refuse))
fault(
    "sessions.conflict.moved",
    "createSession with the ID of another event's session moves that session.",
    breaks=["sessions.conflict.org_wide"],
    also=[MODEL, "sessions.*", "lists.sessions.*"],
)(on_conflict(move_here))


def create_after_looking(taken: Callable[[Call, Row, JsonObject], None]) -> Callable[[Patch], None]:
    """Look up and insert with other requests in between; `taken` decides what a lost race ends in."""

    def make(inner: Handler) -> Handler:
        async def create_session(call: Call) -> Response:
            settings = call.services.settings
            event = events.require_event(call)
            fields = validation.check_session(call.body, settings)
            known = "SELECT 1 FROM sessions WHERE org_id = ? AND session_id = ?"
            if call.services.storage.one(known, (call.org, fields["session_id"])):
                raise events.conflict("session", fields["session_id"])
            await asyncio.sleep(0.1)
            try:
                return await inner(call)
            except ApiError:
                taken(call, event, fields)
            row = sessions.require_session(call.services, event, fields["session_id"])
            return Response(201, sessions.serialize_session(row, event["event_id"], settings))

        return create_session

    return lambda patch: operations.handle(patch, "createSession", make)


def crash(call: Call, event: Row, fields: JsonObject) -> None:
    raise sqlite3.IntegrityError("UNIQUE constraint failed: sessions.session_id")


fault(
    "sessions.create.race",
    "createSession looks an ID up and inserts it later: simultaneous creations are all accepted.",
    breaks=["sessions.create.once"],
    also=[MODEL],
)(create_after_looking(lambda call, event, fields: overwrite(call.services, event, fields)))
fault(
    "sessions.create.constraint",
    "createSession looks an ID up and breaks on the database's constraint where another was faster.",
    breaks=["sessions.create.once"],
    also=[MODEL, "status.createSession.*", "codes.createSession", "server_errors.createSession"],
)(create_after_looking(crash))


@fault(
    "sessions.id.no_case", "Session IDs are compared without regard to case.", breaks=["sessions.id.case"], also=[MODEL]
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[Services, Row, JsonObject], None]) -> Any:
        def store_session(services: Services, event: Row, fields: JsonObject) -> None:
            same = "SELECT 1 FROM sessions WHERE org_id = ? AND session_id = ? COLLATE NOCASE"
            if services.storage.one(same, (event["org_id"], fields["session_id"])):
                raise events.conflict("session", fields["session_id"])
            inner(services, event, fields)

        return store_session

    patch.wrap(sessions, "store_session", make)
