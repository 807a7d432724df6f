"""The bounds that take very large requests: rows of one import, bytes of one body."""

from __future__ import annotations

import json
from typing import Any

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call, Padded
from meshi_conformance.errors import CeilingReached, NothingThere
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.large_import import MOST_ROWS
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.shared_data import World

MIB = 1024 * 1024
BODY_SIZES = (16 * MIB, 64 * MIB, 160 * MIB)
"""Bytes of the bodies that look for the limit, which the pages do not give."""

TOO_LARGE = (413, "PAYLOAD_TOO_LARGE")
INVALID_ATTENDEES = (400, "INVALID_ATTENDEES")


# Both imports are sent once for the whole run (testing/large_import.py).


# Both requirements: the second needs `large`, which keeps the test from targets that take no large requests.
@requirement("limits.importAttendees.attendees", "limits.import_rows.too_many")
def test_an_import_takes_50_000_rows_and_not_one_more(world: World, judge: Judge) -> None:
    most, too_many = world.largest.most, world.largest.too_many
    with judge("limits.importAttendees.attendees"):
        assert taken(most), f"{most['summary']} to {MOST_ROWS} rows"
        assert not too_many["accepted"], f"{too_many['summary']} to {MOST_ROWS + 1} rows"
    with judge("limits.import_rows.too_many"):
        refusals = (INVALID_ATTENDEES, TOO_LARGE)
        assert tuple(too_many["refusal"]) in refusals, f"{too_many['summary']}, {MOST_ROWS + 1} rows"


@requirement("limits.import_rows.most")
def test_an_import_of_50_000_rows_lists_each_once(world: World) -> None:
    most, too_many = world.largest.most, world.largest.too_many
    assert taken(most), f"{most['summary']} to {MOST_ROWS} rows"
    found = world.largest_list
    assert not found.stopped, found.stopped
    assert not found.twice, f"{found.twice} attendees are listed twice"
    assert found.listed == MOST_ROWS, f"{MOST_ROWS - found.listed} of {MOST_ROWS} imported attendees are not listed"
    assert too_many["accepted"] or not found.leaked, "a row of the refused import is listed"


def taken(answer: dict[str, Any]) -> bool:
    """Tell whether an import of the most rows was accepted. Raise NothingThere where its bytes were too many first."""
    if tuple(answer["refusal"]) == TOO_LARGE:
        raise NothingThere(f"{MOST_ROWS} of the shortest rows are too many bytes", "the body limit comes first")
    return bool(answer["accepted"])


@requirement("error.importAttendees.PAYLOAD_TOO_LARGE")
def test_a_body_over_the_byte_limit_is_refused(api: Api, given: Given, world: World) -> None:
    call = Call("importAttendees", path={"event_id": world.imports.event_id}, body=given.import_request())
    given.require_success(api.send(call))
    for size in BODY_SIZES:
        exchange = api.send(call.replace(content=padded(given, size)))
        # A size that is accepted, or refused for something else, says nothing: the limit may lie above it.
        if exchange.status == 413:
            assert exchange.status_and_code == TOO_LARGE, exchange.summary
            return
    raise CeilingReached(
        f"bodies up to {BODY_SIZES[-1] // MIB} MiB are not too large; the last: {exchange.summary}",
        "no body limit was met",
    )


def padded(given: Given, size: int) -> Padded:
    """An import of one row that is valid but for its size."""
    text = json.dumps(given.import_request([given.attendee(raw_data={"padding": "|"})]))
    head, _, tail = text.partition("|")
    return Padded(head.encode(), tail.encode(), size)
