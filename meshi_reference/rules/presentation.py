"""What the answers of all resources have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..services import Call
from ..settings import Settings
from ..wire.http import Response
from . import validation
from .paging import Page

First = TypeVar("First")
Second = TypeVar("Second")


def finish(body: dict[str, Any], resource: str, settings: Settings) -> dict[str, Any]:
    """Finish an object that leaves the server; a variation adds members that the pages do not name."""
    if settings.extra_members:
        body["object"] = resource
        body["api_version"] = "v0"
    return body


def page_body(head: dict[str, Any], items: list[dict[str, Any]], page: Page) -> dict[str, Any]:
    """Build a list answer: what it is about, the items and the next cursor."""
    return {**head, "items": items, "next_cursor": page.next_cursor}


def page_response(head: dict[str, Any], items: list[dict[str, Any]], page: Page) -> Response:
    """Answer 200 with a page."""
    return Response(200, page_body(head, items, page))


def in_order(call: Call, require_event: Callable[[], First], check_body: Callable[[], Second]) -> tuple[First, Second]:
    """Look the event up and check the body; which of the two may refuse first is a variation.

    A malformed event ID is refused before either.
    """
    if call.services.settings.body_before_event:
        validation.check_partner_id(call.params["event_id"], "event_id")
        checked = check_body()
        return require_event(), checked
    return require_event(), check_body()
