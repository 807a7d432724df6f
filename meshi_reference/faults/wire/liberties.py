"""Small liberties of libraries and databases: what they write their own way, cut, refuse or overlook."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ...errors import ApiError
from ...patching import changes, operations
from ...patching.operations import Handler
from ...patching.patch import Patch
from ...resources import events, runs
from ...rules import validation
from ...services import Call
from ...wire.http import JsonObject, Response
from ..registry import fault
from .texts import renamed, writing

Check = Callable[..., Any]


@fault(
    "context.unknown_alone.accepted",
    "An update of a context that holds unknown members alone is accepted.",
    breaks=["context.unknown_alone"],
)
def unknown_alone(patch: Patch) -> None:
    def make(inner: Check) -> Check:
        def check(body: JsonObject) -> Any:
            known = any(name in body for name in validation.CONTEXT_FIELDS)
            return inner(body) if known or not body else {}

        return check

    patch.wrap(validation, "check_context", make)

    def store(inner: Check) -> Check:
        return lambda services, event, given: inner(services, event, given) if given else event

    patch.wrap(events, "store_context", store)


for _suffix, _sentence, _bad in (
    (
        "nested",
        "refuses `raw_data` with lists or objects in it",
        lambda data: any(isinstance(one, dict | list) for one in data.values()),
    ),
    ("empty", "refuses an empty `raw_data`", lambda data: not data),
):

    def _raw_data(patch: Patch, bad: Callable[[Any], bool] = _bad) -> None:
        def make(inner: Check) -> Check:
            def check(value: object) -> Any:
                if isinstance(value, dict) and bad(value):
                    raise ApiError("INVALID_ATTENDEE_RAW_DATA", "raw_data must be flat")
                return inner(value)

            return check

        patch.wrap(validation, "check_attendee_raw_data", make)

    fault(f"imports.raw_data.{_suffix}", f"An import {_sentence}.", breaks=["imports.raw_data"])(_raw_data)


def normalised(url: str) -> str:
    """Write a URL as libraries that parse it write it."""
    parts = urlsplit(url)
    return parts._replace(netloc=(parts.hostname or ""), path=parts.path or "/").geturl()


for _suffix, _sentence, _written in (
    ("normalised", "with its host in small letters, without its port and with a slash", normalised),
    ("fragment", "without its fragment", lambda url: url.partition("#")[0]),
    ("decoded", "with its escapes resolved", lambda url: url.replace("%20", " ")),
):

    def _webhook(patch: Patch, written: Callable[[str], str] = _written) -> None:
        def change(body: JsonObject, row: Any) -> None:
            body["webhook_url"] = body["webhook_url"] and written(body["webhook_url"])

        changes.shown(patch, runs, "serialize_run", change)

    fault(
        f"runs.webhook_url.verbatim.{_suffix}",
        f"A webhook is echoed {_sentence}.",
        breaks=["runs.webhook_url.verbatim"],
        also=["runs.webhook_url", "idempotency.*"],
    )(_webhook)


def cut_to(length: int, name: str, body: JsonObject) -> JsonObject:
    return {**body, name: body[name][:length]} if isinstance(body.get(name), str) else body


for _name, _length in (("timezone", 64), ("visibility", 16)):
    fault(
        f"events.read_back.{_name}.cut",
        f"Of an event's {_name} {_length} characters are kept.",
        breaks=[f"events.read_back.{_name}"],
        also=[f"limits.createEvent.{_name}"],
    )(partial(writing, partial(cut_to, _length, _name), "createEvent"))


@fault(
    "ids.long_keys.cut",
    "Idempotency keys are kept to 128 characters.",
    breaks=["ids.long_keys"],
    also=["limits.idempotency_key.too_long"],
)
def cut_keys(patch: Patch) -> None:
    patch.wrap(validation, "check_idempotency_key", lambda inner: lambda value, settings: inner(value, settings)[:128])


for _resource, _requirement in (
    ("events", "limits.getEvent.event_id"),
    ("sessions", "limits.getSession.session_id"),
    ("attendees", "limits.listAttendeeIdentity.attendee_id"),
):
    fault(
        f"{_requirement}.cut",
        f"IDs of {_resource} are kept to 100 characters, and read so too.",
        breaks=[_requirement],
        also=["limits.*"],
    )(partial(renamed, lambda text: text[:100] if len(text) <= 128 else text, _resource))


@fault(
    "isolation.createEvent.org_in_body",
    "createEvent takes the org from the body where one is named.",
    breaks=["isolation.createEvent"],
)
def org_in_body(patch: Patch) -> None:
    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            named = call.body.get("org_id")
            if isinstance(named, str):
                call.principal = replace(call.principal, org_id=named)
            return await inner(call)

        return handler

    operations.handle(patch, "createEvent", make)


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), name)


def without_gaps(data: JsonObject) -> JsonObject:
    return {name: one for name, one in data.items() if not (isinstance(one, list) and None in one)}


def deep(change: Callable[[JsonObject], JsonObject], value: Any) -> Any:
    if isinstance(value, list):
        return [deep(change, one) for one in value]
    return change({name: deep(change, one) for name, one in value.items()}) if isinstance(value, dict) else value


for _suffix, _sentence, _change in (
    ("snake_case", "with its names in another notation", lambda data: {snake(name): one for name, one in data.items()}),
    (
        "nulls",
        "without lists that hold a null",
        without_gaps,
    ),
):

    def _metadata(patch: Patch, change: Callable[[JsonObject], JsonObject] = _change) -> None:
        changes.shown(patch, runs, "serialize_run", changes.member("snapshot_metadata", partial(deep, change)))

    fault(
        f"runs.metadata.{_suffix}",
        f"A run shows its `snapshot_metadata` {_sentence}.",
        breaks=["runs.metadata"],
        also=["idempotency.*"],
    )(_metadata)


@fault(
    "attendees.id.case.id_map",
    "The ID map looks attendees up in small letters.",
    breaks=["attendees.id.case"],
    also=["id_map.*", "limits.getIdMapping.*"],
)
def small_letters(patch: Patch) -> None:
    changes.answered_member(patch, "getIdMapping", "partner_id", str.lower)


@fault(
    "context.answer_whole.sent",
    "The answer to an update of a context shows null for what the update left out.",
    breaks=["context.answer_whole"],
)
def answer_of_the_sent(patch: Patch) -> None:
    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            answer = await inner(call)
            if answer.body is not None:
                answer.body["context"] = {name: call.body.get(name) for name in validation.CONTEXT_FIELDS}
            return answer

        return handler

    operations.handle(patch, "updateEventContext", make)


@fault(
    "auth.account.stable.random",
    "/auth shows another org with each call.",
    breaks=["auth.account.stable"],
)
def another_org(patch: Patch) -> None:
    changes.answered(patch, "getAuth", lambda body: body.update(org_id=f"org_{secrets.token_hex(6)}"))


@fault(
    "identity.history.own.of_event",
    "An attendee's identity history holds the decisions about every attendee of the event.",
    breaks=["identity.history.own"],
    also=["lists.identity.*", "identity.*"],
)
def history_of_the_event(patch: Patch) -> None:
    def query(call: Call, where: str, parameters: list[Any]) -> tuple[str, list[Any]]:
        event = events.require_event(call)
        return "attendee_seq IN (SELECT seq FROM attendees WHERE event_seq = ?)", [event["seq"]]

    changes.rows(patch, "listAttendeeIdentity", query)
