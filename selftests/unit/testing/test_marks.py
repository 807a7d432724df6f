"""Several requirements in one test: each fails for its own assertions alone, and keeps its worst verdict."""

from __future__ import annotations

from typing import Any

import pytest

from meshi_conformance.errors import MissingMember, NotPermitted, PollTimeout, SetupFailed
from meshi_conformance.testing.marks import Judge

ENDS = {
    "pass": None,
    "not_run": NotPermitted("it needs writes", "read only"),
    "inconclusive": PollTimeout("run r did not end", "a run did not end in time"),
    "fail": AssertionError("3 is not 4"),
}


def judged(*ends: BaseException | None) -> tuple[Any, ...]:
    """What a judge has found of a requirement after blocks that ended like that."""
    judge = Judge()
    for end in ends:
        with judge("a.b"):
            if end is not None:
                raise end
    return judge.found["a.b"]


def test_each_end_of_a_block_is_its_verdict() -> None:
    assert judged(None) == ("pass", "", "", None, "")
    assert judged(ENDS["not_run"]) == ("not_run", "it needs writes", "read only", None, "")
    late = "run r did not end", "a run did not end in time", "deadline", ""
    assert judged(ENDS["inconclusive"]) == ("inconclusive", *late)
    assert judged(ENDS["fail"]) == ("fail", "3 is not 4", "", None, "")


def test_a_member_that_is_missing_fails_and_a_failed_arrangement_does_not() -> None:
    assert judged(MissingMember("the answer has no member 'title'"))[0] == "fail"
    assert judged(SetupFailed("createEvent answered 500"))[:2] == ("inconclusive", "createEvent answered 500")


@pytest.mark.parametrize("worse", [1, 2, 3])
@pytest.mark.parametrize("better", [0, 1, 2])
def test_the_worst_of_several_verdicts_is_kept_in_any_order(better: int, worse: int) -> None:
    ends = list(ENDS)
    expected = ends[max(better, worse)]
    assert judged(ENDS[ends[better]], ENDS[ends[worse]])[0] == expected
    assert judged(ENDS[ends[worse]], ENDS[ends[better]])[0] == expected


def test_one_requirement_s_failure_is_not_another_s() -> None:
    judge = Judge()
    with judge("a"):
        raise AssertionError("wrong")
    with judge("b"):
        pass
    assert {name: found[0] for name, found in judge.found.items()} == {"a": "fail", "b": "pass"}


def test_a_block_that_was_never_reached_says_nothing() -> None:
    assert Judge().found == {}


def test_an_assertion_without_words_has_a_reason_and_a_long_one_is_cut() -> None:
    assert judged(AssertionError())[1] == "the assertion does not hold"
    assert len(judged(AssertionError("x" * 100_000))[1]) == 2000


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), KeyboardInterrupt()])
def test_an_error_of_the_test_itself_is_nobody_s_verdict(error: BaseException) -> None:
    judge = Judge()
    with pytest.raises(type(error)), judge("a.b"):
        raise error
    assert judge.found == {}
