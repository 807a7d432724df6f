"""Who may call what: missing and wrong keys, scopes by method, and walls between orgs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.client.pagination import rows, walk
from meshi_conformance.client.polling import look_until
from meshi_conformance.contract.contract import load
from meshi_conformance.errors import SetupFailed
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.exchanges.strict_json import JsonObject
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import requirement
from meshi_conformance.testing.shared_data import World
from meshi_conformance.testing.valid_calls import Calls

OPERATIONS = load().operations
READS = [name for name, operation in OPERATIONS.items() if not operation.writes]
WRITES = [name for name, operation in OPERATIONS.items() if operation.writes]


def per_operation(family: str, names: list[str]) -> pytest.MarkDecorator:
    """One test case for each operation, judging `<family>.<operation>`."""
    return pytest.mark.parametrize(
        "operation", [pytest.param(name, marks=requirement(f"{family}.{name}"), id=name) for name in names]
    )


@per_operation("auth", list(OPERATIONS))
def test_a_call_without_a_usable_key_is_unauthorized(operation: str, api: Api, calls: Calls) -> None:
    call = calls.of(operation)
    for refused in (
        call.replace(key=None),
        call.replace(authorization="Basic Y29uZjpjb25m"),
        # A good key in a header that is not a bearer header.
        call.replace(scheme=""),
        call.replace(scheme="Token "),
        call.replace(authorization="Bearer conf-token-of-no-key-0000000000"),
    ):
        exchange = api.send(refused)
        assert exchange.status_and_code == (401, "UNAUTHORIZED"), exchange.summary


@per_operation("account", list(OPERATIONS))
def test_the_key_of_a_disabled_account_is_refused(operation: str, api: Api, calls: Calls) -> None:
    exchange = api.send(calls.of(operation).replace(key="disabled"))
    assert exchange.status_and_code == (401, "ACCOUNT_DISABLED"), exchange.summary


@per_operation("principal", list(OPERATIONS))
def test_a_token_of_no_service_account_is_refused(operation: str, api: Api, calls: Calls) -> None:
    exchange = api.send(calls.of(operation).replace(key="user"))
    assert exchange.status_and_code == (403, "SERVICE_ACCOUNT_REQUIRED"), exchange.summary


@per_operation("org", [name for name in OPERATIONS if name != "getAuth"])
def test_a_key_without_an_org_is_refused(operation: str, api: Api, calls: Calls) -> None:
    exchange = api.send(calls.of(operation).replace(key="no_org"))
    # Both codes describe such a key, and the pages do not say which one wins.
    assert exchange.status == 403, exchange.summary
    assert exchange.code in ("PARTNER_ORG_REQUIRED", "SERVICE_ACCOUNT_REQUIRED"), exchange.summary


@per_operation("scope", READS)
def test_the_read_scope_is_enough_to_read(operation: str, api: Api, calls: Calls) -> None:
    exchange = api.send(calls.of(operation).replace(key="read"))
    assert exchange.is_success, exchange.summary


@per_operation("scope", WRITES)
def test_the_read_scope_is_not_enough_to_write(
    operation: str, api: Api, calls: Calls, given: Given, world: World
) -> None:
    call = calls.of(operation)
    exchange = api.send(call.replace(key="read"))
    assert exchange.status_and_code == (403, "INSUFFICIENT_SCOPE"), exchange.summary
    assert_no_effect(call, exchange, api, given, world)


def assert_no_effect(call: Call, refused: Exchange, api: Api, given: Given, world: World) -> None:
    """Assert that a write that was refused to another key shows nowhere; then make it with our own key.

    Where our own does not show either, nothing was seen: SetupFailed is raised. A decision uses a review up, so
    it is not made: the review has to be listed as open, which took_effect looks for.
    """
    assert not took_effect(call, api, given, world), f"{refused.summary}, and yet the write took effect"
    if call.operation in ("resolveReview", "mergeReview"):
        return
    own = call
    if call.operation == "importAttendees":
        # Other rows: what the refused import left to be worked off would come before them.
        own = call.with_body(idempotency_key=given.idempotency_key(), attendees=[given.attendee()])
        given.finished_run(api.send(own))
        assert not took_effect(call, api, given, world), f"{refused.summary}, and yet its rows were imported"
    else:
        given.require_success(api.send(own))
    if not look_until(api, call.operation, lambda: took_effect(own, api, given, world), bool):
        raise SetupFailed(
            f"an accepted {call.operation} does not show either, so that nothing can be said of a refused one",
            f"what {call.operation} does cannot be seen",
        )


def took_effect(call: Call, api: Api, given: Given, world: World) -> bool:
    """Whether a write shows in what can be read."""
    event_id = call.path.get("event_id", "")
    if call.operation == "createEvent":
        return api.get_event(call.body["event_id"]).is_success
    if call.operation == "createSession":
        return api.get_session(event_id, call.body["session_id"]).is_success
    if call.operation == "importAttendees":
        return api.get_id_mapping("attendee", call.body["attendees"][0]["attendee_id"]).is_success
    if call.operation == "updateEventContext":
        return call.body["event_details"] in api.get_event_context(event_id)["context"].values()
    if call.operation in ("resolveReview", "mergeReview"):
        return call.path["review_id"] not in given.open_reviews(world.refusals.event_id, at_least=0)
    newest = api.list_runs(query={"limit": 100})
    return any(row.get("idempotency_key") == call.body["idempotency_key"] for row in newest.items)


def is_not_found(*codes: str) -> Callable[[Call, Api, Given, World], None]:
    def check(call: Call, api: Api, given: Given, world: World) -> None:
        writes = OPERATIONS[call.operation].writes
        if not writes:
            given.require_success(api.send(call))
        exchange = api.send(call.replace(key="other"))
        assert exchange.status == 404, f"{exchange.summary} to another org's key"
        assert exchange.code in codes, f"{exchange.summary} to another org's key, not {' or '.join(codes)}"
        if writes:
            assert_no_effect(call, exchange, api, given, world)

    return check


def texts(items: list[JsonObject], member: str) -> set[str]:
    """The values that a member has in rows; a value that is not a text names no row."""
    return {row[member] for row in items if isinstance(row.get(member), str)}


def shown_to_others(call: Call, api: Api, member: str, at_least: int) -> set[str]:
    """The IDs in a list's newest rows, and so many of them, as the other org's key sees it."""
    fetch = lambda query: api.send(call.replace(key="other", query=query))  # noqa: E731
    return texts(rows(walk(fetch, {"limit": 100}, until=lambda seen: len(seen) >= at_least)), member)


def lists_nothing_of_ours(member: str) -> Callable[[Call, Api, Given, World], None]:
    """Neither the list nor what a cursor of ours leads to shows another org's key any of our rows."""

    def check(call: Call, api: Api, given: Given, world: World) -> None:
        # They have to be there before the list is read, and among the newest rows of any org.
        ours = OURS[call.operation](given, world)
        given.settle(call, member, ours)
        first = given.page(call.replace(query={"limit": 100}))
        if not ours & texts(first.items, member):
            raise SetupFailed(f"{first.summary} without {sorted(ours)}", f"{call.operation} does not list our rows")
        leaked = ours & shown_to_others(call, api, member, 200)
        assert not leaked, f"{call.operation} shows another org's key our {sorted(leaked)}"
        first = given.page(call.replace(query={"limit": 1}))
        if first.next_cursor is None:
            return
        # The same page size: whether it may change during a walk is open (lists.limit_change).
        query = {"limit": 1, "cursor": first.next_cursor}
        mine = texts(given.page(call.replace(query=query)).items, member)
        theirs = api.send(call.replace(key="other", query=query))
        if not theirs.is_success:
            return
        # A server may ignore a foreign cursor and return page 1, and both orgs may use the same event ID.
        own = shown_to_others(call, api, member, 1000)
        leaked = texts(theirs.items, member) & mine - own
        assert not leaked, f"{theirs.summary} to another org's key with our cursor, with {len(leaked)} rows of ours"

    return check


def takes_the_same_session_id(call: Call, api: Api, given: Given, world: World) -> None:
    is_not_found("EVENT_NOT_FOUND")(call, api, given, world)
    theirs = api.send(call.with_path(event_id=world.theirs.event_id).replace(key="other"))
    assert theirs.is_success, f"{theirs.summary}: the session ID is mapped in our org alone"


def creates_its_own_event(call: Call, api: Api, given: Given, world: World) -> None:
    event_id = given.event(title="Ours")
    request = given.event_request(event_id=event_id, title="Theirs")
    before = given.require_success(api.get_event(event_id))["title"]
    theirs = api.send(call.replace(body=request, key="other"))
    assert theirs.is_success, f"{theirs.summary}: the ID is mapped in our org alone"
    after = given.require_success(api.get_event(event_id))["title"]
    assert after == before, f"another org's create changed the title of our event from {before!r} to {after!r}"
    shown = given.require_success(api.as_key("other").get_event(event_id))["title"]
    if before != "Ours":
        # That an event is read as it was written is a requirement of its own.
        raise SetupFailed(f"our event is shown with the title {before!r}", "events are not read as written")
    assert shown == "Theirs", f"the other org reads the title {shown!r} of an event that it created as 'Theirs'"
    names_their_org(call, api, given)


def names_their_org(call: Call, api: Api, given: Given) -> None:
    """An org in the body, which the pages do not name, has no effect: the key alone says whose event it is."""
    org_id = given.require_success(api.as_key("other").get_auth())["org_id"]
    request = {**given.event_request(title="Ours alone"), "org_id": org_id}
    if api.send(call.replace(body=request)).is_success:
        theirs = api.as_key("other").get_event(request["event_id"])
        assert not theirs.is_success, f"{theirs.summary} to another org's key: our request had named that org"


def starts_its_own_run(call: Call, api: Api, given: Given, world: World) -> None:
    ours = given.run_id(api.send(call))
    theirs = api.send(call.replace(key="other"))
    assert theirs.is_success, f"{theirs.summary}: the idempotency key was used in our org alone"
    assert theirs["run_id"] != ours, "another org's key was answered with our run"


def maps_no_id_of_ours(call: Call, api: Api, given: Given, world: World) -> None:
    # The other org has attendees by the IDs of our first event, and none by those of the second.
    ours = {"event": world.event.id, "session": world.sessions.ids[0], "attendee": world.second.ids[0]}
    for kind, partner_id in ours.items():
        given.require_success(api.get_id_mapping(kind, partner_id))
        is_not_found("PARTNER_ID_NOT_FOUND")(call.with_path(kind=kind, partner_id=partner_id), api, given, world)


def shows_no_match_of_ours(call: Call, api: Api, given: Given, world: World) -> None:
    is_not_found("EVENT_NOT_FOUND")(call, api, given, world)
    ours = given.require_success(api.send(call))
    query = {"run_id": ours["run_id"]}
    # Their own event, and attendees of the IDs that ours have: the run alone is not theirs.
    theirs = api.send(call.with_path(event_id=world.theirs.event_id).replace(key="other", query=query))
    shown = theirs.is_success and (call.operation == "getMatch" or theirs.items)
    assert not shown, f"{theirs.summary} to another org's key, and with matches of our run {ours['run_id']}"
    assert theirs.status < 500, f"{theirs.summary} to another org's key that names our run"


OURS: dict[str, Callable[[Given, World], set[str]]] = {
    "listEvents": lambda given, world: {given.event()},
    "listRuns": lambda given, world: {given.run_id(given.api.create_run(given.generic_run_request()))},
    "listReviews": lambda given, world: set(world.queue.reviews),
}
"""Rows of ours in the lists of the whole org."""

ISOLATION: dict[str, Callable[[Call, Api, Given, World], None]] = {
    "getIdMapping": maps_no_id_of_ours,
    "createEvent": creates_its_own_event,
    "listEvents": lists_nothing_of_ours("event_id"),
    "createSession": takes_the_same_session_id,
    "createRun": starts_its_own_run,
    "listRuns": lists_nothing_of_ours("run_id"),
    "getRun": is_not_found("RUN_NOT_FOUND"),
    "listAttendeeMatches": shows_no_match_of_ours,
    "listEventMatches": shows_no_match_of_ours,
    "getMatch": shows_no_match_of_ours,
    "listReviews": lists_nothing_of_ours("review_id"),
    "resolveReview": is_not_found("REVIEW_NOT_FOUND"),
    # Neither the review nor the attendees exist in the other org; the pages do not say which is missed first.
    "mergeReview": is_not_found("REVIEW_NOT_FOUND", "PARTNER_ID_NOT_FOUND"),
}
"""How another org's key must be answered; every other operation works below one event of ours."""


@per_operation("isolation", [name for name in OPERATIONS if name != "getAuth"])
def test_another_org_sees_and_changes_nothing_of_ours(
    operation: str, api: Api, calls: Calls, given: Given, world: World
) -> None:
    check = ISOLATION.get(operation, is_not_found("EVENT_NOT_FOUND"))
    check(calls.of(operation), api, given, world)


@requirement("auth.account.stable")
def test_a_key_belongs_to_one_account(api: Api, given: Given) -> None:
    names = ("org_id", "principal_type", "service_account_user_id")
    first, second = (given.require_success(api.get_auth()).json for _ in range(2))
    differing = [name for name in names if first.get(name) != second.get(name)]
    assert not differing, f"two calls with one key differ in {differing}: {first} and {second}"
