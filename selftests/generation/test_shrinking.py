"""Shrinking a finding sends nothing that later calls are judged on: no review is used up by it."""

from __future__ import annotations

from typing import Any

import pytest

from meshi_conformance.client.call import Call
from meshi_conformance.contract.contract import load
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.generation.campaign import Runner
from meshi_conformance.generation.resources import GONE, Resources
from meshi_conformance.watching.expectations.expectation import Known
from selftests.unit.answers import Scripted, example, exchange, refusal

KEPT = "review-kept-open"
CONTRACT = load()


class Reviews:
    """Resources of decisions: one review stays open for calls that are to be refused."""

    decides = True

    def __init__(self) -> None:
        self.spent: list[Call] = []

    def fresh(self, call: Call) -> Call:
        return call

    def used(self, call: Call) -> None:
        self.spent.append(call)

    def known(self) -> Known:
        return Known(paths={"resolveReview": [{"review_id": KEPT}]})


def shrinking(answer: Any) -> tuple[Runner, Scripted, Reviews]:
    """A campaign of decisions on a server that answers so."""
    runner, api, reviews = object.__new__(Runner), Scripted(answer), Reviews()
    parts: dict[str, Any] = {"_api": api, "_resources": reviews, "_contract": CONTRACT}
    for name, value in parts.items():
        setattr(runner, name, value)
    runner._read_anew()
    return runner, api, reviews


def decision(value: str) -> Call:
    return Call("resolveReview", path={"review_id": KEPT}, body={"decision": value, "reason": "Checked twice."})


def found_by(runner: Runner, call: Call, exchange: Exchange) -> tuple[str, str]:
    found = runner._judge(call, runner._reader.read(call), exchange)
    assert found is not None
    return found


def test_no_good_decision_is_sent_to_make_a_bad_one_smaller() -> None:
    def wrong(call: Call) -> Exchange:
        return refusal("resolveReview", 404, "EVENT_NOT_FOUND")

    runner, api, reviews = shrinking(wrong)
    call = decision("acceptaccept")  # half of it would be a good decision
    finding = runner._shrunk(found_by(runner, call, wrong(call)), call, wrong(call))
    assert api.calls, "nothing was tried"
    assert {runner._reader.read(one).kind for one in api.calls} == {"bad"}
    assert finding.call.body != call.body
    assert not reviews.spent


def test_a_bad_decision_that_is_accepted_ends_the_shrinking_and_counts_as_used() -> None:
    def answer(call: Call) -> Exchange:
        if call.body.get("decision") == "acceptaccept":
            return refusal("resolveReview", 404, "EVENT_NOT_FOUND")
        return exchange("resolveReview", 200, example("resolveReview", 200))

    runner, api, reviews = shrinking(answer)
    call = decision("acceptaccept")
    runner._shrunk(found_by(runner, call, answer(call)), call, answer(call))
    assert [one.path for one in reviews.spent] == [{"review_id": KEPT}]
    assert api.calls[-1] == reviews.spent[-1]


def test_an_accepted_decision_is_not_made_smaller() -> None:
    runner, api, _ = shrinking(lambda call: exchange("resolveReview", 200, example("resolveReview", 200)))
    call, accepted = decision("perhaps"), exchange("resolveReview", 200, example("resolveReview", 200))
    finding = runner._shrunk(found_by(runner, call, accepted), call, accepted)
    assert finding.call == call
    assert not api.calls


def decisions(*open_reviews: str) -> Resources:
    resources = object.__new__(Resources)
    resources.reviews, resources.pairs = list(open_reviews), []
    resources._refused, resources._spent = KEPT, set()
    resources._operation, resources._paths = CONTRACT.operations["resolveReview"], []
    resources.match_runs, resources.sessions = [], []
    return resources


def test_another_review_takes_the_place_of_one_that_a_bad_call_used_up() -> None:
    resources = decisions("first", "second")
    bad = decision("perhaps")
    resources.used(bad)
    assert resources.redirected(bad, "bad").path == {"review_id": "second"}  # type: ignore[union-attr]
    assert resources.reviews == ["first"]


@pytest.mark.parametrize("kind", ["good", "bad"])
def test_without_another_review_nothing_more_is_sent(kind: str) -> None:
    resources = decisions()
    bad = decision("perhaps")
    resources.used(bad)
    assert resources.redirected(bad, kind) is None
    assert resources._refused == GONE
    assert resources.known().paths == {"resolveReview": []}
