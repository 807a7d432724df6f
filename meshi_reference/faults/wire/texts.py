"""Text that is changed on its way, and IDs and keys that are taken for numbers or lose their ending."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Any

from ... import app
from ...patching import operations
from ...patching.operations import operation_of
from ...patching.patch import Patch
from ...rules import validation
from ...services import Services
from ...wire.http import JsonObject, Request
from ..registry import fault

Change = Callable[[str], str]

PLACES: dict[str, tuple[str, tuple[str, ...]]] = {
    "event": ("createEvent", ("title", "description")),
    "context": ("updateEventContext", ("event_details", "objectives", "welcome_instructions")),
    "session": ("createSession", ("title", "description")),
    "attendee": ("importAttendees", ("title", "company")),
    "name": ("importAttendees", ("name",)),
}
"""Operation that writes text, and the fields that hold it."""


def as_number(text: str) -> str:
    """Return a text as a reader that guesses types gives it back."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?([eE][0-9]{1,2})?", text):
        number = float(text)
        return str(int(number)) if number.is_integer() else repr(number)
    return text


def as_moment(text: str) -> str:
    return f"{text}T00:00:00Z" if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else text


ASTRAL = "[\U00010000-\U0010ffff]"

KINDS: dict[str, tuple[tuple[str, str, Change], ...]] = {
    "markup": (
        ("tags", "takes tags out of text", lambda text: re.sub(r"<[^>]*>", "", text)),
        ("escaped", "escapes text for a web page", lambda text: html.escape(text, quote=False)),
        ("entities", "resolves entities in text", html.unescape),
        ("braces", "takes text in double braces for a template", lambda text: text.replace("{{7*7}}", "49")),
    ),
    "symbols": (
        ("cut", "cuts text at a symbol outside the basic plane", lambda text: re.sub(f"{ASTRAL}.*", "", text)),
        ("dropped", "drops symbols outside the basic plane", lambda text: re.sub(ASTRAL, "", text)),
        ("marks", "puts question marks for symbols", lambda text: re.sub(ASTRAL, "?", text)),
        ("one", "keeps the first symbol of several", lambda text: re.sub(f"({ASTRAL})+", r"\1", text)),
    ),
    "words": (
        ("number", "takes text that looks like a number for one", as_number),
        ("null", "takes the word null for no text", lambda text: "None" if text == "null" else text),
        ("date", "takes text that looks like a date for a moment", as_moment),
        ("zeros", "drops zeros at the start of a number", lambda text: text.lstrip("0") if text.isdecimal() else text),
    ),
    "form": (
        ("trimmed", "takes blanks around text away", str.strip),
        ("composed", "composes letters and their accents", lambda text: unicodedata.normalize("NFC", text)),
        ("lines", "writes line ends its own way", lambda text: text.replace("\r\n", "\n")),
        ("one_line", "puts a blank for every run of white space", lambda text: re.sub(r"\s+", " ", text)),
    ),
}


def changed(change: Change, fields: tuple[str, ...], body: JsonObject) -> JsonObject:
    rows = body.get("attendees")
    if isinstance(rows, list):
        return {**body, "attendees": [changed(change, fields, row) if isinstance(row, dict) else row for row in rows]}
    return {name: change(value) if name in fields and isinstance(value, str) else value for name, value in body.items()}


def writing(change: Callable[[JsonObject], JsonObject], operation: str | None, patch: Patch) -> None:
    """Change the body of one operation, or of all, before it is looked at."""

    def make(inner: Callable[[Request, Services], Any]) -> Any:
        async def read_json(request: Request, services: Services) -> JsonObject:
            body: JsonObject = await inner(request, services)
            return change(body) if operation in (None, operation_of(request)) else body

        return read_json

    patch.wrap(app, "read_json", make)


for _index, (_place, (_operation, _fields)) in enumerate(PLACES.items()):
    for _kind, _ways in KINDS.items():
        for _suffix, _sentence, _change in _ways if _kind == "markup" else (_ways[_index % len(_ways)],):
            fault(
                f"texts.{_kind}.{_place}.{_suffix}",
                f"{_operation} {_sentence}.",
                breaks=[f"texts.{_kind}.{_place}"],
                also=["events.text.emoji", "limits.text.kept_whole"],
            )(partial(writing, partial(changed, _change, _fields), _operation))


# IDs

FIELDS = {
    "events": ("event_id",),
    "sessions": ("session_id",),
    "attendees": ("attendee_id", "principal_partner_id", "target_partner_id"),
}
KIND_OF = {"events": "event", "sessions": "session", "attendees": "attendee"}


def without_zeros(text: str) -> str:
    return text.lstrip("0") or "0" if text.isascii() and text.isdecimal() else text


def numeric(text: str) -> str:
    return as_number(text) if text[:1].isdecimal() else text


def renamed(change: Change, resource: str, patch: Patch) -> None:
    """Change the IDs of one kind of resource wherever they are sent: in bodies, rows and paths."""
    names = FIELDS[resource]

    def deep(value: Any) -> Any:
        if isinstance(value, list):
            return [deep(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            name: change(one) if name in names and isinstance(one, str) else deep(one) for name, one in value.items()
        }

    writing(deep, None, patch)

    def make(inner: Callable[..., dict[str, str] | None]) -> Any:
        def match_template(template: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
            found = inner(template, segments)
            if found is None:
                return None
            mine = (*names, "partner_id") if found.get("kind") == KIND_OF[resource] else names
            return {name: change(value) if name in mine else value for name, value in found.items()}

        return match_template

    patch.wrap(app, "match_template", make)


for _resource in FIELDS:
    for _suffix, _sentence, _change in (
        ("zeros", "lose the zeros at their start", without_zeros),
        ("number", "are kept as numbers where they look like one", numeric),
    ):
        fault(
            f"ids.number_like.{_resource}.{_suffix}",
            f"IDs of {_resource} {_sentence}.",
            breaks=[f"ids.number_like.{_resource}"],
        )(partial(renamed, _change, _resource))

for _operation in ("importAttendees", "createEnrichmentRun", "createMatchRun", "createRun"):

    def _keys(patch: Patch, operation: str = _operation) -> None:
        def make(inner: Callable[..., str]) -> Any:
            return lambda value, settings: without_zeros(inner(value, settings))

        operations.while_answering(patch, operation, validation, "check_idempotency_key", make)

    fault(
        f"ids.number_like.keys.{_operation}.zeros",
        f"{_operation} drops zeros at the start of an idempotency key.",
        breaks=[f"ids.number_like.keys.{_operation}"],
    )(_keys)


def cut(ending: str, last: str, kind: str | None, patch: Patch) -> None:
    """Read what ends a path without an ending."""

    def make(inner: Callable[..., dict[str, str] | None]) -> Any:
        def match_template(template: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
            found = inner(template, segments)
            if found is None or template[-1] != f":{last}" or found.get("kind", kind) != kind:
                return found
            return {**found, last: found[last].removesuffix(ending)}

        return match_template

    patch.wrap(app, "match_template", make)


for _resource, _last, _of in (
    ("events", "event_id", None),
    ("events", "partner_id", "event"),
    ("sessions", "session_id", None),
    ("sessions", "partner_id", "session"),
    ("attendees", "partner_id", "attendee"),
):
    for _suffix, _ending in (("format", ".json"), ("action", ":import"), ("dot", ".")):
        fault(
            f"ids.suffix.{_resource}.{_last}.{_suffix}",
            f"`{_ending}` at the end of a path that ends with the {_last} of {_resource} is cut off.",
            breaks=[f"ids.suffix.{_resource}"],
        )(partial(cut, _ending, _last, _of))
