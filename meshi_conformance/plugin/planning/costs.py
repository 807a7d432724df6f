"""What the tests and the parts of the shared data cost, as measured: requests and created rows.

`make costs` measures them anew against the reference server and writes `costs.json`. A self-test says when they no
longer fit.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "costs.json"


@dataclass(frozen=True)
class Cost:
    """What a test, or the set-up of a part, sends by itself; `parts` are those of the shared data that it reads.

    A `generated` test sends as much as the profile says.
    """

    requests: int = 0
    created: int = 0
    parts: tuple[str, ...] = ()
    generated: bool = False

    def as_data(self) -> dict[str, Any]:
        """Return a JSON-able form without what is not there."""
        return {name: value for name, value in vars(self).items() if value}


UNKNOWN = Cost(requests=3, created=1)
"""What a test costs that was not measured: about the average of those that were."""


@dataclass(frozen=True)
class Costs:
    """The measured costs: of each test by its node ID, of each part by its name."""

    tests: Mapping[str, Cost]
    parts: Mapping[str, Cost]

    def of(self, test: str) -> Cost:
        """Return what a test costs by itself."""
        return self.tests.get(test, UNKNOWN)

    def with_parts(self, names: Iterable[str]) -> frozenset[str]:
        """Return these parts with all those that they read in turn."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self.parts.get(name, Cost()).parts
        return frozenset(found)

    def total(self, tests: Collection[str], generated: float = 1.0, parts: Iterable[str] = ()) -> tuple[int, int]:
        """Return the requests and the created rows of these tests with all that they read.

        `generated` is how much is generated, as a multiple of the default profile; `parts` are built in any case.
        """
        own = [self.of(one) for one in tests]
        read = self.with_parts([*parts, *(name for one in own if generated or not one.generated for name in one.parts)])
        shared = [self.parts.get(name, Cost()) for name in read]
        requests, created = (
            sum(getattr(one, what) * (generated if one.generated else 1) for one in own)
            + sum(getattr(one, what) for one in shared)
            for what in ("requests", "created")
        )
        return round(requests), round(created)


@cache
def load() -> Costs:
    """Return the costs as they were last measured."""
    table = json.loads(FILE.read_text(encoding="utf-8"))
    return Costs(*({name: _cost(row) for name, row in table[kind].items()} for kind in ("tests", "parts")))


def _cost(row: Mapping[str, Any]) -> Cost:
    return Cost(**{**row, "parts": tuple(row.get("parts", ()))})


def write(costs: Costs) -> None:
    """Write the costs, one row a line, so that a change shows which."""
    tables = {kind: getattr(costs, kind) for kind in ("parts", "tests")}
    text = ",\n".join(
        f' "{kind}": {{\n'
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(one.as_data())}" for name, one in sorted(rows.items()))
        + "\n }"
        for kind, rows in tables.items()
    )
    FILE.write_text(f"{{\n{text}\n}}\n", encoding="utf-8")
