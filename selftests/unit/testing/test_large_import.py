"""The walk over the largest import: what it counts, and what it does not take for an end."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from meshi_conformance.client.call import Call
from meshi_conformance.errors import SetupFailed
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.testing import large_import as largest
from meshi_conformance.testing.arrange import Given, plain_rows
from meshi_conformance.testing.large_import import largest_list

from ..answers import Scripted, exchange, refusal

ROWS = 6
IDS = [row["attendee_id"] for row in plain_rows("row", ROWS + 1)]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(largest, "MOST_ROWS", ROWS)


def listing(*pages: Iterable[str] | Exchange) -> dict[str, Any]:
    """What is said of a list with these pages of attendee IDs."""

    def answer(call: Call) -> Exchange:
        if call.operation == "getRun":
            return exchange("getRun", 200, {"run_id": "run", "status": "succeeded"})
        number = int(call.query.get("cursor", "0"))
        page = pages[number]
        if isinstance(page, Exchange):
            return page
        more = str(number + 1) if number + 1 < len(pages) else None
        rows = [{"attendee_id": one} for one in page]
        return exchange("listAttendees", 200, {"items": rows, "next_cursor": more})

    given = Given(Scripted(answer), "run1", "w0")
    return largest_list(given, SimpleNamespace(event_id="event", base="row", run_id="run"))


def test_a_list_of_all_rows_has_each_once() -> None:
    found = listing(IDS[:4], ["other", *IDS[4:6]])
    assert (found["listed"], found["twice"], found["leaked"], found["stopped"]) == (ROWS, 0, False, "")


def test_lost_rows_are_not_listed() -> None:
    assert listing(IDS[:4], IDS[5:6])["listed"] == ROWS - 1


def test_rows_that_come_again_are_counted() -> None:
    found = listing(IDS[:4], IDS[2:6])
    assert (found["listed"], found["twice"]) == (ROWS, 2)


def test_the_row_of_the_refused_import_leaks() -> None:
    assert listing(IDS)["leaked"]


def test_a_later_page_that_is_refused_stops_the_walk() -> None:
    found = listing(IDS[:4], refusal("listAttendees", 400, "INVALID_CURSOR"))
    assert found["listed"] == 4
    assert "page 2" in found["stopped"]


def test_a_list_that_cannot_be_read_at_all_is_not_judged() -> None:
    with pytest.raises(SetupFailed):
        listing(refusal("listAttendees", 400, "INVALID_LIMIT"))
