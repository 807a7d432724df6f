"""Faults that depend on order, on rare values or on overlap are found, each with the budget that stands beside it.

That the scripted tests find none of them was measured with the whole suite and `--profile none`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from meshi_conformance.generation.campaign import Runner
from meshi_conformance.generation.histories import Histories
from meshi_conformance.generation.machine import explore, script

from .bench import RUN, Bench, bench, plan
from .faults import HIDDEN


def by_model(requests: int) -> Callable[[Bench, int], list[str]]:
    """What the model finds with so many requests."""

    def search(tools: Bench, seed: int) -> list[str]:
        found = explore(tools.api, tools.given, tools.calls, tools.contract, plan(seed, model=requests))
        return [one.requirement for one in found.findings]

    return search


def by_calls(operation: str, requests: int, examples: int = 10) -> Callable[[Bench, int], list[str]]:
    """What made-up calls to one operation find."""

    def search(tools: Bench, seed: int) -> list[str]:
        chosen = plan(seed, calls=requests, examples=examples)
        runner = Runner(operation, tools.api, tools.given, tools.world, tools.calls, tools.contract, chosen)
        return [one.requirement for one in runner.run().findings]

    return search


def by_histories(requests: int) -> Callable[[Bench, int], list[str]]:
    """What overlapping calls find."""

    def search(tools: Bench, seed: int) -> list[str]:
        histories = Histories(tools.api, tools.given, plan(seed, histories=requests))
        histories.run()
        return [one.requirement for one in histories.illegal]

    return search


SEARCHES = {
    "context-after-a-refusal": by_model(2000),
    "session-after-a-match-run": by_model(4000),
    "key-worn-out": by_model(4000),
    "rows-after-an-enrichment": by_model(9000),
    "leading-zero": by_model(2000),
    "one-time-zone": by_model(2000),
    "page-of-ninety-nine": by_calls("listSessions", 60),
    "crowded-raw-data": by_calls("importAttendees", 600, examples=150),
    "top-n-of-forty-nine": by_calls("createMatchRun", 100),
    "lost-update": by_histories(300),
    "key-in-two-events": by_histories(300),
    "shared-read": by_histories(300),
}
"""What finds a fault, with the largest number of requests that it was given."""

SEEDS = (1, 2, 3)
"""The budget of a few runs: each draws other calls."""


def test_every_hidden_fault_has_a_search() -> None:
    assert set(SEARCHES) == set(HIDDEN)
    assert len(HIDDEN) >= 10


@pytest.mark.parametrize("name", list(HIDDEN))
def test_a_hidden_fault_is_found(name: str) -> None:
    fault = HIDDEN[name]
    seen: list[str] = []
    for seed in SEEDS:
        with bench(fault) as tools:
            seen = SEARCHES[name](tools, seed)
        if any(fnmatchcase(one, pattern) for one in seen for pattern in fault.breaks):
            return
    pytest.fail(f"{fault.sentence} Found was only {seen}.")


def test_a_walk_is_told_as_a_script_that_repeats_it(tmp_path: Path) -> None:
    with bench(HIDDEN["one-time-zone"]) as tools:
        found = explore(tools.api, tools.given, tools.calls, tools.contract, plan(1, model=3000)).findings
        assert found
        assert len(found[0].steps) <= 3, "the walk was not shortened"
        file = tmp_path / "walk.py"
        file.write_text(script(found[0], RUN, tools.contract), encoding="utf-8")
        environment = {**os.environ, **tools.env}
        ran = subprocess.run([sys.executable, file], env=environment, capture_output=True, text=True, check=True)
    assert '"timezone":"EAT"' in ran.stdout
