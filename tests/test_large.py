"""The bounds that take very large requests: rows of one import, bytes of one body."""

from __future__ import annotations

import json
from typing import Any

from meshi_conformance.client import Api, Call, Padded
from meshi_conformance.errors import Inconclusive
from meshi_conformance.exchange import Exchange
from meshi_conformance.given import Given
from meshi_conformance.marks import Judge, requirement
from meshi_conformance.paging import steps
from meshi_conformance.world import World

MOST_ROWS = 50_000
MIB = 1024 * 1024
BODY_SIZES = (16 * MIB, 64 * MIB, 160 * MIB)
"""Bytes of the bodies that look for the limit, which the pages do not give."""

TOO_LARGE = (413, "PAYLOAD_TOO_LARGE")


def plain_rows(given: Given, count: int) -> list[dict[str, Any]]:
    """Rows with the two required members alone, so that the number of rows is what counts and not their bytes."""
    base = given.name("row")
    return [{"attendee_id": f"{base}-{number:05d}", "name": "Conny"} for number in range(count)]


@requirement("limits.import_rows.most", "limits.import_rows.too_many", "limits.importAttendees.attendees")
def test_an_import_takes_fifty_thousand_rows_and_not_one_more(api: Api, given: Given, judge: Judge) -> None:
    event_id = given.event(title="Very Large Conformance Summit")
    given.imported(event_id)
    rows = plain_rows(given, MOST_ROWS + 1)
    too_many = api.import_attendees(event_id, given.import_request(rows))
    last = rows.pop()
    most = api.import_attendees(event_id, given.import_request(rows))
    ours = {row["attendee_id"] for row in rows}
    rows.clear()  # hundreds of pages follow: no need to hold both
    with judge("limits.importAttendees.attendees"):
        assert taken(most), f"{most.summary} to {MOST_ROWS} rows"
        assert not too_many.accepted, f"{too_many.summary} to {MOST_ROWS + 1} rows"
    with judge("limits.import_rows.too_many"):
        assert too_many.refusal in ((400, "INVALID_ATTENDEES"), TOO_LARGE), f"{too_many.summary}, {MOST_ROWS + 1} rows"
    with judge("limits.import_rows.most"):
        assert taken(most), f"{most.summary} to {MOST_ROWS} rows"
        given.ended(most)
        listed: list[Any] = []
        for page in steps(lambda query: given.accepted(api.list_attendees(event_id, query=query)), {"limit": 100}):
            listed += [row.get("attendee_id") for row in page.items]
        seen = [one for one in listed if one in ours]
        assert len(seen) == len(set(seen)), f"{len(seen) - len(set(seen))} attendees are listed twice"
        assert len(seen) == MOST_ROWS, f"{MOST_ROWS - len(seen)} of {MOST_ROWS} imported attendees are not listed"
        leaked = not too_many.accepted and last["attendee_id"] in listed
        assert not leaked, "a row of the refused import is listed"


def taken(exchange: Exchange) -> bool:
    """Whether an import of the most rows was accepted. Raises Inconclusive where its bytes were too many first."""
    if exchange.refusal == TOO_LARGE:
        raise Inconclusive(f"{MOST_ROWS} of the shortest rows are too many bytes", "the body limit comes first")
    return exchange.accepted


@requirement("error.importAttendees.PAYLOAD_TOO_LARGE")
def test_a_body_over_the_byte_limit_is_refused(api: Api, given: Given, world: World) -> None:
    call = Call("importAttendees", path={"event_id": world.imports.event_id}, body=given.import_request())
    given.accepted(api.send(call))
    for size in BODY_SIZES:
        exchange = api.send(call.but(content=padded(given, size)))
        # A size that is accepted, or refused for something else, says nothing: the limit may lie above it.
        if exchange.status == 413:
            assert exchange.refusal == TOO_LARGE, exchange.summary
            return
    raise Inconclusive(
        f"bodies up to {BODY_SIZES[-1] // MIB} MiB are not too large; the last: {exchange.summary}",
        "no body limit was met",
    )


def padded(given: Given, size: int) -> Padded:
    """An import of one row that is valid but for its size."""
    text = json.dumps(given.import_request([given.attendee(raw_data={"padding": "|"})]))
    head, _, tail = text.partition("|")
    return Padded(head.encode(), tail.encode(), size)
