"""Rows that a server holds before a tool runs against it, so that examples can name them.

A tool that knows no IDs finds nothing but 404s: teams give such tools data that exist. The server may have a
fault, so every answer is taken as it comes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import httpx

EVENT = "harbour-forum-2027"
SESSION = "opening-panel"
PAIRS = 4
"""Couples of look-alike attendees: each opens an identity review."""

RUN_SECONDS = 5.0
"""How long a run may take to end; on the reference it takes a twentieth of a second."""


@dataclass
class Rows:
    """The rows on the server: IDs that the examples of the OpenAPI file can name."""

    event_id: str = EVENT
    session_id: str = SESSION
    attendee_id: str = "guest-1a"
    run_id: str = "run-unknown"
    principal: str = "guest-1a"
    target: str = "guest-2a"
    reviews: list[dict[str, Any]] = field(default_factory=list)


def arrange(base: str, key: str) -> Rows:
    """Put an event with sessions, attendees, runs, matches and reviews on the server."""
    rows = Rows()
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=10, trust_env=False) as client:

        def send(method: str, path: str, body: Any = None) -> dict[str, Any]:
            try:
                answer = client.request(method, base + path, json=body).json()
            except (httpx.HTTPError, ValueError):
                return {}
            return answer if isinstance(answer, dict) else {}

        def finish(started: dict[str, Any]) -> str | None:
            run_id = started.get("run_id")
            ends = time.monotonic() + RUN_SECONDS
            while run_id and time.monotonic() < ends:
                if send("GET", f"/runs/{run_id}").get("status") in ("succeeded", "partial", "failed"):
                    break
                time.sleep(0.02)
            return run_id if isinstance(run_id, str) else None

        send("POST", "/events", event(EVENT))
        send("POST", f"/events/{EVENT}/sessions", session(SESSION))
        send("POST", f"/events/{EVENT}/context", {"event_details": "Shipping.", "objectives": "Meet."})
        people = [attendee(number, letter) for number in range(PAIRS) for letter in "ab"]
        path = f"/events/{EVENT}"
        finish(send("PUT", f"{path}/attendees:import", {"idempotency_key": "arranged-import", "attendees": people}))
        finish(send("POST", f"{path}/enrichment-runs", {"idempotency_key": "arranged-enrichment"}))
        matched = finish(send("POST", f"{path}/match-runs", {"idempotency_key": "arranged-match", "top_n": 5}))
        rows.run_id = matched or rows.run_id
        for match in _items(send("GET", f"{path}/matches")):
            rows.principal = str(match.get("principal_attendee_id", rows.principal))
            rows.target = str(match.get("target_attendee_id", rows.target))
            rows.attendee_id = rows.principal
            break
        rows.reviews = _items(send("GET", f"{path}/review-queue"))
    return rows


def _items(page: dict[str, Any]) -> list[dict[str, Any]]:
    items = page.get("items")
    return [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []


def event(event_id: str) -> dict[str, Any]:
    """A request for an event with every member."""
    return {
        "event_id": event_id,
        "title": "Harbour Forum 2027",
        "description": "Two days on the quay.",
        "start_date": "2027-03-04",
        "end_date": "2027-03-05",
        "timezone": "Europe/Lisbon",
        "visibility": "private",
        "url_slug": event_id,
    }


def session(session_id: str) -> dict[str, Any]:
    """A request for a session with every member."""
    return {
        "session_id": session_id,
        "title": "Opening panel",
        "description": "How the two days work.",
        "start_timestamp": "2027-03-04T09:00:00Z",
        "end_timestamp": "2027-03-04T09:45:00Z",
    }


def attendee(number: int, letter: str) -> dict[str, Any]:
    """A row of an import; two rows of the same number are one person by every sign but the ID."""
    return {
        "attendee_id": f"guest-{number}{letter}",
        "name": f"Ines Duarte {number}",
        "email": f"ines.{number}@example.org",
        "linkedin_url": f"https://www.linkedin.com/in/ines-{number}-example",
        "title": "Head of Operations",
        "company": f"Quay {number}",
        "raw_data": {"list": "early-birds"},
    }
