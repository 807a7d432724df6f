"""A valid call of each of the 25 operations: the twin of every call that must be refused."""

from __future__ import annotations

from collections.abc import Callable

from .client import Call
from .given import Given
from .world import World


class Calls:
    """Makes a call that a conforming server accepts. Writes get fresh IDs, so each can be sent once."""

    def __init__(self, given: Given, world: World) -> None:
        self._given = given
        self._world = world

    def of(self, operation: str) -> Call:
        """A valid call of an operation. Raises CouldNotArrange where the world lacks what it needs."""
        return BUILDERS[operation](self._given, self._world)


def _event(operation: str) -> Callable[[Given, World], Call]:
    return lambda given, world: Call(operation, path={"event_id": world.event.id})


def _attendee(operation: str) -> Callable[[Given, World], Call]:
    def build(given: Given, world: World) -> Call:
        # Read of an attendee's matches: there must be some.
        source = world.matched if operation == "listAttendeeMatches" else world.people
        path = {"event_id": source.event_id, "attendee_id": world.people.ids[0]}
        return Call(operation, path=path)

    return build


def _get_match(given: Given, world: World) -> Call:
    pair = world.pair
    path = {
        "event_id": pair.event_id,
        "principal_partner_id": pair.principal,
        "target_partner_id": pair.target,
    }
    return Call("getMatch", path=path)


def _resolve(given: Given, world: World) -> Call:
    review = world.refusals.reviews[0]
    return Call("resolveReview", path={"review_id": review}, body={"decision": "distinct", "reason": "Checked."})


def _merge(given: Given, world: World) -> Call:
    refusals = world.refusals
    source, target = refusals.pairs[0]
    body = {
        "source_kind": "attendee",
        "source_partner_id": source,
        "target_kind": "attendee",
        "target_partner_id": target,
        "reason": "Checked.",
    }
    return Call("mergeReview", path={"review_id": refusals.reviews[0]}, body=body)


BUILDERS: dict[str, Callable[[Given, World], Call]] = {
    "getAuth": lambda given, world: Call("getAuth"),
    "getIdMapping": lambda given, world: Call("getIdMapping", path={"kind": "event", "partner_id": world.event.id}),
    "createEvent": lambda given, world: Call("createEvent", body=given.event_request()),
    "listEvents": lambda given, world: Call("listEvents"),
    "getEvent": _event("getEvent"),
    "updateEventContext": lambda given, world: Call(
        "updateEventContext",
        path={"event_id": world.scratch.event_id},
        body={
            # Unlike what any other call wrote, so that it shows whether this one took effect.
            "event_details": f"People who test interfaces: {given.name('context')}.",
            "objectives": "Meet.",
            "welcome_instructions": "Hi.",
        },
    ),
    "getEventContext": _event("getEventContext"),
    "createSession": lambda given, world: Call(
        "createSession", path={"event_id": world.scratch.event_id}, body=given.session_request()
    ),
    "listSessions": _event("listSessions"),
    "getSession": lambda given, world: Call(
        "getSession", path={"event_id": world.sessions.event_id, "session_id": world.sessions.ids[0]}
    ),
    "listAttendees": _event("listAttendees"),
    "importAttendees": lambda given, world: Call(
        "importAttendees", path={"event_id": world.imports.event_id}, body=given.import_request()
    ),
    "listAttendeeIdentity": _attendee("listAttendeeIdentity"),
    "createEnrichmentRun": lambda given, world: Call(
        "createEnrichmentRun", path={"event_id": world.scratch.event_id}, body=given.run_request()
    ),
    "createMatchRun": lambda given, world: Call(
        "createMatchRun", path={"event_id": world.scratch.event_id}, body=given.run_request(top_n=5)
    ),
    "listAttendeeMatches": _attendee("listAttendeeMatches"),
    "listEventMatches": lambda given, world: Call("listEventMatches", path={"event_id": world.rematched.event_id}),
    "getMatch": _get_match,
    "createRun": lambda given, world: Call("createRun", body=given.generic_run_request()),
    "listRuns": lambda given, world: Call("listRuns"),
    "getRun": lambda given, world: Call("getRun", path={"run_id": world.plain_run.run_id}),
    "listEventReviews": _event("listEventReviews"),
    "listReviews": lambda given, world: Call("listReviews"),
    "resolveReview": _resolve,
    "mergeReview": _merge,
}
