"""What the collected tests will send, told before the first is run, and the order in which workers take them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ...generation.budget import PROFILES, Plan
from ...target.target import Target
from ...verdicts.verdicts import LEFT_OUT
from .choice import Budget, Choice
from .costs import Costs

FILE = "plan.json"
"""In the folder that the processes of a run share: what the first of them to collect the tests found."""


@dataclass(frozen=True)
class Expected:
    """How many requests a run will make, and how many rows it will create.

    `left_out` are the requirements that a budget does not reach, and `why` says so.
    """

    requests: int
    created: int
    tests: int = 0
    left_out: list[str] = field(default_factory=list)
    why: str = ""

    def write(self, folder: Path) -> None:
        """Leave it where the controlling process reads it; all processes come to the same."""
        with suppress(OSError):  # a full disk costs the announcement, not the run
            (folder / FILE).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Expected | None:
        """Return what a process has left; None where it could not."""
        try:
            return cls(**json.loads((folder / FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None


def generated_share(plan: Plan) -> float:
    """Return how much a plan generates, as a multiple of the default profile's requests."""
    return plan.profile.requests / PROFILES["quick"].requests


def expected(costs: Costs, tests: Collection[str], plan: Plan, ahead: Collection[str] = ()) -> Expected:
    """Return what these tests will send with all that they read; `ahead` are the parts that are built in any case."""
    requests, created = costs.total(tests, generated_share(plan), ahead)
    return Expected(requests, created, len(tests))


def left_out_for(budget: Budget, chosen: Choice, twice: Choice, whole: Choice) -> str:
    """Return why requirements are left out, and what a larger budget would buy."""
    gained = len(twice.judged) - len(chosen.judged)
    return (
        f"{LEFT_OUT}{budget.said}: twice as much judges {gained} of them, and about {rounded(round(whole.requests))} "
        f"requests with {rounded(round(whole.created))} created rows judge all"
    )


def told(found: Expected | None, target: Target) -> list[str]:
    """Return what people are told of it."""
    if found is None or not found.tests:
        return []
    requests = rounded(found.requests)
    lines = [f"expected  about {requests} requests and {rounded(found.created)} created rows (nothing can be deleted)"]
    if target.read_only:
        lines = [f"expected  at most {requests} requests; read only: no write is sent"]
    return lines + ([f"budget    {len(found.left_out)} requirements are {found.why}"] if found.left_out else [])


def rounded(number: int) -> int:
    """Return a number as it is told: two digits of it."""
    return round(number, min(0, 2 - len(str(number))))


def spread(tests: Sequence[str], costs: Costs, workers: int) -> list[int]:
    """Return the order in which workers that take two tests at a time end soonest, as places in `tests`.

    The longest are begun first, each by a worker of its own, with one of the shortest behind it.
    """
    ordered = sorted(range(len(tests)), key=lambda place: (-costs.of(tests[place]).requests, tests[place]))
    if len(ordered) < 2 * workers:
        return ordered
    first, rest = ordered[:workers], ordered[workers:]
    last = [rest.pop() for _ in first]
    return [place for pair in zip(first, last, strict=True) for place in pair] + rest
