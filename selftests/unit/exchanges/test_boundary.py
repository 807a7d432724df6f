"""A UUID that an undocumented member shows again crosses the boundary; one that names a request does not."""

from __future__ import annotations

from typing import Any

import pytest

from meshi_conformance.contract.contract import load
from meshi_conformance.exchanges.boundary import Boundary
from meshi_conformance.exchanges.checks import check

from ..answers import example, exchange

CONTRACT = load()
UUID = "0d8fbe5c-9a31-4c9e-8f0a-2f6f4a1b7c3d"
OTHER = "7b1f0f52-6f0a-4a53-9a52-0b8f1f6b8a11"


class Seen:
    """Exchanges one after the other, as a recorder sees them."""

    def __init__(self) -> None:
        self._boundary = Boundary()
        self._count = 0

    def show(self, operation: str, extra: dict[str, Any], **how: Any) -> list[tuple[str, str]]:
        """What crosses with one more answer: number of the exchange and requirement."""
        self._count += 1
        status = max(CONTRACT.operations[operation].responses)
        body = example(operation, status)
        if CONTRACT.operations[operation].lists:
            body["items"] = [{**(body["items"][0] if body["items"] else {}), **extra}]
        else:
            body = {**body, **extra}
        one = exchange(operation, status, body, **how)
        one.id = f"main-{self._count}"
        check(one, CONTRACT)
        return [(holder, violation.requirement) for holder, violation in self._boundary.look(one)]


@pytest.mark.parametrize("operation", CONTRACT.operations)
def test_a_uuid_that_is_shown_again_crosses(operation: str) -> None:
    seen = Seen()
    assert seen.show(operation, {"internal": UUID}) == []
    assert seen.show(operation, {"internal": UUID.upper()}) == [("main-1", f"boundary.{operation}")]


def test_each_operation_that_showed_it_is_charged_once() -> None:
    seen = Seen()
    assert seen.show("createEvent", {"internal": UUID}) == []
    assert seen.show("getEvent", {"id": UUID}) == [("main-1", "boundary.createEvent"), ("main-2", "boundary.getEvent")]
    assert seen.show("getEvent", {"id": UUID}) == []


def test_a_uuid_that_changes_with_every_answer_names_the_request() -> None:
    seen = Seen()
    assert seen.show("getEvent", {"request": UUID}) == []
    assert seen.show("getEvent", {"request": OTHER}) == []


def test_a_uuid_that_the_client_sent_at_any_time_crosses_nothing() -> None:
    seen = Seen()
    seen.show("createEvent", {}, request=b'{"title": "' + UUID.upper().encode() + b'"}')
    assert [seen.show("getEvent", {"echo": UUID}) for _ in range(2)] == [[], []]
    assert [seen.show("getEvent", {"echo": OTHER}, path=f"/events/{OTHER}") for _ in range(2)] == [[], []]


def test_an_id_of_the_api_s_own_making_crosses_nothing() -> None:
    seen = Seen()
    seen.show("getRun", {"run_id": UUID})
    assert [seen.show("listAttendees", {"enriched_by": UUID}) for _ in range(2)] == [[], []]
    assert [seen.show("listAttendees", {"last_run_id": OTHER}) for _ in range(2)] == [[], []]
