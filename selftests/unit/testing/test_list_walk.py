"""A walk keeps what it saw wherever it breaks off, and what is asked of it fails, passes or stays open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from meshi_conformance.client.call import Call
from meshi_conformance.errors import Inconclusive, SetupFailed, TransportTrouble
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.exchanges.strict_json import JsonObject
from meshi_conformance.testing.list_walk import ListWalk, created, member, pair, score, walk_list, whole

from ..answers import Scripted, exchange, refusal


def row(**members: Any) -> JsonObject:
    return JsonObject(members)


def listing(*sizes: int) -> Callable[[Call], Exchange]:
    """A list with pages of these sizes; its rows are numbered."""

    def answer(call: Call) -> Exchange:
        page = int(call.query.get("cursor", 0))
        first = sum(sizes[:page])
        body = {
            "items": [{"event_id": f"e{number}"} for number in range(first, first + sizes[page])],
            "next_cursor": str(page + 1) if page + 1 < len(sizes) else None,
        }
        return exchange("listEvents", 200, body)

    return answer


def names(found: ListWalk) -> list[str]:
    return [one["event_id"] for one in found.rows]


def test_a_walk_keeps_pages_and_rows_and_sends_its_limit_with_every_cursor() -> None:
    api = Scripted(listing(2, 2, 1))
    found = walk_list(api, Call("listEvents", query={"kind": "x"}), 2)
    assert names(found) == ["e0", "e1", "e2", "e3", "e4"]
    assert [dict(call.query) for call in api.calls] == [
        {"kind": "x", "limit": 2},
        {"kind": "x", "limit": 2, "cursor": "1"},
        {"kind": "x", "limit": 2, "cursor": "2"},
    ]
    found.check_end()
    found.check_page_size()


def test_a_walk_ends_once_enough_was_seen() -> None:
    found = walk_list(Scripted(listing(2, 2, 1)), Call("listEvents"), 2, until=lambda rows: len(rows) >= 3)
    assert len(found.pages) == 2
    assert (found.broken, found.stopped) == (None, None)


def test_something_can_be_done_between_two_pages_and_not_after_the_last() -> None:
    done: list[int] = []
    found = walk_list(Scripted(listing(1, 1)), Call("listEvents"), 1, between=lambda: done.append(1))
    assert len(found.pages) == 2
    # It is done after each page that was read; the walk learns only then that the list has ended.
    assert len(done) <= 2


def broken_at(page: int, end: Exchange | Inconclusive) -> Callable[[Call], Exchange]:
    whole_list = listing(1, 1, 1)

    def answer(call: Call) -> Exchange:
        if call.query.get("cursor", "0") != str(page):
            return whole_list(call)
        if isinstance(end, Inconclusive):
            raise end
        return end

    return answer


def test_a_walk_that_the_server_breaks_off_keeps_what_it_saw_and_fails_the_end() -> None:
    found = walk_list(Scripted(broken_at(2, refusal("listEvents", 400, "INVALID_CURSOR"))), Call("listEvents"), 1)
    assert names(found) == ["e0", "e1"]
    assert found.broken is not None
    with pytest.raises(AssertionError, match=r"page 3 of the walk: .*INVALID_CURSOR"):
        found.check_end()
    with pytest.raises(AssertionError, match=r"1 of 3 rows were not shown, such as e2; page 3 of the walk"):
        found.check_once_each(["e0", "e1", "e2"], member("event_id"))
    found.check_once_each(["e0", "e1"], member("event_id"))


@pytest.mark.parametrize("body", [{"items": None, "next_cursor": None}, {"items": [1], "next_cursor": None}, {}])
def test_a_page_that_cannot_be_read_breaks_the_walk(body: Any) -> None:
    found = walk_list(Scripted(broken_at(1, exchange("listEvents", 200, body))), Call("listEvents"), 1)
    assert names(found) == ["e0"]
    assert found.broken


def test_a_walk_that_the_network_stops_leaves_open_what_was_not_seen() -> None:
    trouble = TransportTrouble("no answer", "network")
    found = walk_list(Scripted(broken_at(2, trouble)), Call("listEvents"), 1)
    found.check_once_each(["e0", "e1"], member("event_id"))
    checks: list[Callable[[], object]] = [found.check_end, lambda: found.check_once_each(["e2"], member("event_id"))]
    for check in checks:
        with pytest.raises(TransportTrouble):
            check()


def test_a_list_that_is_too_long_is_left_open() -> None:
    found = walk_list(Scripted(listing(*[1] * 9)), Call("listEvents"), 1, most_pages=3)
    assert len(found.pages) == 3
    with pytest.raises(Inconclusive, match="listEvents goes on after 3 pages of 1") as raised:
        found.check_end()
    assert raised.value.cause == "listEvents is too long to walk"


@pytest.mark.parametrize(
    ("end", "kind", "cause"),
    [
        (refusal("listEvents", 500, "INTERNAL"), SetupFailed, "listEvents answers with no page"),
        (exchange("listEvents", 200, {}), SetupFailed, "listEvents answers with no page"),
        (TransportTrouble("none"), TransportTrouble, "none"),
    ],
)
def test_without_a_first_page_there_is_no_question_of_paging(end: Any, kind: type[Inconclusive], cause: str) -> None:
    with pytest.raises(kind) as raised:
        walk_list(Scripted(broken_at(0, end)), Call("listEvents"), 1)
    assert raised.value.cause == cause


def seen(*rows: JsonObject, limit: int = 100, **how: Any) -> ListWalk:
    page = exchange("listEvents", 200, {"items": list(rows), "next_cursor": None})
    return ListWalk(limit, [page], page.items, **how)


def test_a_page_may_be_shorter_than_asked_for_and_no_longer() -> None:
    seen(row(a=1), row(a=2), limit=2).check_page_size()
    seen(limit=2).check_page_size()
    with pytest.raises(AssertionError, match=r"page 1 has 3 rows for limit=2"):
        seen(row(a=1), row(a=2), row(a=3), limit=2).check_page_size()


NAME = member("event_id")


def test_each_row_of_ours_is_shown_once_whatever_strangers_do() -> None:
    shown = [row(event_id="ours"), row(event_id="stranger"), row(odd=1), row(event_id=5), row()]
    seen(*shown).check_once_each(["ours"], NAME)
    with pytest.raises(AssertionError, match=r"1 of 2 rows were not shown, such as lost$"):
        seen(*shown).check_once_each(["ours", "lost"], NAME)


@pytest.mark.parametrize("twice", ["ours", "stranger"])
def test_no_row_is_shown_twice(twice: str) -> None:
    rows = [row(event_id="ours"), row(event_id="stranger"), row(event_id=twice)]
    with pytest.raises(AssertionError, match=rf"1 of 2 rows were shown more than once, such as {twice}"):
        seen(*rows).check_once_each(["ours"], NAME)


def test_rows_that_hold_the_same_are_shown_as_often_as_there_are_any() -> None:
    same = [row(event_id="a"), row(event_id="a")]
    seen(*same).check_once_each(["a", "a"], NAME)
    with pytest.raises(AssertionError, match="not shown"):
        seen(*same[:1]).check_once_each(["a", "a"], NAME)
    with pytest.raises(AssertionError, match="more than once"):
        seen(*same, same[0]).check_once_each(["a", "a"], NAME)


def test_rows_stand_in_order_ties_and_rankless_rows_aside() -> None:
    def rank(one: JsonObject) -> Any:
        return one.get("n")

    seen(row(n=1), row(n=1), row(odd=0), row(n=2)).check_order(rank, descending=False)
    seen(row(n=2), row(n=1), row(n=1)).check_order(rank, descending=True)
    with pytest.raises(AssertionError, match=r"1 comes after 2, in the row \{\"n\": 1\}"):
        seen(row(n=2), row(n=1)).check_order(rank, descending=False)
    with pytest.raises(AssertionError, match="2 comes after 1"):
        seen(row(n=1), row(odd=0), row(n=2)).check_order(rank, descending=True)


@pytest.mark.parametrize("rows", [[], [row(n=1)], [row(), row()]])
def test_an_order_that_no_two_rows_show_is_left_open(rows: list[JsonObject]) -> None:
    with pytest.raises(Inconclusive) as raised:
        seen(*rows).check_order(lambda one: one.get("n"), descending=False)
    assert raised.value.cause == "rows do not show their order"


def test_a_row_is_named_by_its_member_or_by_all_that_it_holds() -> None:
    assert NAME(row(event_id="a", n=1)) == "a"
    assert NAME(row(event_id=["a"])) == whole(row(event_id=["a"])) == '{"event_id": ["a"]}'
    assert pair(row(principal_attendee_id="a", target_attendee_id="b")) == ("a", "b")
    assert pair(row(principal_attendee_id="a", target_attendee_id="b")) != pair(
        row(principal_attendee_id="b", target_attendee_id="a")
    )
    assert pair(row(principal_attendee_id="a", target_attendee_id=None)) == whole(
        row(principal_attendee_id="a", target_attendee_id=None)
    )
    hash(pair(row(principal_attendee_id=["a"], target_attendee_id={"b": 1})))


@pytest.mark.parametrize(("value", "expected"), [(0.5, 0.5), (0, 0), (1, 1), (True, None), ("0.5", None), (None, None)])
def test_a_score_is_a_number(value: Any, expected: float | None) -> None:
    assert score(row(final_score=value)) == expected
    assert score(row()) is None


def test_when_a_row_was_created_is_a_timestamp() -> None:
    assert created(row(created_at="2031-03-10T12:00:00Z")) == 1930910400
    assert created(row(created_at="lately")) is created(row()) is created(row(created_at=5)) is None


def test_a_row_that_others_pushed_onto_a_later_page_breaks_no_order() -> None:
    found = ListWalk(2, rows=[row(event_id=f"e{one}", created_at=f"2031-03-0{one}T09:00:00Z") for one in (3, 2, 3, 1)])
    found.check_order(created, True, member("event_id"))
    with pytest.raises(AssertionError):
        found.check_order(created, True)
    found.rows.append(row(event_id="e9", created_at="2031-03-09T09:00:00Z"))
    with pytest.raises(AssertionError):
        found.check_order(created, True, member("event_id"))
