"""The sequence that the pages recommend, as a partner would walk it."""

from __future__ import annotations

from functools import partial

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.client.polling import look_until, poll_to_end
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import requirement


@requirement("auth.scopes.listed")
def test_auth_lists_the_scopes_of_the_key(api: Api) -> None:
    assert "partner:write" in api.get_auth()["scopes"]


@requirement("auth.scopes.read")
def test_auth_lists_the_scopes_of_a_key_that_may_only_read(api: Api) -> None:
    scopes = api.as_key("read").get_auth()["scopes"]
    assert "partner:read" in scopes, scopes
    assert "partner:write" not in scopes, f"{scopes}, and the key may only read"


@requirement("flow.canonical")
def test_the_recommended_sequence_works(api: Api, given: Given) -> None:
    assert api.get_auth().is_success
    event = given.event_request()
    event_id = event["event_id"]
    assert api.create_event(event).is_success
    context = {
        "event_details": "Product and engineering people of partner companies.",
        "objectives": "Useful introductions across companies.",
        "welcome_instructions": "Say what you are looking for.",
    }
    assert api.update_event_context(event_id, context).is_success
    people = [given.attendee(), given.attendee(email=None, linkedin_url=None, raw_data=None)]
    steps = [
        Call("importAttendees", path={"event_id": event_id}, body=given.import_request(people)),
        Call("createEnrichmentRun", path={"event_id": event_id}, body=given.run_request()),
        Call("createMatchRun", path={"event_id": event_id}, body=given.run_request(top_n=10)),
    ]
    for step in steps:
        started = api.send(step)
        assert started.is_success, started.summary
        poll_to_end(api, started["run_id"])
    reads = (
        Call("listEventMatches", path={"event_id": event_id}, query={"limit": 50}),
        Call(
            "listAttendeeMatches",
            path={"event_id": event_id, "attendee_id": people[0]["attendee_id"]},
            query={"limit": 10},
        ),
    )
    for call in reads:
        page = look_until(api, call.operation, partial(api.send, call), lambda page: page.is_success)
        assert page.is_success, page.summary
