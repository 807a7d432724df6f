"""Observers of imports and attendees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .observer import Observer, Sightings, by_code, each
from .traffic import Import, Observed, Traffic

MANY_BYTES = 1_000_000
ROW_CODES = {"INVALID_PARTNER_ID": "partner_id", "INVALID_ATTENDEE": "attendee", "INVALID_ATTENDEES": "attendees"}


def _rows(one: Observed) -> list[Any]:
    rows = one.body.get("attendees")
    return rows if isinstance(rows, list) else []


def no_id(one: Observed) -> str | None:
    if not any(isinstance(row, dict) and "attendee_id" not in row for row in _rows(one)):
        return None
    return by_code(ROW_CODES)(one)


def empty_id(one: Observed) -> str | None:
    ids = [row.get("attendee_id", "present") for row in _rows(one) if isinstance(row, dict)]
    if not any(value is not None and (value == "" or not isinstance(value, str)) for value in ids):
        return None
    choice = by_code(ROW_CODES)(one)
    return None if choice == "attendees" else choice


def no_object(one: Observed) -> str | None:
    if not _rows(one) or all(isinstance(row, dict) for row in _rows(one)):
        return None
    choice = by_code(ROW_CODES)(one)
    return None if choice == "partner_id" else choice


def _reads(traffic: Traffic) -> Iterator[tuple[Observed, list[Import], dict[str, dict[str, Any]]]]:
    """Return whole attendee lists of events at rest: the read, the imports that ended before it, and rows by ID."""
    for one in traffic.of("listAttendees"):
        event_id = one.params["event_id"]
        imports = [found for found in traffic.imports if found.event_id == event_id and found.started < one.ended]
        if one.is_whole_list and imports and all(found.ended < one.started for found in imports):
            yield one, imports, {str(row.get("attendee_id")): row for row in one.rows}


def earlier(traffic: Traffic) -> Sightings:
    """Tell whether a list shows attendees of an earlier import that the latest one left out."""
    for one, imports, listed in _reads(traffic):
        latest = imports[-1].ids
        others = set().union(*(found.ids for found in imports[:-1])) - latest
        if others and latest & listed.keys():
            if others & listed.keys():
                yield "kept", one
            else:
                yield "replaced", one


def omitted(traffic: Traffic) -> Sightings:
    """Look for a title that the latest import of an attendee omits and an earlier one gave."""
    for one, imports, listed in _reads(traffic):
        rows = {str(row.get("attendee_id")): row for row in imports[-1].rows}
        for before in imports[:-1]:
            for row in before.rows:
                attendee_id, title = str(row.get("attendee_id")), row.get("title")
                if title and attendee_id in rows and "title" not in rows[attendee_id] and attendee_id in listed:
                    shown = listed[attendee_id].get("title")
                    if shown == title:
                        yield "kept", one
                    elif not shown:
                        yield "cleared", one


def two_events(traffic: Traffic) -> Sightings:
    """Look for one attendee ID that was imported into two events under different names."""
    first: dict[str, tuple[str, Any]] = {}
    twice: dict[str, tuple[str, Any, Any]] = {}
    for one in traffic.of("importAttendees"):
        event_id = one.params["event_id"]
        for row in _rows(one):
            if not isinstance(row, dict) or not isinstance(row.get("attendee_id"), str):
                continue
            known = first.get(row["attendee_id"])
            if known is None:
                if one.is_success:
                    first[row["attendee_id"]] = (event_id, row.get("name"))
            elif known[0] != event_id and known[1] != row.get("name"):
                if one.code in ("PARTNER_ID_CONFLICT", "INVALID_ATTENDEE", "DUPLICATE_ATTENDEE_ID"):
                    yield "refused", one
                elif one.is_success:
                    twice[row["attendee_id"]] = (known[0], known[1], row.get("name"))
    ended = {(found.event_id, name): found.ended for found in traffic.imports for name in found.ids}
    for one, _, listed in _reads(traffic):
        for attendee_id, row in listed.items():
            if attendee_id not in twice:
                continue
            event_id, own, other = twice[attendee_id]
            later = [when for (event, name), when in ended.items() if name == attendee_id and event != event_id]
            if one.params["event_id"] == event_id and later and max(later) < one.started:
                if row.get("display_name") == own:
                    yield "of_event", one
                elif row.get("display_name") == other:
                    yield "of_org", one


def body_limit(one: Observed) -> str | None:
    if one.request_bytes < MANY_BYTES or "padding" in one.sent_text:
        return None
    if one.is_success:
        return "rows"
    return "bytes" if one.status == 413 else None


OBSERVERS: dict[str, Observer] = {
    "attendees.no_id": each("importAttendees")(no_id),
    "attendees.empty_id": each("importAttendees")(empty_id),
    "attendees.no_object": each("importAttendees")(no_object),
    "attendees.earlier": earlier,
    "attendees.omitted": omitted,
    "attendees.two_events": two_events,
    "attendees.body_limit": each("importAttendees")(body_limit),
}
