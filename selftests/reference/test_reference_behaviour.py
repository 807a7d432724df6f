"""What the operations do: effects, orders, paging, isolation, idempotency, runs, reviews and merges."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from meshi_reference import server
from meshi_reference.settings import Settings

from .reference_api import Api, person, unique


def looking_alike(api: Api, *rows: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """An event with these attendees after enrichment, and its open reviews."""
    event = api.event()
    api.load(event, list(rows))
    api.run(event, "enrichment")
    return event, api.get(f"/events/{event}/review-queue").json()["items"]


# Events and sessions


def test_an_event_keeps_what_it_was_given(api: Api) -> None:
    details = {
        "event_id": unique("event"),
        "title": "Gipfel 日本 😀",
        "description": "Two days",
        "start_date": "2026-09-10",
        "end_date": "2026-09-11",
        "timezone": "America/New_York",
        "visibility": "private",
        "url_slug": "summit",
    }
    created = api.post("/events", {**details, "unknown": 1}).json()
    assert details.items() <= created.items()
    read = api.get(f"/events/{details['event_id']}").json()
    assert {**read, "correlation_id": ""} == {**created, "correlation_id": ""}
    assert read["created_at"].endswith("Z")
    assert "unknown" not in read


def test_a_context_update_keeps_the_fields_it_omits(api: Api) -> None:
    event = api.event()
    path = f"/events/{event}/context"
    api.post(path, {"objectives": "first", "event_details": "details"})
    api.post(path, {"objectives": "second", "welcome_instructions": None})
    expected = {"objectives": "second", "event_details": "details", "welcome_instructions": None}
    assert api.get(path).json()["context"] == expected
    shown = api.get(f"/events/{event}").json()
    assert expected.items() <= shown.items()
    assert shown["updated_at"] > shown["created_at"]


def test_sessions_are_listed_by_their_start(api: Api) -> None:
    event = api.event()
    starts = ["2026-09-10T15:00:00Z", "2026-09-10T13:00:00+02:00", None, "2026-09-10T13:00:00.5Z"]
    names = [unique("session") for _ in starts]
    for name, start in zip(names, starts, strict=True):
        body = {"session_id": name, "title": "S", "start_timestamp": start}
        assert api.post(f"/events/{event}/sessions", body).status_code == 201
    listed = [item["session_id"] for item in api.walk(f"/events/{event}/sessions")]
    assert listed == [names[1], names[3], names[0], names[2]]
    assert api.get(f"/events/{event}/sessions/{names[0]}").json()["start_timestamp"] == starts[0]


def test_ids_are_mapped_by_kind(api: Api, other: Api) -> None:
    event, session = api.event(), unique("session")
    api.post(f"/events/{event}/sessions", {"session_id": session, "title": "S"})
    attendee = unique("attendee")
    api.load(event, [person(attendee)])
    for kind, partner_id in (("event", event), ("session", session), ("attendee", attendee)):
        expected = {"kind": kind, "partner_id": partner_id, "mapped": True}
        assert expected.items() <= api.get(f"/id-map/{kind}/{partner_id}").json().items()
        assert other.refusal("GET", f"/id-map/{kind}/{partner_id}") == (404, "PARTNER_ID_NOT_FOUND")


# Lists


def test_every_row_that_was_there_is_walked_once_while_others_are_inserted(other: Api) -> None:
    before = [other.event() for _ in range(7)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = other.get("/events", params={"limit": 2, **cursor}).json()
        seen += [item["event_id"] for item in page["items"]]
        other.event()
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert len(seen) == len(set(seen))
    assert [event for event in seen if event in before] == before[::-1]


def test_attendees_are_listed_in_byte_order_while_others_are_imported(api: Api) -> None:
    event = api.event()
    api.load(event, [person(name) for name in ("b", "B", "a-1", "a.1", "a:1", "10", "9")])
    first = api.get(f"/events/{event}/attendees", params={"limit": 3}).json()
    api.load(event, [person("0"), person("z")])
    rest = api.get(f"/events/{event}/attendees", params={"cursor": first["next_cursor"]}).json()
    listed = [item["attendee_id"] for item in first["items"] + rest["items"]]
    assert listed == ["10", "9", "B", "a-1", "a.1", "a:1", "b", "z"]


def test_a_cursor_belongs_to_its_list(api: Api, other: Api) -> None:
    first, second = api.event(), api.event()
    for event in (first, second):
        api.load(event, [person("a"), person("b")])
    cursor = api.get(f"/events/{first}/attendees?limit=1").json()["next_cursor"]
    good = {"cursor": cursor}
    assert api.get(f"/events/{first}/attendees", params=good).status_code == 200
    assert api.refusal("GET", f"/events/{second}/attendees", params=good) == (400, "INVALID_CURSOR")
    assert api.refusal("GET", "/events", params=good) == (400, "INVALID_CURSOR")
    tampered = {"cursor": cursor[:-2] + "AA"}
    assert api.refusal("GET", f"/events/{first}/attendees", params=tampered) == (400, "INVALID_CURSOR")


def test_an_exact_page_has_no_successor(api: Api) -> None:
    event = api.event()
    api.load(event, [person("a"), person("b")])
    assert api.get(f"/events/{event}/attendees?limit=2").json()["next_cursor"] is None
    assert api.get(f"/events/{event}/attendees?limit=1").json()["next_cursor"] is not None


# Isolation


def test_another_org_sees_nothing(api: Api, other: Api) -> None:
    event, reviews = looking_alike(api, person("a", email="a@b"), person("b", email="a@b"))
    run = api.run(event, "match")["run_id"]
    for path in ("", "/context", "/sessions", "/attendees", "/matches", "/review-queue"):
        assert other.refusal("GET", f"/events/{event}{path}") == (404, "EVENT_NOT_FOUND")
    assert other.refusal("GET", f"/runs/{run}") == (404, "RUN_NOT_FOUND")
    review = f"/review-queue/{reviews[0]['review_id']}/resolve"
    assert other.refusal("POST", review, {"decision": "accept"}) == (404, "REVIEW_NOT_FOUND")
    assert run not in [item["run_id"] for item in other.walk("/runs", 100)]
    assert other.post("/events", {"event_id": event, "title": "Theirs"}).status_code == 201
    assert api.get(f"/events/{event}").json()["title"] == "An event"
    theirs = f"/events/{event}/matches?run_id={run}"
    assert other.refusal("GET", theirs) == (404, "MATCH_RUN_NOT_FOUND")


def test_the_legacy_alias_serves_the_same_data(api: Api) -> None:
    event = api.event()
    legacy = api.base.replace("/api/v0/partner", "/v0/partner")
    assert api.http.get(f"{legacy}/events/{event}").json()["event_id"] == event
    assert api.http.get(legacy.replace("/v0", "/v1") + "/auth").json()["code"] == "NOT_FOUND"


# Runs and idempotency


def event_writes(api: Api, event: str) -> dict[str, Callable[[str], Any]]:
    """The three run-creating operations of an event, each called with a key."""

    def write(method: str, path: str, **members: Any) -> Callable[[str], Any]:
        return lambda key: api.call(method, f"/events/{event}/{path}", {"idempotency_key": key, **members})

    return {
        "import": write("PUT", "attendees:import", attendees=[person("a")]),
        "enrichment": write("POST", "enrichment-runs"),
        "match": write("POST", "match-runs"),
    }


@pytest.mark.parametrize("kind", ["import", "enrichment", "match"])
def test_a_key_starts_one_run(api: Api, kind: str) -> None:
    event, elsewhere, key = api.event(), api.event(), unique("key")
    writes = event_writes(api, event)
    first = writes[kind](key)
    assert (first.status_code, first.json()["status"], first.json()["kind"]) == (202, "queued", kind)
    assert first.json()["idempotent_replay"] is False
    assert {"total", "processed", "error_count", "errors"} <= first.json()["progress"].keys()
    again = writes[kind](key)
    assert (again.status_code, again.json()["idempotent_replay"]) == (200, True)
    assert again.json()["run_id"] == first.json()["run_id"]
    for name, write in writes.items():
        if name != kind:
            assert write(key).json()["code"] == "IDEMPOTENCY_KEY_CONFLICT"
    assert event_writes(api, elsewhere)[kind](key).json()["code"] == "IDEMPOTENCY_KEY_CONFLICT"
    run = api.finish(first)
    assert run["status"] == "succeeded"
    assert run["created_at"] < run["started_at"] < run["terminal_at"] == run["updated_at"]


def test_another_org_may_use_the_same_key(api: Api, other: Api) -> None:
    key = unique("key")
    assert event_writes(api, api.event())["match"](key).status_code == 202
    assert event_writes(other, other.event())["match"](key).status_code == 202


def test_generic_runs(api: Api) -> None:
    key = unique("key")
    body = {
        "kind": "import",
        "idempotency_key": key,
        "progress": {"a": 1},
        "snapshot_metadata": {"s": 1},
        "version_metadata": {"v": 1},
        "webhook_url": "https://example.com/hook",
    }
    first = api.post("/runs", body)
    assert (first.status_code, first.json()["event_id"]) == (201, None)
    assert {**body, "status": "queued", "idempotent_replay": False}.items() <= first.json().items()
    again = api.post("/runs", body)
    assert (again.status_code, again.json()["run_id"]) == (200, first.json()["run_id"])
    assert api.finish(first)["status"] == "succeeded"
    assert event_writes(api, api.event())["match"](key).status_code == 202
    assert {item["kind"] for item in api.walk("/runs", 100, kind="import")} == {"import"}


def test_simultaneous_first_calls_start_one_run(api: Api, address: server.Address) -> None:
    event, key = api.event(), unique("key")
    clients = [Api(address.base, address.env["MESHI_KEY"]) for _ in range(8)]
    gate = threading.Barrier(len(clients))

    def first(client: Api) -> tuple[int, str, bool]:
        gate.wait()
        body = {"idempotency_key": key, "attendees": [person("a"), person("b")]}
        answer = client.call("PUT", f"/events/{event}/attendees:import", body)
        return answer.status_code, answer.json()["run_id"], answer.json()["idempotent_replay"]

    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(first, clients))
    assert len({run for _, run, _ in answers}) == 1
    assert sorted(status for status, _, _ in answers) == [200] * 7 + [202]
    assert [replay for status, _, replay in answers if status == 202] == [False]


def test_simultaneous_creations_make_one_event(api: Api, address: server.Address) -> None:
    event = unique("event")
    clients = [Api(address.base, address.env["MESHI_KEY"]) for _ in range(8)]
    with ThreadPoolExecutor(len(clients)) as pool:
        statuses = pool.map(
            lambda client: client.post("/events", {"event_id": event, "title": "T"}).status_code, clients
        )
    assert sorted(statuses) == [201] + [409] * 7


def test_progress_is_seen_to_grow() -> None:
    with server.running(Settings(run_seconds=0.4)) as address:
        api = Api(address.base, address.env["MESHI_KEY"])
        event = api.event()
        body = {"idempotency_key": "k", "attendees": [person(f"a{n}") for n in range(8)]}
        answer = api.call("PUT", f"/events/{event}/attendees:import", body)
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1]["terminal_at"] is None:
            seen.append(api.get(f"/runs/{answer.json()['run_id']}").json())
            time.sleep(0.01)
    statuses = list(dict.fromkeys(run["status"] for run in seen))
    assert statuses == ["queued", "running", "succeeded"]
    counts = [run["progress"].get("processed", 0) for run in seen]
    assert counts == sorted(counts)
    assert len(set(counts)) >= 4
    assert all((run["started_at"] is None) == (run["status"] == "queued") for run in seen)


def test_an_import_updates_rows(api: Api) -> None:
    event = api.event()
    api.load(event, [person("a", title="Old", company="Acme"), person("b")])
    run = api.load(event, [person("a", title="New"), person("c")])
    assert run["progress"] == {
        "total": 2,
        "processed": 2,
        "created": 1,
        "updated": 1,
        "skipped": 0,
        "error_count": 0,
        "errors": [],
    }
    rows = {item["attendee_id"]: item for item in api.walk(f"/events/{event}/attendees")}
    assert list(rows) == ["a", "b", "c"]
    assert (rows["a"]["title"], rows["a"]["company"]) == ("New", None)


def test_fifty_thousand_rows_and_not_one_more(api: Api, address: server.Address) -> None:
    event = api.event()
    rows = [person(f"a{number}") for number in range(50_001)]
    path = f"/events/{event}/attendees:import"
    too_many = {"idempotency_key": unique("key"), "attendees": rows}
    assert api.refusal("PUT", path, too_many) == (400, "INVALID_ATTENDEES")
    rows.pop()
    started = time.monotonic()
    progress = api.load(event, rows)["progress"]
    assert (progress["processed"], progress["created"]) == (50_000, 50_000)
    assert time.monotonic() - started < 10


# Matching


def test_matches(api: Api) -> None:
    event = api.event()
    api.load(event, [person(f"a{number}", title="VP Product", company="Acme") for number in range(5)])
    assert api.refusal("GET", f"/events/{event}/matches") == (404, "MATCH_RUN_NOT_FOUND")
    first = api.run(event, "match", top_n=2)
    assert first["progress"]["pairs"] == 10
    items = api.walk(f"/events/{event}/matches", 3)
    assert len(items) == 10
    scores = [item["final_score"] for item in items]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for item in items for score in [*item["sub_scores"].values(), *scores])
    own = api.walk(f"/events/{event}/attendees/a0/matches", 1)
    assert own == [item for item in items if item["principal_attendee_id"] == "a0"]
    pair = own[0]
    single = api.get(f"/events/{event}/matches/a0/{pair['target_attendee_id']}").json()
    assert pair.items() <= single.items()
    api.load(event, [person("a9")])
    second = api.run(event, "match")
    assert api.get(f"/events/{event}/matches").json()["run_id"] == second["run_id"]
    assert len(api.walk(f"/events/{event}/matches", 100)) == 30
    assert api.walk(f"/events/{event}/matches", 3, run_id=first["run_id"]) == items


def test_a_walk_through_matches_stays_with_its_run(api: Api) -> None:
    event = api.event()
    api.load(event, [person(f"a{number}") for number in range(4)])
    run = api.run(event, "match")["run_id"]
    page = api.get(f"/events/{event}/matches?limit=5").json()
    api.run(event, "match", top_n=1)
    rest = api.get(f"/events/{event}/matches", params={"cursor": page["next_cursor"]}).json()
    assert (rest["run_id"], len(rest["items"])) == (run, 7)


def test_scores_are_deterministic_and_ordered(api: Api) -> None:
    event = api.event()
    api.load(event, [person("a"), person("b")])
    scores = []
    for _ in range(2):
        api.run(event, "match")
        scores.append([api.get(f"/events/{event}/matches/{pair}").json()["final_score"] for pair in ("a/b", "b/a")])
    assert scores[0] == scores[1]
    assert scores[0][0] != scores[0][1]


# Enrichment, reviews and merges


@pytest.mark.parametrize(
    ("first", "second", "signal"),
    [
        ({"email": "Jo@Example.com"}, {"email": "jo@example.com"}, "same_email"),
        (
            {"linkedin_url": "https://www.linkedin.com/in/jo/"},
            {"linkedin_url": "http://linkedin.com/in/JO?trk=1"},
            "same_linkedin_url",
        ),
        (
            {"name": "Jo  Lee", "company": "ACME"},
            {"name": "jo lee", "company": "Acme "},
            "same_name_and_company",
        ),
    ],
)
def test_look_alikes_open_one_review(api: Api, first: dict[str, str], second: dict[str, str], signal: str) -> None:
    rows = [{**person("a"), **first}, {**person("b"), **second}, person("c")]
    event, reviews = looking_alike(api, *rows)
    run = api.run(event, "enrichment")
    assert run["status"] == "partial"
    codes = {row["attendee_id"]: row["code"] for row in run["progress"]["errors"]}
    assert codes == {"b": "REVIEW_REQUIRED", "c": "NO_SOURCE_RECORD"}
    assert {key: run["progress"][key] for key in ("total", "enrichment_requested", "error_count")} == {
        "total": 3,
        "enrichment_requested": 1,
        "error_count": 2,
    }
    assert [(r["partner_id"], r["candidate"]["partner_id"], r["reason"]) for r in reviews] == [("b", "a", signal)]
    assert api.get(f"/events/{event}/review-queue").json()["items"] == reviews
    assert reviews[0] in api.walk("/review-queue", 100)
    shown = {item["attendee_id"]: item["identity"] for item in api.walk(f"/events/{event}/attendees")}
    assert shown["b"] == {"review_required": True, "open_review_count": 1}
    assert shown["a"] == shown["c"] == {"review_required": False, "open_review_count": 0}


def test_the_same_name_without_a_company_is_no_look_alike(api: Api) -> None:
    assert looking_alike(api, {**person("a"), "name": "Jo"}, {**person("b"), "name": "Jo"})[1] == []


@pytest.mark.parametrize("decision", ["accept", "reject", "distinct"])
def test_a_decision_holds(api: Api, decision: str) -> None:
    event, reviews = looking_alike(api, person("a", email="x@y"), person("b", email="x@y"))
    path = f"/review-queue/{reviews[0]['review_id']}/resolve"
    answer = api.post(path, {"decision": decision, "reason": "Known."}).json()
    expected = {
        "review_id": reviews[0]["review_id"],
        "kind": "attendee",
        "partner_id": "b",
        "decision": decision,
        "logged": True,
        "minted": decision == "distinct",
    }
    assert expected.items() <= answer.items()
    assert api.refusal("POST", path, {"decision": decision}) == (404, "REVIEW_NOT_FOUND")
    assert api.run(event, "enrichment")["status"] == "succeeded"
    assert api.get(f"/events/{event}/review-queue").json()["items"] == []
    assert reviews[0] not in api.walk("/review-queue", 100)
    for attendee in ("a", "b"):
        history = api.walk(f"/events/{event}/attendees/{attendee}/identity", 1)
        assert [item["action"] for item in history] == [decision, "review_opened"]
    assert api.run(event, "match")["progress"]["pairs"] == (0 if decision == "accept" else 2)


def test_a_merge_takes_effect(api: Api) -> None:
    shared = {"email": "x@y"}
    names = [unique("attendee") for _ in range(4)]
    a, b, c, d = sorted(names)
    event, reviews = looking_alike(
        api, person(a, **shared), person(b, **shared, company="Acme"), person(c, **shared), person(d)
    )
    run = api.run(event, "match")["run_id"]
    review = next(r for r in reviews if r["partner_id"] == b)
    merge = {
        "source_kind": "attendee",
        "source_partner_id": a,
        "target_kind": "attendee",
        "target_partner_id": b,
        "reason": "Same person.",
    }
    path = f"/review-queue/{review['review_id']}/merge"
    answer = api.post(path, merge).json()
    assert answer["source"] == {"kind": "attendee", "partner_id": a}
    assert answer["target"] == {"kind": "attendee", "partner_id": b}
    assert (answer["merged"], answer["superseded_anchors"], answer["deleted_computations"]) == (True, 1, 6)
    assert answer["rewritten_anchors"] == 1
    left = {r["partner_id"]: r for r in api.get(f"/events/{event}/review-queue").json()["items"]}
    assert left[c]["candidate"]["partner_id"] == b
    assert api.refusal("POST", path, merge) == (404, "REVIEW_NOT_FOUND")
    assert api.refusal("GET", f"/id-map/attendee/{a}") == (404, "PARTNER_ID_NOT_FOUND")
    assert [item["attendee_id"] for item in api.walk(f"/events/{event}/attendees")] == [b, c, d]
    matches = api.walk(f"/events/{event}/matches", 100, run_id=run)
    assert {a} & {m[end] for m in matches for end in ("principal_attendee_id", "target_attendee_id")} == set()
    assert api.walk(f"/events/{event}/attendees/{b}/identity")[0]["action"] == "merge"
    assert api.load(event, [person(a), person(d)])["progress"]["skipped"] == 1


def test_two_simultaneous_decisions_are_one(api: Api, address: server.Address) -> None:
    _, reviews = looking_alike(api, person("a", email="x@y"), person("b", email="x@y"))
    path = f"/review-queue/{reviews[0]['review_id']}/resolve"
    clients = [Api(address.base, address.env["MESHI_KEY"]) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        statuses = pool.map(lambda client: client.post(path, {"decision": "reject"}).status_code, clients)
    assert sorted(statuses) == [200, 404, 404, 404]


# Variations

VARIATIONS: list[tuple[dict[str, Any], Callable[[Api], Any], Any]] = [
    ({"limit_policy": "clamp"}, lambda api: api.get("/events?limit=500").status_code, 200),
    ({"limit_policy": "clamp"}, lambda api: api.get("/events?limit=x").status_code, 200),
    ({"cursor_policy": "restart"}, lambda api: api.get("/events?cursor=x").status_code, 200),
    ({"wrong_method": 404}, lambda api: api.refusal("DELETE", "/events"), (404, "NOT_FOUND")),
    (
        {"non_object_body": "empty_object"},
        lambda api: api.refusal("POST", "/events", []),
        (400, "INVALID_PARTNER_ID"),
    ),
    (
        {"body_before_event": True},
        lambda api: api.refusal("POST", "/events/none/context", {}),
        (400, "INVALID_CONTEXT"),
    ),
    ({"matches_before_run": "empty"}, lambda api: api.walk(f"/events/{api.event()}/matches"), []),
    (
        {"timestamp_style": "offset-micros"},
        lambda api: api.post("/events", {"event_id": "e", "title": "T"}).json()["created_at"][-6:],
        "+00:00",
    ),
    (
        {"timestamp_style": "z-seconds"},
        lambda api: len(api.post("/events", {"event_id": "e", "title": "T"}).json()["created_at"]),
        20,
    ),
    (
        {"reviews_enabled": False},
        lambda api: looking_alike(api, person("a", email="x"), person("b", email="x"))[1],
        [],
    ),
    (
        {"review_subject": "earlier"},
        lambda api: [r["partner_id"] for r in looking_alike(api, person("a", email="x"), person("b", email="x"))[1]],
        ["a"],
    ),
    ({"matches_enabled": False}, lambda api: api.run(api.event(), "match")["status"], "succeeded"),
    ({"extra_members": True}, lambda api: api.get(f"/events/{api.event()}").json()["object"], "event"),
    ({"extra_statuses": True}, lambda api: api.run(api.event(), "match")["status"], "succeeded"),
    ({"id_style": "uuid"}, lambda api: len(api.run(api.event(), "match")["run_id"]), 36),
    ({"id_style": "number"}, lambda api: api.run(api.event(), "match")["run_id"].isdigit(), True),
    (
        {"strict_formats": True},
        lambda api: api.refusal("POST", "/events", {"event_id": "e", "title": "T", "visibility": "odd"}),
        (400, "INVALID_VISIBILITY"),
    ),
    (
        {"generic_key_conflict": True},
        lambda api: [
            api.post("/runs", {"kind": kind, "idempotency_key": "k"}).status_code for kind in ("import", "match")
        ],
        [201, 409],
    ),
    (
        {"generic_runs_end": False},
        lambda api: api.post("/runs", {"kind": "match", "idempotency_key": "k"}).status_code,
        201,
    ),
]


@pytest.mark.parametrize(("change", "observe", "expected"), VARIATIONS)
def test_variations(change: dict[str, Any], observe: Callable[[Api], Any], expected: Any) -> None:
    with server.running(replace(Settings(run_seconds=0.0), **change)) as address:
        assert observe(Api(address.base, address.env["MESHI_KEY"])) == expected


def test_a_reimport_can_keep_omitted_members() -> None:
    with server.running(Settings(run_seconds=0.0, import_keeps_omitted=True)) as address:
        api = Api(address.base, address.env["MESHI_KEY"])
        event = api.event()
        api.load(event, [person("a", company="Acme")])
        api.load(event, [person("a", title="VP")])
        row = api.walk(f"/events/{event}/attendees")[0]
        assert (row["title"], row["company"]) == ("VP", "Acme")
