"""A write that is refused leaves nothing behind: no row, no part of a change, and an ID that is still free."""

from __future__ import annotations

from typing import Any

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.errors import SetupFailed
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import requirement
from meshi_conformance.testing.shared_data import World
from meshi_conformance.testing.valid_calls import Calls

EVENT_MISTAKES: tuple[dict[str, Any], ...] = (
    {"title": ""},
    {"description": "x" * 4001},
    {"end_date": "not a date"},
    {"url_slug": "x" * 129},
)
SESSION_MISTAKES: tuple[dict[str, Any], ...] = ({"title": ""}, {"end_timestamp": "not a timestamp"})
"""One mistake each, in a field that is looked at early and in one that is looked at late."""


def refused(answers: list[Exchange], what: str) -> list[Exchange]:
    """Return the refusals among the answers; others judge if each must be one. Raise SetupFailed without any."""
    found = [answer for answer in answers if not answer.is_success]
    if not found:
        raise SetupFailed(f"nothing was refused: {answers[0].summary}", f"{what} refuses no mistake")
    return found


@requirement("refused.leaves_nothing.createEvent")
def test_a_refused_creation_makes_no_event(api: Api, given: Given) -> None:
    call = Call("createEvent", body=given.event_request())
    wrong = [call.with_body(event_id=given.name("event"), **mistake) for mistake in EVENT_MISTAKES]
    answers = api.send_concurrently(wrong)
    refused(answers, "createEvent")
    ids = [one.body["event_id"] for one, answer in zip(wrong, answers, strict=True) if not answer.is_success]
    for event_id in ids:
        for read in (api.get_event(event_id), api.get_id_mapping("event", event_id)):
            assert not read.is_success, f"{read.summary}: the creation of this event was refused"
    for event_id in ids[:: len(ids) - 1 or 1]:
        again = api.create_event(given.event_request(event_id=event_id))
        assert again.is_success, f"{again.summary} to an ID that only a refused creation had named"
        given.require_success(api.get_event(event_id))


@requirement("refused.leaves_nothing.createSession")
def test_a_refused_creation_makes_no_session(api: Api, given: Given, world: World) -> None:
    event_id = world.scratch.event_id
    call = Call("createSession", path={"event_id": event_id}, body=given.session_request())
    wrong = [call.with_body(session_id=given.name("session"), **mistake) for mistake in SESSION_MISTAKES]
    answers = api.send_concurrently(wrong)
    refused(answers, "createSession")
    for one, answer in zip(wrong, answers, strict=True):
        if answer.is_success:
            continue
        session_id = one.body["session_id"]
        read = api.get_session(event_id, session_id)
        assert not read.is_success, f"{read.summary}: the creation of this session was refused"
        again = api.create_session(event_id, given.session_request(session_id=session_id))
        assert again.is_success, f"{again.summary} to an ID that only a refused creation had named"
        given.require_success(api.get_session(event_id, session_id))


@requirement("refused.leaves_nothing.updateEventContext")
def test_a_refused_update_changes_no_part_of_a_context(api: Api, given: Given) -> None:
    event_id = given.event()
    fields = ("event_details", "objectives", "welcome_instructions")
    before = {name: f"Before: {name}." for name in fields}
    given.require_success(api.update_event_context(event_id, before))
    shown = given.require_success(api.get_event_context(event_id))["context"]
    if shown != before:
        raise SetupFailed(f"{before} was written, {shown} is shown", "a context cannot be read back")
    wrong = [{**{name: f"After: {name}." for name in fields}, too_long: "x" * 4001} for too_long in fields]
    refused([api.update_event_context(event_id, body) for body in wrong], "updateEventContext")
    read = given.require_success(api.get_event_context(event_id))
    assert read["context"] == before, f"after refused updates {read['context']} is shown, before it was {before}"


@requirement("refused.leaves_nothing.importAttendees")
def test_an_import_whose_key_conflicts_imports_nothing(api: Api, calls: Calls, given: Given, world: World) -> None:
    used = world.spent.runs["importAttendees"]["request"]["idempotency_key"]
    call = calls.of("importAttendees").with_body(idempotency_key=used)
    refused([api.send(call)], "importAttendees")
    # What was left to be worked off would come before the rows of a later import.
    later = calls.of("importAttendees")
    given.finished_run(api.send(later))
    mapped = [api.get_id_mapping("attendee", one.body["attendees"][0]["attendee_id"]) for one in (call, later)]
    given.require_success(mapped[1])
    assert not mapped[0].is_success, f"{mapped[0].summary}: the import of this row was refused"
