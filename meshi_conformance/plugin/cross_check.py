"""The last check: what pytest counted against what was judged. Any disagreement makes a run invalid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..vocabulary import Verdict
from .judging import verdict_of

NAMED = 3
"""Tests that a problem names."""


class Count:
    """Counts tests as their reports come, beside pytest and the judgements."""

    def __init__(self) -> None:
        self._judged: set[str] = set()
        self._failed: set[str] = set()
        self._failures = 0
        self._charged: set[str] = set()
        self._unheard: set[str] = set()

    def take(self, report: pytest.TestReport, judged: dict[str, Any] | None) -> None:
        """Count a report, with what it says of requirements, if it does."""
        if judged is not None:
            self._judged.add(report.nodeid)
            if verdict_of(judged) == Verdict.FAIL:
                self._charged.add(report.nodeid)
            elif report.failed and not judged["error"]:
                self._unheard.add(report.nodeid)
        elif report.failed:
            self._unheard.add(report.nodeid)
        if report.failed:
            self._failures += 1
            self._failed.add(report.nodeid)

    def problems(self, collected: int, failed: int) -> Iterator[str]:
        """Yield where the numbers disagree; `collected` and `failed` are pytest's own."""
        if collected > len(self._judged):
            yield (
                f"pytest collected {collected} tests and {len(self._judged)} of them were judged: the others never "
                "ended, or another plugin kept them from being heard."
            )
        if self._unheard:
            yield f"These tests failed without a judgement that fails: {_some(self._unheard)}."
        silent = self._charged - self._failed
        if silent:
            yield f"These tests were judged to fail and pytest was told otherwise: {_some(silent)}."
        if failed != self._failures:
            yield f"pytest counts {failed} failed tests, and {self._failures} reports of failures were heard."


def _some(names: set[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - NAMED} more" if len(ordered) > NAMED else ""
    return ", ".join(ordered[:NAMED])[:300] + more
