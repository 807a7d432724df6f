"""Every rule by which judgements and violations become verdicts, and verdicts an outcome."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from meshi_conformance.contract.requirements import Requirement
from meshi_conformance.verdicts.verdicts import (
    DESELECTED,
    Judgement,
    RequirementVerdict,
    causes,
    is_deselected,
    judge,
    outcome,
    outcome_of,
    violation_reason,
)
from meshi_conformance.vocabulary import CauseClass, Level, Outcome, Verdict, worst


def requirement(name: str = "a.b", level: str = "documented") -> Requirement:
    return Requirement(name, Level(level), "It holds.", "overview", "Somewhere", ("getAuth",))


def said(verdict: str, name: str = "a.b", reason: str = "because", cause: str = "") -> Judgement:
    return Judgement(name, f"test_{verdict}", Verdict(verdict), reason, cause)


def verdict_of(*judgements: Judgement, violations: tuple[tuple[str, str, str], ...] = ()) -> RequirementVerdict:
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
    assert found.violations == [("x-1", "wrong"), ("x-2", "wrong again")]
    alone = verdict_of(violations=seen[:1])
    assert (alone.verdict, alone.reason) == ("fail", "wrong, in exchange x-1")


def test_a_violation_decides_before_a_failed_test_and_all_evidence_is_kept() -> None:
    failed = said("fail", reason="the test says so", cause="something")
    found = verdict_of(failed, violations=(("a.b", "x-1", "wrong"),))
    assert (found.reason, found.cause, found.judgements) == ("wrong, in exchange x-1", "", [failed])


def test_the_first_of_several_failures_is_the_reason() -> None:
    found = verdict_of(said("inconclusive", reason="late"), said("fail", reason="one"), said("fail", reason="two"))
    assert (found.verdict, found.reason) == ("fail", "one")
    assert len(found.judgements) == 3


def test_words_of_a_server_do_not_change_how_a_reason_is_made() -> None:
    assert violation_reason("x-1", "{0} %s {number}", 3) == "{0} %s {number}, in exchange x-1 (and 2 more exchanges)"


def test_every_requirement_gets_one_verdict_in_the_order_of_the_catalogue() -> None:
    found = judge([requirement("b"), requirement("a")], [said("pass", "a"), said("pass", "b"), said("fail", "b")], [])
    assert [(one.requirement.id, one.verdict) for one in found] == [("b", "fail"), ("a", "pass")]


def test_the_words_of_results_json_stay() -> None:
    assert list(Verdict) == ["fail", "inconclusive", "not_run", "waived", "pass"]
    assert list(Outcome) == ["invalid", "nonconformant", "undecided", "partial", "conformant"]
    assert list(CauseClass) == ["suite", "credentials", "transport", "setup", "deadline", "limit", "absent"]
    assert list(Level) == ["documented", "implied"]


def test_the_order_of_each_enumeration_is_that_of_severity() -> None:
    assert worst(reversed(Verdict)) == Verdict.FAIL
    assert worst(reversed(Outcome)) == Outcome.INVALID
    assert worst(reversed(CauseClass)) == CauseClass.SUITE
    assert worst(reversed(Level)) == Level.DOCUMENTED
    nothing: list[Verdict] = []
    with pytest.raises(ValueError, match="empty"):
        worst(nothing)


def test_of_several_causes_the_most_serious_class_decides() -> None:
    found = verdict_of(
        *(Judgement("a.b", "t", Verdict.INCONCLUSIVE, kind, f"cause {kind}", kind) for kind in reversed(CauseClass))
    )
    assert (found.reason, found.cause, found.cause_class) == ("suite", "cause suite", CauseClass.SUITE)


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
    assert DESELECTED == "deselected by --requirements"


@pytest.mark.parametrize(
    ("reason", "left_out"),
    [
        (DESELECTED, True),
        ("deselected by -m 'not slow'", True),
        ("no test of it ran", False),
        ("its test was deselected by mistake", False),
        ("", False),
    ],
)
def test_what_somebody_left_out_is_told_from_what_merely_did_not_run(reason: str, left_out: bool) -> None:
    assert is_deselected(reason) is left_out


NOT_SHOWN = {"a.b": ("no page of listEvents held a row", CauseClass.ABSENT)}


def test_what_no_exchange_showed_is_open_although_its_test_passed() -> None:
    found = judge([requirement(), requirement("a.c")], [said("pass"), said("pass", "a.c")], [], None, NOT_SHOWN)
    assert [(one.verdict, one.reason, one.cause, one.cause_class) for one in found] == [
        ("inconclusive", "no page of listEvents held a row", "no page of listEvents held a row", CauseClass.ABSENT),
        ("pass", "", "", None),
    ]
    assert judge([requirement()], [said("pass")], [], None, {})[0].verdict == "pass"


@pytest.mark.parametrize("verdict", ["fail", "inconclusive", "not_run"])
def test_what_no_exchange_showed_hides_no_failure_and_no_other_reason(verdict: str) -> None:
    found = judge([requirement()], [said(verdict, cause="its own")], [], None, NOT_SHOWN)[0]
    assert (found.verdict, found.reason, found.cause) == (verdict, "because", "its own")


@pytest.mark.parametrize(
    ("level", "cause_class", "undecided"),
    [
        ("documented", CauseClass.CREDENTIALS, True),
        ("documented", CauseClass.TRANSPORT, True),
        ("documented", CauseClass.SETUP, True),
        ("documented", CauseClass.DEADLINE, True),
        ("documented", CauseClass.SUITE, False),
        ("documented", CauseClass.LIMIT, False),
        ("documented", CauseClass.ABSENT, False),
        ("documented", None, False),
        ("implied", CauseClass.TRANSPORT, False),
        ("implied", None, False),
    ],
)
def test_a_target_that_prevents_a_documented_judgement_leaves_it_undecided(
    level: str, cause_class: CauseClass | None, undecided: bool
) -> None:
    found = RequirementVerdict(requirement(level=level), Verdict.INCONCLUSIVE, cause_class=cause_class)
    assert found.is_undecided is undecided


def test_a_requirement_that_no_test_spoke_of_says_so() -> None:
    for selected in (None, {}, {"another": "deselected"}, {"a.b": ""}):
        found = judge([requirement()], [], [], selected)[0]
        assert (found.verdict, found.reason, found.cause) == ("not_run", "no test of it ran", "")


def test_a_judgement_counts_more_than_the_reason_to_have_none() -> None:
    assert judge([requirement()], [said("pass")], [], {"a.b": "deselected"})[0].verdict == "pass"


def test_what_is_not_said_is_empty() -> None:
    bare = Judgement("a.b", "t", Verdict.PASS)
    assert (bare.reason, bare.cause, bare.cause_class, bare.exchanges, bare.exchange) == ("", "", None, (), "")
    verdict = RequirementVerdict(requirement(), Verdict.PASS)
    assert (verdict.reason, verdict.cause, verdict.cause_class) == ("", "", None)
    assert (verdict.judgements, verdict.violations) == ([], [])


def test_a_judgement_survives_its_way_from_a_worker() -> None:
    one = Judgement("a.b", "t", Verdict.INCONCLUSIVE, "late", "late", CauseClass.DEADLINE, ("w-1",))
    assert Judgement.from_data(json.loads(json.dumps(asdict(one)))) == one
    assert Judgement.from_data(asdict(Judgement("a.b", "t", Verdict.PASS))).cause_class is None


def run(*entries: tuple[str, str]) -> list[RequirementVerdict]:
    return [RequirementVerdict(requirement(level=level), Verdict(verdict)) for level, verdict in entries]


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


@pytest.mark.parametrize(
    ("documented", "expected"),
    [
        ([(Verdict.INCONCLUSIVE, CauseClass.DEADLINE)], "undecided"),
        ([(Verdict.PASS, None), (Verdict.INCONCLUSIVE, CauseClass.TRANSPORT)], "undecided"),
        ([(Verdict.NOT_RUN, None), (Verdict.INCONCLUSIVE, CauseClass.SETUP)], "undecided"),
        ([(Verdict.FAIL, None), (Verdict.INCONCLUSIVE, CauseClass.CREDENTIALS)], "nonconformant"),
        ([(Verdict.INCONCLUSIVE, CauseClass.ABSENT)], "partial"),
        ([(Verdict.INCONCLUSIVE, CauseClass.LIMIT)], "partial"),
        ([(Verdict.NOT_RUN, CauseClass.SETUP)], "partial"),
        ([(Verdict.WAIVED, CauseClass.TRANSPORT)], "conformant"),
        ([(Verdict.PASS, CauseClass.TRANSPORT)], "conformant"),
    ],
)
def test_only_an_open_verdict_that_the_target_caused_makes_a_run_undecided(
    documented: list[tuple[Verdict, CauseClass | None]], expected: str
) -> None:
    assert outcome_of(documented) == expected


def held_up(
    name: str, reason: str = "", cause: str = "", kind: CauseClass | None = None, level: str = "documented"
) -> RequirementVerdict:
    return RequirementVerdict(requirement(name, level), Verdict.INCONCLUSIVE, reason, cause, kind)


def test_the_sentence_on_an_undecided_run_counts_what_the_target_prevented_by_its_kind() -> None:
    open_ones = [
        held_up("a", kind=CauseClass.DEADLINE),
        held_up("b", kind=CauseClass.TRANSPORT),
        held_up("c", kind=CauseClass.TRANSPORT),
        held_up("d", kind=CauseClass.ABSENT),
        held_up("e", kind=CauseClass.TRANSPORT, level="implied"),
    ]
    assert outcome([*run(("documented", "pass")), *open_ones], []) == (
        "undecided",
        "No documented requirement failed, but the target kept 3 from being judged (2 transport, 1 deadline).",
    )


@pytest.mark.parametrize("level", ["documented", "implied"])
def test_an_error_of_the_suite_makes_a_run_invalid_even_where_a_requirement_failed(level: str) -> None:
    erred = held_up("a.erred", reason="KeyError: 'items'", kind=CauseClass.SUITE, level=level)
    assert outcome([*run(("documented", "pass"), ("documented", "fail")), erred], []) == (
        "invalid",
        "The suite erred in judging a.erred: KeyError: 'items'",
    )


def test_a_problem_makes_the_run_invalid_whatever_was_found() -> None:
    assert outcome(run(("documented", "fail")), ["a worker died", "and more"]) == ("invalid", "a worker died")
    assert outcome(run(("documented", "pass")), ["a worker died"])[0] == "invalid"


def test_the_sentence_counts() -> None:
    assert outcome(run(("documented", "fail"), ("documented", "fail")), [])[1] == "2 documented requirements failed."
    assert outcome(run(("documented", "fail"), ("implied", "fail")), [])[1] == "1 documented requirement failed."
    assert outcome(run(("documented", "pass")), [])[1] == "All 1 documented requirement hold."
    assert outcome(run(("documented", "not_run")), [])[1] == "Nothing was judged."
    waived = run(("documented", "pass"), ("documented", "waived"), ("implied", "waived"), ("implied", "pass"))
    assert outcome(waived, [])[1] == "All 2 documented requirements hold, 1 of them waived."
    unjudged = [("documented", "inconclusive"), ("documented", "not_run"), ("documented", "not_run")]
    assert outcome(run(("documented", "pass"), ("implied", "not_run"), *unjudged), [])[1] == (
        "No documented requirement failed; 3 could not be judged (1 inconclusive, 2 not run)."
    )


def test_implied_requirements_alone_are_something_judged() -> None:
    assert outcome(run(("implied", "fail")), [])[0] == "conformant"
    assert outcome(run(("implied", "pass"), ("documented", "not_run")), [])[0] == "partial"


def test_each_cause_is_named_once_with_all_that_it_holds_up() -> None:
    found = [
        held_up("z", "a long reason of its own"),
        held_up("g", cause="createRun answered 500", kind=CauseClass.SETUP),
        held_up("a", "with details", "createEvent answered 500", CauseClass.SETUP),
        held_up("b", cause="a deadline passed", kind=CauseClass.DEADLINE),
        held_up("c", cause="createEvent answered 500", kind=CauseClass.SETUP),
        held_up("f", cause="createEvent answered 500", kind=CauseClass.TRANSPORT),
        RequirementVerdict(requirement("d"), Verdict.PASS, cause="none"),
        RequirementVerdict(requirement("e"), Verdict.NOT_RUN, cause="no key"),
    ]
    assert causes(found) == [
        {"cause_class": "transport", "cause": "createEvent answered 500", "requirements": ["f"]},
        {"cause_class": "setup", "cause": "createEvent answered 500", "requirements": ["a", "c"]},
        {"cause_class": "setup", "cause": "createRun answered 500", "requirements": ["g"]},
        {"cause_class": "deadline", "cause": "a deadline passed", "requirements": ["b"]},
        {"cause_class": None, "cause": "a long reason of its own", "requirements": ["z"]},
    ]
