"""Listens on this machine for webhooks, which a target must never call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..exchanges.exchange import Exchange
from .arrange import Given

AFTERWARDS = 0.5
"""Seconds for which a delivery may still come once the run has ended."""


class Listener:
    """Notes every request to a port of this machine."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/conformance-webhook"
        self.requests: list[str] = []
        self.called = threading.Event()

    def note(self, request: str) -> None:
        self.requests.append(request)
        self.called.set()


@contextmanager
def listening() -> Iterator[Listener]:
    """Run a listener on a free loopback port."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            # Any connection counts, whatever is sent over it.
            listener.note(self.rfile.readline(1024).decode("latin-1").strip())
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener = Listener(server.server_address[1])
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield listener
    finally:
        server.shutdown()
        server.server_close()


def watched_webhook(given: Given) -> dict[str, Any]:
    """Return the requests that came to a webhook while its runs went on and shortly after.

    A server may want https and refuse such a URL: then it cannot be watched, and SetupFailed is raised.
    """
    event_id = given.event()
    with listening() as listener:
        answers = [
            given.require_success(given.api.create_run(given.generic_run_request(kind, webhook_url=listener.url)))
            for kind in ("import", "enrichment", "match")
        ]
        api, url = given.api, listener.url
        rows = [given.attendee(), given.attendee()]
        starts: tuple[Callable[[], Exchange], ...] = (
            lambda: api.import_attendees(event_id, given.import_request(rows, webhook_url=url)),
            lambda: api.create_enrichment_run(event_id, given.run_request(webhook_url=url)),
            lambda: api.create_match_run(event_id, given.run_request(webhook_url=url)),
        )
        for start in starts:
            answers.append(start())
            given.wait_for_run(answers[-1])
        listener.called.wait(AFTERWARDS)
        return {"requests": listener.requests, "exchanges": [answer.id for answer in answers]}
