"""Walking a list to its end, or until our own rows were found."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..errors import CeilingReached, CheckFailed
from ..exchanges.exchange import Exchange
from ..exchanges.strict_json import JsonObject

MOST_PAGES = 600
"""Where a walk gives up: enough for 50,000 rows at 100 a page."""

REPEATED_PAGES = 10
"""Pages with the rows of an earlier page that make a circle: a few entries of a history may be alike."""

MOST_BYTES, MOST_SECONDS = 24 * 1024 * 1024, 180.0
"""What one walk may take, however short its pages: a list may have no end."""


def steps(
    fetch: Callable[[Mapping[str, Any]], Exchange],
    query: Mapping[str, Any] | None = None,
    *,
    most_pages: int = MOST_PAGES,
) -> Iterator[Exchange]:
    """Fetch page after page until a null cursor, each cursor sent back verbatim.

    A refused page, or pages that show the same rows over and over, fail the calling check; a list longer than
    `most_pages`, or past what one walk may take, raises CeilingReached. Between two pages the caller may do what it
    likes. The cursors themselves say nothing: one token may lead through the whole list.
    """
    seen: set[int] = set()
    repeated = 0
    asked = dict(query or {})
    started = time.monotonic()
    size = 0
    for number in range(1, most_pages + 1):
        page = fetch(asked)
        if not page.is_success:
            raise CheckFailed(f"page {number} of the walk: {page.summary}")
        yield page
        size += len(page.body)
        cursor = page.next_cursor
        if cursor is None:
            return
        shown = hash(json.dumps(page.items, sort_keys=True))
        repeated += bool(page.items) and shown in seen
        if repeated >= REPEATED_PAGES:
            raise CheckFailed(f"the walk runs in a circle: {repeated} pages repeat earlier ones")
        seen.add(shown)
        asked["cursor"] = cursor
        if size > MOST_BYTES or time.monotonic() - started > MOST_SECONDS:
            raise CeilingReached(
                f"the list goes on after {number} pages with {size >> 20} MiB, {time.monotonic() - started:.0f} s; "
                f"{page.summary}",
                "a list too long to walk",
            )
    raise CeilingReached(f"the list goes on after {most_pages} pages; {page.summary}", "a list too long to walk")


def walk(
    fetch: Callable[[Mapping[str, Any]], Exchange],
    query: Mapping[str, Any] | None = None,
    *,
    until: Callable[[list[JsonObject]], bool] | None = None,
    most_pages: int = MOST_PAGES,
) -> list[Exchange]:
    """Return the pages of a list down to its end, as `steps` fetches them.

    Stops before the end once `until` says that the rows so far are enough: on a shared org the rest belongs
    to others.
    """
    pages: list[Exchange] = []
    found: list[JsonObject] = []
    for page in steps(fetch, query, most_pages=most_pages):
        pages.append(page)
        found += page.items
        if until is not None and until(found):
            break
    return pages


def rows(pages: list[Exchange]) -> list[JsonObject]:
    """Return the rows of all pages, in order."""
    return [row for page in pages for row in page.items]
