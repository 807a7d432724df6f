"""Lists: their documented order, and that following the cursors shows every row once and comes to an end.

Lists below an event of ours are walked whole. Lists of the whole org hold strangers' rows too: there our own
newest rows are looked for, from the top.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.errors import CeilingReached, NothingThere, SetupFailed
from meshi_conformance.exchanges.strict_json import JsonObject
from meshi_conformance.exchanges.timestamps import instant
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.list_walk import (
    ListWalk,
    created,
    member,
    pair,
    score,
    walk_list,
    walk_once_shown,
    whole,
)
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.shared_data import World

TRIES = 5
"""How often a walk through a list of the whole org is begun anew because the list moved under it."""


# Lists below an event


@dataclass(frozen=True)
class Listed:
    """A list of ours: how to ask for it, its rows of ours, what names a row and what it is ordered by."""

    call: Call
    ours: list[Hashable]
    key: Callable[[JsonObject], Hashable]
    rank: Callable[[JsonObject], Any] | None = None
    descending: bool = False
    limit: int = 1


def sessions(api: Api, world: World) -> Listed:
    starts = {one["session_id"]: instant(one["start_timestamp"]) for one in world.sessions.requests}
    return Listed(
        Call("listSessions", path={"event_id": world.sessions.event_id}),
        ours=world.sessions.ids,
        key=member("session_id"),
        rank=lambda row: starts.get(str(row.get("session_id"))),
    )


def attendees(api: Api, world: World) -> Listed:
    people = world.people
    call = Call("listAttendees", path={"event_id": people.event_id})
    # An import may end `partial`: who is listed at all is judged elsewhere.
    ours = [row.get("attendee_id") for row in walk_list(api, call, 100).rows if row.get("attendee_id") in people.ids]
    return Listed(
        call,
        ours=ours,
        key=member("attendee_id"),
        # All our IDs begin alike and end with as many digits, so every collation orders them in this way.
        rank=lambda row: row.get("attendee_id") if row.get("attendee_id") in people.ids else None,
    )


def event_matches(api: Api, world: World) -> Listed:
    matched = with_a_later_run(world)
    call = Call("listEventMatches", path={"event_id": matched.event_id}, query={"run_id": matched.run_id})
    ours = [pair(row) for row in walk_list(api, call, 100).rows]
    # A few rows a page, and one on the last.
    limit = next((limit for limit in range(9, len(ours)) if len(ours) % limit == 1), 1)
    return Listed(call, ours, key=pair, rank=score, descending=True, limit=limit)


def with_a_later_run(world: World) -> Any:
    """The older of two match runs, so that the one asked for is not the latest."""
    _ = world.rematched
    return world.matched


def attendee_matches(api: Api, world: World) -> Listed:
    matched = with_a_later_run(world)
    path = {"event_id": matched.event_id, "attendee_id": world.people.ids[0]}
    call = Call("listAttendeeMatches", path=path, query={"run_id": matched.run_id})
    ours = [pair(row) for row in walk_list(api, call, 100).rows]
    return Listed(call, ours, key=pair, rank=score, descending=True)


def event_reviews(api: Api, world: World) -> Listed:
    call = Call("listEventReviews", path={"event_id": world.queue.event_id})
    return Listed(call, ours=world.queue.reviews, key=member("review_id"))


def identity(api: Api, world: World) -> Listed:
    last = world.history.histories[-1]
    longest = max(last, key=lambda one: len(last[one]))
    call = Call("listAttendeeIdentity", path={"event_id": world.history.event_id, "attendee_id": longest})
    return Listed(call, ours=[whole(row) for row in walk_list(api, call, 100).rows], key=whole)


ARRANGED: dict[str, Callable[[Api, World], Listed]] = {
    "sessions": sessions,
    "attendees": attendees,
    "event_matches": event_matches,
    "attendee_matches": attendee_matches,
    "event_reviews": event_reviews,
    "identity": identity,
}
"""The lists below an event; what the rows of the last two are ordered by is judged by tests of their own."""


def cited(name: str) -> list[str]:
    aspects = ["complete", "end", "page_size"]
    aspects += [] if name in ("event_reviews", "identity") else ["order"]
    aspects += ["run_filter"] if name.endswith("_matches") else []
    return [f"lists.{name}.{aspect}" for aspect in aspects]


@pytest.mark.parametrize("name", [pytest.param(one, marks=requirement(*cited(one)), id=one) for one in ARRANGED])
def test_small_pages_show_every_row_once_and_in_order(name: str, api: Api, world: World, judge: Judge) -> None:
    listed = ARRANGED[name](api, world)
    if len(listed.ours) < 2:
        # Sessions and attendees were sent; reviews, decisions and matches appear at the server's discretion.
        kind = SetupFailed if name in ("sessions", "attendees") else NothingThere
        raise kind(f"{listed.call.operation} has no two rows", f"{listed.call.operation} has too few rows")
    found = walk_list(api, listed.call, listed.limit)
    # A last page of one row, of more, and as long as the others.
    most = min(len(listed.ours), 100)
    for one in (found, *(walk_list(api, listed.call, limit) for limit in (most - 1, most // 2 + 1, most))):
        with judge(f"lists.{name}.complete"):
            one.check_once_each(listed.ours, listed.key)
        with judge(f"lists.{name}.end"):
            one.check_end()
        with judge(f"lists.{name}.page_size"):
            one.check_page_size()
    if listed.rank:
        with judge(f"lists.{name}.order"):
            for one in (found, walk_list(api, listed.call, 100)):
                one.check_order(listed.rank, listed.descending)
    if name.endswith("_matches"):
        with judge(f"lists.{name}.run_filter"):
            run_id = listed.call.query["run_id"]
            for number, page in enumerate(found.pages, 1):
                assert page["run_id"] == run_id, f"page {number} is of run {page['run_id']}, asked for {run_id}"
            others = {row.get("run_id", run_id) for row in found.rows} - {run_id}
            assert not others, f"rows of the run {others} were shown, asked for {run_id}"


@requirement("lists.attendees.complete")
def test_large_pages_show_every_attendee_once(api: Api, world: World) -> None:
    call, key = Call("listAttendees", path={"event_id": world.crowd.event_id}), member("attendee_id")
    walks = [walk_list(api, call, limit) for limit in (100, 60, 50)]
    # Only consistency between page sizes is judged here; completeness is attendees.listed.
    shown = {key(row) for one in walks for row in one.rows}
    ours = [attendee_id for attendee_id in sorted(set(world.crowd.ids)) if attendee_id in shown]
    if len(ours) <= 100:
        raise SetupFailed("the list has no second page", "imported attendees are not listed")
    for one in walks:
        one.check_once_each(ours, key)


@requirement("lists.identity.order")
def test_the_identity_history_is_newest_first(api: Api, world: World) -> None:
    history = world.history
    last = history.histories[-1]
    longest = max(last, key=lambda one: len(last[one]))
    path = {"event_id": history.event_id, "attendee_id": longest}
    found = walk_list(api, Call("listAttendeeIdentity", path=path), limit=1)
    if len(found.rows) > 1 and all(created(row) is not None for row in found.rows):
        found.check_order(created, descending=True)
        return
    # What an item holds is not documented. Where it shows no time, what a decision added has to come first, given
    # that more than a second lies between, so that no clock takes the two for equal.
    judged = False
    for number, after in enumerate(history.histories[1:], 1):
        for one in history.ids:
            earlier, before = history.histories[0][one], history.histories[number - 1][one]
            new = [place for place, row in enumerate(after[one]) if row not in before]
            old = [place for place, row in enumerate(after[one]) if row in earlier]
            if new and old and history.moments[number] - history.moments[0] > 1:
                judged = True
                assert max(new) < min(old), f"an entry that a decision added comes below older ones of {one}"
    if not judged:
        raise NothingThere("the entries show no time", "the entries of an identity history do not show their order")


# Lists of the whole org


def three_events(given: Given) -> list[Hashable]:
    base = given.name("event")
    # In an order of time that is neither that of the IDs nor its reverse, nor that of the last changes.
    ids: list[Hashable] = [given.event(event_id=f"{base}-{letter}", title=f"Summit {letter}") for letter in "bac"]
    given.api.update_event_context(str(ids[0]), {"objectives": "Meet."})
    return ids


def five_runs(given: Given) -> list[Hashable]:
    # So many that no order of made-up IDs is theirs by chance.
    kinds = ("match", "import", "enrichment", "import", "match")
    return [given.run_id(given.api.create_run(given.generic_run_request(kind))) for kind in kinds]


REST_PAGES = 150
"""Pages of a walk whose end matters: it is given up after 200, and others may add rows meanwhile."""


def limit_for_a_rest(count: int) -> int:
    """A page size that leaves one of so many rows for the last page, where some size does within that many pages."""
    least = min(100, count // REST_PAGES + 1)
    sizes = range(99, max(6, least - 1), -1)
    return next((limit for limit in sizes if count % limit == 1), max(least, min(50, count - 1)))


ORG_WIDE: dict[str, tuple[str, str, Callable[[Given, World], list[Hashable]]]] = {
    "events": ("listEvents", "event_id", lambda given, world: three_events(given)),
    "runs": ("listRuns", "run_id", lambda given, world: five_runs(given)),
    "reviews": ("listReviews", "review_id", lambda given, world: world.queue.reviews),
}
"""Operation, what names a row, and rows of ours that are near the top."""


def of_org(name: str, *aspects: str) -> list[str]:
    return [f"lists.{name}.{aspect}" for aspect in aspects]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("events", marks=requirement(*of_org("events", "complete", "page_size", "order")), id="events"),
        pytest.param("runs", marks=requirement(*of_org("runs", "complete", "page_size", "order")), id="runs"),
        pytest.param("reviews", marks=requirement(*of_org("reviews", "complete", "page_size")), id="reviews"),
    ],
)
def test_small_pages_of_the_whole_org_show_each_of_our_rows_once(
    name: str, api: Api, given: Given, world: World, judge: Judge
) -> None:
    operation, named, arrange = ORG_WIDE[name]
    call, key, ours = Call(operation), member(named), arrange(given, world)

    def until(rows: list[JsonObject]) -> bool:
        return set(ours) <= {key(row) for row in rows}

    def top() -> list[Hashable]:
        found = [key(row) for row in walk_list(api, call, 100, until=until, most_pages=20).rows]
        return found[: max((place for place, one in enumerate(found, 1) if one in ours), default=len(found))]

    # Rows of others that appear or vanish meanwhile may move ours, which is not a fault of a walk. So a walk
    # counts against the server only where the list did not change around it.
    walk_once_shown(api, call, 100, until, until=until, most_pages=20)
    for attempt in range(1, TRIES + 1):
        before = top()
        # A walk of fewer pages is sooner over, and so more likely to find the list at rest.
        found = walk_list(api, call, max(1, math.ceil(len(before) * attempt / 40)), until=until)
        with judge(f"lists.{name}.page_size"):
            found.check_page_size()
        try:
            found.check_once_each(ours, key)
        except AssertionError:
            if top() != before:
                continue
        break
    else:
        raise CeilingReached(f"{operation} kept changing", f"{operation} moves too fast to be walked")
    with judge(f"lists.{name}.complete"):
        found.check_once_each(ours, key)
    if name != "reviews":
        with judge(f"lists.{name}.order"):
            found.check_order(created, True, key)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("events", marks=requirement(*of_org("events", "end", "complete", "order")), id="events"),
        pytest.param("runs", marks=requirement(*of_org("runs", "end", "complete", "order")), id="runs"),
        pytest.param("reviews", marks=requirement(*of_org("reviews", "end", "complete")), id="reviews"),
    ],
)
def test_a_list_of_the_whole_org_comes_to_an_end_and_is_newest_first(
    name: str, api: Api, given: Given, world: World, judge: Judge
) -> None:
    operation, named, arrange = ORG_WIDE[name]
    ours, call, key = set(arrange(given, world)), Call(operation), member(named)
    found = walk_list(api, call, limit=100)
    with judge(f"lists.{name}.end"):
        # Where reviews are kept with those that were resolved, many of these may lie between two open ones.
        found.check_end(**({"most_empty": None} if name == "reviews" else {}))
    if name != "reviews":
        with judge(f"lists.{name}.order"):
            found.check_order(created, True, key)
    with judge(f"lists.{name}.complete"):
        # Of a list that is too long to walk whole, the newest rows alone are judged, by the test above.
        if not found.stopped:
            assert_nothing_lost(api, call, found, key, ours if name == "reviews" else None)


def assert_nothing_lost(
    api: Api, call: Call, first: ListWalk, key: Callable[[JsonObject], Hashable], ours: set[Hashable] | None
) -> None:
    """Assert that walks with pages of other sizes show what the first one has shown.

    Nothing can be deleted, but a review is gone once somebody has resolved it: of reviews only `ours` count, and only
    while no other one goes, since a row that goes may move those behind it.
    """
    for _ in range(TRIES):
        walks = [first, walk_list(api, call, limit_for_a_rest(len(first.rows))), walk_list(api, call, 100)]
        for after in walks[1:]:
            if after.stopped:
                raise after.stopped
        shown = [{key(row) for row in one.rows} for one in walks]
        for (before, seen), (after, now) in itertools.pairwise(zip(walks, shown, strict=True)):
            lost = seen - now if ours is None else (seen - now) & ours
            if lost and ours is not None and shown[0] - shown[2] - ours:
                break
            assert not lost, (
                f"{len(lost)} of {len(before.rows)} rows that a walk with limit={before.limit} has shown are "
                f"missing from the next, with limit={after.limit}, such as {min(map(str, lost))}"
            )
        else:
            return
        first = walks[-1]
    raise CeilingReached(f"{call.operation} kept changing", f"{call.operation} moves too fast to be walked")


def a_new_session(given: Given) -> tuple[Call, str]:
    event_id = given.event()
    return Call("listSessions", path={"event_id": event_id}), given.session(event_id)


def a_new_attendee(given: Given) -> tuple[Call, str]:
    event_id, row = given.event(), given.attendee()
    if given.import_and_wait(event_id, [row])["status"] != "succeeded":
        raise NothingThere("the import did not succeed as a whole", "an import did not succeed as a whole")
    return Call("listAttendees", path={"event_id": event_id}), row["attendee_id"]


AT_ONCE: dict[str, tuple[str, Callable[[Given], tuple[Call, str]]]] = {
    "events": ("event_id", lambda given: (Call("listEvents"), given.event())),
    "runs": (
        "run_id",
        lambda given: (Call("listRuns"), given.run_id(given.api.create_run(given.generic_run_request()))),
    ),
    "sessions": ("session_id", a_new_session),
    "attendees": ("attendee_id", a_new_attendee),
}
"""What names a row of a list, and how to write one: the call that lists it and its ID."""


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=requirement(f"lists.{one}.at_once"), id=one) for one in AT_ONCE]
)
def test_a_list_shows_a_row_from_its_acknowledgement_on(name: str, api: Api, given: Given) -> None:
    named, write = AT_ONCE[name]
    call, ours = write(given)

    def holds(rows: list[JsonObject]) -> bool:
        return ours in {row.get(named) for row in rows}

    assert holds(given.list_all(call, until=holds, most_pages=20)), f"{call.operation} does not show {ours} at once"
