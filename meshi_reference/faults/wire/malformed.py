"""Servers that read what is not JSON, or break on it and on unexpected values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from ... import app
from ...patching import operations
from ...patching.operations import OPERATIONS, READS, WRITES, Dispatch, Handler, operation_of
from ...patching.patch import Patch
from ...services import Call, Services
from ...wire import http
from ...wire.http import JsonObject, Request, Response
from ..registry import fault

# Bodies that are not JSON


def first_value(content: bytes) -> bytes:
    """Return the first JSON value of a text, as a reader of streams takes it."""
    try:
        text = content.decode()
        return text[: json.JSONDecoder().raw_decode(text)[1]].encode()
    except ValueError:
        return content


REPAIRS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "empty": ("takes an empty body for an empty object", lambda content: content or b"{}"),
    "trailing_comma": ("reads over a trailing comma", lambda content: re.sub(rb",(\s*[}\]])", rb"\1", content)),
    "comments": ("reads over comments", lambda content: re.sub(rb"/\*.*?\*/", b"", content, flags=re.DOTALL)),
    "single_quotes": (
        "reads text in single quotes",
        lambda content: content.replace(b"'", b'"') if content.startswith(b"{'") else content,
    ),
    "bare_names": (
        "reads names without quotes",
        lambda content: re.sub(rb"([{,]\s*)([a-z_]+):", rb'\1"\2":', content),
    ),
    "constants": ("takes NaN for null", lambda content: re.sub(rb": (NaN|-?Infinity)", b": null", content)),
    "numbers": ("reads numbers with leading zeros", lambda content: re.sub(rb": 0(\d)", rb": \1", content)),
    "rest": ("reads the first value of a body and no further", first_value),
    "encoding": ("replaces bytes that are not UTF-8", lambda content: content.decode(errors="replace").encode()),
    "control": ("reads line breaks inside of text", lambda content: re.sub(rb"[\x00-\x1f]", b" ", content)),
    "nesting": ("cuts off what is nested too deeply", lambda content: re.sub(rb"\[{1000,}", b"null", content)),
}
"""By kind of malformed JSON: what a lenient server does, and how it repairs the text."""


def reading(change: Callable[[bytes], bytes], operation: str, patch: Patch) -> None:
    """Change the text of an operation's body before it is read."""

    def make(inner: Callable[[Request, Services], Any]) -> Any:
        async def read_json(request: Request, services: Services) -> JsonObject:
            if operation_of(request) != operation:
                found: JsonObject = await inner(request, services)
                return found
            content = await http.read_body(request, services.settings.body_limit)
            return http.parse_object(change(content), services.settings)

        return read_json

    patch.wrap(app, "read_json", make)


for _place, _operation in enumerate(WRITES):
    for _kind in dict.fromkeys(list(REPAIRS)[(_place + step) % len(REPAIRS)] for step in (0, 4, 8)):
        _sentence, _repair = REPAIRS[_kind]
        fault(
            f"limits.json.{_kind}.{_operation}",
            f"{_operation} {_sentence}.",
            breaks=[f"limits.json.{_kind}"],
            also=[f"error.{_operation}.INVALID_JSON"],
        )(partial(reading, _repair, _operation))


def breaking_where(unreadable: Callable[[bytes], bool]) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        if unreadable(content):
            raise RuntimeError("the body cannot be read")
        return content

    return change


for _operation in WRITES:
    for _suffix, _sentence, _unreadable in (
        ("empty_body", "an empty body", lambda content: content == b""),
        ("deep_body", "a body that is nested deeply", lambda content: content.count(b"[") > 1000),
        ("bytes_of_body", "a body that is not UTF-8", lambda content: b"\xff" in content),
    ):
        fault(
            f"server_errors.{_operation}.{_suffix}",
            f"{_operation} breaks on {_sentence}.",
            breaks=[f"server_errors.{_operation}"],
            also=["limits.json.*", f"error.{_operation}.INVALID_JSON"],
        )(partial(reading, breaking_where(_unreadable), _operation))


# Unexpected values


def in_handler(wrong: Callable[[Call], bool], operation: str, patch: Patch) -> None:
    """Break an operation where its request is of some kind."""

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            if wrong(call):
                raise RuntimeError("the request cannot be worked off")
            return await inner(call)

        return handler

    operations.handle(patch, operation, make)


RUN_TEXTS = ("idempotency_key", "webhook_url")
TEXTS: dict[str, tuple[str, ...]] = {
    "createEvent": (
        *("event_id", "title", "description", "start_date", "end_date"),
        *("timezone", "visibility", "url_slug"),
    ),
    "updateEventContext": ("event_details", "objectives", "welcome_instructions"),
    "createSession": ("session_id", "title", "description", "start_timestamp", "end_timestamp"),
    "importAttendees": (
        *RUN_TEXTS,
        *("row.attendee_id", "row.name", "row.email", "row.linkedin_url", "row.title", "row.company"),
    ),
    "createEnrichmentRun": RUN_TEXTS,
    "createMatchRun": RUN_TEXTS,
    "createRun": ("kind", *RUN_TEXTS),
    "resolveReview": ("decision", "reason"),
    "mergeReview": ("source_kind", "source_partner_id", "target_kind", "target_partner_id", "reason"),
}
"""The fields of each operation that take text; `row.` before those of an import's rows."""


def values(call: Call, field: str) -> list[Any]:
    """Return what a request holds in a field."""
    if not field.startswith("row."):
        return [call.body.get(field)]
    rows = call.body.get("attendees")
    return [row.get(field[4:]) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def odd_day(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("10000-", "0000-"))


def holding(field: str, wrong: Callable[[Any], bool], call: Call) -> bool:
    return any(wrong(value) for value in values(call, field))


for _operation, _fields in TEXTS.items():
    for _field in _fields:
        fault(
            f"server_errors.{_operation}.number.{_field}",
            f"{_operation} breaks on a number as `{_field}`.",
            breaks=[f"server_errors.{_operation}"],
            also=[f"error.{_operation}.*"],
        )(partial(in_handler, partial(holding, _field, is_number), _operation))
    fault(
        f"server_errors.{_operation}.truth",
        f"{_operation} breaks on a truth value as `{_fields[0]}`.",
        breaks=[f"server_errors.{_operation}"],
    )(partial(in_handler, partial(holding, _fields[0], lambda value: value is True), _operation))

for _operation, _field in (
    ("createEvent", "start_date"),
    ("createEvent", "end_date"),
    ("createSession", "start_timestamp"),
    ("createSession", "end_timestamp"),
):
    fault(
        f"server_errors.{_operation}.year.{_field}",
        f"{_operation} breaks on a year past what calendars of libraries take as `{_field}`.",
        breaks=[f"server_errors.{_operation}"],
    )(partial(in_handler, partial(holding, _field, odd_day), _operation))


def storing(letter: str, operation: str, patch: Patch) -> None:
    """Break an operation where it would have stored a character."""

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            answer = await inner(call)
            if letter in json.dumps(call.body):
                raise RuntimeError("the database refuses the text")
            return answer

        return handler

    operations.handle(patch, operation, make)


for _operation in ("createSession", "importAttendees"):
    fault(
        f"server_errors.{_operation}.null_character",
        f"{_operation} breaks where it would store a null character.",
        breaks=[f"server_errors.{_operation}"],
    )(partial(storing, "\\u0000", _operation))

for _suffix, _sentence, _count in (
    ("huge", "a number past 64 bits", lambda value: is_number(value) and abs(value) > 2**63),
    ("fraction", "a fraction", lambda value: isinstance(value, float)),
    ("text", "a number as text", lambda value: value == "5"),
):
    fault(
        f"server_errors.createMatchRun.top_n.{_suffix}",
        f"createMatchRun breaks on {_sentence} as `top_n`.",
        breaks=["server_errors.createMatchRun"],
    )(partial(in_handler, partial(holding, "top_n", _count), "createMatchRun"))


# Queries and paths

LISTS = tuple(name for name in READS if name.startswith("list"))


def querying(name: str, wrong: Callable[[str], bool], call: Call) -> bool:
    value = call.request.query.get(name)
    return value is not None and wrong(value)


def is_huge(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) > 19


for _operation in LISTS:
    for _suffix, _sentence, _name, _wrong in (
        ("limit", "a page size past 64 bits", "limit", is_huge),
        ("empty_cursor", "an empty cursor", "cursor", lambda value: value == ""),
        ("cursor", "a cursor with a null character", "cursor", lambda value: "\0" in value),
    ):
        fault(
            f"server_errors.{_operation}.{_suffix}",
            f"{_operation} breaks on {_sentence}.",
            breaks=[f"server_errors.{_operation}"],
        )(partial(in_handler, partial(querying, _name, _wrong), _operation))

for _operation, _name in (
    ("listRuns", "kind"),
    ("listEventMatches", "run_id"),
    ("listEventMatches", "session_id"),
    ("listEventMatches", "goal"),
    ("listAttendeeMatches", "run_id"),
):
    fault(
        f"server_errors.{_operation}.{_name}",
        f"{_operation} breaks on a `{_name}` with an apostrophe in it.",
        breaks=[f"server_errors.{_operation}"],
    )(partial(in_handler, partial(querying, _name, lambda value: "'" in value), _operation))


def on_path(letters: str, operation: str, patch: Patch) -> None:
    """Break an operation on some bytes in its path."""

    def make(inner: Dispatch) -> Dispatch:
        async def dispatch(request: Request, services: Services) -> Response:
            if letters in request.raw_path:
                raise RuntimeError("the path cannot be read")
            return await inner(request, services)

        return dispatch

    operations.dispatch(patch, operation, make)


for _place, _operation in enumerate(
    name for name, (_, path) in OPERATIONS.items() if ":" in path.replace("s:import", "")
):
    _letters = ("%00", "%FF")[_place % 2]
    fault(
        f"server_errors.{_operation}.path",
        f"{_operation} breaks on {_letters} in its path.",
        breaks=[f"server_errors.{_operation}"],
    )(partial(on_path, _letters, _operation))
