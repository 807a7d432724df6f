"""Arranging: any success will do, and whatever else comes is one cause, told once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from meshi_conformance.client.call import Call
from meshi_conformance.errors import Inconclusive, NothingThere, SetupFailed
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.testing.arrange import Given

from ..answers import Scripted, exchange, refusal


def given(*answers: Exchange, **by_operation: Exchange | list[Exchange]) -> Given:
    """Arrange against an API that answers one thing after the other, or by operation; the last one for ever."""
    queues: dict[str, list[Exchange]] = {
        name: list(one) if isinstance(one, list) else [one] for name, one in by_operation.items()
    }
    rest = list(answers)

    def answer(call: Call) -> Exchange:
        queue = queues.get(call.operation, rest)
        return queue.pop(0) if len(queue) > 1 else queue[0]

    return Given(Scripted(answer), "run1", "w0")


def run(status: str, **members: Any) -> Exchange:
    return exchange("getRun", 200, {"run_id": "r1", "kind": "import", "status": status, **members})


STARTED = exchange("importAttendees", 202, {"run_id": "r1", "status": "queued"})


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_arranges(status: int) -> None:
    one = given(exchange("createEvent", status, {}))
    request = one.event_request()
    assert one.event(event_id=request["event_id"]) == request["event_id"]


def test_a_refusal_arranges_nothing_and_is_the_cause() -> None:
    one = given(refusal("createEvent", 409, "PARTNER_ID_CONFLICT"))
    with pytest.raises(SetupFailed, match=r"could not arrange: createEvent .* PARTNER_ID_CONFLICT") as raised:
        one.event()
    assert raised.value.cause == "createEvent answered 409 PARTNER_ID_CONFLICT"
    assert "unit-1" in str(raised.value)


def test_a_refusal_without_a_code_is_a_cause_too() -> None:
    with pytest.raises(SetupFailed) as raised:
        given(exchange("createSession", 500, raw=b"<h1>")).session("e")
    assert raised.value.cause == "createSession answered 500"


@pytest.mark.parametrize("body", [{}, {"run_id": None}, {"run_id": ""}, {"run_id": 7}, {"run_id": ["r"]}])
def test_a_write_that_names_no_run_arranges_none(body: Any) -> None:
    answer = exchange("importAttendees", 202, body)
    with pytest.raises(SetupFailed) as raised:
        given(answer).finished_run(answer)
    assert raised.value.cause == "importAttendees names no run"


@pytest.mark.parametrize("status", ["succeeded", "partial"])
def test_a_run_that_succeeds_wholly_or_in_part_is_arranged(status: str) -> None:
    one = given(importAttendees=STARTED, getRun=[run("queued"), run("running"), run(status)])
    polls = one.wait_for_run(STARTED)
    assert [poll["status"] for poll in polls] == ["queued", "running", status]
    assert one.import_and_wait("e")["status"] == status


def test_a_run_that_fails_is_a_cause_with_its_error() -> None:
    with pytest.raises(SetupFailed, match="the run of importAttendees failed: no disk") as raised:
        given(importAttendees=STARTED, getRun=run("failed", error="no disk")).import_and_wait("e")
    assert raised.value.cause == "runs of importAttendees fail"


def test_a_failed_run_may_say_as_much_as_it_likes() -> None:
    with pytest.raises(SetupFailed) as raised:
        given(getRun=run("failed", error={"why": "x" * 9_000})).wait_for_run(STARTED)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (exchange("getRun", 200, {"run_id": "r1"}), "getRun answers without the members of a run"),
        (exchange("getRun", 200, {"status": 7}), "runs have a status that is not a text"),
        (refusal("getRun", 404, "RUN_NOT_FOUND"), "getRun answered 404"),
    ],
)
def test_a_run_that_cannot_be_followed_is_a_cause(answer: Exchange, cause: str) -> None:
    with pytest.raises(SetupFailed) as raised:
        given(getRun=answer).wait_for_run(STARTED)
    assert raised.value.cause == cause


@pytest.mark.parametrize(
    ("arrange", "operation"),
    [
        (lambda one: one.event(), "createEvent"),
        (lambda one: one.session("e"), "createSession"),
        (lambda one: one.import_and_wait("e"), "importAttendees"),
        (lambda one: one.enrich_and_wait("e"), "createEnrichmentRun"),
        (lambda one: one.match_and_wait("e"), "createMatchRun"),
        (lambda one: one.page(Call("listEvents")), "listEvents"),
        (lambda one: one.open_reviews("e"), "listEventReviews"),
    ],
)
def test_each_arrangement_that_is_refused_names_its_operation(arrange: Callable[[Given], Any], operation: str) -> None:
    with pytest.raises(SetupFailed) as raised:
        arrange(given(refusal(operation, 403, "INSUFFICIENT_SCOPE")))
    assert raised.value.cause == f"{operation} answered 403 INSUFFICIENT_SCOPE"


@pytest.mark.parametrize(
    "body", [{}, {"items": 5, "next_cursor": None}, {"items": []}, {"items": [], "next_cursor": [5]}]
)
def test_what_is_no_page_is_a_cause(body: Any) -> None:
    with pytest.raises(SetupFailed) as raised:
        given(exchange("listEvents", 200, body)).page(Call("listEvents"))
    assert raised.value.cause == "listEvents answers with no page"


def test_a_list_is_read_to_its_end_in_the_largest_pages() -> None:
    pages = [exchange("listEvents", 200, {"items": [{"n": n}], "next_cursor": c}) for n, c in ((0, "a"), (1, None))]
    one = given(*pages)
    assert [row["n"] for row in one.list_all(Call("listEvents", query={"kind": "x"}))] == [0, 1]
    assert [dict(call.query) for call in one.api.calls] == [  # type: ignore[attr-defined]
        {"kind": "x", "limit": 100},
        {"kind": "x", "limit": 100, "cursor": "a"},
    ]


def test_a_list_that_runs_in_a_circle_is_a_cause() -> None:
    with pytest.raises(SetupFailed) as raised:
        given(exchange("listEvents", 200, {"items": [{"n": 1}], "next_cursor": "a"})).list_all(Call("listEvents"))
    assert raised.value.cause == "listEvents cannot be walked"


def queue(*ids: Any) -> Exchange:
    return exchange("listEventReviews", 200, {"items": [{"review_id": one} for one in ids], "next_cursor": None})


def test_reviews_are_waited_for_and_no_longer_than_needed() -> None:
    one = given(queue(), queue("a"), queue("a", "b"), queue("a", "b", "c"))
    assert one.open_reviews("e", at_least=2) == ["a", "b"]
    assert len(one.api.calls) == 3  # type: ignore[attr-defined]


def test_no_review_ever_is_a_cause_and_no_failure() -> None:
    with pytest.raises(NothingThere, match=r"left 1 open reviews, 2 are needed") as raised:
        given(queue("a", None, 7)).open_reviews("e", at_least=2)
    assert raised.value.cause == "no identity review appeared for look-alike attendees"


def test_reviews_without_ids_are_a_cause() -> None:
    with pytest.raises(SetupFailed) as raised:
        given(exchange("listEventReviews", 200, {"items": [{}], "next_cursor": None})).open_reviews("e")
    assert raised.value.cause == "the review queue's rows have no review_id"


PARTNER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")


def test_names_are_valid_say_who_made_them_and_are_never_used_twice() -> None:
    one = given(STARTED)
    names = [one.name("event") for _ in range(100)]
    assert len(set(names)) == 100
    assert all(PARTNER_ID.match(name) and re.match(r"conf-\d{8}-run1-w0-event-\d+$", name) for name in names)
    assert len({one.idempotency_key() for _ in range(100)}) == 100


def test_look_alikes_differ_in_their_id_alone_and_strangers_in_all() -> None:
    one, other = given(STARTED).look_alikes()
    assert one["attendee_id"] != other["attendee_id"]
    assert {**one, "attendee_id": None} == {**other, "attendee_id": None}
    first, second = given(STARTED).attendee(), given(STARTED).attendee()
    assert all(first[name] != second[name] for name in ("name", "email", "linkedin_url", "company"))


def test_none_leaves_a_member_out_of_a_request() -> None:
    one = given(STARTED)
    assert "title" not in one.event_request(title=None)
    assert "title" not in one.session_request(title=None)
    assert "email" not in one.attendee(email=None)
    assert "attendees" not in one.import_request(attendees=None)
    assert one.import_request([])["attendees"] == []
    assert "progress" not in one.generic_run_request(progress=None)
    assert one.run_request(top_n=5)["top_n"] == 5


@pytest.mark.parametrize(
    "issued",
    [
        "run_01HZX3V7Q9K2M4N6P8R0",
        "0d8fbe5c-9a31-4c9e-8f0a-2f6f4a1b7c3d",
        "r-17",
        "17",
        "abc",
        "aaaaaaaaaaaa",
        "a",
        "0",
        "ééééé",
        "--",
        "7" * 40,
    ],
)
def test_an_id_that_was_never_issued_is_another_of_its_form(issued: str) -> None:
    made = given(STARTED).unknown_id_like(issued)
    assert made != issued
    assert made
    if len(issued) > 10:
        assert len(made) == len(issued)
        assert sorted(made) == sorted(issued) or made[:-1] == issued[:-1] or made.startswith(issued[:20])


def test_an_id_is_made_of_no_empty_one() -> None:
    with pytest.raises(Inconclusive):
        given(STARTED).unknown_id_like("")
