"""Changes that many faults are made of: what is shown of a resource, and which rows a list has."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from ..errors import ApiError
from ..rules import paging
from ..rules.paging import Page
from ..services import Call
from ..wire.http import JsonObject, Response
from . import operations
from .operations import Handler, operation_of
from .patch import Patch

Shown = Callable[[JsonObject, Any], None]
"""Changes an object as it is shown, given its row."""


def shown(patch: Patch, holder: Any, function: str, change: Shown) -> None:
    """Change what a module's `serialize_…` function makes of a row, wherever the object is shown."""

    def make(inner: Callable[..., JsonObject]) -> Callable[..., JsonObject]:
        def serialize(row: Any, *rest: Any) -> JsonObject:
            body = inner(row, *rest)
            change(body, row)
            return body

        return serialize

    patch.wrap(holder, function, make)


def member(name: str, value: Callable[[Any], Any]) -> Shown:
    """Return the change of one member to `value(what it was)`."""

    def change(body: JsonObject, row: Any) -> None:
        body[name] = value(body[name])

    return change


def answered(patch: Patch, operation: str, change: Callable[[JsonObject], None]) -> None:
    """Change the body of every accepted answer of an operation."""

    def changed(response: Response) -> None:
        if response.body is not None:
            change(response.body)

    operations.success(patch, operation, changed)


def answered_member(patch: Patch, operation: str, name: str, value: Callable[[Any], Any]) -> None:
    """Change one member of every accepted answer of an operation."""

    def change(body: JsonObject) -> None:
        body[name] = value(body[name])

    answered(patch, operation, change)


def items(patch: Patch, operation: str, change: Callable[[list[Any]], list[Any]]) -> None:
    """Change the items of every page of an operation; the cursor stays as it is."""
    answered_member(patch, operation, "items", change)


def after_refusal(patch: Patch, operation: str, codes: Collection[str], act: Callable[[Call], None]) -> None:
    """Carry something out after an operation was refused with one of the codes."""

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            try:
                return await inner(call)
            except ApiError as error:
                if error.code in codes:
                    act(call)
                raise

        return handler

    operations.handle(patch, operation, make)


Fetch = Callable[..., Page]
Query = tuple[str, list[Any]]


def pages(patch: Patch, operation: str, make: Callable[[Fetch], Fetch]) -> None:
    """Replace the function that fetches the pages of one operation.

    Its parameters are `(call, list_name, scope, select, where, parameters, pin)`.
    """

    def wrap(inner: Fetch) -> Fetch:
        changed = make(inner)

        def fetch_page(call: Call, *rest: Any, **named: Any) -> Page:
            return (changed if operation_of(call.request) == operation else inner)(call, *rest, **named)

        return fetch_page

    patch.wrap(paging, "fetch_page", wrap)


def rows(patch: Patch, operation: str, query: Callable[[Call, str, list[Any]], Query]) -> None:
    """Change the condition, with its parameters, that selects the rows of an operation's list."""

    def make(inner: Fetch) -> Fetch:
        def fetch_page(
            call: Call, name: str, scope: str, select: str, where: str, parameters: list[Any], pin: str = ""
        ) -> Page:
            where, parameters = query(call, where, parameters)
            return inner(call, name, scope, select, where, parameters, pin)

        return fetch_page

    pages(patch, operation, make)


def on_later_pages(change: Callable[[Call, str, list[Any]], Query]) -> Callable[[Call, str, list[Any]], Query]:
    """Make a change only where the request carries a cursor."""

    def query(call: Call, where: str, parameters: list[Any]) -> Query:
        return change(call, where, parameters) if "cursor" in call.request.query else (where, parameters)

    return query
