"""Walking a list to its end, or until our own rows were found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .errors import Inconclusive
from .exchange import Exchange, JsonObject

MOST_PAGES = 600
"""Where a walk gives up: enough for 50,000 rows at 100 a page."""


def walk(
    fetch: Callable[[Mapping[str, Any]], Exchange],
    query: Mapping[str, Any] | None = None,
    *,
    until: Callable[[list[JsonObject]], bool] | None = None,
    most_pages: int = MOST_PAGES,
) -> list[Exchange]:
    """Fetches page after page, each cursor sent back verbatim, and returns the pages.

    Stops at a null cursor, or once `until` says that the rows so far are enough: on a shared org the rest
    belongs to others. A refused page or a cursor that comes back a second time fails the calling check;
    a list longer than `most_pages` raises Inconclusive.
    """
    pages: list[Exchange] = []
    cursors: set[str] = set()
    found: list[JsonObject] = []
    asked = dict(query or {})
    while True:
        page = fetch(asked)
        assert page.accepted, f"page {len(pages) + 1} of the walk: {page.summary}"
        pages.append(page)
        found += page.items
        cursor = page.next_cursor
        if cursor is None or (until is not None and until(found)):
            return pages
        assert cursor not in cursors, f"the walk runs in a circle: page {len(pages)} repeats an earlier cursor"
        cursors.add(cursor)
        if len(pages) >= most_pages:
            raise Inconclusive(f"the list goes on after {most_pages} pages; {page.summary}", "a list too long to walk")
        asked["cursor"] = cursor


def rows(pages: list[Exchange]) -> list[JsonObject]:
    """The rows of all pages, in order."""
    return [row for page in pages for row in page.items]
