"""A failed assertion is about the exchange that its line reads, not about the first or the last of the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.testing.failing_exchange import exchange_of

from ..answers import exchange


def numbered(number: int, status: int = 200) -> Exchange:
    return replace(exchange("getAuth", status), id=f"gw1-{number}")


def in_a_loop() -> None:
    exchanges = [numbered(1), numbered(2, 404), numbered(3)]
    for one in exchanges:
        assert one.status == 200


def named_on_the_line() -> None:
    first, second = numbered(7), numbered(8)
    assert second.is_success
    assert first.status == 201, "never created"


def neither_is_named() -> None:
    first, second = numbered(9), numbered(10)
    statuses = [first.status, second.status]
    assert statuses == [1, 2]


def in_a_helper() -> None:
    kept = numbered(20)

    def refused(answer: Exchange) -> None:
        assert not answer.is_success

    refused(numbered(21))
    assert kept


def without_any() -> None:
    number = 1
    assert number == 2, "no local variable holds an exchange"


@pytest.mark.parametrize(
    ("fails", "found"),
    [
        (in_a_loop, "gw1-2"),
        (named_on_the_line, "gw1-7"),
        (neither_is_named, "gw1-10"),
        (in_a_helper, "gw1-21"),
        (without_any, ""),
    ],
)
def test_the_exchange_of_the_failing_line(fails: Callable[[], None], found: str) -> None:
    with pytest.raises(AssertionError) as problem:
        fails()
    assert exchange_of(problem.value) == found
