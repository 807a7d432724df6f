"""A good client of many moods: its argument, a seed, decides what the pages leave to a client.

It looks before it writes or writes at once, keeps connections or opens them anew, retries or looks what became of a
lost request, imports in one part or in two that overlap, polls at once or later, gives up or goes on.
"""

import email.utils
import http.client
import json
import os
import random
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

MOOD = random.Random("".join(sys.argv[1:]))
BASE = urlsplit(os.environ["MESHI_BASE"])
UNIT = float(os.environ.get("POLL_SECONDS", "2"))
TERMINAL = ("succeeded", "partial", "failed")


def either(*ways: Any) -> Any:
    return MOOD.choice(ways)


KEEPS_CONNECTIONS = either(True, False)
OWN_CORRELATION_IDS = either(True, False)
CHUNKED = either(True, False, False)
COLON = either(":", "%3A")
ON_429 = either("wait", "wait", "wait", "give up")
ON_LOST = either("again", "again", "look")
ON_CONFLICT = either("go on", "stop if it differs")
ON_PARTIAL = either("go on", "stop", "import the failed rows again")
LOOKS_FIRST = either("nothing", "event", "id map")
KEY_OF = either("content", "chance")
PARTS = either(1, 2)
FIRST_POLL = either("at once", "later")
GROWTH = either(1.3, 1.7, 2.0)
REVIEWS = either("before matching", "after matching", "never")
DECISION = either("accept", "reject", "distinct")
SECOND_ENRICHMENT = either(True, False)
WEBHOOK = either(None, "https://hooks.example.com/meshi")
READS = either("first row", "whole lists", "interleaved")
WALK_LIMIT = either(2, 50, None)

EVENT = "moody-2031"
DETAILS = {"event_id": EVENT, "title": "Moody Days", "start_date": "2031-06-03", "timezone": "Europe/Oslo"}
CONTEXT = {"event_details": "People who change their minds."}
PEOPLE = [{"attendee_id": f"mood-{n}", "name": f"Guest {n}", "email": f"guest{n}@example.com"} for n in range(4)]

threads = threading.local()
writing = threading.Lock()
open_from = 0.0


class Stop(Exception):
    pass


class Refused(Stop):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code = status, code


class Lost(Stop):
    pass


def key_for(what: str, rows: Any = None) -> str:
    if KEY_OF == "chance":
        return str(uuid.UUID(int=random.SystemRandom().getrandbits(128)))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([what, rows])))


def once(method: str, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
    """Send a request and read its answer. Raises Lost where there is none."""
    connection = getattr(threads, "connection", None)
    if connection is None:
        connection = http.client.HTTPConnection(BASE.hostname or "", BASE.port, timeout=30)
    threads.connection = None
    headers = {"Authorization": "Bearer " + os.environ["MESHI_KEY"]}
    if OWN_CORRELATION_IDS:
        headers["x-correlation-id"] = "moody-" + uuid.uuid4().hex
    sent: Any = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        sent = json.dumps(body).encode()
        if CHUNKED:
            sent = iter([sent[:7], sent[7:]])
    try:
        connection.request(method, BASE.path + path, sent, headers, encode_chunked=CHUNKED and body is not None)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as problem:
        connection.close()
        raise Lost(f"{method} {path}: {type(problem).__name__}") from None
    if KEEPS_CONNECTIONS and not answer.will_close:
        threads.connection = connection
    else:
        connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, json.loads(content)


def call(method: str, path: str, body: Any = None, *, tries: int = 8, looks: bool = False, **query: Any) -> Any:
    global open_from
    target = path + ("?" + urlencode({k: v for k, v in query.items() if v is not None}) if query else "")
    pause = UNIT
    for _ in range(tries):
        while (left := open_from - time.monotonic()) > 0:
            time.sleep(left)
        try:
            status, headers, said = once(method, target, body)
        except Lost:
            if looks:
                raise
            time.sleep(pause)
            pause *= 2
            continue
        with writing:
            print(method, target, status, said.get("correlation_id"), flush=True)
        if status == 429:
            if ON_429 == "give up":
                raise Refused(status, said["code"])
            asked = headers["retry-after"]
            if asked.isdigit():
                seconds = float(asked)
            else:
                seconds = email.utils.parsedate_to_datetime(asked).timestamp() - time.time()
            open_from = max(open_from, time.monotonic() + seconds + 0.05 + 0.3 * random.random())
        elif status >= 500:
            time.sleep(pause)
            pause *= 2
        elif status >= 400:
            raise Refused(status, said["code"])
        else:
            return said
    raise Stop(f"{method} {path} was not answered")


def found(path: str) -> Any:
    """Return what is there, or None."""
    try:
        return call("GET", path)
    except Refused as refusal:
        if refusal.status != 404:
            raise
        return None


def make_event() -> None:
    if LOOKS_FIRST == "id map" and found(f"/id-map/event/{EVENT}"):
        check(call("GET", f"/events/{EVENT}"))
        return
    if LOOKS_FIRST == "event" and (there := found(f"/events/{EVENT}")):
        check(there)
        return
    try:
        call("POST", "/events", DETAILS, looks=ON_LOST == "look")
    except Lost:
        if found(f"/events/{EVENT}") is None:
            call("POST", "/events", DETAILS)
    except Refused as refusal:
        if refusal.code != "PARTNER_ID_CONFLICT":
            raise
        check(call("GET", f"/events/{EVENT}"))


def check(there: Any) -> None:
    if ON_CONFLICT == "stop if it differs" and there["title"] != DETAILS["title"]:
        raise Stop("another event has this ID")


def start(kind: str, method: str, path: str, body: Any) -> Any:
    """Start a run. Where the answer is lost, ask again or look for the run."""
    if WEBHOOK:
        body = {**body, "webhook_url": WEBHOOK}
    try:
        return call(method, path, body, looks=ON_LOST == "look")
    except Lost:
        for run in rows("/runs", kind=kind):
            if run["idempotency_key"] == body["idempotency_key"]:
                return run
        return call(method, path, body)


def ended(run: Any) -> Any:
    pause = UNIT * (1 + random.random() / 5)
    if FIRST_POLL == "later":
        time.sleep(pause)
    while run["status"] not in TERMINAL:
        run = call("GET", "/runs/" + quote(run["run_id"], safe=""))
        if run["status"] not in TERMINAL:
            time.sleep(pause)
            pause *= GROWTH
    return run


def rows(path: str, **query: Any) -> Any:
    cursor = None
    while True:
        page = call("GET", path, limit=WALK_LIMIT, cursor=cursor, **query)
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def imported(people: Any, what: str) -> Any:
    body = {"idempotency_key": key_for(what, people), "attendees": people}
    return start("import", "PUT", f"/events/{EVENT}/attendees{COLON}import", body)


def import_people() -> None:
    parts = [PEOPLE[n::PARTS] for n in range(PARTS)]
    with ThreadPoolExecutor(PARTS) as pool:
        started = list(pool.map(lambda part: imported(part, "import"), parts))
        runs = list(pool.map(ended, started))
    if any(run["status"] == "failed" for run in runs):
        raise Stop("an import failed")
    if any(run["status"] == "partial" for run in runs):
        print("partial:", [run["progress"] for run in runs])
        if ON_PARTIAL == "stop":
            raise Stop("an import was partial")
        if ON_PARTIAL == "import the failed rows again" and ended(imported(PEOPLE[:1], "again"))["status"] == "failed":
            raise Stop("an import failed")


def enrich(number: int) -> None:
    body = {"idempotency_key": key_for(f"enrichment {number}")}
    if ended(start("enrichment", "POST", f"/events/{EVENT}/enrichment-runs", body))["status"] == "failed":
        raise Stop("an enrichment failed")


def decide() -> None:
    for review in list(rows(f"/events/{EVENT}/review-queue")):
        path = "/review-queue/" + quote(review["review_id"], safe="") + "/resolve"
        try:
            resolve(path, looks=ON_LOST == "look")
        except Lost:
            if any(one["review_id"] == review["review_id"] for one in rows(f"/events/{EVENT}/review-queue")):
                resolve(path)


def resolve(path: str, *, looks: bool = False) -> None:
    try:
        call("POST", path, {"decision": DECISION, "reason": "Looked at."}, looks=looks)
    except Refused as refusal:
        if refusal.code != "REVIEW_NOT_FOUND":
            raise


def read(run_id: str) -> None:
    guests = [f"/events/{EVENT}/attendees/{one['attendee_id']}/matches" for one in PEOPLE[:2]]
    if READS == "first row":
        print(call("GET", guests[0], limit=1, run_id=run_id)["items"])
    elif READS == "whole lists":
        for path in (*guests, f"/events/{EVENT}/matches"):
            print(len(list(rows(path, run_id=run_id))))
    else:
        walks = [rows(path, run_id=run_id) for path in guests]
        while walks:
            walks = [walk for walk in walks if next(walk, None) is not None]


def set_context() -> None:
    path = f"/events/{EVENT}/context"
    try:
        call("POST", path, CONTEXT, looks=ON_LOST == "look")
    except Lost:
        if (call("GET", path)["context"] or {}).get("event_details") != CONTEXT["event_details"]:
            call("POST", path, CONTEXT)


def main() -> int:
    if "partner:write" not in call("GET", "/auth")["scopes"]:
        raise Stop("the key may not write")
    make_event()
    set_context()
    import_people()
    enrich(1)
    if REVIEWS == "before matching":
        decide()
    if SECOND_ENRICHMENT:
        enrich(2)
    run = ended(
        start("match", "POST", f"/events/{EVENT}/match-runs", {"idempotency_key": key_for("match"), "top_n": 3})
    )
    if run["status"] == "failed":
        raise Stop("the matching failed")
    read(run["run_id"])
    if REVIEWS == "after matching":
        decide()
    return 0


try:
    raise SystemExit(main())
except Stop as reason:
    print("stopped:", reason)
    raise SystemExit(MOOD.choice((1, 3, 64))) from None
