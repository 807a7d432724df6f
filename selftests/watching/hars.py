"""Entries of HAR files as several tools write them, and traffic made by hand."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from meshi_conformance.contract.contract import load

from ..unit.answers import CORRELATION, example

BASE = "https://api.staging.meshi.io/api/v0/partner"
KEY = "msk_a_key_that_is_never_shown"
START = "2026-09-10T10:00:00"


def entry(
    operation: str,
    status: int,
    answer: Any = None,
    *,
    path: str | None = None,
    request: Any = None,
    at: float = 0.0,
    took: float = 0.01,
    key: str | None = KEY,
    base: str = BASE,
    sent: dict[str, str] | None = None,
    correlation: str | None = None,
) -> dict[str, Any]:
    """An exchange as a plain HAR 1.2 entry; the answer is the example of the pages where none is given."""
    known = load().operations[operation]
    value = copy.deepcopy(example(operation, status) if answer is None else answer)
    if isinstance(value, dict):
        value["correlation_id"] = correlation or f"made-{operation}-{at:.6f}"
    text = value if isinstance(value, str) else json.dumps(value)
    headers = [{"name": "Content-Type", "value": "application/json"}]
    headers += [{"name": name, "value": one} for name, one in (sent or {}).items()]
    if key is not None:
        headers.append({"name": "Authorization", "value": f"Bearer {key}"})
    body = None if request is None else json.dumps(request)
    minutes, seconds = divmod(at, 60)
    made: dict[str, Any] = {
        "startedDateTime": f"2026-09-10T10:{int(minutes):02d}:{seconds:09.6f}Z",
        "time": took * 1000,
        "request": {
            "method": known.method,
            "url": base + (path or known.path),
            "httpVersion": "HTTP/1.1",
            "headers": headers,
            "bodySize": len(body or ""),
        },
        "response": {
            "status": status,
            "headers": [
                {"name": "Content-Type", "value": "application/json"},
                {"name": "X-Correlation-Id", "value": value["correlation_id"] if isinstance(value, dict) else "none"},
            ],
            "content": {"size": len(text.encode()), "mimeType": "application/json", "text": text},
            "bodySize": len(text.encode()),
        },
    }
    if body is not None:
        made["request"]["postData"] = {"mimeType": "application/json", "text": body}
    return made


def refused(operation: str, status: int, code: str, **how: Any) -> dict[str, Any]:
    """A refusal in the documented envelope."""
    return entry(operation, status, {"code": code, "message": "No."}, **how)


def write(folder: Path, *entries: dict[str, Any], name: str = "traffic.har", **members: Any) -> Path:
    """A HAR file of these entries."""
    file = folder / name
    log = {"version": "1.2", "creator": {"name": "by hand", "version": "1"}, **members, "entries": list(entries)}
    file.write_text(json.dumps({"log": log}), encoding="utf-8")
    return file


def event(id: str = "summit-2026", **members: Any) -> dict[str, Any]:
    """The request that creates an event."""
    return {"event_id": id, "title": "Annual Partner Summit 2026", **members}


def created(request: dict[str, Any], **members: Any) -> dict[str, Any]:
    """The answer that shows the event as it was sent."""
    optional = ("description", "start_date", "end_date", "timezone", "visibility", "url_slug")
    context = ("event_details", "objectives", "welcome_instructions")
    times = {"created_at": "2026-09-10T10:00:00.000001Z", "updated_at": "2026-09-10T10:00:00.000001Z"}
    return {**dict.fromkeys((*optional, *context)), **request, **times, **members}


__all__ = ["BASE", "CORRELATION", "KEY", "created", "entry", "event", "refused", "write"]
