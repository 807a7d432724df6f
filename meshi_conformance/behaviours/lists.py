"""Observers of lists: page sizes, cursors, order, and parameters of a query."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from .observer import Observer, Sightings, each, each_of_any_key, each_page
from .traffic import MAIN, Observed, Traffic, texts

DEFAULT, LARGEST = 50, 100
AT_ONCE = 0.1
"""Seconds after a write within which a list that shows the row shows it at once."""

ENOUGH_TO_COUNT = 10
ENOUGH_TO_FILTER = 3

CREATED_BY = {
    "listEvents": ("createEvent", "event_id"),
    "listSessions": ("createSession", "session_id"),
    "listRuns": ("createRun", "run_id"),
    "listAttendees": ("importAttendees", "attendee_id"),
    "listReviews": ("createEnrichmentRun", "review_id"),
    "listEventReviews": ("createEnrichmentRun", "review_id"),
}
"""By list: the write that adds rows to it, and the ID of a row."""


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"-?[0-9]{1,9}", text) else None


def limit_range(one: Observed) -> str | None:
    limit = _number(one.asked("limit"))
    if limit is None or 1 <= limit <= LARGEST or one.asked("cursor") is not None:
        return None
    if one.refused:
        return "refused"
    count, more = one.row_count, one.next_cursor is not None
    if not one.is_page or not count:
        return None
    if limit < 1:
        return "nearest" if count == 1 and more else "default" if count > 1 else None
    if count == LARGEST and more:
        return "nearest"
    return "default" if count == DEFAULT and more else None


def limit_word(one: Observed) -> str | None:
    limit = one.asked("limit")
    if limit is None or _number(limit) is not None or not limit.isalpha():
        return None
    return "refused" if one.refused else "default" if one.is_page else None


def unknown_cursor(traffic: Traffic) -> Sightings:
    """Look for a cursor that no answer of the run has issued, on a list that has rows."""
    filled = {one.path for one in traffic.pages if one.row_count and one.asked("cursor") is None}
    issued = {cursor for _, cursor in traffic.issued}
    for one in traffic.pages:
        cursor = one.asked("cursor")
        if cursor is None or cursor in issued or one.path not in filled:
            continue
        if one.refused:
            yield "refused", one
        elif one.is_page:
            yield ("first_page" if one.row_count else "empty_page"), one


def cursor_again(traffic: Traffic) -> Sightings:
    """Look for a page that was asked for a second time."""
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    for one in traffic.pages:
        if one.asked("cursor") is None:
            continue
        page = one.path, tuple(one.query)
        if page in seen and one.is_success:
            yield "again", one
        elif page in seen and one.refused:
            yield "once", one
        elif one.is_success:
            seen.add(page)


def limit_change(traffic: Traffic) -> Sightings:
    """Look for a cursor that was issued under a smaller limit and the same filter."""
    continued = _continued(traffic)
    for one in traffic.pages:
        before = traffic.issued.get((one.path, one.asked("cursor")))
        if before is None or before.asked("kind") != one.asked("kind") or before.asked("run_id") != one.asked("run_id"):
            continue
        first, now = _number(before.asked("limit")), _number(one.asked("limit"))
        if first is None or now is None or not 1 <= first < now <= LARGEST:
            continue
        if one.refused:
            yield "refused", one
        elif one.row_count > first:
            yield "anew", one
        elif one.row_count == first and (one.path, one.next_cursor) in continued:
            yield "kept", one


def filter_change(traffic: Traffic) -> Sightings:
    """Look for a cursor of the runs of one kind, sent without the kind."""
    for one in traffic.of("listRuns"):
        before = traffic.issued.get((one.path, one.asked("cursor")))
        kind = before.asked("kind") if before else None
        if kind is None or one.asked("kind") is not None:
            continue
        if one.refused:
            yield "required", one
        elif any(row.get("kind") != kind for row in one.rows):
            yield "anew", one
        elif len(one.rows) >= ENOUGH_TO_FILTER:
            yield "remembered", one


def inserts(traffic: Traffic) -> Sightings:
    """Look for a walk of one test, with a row added by the same test between two of its pages.

    One row that comes twice shows what a walk is; that none came twice shows it only where no walk showed one.
    """
    shifted: list[Observed] = []
    undisturbed: list[Observed] = []
    for operation, (write, member) in CREATED_BY.items():
        added: dict[str, list[float]] = defaultdict(list)
        for one in traffic.of(write):
            if one.is_success:
                added[one.test].append(one.ended)
        walks: dict[tuple[str, str], tuple[set[str], float]] = {}
        """By test and path: the rows that the walk has shown, and when its last page began."""
        for page in sorted(traffic.of(operation), key=lambda one: one.started):
            walk = page.test, page.path
            shown = texts(page.rows, member)
            if page.asked("cursor") is None or walk not in walks:
                walks[walk] = (shown, page.started)
                continue
            before, since = walks[walk]
            if page.is_page and any(since < when < page.started for when in added[page.test]):
                (shifted if shown & before else undisturbed).append(page)
            walks[walk] = (before | shown, page.started)
    yield from (("shifted", page) for page in shifted)
    if not shifted:
        yield from (("undisturbed", page) for page in undisturbed)


def cursor_type(one: Observed) -> str | None:
    if not one.is_page or one.next_cursor is None:
        return None
    return "number" if isinstance(one.next_cursor, int | float) else "string"


def cursor_change(one: Observed) -> str | None:
    cursor = one.asked("cursor")
    if cursor is None or not one.is_page or one.next_cursor is None:
        return None
    return "same" if str(one.next_cursor) == cursor else "each_page"


def lag(traffic: Traffic) -> Sightings:
    """Look for a whole list of sessions that is read after one of them was created."""
    made: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for one in traffic.of("createSession"):
        if one.is_success:
            made[one.params["event_id"]].append((one.ended, str(one.body.get("session_id"))))
    for one in traffic.of("listSessions"):
        if not one.is_whole_list:
            continue
        shown = texts(one.rows, "session_id")
        before = [(when, name) for when, name in made[one.params["event_id"]] if when < one.started]
        if any(name not in shown for _, name in before):
            yield "later", one
        elif any(one.started - when < AT_ONCE for when, _ in before):
            yield "at_once", one


def end(traffic: Traffic) -> Sightings:
    """Look for the last page of a walk that has more than one page."""
    for one in traffic.pages:
        before = traffic.issued.get((one.path, one.asked("cursor")))
        if before is None or before.asked("kind") != one.asked("kind"):
            continue
        if one.is_page and one.next_cursor is None:
            yield ("with_last_row" if one.row_count else "empty_page"), one


def _first_pages(traffic: Traffic, *, by_test: bool = False) -> Iterator[tuple[Observed, bool]]:
    """Return first pages with a cursor, each with whether an earlier page has shown that more rows follow.

    Only pages of the same filters are compared, and with `by_test` those of the same test.
    """
    most: dict[tuple[str | None, ...], int] = {}
    for one in traffic.pages:
        rows = one.test if by_test else None, one.path, one.asked("kind"), one.asked("run_id")
        if one.asked("cursor") is None and one.is_page and one.next_cursor is not None:
            yield one, most.get(rows, 0) > one.row_count
        most[rows] = max(most.get(rows, 0), one.row_count)


def _continued(traffic: Traffic) -> set[tuple[str, str | None]]:
    """Return path and cursor of each page with rows that a cursor led to: some servers end lists with an empty page."""
    return {(one.path, one.asked("cursor")) for one in traffic.pages if one.asked("cursor") and one.row_count}


def full_pages(traffic: Traffic) -> Sightings:
    """Look for a page of a given size that more rows follow."""
    continued = _continued(traffic)
    for one, more in _first_pages(traffic):
        limit = _number(one.asked("limit")) or 0
        if ENOUGH_TO_COUNT <= limit <= LARGEST:
            if one.row_count == limit:
                yield "full", one
            elif more and (one.path, one.next_cursor) in continued:
                yield "short", one


def default_size(traffic: Traffic) -> Sightings:
    """Look for a page of no given size that more rows follow.

    An earlier page of the same test shows them: a later one may show rows that were added since.
    """
    for one, more in _first_pages(traffic, by_test=True):
        if one.operation != "listEvents" and one.asked("limit") is None:
            if one.row_count == DEFAULT:
                yield "fifty", one
            elif more:
                yield "another", one


def collation(one: Observed) -> str | None:
    ids = [row.get("attendee_id") for row in one.rows]
    for first, second in pairwise(ids):
        if not isinstance(first, str) or not isinstance(second, str):
            return None
        bytewise = first < second
        if bytewise != ((first.lower(), first) < (second.lower(), second)):
            return "bytes" if bytewise else "dictionary"
    return None


def repeated_parameter(one: Observed) -> str | None:
    limits = [value for name, value in one.query if name == "limit"]
    if len(limits) != 2 or limits[0] == limits[1]:
        return None
    if one.refused:
        return "refused"
    count = str(one.row_count)
    return "first" if count == limits[0] else "last" if count == limits[1] else None


def unknown_parameter(one: Observed) -> str | None:
    if one.key != MAIN or one.method != "GET" or not any(name.startswith("conf_") for name, _ in one.query):
        return None
    return "refused" if one.refused else "ignored" if one.is_success else None


OBSERVERS: dict[str, Observer] = {
    "lists.limit_range": each_page(limit_range),
    "lists.limit_word": each_page(limit_word),
    "lists.unknown_cursor": unknown_cursor,
    "lists.cursor_again": cursor_again,
    "lists.limit_change": limit_change,
    "lists.filter_change": filter_change,
    "lists.inserts": inserts,
    "lists.cursor_type": each_page(cursor_type),
    "lists.cursor_change": each_page(cursor_change),
    "lists.lag": lag,
    "lists.end": end,
    "lists.full_pages": full_pages,
    "lists.default_size": default_size,
    "lists.collation": each("listAttendees")(collation),
    "lists.repeated_parameter": each_page(repeated_parameter),
    "lists.unknown_parameter": each_of_any_key(unknown_parameter),
}
