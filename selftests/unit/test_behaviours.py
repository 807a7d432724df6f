"""Observers read choices from recorded exchanges, whatever a server puts into them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from meshi_conformance.behaviours.behaviours import MOST_EXCHANGES, OBSERVERS, observe
from meshi_conformance.contract.contract import load
from meshi_conformance.contract.open_questions import load_questions

QUESTIONS = load_questions()
EVENT, OTHER = "event-1", "event-2"
LONG = "x" * 300


def exchange(
    line: str,
    status: int = 200,
    answer: Any = None,
    *,
    sent: Any = None,
    at: float = 0.0,
    key: str | None = "main",
    operation: str | None = None,
    test: str = "tests/test_it.py::test_it",
    headers: dict[str, str] | None = None,
    answered: dict[str, str] | None = None,
    drift: tuple[str, ...] = (),
    size: int = 0,
) -> dict[str, Any]:
    """A record of one exchange that took a hundredth of a second."""
    method, path = line.split(" ", 1)
    body = {} if answer is None else answer
    rows = body.get("items") if isinstance(body, dict) else None
    page = {"rows": len(rows), "next_cursor": body.get("next_cursor")} if isinstance(rows, list) else None
    labelled = {"Content-Type": "application/json"} if sent is not None and headers is None else headers or {}
    return {
        "type": "exchange",
        "id": f"main-{at}",
        "operation": operation,
        "test": test,
        "method": method,
        "path": path,
        "other_base": None,
        "key": key,
        "request_headers": labelled,
        "request_body": None if sent is None else sent if isinstance(sent, str) else json.dumps(sent),
        "request_bytes": size,
        "status": status,
        "headers": list((answered or {"content-type": "application/json"}).items()),
        "body": json.dumps(body),
        "page": page,
        "started": at,
        "elapsed": 0.01,
        "drift": list(drift),
    }


def refused(line: str, status: int, code: str, **how: Any) -> dict[str, Any]:
    return exchange(line, status, {"code": code, "message": "no", "correlation_id": "c"}, **how)


def created(event_id: str = EVENT, at: float = 0.0, **answer: Any) -> dict[str, Any]:
    return exchange(
        "POST /events", 201, {"event_id": event_id, **answer}, sent={"event_id": event_id, "title": "T"}, at=at
    )


def imported(event_id: str, rows: list[dict[str, Any]], at: float) -> list[dict[str, Any]]:
    """An import and the poll that shows its end."""
    run_id = f"run-{at}"
    sent = {"idempotency_key": f"key-{at}", "attendees": rows}
    return [
        exchange(f"PUT /events/{event_id}/attendees:import", 202, {"run_id": run_id}, sent=sent, at=at),
        exchange(f"GET /runs/{run_id}", 200, {"run_id": run_id, "status": "succeeded"}, at=at + 0.1),
    ]


def page(path: str, rows: list[dict[str, Any]], cursor: Any = None, at: float = 0.0, **how: Any) -> dict[str, Any]:
    return exchange(f"GET {path}", 200, {"items": rows, "next_cursor": cursor, **how.pop("also", {})}, at=at, **how)


def many(count: int) -> list[dict[str, Any]]:
    return [{"event_id": f"event-{number}"} for number in range(count)]


def match_run(at: float, run_id: str = "run-m", status: str = "succeeded") -> list[dict[str, Any]]:
    sent = {"idempotency_key": f"key-{run_id}"}
    return [
        exchange(f"POST /events/{EVENT}/match-runs", 202, {"run_id": run_id}, sent=sent, at=at),
        exchange(f"GET /runs/{run_id}", 200, {"run_id": run_id, "status": status}, at=at + 0.1),
    ]


A, B = {"attendee_id": "a", "name": "A", "email": "a@x.y"}, {"attendee_id": "b", "name": "B", "email": "a@x.y"}
MATCHES = f"/events/{EVENT}/matches"
PEOPLE = f"/events/{EVENT}/attendees"
RESOLVE = "POST /review-queue/r-1/resolve"

CASES: list[tuple[str, str | None, list[dict[str, Any]]]] = [
    ("bodies.not_an_object", "invalid_json", [refused("POST /events", 400, "INVALID_JSON", sent=["conf"])]),
    ("bodies.not_an_object", "first_field", [refused("POST /events", 400, "INVALID_PARTNER_ID", sent=["conf"])]),
    ("bodies.not_an_object", None, [refused("POST /events", 400, "INVALID_JSON", sent="{cut")]),
    ("bodies.content_type", "required", [refused("POST /events", 415, "NO", sent={"title": "T"}, headers={"a": "b"})]),
    (
        "bodies.first_mistake",
        "event_first",
        [refused(f"POST /events/{EVENT}/context", 404, "EVENT_NOT_FOUND", sent={})],
    ),
    (
        "bodies.first_mistake",
        None,
        [created(), refused(f"POST /events/{EVENT}/context", 400, "INVALID_CONTEXT", sent={}, at=1)],
    ),
    ("bodies.characters", None, [refused("POST /events", 400, "INVALID_TITLE", sent={"title": "\U0001f600" * 200})]),
    (
        "formats.timestamps",
        "nanos",
        [exchange(f"GET /events/{EVENT}", answer={"created_at": "2031-01-01T00:00:00.123456789Z"})],
    ),
    (
        "formats.timestamps",
        "offset",
        [exchange(f"GET /events/{EVENT}", answer={"created_at": "2031-01-01T00:00:00.1+02:00"})],
    ),
    ("formats.clock", None, [page("/events", [{"created_at": "2031-01-01T00:00:00.000Z"}])]),
    (
        "formats.clock",
        "coarse",
        [page("/events", [{"created_at": f"2031-01-01T00:00:0{second}.000Z"} for second in range(5)])],
    ),
    (
        "formats.creation_time",
        "rounded",
        [
            created(created_at="T.123456Z"),
            exchange(f"GET /events/{EVENT}", answer={"event_id": EVENT, "created_at": "T.123Z"}, at=1),
        ],
    ),
    ("ids.opaque", "digits", [exchange("POST /runs", 201, {"run_id": "17"}, sent={"kind": "import"})]),
    ("ids.malformed_opaque", "unknown", [refused("GET /runs/-conf%20malformed-", 404, "RUN_NOT_FOUND")]),
    ("ids.malformed_opaque", None, [refused("GET /runs/conf", 404, "RUN_NOT_FOUND")]),
    ("events.undocumented_members", "some", [exchange("GET /auth", drift=("object",))]),
    (
        "attendees.earlier",
        "replaced",
        [*imported(EVENT, [A], 0), *imported(EVENT, [B], 1), page(PEOPLE, [B], at=2)],
    ),
    ("attendees.earlier", "kept", [*imported(EVENT, [A], 0), *imported(EVENT, [B], 1), page(PEOPLE, [A, B], at=2)]),
    ("attendees.earlier", None, [*imported(EVENT, [A], 0), *imported(EVENT, [B], 1), page(PEOPLE, [A], at=1.05)]),
    ("lists.limit_range", "nearest", [page("/events?limit=0", many(1), "c")]),
    ("lists.limit_range", "default", [page("/events?limit=101", many(50), "c")]),
    ("lists.limit_range", None, [page("/events?limit=0", [], None)]),
    ("lists.unknown_cursor", "first_page", [page("/events", many(1)), page("/events?cursor=conf", many(1), at=1)]),
    ("lists.unknown_cursor", None, [page("/events", many(1), "conf"), page("/events?cursor=conf", many(1), at=1)]),
    (
        "lists.cursor_again",
        "once",
        [page("/events?cursor=c", many(1)), refused("GET /events?cursor=c", 400, "NO", at=1)],
    ),
    (
        "lists.inserts",
        "shifted",
        [
            page("/events?limit=1", [{"event_id": "a"}], "c"),
            created("b", at=1),
            page("/events?limit=1&cursor=c", [{"event_id": "a"}], "d", at=2),
        ],
    ),
    (
        "lists.inserts",
        None,
        [
            page("/events?limit=1", [{"event_id": "a"}], "c"),
            page("/events?limit=1&cursor=c", [{"event_id": "a"}], at=2),
        ],
    ),
    ("lists.cursor_type", "number", [page("/events", many(1), 7)]),
    ("lists.cursor_change", "same", [page("/events?cursor=7", many(1), 7)]),
    (
        "lists.lag",
        "later",
        [
            exchange(f"POST /events/{EVENT}/sessions", 201, {}, sent={"session_id": "s"}),
            page(f"/events/{EVENT}/sessions", [], at=0.05),
        ],
    ),
    (
        "lists.lag",
        None,
        [
            exchange(f"POST /events/{EVENT}/sessions", 201, {}, sent={"session_id": "s"}),
            page(f"/events/{EVENT}/sessions", [{"session_id": "s"}], at=2),
        ],
    ),
    ("lists.end", "empty_page", [page("/events", many(1), "c"), page("/events?cursor=c", [], at=1)]),
    ("lists.end", None, [page("/events?cursor=conf", [])]),
    ("lists.collation", "dictionary", [page(PEOPLE, [{"attendee_id": "a"}, {"attendee_id": "B"}])]),
    ("lists.collation", None, [page(PEOPLE, [{"attendee_id": "a"}, {"attendee_id": "b"}])]),
    (
        "runs.key_in_flight",
        "refused",
        [
            exchange("POST /runs", 201, {"run_id": "1"}, sent={"kind": "match", "idempotency_key": "k"}),
            refused(
                "POST /runs", 409, "IDEMPOTENCY_KEY_CONFLICT", sent={"kind": "match", "idempotency_key": "k"}, at=0.001
            ),
        ],
    ),
    (
        "runs.key_in_flight",
        None,
        [
            exchange("POST /runs", 201, {"run_id": "1"}, sent={"kind": "match", "idempotency_key": "k"}),
            exchange("POST /runs", 200, {"run_id": "1"}, sent={"kind": "match", "idempotency_key": "k"}, at=1),
        ],
    ),
    (
        "runs.generic_end",
        "stays",
        [
            exchange("POST /runs", 201, {"run_id": "1"}, sent={"kind": "match"}),
            exchange("GET /runs/1", 200, {"run_id": "1", "status": "queued"}, at=2),
        ],
    ),
    ("matches.before_run", "empty_page", [created(), page(MATCHES, [], at=1)]),
    ("matches.before_run", None, [created(), *match_run(1), page(MATCHES, [], at=2)]),
    ("matches.unknown_run", "empty_page", [*match_run(0), page(f"{MATCHES}?run_id=run-x", [], at=1)]),
    (
        "matches.running_run",
        "shown",
        [*match_run(0, status="running"), page(f"{MATCHES}?run_id=run-m", [], at=0.05, also={"run_id": "run-m"})],
    ),
    ("matches.itself", "scored", [exchange(f"GET {MATCHES}/a/a", 200, {"final_score": 1})]),
    ("matches.itself", None, [refused(f"GET {MATCHES}/-a/-a", 400, "INVALID_PARTNER_ID")]),
    (
        "matches.later_run",
        "moves",
        [
            *match_run(0),
            page(f"{MATCHES}?limit=1", many(1), "c", at=1, also={"run_id": "run-m"}),
            *match_run(2, "run-n"),
            page(f"{MATCHES}?limit=1&cursor=c", many(1), at=3, also={"run_id": "run-n"}),
        ],
    ),
    (
        "reviews.opened",
        "settled",
        [
            *imported(EVENT, [A, B], 0),
            exchange(f"POST /events/{EVENT}/enrichment-runs", 202, {"run_id": "run-e"}, sent={}, at=1),
            exchange("GET /runs/run-e", 200, {"run_id": "run-e", "status": "succeeded"}, at=1.1),
            page(f"/events/{EVENT}/review-queue", [], at=2),
            page(PEOPLE, [A], at=3),
        ],
    ),
    (
        "reviews.subject",
        "earlier",
        [*imported(EVENT, [A, B], 0), exchange(RESOLVE, 200, {"partner_id": "a"}, sent={"decision": "distinct"}, at=1)],
    ),
    (
        "reviews.resolved_again",
        "recorded",
        [
            exchange(RESOLVE, 200, {}, sent={"decision": "accept"}),
            exchange(RESOLVE, 200, {}, sent={"decision": "accept"}, at=1),
        ],
    ),
    ("routes.head", "refused", [exchange("HEAD /events", 405)]),
    ("routes.dot_segments", "resolved", [refused("GET /events/%2E%2E/context", 404, "NOT_FOUND")]),
    (
        "rate_limit.wait_form",
        "date",
        [refused("GET /auth", 429, "X", answered={"retry-after": "Sun, 06 Nov 2033 08:49:37 GMT"})],
    ),
    ("keys.scopes", None, [exchange("GET /auth", 200, {"scopes": [{"a": 1}, "partner:write"]})]),
]
"""Question, the choice that is to be seen (None: none), and what was exchanged."""


def seen(question: str, records: list[dict[str, Any]]) -> list[str]:
    row = observe(records, load(), {question: QUESTIONS[question]})[0]
    assert "problem" not in row, row
    return [one["choice"] for one in row["seen"]]


@pytest.mark.parametrize(
    ("question", "choice", "records"),
    CASES,
    ids=[f"{name}-{choice}-{number}" for number, (name, choice, _) in enumerate(CASES)],
)
def test_an_observer_sees_the_choice(question: str, choice: str | None, records: list[dict[str, Any]]) -> None:
    assert seen(question, records) == ([] if choice is None else [choice])


def test_exchanges_are_read_in_the_order_in_which_they_began() -> None:
    question, choice, records = next(case for case in CASES if case[0] == "attendees.earlier")
    assert seen(question, records[::-1]) == [choice]


def test_a_choice_comes_with_its_number_its_operations_and_its_first_exchange() -> None:
    records = [page("/events?limit=0", many(1), "c", at=2), page("/runs?limit=0", many(1), "c", at=1)]
    records.append(refused("GET /events?limit=101", 400, "INVALID_LIMIT", at=3))
    row = observe(records, load(), {"lists.limit_range": QUESTIONS["lists.limit_range"]})[0]
    assert row["seen"] == [
        {
            "choice": "nearest",
            "count": 2,
            "operations": ["listEvents", "listRuns"],
            "exchange": "main-1",
            "shown": "GET /runs?limit=0 → 200",
        },
        {
            "choice": "refused",
            "count": 1,
            "operations": ["listEvents"],
            "exchange": "main-3",
            "shown": "GET /events?limit=101 → 400 INVALID_LIMIT",
        },
    ]


def test_other_keys_and_other_bases_show_nothing() -> None:
    record = page("/events?limit=0", many(1), "c")
    assert seen("lists.limit_range", [{**record, "key": "read"}]) == []
    assert seen("lists.limit_range", [{**record, "other_base": "http://127.0.0.1/v0/partner"}]) == []


def test_no_more_exchanges_are_read_than_the_bound() -> None:
    late = page("/events?limit=0", many(1), "c")

    def records() -> Iterator[dict[str, Any]]:
        yield from (exchange("GET /auth") for _ in range(MOST_EXCHANGES))
        yield late

    assert observe(records(), load(), {"lists.limit_range": QUESTIONS["lists.limit_range"]})[0]["seen"] == []


def test_an_observer_that_errs_costs_its_own_row_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(traffic: Any) -> Iterator[Any]:
        raise KeyError("gone")
        yield

    monkeypatch.setitem(OBSERVERS, "lists.limit_range", broken)
    rows = observe([page("/events?limit=0&limit=x", many(1), "c")], load(), QUESTIONS)
    assert [row["question"] for row in rows if "problem" in row] == ["lists.limit_range"]
    assert len(rows) == len(QUESTIONS)


ODD: tuple[Any, ...] = (None, [], {}, [[]], {"a": {}}, 7, -1.5, True, "", "x" * 50, [None], {"items": None})


def disturbed(value: Any, chance: random.Random) -> Any:
    """The value with some of its parts replaced by unexpected values."""
    if chance.random() < 0.15:
        return chance.choice(ODD)
    if isinstance(value, dict):
        return {name: disturbed(member, chance) for name, member in value.items()}
    return [disturbed(member, chance) for member in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(60))
def test_whatever_a_server_answers_no_observer_errs(seed: int) -> None:
    chance = random.Random(seed)
    records = []
    for _, _, case in CASES:
        for record in case:
            body = disturbed(json.loads(record["body"]), chance)
            rows = body.get("items") if isinstance(body, dict) else None
            odd = {**record, "body": json.dumps(body), "status": chance.choice((record["status"], 200, 400, 404))}
            odd["page"] = (
                {"rows": len(rows), "next_cursor": body.get("next_cursor")} if isinstance(rows, list) else None
            )
            sent = record["request_body"]
            if sent and sent != "{cut" and chance.random() < 0.3:
                odd["request_body"] = json.dumps(disturbed(json.loads(sent), chance))
            records.append(odd)
    problems = [row for row in observe(records, load(), QUESTIONS) if "problem" in row]
    assert problems == []
