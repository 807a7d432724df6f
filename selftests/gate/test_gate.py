"""The exit code follows from the document alone, and every reason is reported."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from meshi_conformance.verdicts import gate
from meshi_conformance.verdicts.waivers import Waiver
from meshi_conformance.vocabulary import CauseClass

Make = Callable[..., dict[str, Any]]
FAILED = {"status.getAuth.200": ("fail", "answered 500")}
DEVIATES = {"codes.getAuth": ("fail", "odd code")}
UNJUDGED = {"status.getAuth.200": ("inconclusive", "no answer")}
EXPIRED = Waiver("someone", "EVT-1", "later", date(2020, 1, 1), requirement="status.getAuth.200", failure="500")


def test_a_conformant_run_ends_with_0_and_needs_no_reason(make: Make) -> None:
    assert gate.decide(make(), gate.FAIL_ON) == gate.Decision(0)


def test_a_partial_run_ends_with_0(make: Make) -> None:
    assert gate.decide(make(UNJUDGED)).exit_code == 0


STUCK = {name: ("inconclusive", "no end in sight", "deadline") for name in ("runs.event_id", "runs.kind")}
ACCEPTED = Waiver("someone", "EVT-2", "known", date(2999, 1, 1), cause="no end")


@pytest.mark.parametrize("kind", list(CauseClass))
def test_what_the_target_did_makes_a_run_undecided_and_nothing_else(make: Make, kind: CauseClass) -> None:
    document = make({"status.getAuth.200": ("inconclusive", "no answer", kind)})
    expected = {CauseClass.SUITE: ("invalid", 5), CauseClass.LIMIT: ("partial", 0), CauseClass.ABSENT: ("partial", 0)}
    outcome, code = expected.get(kind, ("undecided", 7))
    assert (document["outcome"], gate.decide(document).exit_code) == (outcome, code)
    implied = make({"codes.getAuth": ("inconclusive", "no answer", kind)})
    assert implied["outcome"] == ("invalid" if kind == CauseClass.SUITE else "conformant")


def test_an_undecided_run_says_how_many_and_why(make: Make) -> None:
    decision = gate.decide(make({**STUCK, "status.getAuth.200": ("inconclusive", "no answer", "transport")}))
    assert decision == gate.Decision(
        7, ("No documented requirement failed, but the target kept 3 from being judged (1 transport, 2 deadline).",)
    )


def test_a_failure_comes_before_what_is_undecided_and_that_before_the_gate(make: Make) -> None:
    assert gate.decide(make({**STUCK, **FAILED})).exit_code == 1
    decision = gate.decide(make({**STUCK, **DEVIATES}), ["deviations"])
    assert decision.exit_code == 7
    assert len(decision.reasons) == 2


@pytest.mark.parametrize(("allowed", "code"), [(0, 7), (1, 7), (2, 0), (3, 0)])
def test_as_many_may_stay_undecided_as_are_allowed(make: Make, allowed: int, code: int) -> None:
    assert gate.decide(make(STUCK), allow_undecided=allowed).exit_code == code


def test_a_waiver_by_cause_covers_what_its_cause_holds_up_and_no_more(make: Make) -> None:
    document = make(STUCK, waived=[ACCEPTED])
    assert document["outcome"] == "undecided", "what could not be judged stays so"
    assert set(document["gate"]["waivers"][0]["covers"]) == set(STUCK)
    assert gate.decide(document).exit_code == 0
    other = make({**STUCK, "status.getAuth.200": ("inconclusive", "no answer", "transport")}, waived=[ACCEPTED])
    assert gate.undecided(other) == ["status.getAuth.200"]
    assert gate.decide(other).exit_code == 7


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


def test_flaky_answers_cross_the_gate_where_it_asks_for_that(make: Make) -> None:
    trouble = ["listEvents: a gateway answered 503"] * 190 + ["getRun: ReadError before any answer"]
    document = {**make(), "trouble": trouble}
    assert gate.decide(document).exit_code == 0
    decision = gate.decide(document, ["flaky"])
    assert decision.exit_code == gate.EXIT_GATE
    assert decision.reasons == (
        "--fail-on flaky: 191 requests had no usable answer at first: 190 × a gateway answered 503; "
        "1 × ReadError before any answer.",
    )
    assert gate.decide({**document, "trouble": []}, ["flaky"]).exit_code == 0
