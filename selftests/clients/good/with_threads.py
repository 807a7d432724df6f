"""A good client with threads: two imports under way at once, one gate for all when a 429 comes, several events."""

import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

BASE = os.environ["MESHI_BASE"]
START = float(os.environ.get("POLL_SECONDS", "2"))
http = httpx.Client(headers={"Authorization": "Bearer " + os.environ["MESHI_KEY"]}, timeout=30)
lock = threading.Lock()
open_from = 0.0


class Failed(Exception):
    pass


def call(method: str, path: str, body: Any = None, **query: Any) -> Any:
    global open_from
    for attempt in range(8):
        while (pause := open_from - time.monotonic()) > 0:
            time.sleep(pause)
        try:
            answer = http.request(method, BASE + path, json=body, params=query or None)
        except httpx.TransportError:
            time.sleep(0.2 * 2**attempt)
            continue
        said = answer.json()
        with lock:
            print(method, path, answer.status_code, said["correlation_id"], flush=True)
        if answer.status_code == 429:
            wait = answer.headers["retry-after"]
            seconds = float(wait) if wait.isdigit() else parsedate_to_datetime(wait).timestamp() - time.time()
            open_from = max(open_from, time.monotonic() + seconds + 0.05)
        elif answer.status_code >= 500:
            time.sleep(0.2 * 2**attempt)
        elif answer.status_code >= 400:
            if (answer.status_code, said["code"]) == (409, "PARTNER_ID_CONFLICT"):
                return call("GET", "/events/" + body["event_id"])
            raise Failed(path, said["code"])
        else:
            return said
    raise Failed(path, "no answer")


def ended(run: Any) -> Any:
    pause = START
    while run["status"] not in ("succeeded", "partial", "failed"):
        run = call("GET", "/runs/" + run["run_id"])
        time.sleep(pause)
        pause = min(pause * 1.5, 10 * START)
    return run


def pages(path: str, **query: Any) -> Iterator[Any]:
    page = call("GET", path, **query)
    while True:
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        page = call("GET", path, **query, cursor=page["next_cursor"])


def whole(number: int) -> bool:
    event = f"thread-{number}"
    call("POST", "/events", {"event_id": event, "title": f"Event {number}"})
    call("POST", f"/events/{event}/context", {"objectives": "Meet."})
    rows = [{"attendee_id": f"{event}-{n}", "name": f"Person {n}", "company": f"C{n}"} for n in range(6)]
    halves = [{"idempotency_key": f"{event}-import-{half}", "attendees": rows[half::2]} for half in (0, 1)]
    with ThreadPoolExecutor(2) as pool:
        started = list(pool.map(lambda body: call("PUT", f"/events/{event}/attendees:import", body), halves))
        runs = list(pool.map(ended, started))
    if any(run["status"] == "failed" for run in runs):
        print(event, "import failed; its other steps are left out")
        return False
    ended(call("POST", f"/events/{event}/enrichment-runs", {"idempotency_key": f"{event}-enrich"}))
    ended(call("POST", f"/events/{event}/match-runs", {"idempotency_key": f"{event}-match", "top_n": 3}))
    walks = [pages(f"/events/{event}/matches", limit=50), pages(f"/events/{event}/attendees", limit=50)]
    return all(len(list(walk)) >= 0 for walk in walks)


def main() -> int:
    if "partner:write" not in call("GET", "/auth")["scopes"]:
        return 5
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(whole, (1, 2)))
    first = next(pages("/events", limit=1), None)
    print("newest:", json.dumps(first)[:80])
    return 0 if all(done) else 9


try:
    raise SystemExit(main())
except Failed as reason:
    print("failed:", reason)
    raise SystemExit(4) from None
