"""Starts pytest on the suite's tests, wherever they are installed and whatever the current folder is."""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest

from ...contract.contract import root
from ...errors import UsageError


def pytest_main(arguments: Sequence[str], plugins: Sequence[object] = ()) -> int:
    """Run pytest with the suite's own configuration and options; returns its exit code."""
    own = ["-c", str(root() / "pyproject.toml"), "-p", "meshi_conformance.plugin.start.anywhere"]
    return int(pytest.main([*own, *arguments], list(plugins)))


class _Collected:
    """Keeps what pytest collected."""

    def __init__(self) -> None:
        self.tests: dict[str, list[str]] = defaultdict(list)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            for mark in item.iter_markers("requirement"):
                for name in mark.args:
                    if item.nodeid not in self.tests[name]:
                        self.tests[name].append(item.nodeid)


def tests_by_requirement() -> dict[str, list[str]]:
    """Return the tests that cite each requirement, in the order of the files, without running one."""
    collected = _Collected()
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = pytest_main(["--collect-only", "-q"], [collected])
    if code:
        said: list[Any] = output.getvalue().strip().splitlines()
        raise UsageError(f"The tests could not be collected: {' '.join(said[-3:])[:600]}")
    return dict(collected.tests)
