"""A good client on urllib: a fresh connection for each request, random keys, looks before it creates, jitter."""

import json
import os
import random
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

BASE, KEY = os.environ["MESHI_BASE"], os.environ["MESHI_KEY"]
START = float(os.environ.get("POLL_SECONDS", "2"))
EVENT = {"event_id": "ev:2031.a", "title": "Tide", "start_date": "2031-02-03", "timezone": "UTC"}
PEOPLE = [
    {"attendee_id": "p:1", "name": "Uma Falk", "email": "uma@example.com", "raw_data": {"source": "crm"}},
    {"attendee_id": "p:2", "name": "Vic Holm"},
    {"attendee_id": "p:3", "name": "Wes Lind", "company": "Reef"},
]


def call(method: str, path: str, body: Any = None, ok: tuple[int, ...] = (200, 201, 202)) -> Any:
    data = None if body is None else json.dumps(body).encode()
    for attempt in range(6):
        sent = "own-" + uuid.uuid4().hex
        headers = {"Authorization": "bearer " + KEY, "Content-Type": "application/json", "X-Correlation-Id": sent}
        request = urllib.request.Request(BASE + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                status, said = answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            status, said = error.code, json.load(error)
            if status == 429:
                print("429", said["correlation_id"])
                wait = error.headers["Retry-After"]
                seconds = int(wait) if wait.isdigit() else parsedate_to_datetime(wait).timestamp() - time.time()
                time.sleep(max(seconds, 0) + 0.2)
                continue
        except (OSError, ConnectionError) as problem:
            print("no answer:", problem, file=sys.stderr)
            time.sleep(0.3 * (attempt + 1) * random.uniform(0.8, 1.2))
            continue
        print(json.dumps({"m": method, "status": status, "cid": said["correlation_id"]}), file=sys.stderr)
        if status >= 500:
            time.sleep(0.3 * (attempt + 1))
            continue
        if status in ok or 200 <= status < 300:
            return status, said
        raise SystemExit(f"{method} {path}: {status} {said['code']}")
    raise SystemExit(f"{method} {path}: gave up")


def wait_for(run: Any) -> Any:
    pause = START * random.uniform(0.8, 1.2)
    while run["status"] not in ("succeeded", "partial", "failed"):
        time.sleep(pause)
        pause *= random.uniform(1.3, 1.7)
        run = call("GET", "/runs/" + run["run_id"])[1]
    return run


def every(path: str, **query: Any) -> Iterator[Any]:
    while True:
        page = call("GET", path + "?" + urllib.parse.urlencode(query))[1]
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        query["cursor"] = page["next_cursor"]


if "partner:write" not in call("GET", "/auth")[1]["scopes"]:
    raise SystemExit(3)
event = urllib.parse.quote(EVENT["event_id"], safe="")
status, found = call("GET", "/events/" + event, ok=(200, 404))
if status == 404:
    status, found = call("POST", "/events", EVENT, ok=(201, 409))
    if status == 409:
        found = call("GET", "/events/" + event)[1]
if found["title"] != EVENT["title"]:
    raise SystemExit("another event has our ID")
call("POST", f"/events/{event}/context", {"event_details": "Sea."})
run = wait_for(
    call("PUT", f"/events/{event}/attendees%3Aimport", {"idempotency_key": str(uuid.uuid4()), "attendees": PEOPLE})[1]
)
if run["status"] == "failed":
    print("the import failed", run["error"])
    raise SystemExit(7)
if run["status"] == "partial":
    print("rows were refused:", run["progress"])
    raise SystemExit(2)
wait_for(
    call(
        "POST",
        f"/events/{event}/enrichment-runs",
        {"idempotency_key": str(uuid.uuid4()), "webhook_url": "https://hooks.example.com/m"},
    )[1]
)
wait_for(call("POST", f"/events/{event}/match-runs", {"idempotency_key": str(uuid.uuid4())})[1])
print(len(list(every(f"/events/{event}/matches", limit=100))), "matches")
for review in every(f"/events/{event}/review-queue"):
    call("POST", f"/review-queue/{review['review_id']}/resolve", {"decision": "reject"}, ok=(200, 404))
