"""Events: what was written is what is read, and an ID is created once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.client.polling import look_until
from meshi_conformance.contract.contract import load
from meshi_conformance.errors import NothingThere, SetupFailed
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.exchanges.timestamps import instant
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.list_walk import member, walk_once_shown
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.sample_texts import BEYOND_ASCII, OUTSIDE_THE_BASIC_PLANE
from meshi_conformance.testing.shared_data import World

DETAILS = ("event_id", "title", "description", "start_date", "end_date", "timezone", "visibility", "url_slug")
LONGEST = {
    limit.name: limit.schema["maxLength"]
    for limit in load().limits()
    if limit.operation == "createEvent" and limit.name in ("title", "description", "url_slug")
}
"""Characters that every server has to take (endpoint-reference, POST /events: Field limits)."""

FORMED = {"timezone": "Conference/Hall".ljust(128, "x"), "visibility": "invited".ljust(32, "x")}
"""Details of greatest length whose form a server may mind."""

OPTIONAL = ("description", "start_date", "end_date", "timezone", "visibility", "url_slug")
DOCUMENTED = sorted(set(load().operations["getEvent"].responses[200].members) - {"correlation_id"})
"""The members of an event, as its own read shows them."""


def as_written(name: str, value: Any) -> Any:
    """A detail as it is compared: of a date the day, in whatever form it is shown."""
    return value[:10] if name.endswith("_date") and isinstance(value, str) else value


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=requirement(f"events.read_back.{one}"), id=one) for one in DETAILS]
)
def test_a_detail_of_an_event_is_read_as_it_was_written(name: str, api: Api, given: Given, world: World) -> None:
    event = world.event
    read = given.require_success(api.get_event(event.id)).json
    for answer, what in ((event.created, "the answer to the creation"), (read, "the event's read")):
        shown = as_written(name, answer.get(name))
        assert shown == event.request[name], f"{what} shows {name} {shown!r}, written was {event.request[name]!r}"


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=requirement(f"events.read_back.{one}"), id=one) for one in LONGEST]
)
def test_a_long_detail_is_read_as_it_was_written(name: str, api: Api, given: Given) -> None:
    long = given.name("conf").ljust(LONGEST[name], "x")
    event_id = given.event(**{name: long})
    for answer in (given.require_success(api.get_event(event_id)).json, row_of(api, event_id)):
        shown = answer.get(name, long)
        assert shown == long, f"of {len(long)} characters of {name} {len(str(shown))} are shown: {str(shown)[-40:]!r}"


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=requirement(f"events.read_back.{one}"), id=one) for one in FORMED]
)
def test_a_long_detail_of_some_form_is_refused_or_read_as_it_was_written(name: str, api: Api, given: Given) -> None:
    given.event()
    request = given.event_request(**{name: FORMED[name]})
    created = api.create_event(request)
    # Which forms a server takes is open, so a refusal says nothing; what it took it has to show.
    if created.is_success:
        shown = given.require_success(api.get_event(request["event_id"]))[name]
        assert shown == FORMED[name], f"of {len(FORMED[name])} characters of {name} {len(str(shown))} are shown"


@requirement("events.text.emoji")
def test_symbols_outside_the_basic_plane_are_refused_or_kept(api: Api, given: Given) -> None:
    title = f"Title {OUTSIDE_THE_BASIC_PLANE} end"
    given.event()
    request = given.event_request(title=title)
    created = api.create_event(request)
    assert created.status < 500, created.summary
    if created.is_success:
        shown = given.require_success(api.get_event(request["event_id"]))["title"]
        assert shown == title, f"the title is shown as {shown!r}, written was {title!r}"
    else:
        assert created.status_and_code == (400, "INVALID_TITLE"), created.summary


@requirement("events.text")
def test_text_outside_ascii_is_read_as_it_was_written(api: Api, given: Given) -> None:
    event_id = given.event(title=f"Title {BEYOND_ASCII}", description=f"About {BEYOND_ASCII}")
    read = given.require_success(api.get_event(event_id))
    assert read["title"] == f"Title {BEYOND_ASCII}"
    assert read["description"] == f"About {BEYOND_ASCII}"


@requirement("events.optional")
def test_details_that_were_left_out_are_null(api: Api, given: Given) -> None:
    event_id = given.event(**dict.fromkeys(OPTIONAL))
    read = given.require_success(api.get_event(event_id))
    shown = {name: read[name] for name in OPTIONAL}
    assert set(shown.values()) == {None}, f"details that were never given are shown: {shown}"


@requirement("events.listed.details", "events.listed.context", "events.list_row")
def test_the_list_shows_an_event_as_its_own_read_does(api: Api, given: Given, judge: Judge) -> None:
    request = given.event_request()
    event_id = request["event_id"]
    given.require_success(api.create_event(request))
    first = row_of(api, event_id)
    context = {"event_details": "Who comes.", "objectives": "Meet.", "welcome_instructions": "Say hello."}
    given.require_success(api.update_event_context(event_id, context))
    written = lambda row: all(row.get(name) == text for name, text in context.items())  # noqa: E731
    row = look_until(api, "listEvents", lambda: row_of(api, event_id), written)
    read = given.require_success(api.get_event(event_id)).json
    with judge("events.listed.details"):
        for shown in (first, row):
            differing = [name for name in DETAILS if as_written(name, shown.get(name)) != request[name]]
            assert not differing, f"the list shows {differing} otherwise than written: {shown}, written was {request}"
    with judge("events.listed.context"):
        differing = [name for name, text in context.items() if row.get(name) != text]
        assert not differing, f"the list shows {differing} otherwise than written: {row}, written was {context}"
    with judge("events.list_row"):
        differing = [name for name in DOCUMENTED if not same(row.get(name), read.get(name))]
        assert not differing, f"list and read differ in {differing}: {row} and {read}"


def row_of(api: Api, event_id: str) -> dict[str, Any]:
    """An event as the event list shows it. Raises SetupFailed where the list does not show it."""
    named = member("event_id")
    until = lambda rows: event_id in {named(row) for row in rows}  # noqa: E731
    found = walk_once_shown(api, Call("listEvents"), 100, until, until=until)
    row = next((row for row in found.rows if named(row) == event_id), None)
    if row is None:
        raise SetupFailed("the event list does not show a new event", "listEvents does not show a new event")
    return row


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, or the same moment in two forms."""
    return bool(one == other or (instant(one) is not None and instant(one) == instant(other)))


def instants(answers: list[Exchange], name: str) -> list[Decimal]:
    """What a member of each answer says in seconds; without a timestamp in it there is nothing to compare."""
    times = [instant(answer.json.get(name)) for answer in answers]
    if None in times:
        raise SetupFailed(f"{name} is not a timestamp", f"events show no {name}")
    return [time for time in times if time is not None]


@requirement("events.created_at.stable", "events.updated_at.order")
def test_the_times_of_an_event_fit_each_other(api: Api, given: Given, judge: Judge) -> None:
    request = given.event_request()
    answers = [
        given.require_success(api.create_event(request)),
        given.require_success(api.get_event(request["event_id"])),
    ]
    given.require_success(api.update_event_context(request["event_id"], {"objectives": "Meet."}))
    answers.append(given.require_success(api.get_event(request["event_id"])))
    created, updated = instants(answers, "created_at"), instants(answers, "updated_at")
    at_first, before, after = created
    with judge("events.created_at.stable"):
        assert before == after, f"created_at moved from {answers[1]['created_at']} to {answers[2]['created_at']}"
        # The answer to the creation may show finer fractions than are stored.
        assert abs(at_first - before) < 1, f"created as of {answers[0]['created_at']}, read {answers[1]['created_at']}"
    with judge("events.updated_at.order"):
        for answer, made, changed in zip(answers, created, updated, strict=True):
            assert changed >= made, f"updated_at {answer['updated_at']} is before created_at {answer['created_at']}"
        assert updated[2] >= updated[1], "a change of the context moved updated_at back"


@requirement("events.conflict.unchanged")
def test_a_refused_creation_leaves_the_first_event_as_it_was(api: Api, given: Given) -> None:
    event_id = given.event(title="First")
    before = given.require_success(api.get_event(event_id)).json
    if api.create_event(given.event_request(event_id=event_id, title="Second", description="Other")).is_success:
        raise SetupFailed("the second creation was accepted", "createEvent accepts an ID twice")
    after = given.require_success(api.get_event(event_id)).json
    changed = [name for name in DOCUMENTED if before.get(name) != after.get(name)]
    assert not changed, f"the refused creation changed {changed}"


@requirement("events.create.once")
def test_of_simultaneous_creations_one_is_accepted(api: Api, given: Given) -> None:
    given.event()
    request = given.event_request()
    answers = api.send_concurrently([Call("createEvent", body=request)] * 8)
    assert sum(answer.is_success for answer in answers) == 1, [answer.status_and_code for answer in answers]
    refusals = {answer.status_and_code for answer in answers if not answer.is_success}
    assert refusals == {(409, "PARTNER_ID_CONFLICT")}, refusals


@requirement("events.id.case")
def test_ids_that_differ_in_case_are_two_events(api: Api, given: Given) -> None:
    base = given.name("event")
    lower = given.event(event_id=f"{base}-abc", title="Lower")
    upper = api.create_event(given.event_request(event_id=f"{base}-ABC", title="Upper"))
    assert upper.is_success, f"{upper.summary}: the ID of another event differs in case"
    assert given.require_success(api.get_event(lower))["title"] == "Lower"
    assert given.require_success(api.get_event(f"{base}-ABC"))["title"] == "Upper"


@requirement("events.listed.past")
def test_events_of_any_day_are_listed_and_found(api: Api, given: Given, judge: Judge) -> None:
    given.event()
    days: tuple[tuple[str | None, str | None], ...] = (("2019-03-10", "2019-03-11"), (None, None), (None, "2001-01-01"))
    requests = [given.event_request(start_date=start, end_date=end) for start, end in days]
    # A server may want dates, or days that are still to come: then there is nothing to list.
    created = [one["event_id"] for one in requests if api.create_event(one).is_success]
    if not created:
        raise NothingThere("no event of a past day can be created", "events of past days are refused")
    with judge("events.listed.past"):
        for event_id in created:
            read = api.get_event(event_id)
            assert read.is_success, f"{read.summary}: it was created, whatever its dates are"
        call, holds = Call("listEvents"), lambda rows: set(created) <= {row.get("event_id") for row in rows}
        given.settle(call, "event_id", created)
        missing = set(created) - {row.get("event_id") for row in given.list_all(call, until=holds)}
        assert not missing, f"events whose dates have passed, or that have none, are not listed: {sorted(missing)}"
