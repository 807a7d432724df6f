"""What finds each hidden fault: the kind of generated test and the largest number of requests that it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from meshi_conformance.generation.campaign import Runner
from meshi_conformance.generation.concurrency import Histories
from meshi_conformance.generation.state_machine import explore

from .bench import Bench, bench, plan
from .faults import HIDDEN


@dataclass(frozen=True)
class Search:
    """A way to look for a fault: what it is called in the documentation, its budget, and what it finds."""

    what: str
    requests: int
    run: Callable[[Bench, int], list[str]]


def by_model(requests: int) -> Search:
    """What the model finds with so many requests."""

    def run(tools: Bench, seed: int) -> list[str]:
        found = explore(tools.api, tools.given, tools.calls, tools.contract, plan(seed, model=requests))
        return [one.requirement for one in found.findings]

    return Search("model", requests, run)


def by_calls(operation: str, requests: int, examples: int = 10) -> Search:
    """What made-up calls to one operation find."""

    def run(tools: Bench, seed: int) -> list[str]:
        chosen = plan(seed, calls=requests, examples=examples)
        runner = Runner(operation, tools.api, tools.given, tools.world, tools.calls, tools.contract, chosen)
        return [one.requirement for one in runner.run().findings]

    return Search(f"calls to {operation}", requests, run)


def by_histories(requests: int) -> Search:
    """What overlapping calls find."""

    def run(tools: Bench, seed: int) -> list[str]:
        histories = Histories(tools.api, tools.given, plan(seed, histories=requests))
        histories.run()
        return [one.requirement for one in histories.illegal]

    return Search("histories", requests, run)


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
"""Search by hidden fault."""

SEEDS = (1, 2, 3)
"""The budget of a few runs: each draws other calls."""


def seeds_until_found(name: str) -> tuple[int | None, list[str]]:
    """With which seed a hidden fault was found, the first, second or third, or None; and what was found last."""
    seen: list[str] = []
    for number, seed in enumerate(SEEDS, 1):
        with bench(HIDDEN[name]) as tools:
            seen = SEARCHES[name].run(tools, seed)
        if any(fnmatchcase(one, pattern) for one in seen for pattern in HIDDEN[name].breaks):
            return number, seen
    return None, seen
