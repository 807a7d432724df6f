"""Variations of lists: page sizes, cursors, order, and parameters of a query."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from ... import app
from ...errors import ApiError
from ...patching import operations
from ...patching.patch import Patch
from ...resources import matching
from ...rules import paging, presentation
from ...rules.paging import Page
from ...services import Call, Services
from ...settings import Settings
from ...storage import Row
from ...wire import http
from ...wire.http import JsonObject, Receive, Request, Response, Scope
from ..registry import variation

KNOWN_PARAMETERS = frozenset({"limit", "cursor", "kind", "run_id", "session_id", "goal"})

Fetch = Callable[[Call], Page]


def default_for_odd_limits(patch: Patch) -> None:
    def wrap(inner: Callable[[str | None, Settings], int]) -> Any:
        def parse_limit(text: str | None, settings: Settings) -> int:
            try:
                return inner(text, settings)
            except ApiError:
                return paging.LIMIT_DEFAULT

        return parse_limit

    patch.wrap(paging, "parse_limit", wrap)


def fetching(patch: Patch, make: Callable[[Fetch, Call, str], Page]) -> None:
    """Replace the fetching of every page: `make(fetch, call, name of the list)`, where `fetch` takes the call."""

    def wrap(inner: Callable[..., Page]) -> Callable[..., Page]:
        def fetch_page(call: Call, name: str, *rest: Any, **named: Any) -> Page:
            return make(lambda asked: inner(asked, name, *rest, **named), call, name)

        return fetch_page

    patch.wrap(paging, "fetch_page", wrap)


def with_query(call: Call, **changed: str | None) -> Call:
    """Return the call with parameters of its query set; None takes one away."""
    query = {name: value for name, value in {**call.request.query, **changed}.items() if value is not None}
    return replace(call, request=replace(call.request, query=query))


def empty_page_for_unknown_cursors(patch: Patch) -> None:
    def make(fetch: Fetch, call: Call, name: str) -> Page:
        try:
            return fetch(call)
        except ApiError as error:
            if error.code != "INVALID_CURSOR":
                raise
            return Page([], None)

    def wrap(inner: Callable[..., Response]) -> Callable[..., Response]:
        def match_page(call: Call, name: str, scope: str, head: JsonObject, *rest: Any) -> Response:
            try:
                return inner(call, name, scope, head, *rest)
            except ApiError as error:
                if error.code != "INVALID_CURSOR":
                    raise
                return presentation.page_response({**head, "run_id": None}, [], Page([], None))

        return match_page

    fetching(patch, make)
    patch.wrap(matching, "match_page", wrap)


def cursors_used_once(patch: Patch) -> None:
    """Give each page a cursor of its own, which the next request uses up."""
    issued = itertools.count()
    used: set[str] = set()

    def make(fetch: Fetch, call: Call, name: str) -> Page:
        cursor = call.request.query.get("cursor", "")
        if cursor in used:
            raise ApiError("INVALID_CURSOR", "cursor was used before")
        page = fetch(without_mark(call))
        if cursor:
            used.add(cursor)
        return Page(page.rows, None if page.next_cursor is None else f"{next(issued)}~{page.next_cursor}")

    fetching(patch, make)
    patch.wrap(paging, "read_cursor", lambda inner: lambda call, *rest: inner(without_mark(call), *rest))


def without_mark(call: Call) -> Call:
    """Return the call with the cursor of paging.py, without what a variation has put before it."""
    own = call.request.query.get("cursor", "").partition("~")[2]
    return with_query(call, cursor=own) if own else call


def cursors_with_limit(patch: Patch, is_strict: bool) -> None:
    """Bind a cursor to the page size of its first page: another one is ignored, or refused."""

    def make(fetch: Fetch, call: Call, name: str) -> Page:
        cursor, asked = call.request.query.get("cursor"), call.request.query.get("limit")
        mark, _, own = (cursor or "").partition("~")
        if own:
            if is_strict and asked is not None and asked != mark:
                raise ApiError("INVALID_CURSOR", "cursor belongs to another limit")
            call = with_query(call, cursor=own, limit=mark)
        page = fetch(call)
        size = paging.parse_limit(call.request.query.get("limit"), call.services.settings)
        return Page(page.rows, None if page.next_cursor is None else f"{size}~{page.next_cursor}")

    fetching(patch, make)

    patch.wrap(paging, "read_cursor", lambda inner: lambda call, *rest: inner(without_mark(call), *rest))


def filters(patch: Patch, remembers: bool) -> None:
    """Bind a cursor of the run list to the kind of its first page, or to no kind at all."""

    def make(inner: operations.Handler) -> operations.Handler:
        async def list_runs(call: Call) -> Response:
            kind, cursor = call.request.query.get("kind"), call.request.query.get("cursor", "")
            own, _, first = cursor.partition("~")
            if first or cursor.endswith("~"):
                call = with_query(call, cursor=own, kind=(first if remembers else kind) or None)
            chosen = call.request.query.get("kind", "")
            answer = await inner(call)
            assert answer.body is not None
            if answer.body["next_cursor"] is not None:
                answer.body["next_cursor"] += f"~{chosen}"
            return answer

        return list_runs

    operations.handle(patch, "listRuns", make)
    if not remembers:
        patch.wrap(paging, "list_scope", lambda inner: lambda call, name, scope: inner(call, name, name))


def twenty_by_default(patch: Patch) -> None:
    def make(fetch: Fetch, call: Call, name: str) -> Page:
        if "limit" not in call.request.query and name != "events":
            call = with_query(call, limit="20")
        return fetch(call)

    fetching(patch, make)


def dictionary_order(patch: Patch) -> None:
    """Order attendees as a dictionary does; IDs that differ in case alone follow the order of bytes."""
    column = "attendees.attendee_id"
    patch(paging.ORDERS, "attendees", paging.Order(((f"{column} COLLATE NOCASE", False), (column, False))))

    def position_of(row: Row, order: paging.Order) -> list[Any]:
        return [row[name.partition(".")[2].partition(" ")[0]] for name, _ in order.columns]

    patch(paging, "position_of", position_of)


def last_parameter(patch: Patch) -> None:
    def wrap(inner: Callable[[Scope, Receive], Request]) -> Any:
        def read_request(scope: Scope, receive: Receive) -> Request:
            request = inner(scope, receive)
            query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
            return replace(request, query=query)

        return read_request

    patch.wrap(http, "read_request", wrap)


def refused_queries(is_wrong: Callable[[list[str]], bool]) -> Callable[[Patch], None]:
    """Refuse a query by the names of its parameters."""

    def apply(patch: Patch) -> None:
        def wrap(inner: Callable[[Scope, Receive], Request]) -> Any:
            def read_request(scope: Scope, receive: Receive) -> Request:
                names = [name for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)]
                request = inner(scope, receive)
                if is_wrong(names):
                    request.query["\0refused"] = ",".join(names)
                return request

            return read_request

        def dispatching(inner: operations.Dispatch) -> operations.Dispatch:
            async def dispatch(request: Request, services: Services) -> Response:
                if "\0refused" in request.query:
                    raise operations.Refusal(400, "INVALID_QUERY", "the query has parameters that do not fit")
                return await inner(request, services)

            return dispatch

        patch.wrap(http, "read_request", wrap)
        patch.wrap(app, "dispatch", dispatching)

    return apply


variation(
    "limit.default",
    "A page size that does not fit is replaced by the default.",
    apply=default_for_odd_limits,
    makes=("lists.limit_range=default", "lists.limit_word=default"),
)
variation(
    "limit.twenty",
    "Lists of anything but events show 20 rows by default: that they show 50 is only implied.",
    apply=twenty_by_default,
    deviates=("lists.*.default_size",),
    makes=("lists.default_size=another",),
)
variation(
    "cursor.empty",
    "An unknown cursor shows an empty page.",
    apply=empty_page_for_unknown_cursors,
    makes=("lists.unknown_cursor=empty_page",),
)
variation(
    "cursor.once",
    "A cursor can be used once.",
    apply=cursors_used_once,
    makes=("lists.cursor_again=once",),
)
variation(
    "cursor.keeps_limit",
    "A cursor keeps the page size of its first page; another one is ignored.",
    apply=lambda patch: cursors_with_limit(patch, is_strict=False),
    makes=("lists.limit_change=kept",),
)
variation(
    "cursor.own_limit",
    "A cursor is refused with another page size than that of its first page.",
    apply=lambda patch: cursors_with_limit(patch, is_strict=True),
    makes=("lists.limit_change=refused",),
)
variation(
    "cursor.remembers_filter",
    "A cursor keeps the filter of its first page.",
    apply=lambda patch: filters(patch, remembers=True),
    makes=("lists.filter_change=remembered",),
)
variation(
    "cursor.any_filter",
    "A cursor names a place, and each request its own filter.",
    apply=lambda patch: filters(patch, remembers=False),
    makes=("lists.filter_change=anew",),
)
variation(
    "lists.dictionary",
    "Attendees are listed in the order of a dictionary.",
    apply=dictionary_order,
    makes=("lists.collation=dictionary",),
)
variation(
    "query.last",
    "Of a repeated parameter the last one counts.",
    apply=last_parameter,
    makes=("lists.repeated_parameter=last",),
)
variation(
    "query.once",
    "A repeated parameter is refused.",
    apply=refused_queries(lambda names: len(set(names)) < len(names)),
    makes=("lists.repeated_parameter=refused",),
)
variation(
    "query.strict",
    "A parameter that no page names is refused.",
    apply=refused_queries(lambda names: not set(names) <= KNOWN_PARAMETERS),
    makes=("lists.unknown_parameter=refused",),
)
