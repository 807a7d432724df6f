"""Variations in which other clients use the same org at the same time."""

from __future__ import annotations

import http.client
import itertools
import json
import math
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

from .. import clock, server, storage
from ..access import auth
from ..patching import operations
from ..patching.patch import Patch
from ..rules import validation
from ..server import Address
from ..services import Services
from ..settings import Settings


def retry_after_date(patch: Patch) -> None:
    patch(auth, "retry_after", lambda seconds: formatdate(time.time() + math.ceil(seconds) + 1, usegmt=True))


def another_clock(seconds: float) -> Callable[[Patch], None]:
    """Set the server's clock ahead by some seconds: its dates agree with each other alone."""

    def apply(patch: Patch) -> None:
        def now() -> float:
            return time.time() + seconds

        def dated(status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> operations.Wire:
            return status, [*headers, (b"date", formatdate(now(), usegmt=True).encode())], content

        patch.wrap(clock.Clock, "now", lambda inner: lambda self: inner(self) + int(seconds * 1_000_000))
        patch(auth, "retry_after", lambda wait: formatdate(now() + math.ceil(wait) + 1, usegmt=True))
        operations.wire(patch, None, dated)

    return apply


def fill(services: Services, rows: int = 3000) -> None:
    """Fill an org as one that has been in use for long."""
    database = services.storage
    org = auth.org_id(database, "a")
    with database.transaction():
        for number in range(rows):
            made = services.clock.now()
            stamps = {"created_at": made, "updated_at": made}
            event = {"event_id": f"old-event-{number}", "title": f"Old event {number}"}
            database.insert("events", {"org_id": org, **event, **stamps})
            run = {
                "run_id": f"run_old{number:05d}",
                "org_id": org,
                "event_seq": None,
                "kind": validation.RUN_KINDS[number % 3],
                "key_space": "generic",
                "idempotency_key": f"old-key-{number}",
                "status": "succeeded",
                "progress": "{}",
                "options": "{}",
                "checkpoint": "{}",
                "snapshot_metadata": "{}",
                "version_metadata": "{}",
                "started_at": made,
                "terminal_at": made,
            }
            database.insert("runs", {**run, **stamps})


def full_org(patch: Patch) -> None:
    def wrap(inner: Callable[[Settings, storage.Storage], Services]) -> Any:
        def build_services(settings: Settings, database: storage.Storage) -> Services:
            services = inner(settings, database)
            fill(services)
            return services

        return build_services

    patch.wrap(server, "build_services", wrap)


def strangers(address: Address, stopping: threading.Event, pause: float = 0.03) -> None:
    """Run another client of the same org: events, sessions, look-alike attendees, runs and reviews, all the time."""
    parts = urlsplit(address.base)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    headers = {"Authorization": f"Bearer {address.env['MESHI_KEY']}", "Content-Type": "application/json"}
    day = "2031-05-01"

    def send(method: str, path: str, body: dict[str, Any]) -> None:
        connection.request(method, parts.path + path, json.dumps(body), headers)
        connection.getresponse().read()
        stopping.wait(pause)

    try:
        for number in itertools.count():
            if stopping.is_set():
                return
            event = f"stranger-{number}"
            people = [
                {"attendee_id": f"{event}-{one}", "name": "Same Person", "email": f"{event}@example.com"}
                for one in "ab"
            ]
            send("POST", "/events", {"event_id": event, "title": "Stranger"})
            times = {"start_timestamp": f"{day}T09:00:00Z", "end_timestamp": f"{day}T10:00:00Z"}
            send("POST", f"/events/{event}/sessions", {"session_id": f"{event}-s", "title": "Stranger", **times})
            send("PUT", f"/events/{event}/attendees:import", {"idempotency_key": f"{event}-i", "attendees": people})
            send("POST", f"/events/{event}/enrichment-runs", {"idempotency_key": f"{event}-e"})
            send("POST", f"/events/{event}/match-runs", {"idempotency_key": f"{event}-m"})
            for kind in validation.RUN_KINDS:
                send("POST", "/runs", {"kind": kind, "idempotency_key": f"{event}-{kind}"})
    except (OSError, http.client.HTTPException):
        if not stopping.is_set():
            raise
    finally:
        connection.close()
