"""Internal UUIDs: a UUID that an undocumented member shows again is the ID of a record, not that of a request.

One exchange cannot tell the two apart. So what each shows is kept for as long as the process runs, and a UUID breaks
the requirement of every operation that showed it once a second exchange has shown it too.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from .checks import UUID, Violation
from .exchange import Exchange
from .strict_json import NotJson

PUBLIC = ("run_id", "review_id", "match_id", "org_id", "service_account_user_id", "context_snapshot_id")
"""Documented members that hold IDs of the API's own making, which may be UUIDs and may be repeated anywhere."""

MOST_KEPT = 100_000
"""UUIDs that are remembered."""


class Sighting(NamedTuple):
    """Where an undocumented member first showed a UUID."""

    exchange: str
    operation: str
    path: str


class Crossing(NamedTuple):
    """A UUID that crossed the boundary, reported on one of the exchanges that showed it."""

    exchange: str
    violation: Violation


class Boundary:
    """What the exchanges of a process have shown."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._first: dict[str, Sighting] = {}
        self._charged: set[tuple[str, str]] = set()

    def look(self, exchange: Exchange) -> list[Crossing]:
        """Return what an exchange shows to have crossed, by itself or by an earlier one."""
        try:
            body = exchange.parsed if exchange.is_success else None
        except NotJson:
            body = None
        sent = (exchange.path + (exchange.request_body or b"").decode("utf-8", "replace")).lower()
        with self._lock:
            if len(self._known) < MOST_KEPT:
                self._known.update(UUID.findall(sent))
                self._known.update(public_ids(body))
            if not exchange.uuids or exchange.operation is None:
                return []
            found = []
            for path, uuid in exchange.uuids:
                if uuid in self._known or uuid == str(exchange.correlation_id).lower() or names_an_id(path):
                    continue
                here = Sighting(exchange.id, exchange.operation, path)
                first = self._first.get(uuid)
                if first is None:
                    if len(self._first) < MOST_KEPT:
                        self._first[uuid] = here
                elif first.exchange != exchange.id:
                    found += [crossing for one in (first, here) if (crossing := self._crossed(one, uuid))]
            return found

    def _crossed(self, one: Sighting, uuid: str) -> Crossing | None:
        if (one.operation, one.path) in self._charged:
            return None
        self._charged.add((one.operation, one.path))
        message = f"undocumented member `{one.path}` shows the UUID {uuid}, and so does another answer"
        return Crossing(one.exchange, Violation(f"boundary.{one.operation}", message))


def names_an_id(path: str) -> bool:
    """Tell whether a member is named after an ID of the API's own making, such as `last_run_id`."""
    return path.endswith(PUBLIC)


def public_ids(body: Any) -> set[str]:
    """Return the server-made IDs that documented members of an answer and of its rows show, in lower case."""
    if not isinstance(body, dict):
        return set()
    items = body.get("items")
    rows = [body, *(row for row in items if isinstance(row, dict))] if isinstance(items, list) else [body]
    return {value.lower() for row in rows for name in PUBLIC if isinstance(value := row.get(name), str)}
