"""How many requests a run will make and how many rows it will create, before it makes the first one.

The numbers are measured: `python -m meshi_conformance.plugin.start.estimates REPORT_DIR` takes them from the report of
a run over everything against the reference. A self-test says when they no longer fit.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...contract.contract import Contract
from ...exchanges.spool import OUTSIDE_TESTS, Spool

FILE = Path(__file__).parent / "estimates.json"

LARGE_WRITE = 10_000
"""Rows of one write from which on it belongs to the very large requests, wherever it was sent."""


def group(family: str, needs: Iterable[str]) -> str:
    """Return what a requirement is counted with: its family; the very large ones are counted apart, as unusual."""
    return "large" if "large" in needs else family


def expected(contract: Contract, names: Iterable[str]) -> tuple[int, int]:
    """Return the requests made and the rows created when these requirements are judged, rounded up to tens."""
    table = json.loads(FILE.read_text(encoding="utf-8"))
    families = table["families"]
    chosen = Counter(group(contract.requirements[name].family, contract.requirements[name].needs) for name in names)
    sums = []
    for what in ("requests", "created"):
        whole = sum(one[what] for one in families.values()) / sum(one["requirements"] for one in families.values())
        found = sum(
            number * (families[family][what] / families[family]["requirements"] if family in families else whole)
            for family, number in chosen.items()
        )
        sums.append(found + table["set_up"][what] if chosen else 0)
    requests, created = (int(-(-one // 10) * 10) for one in sums)
    return requests, created


def measured(document: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the table that a run over everything gives: what each family of requirements costs, and the set-up."""
    requests: Counter[str] = Counter()
    created: Counter[str] = Counter()
    large = 0  # prepared beside the first tests, so no test is named beside these rows
    for event in events:
        if event["type"] == "exchange":
            requests[event["test"]] += 1
        elif event["type"] == "created" and event["count"] >= LARGE_WRITE:
            large += event["count"]
        elif event["type"] == "created":
            created[event["test"]] += event["count"]
    groups = {one["id"]: group(one["family"], one["needs"]) for one in document["requirements"]}
    judged = Counter(groups[one["id"]] for one in document["requirements"] if one["tests"])
    families: dict[str, dict[str, float]] = defaultdict(lambda: {"requests": 0.0, "created": 0.0})
    for test in document["tests"]:
        cited = Counter(groups[name] for name in test["requirements"])
        if "large" in cited:
            cited = Counter({"large": 1})
        for family, number in cited.items():
            share = number / sum(cited.values())
            families[family]["requests"] += share * requests[test["nodeid"]]
            families[family]["created"] += share * created[test["nodeid"]]
    families["large"]["created"] += large
    return {
        "set_up": {"requests": requests[OUTSIDE_TESTS], "created": created[OUTSIDE_TESTS]},
        "families": {
            family: {"requirements": judged[family], **{what: round(value, 1) for what, value in cost.items()}}
            for family, cost in sorted(families.items())
            if judged[family]
        },
    }


def main(arguments: list[str]) -> int:
    """Write the table anew from the report of a run."""
    folder = Path(arguments[0])
    document = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    table = measured(document, Spool(folder / "spool"))
    FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
