"""What schemathesis and Hypothesis give us, so that a change of theirs is noticed; seeds; links; histories."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from meshi_conformance.client.call import Call
from meshi_conformance.contract.contract import load
from meshi_conformance.generation import cases
from meshi_conformance.generation.budget import PROFILES, Plan
from meshi_conformance.generation.concurrency import Moment, went_back
from meshi_conformance.generation.links import UNFOLLOWED, Missing, evaluate, links
from meshi_conformance.watching.expectations.expectation import Known, Reader

from .bench import bench, plan

PRINT = (
    "from meshi_conformance.generation import cases;"
    "from meshi_conformance.generation.budget import PROFILES, Plan;"
    "print([repr((d.call.path, d.call.query, d.call.content)) + d.source + d.note"
    " for d in cases.drafts('createMatchRun', Plan('quick', PROFILES['quick'], {seed}))])"
)


def made_up(seed: int) -> str:
    return subprocess.run(
        [sys.executable, "-c", PRINT.format(seed=seed)], capture_output=True, text=True, check=True
    ).stdout


def test_the_same_seed_makes_the_same_calls_in_every_process() -> None:
    assert made_up(7) == made_up(7)
    assert made_up(7) != made_up(8)


def test_every_operation_gets_good_and_bad_calls() -> None:
    reader = Reader(load(), Known({}))
    chosen = plan(3)
    for operation in load().operations:
        drafts = cases.drafts(operation, chosen)
        kinds = Counter(reader.read(one.call).kind for one in drafts)
        assert kinds["bad"] >= 1, (operation, kinds)
        assert len(drafts) >= 2, operation


def test_coverage_still_sends_values_beside_the_bounds() -> None:
    limits = {str(one.call.query.get("limit")) for one in cases.drafts("listRuns", plan(3))}
    assert {"1", "2", "99", "100"} <= limits
    tops = [
        one.call.body.get("top_n") for one in cases.drafts("createMatchRun", plan(3)) if isinstance(one.call.body, dict)
    ]
    assert {1, 2, 49, 50, 0, 51} <= {top for top in tops if isinstance(top, int)}


def test_narrowed_bodies_are_good() -> None:
    reader = Reader(load(), Known({}))
    drafts = [
        one for name in ("createEvent", "createRun") for one in cases.drafts(name, plan(5)) if one.source == "good"
    ]
    assert drafts
    for draft in drafts:
        assert not reader.read(draft.call).faults, draft


def test_a_budget_scales_all_parts() -> None:
    class Option:
        profile, budget, seed = "quick", 500, 1

    chosen = Plan.of(Option)
    assert chosen.profile.requests <= 550
    assert chosen.profile.requests < PROFILES["quick"].requests
    assert chosen.repeat == "--profile quick --budget 500 --seed 1"


def test_every_link_is_followed_or_has_a_reason() -> None:
    found = list(links(load()))
    assert len(found) == 59
    assert {(one.source, one.target) for one in found} >= set(UNFOLLOWED)


def test_runtime_expressions() -> None:
    with bench() as tools:
        request = tools.given.event_request()
        call = Call("createEvent", body=request)
        answer = tools.api.send(call)
    assert evaluate("event", call, answer) == "event"
    assert evaluate("$response.body#/event_id", call, answer) == request["event_id"]
    assert evaluate("$request.body#/title", call, answer) == request["title"]
    with pytest.raises(Missing):
        evaluate("$response.body#/items/0/event_id", call, answer)


def moments(*spans: tuple[float, float, int]) -> list[Moment]:
    return [Moment(began, ended, value, None) for began, ended, value in spans]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reads", "legal"),
    [
        ([(2, 3, 1)], True),
        ([(2, 3, 0)], False),
        ([(0.5, 3, 0)], True),
        ([(0.5, 3, 1)], True),
        ([(4.5, 5, 1)], True),
        ([(4.5, 5, 2)], True),
        ([(4.5, 5, 2), (5.5, 6, 1)], False),
        ([(4.5, 5.6, 2), (5.5, 6, 1)], True),
        ([(2, 3, 2)], False),
    ],
)
def test_a_read_may_show_what_was_written_before_or_meanwhile(
    reads: list[tuple[float, float, int]], legal: bool
) -> None:
    writes = moments((0, 1, 1), (4, 7, 2))
    assert (went_back(writes, moments(*reads)) is None) == legal
