"""The reading rules on single calls: what must be accepted, what refused and how, and what is open."""

from __future__ import annotations

from typing import Any

import pytest

from meshi_conformance.client.call import Call
from meshi_conformance.contract.contract import load
from meshi_conformance.contract.open_questions import load_questions
from meshi_conformance.watching.expectations.expectation import FREEDOMS, UNSENT, Known, Reader

EVENT = {"event_id": "event-1", "title": "Summit"}
SESSION = {
    "session_id": "session-1",
    "title": "Opening",
    "start_timestamp": "2031-06-30T09:00:00Z",
    "end_timestamp": "2031-06-30T10:00:00Z",
}
HERE = {"event_id": "here"}
READER = Reader(
    load(),
    Known(
        {
            name: [HERE]
            for name in ("createSession", "importAttendees", "createMatchRun", "listSessions", "listEventMatches")
        },
        match_runs=frozenset({"run-1"}),
        sessions=frozenset({"session-1"}),
    ),
)


def event(**members: Any) -> Call:
    return Call("createEvent", body={**EVENT, **members})


def session(**members: Any) -> Call:
    return Call("createSession", path=HERE, body={**SESSION, **members})


def rows(*attendees: Any) -> Call:
    return Call("importAttendees", path=HERE, body={"idempotency_key": "k-1", "attendees": list(attendees)})


def match(**members: Any) -> Call:
    return Call("createMatchRun", path=HERE, body={"idempotency_key": "k-1", **members})


@pytest.mark.parametrize(
    "call",
    [
        event(),
        event(title="é" * 200, description="x" * 4000, timezone="Europe/Lisbon", visibility="private"),
        event(start_date="2031-03-10", end_date="2031-03-10"),
        session(),
        rows({"attendee_id": "a-1", "name": "Ana"}, {"attendee_id": "a-2", "name": "Ana", "raw_data": {"x": {"y": 1}}}),
        match(top_n=50, webhook_url="https://hooks.example.com/run"),
        Call("listSessions", path=HERE, query={"limit": "100"}),
        Call("listEventMatches", path=HERE, query={"run_id": "run-1", "session_id": "session-1"}),
        Call("listRuns", query={"kind": "match"}),
    ],
)
def test_good_calls(call: Call) -> None:
    assert READER.read(call).kind == "good", READER.read(call)


@pytest.mark.parametrize(
    ("call", "requirement"),
    [
        (event(title="x" * 201), "limits.createEvent.title"),
        (event(title=""), "error.createEvent.INVALID_TITLE"),
        (event(title=None), "error.createEvent.INVALID_TITLE"),
        (event(title=["x"]), "error.createEvent.INVALID_TITLE"),
        (event(description={}), "generated.refuses.createEvent"),
        (event(event_id="-x"), "limits.createEvent.event_id"),
        (event(start_date="someday"), "limits.createEvent.start_date"),
        (session(session_id=""), "error.createSession.INVALID_PARTNER_ID"),
        (session().with_path(event_id="elsewhere"), "error.createSession.EVENT_NOT_FOUND"),
        (session().with_path(event_id="-x"), "limits.createSession.event_id"),
        (rows(), "error.importAttendees.INVALID_ATTENDEES"),
        (rows({"attendee_id": "a", "name": "x" * 241}), "limits.importAttendees.row.name"),
        (
            rows({"attendee_id": "a", "name": "A"}, {"attendee_id": "a", "name": "B"}),
            "error.importAttendees.DUPLICATE_ATTENDEE_ID",
        ),
        (match(top_n=51), "limits.createMatchRun.top_n"),
        (match(webhook_url="nowhere"), "limits.createMatchRun.webhook_url"),
        (match().replace(key=None), "auth.createMatchRun"),
        (match().replace(body="text"), "generated.refuses.createMatchRun"),
        (Call("createMatchRun", path=HERE, content=b"{"), "error.createMatchRun.INVALID_JSON"),
        (Call("listRuns", query={"kind": "other"}), "error.listRuns.INVALID_RUN_KIND"),
        (Call("listEventMatches", path=HERE, query={"run_id": "none"}), "error.listEventMatches.MATCH_RUN_NOT_FOUND"),
    ],
)
def test_bad_calls_are_charged_to_what_they_break(call: Call, requirement: str) -> None:
    found = READER.read(call)
    assert found.kind == "bad", found
    assert [one.requirement for one in found.faults] == [requirement]
    assert requirement in load().requirements


@pytest.mark.parametrize(
    ("call", "freedom"),
    [
        (event(description=None), "null"),
        (event(description=""), "blank"),
        (event(title="   "), "blank"),
        (event(title=5), "coercion"),
        (event(title="x" * 200 + " "), "padded"),
        (event(title="\U0001f600"), "letters"),
        (event(title="<b>"), "letters"),
        (event(timezone="Mars/Base"), "format"),
        (event(start_date="2031-02-30"), "dates"),
        (event(start_date="2031-03-02", end_date="2031-03-01"), "dates"),
        (event(surplus=1), "unknown"),
        (session(title="x" * 300), "length"),
        (session(start_timestamp="2031-06-30T09:00:00+01:00"), "dates"),
        # A server may want sessions inside the dates of their event.
        (session(start_timestamp="2031-03-10T09:00:00Z"), "dates"),
        (session(title="x" * 61), "length"),
        (match(top_n=None), "null"),
        (match(top_n="5"), "coercion"),
        (match(idempotency_key="k" * 300), "key"),
        (Call("listSessions", path=HERE, query={"limit": "0"}), "page"),
        (Call("listSessions", path=HERE, query={"cursor": "x"}), "page"),
        (Call("listSessions", path={"event_id": "a/b"}), "route"),
        (Call("listRuns", query={"kind": "Match"}), "case"),
    ],
)
def test_what_the_pages_leave_open_is_left_open(call: Call, freedom: str) -> None:
    found = READER.read(call)
    assert found.kind in ("open", "unsent"), found
    assert freedom in found.freedoms
    assert set(found.freedoms) <= set(FREEDOMS)


def test_every_freedom_names_open_questions() -> None:
    questions = load_questions()
    for name, touched in FREEDOMS.items():
        assert touched, f"{name} names no open question"
        assert set(touched) <= set(questions), f"{name} names a question that does not exist"


def test_the_documentation_names_every_freedom() -> None:
    text = (load().folder / "docs" / "generated-tests.md").read_text(encoding="utf-8")
    for name, touched in FREEDOMS.items():
        row = next((line for line in text.splitlines() if line.startswith(f"| {name} | ")), "")
        questions = ", ".join(f"`{one}`" for one in touched)
        assert row.endswith(f" | {questions} | {'no' if name in UNSENT else 'yes'} |"), name
