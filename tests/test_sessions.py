"""Sessions: what was written is what is read, in the event that it was written to."""

from __future__ import annotations

from typing import Any

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.contract.contract import load
from meshi_conformance.errors import NothingThere, SetupFailed
from meshi_conformance.exchanges.timestamps import instant
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import requirement
from meshi_conformance.testing.sample_texts import BEYOND_ASCII
from meshi_conformance.testing.shared_data import World

WRITTEN = ("session_id", "title", "description", "start_timestamp", "end_timestamp")
IDS = ("session_id", "event_id")
SHOWN = (*WRITTEN, "event_id")


def as_written(name: str, value: Any) -> Any:
    """A member as it is compared: of a timestamp the moment, in whatever form it is shown."""
    return instant(value) if name.endswith("_timestamp") else value


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=requirement(f"sessions.read_back.{one}"), id=one) for one in SHOWN]
)
def test_a_session_is_read_as_it_was_written(name: str, api: Api, given: Given, world: World) -> None:
    event_id = world.scratch.event_id
    request = given.session_request()
    created = given.require_success(api.create_session(event_id, request))
    read = given.require_success(api.get_session(event_id, request["session_id"]))
    expected = as_written(name, {**request, "event_id": event_id}[name])
    answers = [answer for answer in (created, read) if name in answer.json or name in IDS]
    for answer in answers:
        shown = as_written(name, answer[name])
        assert shown == expected, f"{answer.operation} shows {name} {answer[name]!r}, written was {expected!r}"
    if not answers:
        # That it goes by the name under which it was sent is only implied: shape.getSession.200.
        raise NothingThere(f"no session shows a `{name}`", "sessions show their members under other names")


@requirement("sessions.text")
def test_text_outside_ascii_is_read_as_it_was_written(api: Api, given: Given, world: World) -> None:
    event_id = world.scratch.event_id
    session_id = given.session(event_id, title=f"Title {BEYOND_ASCII}", description=f"About {BEYOND_ASCII}")
    read = given.require_success(api.get_session(event_id, session_id)).json
    written = {"title": f"Title {BEYOND_ASCII}", "description": f"About {BEYOND_ASCII}"}
    shown = {name: read[name] for name in written if name in read}
    if not shown:
        raise NothingThere("no session shows its text", "sessions show their members under other names")
    assert shown == {name: written[name] for name in shown}, f"{written} was written, {shown} is shown"


@requirement("sessions.list_row")
def test_the_list_shows_a_session_as_its_own_read_does(api: Api, given: Given, world: World) -> None:
    sessions = world.sessions
    call = Call("listSessions", path={"event_id": sessions.event_id})
    listed = given.list_until_shown(call, "session_id", sessions.ids[:1])
    row = next((row for row in listed if row.get("session_id") == sessions.ids[0]), None)
    if row is None:
        raise SetupFailed("the list does not show a session", "listSessions does not show a session")
    read = given.require_success(api.get_session(sessions.event_id, sessions.ids[0])).json
    names = set(load().operations["getSession"].responses[200].members) - {"correlation_id"} | set(SHOWN)
    differing = [name for name in sorted(names) if as_written(name, row.get(name)) != as_written(name, read.get(name))]
    assert not differing, f"list and read differ in {differing}: {row} and {read}"


@requirement("sessions.other_event")
def test_a_session_is_not_found_in_another_event(api: Api, given: Given, world: World) -> None:
    sessions = world.sessions
    given.require_success(api.get_session(sessions.event_id, sessions.ids[0]))
    elsewhere = api.get_session(world.scratch.event_id, sessions.ids[0])
    assert elsewhere.status_and_code == (404, "SESSION_NOT_FOUND"), elsewhere.summary


@requirement("sessions.conflict.org_wide")
def test_a_session_id_is_taken_in_every_event_of_the_org(api: Api, given: Given, world: World) -> None:
    event_id = world.scratch.event_id
    given.session(event_id)
    taken = api.create_session(event_id, given.session_request(session_id=world.sessions.ids[0]))
    assert taken.status_and_code == (409, "PARTNER_ID_CONFLICT"), taken.summary


@requirement("sessions.conflict.unchanged")
def test_a_refused_creation_leaves_the_first_session_as_it_was(api: Api, given: Given, world: World) -> None:
    event_id = world.scratch.event_id
    session_id = given.session(event_id, title="First")
    before = given.require_success(api.get_session(event_id, session_id)).json
    second = given.session_request(session_id=session_id, title="Second", description="Other")
    if api.create_session(event_id, second).is_success:
        raise SetupFailed("the second creation was accepted", "createSession accepts an ID twice")
    # Whether another event can use the ID is only implied: there it is refused, or another session.
    api.create_session(world.event.id, second)
    read = api.get_session(event_id, session_id)
    assert read.is_success, f"{read.summary} after another creation with its ID was refused"
    after = read.json
    changed = [name for name in SHOWN if before.get(name) != after.get(name)]
    assert not changed, f"the refused creation changed {changed}"


@requirement("sessions.create.once")
def test_of_simultaneous_creations_one_is_accepted(api: Api, given: Given, world: World) -> None:
    event_id = world.scratch.event_id
    given.session(event_id)
    create = Call("createSession", path={"event_id": event_id}, body=given.session_request())
    answers = api.send_concurrently([create] * 8)
    assert sum(answer.is_success for answer in answers) == 1, [answer.status_and_code for answer in answers]
    refusals = {answer.status_and_code for answer in answers if not answer.is_success}
    assert refusals == {(409, "PARTNER_ID_CONFLICT")}, refusals


@requirement("sessions.id.case")
def test_ids_that_differ_in_case_are_two_sessions(api: Api, given: Given, world: World) -> None:
    event_id, base = world.scratch.event_id, given.name("session")
    lower = given.session(event_id, session_id=f"{base}-abc", title="Lower")
    upper = api.create_session(event_id, given.session_request(session_id=f"{base}-ABC", title="Upper"))
    assert upper.is_success, f"{upper.summary}: the ID of another session differs in case"
    for session_id, title in ((lower, "Lower"), (f"{base}-ABC", "Upper")):
        read = given.require_success(api.get_session(event_id, session_id)).json
        shown = read["session_id"], read.get("title", title)
        assert shown == (session_id, title), f"{session_id} was asked for, {shown} is shown"


@requirement("sessions.listed.past")
def test_sessions_of_a_past_day_are_listed(api: Api, given: Given) -> None:
    event = given.event_request(start_date="2019-03-10", end_date="2019-03-11")
    request = given.session_request(start_timestamp="2019-03-10T09:00:00Z", end_timestamp="2019-03-10T10:00:00Z")
    for answer in (api.create_event(event), api.create_session(event["event_id"], request)):
        if not answer.is_success:
            raise NothingThere(f"{answer.summary} of a past day", "sessions of past days are refused")
    call = Call("listSessions", path={"event_id": event["event_id"]})
    rows = given.list_until_shown(call, "session_id", [request["session_id"]])
    listed = [row.get("session_id") for row in rows]
    assert listed == [request["session_id"]], f"the event has the session {request['session_id']}, listed is {listed}"
