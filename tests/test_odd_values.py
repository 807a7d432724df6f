"""Unexpected values where text, a date or a number is asked for.

Whether they are converted or refused is open. That the answer is the API's own is not: no 5xx, and a refusal is the
envelope with a code that the pages list. Where a value could be accepted, the call has another mistake behind it or
names what exists, so that nothing is created by odd values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.contract.contract import load
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.shared_data import World
from meshi_conformance.testing.valid_calls import Calls

OPERATIONS = load().operations
WRITES = [operation.id for operation in OPERATIONS.values() if operation.body is not None]
LISTS = [operation.id for operation in OPERATIONS.values() if operation.lists]
BELOW_IDS = [operation.id for operation in OPERATIONS.values() if operation.path_parameters()]

ON_REFUSAL = ("server_errors", "envelope", "codes", "json")
"""The families that the answers are judged by."""

NOT_STORABLE = ("a\x00b", "a\ud800b")
"""A character that databases refuse, and half of one that has no encoding."""

ODD_DAYS = ("2031-02-30", "2031-3-9", "20310309", "2031-W10-1", "0000-01-01", "10000-01-01")
ODD_TIMES = (
    *("2031-02-30T09:00:00Z", "2031-03-10T09:00:00+25:00", "2031-03-10"),
    *("1931772600", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z"),
)
ODD_COUNTS = (True, "5", 5.5, "", 10**30, -(10**30))
LATE = {"event_id": {"url_slug": "x" * 129}, "session_id": {"end_timestamp": "not a timestamp"}}
"""By field of an ID: a mistake behind it."""

FREE_TEXTS = ("title", "description", "name", "company", "reason")
"""Fields that are plain text: nothing but their length is looked at before they are stored."""


def texts(operation: str, place: str = "body") -> list[str]:
    """The fields of an operation's body, or of a row of it, that take text."""
    limits = [limit for limit in load().limits() if (limit.operation, limit.place) == (operation, place)]
    return [limit.name for limit in limits if limit.schema.get("type") == "string"]


def odd(fields: list[str]) -> Iterator[dict[str, Any]]:
    """Members with a number for one text each, then truth values for all, then what no database stores."""
    yield from ({name: 7} for name in fields)
    yield dict.fromkeys(fields, True)
    free = [name for name in fields if name in FREE_TEXTS]
    yield from (dict.fromkeys(free, text) for text in NOT_STORABLE)


def of_creations(call: Call, given: Given, world: World) -> Iterator[Call]:
    """Creations of what exists: past all checks of the values, the ID is taken."""
    id_name = next(name for name in LATE if name in call.body)
    dates, days = (("start_date", "end_date"), ODD_DAYS)
    if id_name == "session_id":
        dates, days = (("start_timestamp", "end_timestamp"), ODD_TIMES)
        # No other test reads the sessions of this event: a text that a server stores and cannot show disturbs none.
        new = call.with_path(event_id=given.event())
        yield from (new.with_body(session_id=given.name("session"), title=text) for text in NOT_STORABLE)
    yield from (
        call.with_body(**members) for members in odd([name for name in texts(call.operation) if name != id_name])
    )
    # None of them lies behind the end, or before the start: whether the two may change places is another question.
    yield from (call.with_body(**{dates[0]: day}) for day in days[:-1])
    yield call.with_body(**{dates[1]: days[-1]})
    yield from (call.with_body(**{id_name: value, **LATE[id_name]}) for value in (7, True, "a\x00b"))


def of_context(call: Call, given: Given, world: World) -> Iterator[Call]:
    """Updates with a text that is too long besides."""
    fields = texts(call.operation)
    for place, name in enumerate(fields):
        yield from (call.replace(body={name: value, fields[place - 1]: "x" * 4001}) for value in (7, True, "a\ud800b"))


def of_runs(call: Call, given: Given, world: World) -> Iterator[Call]:
    """Replays outside event scope; for an event, keys of another one: past all checks of the values, they conflict."""
    if call.operation != "createRun":
        call = call.with_path(event_id=world.empty.event_id)
    yield call.with_body(webhook_url=7)
    yield from (call.with_body(idempotency_key=value, webhook_url="not a url") for value in (7, True))
    yield call.with_body(webhook_url="https://example.com/a\x00b")
    yield call.with_body(idempotency_key="a\x00b", webhook_url="not a url")
    if call.operation == "createRun":
        yield from (call.with_body(kind=value) for value in (7, True))
    if call.operation == "createMatchRun":
        yield from (call.with_body(top_n=value) for value in ODD_COUNTS)
    if call.operation == "importAttendees":
        malformed = given.attendee(attendee_id="-conf malformed-")
        names: dict[str, Any] = {"a.b": 1, "": None, "$n": 2**70, "text": "a\x00b", "deep": [[[[[[[[{}]]]]]]]]}
        for members in (*odd(texts(call.operation, "row")), {"raw_data": names}):
            yield call.with_body(attendees=[{**given.attendee(), **members}, malformed])
        # Who joins the event of imports is listed there alone.
        stored = call.with_path(event_id=world.imports.event_id).with_body(idempotency_key=given.idempotency_key())
        yield stored.with_body(attendees=[given.attendee(name="a\x00b", raw_data=names)])


def of_decisions(call: Call, given: Given, world: World) -> Iterator[Call]:
    """Decisions on a review that does not exist, and invalid ones on an open review."""
    nowhere = call.with_path(review_id=given.unknown_id_like(call.path["review_id"]))
    # The pages name no code for an odd reason.
    yield from (nowhere.with_body(**one).replace(any_code="reason" in one) for one in odd(texts(call.operation)))
    for value in (7, "a\x00b"):
        if call.operation == "resolveReview":
            yield call.with_body(decision=value)
            yield call.with_body(decision="conference", reason=value).replace(any_code=True)
        else:
            yield from (call.with_body(**{name: value}) for name in ("source_partner_id", "target_partner_id"))
            yield from (call.with_body(**{name: value}) for name in ("source_kind", "target_kind"))


ODD_CALLS: dict[str, Callable[[Call, Given, World], Iterator[Call]]] = {
    "createEvent": of_creations,
    "updateEventContext": of_context,
    "createSession": of_creations,
    "importAttendees": of_runs,
    "createEnrichmentRun": of_runs,
    "createMatchRun": of_runs,
    "createRun": of_runs,
    "resolveReview": of_decisions,
    "mergeReview": of_decisions,
}
"""By operation: the calls with odd values, made from a valid one."""


def per_operation(names: list[str], *families: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "operation",
        [pytest.param(name, marks=requirement(*(f"{one}.{name}" for one in families)), id=name) for name in names],
    )


def judge_answers(judge: Judge, operation: str, answers: list[Exchange]) -> None:
    """What holds for every answer, whatever the server makes of an odd value."""
    for family in ON_REFUSAL:
        name = f"{family}.{operation}"
        with judge(name):
            for answer in answers:
                broken = answer.violations_of(name)
                assert not broken, f"{broken[0]}: {answer.summary}"


@per_operation(WRITES, *ON_REFUSAL)
def test_odd_values_in_a_body_are_answered_by_the_api(
    operation: str, api: Api, calls: Calls, given: Given, world: World, judge: Judge
) -> None:
    made = ODD_CALLS[operation](calls.done(operation), given, world)
    # Half of a character can only be sent by its number.
    written = [call.replace(content=json.dumps(call.body).encode()) for call in made]
    judge_answers(judge, operation, api.send_concurrently(written))


ODD_QUERIES: dict[str, tuple[str, ...]] = {
    "limit": ("", "9" * 30),
    "cursor": ("", "\U0001f680"),
}
ODD_FILTERS = ("o'brien", "\U0001f680", "x" * 3000)
"""Values of any other parameter."""


@per_operation(LISTS, *ON_REFUSAL)
def test_odd_values_in_a_query_are_answered_by_the_api(
    operation: str, api: Api, calls: Calls, given: Given, judge: Judge
) -> None:
    call = calls.of(operation)
    given.require_success(api.send(call))
    named = [one["name"] for one in OPERATIONS[operation].parameters if one["in"] == "query"]
    queries = [{name: value} for name in named for value in ODD_QUERIES.get(name, ODD_FILTERS)]
    judge_answers(judge, operation, api.send_concurrently(call.replace(query=query) for query in queries))


@per_operation(BELOW_IDS, "server_errors")
def test_bytes_that_are_no_text_in_a_path_are_no_server_error(operation: str, api: Api, calls: Calls) -> None:
    call, said = calls.of(operation), OPERATIONS[operation]
    content = None if said.body is None else json.dumps(call.body).encode()
    headers = {} if content is None else {"Content-Type": "application/json"}
    paths = []
    last = list(call.path)[-1]
    for segment in ("conf%00id", "conf%FFid"):
        path = said.path
        for name, value in call.path.items():
            path = path.replace("{" + name + "}", segment if name == last else value)
        paths.append(path)
    # A gateway may answer in the API's place, so no more than this is asked.
    sent = [partial(api.request, said.method, path, content=content, headers=headers) for path in paths]
    for answer in api.send_concurrently(sent):
        assert answer.status < 500, f"{answer.summary} to an ID with a byte that is not text"


@per_operation(LISTS, "server_errors")
def test_a_null_character_in_a_query_is_no_server_error(operation: str, api: Api, calls: Calls) -> None:
    call, said = calls.of(operation), OPERATIONS[operation]
    path = said.path
    for name, value in call.path.items():
        path = path.replace("{" + name + "}", value)
    named = [one["name"] for one in said.parameters if one["in"] == "query" and one["name"] != "limit"]
    for answer in api.send_concurrently(partial(api.request, "GET", f"{path}?{name}=a%00b") for name in named):
        assert answer.status < 500, f"{answer.summary} to a null character"
