"""Every documented refusal, each for its own reason, beside a twin that is accepted."""

from __future__ import annotations

from typing import Any

import pytest

from meshi_reference.errors import STATUS

from .reference_api import Api, person, unique

LONG_ID = "x" * 129


def key() -> dict[str, str]:
    """A fresh idempotency key as a body."""
    return {"idempotency_key": unique("key")}


@pytest.fixture(scope="module")
def world(api: Api) -> dict[str, str]:
    """An event with attendees, a match run, two open reviews and a session."""
    event, session = api.event(), unique("session")
    api.post(f"/events/{event}/sessions", {"session_id": session, "title": "S"})
    rows = [
        person("w-1", email="w@example.com"),
        person("w-2", email="W@example.com"),
        person("w-3", linkedin_url="https://www.linkedin.com/in/w"),
        person("w-4", linkedin_url="http://linkedin.com/in/W/"),
        person("w-5", company="Solo"),
    ]
    api.load(event, rows)
    enrichment = api.run(event, "enrichment")
    api.run(event, "match", top_n=1)
    pairs = {
        (item["principal_attendee_id"], item["target_attendee_id"]) for item in api.walk(f"/events/{event}/matches")
    }
    missing = next(f"w-1/w-{n}" for n in range(2, 6) if ("w-1", f"w-{n}") not in pairs)
    elsewhere = api.event()
    api.load(elsewhere, [person("far-away")])
    reviews = api.get(f"/events/{event}/review-queue").json()["items"]
    assert len(reviews) == 2
    return {
        "e": event,
        "s": session,
        "review": next(r["review_id"] for r in reviews if r["partner_id"] == "w-2"),
        "enrichment": enrichment["run_id"],
        "bare": api.event(),
        "missing_pair": missing,
    }


EVENT_BODIES: list[tuple[str, Any, Any, str]] = [
    ("event_id", "a b", "a.b:c_d-e", "INVALID_PARTNER_ID"),
    ("event_id", LONG_ID, "y" * 128, "INVALID_PARTNER_ID"),
    ("event_id", "trailing\n", "trailing", "INVALID_PARTNER_ID"),
    ("event_id", 7, "seven", "INVALID_PARTNER_ID"),
    ("title", "x" * 201, "x" * 200, "INVALID_TITLE"),
    ("title", "", "x", "INVALID_TITLE"),
    ("title", None, "x", "INVALID_TITLE"),
    ("title", 5, "5", "INVALID_TITLE"),
    ("description", "x" * 4001, "x" * 4000, "INVALID_DESCRIPTION"),
    ("description", [], None, "INVALID_DESCRIPTION"),
    ("start_date", "2026-02-30", "2026-02-28", "INVALID_START_DATE"),
    ("start_date", "2026-09-10T00:00:00Z", None, "INVALID_START_DATE"),
    ("end_date", "tomorrow", "2026-09-11", "INVALID_END_DATE"),
    ("timezone", "x" * 129, "x" * 128, "INVALID_TIMEZONE"),
    ("visibility", "x" * 33, "x" * 32, "INVALID_VISIBILITY"),
    ("url_slug", "x" * 129, "x" * 128, "INVALID_URL_SLUG"),
    ("url_slug", True, "slug", "INVALID_URL_SLUG"),
]


@pytest.mark.parametrize(("field", "bad", "good", "code"), EVENT_BODIES)
def test_event_fields(api: Api, field: str, bad: Any, good: Any, code: str) -> None:
    body = {"event_id": unique("event"), "title": "T"}
    assert api.refusal("POST", "/events", {**body, field: bad}) == (400, code)
    assert api.post("/events", {**body, field: good}).status_code == 201


SESSION_BODIES: list[tuple[str, Any, Any, str]] = [
    ("session_id", "-x", unique("session"), "INVALID_PARTNER_ID"),
    ("title", " ", "x", "INVALID_TITLE"),
    ("description", 1, "x", "INVALID_DESCRIPTION"),
    ("start_timestamp", "2026-09-10", "2026-09-10T13:00:00Z", "INVALID_START_TIMESTAMP"),
    ("start_timestamp", "2026-13-10T13:00:00Z", "2026-09-10T13:00:00+02:00", "INVALID_START_TIMESTAMP"),
    ("end_timestamp", 12, "2026-09-10T13:00:00.123Z", "INVALID_END_TIMESTAMP"),
]


@pytest.mark.parametrize(("field", "bad", "good", "code"), SESSION_BODIES)
def test_session_fields(api: Api, world: dict[str, str], field: str, bad: Any, good: Any, code: str) -> None:
    path = f"/events/{world['e']}/sessions"
    body = {"session_id": unique("session"), "title": "T"}
    assert api.refusal("POST", path, {**body, field: bad}) == (400, code)
    assert api.post(path, {**body, field: good}).status_code == 201


@pytest.mark.parametrize(
    "body", [{}, {"other": "x"}, {"objectives": None}, {"objectives": 1}, {"objectives": "x" * 4001}]
)
def test_context(api: Api, world: dict[str, str], body: dict[str, Any]) -> None:
    path = f"/events/{world['bare']}/context"
    assert api.refusal("POST", path, body) == (400, "INVALID_CONTEXT")
    assert api.post(path, {"objectives": "x" * 4000}).status_code == 200


ATTENDEE_FIELDS: list[tuple[str, Any, Any, str]] = [
    ("attendee_id", "a/b", "a-b", "INVALID_PARTNER_ID"),
    ("attendee_id", None, "a-b", "INVALID_PARTNER_ID"),
    ("name", "x" * 241, "x" * 240, "INVALID_ATTENDEE_NAME"),
    ("name", None, "x", "INVALID_ATTENDEE_NAME"),
    ("email", "x" * 321, "x" * 320, "INVALID_ATTENDEE_EMAIL"),
    ("linkedin_url", "x" * 2049, "x" * 2048, "INVALID_ATTENDEE_LINKEDIN_URL"),
    ("title", "x" * 513, "x" * 512, "INVALID_ATTENDEE_TITLE"),
    ("company", "x" * 513, "x" * 512, "INVALID_ATTENDEE_COMPANY"),
    ("raw_data", [], {}, "INVALID_ATTENDEE_RAW_DATA"),
    ("raw_data", "{}", None, "INVALID_ATTENDEE_RAW_DATA"),
]


@pytest.mark.parametrize(("field", "bad", "good", "code"), ATTENDEE_FIELDS)
def test_attendee_fields(api: Api, field: str, bad: Any, good: Any, code: str) -> None:
    event = api.event()
    path = f"/events/{event}/attendees:import"
    same = key()
    rows = [person("fine"), {**person("a-b"), field: bad}]
    assert api.refusal("PUT", path, {**same, "attendees": rows}) == (400, code)
    assert api.get(f"/events/{event}/attendees").json()["items"] == []
    rows[1][field] = good
    accepted = api.call("PUT", path, {**same, "attendees": rows})
    assert (accepted.status_code, accepted.json()["idempotent_replay"]) == (202, False)


@pytest.mark.parametrize(
    ("attendees", "code"),
    [
        (None, "INVALID_ATTENDEES"),
        ([], "INVALID_ATTENDEES"),
        ({}, "INVALID_ATTENDEES"),
        ([1], "INVALID_ATTENDEE"),
        ([person("twice"), person("twice")], "DUPLICATE_ATTENDEE_ID"),
    ],
)
def test_attendee_lists(api: Api, world: dict[str, str], attendees: Any, code: str) -> None:
    path = f"/events/{world['bare']}/attendees:import"
    assert api.refusal("PUT", path, {**key(), "attendees": attendees}) == (400, code)


RUN_PATHS = [
    ("PUT", "/events/{bare}/attendees:import", {"attendees": [person("one")]}),
    ("POST", "/events/{bare}/enrichment-runs", {}),
    ("POST", "/events/{bare}/match-runs", {}),
    ("POST", "/runs", {"kind": "import"}),
]
RUN_FIELDS: list[tuple[str, Any, Any, str]] = [
    ("idempotency_key", None, "k", "INVALID_IDEMPOTENCY_KEY"),
    ("idempotency_key", "", "k", "INVALID_IDEMPOTENCY_KEY"),
    ("idempotency_key", "k" * 256, "k" * 255, "INVALID_IDEMPOTENCY_KEY"),
    ("webhook_url", "nonsense", "https://example.com/hook", "INVALID_WEBHOOK_URL"),
    ("webhook_url", "ftp://example.com", "http://example.com", "INVALID_WEBHOOK_URL"),
    ("webhook_url", "https://", None, "INVALID_WEBHOOK_URL"),
    ("webhook_url", "https://example.com/" + "x" * 2048, None, "INVALID_WEBHOOK_URL"),
]


@pytest.mark.parametrize(("method", "path", "body"), RUN_PATHS)
@pytest.mark.parametrize(("field", "bad", "good", "code"), RUN_FIELDS)
def test_run_fields(
    api: Api,
    world: dict[str, str],
    method: str,
    path: str,
    body: dict[str, Any],
    field: str,
    bad: Any,
    good: Any,
    code: str,
) -> None:
    path = path.format(**world)
    assert api.refusal(method, path, {**key(), **body, field: bad}) == (400, code)
    if good == "k":
        good = unique("good")
    if good == "k" * 255:
        good = unique("good").ljust(255, "k")
    assert api.call(method, path, {**key(), **body, field: good}).status_code in (201, 202)


@pytest.mark.parametrize("top_n", [0, 51, -1, "10", 1.5, True, [], 10.0])
def test_top_n(api: Api, world: dict[str, str], top_n: Any) -> None:
    path = f"/events/{world['bare']}/match-runs"
    assert api.refusal("POST", path, {**key(), "top_n": top_n}) == (400, "INVALID_TOP_N")
    assert api.post(path, {**key(), "top_n": 50}).status_code == 202


@pytest.mark.parametrize(
    ("field", "bad", "code"),
    [
        ("kind", None, "INVALID_RUN_KIND"),
        ("kind", "imports", "INVALID_RUN_KIND"),
        ("kind", [], "INVALID_RUN_KIND"),
        ("progress", [], "INVALID_PROGRESS"),
        ("snapshot_metadata", "x", "INVALID_SNAPSHOT_METADATA"),
        ("version_metadata", 1, "INVALID_VERSION_METADATA"),
    ],
)
def test_generic_run_fields(api: Api, field: str, bad: Any, code: str) -> None:
    assert api.refusal("POST", "/runs", {**key(), "kind": "match", field: bad}) == (400, code)


ROWS: list[tuple[str, str, str]] = [
    ("GET", "/id-map/9x/a", "INVALID_PARTNER_KIND"),
    ("GET", "/id-map/event/a%2Fb", "INVALID_PARTNER_ID"),
    ("GET", "/id-map/event/unmapped", "PARTNER_ID_NOT_FOUND"),
    ("GET", "/id-map/venue/{e}", "PARTNER_ID_NOT_FOUND"),
    ("GET", "/events/a%2Fb", "INVALID_PARTNER_ID"),
    ("GET", "/events/none", "EVENT_NOT_FOUND"),
    ("GET", "/events/a%20b/context", "INVALID_PARTNER_ID"),
    ("GET", "/events/none/context", "EVENT_NOT_FOUND"),
    ("GET", "/events/%C3%A9/sessions", "INVALID_PARTNER_ID"),
    ("GET", "/events/none/sessions", "EVENT_NOT_FOUND"),
    ("GET", "/events/{e}/sessions/%00", "INVALID_PARTNER_ID"),
    ("GET", "/events/none/sessions/{s}", "EVENT_NOT_FOUND"),
    ("GET", "/events/{e}/sessions/none", "SESSION_NOT_FOUND"),
    ("GET", "/events/{bare}/sessions/{s}", "SESSION_NOT_FOUND"),
    ("GET", "/events/_/attendees", "INVALID_PARTNER_ID"),
    ("GET", "/events/none/attendees", "EVENT_NOT_FOUND"),
    ("GET", "/events/{e}/attendees/-/identity", "INVALID_PARTNER_ID"),
    ("GET", "/events/none/attendees/w-1/identity", "EVENT_NOT_FOUND"),
    ("GET", "/events/{e}/attendees/none/identity", "ATTENDEE_NOT_FOUND"),
    ("GET", "/events/{e}/attendees/-/matches", "INVALID_PARTNER_ID"),
    ("GET", "/events/none/attendees/w-1/matches", "EVENT_NOT_FOUND"),
    ("GET", "/events/{e}/attendees/none/matches", "ATTENDEE_NOT_FOUND"),
    ("GET", "/events/{e}/attendees/w-1/matches?run_id=none", "MATCH_RUN_NOT_FOUND"),
    ("GET", "/events/{e}/attendees/w-1/matches?run_id={enrichment}", "MATCH_RUN_NOT_FOUND"),
    ("GET", "/events/-/matches", "INVALID_PARTNER_ID"),
    ("GET", "/events/none/matches", "EVENT_NOT_FOUND"),
    ("GET", "/events/{bare}/matches?run_id=%20", "MATCH_RUN_NOT_FOUND"),
    ("GET", "/events/{e}/matches?session_id=none", "SESSION_NOT_FOUND"),
    ("GET", "/events/{e}/matches?session_id=-", "INVALID_PARTNER_ID"),
    ("GET", "/events/{e}/matches/w-1/-", "INVALID_PARTNER_ID"),
    ("GET", "/events/none/matches/w-1/w-2", "EVENT_NOT_FOUND"),
    ("GET", "/events/{e}/matches/none/w-2", "ATTENDEE_NOT_FOUND"),
    ("GET", "/events/{e}/matches/w-1/none", "ATTENDEE_NOT_FOUND"),
    ("GET", "/events/{e}/matches/w-1/w-2?run_id=none", "MATCH_RUN_NOT_FOUND"),
    ("GET", "/events/{e}/matches/{missing_pair}", "MATCH_NOT_FOUND"),
    ("GET", "/events/{e}/matches/w-1/w-1", "MATCH_NOT_FOUND"),
    ("GET", "/runs?kind=other", "INVALID_RUN_KIND"),
    ("GET", "/runs/not%20a%20run", "INVALID_RUN_ID"),
    ("GET", "/runs/run_unknown", "RUN_NOT_FOUND"),
    ("GET", "/events/-/review-queue", "INVALID_PARTNER_ID"),
    ("GET", "/events/none/review-queue", "EVENT_NOT_FOUND"),
    ("GET", "/events?limit=0", "INVALID_LIMIT"),
    ("GET", "/events?limit=101", "INVALID_LIMIT"),
    ("GET", "/runs?limit=ten", "INVALID_LIMIT"),
    ("GET", "/review-queue?limit=", "INVALID_LIMIT"),
    ("GET", "/events?cursor=garbage", "INVALID_CURSOR"),
    ("GET", "/events?cursor=%F0%9F%98%80", "INVALID_CURSOR"),
    ("GET", "/nowhere", "NOT_FOUND"),
    ("GET", "/events/{e}/", "NOT_FOUND"),
    ("DELETE", "/events/{e}", "METHOD_NOT_ALLOWED"),
    ("PATCH", "/events", "METHOD_NOT_ALLOWED"),
    ("PUT", "/events", "METHOD_NOT_ALLOWED"),
]


@pytest.mark.parametrize(("method", "path", "code"), ROWS)
def test_paths_and_queries(api: Api, world: dict[str, str], method: str, path: str, code: str) -> None:
    answer = api.call(method, path.format(**world))
    assert (answer.status_code, answer.json()["code"]) == (STATUS[code], code)
    assert ("allow" in answer.headers) == (answer.status_code == 405)


WRITES: list[tuple[str, str, dict[str, Any], str]] = [
    ("POST", "/events/-/context", {"objectives": "x"}, "INVALID_PARTNER_ID"),
    ("POST", "/events/none/context", {"objectives": "x"}, "EVENT_NOT_FOUND"),
    ("POST", "/events/none/sessions", {"session_id": "s", "title": "T"}, "EVENT_NOT_FOUND"),
    ("POST", "/events/{bare}/sessions", {"session_id": "{s}", "title": "T"}, "PARTNER_ID_CONFLICT"),
    ("POST", "/events", {"event_id": "{e}", "title": "T"}, "PARTNER_ID_CONFLICT"),
    ("PUT", "/events/none/attendees:import", {"attendees": [person("a")]}, "EVENT_NOT_FOUND"),
    ("PUT", "/events/-/attendees:import", {"attendees": [person("a")]}, "INVALID_PARTNER_ID"),
    ("POST", "/events/none/enrichment-runs", {}, "EVENT_NOT_FOUND"),
    ("POST", "/events/-/enrichment-runs", {}, "INVALID_PARTNER_ID"),
    ("POST", "/events/none/match-runs", {}, "EVENT_NOT_FOUND"),
    ("POST", "/events/-/match-runs", {}, "INVALID_PARTNER_ID"),
    ("POST", "/review-queue/a%20b/resolve", {"decision": "accept"}, "INVALID_REVIEW_ID"),
    ("POST", "/review-queue/none/resolve", {"decision": "accept"}, "REVIEW_NOT_FOUND"),
    ("POST", "/review-queue/{review}/resolve", {"decision": "maybe"}, "INVALID_REVIEW_DECISION"),
    ("POST", "/review-queue/{review}/resolve", {}, "INVALID_REVIEW_DECISION"),
]


@pytest.mark.parametrize(("method", "path", "body", "code"), WRITES)
def test_writes(api: Api, world: dict[str, str], method: str, path: str, body: dict[str, Any], code: str) -> None:
    filled = {k: v.format(**world) if isinstance(v, str) else v for k, v in body.items()}
    answer = api.refusal(method, path.format(**world), {**key(), **filled})
    assert answer == (STATUS[code], code)


MERGES: list[tuple[dict[str, str], str]] = [
    ({"source_kind": "9"}, "INVALID_PARTNER_KIND"),
    ({"target_kind": ""}, "INVALID_PARTNER_KIND"),
    ({"source_partner_id": "-"}, "INVALID_PARTNER_ID"),
    ({"target_partner_id": "-"}, "INVALID_PARTNER_ID"),
    ({"source_partner_id": "none"}, "PARTNER_ID_NOT_FOUND"),
    ({"target_partner_id": "none"}, "PARTNER_ID_NOT_FOUND"),
    ({"source_partner_id": "w-5"}, "REVIEW_SOURCE_MISMATCH"),
    ({"source_kind": "event", "source_partner_id": "{e}"}, "REVIEW_SOURCE_MISMATCH"),
    ({"target_partner_id": "w-2"}, "MERGE_REJECTED"),
    ({"target_kind": "event", "target_partner_id": "{e}"}, "MERGE_REJECTED"),
    ({"target_partner_id": "far-away"}, "MERGE_REJECTED"),
]


@pytest.mark.parametrize(("change", "code"), MERGES)
def test_merges(api: Api, world: dict[str, str], change: dict[str, str], code: str) -> None:
    body = {
        "source_kind": "attendee",
        "source_partner_id": "w-2",
        "target_kind": "attendee",
        "target_partner_id": "w-1",
        **{member: value.format(**world) for member, value in change.items()},
    }
    assert api.refusal("POST", f"/review-queue/{world['review']}/merge", body) == (STATUS[code], code)
    body.update(source_kind="attendee", source_partner_id="w-2", target_partner_id="w-1")
    assert api.refusal("POST", "/review-queue/none/merge", {**body, "target_kind": "attendee"}) == (
        404,
        "REVIEW_NOT_FOUND",
    )


BAD_JSON = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b'{"title": NaN}',
    b'{"n": 1e999}',
    b'{"title": "\xff"}',
    b'{"title": "\\ud800"}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("content", BAD_JSON)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/events"),
        ("POST", "/events/{e}/context"),
        ("POST", "/events/{e}/sessions"),
        ("PUT", "/events/{e}/attendees:import"),
        ("POST", "/events/{e}/enrichment-runs"),
        ("POST", "/events/{e}/match-runs"),
        ("POST", "/runs"),
        ("POST", "/review-queue/{review}/resolve"),
        ("POST", "/review-queue/{review}/merge"),
    ],
)
def test_bodies_that_are_no_json_object(
    api: Api, world: dict[str, str], method: str, path: str, content: bytes
) -> None:
    answer = api.call(method, path.format(**world), content=content)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_JSON")
