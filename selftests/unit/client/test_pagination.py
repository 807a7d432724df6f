"""A walk ends, notices circles and refuses to go on for ever."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from meshi_conformance.client import pagination as paging
from meshi_conformance.client.pagination import MOST_PAGES, REPEATED_PAGES, rows, steps, walk
from meshi_conformance.errors import Inconclusive, MissingMember, NotAJsonObject
from meshi_conformance.exchanges.exchange import Exchange

from ..answers import exchange, refusal

MIB = 1024 * 1024


class Pages:
    """A list of pages with the cursors that lead to them."""

    def __init__(self, *cursors: str | None) -> None:
        self._cursors = cursors
        self.asked: list[Mapping[str, Any]] = []

    def __call__(self, query: Mapping[str, Any]) -> Exchange:
        self.asked.append(dict(query))
        number = len(self.asked) - 1
        return exchange("listEvents", 200, {"items": [{"n": number}], "next_cursor": self._cursors[number]})


def test_every_cursor_goes_back_verbatim_until_null() -> None:
    pages = Pages("a/b+c=&d", "é ", None)
    assert [row["n"] for row in rows(walk(pages, {"limit": 1}))] == [0, 1, 2]
    assert pages.asked == [{"limit": 1}, {"limit": 1, "cursor": "a/b+c=&d"}, {"limit": 1, "cursor": "é "}]


def test_a_walk_stops_once_enough_was_seen() -> None:
    pages = Pages("a", "b", "c", None)
    assert len(walk(pages, until=lambda seen: any(row["n"] == 1 for row in seen))) == 2


def test_one_token_may_lead_through_the_whole_list() -> None:
    pages = Pages(*["scroll"] * 20, None)
    assert len(walk(pages)) == 21
    assert {one.get("cursor") for one in pages.asked[1:]} == {"scroll"}


def test_pages_that_show_the_same_rows_over_and_over_fail_the_walk() -> None:
    asked: list[Any] = []

    def fetch(query: Mapping[str, Any]) -> Exchange:
        asked.append(query)
        return exchange("listEvents", 200, {"items": [{"n": len(asked) % 3}], "next_cursor": f"c{len(asked)}"})

    with pytest.raises(AssertionError, match="circle"):
        walk(fetch)
    assert len(asked) == 3 + REPEATED_PAGES


def pages_of(*items: list[dict[str, int]]) -> list[Exchange]:
    """Pages with these rows, the last of which ends the list."""
    last = len(items) - 1
    return [
        exchange("listEvents", 200, {"items": rows, "next_cursor": None if number == last else f"c{number}"})
        for number, rows in enumerate(items)
    ]


def test_a_circle_is_a_circle_in_whatever_order_rows_name_their_members() -> None:
    answers = iter(pages_of(*[[{"a": 1, "b": 2}], [{"b": 2, "a": 1}]] * 6))
    with pytest.raises(AssertionError, match="10 pages repeat earlier ones"):
        walk(lambda query: next(answers))


def test_pages_without_rows_lead_on_to_the_rows_behind_them() -> None:
    answers = iter(pages_of(*[[]] * 30, [{"n": 1}]))
    assert rows(walk(lambda query: next(answers))) == [{"n": 1}]


def test_a_few_pages_may_be_alike() -> None:
    alike = [exchange("listAttendeeIdentity", 200, {"items": [{"what": "seen"}], "next_cursor": n}) for n in "abcdefgh"]
    last = exchange("listAttendeeIdentity", 200, {"items": [{"what": "seen"}], "next_cursor": None})
    answers = iter([*alike, last])
    assert len(walk(lambda query: next(answers))) == 9


def test_a_refused_page_fails_the_walk() -> None:
    with pytest.raises(AssertionError, match="page 1"):
        walk(lambda query: refusal("listEvents", 400, "INVALID_JSON"))


def test_a_list_without_end_is_given_up() -> None:
    pages = Pages(*(str(number) for number in range(50)))
    with pytest.raises(Inconclusive, match="after 5 pages") as raised:
        walk(pages, most_pages=5)
    assert len(pages.asked) == 5
    assert raised.value.cause == "a list too long to walk"


def test_a_list_of_as_many_pages_as_allowed_is_walked_to_its_end() -> None:
    assert len(walk(Pages("a", "b", None), most_pages=3)) == 3


def test_the_largest_import_can_be_walked() -> None:
    assert MOST_PAGES * 100 >= 50_000


@pytest.mark.parametrize(
    "body", [{"items": []}, {"items": [], "next_cursor": True}, {"items": [], "next_cursor": ["a"]}]
)
def test_a_page_without_a_readable_cursor_fails_the_walk_after_its_rows_were_seen(body: Any) -> None:
    seen = steps(lambda query: exchange("listEvents", 200, body))
    assert next(seen).status == 200
    with pytest.raises(NotAJsonObject if isinstance(body, list) else MissingMember):
        next(seen)


@pytest.mark.parametrize("items", [None, {}, [1]])
def test_rows_that_cannot_be_read_fail_the_walk(items: Any) -> None:
    with pytest.raises(MissingMember):
        walk(lambda query: exchange("listEvents", 200, {"items": items, "next_cursor": None}))


def test_the_question_of_the_caller_is_left_as_it_was() -> None:
    query = {"limit": 2}
    walk(Pages("a", None), query)
    assert query == {"limit": 2}


class Endless:
    """A list whose pages have a size and take their time, and which never ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, size: int = 1, seconds: float = 0.0) -> None:
        self._size, self._seconds, self._now, self._page = size, seconds, 1_000.0, 0
        monkeypatch.setattr(paging, "time", SimpleNamespace(monotonic=lambda: self._now))

    def __call__(self, query: Mapping[str, Any]) -> Any:
        self._now += self._seconds
        self._page += 1
        return SimpleNamespace(
            is_success=True,
            body=bytes(self._size),
            next_cursor=str(self._page),
            items=[],
            summary="listEvents answered",
        )


def test_a_walk_is_given_up_past_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MOST_BYTES", 4 * MIB)
    with pytest.raises(Inconclusive, match=r"after 3 pages with 6 MiB, 0 s; listEvents answered") as raised:
        walk(Endless(monkeypatch, size=2 * MIB))
    assert raised.value.cause == "a list too long to walk"


def test_a_walk_is_given_up_past_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MOST_SECONDS", 180.0)
    with pytest.raises(Inconclusive, match=r"after 4 pages with 0 MiB, 240 s"):
        walk(Endless(monkeypatch, seconds=60.0))
