"""The duties of clients in recordings: bad clients are found, good ones are not, strangers do not disturb."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from .hars import KEY, created, entry, event, refused, write
from .test_recordings import failed, judged
from .test_sequences import RUN, events, page

Entry = dict[str, Any]


def import_of(key: str, name: str = "Ada Berg") -> Entry:
    return {"idempotency_key": key, "attendees": [{"attendee_id": "a-1", "name": name}]}


def started(key: str, at: float, name: str = "Ada Berg", path: str = "summit-2026", **how: Any) -> Entry:
    answer = {**RUN, "kind": "import", "idempotency_key": key, "status": "queued", "idempotent_replay": False}
    request = import_of(key, name)
    return entry("importAttendees", 202, answer, path=f"/events/{path}/attendees:import", request=request, at=at, **how)


def poll(at: float, status: str = "running") -> Entry:
    return entry("getRun", 200, {**RUN, "status": status}, path="/runs/run_1", at=at)


def limited(at: float, seconds: str = "5") -> Entry:
    one = refused("getEvent", 429, "PARTNER_RATE_LIMIT_EXCEEDED", path="/events/summit-2026", at=at)
    one["response"]["headers"].append({"name": "Retry-After", "value": seconds})
    return one


def read(at: float, **how: Any) -> Entry:
    return entry("getEvent", 200, created(event()), path="/events/summit-2026", at=at, **how)


GOOD = [
    entry("getAuth", 200, at=0),
    entry("createEvent", 201, created(event()), request=event(), at=1),
    limited(2),
    read(7.5),
    page("listEvents", "/events?limit=2", 8, events(3, 2), "abc+/=="),
    page("listEvents", "/events?limit=2&cursor=abc%2B%2F%3D%3D", 9, events(1)),
    started("key-1", 10),
    started("key-1", 11),
    *(poll(12 + number**2 / 10) for number in range(2, 14)),
    poll(31, "succeeded"),
    poll(40, "succeeded"),
]

BAD: dict[str, tuple[list[Entry], str]] = {
    "a request comes before Retry-After is over": ([limited(1), read(2)], "client.rate_limit.waits"),
    "a run is polled in a burst": ([poll(1 + number / 10) for number in range(20)], "client.polls.no_burst"),
    "a run is polled after its end": (
        [started("k", 0), *(poll(1 + 2 * n, "succeeded") for n in range(9))],
        "client.runs.ends_recognised",
    ),
    "a cursor is encoded twice": (
        [
            page("listEvents", "/events?limit=2", 1, events(3, 2), "ab/c="),
            page("listEvents", "/events?limit=2&cursor=ab%252Fc%253D", 2, events(1)),
        ],
        "client.pages.verbatim",
    ),
    "a key is used for two imports": (
        [
            started("key-1", 1),
            entry(
                "createMatchRun",
                202,
                {**RUN, "kind": "match"},
                path="/events/summit-2026/match-runs",
                request={"idempotency_key": "key-1"},
                at=2,
            ),
        ],
        "client.idempotency.own_key",
    ),
    "a retry has another body": (
        [started("key-1", 1), started("key-1", 2, "Ada Holm")],
        "client.idempotency.equal_body",
    ),
    "a request breaks a bound": (
        [refused("createEvent", 400, "INVALID_TITLE", request=event(title="x" * 201), at=1)],
        "client.requests.bounds",
    ),
    "the key is in the URL": ([entry("getAuth", 200, path=f"/auth?key={KEY}", at=1)], "client.key.nowhere_else"),
    "a request has no key": ([read(1), refused("getAuth", 401, "UNAUTHORIZED", key=None, at=2)], "client.key.header"),
}


def breached(folder: Path, *entries: Entry, options: tuple[str, ...] = ()) -> list[str]:
    judged(folder, write(folder, *entries), options=("--clients", *options))
    document = json.loads((folder / "report" / "clients" / "results.json").read_text(encoding="utf-8"))
    assert document["subject"] == "client"
    return failed(document)


@pytest.mark.parametrize("options", [(), ("--complete",)])
def test_a_good_client_is_not_blamed(options: tuple[str, ...], tmp_path: Path) -> None:
    assert breached(tmp_path, *GOOD, options=options) == []


@pytest.mark.parametrize("name", BAD)
def test_a_bad_client_is_found(name: str, tmp_path: Path) -> None:
    entries, duty = BAD[name]
    assert breached(tmp_path, *entries) == [duty]


def test_missing_requests_blame_no_client(tmp_path: Path) -> None:
    chance = random.Random(3)
    for _ in range(8):
        assert breached(tmp_path, *(one for one in GOOD if chance.random() < 0.6)) == []


def test_another_client_need_not_wait(tmp_path: Path) -> None:
    other = read(2, key="msk_the_key_of_somebody_else")
    assert breached(tmp_path, limited(1), other) == []


def test_a_client_whose_key_was_taken_out_is_not_judged(tmp_path: Path) -> None:
    one, other = limited(1), read(2)
    for each in (one, other):
        each["request"]["headers"] = [row for row in each["request"]["headers"] if row["name"] != "Authorization"]
    assert breached(tmp_path, one, other) == []
    assert breached(tmp_path, one, other, options=("--one-org",)) == ["client.rate_limit.waits"]
