"""Every rule by which judgements and violations become verdicts, and verdicts an outcome."""

from __future__ import annotations

import pytest

from meshi_conformance.contract import Requirement
from meshi_conformance.verdicts import Judgement, Verdict, causes, judge, outcome


def requirement(name: str = "a.b", level: str = "documented") -> Requirement:
    return Requirement(name, level, "It holds.", "overview", "Somewhere", ("getAuth",))


def said(verdict: str, name: str = "a.b", reason: str = "because", cause: str = "") -> Judgement:
    return Judgement(name, f"test_{verdict}", verdict, reason, cause)


def verdict_of(*judgements: Judgement, violations: tuple[tuple[str, str, str], ...] = ()) -> Verdict:
    return judge([requirement()], judgements, violations)[0]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], "not_run"),
        (["pass"], "pass"),
        (["pass", "pass"], "pass"),
        (["pass", "not_run"], "not_run"),
        (["pass", "inconclusive"], "inconclusive"),
        (["not_run", "inconclusive"], "inconclusive"),
        (["pass", "fail"], "fail"),
        (["inconclusive", "fail", "not_run"], "fail"),
    ],
)
def test_the_worst_judgement_decides(verdicts: list[str], expected: str) -> None:
    assert verdict_of(*map(said, verdicts)).verdict == expected


def test_a_violation_fails_even_where_the_test_passed_or_never_ran() -> None:
    seen = (("a.b", "x-1", "wrong"), ("a.b", "x-2", "wrong again"))
    found = verdict_of(said("pass"), violations=seen)
    assert found.verdict == "fail"
    assert "wrong, in exchange x-1 (and 1 more exchanges)" in found.reason
    assert verdict_of(violations=seen[:1]).verdict == "fail"


def test_the_reason_is_that_of_the_judgement_that_decides() -> None:
    found = verdict_of(said("pass", reason=""), said("inconclusive", reason="no answer", cause="network"))
    assert (found.reason, found.cause) == ("no answer", "network")
    assert verdict_of(said("pass")).reason == ""


def test_judgements_and_violations_of_others_do_not_count() -> None:
    found = verdict_of(said("pass"), said("fail", name="other"), violations=(("other", "x", "m"),))
    assert found.verdict == "pass"


def test_a_requirement_that_was_not_selected_says_so() -> None:
    found = judge([requirement()], [], [], {"a.b": "deselected"})[0]
    assert (found.verdict, found.reason) == ("not_run", "deselected")


def run(*entries: tuple[str, str]) -> list[Verdict]:
    return [Verdict(requirement(level=level), verdict) for level, verdict in entries]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([("documented", "pass")], "conformant"),
        ([("documented", "pass"), ("documented", "waived")], "conformant"),
        ([("documented", "pass"), ("implied", "fail")], "conformant"),
        ([("documented", "pass"), ("implied", "inconclusive")], "conformant"),
        ([("documented", "pass"), ("documented", "inconclusive")], "partial"),
        ([("documented", "pass"), ("documented", "not_run")], "partial"),
        ([("documented", "fail"), ("documented", "not_run")], "nonconformant"),
        ([("documented", "not_run")], "invalid"),
        ([("documented", "inconclusive")], "invalid"),
        ([], "invalid"),
    ],
)
def test_the_outcome_follows_from_documented_requirements(entries: list[tuple[str, str]], expected: str) -> None:
    assert outcome(run(*entries), [])[0] == expected


def test_a_problem_makes_the_run_invalid_whatever_was_found() -> None:
    assert outcome(run(("documented", "fail")), ["a worker died"]) == ("invalid", "a worker died")


def test_the_sentence_counts() -> None:
    assert outcome(run(("documented", "fail"), ("documented", "fail")), [])[1] == "2 documented requirements failed."
    assert outcome(run(("documented", "pass")), [])[1] == "All 1 documented requirement hold."


def test_each_cause_is_named_once_with_all_that_it_holds_up() -> None:
    found = [
        Verdict(requirement("a"), "inconclusive", cause="createEvent answered 500"),
        Verdict(requirement("b"), "inconclusive", cause="other"),
        Verdict(requirement("c"), "inconclusive", cause="createEvent answered 500"),
        Verdict(requirement("d"), "pass", cause=""),
    ]
    assert causes(found) == [
        {"cause": "createEvent answered 500", "requirements": ["a", "c"]},
        {"cause": "other", "requirements": ["b"]},
    ]
