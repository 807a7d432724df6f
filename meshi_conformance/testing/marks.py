"""How a test says what it judges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ..errors import Inconclusive

requirement = pytest.mark.requirement
"""`@requirement("events.create.conflict")`: the IDs that a test judges."""


class Judge:
    """Judges several requirements in one test that shares costly state: `with judge("error.mergeReview.X"):`.

    A failed assertion inside is charged to that requirement alone and the test goes on. A requirement that
    the test cites and never reaches is inconclusive.
    """

    def __init__(self) -> None:
        self.found: dict[str, tuple[str, str, str]] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        try:
            yield
        except AssertionError as problem:
            self.found[name] = ("fail", str(problem)[:2000] or "the assertion does not hold", "")
        except Inconclusive as problem:
            self._keep(name, (problem.verdict, str(problem), problem.cause))
        else:
            self._keep(name, ("pass", "", ""))

    def _keep(self, name: str, entry: tuple[str, str, str]) -> None:
        """A requirement judged several times keeps its worst verdict."""
        order = ("pass", "not_run", "inconclusive", "fail")
        before = self.found.get(name)
        if before is None or order.index(entry[0]) > order.index(before[0]):
            self.found[name] = entry
