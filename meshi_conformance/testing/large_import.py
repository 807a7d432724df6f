"""The largest import: fifty thousand rows, walked to the last one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..client.pagination import steps
from ..exchanges.exchange import Exchange
from .arrange import Given, plain_rows

MOST_ROWS = 50_000
"""Rows that one import may carry (endpoint-reference, PUT /events/:event_id/attendees:import)."""


def largest_import(given: Given) -> dict[str, Any]:
    """Import one row too many and then the most rows into the same event, and return what came of it.

    `base` is what the rows' IDs begin with, `too_many` and `most` are the two answers in short, `run_id` is the run
    of the second, None where it was refused.
    """
    event_id = given.event(title="Very Large Conformance Summit")
    given.import_and_wait(event_id)
    base = given.name("row")
    # Of the shortest rows: their number is what counts, not their bytes.
    rows = plain_rows(base, MOST_ROWS + 1)
    too_many = given.api.import_attendees(event_id, given.import_request(rows))
    rows.pop()
    most = given.api.import_attendees(event_id, given.import_request(rows))
    return {
        "event_id": event_id,
        "base": base,
        "too_many": _short(too_many),
        "most": _short(most),
        "run_id": given.run_id(most) if most.is_success else None,
        "exchanges": [too_many.id, most.id],
    }


def largest_list(given: Given, largest: Any) -> dict[str, Any]:
    """Return how the attendees of the largest import are listed once its run has ended.

    `listed` is the number of its rows that are listed at least once, `twice` of those that come again, `leaked` says
    that the row too many is among them, `stopped` why the walk came to no end, if it did not.
    """
    run = given.wait_for(largest.run_id, "importAttendees")[-1]
    given.require_success(given.api.list_attendees(largest.event_id, query={"limit": 1}))
    *ours, surplus = (row["attendee_id"] for row in plain_rows(largest.base, MOST_ROWS + 1))
    times: Counter[Any] = Counter()  # the IDs alone: hundreds of pages are too many to hold
    stopped, last = "", run

    def fetch(query: Mapping[str, Any]) -> Exchange:
        nonlocal last  # the last page is where a walk goes wrong
        last = given.api.list_attendees(largest.event_id, query=query)
        return last

    try:
        for page in steps(fetch, {"limit": 100}):
            times.update(row.get("attendee_id") for row in page.items)
    except AssertionError as problem:
        stopped = str(problem)
    return {
        "listed": sum(one in times for one in ours),
        "twice": sum(max(0, times[one] - 1) for one in ours),
        "leaked": surplus in times,
        "stopped": stopped,
        "exchanges": [run.id, last.id],
    }


def _short(exchange: Exchange) -> dict[str, Any]:
    return {"accepted": exchange.is_success, "refusal": list(exchange.status_and_code), "summary": exchange.summary}
