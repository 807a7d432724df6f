"""Which tests a budget buys, in which order: most documented requirements for a request, each operation early."""

from __future__ import annotations

import argparse
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...contract.requirements import Requirement
from ...target.target import Target
from ...vocabulary import Level
from .costs import Cost, Costs
from .workers import OWN_SECONDS, cores

WEIGHTS = {Level.DOCUMENTED: 1.0, Level.IMPLIED: 0.25}
"""What the judgement of a requirement is worth."""

FIRST_OF_OPERATION = 2.0
"""What the first judgement of an operation is worth on top."""

PLANNED = 0.95
"""The part of a budget that is planned: polls, retries and other servers cost more or less than was measured."""

AROUND_SECONDS = 4.0
"""What a run takes beside its requests: the start, and the report."""


@dataclass(frozen=True)
class Budget:
    """How many requests a run may make and how many rows it may create; None is no limit. `said` is for people."""

    requests: float | None = None
    created: float | None = None
    said: str = ""

    @property
    def is_limited(self) -> bool:
        """Return whether there is any limit."""
        return self.requests is not None or self.created is not None

    @classmethod
    def of(cls, option: argparse.Namespace, target: Target, answer_seconds: float, workers: int) -> Budget:
        """Return what the options allow; `answer_seconds` is what one answer takes, `workers` the processes."""
        said = [f"--max-requests {option.max_requests}"] if option.max_requests else []
        said += [f"--max-created {option.max_created}"] if option.max_created else []
        said += [f"--time {option.time:g}s"] if option.time else []
        if option.profile == "smoke":
            said.insert(0, "--profile smoke")
        limits = [target.most_requests * PLANNED] if target.most_requests else []
        if option.time:
            each = max((answer_seconds + OWN_SECONDS) / max(1, workers), OWN_SECONDS / cores())
            each = max(each, 1 / target.rate if target.rate else 0.0)
            limits.append(max(0.0, option.time - AROUND_SECONDS) * PLANNED / each)
        created = target.most_created * PLANNED if target.most_created else None
        return cls(min(limits, default=None), created, " and ".join(said))

    def allows(self, requests: float, created: float) -> bool:
        """Return whether so much may be spent."""
        return requests <= (self.requests or math.inf) and created <= (self.created or math.inf)

    def price(self, requests: float, created: float) -> float:
        """Return how much of the budget is spent, so that requests and rows can be added up."""
        if self.requests is not None and self.created is not None:
            return requests / self.requests + created / self.created
        return created if self.created is not None else requests


@dataclass
class Choice:
    """Tests in the order to run them, and what they judge completely; `requests` and `created` are what they cost."""

    tests: dict[str, None] = field(default_factory=dict)
    judged: dict[str, None] = field(default_factory=dict)
    parts: set[str] = field(default_factory=set)
    requests: float = 0.0
    created: float = 0.0


def choose(
    tests: Mapping[str, Collection[str]],
    wanted: Iterable[Requirement],
    costs: Costs,
    budget: Budget,
    generated: float = 1.0,
) -> Choice:
    """Return what the budget buys of these tests, which are given with the IDs that each cites.

    A requirement is judged by all of its tests or not at all: some of them would show a part of it alone. `generated`
    scales what generated tests send.
    """
    own = {one: _scaled(costs.of(one), generated) for one in tests}
    closure = {one: costs.with_parts(own[one].parts) for one in tests}
    readers = Counter(part for parts in closure.values() for part in parts)
    bundles = _bundles(tests, wanted)
    chosen, touched = Choice(), set[str]()

    def added(bundle: frozenset[str]) -> tuple[list[str], set[str]]:
        new = [one for one in bundle if one not in chosen.tests]
        return new, {part for one in new for part in closure[one]} - chosen.parts

    def worth(bundle: frozenset[str]) -> float:
        new, parts = added(bundle)
        shared = [(costs.parts.get(part, Cost()), readers[part]) for part in parts]
        requests = sum(own[one].requests for one in new) + sum(one.requests / number for one, number in shared)
        created = sum(own[one].created for one in new) + sum(one.created / number for one, number in shared)
        gain = sum(WEIGHTS[one.level] for one in bundles[bundle])
        gain += FIRST_OF_OPERATION * len(_operations(bundles[bundle]) - touched)
        return gain / (budget.price(requests, created) + 1e-6)

    while bundles:
        # What is worth most changes with every part that is built, and with every operation that is called.
        for bundle in sorted(bundles, key=lambda one: (-worth(one), sorted(one))):
            requirements = bundles.pop(bundle)
            new, parts = added(bundle)
            spent = [own[one] for one in new] + [costs.parts.get(part, Cost()) for part in parts]
            requests = chosen.requests + sum(one.requests for one in spent)
            created = chosen.created + sum(one.created for one in spent)
            if not budget.allows(requests, created):
                continue
            chosen.tests |= dict.fromkeys(sorted(new))
            chosen.judged |= dict.fromkeys(one.id for one in requirements)
            chosen.requests, chosen.created = requests, created
            if parts or _operations(requirements) - touched:
                chosen.parts |= parts
                touched |= _operations(requirements)
                break
    return chosen


def more(budget: Budget) -> Budget:
    """Return twice the budget."""
    twice = {name: 2 * value for name in ("requests", "created") if (value := getattr(budget, name)) is not None}
    return replace(budget, **twice)


def _scaled(cost: Cost, generated: float) -> Cost:
    if not cost.generated:
        return cost
    return replace(cost, requests=round(cost.requests * generated), created=round(cost.created * generated))


def _bundles(
    tests: Mapping[str, Collection[str]], wanted: Iterable[Requirement]
) -> dict[frozenset[str], list[Requirement]]:
    """Return the requirements by the tests that judge them; those that no test judges here are left out."""
    judging: dict[str, list[str]] = defaultdict(list)
    for test, cited in tests.items():
        for name in cited:
            judging[name].append(test)
    found: dict[frozenset[str], list[Requirement]] = defaultdict(list)
    for one in wanted:
        if one.id in judging:
            found[frozenset(judging[one.id])].append(one)
    return found


def _operations(requirements: Sequence[Requirement]) -> set[str]:
    """Return the operations that these requirements speak of; one that binds many calls only some of them."""
    return {name for one in requirements if len(one.operations) == 1 for name in one.operations}
