"""A valid call of each of the 25 operations: the twin of every call that must be refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..client.api import Api
from ..client.call import Call
from ..errors import Inconclusive, SetupFailed
from .arrange import Given
from .existing_data import Found
from .shared_data import World


class Calls:
    """Makes a call that a conforming server accepts. Writes get fresh IDs, so each can be sent once."""

    def __init__(self, given: Given, world: World) -> None:
        self._given = given
        self._world = world
        self._found = Found(given.api)

    def of(self, operation: str) -> Call:
        """Return a valid call of an operation. Raise SetupFailed where the world lacks what it needs.

        Where the run may only read, it is a read of another client's rows, or NotPermitted.
        """
        if self._given.api.transport.target.read_only:
            return self._found.call(operation)
        return BUILDERS[operation](self._given, self._world)

    def done(self, operation: str) -> Call:
        """Return a valid write that was accepted before, or changes nothing but a text: sent again it creates nothing.

        It conflicts or is a replay; a decision is a valid one on an open review. Raise SetupFailed where the
        world lacks what it needs.
        """
        return DONE[operation](self._world) if operation in DONE else self.of(operation)


def _event(operation: str) -> Callable[[Given, World], Call]:
    return lambda given, world: Call(operation, path={"event_id": world.event.id})


def _with_rows(operation: str, part: str) -> Callable[[Given, World], Call]:
    """Return a list of the event of a part of the world, so that there is a row to judge; else of any event."""

    def build(given: Given, world: World) -> Call:
        try:
            event_id = world.get(part).event_id
        except Inconclusive:
            event_id = world.event.id
        return Call(operation, path={"event_id": event_id})

    return build


def _of_the_org(operation: str, part: str) -> Callable[[Given, World], Call]:
    """Return a list of the org, after a part of the world gave it a row; without, where that failed."""

    def build(given: Given, world: World) -> Call:
        with suppress(Inconclusive):
            world.get(part)
        return Call(operation)

    return build


def _attendee_matches(given: Given, world: World) -> Call:
    matched = world.matched  # there must be some to read
    path = {"event_id": matched.event_id, "attendee_id": world.people.ids[0]}
    return Call("listAttendeeMatches", path=path)


def _history(given: Given, world: World) -> Call:
    """Return the longest history there is; any attendee's where no review appeared."""
    try:
        last: dict[str, Any] = world.history.histories[-1]
        path = {"event_id": world.history.event_id, "attendee_id": max(last, key=lambda one: len(last[one]))}
    except Inconclusive:
        path = {"event_id": world.people.event_id, "attendee_id": world.people.ids[0]}
    return Call("listAttendeeIdentity", path=path)


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


def _spent(operation: str) -> Callable[[World], Call]:
    def build(world: World) -> Call:
        request = world.spent.runs[operation]["request"]
        return Call(operation, path={"event_id": world.spent.event_id}, body=request)

    return build


BUILDERS: dict[str, Callable[[Given, World], Call]] = {
    "getAuth": lambda given, world: Call("getAuth"),
    "getIdMapping": lambda given, world: Call("getIdMapping", path={"kind": "event", "partner_id": world.event.id}),
    "createEvent": lambda given, world: Call("createEvent", body=given.event_request()),
    "listEvents": _of_the_org("listEvents", "event"),
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
    "listSessions": _with_rows("listSessions", "sessions"),
    "getSession": lambda given, world: Call(
        "getSession", path={"event_id": world.sessions.event_id, "session_id": world.sessions.ids[0]}
    ),
    "listAttendees": _with_rows("listAttendees", "people"),
    "importAttendees": lambda given, world: Call(
        "importAttendees", path={"event_id": world.imports.event_id}, body=given.import_request()
    ),
    "listAttendeeIdentity": _history,
    "createEnrichmentRun": lambda given, world: Call(
        "createEnrichmentRun", path={"event_id": world.scratch.event_id}, body=given.run_request()
    ),
    "createMatchRun": lambda given, world: Call(
        "createMatchRun", path={"event_id": world.scratch.event_id}, body=given.run_request(top_n=5)
    ),
    "listAttendeeMatches": _attendee_matches,
    "listEventMatches": lambda given, world: Call("listEventMatches", path={"event_id": world.rematched.event_id}),
    "getMatch": _get_match,
    "createRun": lambda given, world: Call("createRun", body=given.generic_run_request()),
    "listRuns": _of_the_org("listRuns", "plain_run"),
    "getRun": lambda given, world: Call("getRun", path={"run_id": world.plain_run.run_id}),
    # Whether reviews appear at all is up to the server.
    "listEventReviews": _with_rows("listEventReviews", "queue"),
    "listReviews": _of_the_org("listReviews", "queue"),
    "resolveReview": _resolve,
    "mergeReview": _merge,
}


def check_baseline_call(api: Api, calls: Calls, operation: str) -> None:
    """Send the plainest valid call of an operation beside a made-up one that was refused.

    Raise SetupFailed where it is refused as well: then the data, the order or the overlap of calls is not
    what is wrong.
    """
    if operation in ("resolveReview", "mergeReview"):
        return  # the plain call would use up what other tests need
    exchange = api.send(calls.of(operation))
    if not exchange.is_success:
        raise SetupFailed(
            f"a plain call is refused as well: {exchange.summary}",
            f"{operation} answered {exchange.status} {exchange.code or ''}".strip(),
        )


DONE: dict[str, Callable[[World], Call]] = {
    "createEvent": lambda world: Call("createEvent", body=world.event.request),
    "createSession": lambda world: Call(
        "createSession", path={"event_id": world.sessions.event_id}, body=world.sessions.requests[0]
    ),
    **{name: _spent(name) for name in ("importAttendees", "createEnrichmentRun", "createMatchRun")},
    "createRun": lambda world: Call("createRun", body=world.plain_run.request),
}
"""Writes that the world was prepared with."""
