"""Every error row of the endpoint reference, each provoked for its own reason and for nothing else.

A code means one mistake wherever it is listed, so the table is kept by code: how to spoil a valid call in
that one way. The valid call itself is accepted first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.contract.contract import load
from meshi_conformance.errors import SetupFailed
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import requirement
from meshi_conformance.testing.valid_calls import Calls

CONTRACT = load()

MALFORMED = "-conf malformed-"
"""No partner ID, no kind, and nothing that a server would make up."""

NO_TEXT: tuple[Any, ...] = ({"conf": "no text"}, ["no text"], [])
"""What no reading takes for a string; a number could be."""

NO_OBJECT: tuple[Any, ...] = ("no object", ["no object"], 7, 0, False)
"""Bodies that are not JSON objects; without an empty array, which some languages take for an empty object."""

LONGEST = {
    (limit.place, limit.name): limit.schema["maxLength"] for limit in CONTRACT.limits() if "maxLength" in limit.schema
}
"""Characters of the longest text by place and field: past it an optional text is refused, whatever its type may be
converted from (whether an object in place of a text is converted or refused is open)."""

Spoil = Callable[[Call, Call, Given], list[Call]]
"""Makes the calls to be refused from a valid one that was not sent yet, given its accepted twin."""


def body(name: str, *values: Any, missing: bool = False) -> Spoil:
    """The member `name` of the body with each of the values, and left out."""

    def spoil(call: Call, twin: Call, given: Given) -> list[Call]:
        return [*(call.with_body(**{name: value}) for value in values), *([call.without(name)] if missing else [])]

    return spoil


def row(name: str, *values: Any, missing: bool = False) -> Spoil:
    """One row of an import, between good ones, with each of the values in `name`, and without `name`."""

    def spoil(call: Call, twin: Call, given: Given) -> list[Call]:
        bad = [given.attendee(**{name: value}) for value in values]
        bad += [given.attendee(**{name: None})] if missing else []
        return [between_good_rows(call, given, one) for one in bad]

    return spoil


def between_good_rows(call: Call, given: Given, bad: Any) -> Call:
    """An import of one row to be refused between two good ones."""
    return call.with_body(attendees=[given.attendee(), bad, given.attendee()])


def rows_of_no_object(call: Call, twin: Call, given: Given) -> list[Call]:
    return [between_good_rows(call, given, bad) for bad in ("no row", ["no row"])]


def a_row_twice(call: Call, twin: Call, given: Given) -> list[Call]:
    first = given.attendee()
    again = given.attendee(attendee_id=first["attendee_id"])
    return [call.with_body(attendees=[first, again]), call.with_body(attendees=[first, given.attendee(), again])]


def malformed_ids(call: Call, twin: Call, given: Given) -> list[Call]:
    """Every place of a call that takes a partner ID, one at a time."""
    found = []
    for limit in CONTRACT.limits():
        if limit.operation == call.operation and limit.code == "INVALID_PARTNER_ID":
            if limit.place == "path":
                found.append(call.with_path(**{limit.name: MALFORMED}))
            elif limit.place == "query":
                found.append(call.replace(query={**call.query, limit.name: MALFORMED}))
            elif limit.place == "body":
                found.append(call.with_body(**{limit.name: MALFORMED}))
            else:
                found.append(between_good_rows(call, given, given.attendee(**{limit.name: MALFORMED})))
    return found


def unknown(parameter: str) -> Spoil:
    """A well-formed partner ID that was never used."""
    return lambda call, twin, given: [call.with_path(**{parameter: given.name("unknown")})]


def broken_json(call: Call, twin: Call, given: Given) -> list[Call]:
    return [call.replace(content=text) for text in (b'{"conf": "cut', b"conf: no JSON", b'{"conf": 1,, "none": 2}')]


def used_id(call: Call, twin: Call, given: Given) -> list[Call]:
    """The twin once more, and another request with the twin's ID."""
    name = "event_id" if call.operation == "createEvent" else "session_id"
    return [twin, call.with_body(**{name: twin.body[name], "title": "Another title"})]


def too_long_or_no_text(name: str) -> Spoil:
    """An optional text past its bound; an object where no bound is documented."""

    def spoil(call: Call, twin: Call, given: Given) -> list[Call]:
        most = next((one for one in CONTRACT.limits() if (one.operation, one.name) == (call.operation, name)), None)
        if most is None or "maxLength" not in most.schema:
            return [call.with_body(**{name: value}) for value in NO_TEXT]
        return [call.with_body(**{name: "x" * (most.schema["maxLength"] + 1)})]

    return spoil


def no_context(call: Call, twin: Call, given: Given) -> list[Call]:
    wrong = [call.with_body(**{name: "x" * (LONGEST["body", name] + 1)}) for name in call.body]
    return [call.replace(body={}), *wrong]


def run_kinds(call: Call, twin: Call, given: Given) -> list[Call]:
    if call.operation == "listRuns":
        return [call.replace(query={"kind": "conference"})]
    return body("kind", "conference", "", *NO_TEXT, missing=True)(call, twin, given)


SPOILS: dict[str, Spoil] = {
    "INVALID_JSON": broken_json,
    "INVALID_PARTNER_KIND": lambda call, twin, given: [call.with_path(kind=MALFORMED)],
    "INVALID_PARTNER_ID": malformed_ids,
    "INVALID_RUN_ID": lambda call, twin, given: [call.with_path(run_id=MALFORMED)],
    "PARTNER_ID_NOT_FOUND": unknown("partner_id"),
    "EVENT_NOT_FOUND": unknown("event_id"),
    "SESSION_NOT_FOUND": unknown("session_id"),
    "ATTENDEE_NOT_FOUND": unknown("attendee_id"),
    "RUN_NOT_FOUND": lambda call, twin, given: [call.with_path(run_id=given.unknown_id_like(call.path["run_id"]))],
    "PARTNER_ID_CONFLICT": used_id,
    "INVALID_TITLE": body("title", "", *NO_TEXT, missing=True),
    "INVALID_DESCRIPTION": too_long_or_no_text("description"),
    "INVALID_START_DATE": body("start_date", "not a date"),
    "INVALID_END_DATE": body("end_date", "not a date"),
    "INVALID_TIMEZONE": too_long_or_no_text("timezone"),
    "INVALID_VISIBILITY": too_long_or_no_text("visibility"),
    "INVALID_URL_SLUG": too_long_or_no_text("url_slug"),
    "INVALID_CONTEXT": no_context,
    "INVALID_START_TIMESTAMP": body("start_timestamp", "not a timestamp"),
    "INVALID_END_TIMESTAMP": body("end_timestamp", "not a timestamp"),
    "INVALID_IDEMPOTENCY_KEY": body("idempotency_key", "", missing=True),
    "INVALID_WEBHOOK_URL": body("webhook_url", "not a url"),
    "INVALID_ATTENDEES": body("attendees", [], {"conf": "no rows"}, "no rows", missing=True),
    "INVALID_ATTENDEE": rows_of_no_object,
    "DUPLICATE_ATTENDEE_ID": a_row_twice,
    "INVALID_ATTENDEE_NAME": row("name", "", *NO_TEXT, missing=True),
    "INVALID_ATTENDEE_EMAIL": row("email", "x" * (LONGEST["row", "email"] + 1)),
    "INVALID_ATTENDEE_LINKEDIN_URL": row("linkedin_url", "x" * (LONGEST["row", "linkedin_url"] + 1)),
    "INVALID_ATTENDEE_TITLE": row("title", "x" * (LONGEST["row", "title"] + 1)),
    "INVALID_ATTENDEE_COMPANY": row("company", "x" * (LONGEST["row", "company"] + 1)),
    "INVALID_ATTENDEE_RAW_DATA": row("raw_data", *NO_OBJECT),
    "INVALID_RUN_KIND": run_kinds,
    "INVALID_PROGRESS": body("progress", *NO_OBJECT),
    "INVALID_SNAPSHOT_METADATA": body("snapshot_metadata", *NO_OBJECT),
    "INVALID_VERSION_METADATA": body("version_metadata", *NO_OBJECT),
}
"""How to earn each code."""

ALSO_RIGHT: dict[tuple[str, str], tuple[int, str]] = {
    # What makes a run ID malformed is not given: to some servers garbage is just an ID of no run.
    ("getRun", "INVALID_RUN_ID"): (404, "RUN_NOT_FOUND"),
    # Whether a row that is not an object spoils itself or its whole array is open.
    ("importAttendees", "INVALID_ATTENDEE"): (400, "INVALID_ATTENDEES"),
}
"""Another refusal that the same call may earn."""

MATCH_READS = ("listAttendeeMatches", "listEventMatches", "getMatch")


def judged_elsewhere(operation: str, code: str) -> bool:
    """Rows that need a prepared world of their own: test_identity, test_idempotency, test_matching, test_large."""
    return (
        operation in ("resolveReview", "mergeReview")
        or code in ("IDEMPOTENCY_KEY_CONFLICT", "PAYLOAD_TOO_LARGE")
        or (
            operation in MATCH_READS
            and code in ("SESSION_NOT_FOUND", "ATTENDEE_NOT_FOUND", "MATCH_RUN_NOT_FOUND", "MATCH_NOT_FOUND")
        )
    )


ROWS = [
    (operation.id, status, code)
    for operation in CONTRACT.operations.values()
    for status, code in operation.route_errors()
    if not judged_elsewhere(operation.id, code)
]

if {code for _, _, code in ROWS} != set(SPOILS):
    # A row that nothing provokes must not go unnoticed.
    raise LookupError(f"codes without a spoil, or the reverse: {sorted({code for _, _, code in ROWS} ^ set(SPOILS))}")


def with_a_key_of_its_own(call: Call, given: Given) -> Call:
    """The call with an idempotency key that no other call has: a server may refuse a key that is being worked on."""
    if isinstance(call.body, dict) and "idempotency_key" in call.body:
        return call.with_body(idempotency_key=given.idempotency_key())
    return call


@pytest.mark.parametrize(
    ("operation", "status", "code"),
    [
        pytest.param(operation, status, code, marks=requirement(f"error.{operation}.{code}"), id=f"{operation}-{code}")
        for operation, status, code in ROWS
    ],
)
def test_each_mistake_earns_its_code(
    operation: str, status: int, code: str, api: Api, calls: Calls, given: Given
) -> None:
    twin = calls.of(operation)
    given.require_success(api.send(twin))
    right = {(status, code), ALSO_RIGHT.get((operation, code), (status, code))}
    refused = SPOILS[code](calls.of(operation), twin, given)
    if not refused:
        raise LookupError(f"nothing of {operation} can earn {code}")
    if code != "INVALID_IDEMPOTENCY_KEY":
        refused = [with_a_key_of_its_own(call, given) for call in refused]
    for exchange in api.send_concurrently(refused):
        assert exchange.status_and_code in right, f"{exchange.summary}; documented: {status} {code}"


@requirement("imports.refused.changes_nothing")
def test_an_import_refused_for_one_row_imports_no_row(api: Api, given: Given) -> None:
    event_id = given.event()
    twin = Call("importAttendees", path={"event_id": event_id}, body=given.import_request())
    mistakes = [row("attendee_id", MALFORMED), row("name", missing=True), row("raw_data", "no object")]
    mistakes += [row(name, ["no text"]) for name in ("name", "email", "linkedin_url", "title", "company")]
    mistakes += [rows_of_no_object, a_row_twice]
    good: list[str] = []
    for mistake in mistakes:
        refused = mistake(twin.with_body(idempotency_key=given.idempotency_key()), twin, given)[0]
        # Whether it is refused at all is the business of its own error row.
        if not api.send(refused).is_success:
            good.append(refused.body["attendees"][0]["attendee_id"])
    if not good:
        raise SetupFailed("no import was refused", "imports with malformed rows are accepted")
    # What a refused import left to be worked off would come before the rows of a later import.
    last = given.attendee()
    given.import_and_wait(event_id, [last])
    given.settle(Call("listAttendees", path={"event_id": event_id}), "attendee_id", [last["attendee_id"]])
    page = given.require_success(api.list_attendees(event_id, query={"limit": 100}))
    listed = [one for one in good if f'"{one}"'.encode() in page.body]
    assert not listed, f"rows of refused imports are listed: {listed}"
    for exchange in api.send_concurrently(
        Call("getIdMapping", path={"kind": "attendee", "partner_id": one}) for one in good
    ):
        assert not exchange.is_success, f"a row of a refused import is mapped: {exchange.summary}"
