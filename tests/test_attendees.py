"""Attendees as the list of their event shows them after an import."""

from __future__ import annotations

from typing import Any

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.client.polling import look_until
from meshi_conformance.errors import NothingThere, SetupFailed
from meshi_conformance.exchanges.strict_json import JsonObject
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.list_walk import walk_list
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.sample_texts import BEYOND_ASCII
from meshi_conformance.testing.shared_data import World


def rows_of(given: Given, event_id: str, *showing: str) -> list[JsonObject]:
    """The attendee list of an event, as far as it can be walked: that a walk ends is not judged here.

    It is read again until it shows these attendees, as long as a list may lag behind an import.
    """
    call = Call("listAttendees", path={"event_id": event_id})
    holds = lambda rows: set(showing) <= {row.get("attendee_id") for row in rows}  # noqa: E731
    return look_until(given.api, call.operation, lambda: walk_list(given.api, call, 100).rows, holds)


def row_of(listed: list[JsonObject], attendee_id: str) -> JsonObject:
    """The row of an attendee who was imported."""
    row = next((row for row in listed if row.get("attendee_id") == attendee_id), None)
    if row is None:
        # Who is listed at all is a requirement of its own.
        raise SetupFailed(f"{attendee_id} is not listed after its import", "imported attendees are not listed")
    return row


@requirement("attendees.listed")
def test_every_imported_attendee_is_listed(api: Api, given: Given, world: World) -> None:
    people, crowd = world.people, world.crowd
    for run in (people.polls[-1], crowd.run):
        if run.get("status") != "succeeded":
            raise SetupFailed(f"the import ended {run.get('status')}", "an import did not succeed as a whole")
    missing = set(people.ids) - {row.get("attendee_id") for row in rows_of(given, people.event_id, *people.ids)}
    assert not missing, f"{len(missing)} of {len(people.ids)} imported attendees are not listed: {missing}"
    missing = set(crowd.ids) - {row.get("attendee_id") for row in rows_of(given, crowd.event_id, *crowd.ids)}
    if missing and api.get_id_mapping("attendee", min(missing)).is_success:
        # They exist, and one page is too small for all: what a walk loses is for test_lists.py to judge.
        raise SetupFailed("a walk lost attendees who are mapped", "listAttendees loses rows")
    assert not missing, f"{len(missing)} of {len(crowd.ids)} imported attendees are not listed, such as {min(missing)}"


@requirement(*(f"attendees.{aspect}" for aspect in ("event_id", "display_name", "title", "company")))
def test_a_row_shows_what_was_imported(given: Given, world: World, judge: Judge) -> None:
    # Attendees whom nothing has enriched: an enrichment may know a better title.
    roster = world.roster
    listed = rows_of(given, roster.event_id, roster.added)
    for sent in roster.rows:
        row = row_of(listed, sent["attendee_id"])
        expected = {
            "event_id": roster.event_id,
            "display_name": sent["name"],
            "title": sent["title"],
            "company": sent["company"],
        }
        for name, value in expected.items():
            with judge(f"attendees.{name}"):
                assert row[name] == value, f"{name} of {sent['attendee_id']} is {row[name]!r}, imported was {value!r}"


@requirement("attendees.no_review")
def test_who_needs_no_review_is_shown_so(given: Given, world: World) -> None:
    people = world.people
    if given.open_reviews(people.event_id, at_least=0):
        raise NothingThere("people who are unlike each other have open reviews", "unlike attendees have reviews")
    for row in rows_of(given, people.event_id):
        identity: Any = row["identity"]
        assert isinstance(identity, JsonObject), f"`identity` is not an object: {identity!r}"
        shown = identity["review_required"], identity["open_review_count"]
        assert shown == (False, 0), f"{row.get('attendee_id')} is shown with {identity} while no review is open"


@requirement("attendees.look_alikes")
def test_attendees_who_share_all_but_the_id_are_listed_each(api: Api, given: Given) -> None:
    # Before anything enriches them: an enrichment may settle that they are one person.
    event_id = given.event()
    pair = given.look_alikes()
    run = given.import_and_wait(event_id, pair)
    call, ids = Call("listAttendees", path={"event_id": event_id}), [row["attendee_id"] for row in pair]
    listed = {row.get("attendee_id") for row in given.list_until_shown(call, "attendee_id", ids)}
    if not listed & {row["attendee_id"] for row in pair}:
        raise SetupFailed("no attendee is listed after an import", "imported attendees are not listed")
    missing = {row["attendee_id"] for row in pair} - listed
    assert not missing, f"of two rows with one e-mail {missing} is not listed; the import {run['status']}"


@requirement("attendees.text", "attendees.optional", "attendees.reimport.updates", "attendees.reimport.once")
def test_an_attendee_shows_the_values_of_its_last_import(api: Api, given: Given, judge: Judge) -> None:
    event_id = given.event()
    written = {"name": f"Conny {BEYOND_ASCII}", "title": f"Head {BEYOND_ASCII}", "company": f"Firm {BEYOND_ASCII}"}
    text, bare = given.attendee(**written), given.attendee(title=None, company=None)
    again = given.attendee()
    given.import_and_wait(event_id, [text, bare, again])
    listed = rows_of(given, event_id, *(row["attendee_id"] for row in (text, bare, again)))
    with judge("attendees.text"):
        row = row_of(listed, text["attendee_id"])
        shown = {name: row.get(name) for name in ("title", "company")}
        assert shown == {name: written[name] for name in shown}, f"{written} was imported, {shown} is shown"
    with judge("attendees.optional"):
        row = row_of(listed, bare["attendee_id"])
        assert (row["title"], row["company"]) == (None, None), f"members that were left out are shown: {row}"
    row_of(listed, again["attendee_id"])
    later = {**again, "name": "Conny Later", "title": "Later Title", "company": "Later Company"}
    given.import_and_wait(event_id, [later])
    updated = lambda rows: any(row.get("display_name") == later["name"] for row in rows)  # noqa: E731
    listed = look_until(api, "listAttendees", lambda: rows_of(given, event_id), updated)
    with judge("attendees.reimport.updates"):
        row = row_of(listed, again["attendee_id"])
        shown = {name: row[name] for name in ("display_name", "title", "company")}
        expected = {"display_name": later["name"], "title": later["title"], "company": later["company"]}
        assert shown == expected, f"after {expected} was imported, {shown} is shown"
    with judge("attendees.reimport.once"):
        times = sum(row.get("attendee_id") == again["attendee_id"] for row in listed)
        assert times == 1, f"an attendee that was imported twice is listed {times} times"


@requirement("attendees.id.case")
def test_ids_that_differ_in_case_are_two_attendees(api: Api, given: Given) -> None:
    event_id, base = given.event(), given.name("attendee")
    given.import_and_wait(event_id)
    ids = {f"{base}-abc", f"{base}-ABC"}
    answer = api.import_attendees(event_id, given.import_request([given.attendee(attendee_id=one) for one in ids]))
    assert answer.is_success, f"{answer.summary}: two attendee IDs differ in case"
    given.finished_run(answer)
    listed = {row.get("attendee_id") for row in rows_of(given, event_id, *ids)}
    assert ids <= listed, f"of {ids} the list shows {ids & listed}"
    for one in ids:
        shown = given.require_success(api.get_id_mapping("attendee", one))["partner_id"]
        assert shown == one, f"the mapping of {one} was asked for, that of {shown} is shown"
