"""Lists: orders, borders of pages, filters and cursors, one fault after another for each list."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...errors import ApiError
from ...patching import changes
from ...patching.changes import Fetch, Query
from ...patching.operations import operation_of
from ...patching.patch import Patch
from ...resources import matching
from ...rules import paging
from ...rules.paging import Order, Page
from ...services import Call
from ...settings import Settings
from ...storage import Row
from ..registry import fault


@dataclass(frozen=True)
class Listed:
    """The operation of a list, the server's name of its order, and what the rows are ordered by."""

    operation: str
    order: str
    by: str
    id: str


LISTS: dict[str, Listed] = {
    "events": Listed("listEvents", "events", "events.created_at", "events.event_id"),
    "sessions": Listed("listSessions", "sessions", "sessions.start_sort", "sessions.session_id"),
    "attendees": Listed("listAttendees", "attendees", "attendees.attendee_id", "attendees.attendee_id"),
    "identity": Listed("listAttendeeIdentity", "identity", "identity_history.created_at", "identity_history.seq"),
    "attendee_matches": Listed("listAttendeeMatches", "attendee_matches", "matches.final_score", "matches.target_id"),
    "event_matches": Listed("listEventMatches", "matches", "matches.final_score", "matches.principal_id"),
    "runs": Listed("listRuns", "runs", "runs.created_at", "runs.run_id"),
    "event_reviews": Listed("listEventReviews", "reviews", "reviews.created_at", "reviews.review_id"),
    "reviews": Listed("listReviews", "reviews", "reviews.created_at", "reviews.review_id"),
}
SCALED = {"attendees", "events", "sessions", "runs", "event_matches"}
"""Lists of which more than a page can be arranged."""


def family(
    aspect: str,
    suffix: str,
    sentence: str,
    make: Callable[[Listed], Callable[[Patch], None]],
    among: tuple[str, ...] = tuple(LISTS),
    also: tuple[str, ...] = (),
    breaks: tuple[str, ...] = (),
) -> None:
    """Register one fault for each list; it breaks `lists.<list>.<aspect>`, and the aspects in `breaks`."""
    for name in among:
        listed = LISTS[name]
        fault(
            f"lists.{name}.{aspect}.{suffix}",
            f"{listed.operation}: {sentence}.",
            breaks=[f"lists.{name}.{one}" for one in (aspect, *breaks)],
            also=[f"lists.{name}.*", "generated.*", *also],
        )(make(listed))


def paged(listed: Listed, make: Callable[[Fetch], Fetch]) -> Callable[[Patch], None]:
    """Fetch the pages of a list in another way."""
    return partial(changes.pages, operation=listed.operation, make=make)


# When rows are shown


def late(micros: int, listed: Listed) -> Callable[[Patch], None]:
    """Show a row in the list only this many microseconds after it was written."""
    column = f"{listed.by.partition('.')[0]}.created_at"

    def query(call: Call, where: str, parameters: list[Any]) -> Query:
        return f"{where} AND {column} <= ?", [*parameters, call.services.clock.now() - micros]

    return partial(changes.rows, operation=listed.operation, query=query)


for _name in ("events", "sessions", "runs", "attendees"):
    family("at_once", "late", "shows a row 900 ms after it was written", partial(late, 900_000), among=(_name,))

fault(
    "runs.list.holds.late",
    "listRuns shows a run eight seconds after it was started.",
    breaks=["runs.list.holds"],
    also=["runs.list.*", "runs.event_id.none", "lists.runs.*", "idempotency.*", "isolation.listRuns", "generated.*"],
)(late(8_000_000, LISTS["runs"]))


# Orders


def ordered(listed: Listed, *columns: tuple[str, bool]) -> Callable[[Patch], None]:
    """Order the list and its cursors by other columns: its walk is whole, in the wrong order."""

    def make(inner: Fetch) -> Fetch:
        def fetch_page(call: Call, name: str, *rest: Any, **named: Any) -> Page:
            before = paging.ORDERS[name]
            paging.ORDERS[name] = Order(columns)
            try:
                return inner(call, name, *rest, **named)
            finally:
                paging.ORDERS[name] = before

        return fetch_page

    return paged(listed, make)


def unique(listed: Listed) -> tuple[tuple[str, bool], ...]:
    """Return the columns that complete an order of a list."""
    return paging.ORDERS[listed.order].columns


def reverse(listed: Listed) -> Callable[[Patch], None]:
    return ordered(listed, *((column, not descending) for column, descending in unique(listed)))


def by_arrival(listed: Listed) -> Callable[[Patch], None]:
    table = listed.by.partition(".")[0]
    return ordered(listed, (f"{table}.seq", False))


def by_import(listed: Listed) -> Callable[[Patch], None]:
    return ordered(listed, ("attendees.created_at", False), ("attendees.attendee_id", False))


def by_update(listed: Listed) -> Callable[[Patch], None]:
    table = listed.by.partition(".")[0]
    return ordered(listed, (f"{table}.updated_at", True), (f"{table}.seq", True))


def by_id(listed: Listed) -> Callable[[Patch], None]:
    return ordered(listed, (listed.id, True), *unique(listed))


def by_ends(listed: Listed) -> Callable[[Patch], None]:
    return ordered(listed, ("matches.principal_id", False), ("matches.target_id", False))


def page_alone(listed: Listed) -> Callable[[Patch], None]:
    """Reverse the order within each page, which still holds the right rows."""

    def make(inner: Fetch) -> Fetch:
        def fetch_page(*rest: Any, **named: Any) -> Page:
            page = inner(*rest, **named)
            return Page(page.rows[::-1], page.next_cursor)

        return fetch_page

    return paged(listed, make)


family("order", "reverse", "the list is in the reverse order", reverse)
family(
    "order",
    "page_alone",
    "each page is in the reverse order",
    page_alone,
    tuple(name for name in LISTS if name != "identity"),
)
family("order", "imports", "each import's rows are ordered by themselves", by_import, ("attendees",))
family("order", "arrival", "the list is in the order of arrival", by_arrival, ("sessions", "attendees"))
family("order", "updates", "the list is in the order of the last changes", by_update, ("events",))
family("order", "id", "the list is in the order of IDs", by_id, ("events", "runs", "event_reviews", "reviews"))
family(
    "order",
    "ends",
    "the list is in the order of attendees, not of scores",
    by_ends,
    ("event_matches", "attendee_matches"),
)


@fault(
    "lists.sessions.instants.text",
    "listSessions: starts are compared as texts, whatever their UTC offsets.",
    breaks=["lists.sessions.instants"],
)
def _(patch: Patch) -> None:
    ordered(LISTS["sessions"], ("sessions.start_timestamp", False), ("sessions.session_id", False))(patch)


# Borders of pages


def position(call: Call) -> int:
    """Return how many rows an offset cursor passes over."""
    text = call.request.query.get("cursor", "")
    if text and not text.startswith("o"):
        raise ApiError("INVALID_CURSOR", "cursor was not issued for this list")
    return int(text[1:]) if text[1:].isdecimal() else 0


def offsets(
    listed: Listed, cut: Callable[[list[Row], int, int], tuple[list[Row], int | None]]
) -> Callable[[Patch], None]:
    """Page by counting: `cut(rows from the offset on, offset, limit)` gives the page and the next offset."""

    def make(inner: Fetch) -> Fetch:
        def fetch_page(
            call: Call, name: str, scope: str, select: str, where: str, parameters: list[Any], pin: str = ""
        ) -> Page:
            limit = paging.parse_limit(call.request.query.get("limit"), call.services.settings)
            start = position(call)
            sql = f"{select} WHERE {where} ORDER BY {paging.order_clause(paging.ORDERS[name])} LIMIT ? OFFSET ?"
            rows = call.services.storage.all(sql, [*parameters, 2 * limit + 1, start])
            shown, following = cut(rows, start, limit)
            return Page(shown, None if following is None else f"o{following}")

        return fetch_page

    def apply(patch: Patch) -> None:
        # The match lists read their pinned run from the cursor beforehand.
        def read_cursor(inner: Callable[..., Any]) -> Any:
            def read(call: Call, *rest: Any) -> Any:
                return None if operation_of(call.request) == listed.operation else inner(call, *rest)

            return read

        patch.wrap(paging, "read_cursor", read_cursor)
        changes.pages(patch, listed.operation, make)

    return apply


def sound(rows: list[Row], start: int, limit: int) -> tuple[list[Row], int | None]:
    return rows[:limit], start + limit if len(rows) > limit else None


def skips_one(rows: list[Row], start: int, limit: int) -> tuple[list[Row], int | None]:
    return rows[:limit], start + limit + 1 if len(rows) > limit else None


def repeats_one(rows: list[Row], start: int, limit: int) -> tuple[list[Row], int | None]:
    return rows[: limit + (start > 0)], start + limit - (start == 0 and limit > 1) if len(rows) > limit else None


def drops_last(rows: list[Row], start: int, limit: int) -> tuple[list[Row], int | None]:
    return rows[:limit], start + limit if len(rows) > limit + 1 else None


def drops_short(rows: list[Row], start: int, limit: int) -> tuple[list[Row], int | None]:
    return rows[:limit], start + limit if len(rows) >= 2 * limit else None


def overlaps(rows: list[Row], start: int, limit: int) -> tuple[list[Row], int | None]:
    """Begin a page with the last row of the page before."""
    following = start + limit if len(rows) > limit else None
    return rows[:limit], None if following is None else max(start + 1, following - (1 if limit > 1 else 0))


def one_too_many(rows: list[Row], start: int, limit: int) -> tuple[list[Row], int | None]:
    return rows[: limit + 1], start + limit + 1 if len(rows) > limit + 1 else None


def empty_last(rows: list[Row], start: int, limit: int) -> tuple[list[Row], int | None]:
    """Send a cursor with every page, even the last."""
    return rows[:limit], start + limit


def same_again(rows: list[Row], start: int, limit: int) -> tuple[list[Row], int | None]:
    """Send a page's own cursor again with the last page."""
    return rows[:limit], start + limit if len(rows) > limit else start


def one_short(rows: list[Row], start: int, limit: int) -> tuple[list[Row], int | None]:
    size = max(1, limit - 1)
    return rows[:size], start + size if len(rows) > size else None


def by_offset(
    cut: Callable[[list[Row], int, int], tuple[list[Row], int | None]],
) -> Callable[[Listed], Callable[[Patch], None]]:
    return lambda listed: offsets(listed, cut)


def ties(listed: Listed) -> Callable[[Patch], None]:
    """Put the first column alone into the cursor, so that rows of equal order are lost at the end of a page."""
    return ordered(listed, paging.ORDERS[listed.order].columns[0])


def restarts(listed: Listed) -> Callable[[Patch], None]:
    """Ignore a cursor and answer with the first page again."""

    def make(inner: Fetch) -> Fetch:
        def fetch_page(call: Call, *rest: Any, **named: Any) -> Page:
            query = call.request.query
            call.request.query = {name: value for name, value in query.items() if name != "cursor"}
            try:
                return inner(call, *rest, **named)
            finally:
                call.request.query = query

        return fetch_page

    return paged(listed, make)


def no_cursor(listed: Listed) -> Callable[[Patch], None]:
    """End the list after its first page."""

    def make(inner: Fetch) -> Fetch:
        def fetch_page(*rest: Any, **named: Any) -> Page:
            return Page(inner(*rest, **named).rows, None)

        return fetch_page

    return paged(listed, make)


DEEP = ("matching.*", "identity.*", "runs.*", "idempotency.*", "attendees.*", "events.*", "sessions.*", "imports.*")

family("complete", "skips_one", "a row is lost where a page ends", by_offset(skips_one), also=DEEP)
family("complete", "drops_last", "the last page is lost where it holds one row", by_offset(drops_last), also=DEEP)
family("complete", "drops_short", "a last page that is not full is lost", by_offset(drops_short), also=DEEP)
family("complete", "one_page", "there is no second page", no_cursor, also=DEEP)
family("complete", "ties", "rows of equal order are lost where a page ends", ties, ("sessions",))
family("end", "restarts", "every cursor leads to the first page", restarts, also=DEEP, breaks=("complete",))
family("end", "cursor_stays", "the last page has a cursor of its own page", by_offset(same_again), also=DEEP)
family(
    "end",
    "always",
    "every page has a cursor, the empty ones too",
    by_offset(empty_last),
    tuple(name for name in LISTS if name != "reviews"),
    also=DEEP,
)
family("page_size", "one_too_many", "pages hold one row more than asked for", by_offset(one_too_many))

STABLE = ("events", "runs", "sessions", "attendees", "event_reviews", "reviews")
family(
    "stable", "offset", "cursors count rows, and rows that are added before shift the pages", by_offset(sound), STABLE
)


def limited(listed: Listed, size: Callable[[str | None, Settings, Callable[..., int]], int]) -> Callable[[Patch], None]:
    """Read `limit` in another way."""

    def make(inner: Fetch) -> Fetch:
        def fetch_page(*rest: Any, **named: Any) -> Page:
            before = paging.parse_limit
            paging.parse_limit = lambda text, settings: size(text, settings, before)
            try:
                return inner(*rest, **named)
            finally:
                paging.parse_limit = before

        return fetch_page

    return paged(listed, make)


def ignored(text: str | None, settings: Settings, inner: Callable[..., int]) -> int:
    return 50


def unbounded(text: str | None, settings: Settings, inner: Callable[..., int]) -> int:
    return int(text) if text is not None and text.isdecimal() and int(text) > 0 else inner(text, settings)


def unparsed(text: str | None, settings: Settings, inner: Callable[..., int]) -> int:
    return 50 if text is None else min(100, max(1, int(text)))


def zero_breaks(text: str | None, settings: Settings, inner: Callable[..., int]) -> int:
    return 50 // (1 if text is None else int(bool(int(text)))) and inner(text, settings)


def default_of(size: int) -> Callable[[str | None, Settings, Callable[..., int]], int]:
    return lambda text, settings, inner: size if text is None else inner(text, settings)


def at_most(size: int) -> Callable[[str | None, Settings, Callable[..., int]], int]:
    return lambda text, settings, inner: min(size, inner(text, settings))


def from_to(low: int, high: int) -> Callable[[str | None, Settings, Callable[..., int]], int]:
    def size(text: str | None, settings: Settings, inner: Callable[..., int]) -> int:
        number = inner(text, settings)
        if not low <= number <= high:
            raise ApiError("INVALID_LIMIT", f"limit must be an integer from {low} to {high}")
        return number

    return size


def limits(
    size: Callable[[str | None, Settings, Callable[..., int]], int],
) -> Callable[[Listed], Callable[[Patch], None]]:
    return lambda listed: limited(listed, size)


BROKEN = ("server_errors.*", "codes.*", "status.*")

family("page_size", "ignored", "`limit` is ignored", limits(ignored))
family("odd_limit", "broken", "a `limit` that is not a number breaks the server", limits(unparsed), also=BROKEN)
family("odd_limit", "zero", "a `limit` of 0 breaks the server", limits(zero_breaks), also=BROKEN)
family("odd_limit", "unbounded", "a `limit` of 101 is served with 101 rows", limits(unbounded), ("attendees",))
family(
    "default_size", "20", "a page holds 20 rows where no limit is given", limits(default_of(20)), tuple(sorted(SCALED))
)
family(
    "default_size", "51", "a page holds 51 rows where no limit is given", limits(default_of(51)), tuple(sorted(SCALED))
)
family("full_page", "25", "a page holds at most 25 rows", limits(at_most(25)), tuple(sorted(SCALED)), also=DEEP)
family(
    "full_page",
    "one_short",
    "a page holds one row less than asked for",
    by_offset(one_short),
    tuple(sorted(SCALED)),
    also=DEEP,
)
family("limit_range", "99", "a `limit` of 100 is refused", limits(from_to(1, 99)), ("events",), also=DEEP)
family("limit_range", "2", "a `limit` of 1 is refused", limits(from_to(2, 100)), ("events",), also=DEEP)
family("largest_page", "50", "a page holds at most 50 rows", limits(at_most(50)), ("attendees",), also=DEEP)
family("largest_page", "99", "a page holds at most 99 rows", limits(at_most(99)), ("attendees",), also=DEEP)


def cursor_unchecked(listed: Listed) -> Callable[[Patch], None]:
    """Decode a cursor without checking its signature."""

    def apply(patch: Patch) -> None:
        def make(inner: Callable[..., Any]) -> Any:
            def read_cursor(call: Call, *rest: Any) -> Any:
                found = inner(call, *rest) if operation_of(call.request) != listed.operation else None
                text = call.request.query.get("cursor")
                if operation_of(call.request) == listed.operation and text is not None:
                    try:
                        return inner(call, *rest)
                    except ApiError:
                        return json.loads(text)["position"]
                return found

            return read_cursor

        patch.wrap(paging, "read_cursor", make)

    return apply


family("odd_cursor", "broken", "a cursor that was never issued breaks the server", cursor_unchecked, also=BROKEN)


# Filters


def every_kind(call: Call, where: str, parameters: list[Any]) -> Query:
    return where.replace(" AND runs.kind = ?", ""), parameters[:1]


def every_event(table: str) -> Callable[[Call, str, list[Any]], Query]:
    """Return all rows of the org, where those of one event were asked for."""

    def query(call: Call, where: str, parameters: list[Any]) -> Query:
        org = f"(SELECT org_id FROM events WHERE seq = ?) = {table}.org_id"
        return where.replace(f"{table}.event_seq = ?", org).replace("event_seq = ?", org), parameters

    return query


for _suffix, _sentence, _query in (
    ("first_page", "on the first page", every_kind),
    ("page_two", "once a cursor is sent", changes.on_later_pages(every_kind)),
):
    fault(
        f"lists.runs.kind_filter.{_suffix}",
        f"listRuns: `kind` is forgotten {_sentence}.",
        breaks=["lists.runs.kind_filter"],
        also=["runs.list.by_kind", "lists.runs.*"],
    )(partial(changes.rows, operation="listRuns", query=_query))

for _name in ("attendee_matches", "event_matches"):

    def _forget_run(patch: Patch, operation: str = LISTS[_name].operation) -> None:
        """Take the pages after the first from the latest run."""

        def make(inner: Callable[..., Row | None]) -> Any:
            def choose_run(call: Call, event: Row, pinned: str | None = None) -> Row | None:
                if "cursor" in call.request.query and operation_of(call.request) == operation:
                    return matching.latest_terminal_run(call.services, event)
                return inner(call, event, pinned)

            return choose_run

        patch.wrap(matching, "choose_run", make)

    fault(
        f"lists.{_name}.run_filter.page_two",
        f"{LISTS[_name].operation}: `run_id` is forgotten once a cursor is sent.",
        breaks=[f"lists.{_name}.run_filter"],
        also=[f"lists.{_name}.*", "matching.*"],
    )(_forget_run)

    def _row_runs(patch: Patch, operation: str = LISTS[_name].operation) -> None:
        changes.items(patch, operation, lambda rows: [{**row, "run_id": "run_latest"} for row in rows])

    fault(
        f"lists.{_name}.run_filter.rows",
        f"{LISTS[_name].operation}: the rows name another run than was asked for.",
        breaks=[f"lists.{_name}.run_filter"],
        also=["matching.*"],
    )(_row_runs)

for _name, _table, _also in (
    ("sessions", "sessions", ("sessions.*",)),
    ("attendees", "attendees", ("attendees.*", "identity.*", "imports.*", "lists.*")),
    ("event_reviews", "reviews", ("identity.*", "lists.*")),
):
    for _suffix, _sentence, _change in (
        ("org", "the list holds the rows of every event of the org", every_event(_table)),
        (
            "page_two",
            "the list holds the rows of every event once a cursor is sent",
            changes.on_later_pages(every_event(_table)),
        ),
    ):
        fault(
            f"lists.{_name}.own_event.{_suffix}",
            f"{LISTS[_name].operation}: {_sentence}.",
            breaks=[f"lists.{_name}.own_event"],
            also=[*_also, f"lists.{_name}.*", "generated.*", "isolation.*"],
        )(partial(changes.rows, operation=LISTS[_name].operation, query=_change))


@fault(
    "lists.event_matches.own_event.latest",
    "listEventMatches: without `run_id` the rows are those of the org's first match run, whichever its event.",
    breaks=["lists.event_matches.own_event"],
    also=["matching.*", "lists.*"],
)
def _(patch: Patch) -> None:
    def of_org(call: Call, where: str, parameters: list[Any]) -> Query:
        if "run_id" in call.request.query:
            return where, parameters
        first = "SELECT min(seq) FROM runs WHERE kind = 'match' AND terminal_at IS NOT NULL AND event_seq IS NOT NULL"
        return where.replace("run_seq = ?", f"(run_seq = ? OR run_seq = ({first}))"), parameters

    changes.rows(patch, "listEventMatches", of_org)
