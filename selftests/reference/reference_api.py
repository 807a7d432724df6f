"""Short ways to talk to a reference server in its unit tests."""

from __future__ import annotations

import itertools
import time
from typing import Any

import httpx

_numbers = itertools.count(1)


class Api:
    """One key's view of a server."""

    def __init__(self, base: str, key: str | None) -> None:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        self.base = base
        self.http = httpx.Client(base_url=base, headers=headers, timeout=30)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """One request; checks what holds for every answer."""
        if body is not None:
            options["json"] = body
        answer = self.http.request(method, self.base + path, **options)
        assert answer.headers["x-correlation-id"]
        if answer.content:
            assert answer.json()["correlation_id"] == answer.headers["x-correlation-id"]
            if answer.status_code >= 300:
                assert set(answer.json()) == {"code", "message", "correlation_id"}
        return answer

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET."""
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        """POST with a JSON body."""
        return self.call("POST", path, body, **options)

    def refusal(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, str]:
        """Status and code of a refused request."""
        answer = self.call(method, path, body, **options)
        return answer.status_code, answer.json().get("code", "accepted")

    def event(self) -> str:
        """A new event's ID."""
        event_id = unique("event")
        assert self.post("/events", {"event_id": event_id, "title": "An event"}).status_code == 201
        return event_id

    def finish(self, answer: httpx.Response) -> dict[str, Any]:
        """The run of a run-creating answer, once it has ended."""
        assert answer.status_code in (200, 201, 202), answer.text
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            run: dict[str, Any] = self.get(f"/runs/{answer.json()['run_id']}").json()
            if run["status"] in ("succeeded", "partial", "failed"):
                return run
            time.sleep(0.005)
        raise AssertionError(f"the run did not end: {run}")

    def load(self, event_id: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Import rows and wait."""
        body = {"idempotency_key": unique("key"), "attendees": rows}
        return self.finish(self.call("PUT", f"/events/{event_id}/attendees:import", body))

    def run(self, event_id: str, kind: str, **members: Any) -> dict[str, Any]:
        """An enrichment or match run, and wait."""
        body = {"idempotency_key": unique("key"), **members}
        return self.finish(self.post(f"/events/{event_id}/{kind}-runs", body))

    def walk(self, path: str, limit: int = 2, **query: str) -> list[dict[str, Any]]:
        """All items of a list."""
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.get(path, params={"limit": limit, **query, **cursor}).json()
            assert len(page["items"]) <= limit
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            cursor = {"cursor": page["next_cursor"]}


def unique(prefix: str) -> str:
    """A fresh ID."""
    return f"{prefix}-{next(_numbers)}"


def person(attendee_id: str, **members: Any) -> dict[str, Any]:
    """An attendee row."""
    return {"attendee_id": attendee_id, "name": f"Name {attendee_id}", **members}
