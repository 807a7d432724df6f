"""A walk ends, notices circles and refuses to go on for ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from answers import exchange, refusal

from meshi_conformance.errors import Inconclusive
from meshi_conformance.exchange import Exchange
from meshi_conformance.paging import rows, walk


class Pages:
    """A list of pages with the cursors that lead to them."""

    def __init__(self, *cursors: str | None) -> None:
        self._cursors = cursors
        self.asked: list[Mapping[str, Any]] = []

    def __call__(self, query: Mapping[str, Any]) -> Exchange:
        self.asked.append(dict(query))
        number = len(self.asked) - 1
        return exchange("listEvents", 200, {"items": [{"n": number}], "next_cursor": self._cursors[number]})


def test_every_cursor_goes_back_verbatim_until_null() -> None:
    pages = Pages("a/b+c=&d", "é ", None)
    assert [row["n"] for row in rows(walk(pages, {"limit": 1}))] == [0, 1, 2]
    assert pages.asked == [{"limit": 1}, {"limit": 1, "cursor": "a/b+c=&d"}, {"limit": 1, "cursor": "é "}]


def test_a_walk_stops_once_enough_was_seen() -> None:
    pages = Pages("a", "b", "c", None)
    assert len(walk(pages, until=lambda seen: any(row["n"] == 1 for row in seen))) == 2


def test_a_cursor_that_comes_back_fails_the_walk() -> None:
    with pytest.raises(AssertionError, match="circle"):
        walk(Pages("a", "b", "a", None))


def test_a_refused_page_fails_the_walk() -> None:
    with pytest.raises(AssertionError, match="page 1"):
        walk(lambda query: refusal("listEvents", 400, "INVALID_JSON"))


def test_a_list_without_end_is_given_up() -> None:
    pages = Pages(*(str(number) for number in range(50)))
    with pytest.raises(Inconclusive, match="after 5 pages"):
        walk(pages, most_pages=5)
    assert len(pages.asked) == 5
