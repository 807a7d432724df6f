"""How a test says what it judges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from ..errors import Inconclusive
from ..vocabulary import CauseClass, Verdict
from .failing_exchange import exchange_of

requirement = pytest.mark.requirement
"""`@requirement("events.create.conflict")`: the IDs that a test judges."""


class Said(NamedTuple):
    """What a test says of one requirement.

    `cause` and `cause_class` are given where it could not judge it, `exchange` where an assertion failed on one.
    """

    verdict: Verdict
    reason: str = ""
    cause: str = ""
    cause_class: CauseClass | None = None
    exchange: str = ""

    @classmethod
    def of(cls, problem: Inconclusive) -> Said:
        """Return what a check that could not judge says."""
        return cls(problem.verdict, str(problem), problem.cause, problem.cause_class)


class Judge:
    """Judges several requirements in one test that shares costly state: `with judge("error.mergeReview.X"):`.

    A failed assertion inside fails that requirement alone and the test goes on. A requirement that
    the test cites and never reaches is inconclusive.
    """

    def __init__(self) -> None:
        self.found: dict[str, Said] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        try:
            yield
        except AssertionError as problem:
            reason = str(problem)[:2000] or "the assertion does not hold"
            self._keep(name, Said(Verdict.FAIL, reason, exchange=exchange_of(problem)))
        except Inconclusive as problem:
            self._keep(name, Said.of(problem))
        else:
            self._keep(name, Said(Verdict.PASS))

    def _keep(self, name: str, said: Said) -> None:
        """Keep the most serious of what is said of a requirement: the first where two are equally serious."""
        before = self.found.get(name)
        if before is None or _weight(said) < _weight(before):
            self.found[name] = said


def _weight(said: Said) -> tuple[int, int]:
    """Return the rank of something said in the order of severity."""
    classes = list(CauseClass)
    return list(Verdict).index(said.verdict), classes.index(said.cause_class) if said.cause_class else len(classes)
