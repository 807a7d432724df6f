"""Pages: how long they are, what they do while rows are added, and filters that hold on every one of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.errors import NothingThere, SetupFailed
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.exchanges.strict_json import JsonObject
from meshi_conformance.exchanges.timestamps import instant
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.list_walk import ListWalk, created, member, walk_list, walk_once_shown
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.shared_data import World
from meshi_conformance.testing.valid_calls import Calls

LISTS = {
    "events": "listEvents",
    "sessions": "listSessions",
    "attendees": "listAttendees",
    "identity": "listAttendeeIdentity",
    "attendee_matches": "listAttendeeMatches",
    "event_matches": "listEventMatches",
    "runs": "listRuns",
    "event_reviews": "listEventReviews",
    "reviews": "listReviews",
}
"""Every list, by the name that its requirements have."""

DEFAULT_SIZE = 50
"""Rows of a page where no limit is given (endpoint-reference, GET /events)."""

IN_UTC = "%Y-%m-%dT%H:%M:%SZ"

READ_TIMES = 4
"""How often a first page is read to see how long pages are."""

INSERTED = 3
"""Rows that are added while a walk is under way."""


def per_list(aspect: str, names: list[str]) -> pytest.MarkDecorator:
    """One test case for each list, judging `lists.<list>.<aspect>`."""
    return pytest.mark.parametrize(
        "name", [pytest.param(one, marks=requirement(f"lists.{one}.{aspect}"), id=one) for one in names]
    )


# How long a page is


def many_events(api: Api, given: Given, world: World) -> Call:
    call = Call("listEvents")
    top_up(api, call, lambda: api.create_event(given.event_request()), given)
    return call


def many_runs(api: Api, given: Given, world: World) -> Call:
    call = Call("listRuns")
    top_up(api, call, lambda: api.create_run(given.generic_run_request()), given)
    return call


def many_sessions(api: Api, given: Given, world: World) -> Call:
    event_id = given.event(title="Conformance Summit of Many Sessions")
    call = Call("listSessions", path={"event_id": event_id})
    top_up(api, call, lambda: api.create_session(event_id, given.session_request()), given)
    return call


def top_up(api: Api, call: Call, add: Callable[[], Exchange], given: Given) -> None:
    """Adds rows until the list has one more than a default page."""
    enough = lambda rows: len(rows) > DEFAULT_SIZE  # noqa: E731
    seen = walk_list(api, call, 100, until=enough).rows
    for exchange in api.send_concurrently([add] * (DEFAULT_SIZE + 1 - len(seen))):
        given.require_success(exchange)
    walk_once_shown(api, call, 100, enough, until=enough)


def many_attendees(api: Api, given: Given, world: World) -> Call:
    return Call("listAttendees", path={"event_id": world.crowd.event_id})


def many_matches(api: Api, given: Given, world: World) -> Call:
    matched = world.matched
    call = Call("listEventMatches", path={"event_id": matched.event_id}, query={"run_id": matched.run_id})
    if len(given.list_all(call)) <= DEFAULT_SIZE:
        raise NothingThere("matching left no more than a page", "matching left too few matches for a second page")
    return call


LONG: dict[str, Callable[[Api, Given, World], Call]] = {
    "events": many_events,
    "runs": many_runs,
    "sessions": many_sessions,
    "attendees": many_attendees,
    "event_matches": many_matches,
}
"""Lists of which more than a default page can be had at little cost."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(one, marks=requirement(f"lists.{one}.default_size", f"lists.{one}.full_page"), id=one)
        for one in LONG
    ],
)
def test_a_page_holds_fifty_rows_where_no_limit_is_given(
    name: str, api: Api, given: Given, world: World, judge: Judge
) -> None:
    call = LONG[name](api, given, world)
    limited = call.replace(query={**call.query, "limit": DEFAULT_SIZE})
    # Pages may hold less than they could, now less and now more: the longest of several counts.
    asked, default = ([len(given.page(one).items) for _ in range(READ_TIMES)] for one in (limited, call))
    with judge(f"lists.{name}.full_page"):
        assert min(asked) == DEFAULT_SIZE, f"{min(asked)} rows for limit={DEFAULT_SIZE}, and more follow"
    with judge(f"lists.{name}.default_size"):
        assert max(default) == max(asked), f"{default} rows without a limit, {asked} with limit={DEFAULT_SIZE}"


@requirement("lists.attendees.largest_page")
def test_a_page_can_hold_a_hundred_rows(given: Given, world: World, api: Api) -> None:
    call = many_attendees(api, given, world)
    assert len(given.page(call.replace(query={"limit": 100})).items) == 100


@requirement("lists.events.limit_range")
def test_the_event_list_accepts_limits_from_1_to_100(api: Api, given: Given) -> None:
    given.require_success(api.list_events())
    for limit in (1, 100):
        page = api.list_events(query={"limit": limit})
        assert page.is_success, f"{page.summary} for limit={limit}"


@per_list("odd_limit", list(LISTS))
def test_an_odd_limit_is_refused_or_served_with_a_page(name: str, api: Api, calls: Calls, world: World) -> None:
    call = calls.of(LISTS[name])
    if name == "attendees":
        call = call.with_path(event_id=world.crowd.event_id)
    for page in api.send_concurrently(call.replace(query={"limit": limit}) for limit in (0, 101, -1, "ten")):
        assert page.status < 500, page.summary
        if page.is_success:
            assert len(page.items) <= 100, f"{len(page.items)} rows: {page.summary}"
        else:
            assert page.code, f"{page.summary}: a refusal without a code"


@per_list("odd_cursor", list(LISTS))
def test_a_cursor_never_issued_is_refused_or_served_with_a_page(name: str, api: Api, calls: Calls) -> None:
    call = calls.of(LISTS[name])
    for page in api.send_concurrently(
        call.replace(query={"cursor": cursor}) for cursor in ("conf-never-issued", "MTIz", "%00'")
    ):
        assert page.status < 500, page.summary
        assert page.is_success or page.code, f"{page.summary}: a refusal without a code"


# Rows that are added during a walk


def walk_while_adding(api: Api, call: Call, ours: list[Hashable], named: str, add: Callable[[], object]) -> None:
    """Walks a row at a time, adds a row after each of the first pages, and asserts that ours come once each."""
    key = member(named)
    settle(api, call, ours, key)
    additions = iter([add] * INSERTED)
    found = walk_list(
        api,
        call,
        1,
        until=lambda rows: set(ours) <= {key(row) for row in rows},
        between=lambda: next(additions, lambda: None)(),
    )
    if found.broken:
        # What the walk does without additions is judged by test_lists.py.
        raise SetupFailed(found.broken, f"{call.operation} cannot be walked")
    found.check_once_each(ours, key)


def settle(api: Api, call: Call, ours: list[Hashable], key: Callable[[JsonObject], Hashable]) -> None:
    """Wait until a list shows rows of ours, as long as it may lag behind."""
    until = lambda rows: set(ours) <= {key(row) for row in rows}  # noqa: E731
    walk_once_shown(api, call, 100, until, until=until)


@requirement("lists.events.stable")
def test_new_events_do_not_disturb_a_walk(api: Api, given: Given) -> None:
    ours: list[Hashable] = [given.event() for _ in range(4)]
    walk_while_adding(api, Call("listEvents"), ours, "event_id", given.event)


@requirement("lists.runs.stable")
def test_new_runs_do_not_disturb_a_walk(api: Api, given: Given) -> None:
    def start() -> str:
        return given.run_id(api.create_run(given.generic_run_request()))

    ours: list[Hashable] = [start() for _ in range(4)]
    walk_while_adding(api, Call("listRuns"), ours, "run_id", start)


@requirement("lists.sessions.stable")
def test_earlier_sessions_do_not_disturb_a_walk(api: Api, given: Given) -> None:
    event_id = given.event()
    add = partial(given.session, event_id)
    ours: list[Hashable] = [add(start_timestamp=f"2031-03-10T0{hour}:30:00Z") for hour in (4, 2, 3, 1)]
    call = Call("listSessions", path={"event_id": event_id})
    walk_while_adding(api, call, ours, "session_id", partial(add, start_timestamp="2031-03-10T00:15:00Z"))


@requirement("lists.attendees.stable")
def test_attendees_with_lower_ids_do_not_disturb_a_walk(api: Api, given: Given) -> None:
    event_id = given.event()
    base = given.name("walked")
    ours: list[Hashable] = [f"{base}-m{number}" for number in range(4)]
    rows = [given.attendee(attendee_id=one) for one in ours]
    given.import_and_wait(event_id, rows)
    lower = [given.attendee(attendee_id=f"{base}-a{number}") for number in range(INSERTED)]
    imported: list[object] = []

    def add() -> None:
        """All of them at once, so that one run is enough, and with those who are there: an import may replace them."""
        if not imported:
            imported.append(given.import_and_wait(event_id, [*rows, *lower]))

    walk_while_adding(api, Call("listAttendees", path={"event_id": event_id}), ours, "attendee_id", add)


@requirement("lists.attendees.order")
def test_attendees_of_later_imports_stand_among_the_others(api: Api, given: Given) -> None:
    event_id = given.event()
    base = given.name("sorted")
    ours = [[f"{base}-{letter}{number}" for number in range(2)] for letter in "mag"]
    rows: list[dict[str, Any]] = []
    for ids in ours:
        # Each import brings the earlier ones along: it may replace them.
        rows += [given.attendee(attendee_id=one) for one in ids]
        given.import_and_wait(event_id, rows)
    known = {one for ids in ours for one in ids}
    call = Call("listAttendees", path={"event_id": event_id})
    found = walk_once_shown(api, call, 100, lambda shown: known <= {row.get("attendee_id") for row in shown})
    found.check_order(lambda row: one if (one := row.get("attendee_id")) in known else None, descending=False)


LATER_PAIRS = 5
"""Pairs that open reviews after the four of the prepared event: in a random order they come first once in 126."""


@requirement("lists.event_reviews.order", "lists.event_reviews.stable", "lists.reviews.order", "lists.reviews.stable")
def test_later_reviews_come_first_and_do_not_disturb_a_walk(api: Api, given: Given, world: World, judge: Judge) -> None:
    waves, key = world.waves, member("review_id")
    older: list[Hashable] = list(waves.reviews)
    of_event, of_org = Call("listEventReviews", path={"event_id": waves.event_id}), Call("listReviews")
    later: list[Hashable] = []
    started = time.monotonic()
    enriched: list[float] = []

    def until(rows: list[JsonObject]) -> bool:
        return set(older) <= {key(row) for row in rows}

    def add() -> None:
        """More pairs of look-alikes, once: so many that another order is not newest-first by chance."""
        if enriched:
            return
        pairs = [row for _ in range(LATER_PAIRS) for row in given.look_alikes()]
        given.import_and_wait(waves.event_id, [*waves.rows, *pairs])
        enriched.append(time.monotonic())
        given.enrich_and_wait(waves.event_id)
        now = given.open_reviews(waves.event_id, at_least=len(older) + 1)
        if not set(older) <= set(now):
            raise NothingThere("earlier reviews were replaced", "an enrichment replaces open reviews")
        later.extend(one for one in now if one not in older)

    def walk_org() -> None:
        """The walk through the queue of the org, during which the reviews are added."""
        if "reviews" not in walks:
            walks["reviews"] = walk_list(api, of_org, max(1, depth // 40), until=until, between=add)

    depth = len(walk_list(api, of_org, 100, until=until).rows)
    walks: dict[str, ListWalk] = {}
    walks["event_reviews"] = walk_list(api, of_event, 1, until=until, between=walk_org)
    for name, found in walks.items():
        with judge(f"lists.{name}.stable"):
            if found.broken:
                raise SetupFailed(found.broken, "a review queue cannot be walked")
            found.check_once_each(older, key)
    add()
    for name, call in (("event_reviews", of_event), ("reviews", of_org)):
        queue = walk_list(api, call, 100, until=until)
        with judge(f"lists.{name}.order"):
            if all(created(row) is not None for row in queue.rows):
                queue.check_order(created, True, key)
            elif later and enriched[0] - started > 1:
                # What a row holds is not documented. Where it shows no time, the later wave has to come first;
                # a second lies between the two, so that no clock takes them for equal.
                queue.check_order(lambda row: key(row) in later if key(row) in [*older, *later] else None, True)
            else:
                raise NothingThere("the rows show no time", "the rows of a review queue do not show their order")


# Filters


@requirement("lists.runs.kind_filter")
def test_the_run_list_can_be_narrowed_to_one_kind(api: Api, given: Given) -> None:
    kinds = ("import", "enrichment", "match")
    runs = [(kind, given.run_id(api.create_run(given.generic_run_request(kind)))) for kind in kinds * 2]
    key = member("run_id")
    for kind in kinds:
        ours = [run_id for one, run_id in runs if one == kind]
        call = Call("listRuns", query={"kind": kind})
        until = lambda rows, ours=ours: set(ours) <= {key(row) for row in rows}  # noqa: E731
        large = walk_once_shown(api, call, 100, until, until=until)
        small = walk_list(api, call, 1, until=until, most_pages=12)
        shown = {key(row) for row in [*small.rows, *large.rows]}
        others = shown & {run_id for one, run_id in runs if one != kind}
        assert not others, f"kind={kind} shows our runs of another kind: {others}"
        strangers = {str(row["kind"]) for row in [*small.rows, *large.rows] if "kind" in row} - {kind}
        assert not strangers, f"kind={kind} shows runs of kind {strangers}"
        if large.stopped:
            raise large.stopped
        assert set(ours) <= shown, f"kind={kind} shows our runs of that kind in part only; {large.broken or ''}"


@requirement("lists.sessions.instants")
def test_sessions_are_ordered_by_the_moment_they_start(api: Api, given: Given) -> None:
    event_id = given.event()
    starts = ("2031-03-10T09:00:00Z", "2031-03-10T12:00:00+05:00", "2031-03-10T06:00:00-04:00")
    requests = []
    for start in starts:
        request = given.session_request(start_timestamp=start, end_timestamp="2031-03-11T18:00:00Z")
        if api.create_session(event_id, request).status_and_code == (400, "INVALID_START_TIMESTAMP"):
            # A server may take no other offset than Z: then the order of the same moments is judged.
            request = {**request, "start_timestamp": datetime.fromisoformat(start).astimezone(UTC).strftime(IN_UTC)}
            given.require_success(api.create_session(event_id, request))
        requests.append(request)
    moments = {one["session_id"]: instant(one["start_timestamp"]) for one in requests}
    call = Call("listSessions", path={"event_id": event_id})
    found = walk_once_shown(api, call, 100, lambda rows: set(moments) <= {row.get("session_id") for row in rows})
    found.check_order(lambda row: moments.get(str(row.get("session_id"))), descending=False)


@requirement("lists.sessions.own_event")
def test_an_event_lists_no_session_of_another(given: Given, world: World) -> None:
    event_id = given.event()
    times = [(f"2031-03-10T{hour}:30:00Z", f"2031-03-10T{hour}:50:00Z") for hour in (14, 15, 16)]
    later = [given.session(event_id, start_timestamp=start, end_timestamp=end) for start, end in times]
    begins_alike = given.event(event_id=f"{event_id}-alike")
    ours = given.session(begins_alike)
    call = Call("listSessions", path={"event_id": event_id})
    listed = {row.get("session_id") for row in given.list_until_shown(call, "session_id", later)}
    assert ours not in listed, f"event {event_id} lists a session of event {begins_alike}"
    assert_own(
        given, world, "listSessions", {world.sessions.event_id: world.sessions.ids, event_id: later}, "session_id"
    )


@requirement("lists.attendees.own_event")
def test_an_event_lists_no_attendee_of_another(given: Given, world: World) -> None:
    people, second = world.people, world.second
    assert_own(given, world, "listAttendees", {people.event_id: people.ids, second.event_id: second.ids}, "attendee_id")


@requirement("lists.event_reviews.own_event")
def test_an_event_lists_no_review_of_another(given: Given, world: World) -> None:
    queue, waves = world.queue, world.waves
    assert_own(
        given, world, "listEventReviews", {queue.event_id: queue.reviews, waves.event_id: waves.reviews}, "review_id"
    )


@requirement("lists.event_matches.own_event")
def test_an_event_lists_no_match_of_another(given: Given, world: World) -> None:
    sides = ("principal_attendee_id", "target_attendee_id")
    for event_id, ours in ((world.rematched.event_id, world.people.ids), (world.second.event_id, world.second.ids)):
        rows = given.list_all(Call("listEventMatches", path={"event_id": event_id}))
        if not rows and event_id == world.rematched.event_id:
            raise NothingThere("the event has no matches", "matching left no matches")
        strangers = {str(row[side]) for row in rows for side in sides if side in row} - set(ours)
        assert not strangers, f"the matches of event {event_id} are about {sorted(strangers)}, none of its attendees"


def assert_own(given: Given, world: World, operation: str, ours: dict[str, list[str]], named: str) -> None:
    """Assert that the list of each of two events shows its own rows alone, on small pages and on large ones."""
    for event_id in (*ours, world.empty.event_id):
        call = Call(operation, path={"event_id": event_id})
        given.settle(call, named, ours.get(event_id, []))
        others = {one for other, ids in ours.items() if other != event_id for one in ids}
        shown = {row.get(named) for limit in (1, 100) for row in walk_list(given.api, call, limit, most_pages=40).rows}
        strangers = sorted(map(str, shown & others))
        assert not strangers, f"{operation} of event {event_id} shows rows of another event: {strangers}"
        if event_id in ours and not shown & set(ours[event_id]):
            raise SetupFailed(f"{operation} lists none of our rows", f"{operation} lists none of our rows")
