"""Pages: limit, cursor and keyset queries.

A page continues after the sort key of the last row it showed, not after a count. Rows that appear or vanish
meanwhile can therefore neither push a row out of the walk nor into it twice. The cursor is signed and bound
to its list, so one that the server never issued for that list is recognised.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import ApiError
from ..services import Call, Services
from ..settings import Settings
from ..storage import Row

LIMIT_MIN, LIMIT_MAX, LIMIT_DEFAULT = 1, 100, 50
SIGNATURE_BYTES = 10


@dataclass(frozen=True, slots=True)
class Order:
    """A sort order: columns with their direction; together they are unique in the list."""

    columns: tuple[tuple[str, bool], ...]
    """(column, descending), most significant first."""


ORDERS: dict[str, Order] = {
    "events": Order((("events.created_at", True), ("events.seq", True))),
    "sessions": Order((("sessions.start_sort", False), ("sessions.session_id", False))),
    "attendees": Order((("attendees.attendee_id", False),)),
    "identity": Order((("identity_history.created_at", True), ("identity_history.seq", True))),
    "runs": Order((("runs.created_at", True), ("runs.seq", True))),
    "reviews": Order((("reviews.created_at", True), ("reviews.seq", True))),
    "matches": Order((("matches.final_score", True), ("matches.principal_id", False), ("matches.target_id", False))),
    "attendee_matches": Order((("matches.final_score", True), ("matches.target_id", False))),
}
"""The documented orders, each completed to a unique one (endpoint-reference, the list operations)."""


@dataclass(slots=True)
class Page:
    """One page of rows with the cursor of the next one."""

    rows: list[Row]
    next_cursor: str | None


def parse_limit(text: str | None, settings: Settings) -> int:
    """Return the page size: 1 to 100, by default 50. Raise INVALID_LIMIT unless the settings clamp."""
    if text is None:
        return LIMIT_DEFAULT
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
    if number is not None and LIMIT_MIN <= number <= LIMIT_MAX:
        return number
    if settings.limit_policy == "clamp":
        return clamp_limit(text, number)
    raise ApiError("INVALID_LIMIT", f"limit must be an integer from {LIMIT_MIN} to {LIMIT_MAX}")


def clamp_limit(text: str, number: int | None) -> int:
    """Return the legal page size nearest to an illegal one; the default for what is not a number."""
    if number is not None:
        return min(max(number, LIMIT_MIN), LIMIT_MAX)
    if text.startswith("-") and text[1:].isdecimal():
        return LIMIT_MIN
    return LIMIT_MAX if text.isdecimal() else LIMIT_DEFAULT


def sign(payload: bytes, scope: str, secret: bytes) -> bytes:
    """Return the signature that binds a cursor to its list."""
    mac = hmac.new(secret, scope.encode() + b"\0" + payload, hashlib.sha256)
    return mac.digest()[:SIGNATURE_BYTES]


def encode_cursor(position: list[Any], pin: str, scope: str, services: Services) -> str:
    """Encode a position in the list named by `scope` as an opaque, URL-safe cursor.

    `pin` keeps a choice that the first page made, such as the match run, for the pages after it.
    """
    payload = json.dumps([pin, *position], separators=(",", ":")).encode()
    signed = sign(payload, scope, services.cursor_secret) + payload
    return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()


def decode_cursor(text: str, scope: str, services: Services) -> tuple[list[Any], str] | None:
    """Return position and pin of a cursor that was issued for this list; None for every other text."""
    try:
        signed = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
    except ValueError:
        return None
    signature, payload = signed[:SIGNATURE_BYTES], signed[SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, sign(payload, scope, services.cursor_secret)):
        return None
    pin, *position = json.loads(payload)
    return position, pin


def list_scope(call: Call, list_name: str, scope: str) -> str:
    """Return what a cursor is bound to: the list, the org and the filters."""
    return f"{list_name}|{call.org}|{scope}"


def read_cursor(call: Call, list_name: str, scope: str) -> tuple[list[Any], str] | None:
    """Return where the page starts and what is pinned: None for the first page.

    Raise INVALID_CURSOR for a cursor of no such list, unless the settings restart the walk.
    """
    text = call.request.query.get("cursor")
    if text is None:
        return None
    found = decode_cursor(text, list_scope(call, list_name, scope), call.services)
    if found is None and call.services.settings.cursor_policy == "refuse":
        raise ApiError("INVALID_CURSOR", "cursor was not issued for this list")
    return found


def order_clause(order: Order) -> str:
    """Return the ORDER BY terms of an order."""
    return ", ".join(f"{column} {'DESC' if descending else 'ASC'}" for column, descending in order.columns)


def after_clause(order: Order) -> str:
    """Return the condition for rows after a position, with one placeholder group for each column."""
    alternatives = []
    for index, (column, descending) in enumerate(order.columns):
        equal = [f"{earlier} = ?" for earlier, _ in order.columns[:index]]
        alternatives.append("(" + " AND ".join([*equal, f"{column} {'<' if descending else '>'} ?"]) + ")")
    return "(" + " OR ".join(alternatives) + ")"


def after_parameters(order: Order, position: list[Any]) -> list[Any]:
    """Return the values for `after_clause`."""
    return [value for index in range(len(order.columns)) for value in position[: index + 1]]


def position_of(row: Row, order: Order) -> list[Any]:
    """Return the sort key of a row."""
    return [row[column.partition(".")[2]] for column, _ in order.columns]


def fetch_page(
    call: Call,
    list_name: str,
    scope: str,
    select: str,
    where: str,
    parameters: list[Any],
    pin: str = "",
) -> Page:
    """Fetch one page of a query.

    `select` is everything up to WHERE, `where` the filter with its `parameters`; `scope` names the filters
    for the cursor's signature, `pin` what the following pages have to keep.
    """
    order = ORDERS[list_name]
    limit = parse_limit(call.request.query.get("limit"), call.services.settings)
    cursor = read_cursor(call, list_name, scope)
    values = list(parameters)
    if cursor is not None:
        where += " AND " + after_clause(order)
        values += after_parameters(order, cursor[0])
    sql = f"{select} WHERE {where} ORDER BY {order_clause(order)} LIMIT ?"
    rows = call.services.storage.all(sql, [*values, limit + 1])
    bound = list_scope(call, list_name, scope)
    return cut_page(rows, limit, lambda row: encode_cursor(position_of(row, order), pin, bound, call.services))


def cut_page(rows: list[Row], limit: int, cursor_after: Callable[[Row], str]) -> Page:
    """Return the first `limit` rows, with a cursor when the query found one more."""
    if len(rows) <= limit:
        return Page(rows, None)
    shown = rows[:limit]
    return Page(shown, cursor_after(shown[-1]))
