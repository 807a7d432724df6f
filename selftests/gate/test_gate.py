"""The exit code follows from the document alone, and every reason is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from meshi_conformance.verdicts import gate
from meshi_conformance.verdicts.waivers import Waiver

Make = Callable[..., dict[str, Any]]
FAILED = {"status.getAuth.200": ("fail", "answered 500")}
DEVIATES = {"codes.getAuth": ("fail", "odd code")}
UNJUDGED = {"status.getAuth.200": ("inconclusive", "no answer")}
EXPIRED = Waiver("status.getAuth.200", "someone", "EVT-1", "later", date(2020, 1, 1), failure="500")


def test_a_conformant_run_ends_with_0_and_needs_no_reason(make: Make) -> None:
    assert gate.decide(make(), gate.FAIL_ON) == gate.Decision(0)


def test_a_partial_run_ends_with_0(make: Make) -> None:
    assert gate.decide(make(UNJUDGED)).exit_code == 0


@pytest.mark.parametrize(
    ("verdicts", "fail_on", "code"),
    [
        (FAILED, [], 1),
        (DEVIATES, [], 0),
        (DEVIATES, ["deviations"], 6),
        (DEVIATES, ["unjudged"], 0),
        (UNJUDGED, ["unjudged"], 6),
        (UNJUDGED, ["deviations"], 0),
        ({"status.getAuth.200": None}, ["unjudged"], 6),
        ({"codes.getAuth": None}, ["unjudged"], 0),
        ({**FAILED, **DEVIATES}, ["deviations"], 1),
    ],
)
def test_what_fails_a_run(make: Make, verdicts: dict[str, Any], fail_on: list[str], code: int) -> None:
    assert gate.decide(make(verdicts), fail_on).exit_code == code


def test_a_nonconformant_run_tells_the_reasons_of_the_gate_too(make: Make) -> None:
    decision = gate.decide(make({**FAILED, **DEVIATES}, waived=[EXPIRED]), ["deviations"])
    assert decision.exit_code == 1
    assert len(decision.reasons) == 3
    assert "1 documented requirement failed" in decision.reasons[0]
    assert "expired on 2020-01-01" in decision.reasons[1]
    assert "--fail-on deviations: 1" in decision.reasons[2]


def test_a_waiver_that_does_not_hold_fails_a_run_that_is_conformant_otherwise(make: Make) -> None:
    decision = gate.decide(make(waived=[EXPIRED]))
    assert decision.exit_code == 6
    assert "EVT-1" in decision.reasons[0]


@pytest.mark.parametrize(("stopped", "code"), [(2, 2), (3, 3), (4, 4), (0, 3), (1, 3), (5, 3)])
def test_an_invalid_run_ends_as_it_was_stopped(make: Make, stopped: int, code: int) -> None:
    decision = gate.decide(make(FAILED, problems=["A worker died"]), [], stopped)
    assert (decision.exit_code, decision.reasons[0]) == (code, "A worker died")


def test_a_run_that_judged_nothing_has_its_own_code(make: Make) -> None:
    everything = [row["id"] for row in make()["requirements"]]
    decision = gate.decide(make(dict.fromkeys(everything)), [], 5)
    assert (decision.exit_code, decision.reasons[0]) == (5, "Nothing was judged.")


def test_the_decision_stands_in_the_document(make: Make) -> None:
    document = make(DEVIATES)
    kept = gate.section(document["gate"]["waivers"], ["deviations"], gate.decide(document, ["deviations"]))
    assert kept["exit_code"] == 6
    assert kept["fail_on"] == ["deviations"]
    assert kept["reasons"]
