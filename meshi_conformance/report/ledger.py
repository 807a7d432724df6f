"""What a run left on the target, read off its exchanges: nothing can be deleted there (overview)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

_NAMED = {"createEvent": ("event", "event_id"), "createSession": ("session", "session_id")}
"""Operations whose row is named by the client: operationId to kind and member of the request."""

_RUNS = {
    "importAttendees": "import run",
    "createEnrichmentRun": "enrichment run",
    "createMatchRun": "match run",
    "createRun": "run",
}
"""Operations that start a run, named by the server."""

_EVENT = re.compile(r"^/events/([^/?]+)/")


def created(exchange: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows that an exchange record tells of: `kind`, `id`, `event_id` (None where it has none), `test`."""
    name = exchange["operation"]
    if (name not in _NAMED and name not in _RUNS) or not 200 <= exchange["status"] < 300:
        return
    within = _EVENT.match(exchange["path"])
    event_id = unquote(within.group(1)) if within else None
    if name in _NAMED:
        kind, member = _NAMED[name]
        id = _member(exchange["request_body"], member)
    else:
        kind, id = _RUNS[name], _member(exchange["body"], "run_id")
    if id:
        yield {"type": "created", "kind": kind, "id": id, "event_id": event_id, "test": exchange["test"]}
    if name == "importAttendees":
        for attendee in _attendees(exchange["request_body"]):
            yield {
                "type": "created",
                "kind": "attendee",
                "id": attendee,
                "event_id": event_id,
                "test": exchange["test"],
            }


def joined(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each row once: replays and re-imports tell of the same one again."""
    return list({(one["kind"], one["id"], one["event_id"]): one for one in reversed(list(rows))}.values())[::-1]


def _object(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "")
    except (ValueError, RecursionError):  # no JSON, or a body that was cut for the record
        return {}
    return value if isinstance(value, dict) else {}


def _member(text: str | None, name: str) -> str | None:
    value = _object(text).get(name)
    return value if isinstance(value, str) else None


def _attendees(text: str | None) -> list[str]:
    """The attendee IDs of an import; those that still stand in a body that was cut for the record."""
    return re.findall(r'"attendee_id"\s*:\s*"([^"\\]+)"', text or "")
