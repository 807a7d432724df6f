"""IDs and idempotency keys are text, and every character counts: no number, and nothing to cut an ending off."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.contract.contract import load
from meshi_conformance.errors import NothingThere
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import requirement
from meshi_conformance.testing.shared_data import World
from meshi_conformance.testing.valid_calls import Calls

SUFFIXES = (".json", ":import", ".")
"""Endings that frameworks take for a format, for an action, or for nothing."""

RUN_WRITES = [operation.id for operation in load().operations.values() if operation.creates_run]


def a_number() -> str:
    """A number that was never used, without a zero at either end."""
    return f"{secrets.randbelow(9) + 1}{secrets.randbelow(10**10):010d}{secrets.randbelow(9) + 1}"


def spellings(number: str) -> Iterator[tuple[str, str]]:
    """Pairs of texts that are one number and two IDs: as it is sent, and as a reader of numbers would write it."""
    yield f"0{number}", number
    yield f"{number}.0", number
    yield f"{number}e2", f"{number}00"


@requirement("ids.number_like.events")
def test_event_ids_are_no_numbers(api: Api, given: Given) -> None:
    given.event()
    for sent, number in spellings(a_number()):
        created = api.create_event(given.event_request(event_id=sent, url_slug=None))
        assert created.is_success, f"{created.summary} to the new event ID {sent!r}"
        assert created["event_id"] == sent, f"{sent!r} was sent, {created['event_id']!r} was created"
        read = given.require_success(api.get_event(sent))
        assert read["event_id"] == sent, f"{sent!r} was asked for, {read['event_id']!r} is shown"
        for other in (api.get_event(number), api.get_id_mapping("event", number)):
            assert not other.is_success, f"{other.summary}: {sent!r} was created, and {number!r} is another ID"


@requirement("ids.number_like.sessions")
def test_session_ids_are_no_numbers(api: Api, given: Given, world: World) -> None:
    event_id = world.scratch.event_id
    given.session(event_id)
    sent = []
    for one, number in spellings(a_number()):
        created = api.create_session(event_id, given.session_request(session_id=one))
        assert created.is_success, f"{created.summary} to the new session ID {one!r}"
        assert created["session_id"] == one, f"{one!r} was sent, {created['session_id']!r} was created"
        given.require_success(api.get_session(event_id, one))
        for other in (api.get_session(event_id, number), api.get_id_mapping("session", number)):
            assert not other.is_success, f"{other.summary}: {one!r} was created, and {number!r} is another ID"
        sent.append(one)
    call = Call("listSessions", path={"event_id": event_id})
    listed = {row.get("session_id") for row in given.list_until_shown(call, "session_id", sent)}
    assert set(sent) <= listed, f"{sorted(set(sent) - listed)} are not listed by the IDs that were sent"


@requirement("ids.number_like.attendees")
def test_attendee_ids_are_no_numbers(api: Api, given: Given) -> None:
    event_id = given.event()
    given.import_and_wait(event_id)
    sent = list(dict.fromkeys(itertools.chain(*spellings(a_number()))))
    answer = api.import_attendees(event_id, given.import_request([given.attendee(attendee_id=one) for one in sent]))
    assert answer.is_success, f"{answer.summary}: the IDs {sent} are all different"
    given.finished_run(answer)
    call = Call("listAttendees", path={"event_id": event_id})
    listed = {row.get("attendee_id") for row in given.list_until_shown(call, "attendee_id", sent)}
    assert set(sent) <= listed, f"{sorted(set(sent) - listed)} are not listed by the IDs that were sent"
    for one in sent:
        given.require_success(api.list_attendee_identity(event_id, one))


@pytest.mark.parametrize(
    "operation",
    [pytest.param(one, marks=requirement(f"ids.number_like.keys.{one}"), id=one) for one in RUN_WRITES],
)
def test_idempotency_keys_are_no_numbers(operation: str, api: Api, calls: Calls, given: Given) -> None:
    call, number = calls.of(operation), a_number()
    started: dict[str, str] = {}
    given.require_success(api.send(call))
    for key in (
        dict.fromkeys(itertools.chain(*spellings(number))) if operation == "createRun" else (f"0{number}", number)
    ):
        answer = api.send(call.with_body(idempotency_key=key))
        if answer.code == "INVALID_IDEMPOTENCY_KEY":
            continue  # no page says which characters a key may have
        assert answer.is_success, f"{answer.summary} to the key {key!r}, which was never used"
        assert answer["run_id"] not in started.values(), f"{key!r} was answered with the run of another key: {started}"
        started[key] = answer["run_id"]
    if len(started) < 2:
        raise NothingThere("fewer than two such keys were accepted", "keys that look like numbers are refused")


@requirement("ids.suffix.events")
def test_an_event_id_is_read_to_its_end(api: Api, given: Given) -> None:
    given.event()
    for suffix in SUFFIXES:
        event_id = f"{given.name('event')}{suffix}"
        created = api.create_event(given.event_request(event_id=event_id, url_slug=None))
        assert created.is_success, f"{created.summary} to the well-formed event ID {event_id!r}"
        for answer in (api.get_event(event_id), api.get_event_context(event_id)):
            assert answer.is_success, f"{answer.summary}: {event_id!r} was created"
            assert answer["event_id"] == event_id, f"{event_id!r} was asked for, {answer['event_id']!r} is shown"
        mapped = api.get_id_mapping("event", event_id)
        assert mapped.is_success, f"{mapped.summary}: {event_id!r} was created"
        assert mapped["partner_id"] == event_id, f"{event_id!r} was asked for, {mapped['partner_id']!r} is shown"


@requirement("ids.suffix.sessions")
def test_a_session_id_is_read_to_its_end(api: Api, given: Given, world: World) -> None:
    event_id = world.scratch.event_id
    given.session(event_id)
    for suffix in SUFFIXES:
        session_id = f"{given.name('session')}{suffix}"
        created = api.create_session(event_id, given.session_request(session_id=session_id))
        assert created.is_success, f"{created.summary} to the well-formed session ID {session_id!r}"
        read = api.get_session(event_id, session_id)
        assert read.is_success, f"{read.summary}: {session_id!r} was created"
        assert read["session_id"] == session_id, f"{session_id!r} was asked for, {read['session_id']!r} is shown"
        mapped = api.get_id_mapping("session", session_id)
        assert mapped.is_success, f"{mapped.summary}: {session_id!r} was created"


@requirement("ids.suffix.attendees")
def test_an_attendee_id_is_read_to_its_end(api: Api, given: Given) -> None:
    event_id = given.event()
    given.import_and_wait(event_id)
    ids = [f"{given.name('attendee')}{suffix}" for suffix in SUFFIXES]
    answer = api.import_attendees(event_id, given.import_request([given.attendee(attendee_id=one) for one in ids]))
    assert answer.is_success, f"{answer.summary} to well-formed attendee IDs"
    given.finished_run(answer)
    for one in ids:
        history = api.list_attendee_identity(event_id, one)
        assert history.is_success, f"{history.summary}: {one!r} was imported"
        assert history["attendee_id"] == one, f"{one!r} was asked for, {history['attendee_id']!r} is shown"
        mapped = api.get_id_mapping("attendee", one)
        assert mapped.is_success, f"{mapped.summary}: {one!r} was imported"


@requirement("ids.long_keys")
def test_long_idempotency_keys_are_told_apart_by_their_ends(api: Api, given: Given) -> None:
    stem = given.name("key").ljust(199, "x")
    first = api.create_run(given.generic_run_request(idempotency_key=f"{stem}1"))
    if not first.is_success:
        # How long a key may be is not documented.
        raise NothingThere(f"{first.summary} to a key of 200 characters", "long idempotency keys are refused")
    second = api.create_run(given.generic_run_request(idempotency_key=f"{stem}2"))
    assert second.is_success, f"{second.summary} to a key that differs in its last character"
    assert second["run_id"] != first["run_id"], (
        "two keys that differ in their last character were answered with one run"
    )
