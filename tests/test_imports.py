"""What an import and an enrichment do to an event's attendees; test_attendees judges how these are shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.errors import SetupFailed
from meshi_conformance.testing.arrange import Given, plain_rows
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.shared_data import World

MANY_ROWS = 1200
"""More than any server would take at once without a loop over batches."""


def listed(given: Given, event_id: str, showing: Iterable[str] = ()) -> set[Any]:
    """The IDs of an event's attendees, as its list shows them once these are among them, or may no longer lag."""
    call = Call("listAttendees", path={"event_id": event_id})
    return {row.get("attendee_id") for row in given.list_until_shown(call, "attendee_id", showing)}


def assert_listed(given: Given, event_id: str, attendee_id: str, ended: str) -> None:
    """An imported attendee is listed. Whom an import that ended in part has left out is not documented."""
    if attendee_id not in listed(given, event_id, [attendee_id]):
        if ended != "succeeded":
            raise SetupFailed(f"the import ended {ended}", "an import did not succeed as a whole")
        raise AssertionError(f"{attendee_id} is not listed after an import that succeeded")


@requirement("imports.name_alone")
def test_an_attendee_needs_only_an_id_and_a_name(api: Api, given: Given) -> None:
    event_id = given.event()
    bare = given.attendee(email=None, linkedin_url=None, title=None, company=None, raw_data=None)
    answer = api.import_attendees(event_id, given.import_request([bare]))
    if not answer.is_success:
        given.require_success(api.import_attendees(event_id, given.import_request()))
    assert answer.is_success, f"{answer.summary} to a row of ID and name alone"
    assert_listed(given, event_id, bare["attendee_id"], given.finished_run(answer)["status"])


@requirement("imports.every_row", "attendees.listed")
def test_every_row_of_many_is_checked_and_imported(api: Api, given: Given, judge: Judge) -> None:
    event_id = given.event()
    rows = plain_rows(given.name("late"), MANY_ROWS)
    ended = given.import_and_wait(event_id, rows)
    with judge("attendees.listed"):
        if ended["status"] != "succeeded":
            raise SetupFailed(f"the import ended {ended['status']}", "an import did not succeed as a whole")
        sent = {row["attendee_id"] for row in rows}
        missing = sorted(sent - listed(given, event_id, sent))
        if missing and api.get_id_mapping("attendee", missing[0]).is_success:
            raise SetupFailed("a walk lost attendees who are mapped", "listAttendees loses rows")
        assert not missing, f"{len(missing)} of {MANY_ROWS} imported attendees are not listed, such as {missing[0]}"
    with judge("imports.every_row"):
        check_last_row(api, given, event_id, rows)


def check_last_row(api: Api, given: Given, event_id: str, rows: list[dict[str, Any]]) -> None:
    """Asserts that an import is refused for its last row alone."""
    last = rows.pop()
    for bad, code in (
        ({**last, "name": ""}, "INVALID_ATTENDEE_NAME"),
        ({**last, "title": "x" * 513}, "INVALID_ATTENDEE_TITLE"),
        ({**last, "attendee_id": "-late"}, "INVALID_PARTNER_ID"),
        ({**last, "attendee_id": rows[0]["attendee_id"]}, "DUPLICATE_ATTENDEE_ID"),
    ):
        answer = api.import_attendees(event_id, given.import_request([*rows, bad]))
        assert answer.status_and_code == (400, code), (
            f"{answer.summary} to row {MANY_ROWS} alone; documented: 400 {code}"
        )


@requirement("imports.later.adds")
def test_a_later_import_adds_attendees(given: Given, world: World) -> None:
    roster = world.roster
    assert_listed(given, roster.event_id, roster.added, roster.ended[1])


@requirement("imports.replay.imports_nothing")
def test_a_replay_with_other_rows_imports_none_of_them(api: Api, given: Given) -> None:
    event_id = given.event()
    request, other = given.import_request(), given.attendee()
    given.finished_run(api.import_attendees(event_id, request))
    given.require_success(api.import_attendees(event_id, {**request, "attendees": [other]}))
    # What the replay had left to be worked off would come before the rows of a later import.
    last = given.attendee()
    given.import_and_wait(event_id, [last])
    shown = listed(given, event_id, [last["attendee_id"]])
    assert other["attendee_id"] not in shown, "a row that only a replay carried was imported"


@requirement("enrichment.keeps_attendees")
def test_an_enrichment_keeps_the_attendees(given: Given, world: World) -> None:
    enriched = world.enriched
    missing = set(world.people.ids) - listed(given, enriched.event_id, world.people.ids)
    assert not missing, f"attendees that are no longer listed after the enrichment: {sorted(missing)}"


@requirement("imports.raw_data")
def test_raw_data_may_be_any_object(api: Api, given: Given, world: World) -> None:
    event_id = world.imports.event_id
    given.require_success(api.import_attendees(event_id, given.import_request()))
    objects: tuple[dict[str, Any], ...] = (
        {},
        {"source": "conformance", "tags": ["a", "b"], "seat": {"row": 7, "aisle": True}, "score": 1.5, "note": None},
    )
    answer = api.import_attendees(event_id, given.import_request([given.attendee(raw_data=one) for one in objects]))
    assert answer.is_success, f"{answer.summary} to an empty object and to one with lists and objects in it"
