"""Which rows a write creates on the target: nothing can be deleted there, so each is written down."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from .redaction import Redaction

NAMED_ATTENDEES = 1000
"""How many attendees of one import are listed one by one."""

_ROUTES = (
    ("POST", re.compile(r"/events/?"), "event"),
    ("POST", re.compile(r"/events/([^/]+)/sessions/?"), "session"),
    ("PUT", re.compile(r"/events/([^/]+)/attendees:import"), "import run"),
    ("POST", re.compile(r"/events/([^/]+)/enrichment-runs/?"), "enrichment run"),
    ("POST", re.compile(r"/events/([^/]+)/match-runs/?"), "match run"),
    ("POST", re.compile(r"/runs/?"), "run"),
)


@dataclass(frozen=True)
class Row:
    """A row on the target; `id` is None until the server names it, `count` is more than 1 for a group of rows."""

    kind: str
    id: str | None
    event_id: str | None
    count: int = 1


def planned(method: str, path: str, content: bytes | None, value: Any = None) -> list[Row]:
    """Return the rows that exist once a request is accepted; none for a request that creates nothing.

    `value` is the body's JSON value where it is at hand: a large body is then not read a second time.
    """
    place = path.partition("?")[0]
    for verb, pattern, kind in _ROUTES:
        found = pattern.fullmatch(place) if verb == method else None
        if found:
            event_id = unquote(found.group(1)) if found.groups() else None
            body = value if isinstance(value, dict) else _object(content)
            if kind in ("event", "session"):
                return [Row(kind, _text(body.get(f"{kind}_id")), event_id)]
            run = Row(kind, None, event_id)
            return [run, *_attendees(body.get("attendees"), event_id)] if kind == "import run" else [run]
    return []


def created(rows: Iterable[Row], status: int, answer: Any) -> list[Row]:
    """Return the planned rows that the response confirms; none for a refusal or an idempotent replay."""
    rows = list(rows)
    starts_run = bool(rows) and rows[0].kind.endswith("run")
    if not 200 <= status < 300 or (starts_run and status == 200):
        return []
    run_id = _text(answer.get("run_id")) if isinstance(answer, Mapping) else None
    return [replace(row, id=run_id) if row.id is None and row.kind.endswith("run") else row for row in rows]


def may_exist(status: int) -> bool:
    """Tell whether an answer leaves open if the write took effect: a 5xx error, or no answer at all (0)."""
    return status >= 500 or status == 0


def total(rows: Iterable[Row]) -> int:
    """Return the number of rows."""
    return sum(row.count for row in rows)


def listed(events: Iterable[Mapping[str, Any]], redaction: Redaction) -> list[dict[str, Any]]:
    """Return what a run created, each row once: a re-import names the same rows again.

    Rows of writes that were sent, and whose answer never came or left open if they took effect, are not
    `confirmed`.
    """
    rows: dict[tuple[str, str | None, str | None], dict[str, Any]] = {}
    sent: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if event["type"] == "created":
            row = {name: event[name] for name in ("kind", "id", "event_id", "count", "test", "confirmed")}
            rows.setdefault((row["kind"], row["id"], row["event_id"]), row)
        elif event["type"] == "sending":
            sent[event["id"]] = [{**row, "test": event["test"], "confirmed": False} for row in event["rows"]]
        elif event["type"] == "exchange" and not may_exist(event["status"]):
            sent.pop(event["id"], None)
    for row in (row for left in sent.values() for row in left):
        rows.setdefault((row["kind"], row["id"] or row["test"], row["event_id"]), row)
    found: list[dict[str, Any]] = redaction.apply(rows.values())
    return found


def _attendees(rows: Any, event_id: str | None) -> list[Row]:
    if not isinstance(rows, list):
        return []
    ids = [_text(row.get("attendee_id")) for row in rows if isinstance(row, dict)]
    found = [Row("attendee", id, event_id) for id in ids[:NAMED_ATTENDEES]]
    more = len(ids) - len(found)
    return [*found, Row("attendee", f"and {more} more", event_id, more)] if more else found


def _object(content: bytes | None) -> dict[str, Any]:
    try:
        value = json.loads(content or b"")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
