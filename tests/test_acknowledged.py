"""What a write acknowledged is there for the next call.

The client waits for rows that a target acknowledged and does not know yet, so that no other test stumbles over them.
Here it does not wait.
"""

from __future__ import annotations

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import Judge, requirement

ROUNDS = 3
"""How many rows of each kind are made and read: a lag need not strike every time."""


def assert_known(api: Api, call: Call) -> None:
    """Assert that an operation finds what an earlier answer acknowledged, the first time it is asked."""
    answer = api.transport.call(call, at_once=True)
    assert answer.is_success, f"{answer.summary}, right after the write that made it was answered"


@requirement("acknowledged.event", "acknowledged.elsewhere")
def test_an_event_is_known_as_soon_as_it_is_created(api: Api, given: Given, judge: Judge) -> None:
    for _ in range(ROUNDS):
        path = {"event_id": given.event()}
        with judge("acknowledged.event"):
            assert_known(api, Call("getEvent", path=path))
        path = {"event_id": given.event()}
        with judge("acknowledged.event"):
            assert_known(api, Call("getEventContext", path=path))
        partner_id = given.event()
        with judge("acknowledged.event"):
            assert_known(api, Call("getIdMapping", path={"kind": "event", "partner_id": partner_id}))
        path = {"event_id": given.event()}
        with judge("acknowledged.elsewhere"):
            assert_known(api, Call("listSessions", path=path))
            assert_known(api, Call("createSession", path=path, body=given.session_request()))


@requirement("acknowledged.session")
def test_a_session_is_known_as_soon_as_it_is_created(api: Api, given: Given) -> None:
    event_id = given.event()
    for _ in range(ROUNDS):
        assert_known(api, Call("getSession", path={"event_id": event_id, "session_id": given.session(event_id)}))
        assert_known(api, Call("getIdMapping", path={"kind": "session", "partner_id": given.session(event_id)}))


@requirement("acknowledged.run")
def test_a_run_is_known_as_soon_as_it_is_answered(api: Api, given: Given) -> None:
    event_id = given.event()
    given.import_and_wait(event_id)
    writes = [
        Call("createRun", body=given.generic_run_request()),
        Call("importAttendees", path={"event_id": event_id}, body=given.import_request()),
        Call("createEnrichmentRun", path={"event_id": event_id}, body=given.run_request()),
        Call("createMatchRun", path={"event_id": event_id}, body=given.run_request()),
    ]
    for write in writes:
        assert_known(api, Call("getRun", path={"run_id": given.run_id(api.send(write))}))
