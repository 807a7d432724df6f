"""What a sandbox does to the requests and answers between a client and the reference server.

Each disturbance is legal for a server that keeps the contract: its refusals carry the envelope, its 429 carries
Retry-After, statuses of runs between queued and the end are free, pages may be short, cursors are opaque.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import urlencode

from ..contract.operations import Operation
from .front import Asked, Reply
from .story import TERMINAL, query_of

RATE_LIMITED, UNAVAILABLE, LOST = "rate_limited", "unavailable", "lost"
"""What a disturbance can have done to an exchange."""


@dataclass
class Visit:
    """One request on its way through a sandbox.

    `target` and `body` are what goes on to the reference server; a disturbance may change them. `send` asks the
    reference server with the client's own key, without the client knowing. `disturbance` is what was done to it.
    """

    asked: Asked
    operation: Operation | None
    parameters: Mapping[str, str]
    value: Any
    target: str
    body: bytes
    send: Callable[[str, str, Any], Awaitable[tuple[int, Any]]]
    refuse: Callable[[int, str, str, Mapping[str, str]], Reply]
    disturbance: str | None = None

    @property
    def name(self) -> str | None:
        """The operation's ID."""
        return self.operation.id if self.operation else None

    @property
    def event(self) -> str | None:
        return self.parameters.get("event_id")


class Disturbance:
    """Leaves everything as it is."""

    async def before(self, visit: Visit) -> Reply | None:
        """Answer a request in the reference server's place, or let it pass."""
        return None

    def after(self, visit: Visit, reply: Reply) -> Reply:
        """Return the answer that the client gets."""
        return reply

    def loses(self, visit: Visit, reply: Reply) -> bool:
        """Return whether the connection is closed in place of this answer."""
        return False


def changed(reply: Reply, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Reply:
    """Return an answer with its JSON object changed; the answer itself where it holds none or nothing changes."""
    try:
        body = json.loads(reply.body)
    except ValueError:
        return reply
    if not isinstance(body, dict):
        return reply
    after = change(body)
    if after is None:
        return reply
    return Reply(reply.status, reply.headers, json.dumps(after, ensure_ascii=False, separators=(",", ":")).encode())


# Refusals without effect


@dataclass
class RateLimited(Disturbance):
    """Two windows in which every request of the key is refused, the first with seconds, the second with a date.

    A window opens at the request after so many answered ones.
    """

    opens_after: tuple[int, ...] = (2, 6)
    seconds: tuple[float, ...] = (2.0, 3.0)
    _passed: int = 0
    _window: int = 0
    _until: float = 0.0

    async def before(self, visit: Visit) -> Reply | None:
        now = time.time()
        if (
            now >= self._until
            and self._window < len(self.opens_after)
            and self._passed >= self.opens_after[self._window]
        ):
            self._window += 1
            # A date has whole seconds, so the second window ends with one.
            end = now + self.seconds[self._window - 1]
            self._until = float(math.ceil(end)) if self._window % 2 == 0 else end
        if now >= self._until:
            self._passed += 1
            return None
        visit.disturbance = RATE_LIMITED
        wait = str(max(1, math.ceil(self._until - now)))
        if self._window % 2 == 0:
            wait = formatdate(self._until, usegmt=True)
        return visit.refuse(
            429,
            "PARTNER_RATE_LIMIT_EXCEEDED",
            "too many requests; wait as long as Retry-After says",
            {"retry-after": wait},
        )


@dataclass
class Unavailable(Disturbance):
    """The first request to each of some operations is answered 503 and has no effect."""

    operations: frozenset[str] = frozenset(
        {"getRun", "updateEventContext", "importAttendees", "createEnrichmentRun", "createMatchRun", "createRun"}
    )
    _seen: set[str] = field(default_factory=set)

    async def before(self, visit: Visit) -> Reply | None:
        name = visit.name
        if name not in self.operations or name in self._seen or name is None:
            return None
        self._seen.add(name)
        visit.disturbance = UNAVAILABLE
        return visit.refuse(503, "SERVICE_UNAVAILABLE", "the service is not available; try again", {})


@dataclass
class LostAnswers(Disturbance):
    """The first success of each of some writes takes effect, and its answer never arrives."""

    operations: frozenset[str] = frozenset(
        {"createEvent", "updateEventContext", "importAttendees", "resolveReview", "mergeReview"}
    )
    _seen: set[str] = field(default_factory=set)

    def loses(self, visit: Visit, reply: Reply) -> bool:
        name = visit.name
        if name not in self.operations or name in self._seen or not 200 <= reply.status < 300 or name is None:
            return False
        self._seen.add("resolveReview" if name == "mergeReview" else name)
        self._seen.add("mergeReview" if name == "resolveReview" else name)
        visit.disturbance = LOST
        return True


# Runs


class Statuses(Disturbance):
    """Runs that are under way show statuses that the pages do not name."""

    names = ("validating", "processing", "finishing")

    def __init__(self) -> None:
        self._shown: dict[str, int] = {}

    def after(self, visit: Visit, reply: Reply) -> Reply:
        def change(body: dict[str, Any]) -> dict[str, Any] | None:
            found = [run for run in runs_in(body) if run["status"] == "running"]
            for run in found:
                number = self._shown.get(run["run_id"], 0)
                run["status"] = self.names[min(number, len(self.names) - 1)]
                if visit.name == "getRun":
                    self._shown[run["run_id"]] = number + 1
            return body if found else None

        return changed(reply, change)


class EndsAs(Disturbance):
    """The first import that a client starts ends as `partial` or as `failed`."""

    def __init__(self, status: str) -> None:
        self._status = status
        self._run: str | None = None
        self._row: str | None = None

    def after(self, visit: Visit, reply: Reply) -> Reply:
        if visit.name == "importAttendees" and self._run is None and reply.status == 202:
            body = json.loads(reply.body)
            self._run = body.get("run_id")
            rows = visit.value.get("attendees") if isinstance(visit.value, dict) else None
            self._row = rows[-1].get("attendee_id") if rows and isinstance(rows[-1], dict) else None

        def change(body: dict[str, Any]) -> dict[str, Any] | None:
            found = [run for run in runs_in(body) if run["run_id"] == self._run and run["status"] in TERMINAL]
            for run in found:
                self._end(run)
            return body if found else None

        return changed(reply, change) if self._run is not None else reply

    def _end(self, run: dict[str, Any]) -> None:
        run["status"] = self._status
        progress = run["progress"] if isinstance(run.get("progress"), dict) else {}
        total = progress.get("total", 1)
        if self._status == "failed":
            run["error"] = {"code": "INTERNAL_ERROR", "message": "the import broke; nothing can be built on it"}
            run["progress"] = {**progress, "error_count": total}
        else:
            error = {"attendee_id": self._row, "code": "ROW_REJECTED", "message": "the row could not be imported"}
            run["progress"] = {**progress, "error_count": 1, "errors": [error]}


def runs_in(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the run objects of an answer."""
    items = body.get("items")
    rows = [body, *(items if isinstance(items, list) else [])]
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("run_id"), str) and "status" in row]


# Lists


class SmallPages(Disturbance):
    """A walk starts with a page of one row, and each further page may hold twice as many; cursors need quoting."""

    def __init__(self) -> None:
        self._cursors: dict[str, tuple[str, int]] = {}

    async def before(self, visit: Visit) -> Reply | None:
        if visit.operation is None or not visit.operation.lists:
            return None
        query = query_of(visit.asked.target)
        size = 1
        if "cursor" in query:
            if query["cursor"] not in self._cursors:
                return None
            query["cursor"], size = self._cursors[query["cursor"]]
        limit = query.get("limit", "50")
        if limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= 100:
            query["limit"] = str(min(size, int(limit)))
        visit.target = visit.target.partition("?")[0] + "?" + urlencode(query)
        return None

    def after(self, visit: Visit, reply: Reply) -> Reply:
        if visit.operation is None or not visit.operation.lists or reply.status != 200:
            return reply
        sent = query_of(visit.target)

        def change(body: dict[str, Any]) -> dict[str, Any] | None:
            token = body.get("next_cursor")
            if not isinstance(token, str):
                return None
            odd = f"{len(self._cursors)}+/=& %2B#{token[-24:]}"
            size = int(sent["limit"]) if sent.get("limit", "").isdigit() else 1
            self._cursors[odd] = (token, min(2 * size, 100))
            return {**body, "next_cursor": odd}

        return changed(reply, change)


# Answers that grow


class Grown(Disturbance):
    """Objects have members that the pages do not name, in another order, and answers have further headers."""

    def after(self, visit: Visit, reply: Reply) -> Reply:
        headers = [
            *reply.headers,
            ("x-ratelimit-remaining", "4711"),
            ("vary", "Accept-Encoding"),
            ("cache-control", "no-store"),
            ("x-api-build", "2031.5"),
        ]

        def change(body: dict[str, Any]) -> dict[str, Any] | None:
            items = body.get("items")
            if isinstance(items, list):
                body["items"] = [_grown(row) if isinstance(row, dict) else row for row in items]
            return _grown(body)

        reply = changed(reply, change)
        return Reply(reply.status, headers, reply.body)


def _grown(body: dict[str, Any]) -> dict[str, Any]:
    turned = dict(reversed(list(body.items())))
    return {"tier": "gold", "links": {"self": "/v0", "more": []}, **turned, "beta": [1, {"on": True}], "note": None}


# What was there before


class ExistingEvents(Disturbance):
    """The first event that the client is about to create is there already, with the client's own content.

    The rehearsal has created those of a client with stable IDs; this is for one that makes up an ID for each run.
    """

    def __init__(self) -> None:
        self._seen = False

    async def before(self, visit: Visit) -> Reply | None:
        if visit.name != "createEvent" or not isinstance(visit.value, dict):
            return None
        if not self._seen:
            self._seen = True
            await visit.send("POST", "/events", visit.value)
        return None


class LookAlikes(Disturbance):
    """Before an event is enriched for the first time, another client of the org imports a look-alike of its first row.

    The reference server then opens an identity review for the two.
    """

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Any]] = {}
        self._done: set[str] = set()

    async def before(self, visit: Visit) -> Reply | None:
        event = visit.event
        if event is None:
            return None
        if visit.name == "importAttendees" and isinstance(visit.value, dict):
            rows = visit.value.get("attendees")
            if isinstance(rows, list) and rows and isinstance(rows[0], dict):
                self._rows.setdefault(event, rows[0])
        if visit.name == "createEnrichmentRun" and event in self._rows and event not in self._done:
            self._done.add(event)
            await self._import(visit, event, self._rows[event])
        return None

    async def _import(self, visit: Visit, event: str, row: Mapping[str, Any]) -> None:
        known = {name: row[name] for name in ("name", "email", "linkedin_url", "title", "company") if row.get(name)}
        alike = [{**known, "attendee_id": "look-alike-1"}]
        if not any(known.get(name) for name in ("email", "linkedin_url", "company")):
            # Only a name is known, which makes no two attendees alike: two strangers are, instead.
            alike = [{**known, "attendee_id": f"look-alike-{one}", "email": "alike@example.com"} for one in (1, 2)]
        path = f"/events/{event}/attendees:import"
        status, run = await visit.send("PUT", path, {"idempotency_key": f"look-alike-{event}"[:64], "attendees": alike})
        for _ in range(100):
            if status >= 300 or run.get("status") in TERMINAL:
                return
            await asyncio.sleep(0.02)
            status, run = await visit.send("GET", f"/runs/{run['run_id']}", None)
