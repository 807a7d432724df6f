"""A complete client of the Meshi Partner API: an event, its attendees, enrichment, matching, reviews.

    MESHI_BASE=https://… MESHI_KEY=… python integrate.py

It needs httpx. Every line that it writes about an answer holds the answer's correlation ID. It ends with 0 where it got
through and with 1 where it did not. POLL_SECONDS (2 by default) is the first pause between two polls.
"""

from __future__ import annotations

import email.utils
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx

EVENT = {
    "event_id": "harbour-forum-2031",
    "title": "Harbour Forum",
    "description": "Two days for people who move goods.",
    "start_date": "2031-05-12",
    "end_date": "2031-05-13",
    "timezone": "Europe/Lisbon",
    "visibility": "private",
    "url_slug": "harbour-forum-2031",
}
CONTEXT = {"objectives": "Let people meet who can help each other."}
ATTENDEES = [
    {"attendee_id": "guest-1", "name": "Ada Berg", "email": "ada@example.com", "company": "Fjord", "title": "CTO"},
    {"attendee_id": "guest-2", "name": "Ben Cole", "email": "ben@example.com", "company": "Quay", "title": "Buyer"},
    {"attendee_id": "guest-3", "name": "Cai Diaz", "email": "cai@example.com", "company": "Pier", "title": "Founder"},
]
TERMINAL = ("succeeded", "partial", "failed")
TRIES = 5
FIRST_PAUSE = float(os.environ.get("POLL_SECONDS", "2"))
LONGEST_PAUSE = 15 * FIRST_PAUSE
RUN_SECONDS = 900


class Stop(Exception):
    """The integration cannot go on. The message is for an operator."""


class Refused(Stop):
    """The API refused a request."""

    def __init__(self, answer: httpx.Response, code: str) -> None:
        super().__init__(f"{answer.request.method} {answer.request.url.path} was refused: {answer.status_code} {code}")
        self.status, self.code = answer.status_code, code


class Api:
    """The API, with retries. A repeated request is the same request, its idempotency key included."""

    def __init__(self, base: str, key: str) -> None:
        self._base = base
        self._http = httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=60)

    def send(self, method: str, path: str, body: Any = None, **query: str) -> dict[str, Any]:
        """Return the JSON of a success. Raises Refused for a refusal, Stop where no answer comes."""
        pause = 0.5
        for _ in range(TRIES):
            try:
                answer = self._http.request(method, self._base + path, json=body, params=query or None)
            except httpx.TransportError as problem:
                print(f"{method} {path}: no answer ({type(problem).__name__})", flush=True)
                time.sleep(pause)
                pause *= 2
                continue
            said = self._log(answer)
            if answer.status_code == 429:
                time.sleep(seconds_to_wait(answer.headers.get("retry-after")))
            elif answer.status_code >= 500:
                time.sleep(pause)
                pause *= 2
            elif answer.status_code >= 400:
                raise Refused(answer, str(said.get("code")))
            else:
                return said
        raise Stop(f"{method} {path} had no usable answer in {TRIES} tries")

    def pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Yield every row of a list. The cursor goes back as it came, with the same filters."""
        cursor = None
        while True:
            page = self.send("GET", path, **query, **({} if cursor is None else {"cursor": cursor}))
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def ended(self, run: dict[str, Any]) -> dict[str, Any]:
        """Return a run once it has ended. Whatever status is not one of the three is not the end."""
        pause = FIRST_PAUSE
        deadline = time.monotonic() + RUN_SECONDS
        while run["status"] not in TERMINAL:
            if time.monotonic() > deadline:
                raise Stop(f"run {run['run_id']} is still {run['status']} after {RUN_SECONDS} s")
            run = self.send("GET", f"/runs/{run['run_id']}")
            if run["status"] not in TERMINAL:
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        return run

    def _log(self, answer: httpx.Response) -> dict[str, Any]:
        correlation_id = answer.headers.get("x-correlation-id", "none")
        request = answer.request
        print(f"{request.method} {request.url.path} {answer.status_code} correlation_id={correlation_id}", flush=True)
        said = answer.json()
        return said if isinstance(said, dict) else {}


def seconds_to_wait(retry_after: str | None) -> float:
    """Return how long Retry-After asks to wait: it holds seconds or a date."""
    if retry_after is None:
        return 5.0
    if retry_after.isdigit():
        return float(retry_after)
    return max(email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0)


def key_for(*parts: Any) -> str:
    """Return the idempotency key of a logical write: the same write has the same key, in a later run too."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]


def confirm_scope(api: Api) -> None:
    scopes = api.send("GET", "/auth")["scopes"]
    if "partner:write" not in scopes:
        raise Stop(f"the key may not write: its scopes are {', '.join(scopes)}")


def create_event(api: Api) -> str:
    """Return the path of the event. Where it exists already and is the same one, go on with it."""
    path = f"/events/{quote(str(EVENT['event_id']), safe='')}"
    try:
        api.send("POST", "/events", EVENT)
    except Refused as refusal:
        if refusal.code != "PARTNER_ID_CONFLICT":
            raise
        found = api.send("GET", path)
        if found["title"] != EVENT["title"]:
            raise Stop(f"another event is called {EVENT['event_id']}: {found['title']}") from None
    return path


def import_attendees(api: Api, event: str) -> None:
    body = {"idempotency_key": key_for(event, "import", ATTENDEES), "attendees": ATTENDEES}
    run = api.ended(api.send("PUT", f"{event}/attendees:import", body))
    if run["status"] == "failed":
        raise Stop(f"the import failed: {run['error']}")
    if run["status"] == "partial":
        print(f"the import is partial: {json.dumps(run['progress'])}")


def enrich(api: Api, event: str) -> None:
    body = {"idempotency_key": key_for(event, "enrich", ATTENDEES)}
    run = api.ended(api.send("POST", f"{event}/enrichment-runs", body))
    if run["status"] == "failed":
        raise Stop(f"the enrichment failed: {run['error']}")


def resolve_reviews(api: Api, event: str) -> None:
    """Decide every open review: this integration trusts the IDs of its own system."""
    for review in list(api.pages(f"{event}/review-queue", limit="50")):
        path = f"/review-queue/{quote(review['review_id'], safe='')}/resolve"
        try:
            api.send("POST", path, {"decision": "distinct", "reason": "Two IDs in our system are two people."})
        except Refused as refusal:
            if refusal.code != "REVIEW_NOT_FOUND":  # it is resolved already
                raise


def match(api: Api, event: str) -> str:
    """Return the ID of the match run."""
    body = {"idempotency_key": key_for(event, "match", ATTENDEES), "top_n": 10}
    run = api.ended(api.send("POST", f"{event}/match-runs", body))
    if run["status"] == "failed":
        raise Stop(f"the matching failed: {run['error']}")
    return str(run["run_id"])


def main() -> int:
    api = Api(os.environ["MESHI_BASE"].rstrip("/"), os.environ["MESHI_KEY"])
    try:
        confirm_scope(api)
        event = create_event(api)
        api.send("POST", f"{event}/context", CONTEXT)
        import_attendees(api, event)
        enrich(api, event)
        resolve_reviews(api, event)
        run_id = match(api, event)
        matches = list(api.pages(f"{event}/matches", run_id=run_id, limit="50"))
        print(f"{len(matches)} matches")
        for guest in ATTENDEES:
            best = next(api.pages(f"{event}/attendees/{guest['attendee_id']}/matches", run_id=run_id, limit="1"), None)
            if best is not None:
                print(f"{guest['name']} should meet {best['target_attendee_id']}")
    except Stop as reason:
        print(f"stopped: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
