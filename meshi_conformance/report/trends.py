"""Many runs on one page that works offline: verdicts, outcome and latency over time.

There is no script on the page, and its content security policy lets nothing load or run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..errors import UsageError
from ..vocabulary import Level, Outcome, Verdict
from . import comparison as history
from .comparison import Document
from .page_assets import asset, environment, source

STACKED = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_RUN, Verdict.WAIVED)
"""The verdicts of a column from top to bottom."""

COLUMN, GAP = 10, 2
"""Width of a run's column and the gap after it, in units of the chart."""


def collect(folder: Path) -> tuple[list[Document], list[str]]:
    """Collect every results.json below a folder, the oldest run first, and what was refused with the reason.

    Raise UsageError where the folder holds none that can be read.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder. Give one that holds the reports of several runs.")
    found: list[Document] = []
    refused: list[str] = []
    for file in sorted(folder.rglob("results*.json")):
        try:
            found.append(history.load(file))
        except UsageError as problem:
            refused.append(str(problem))
    if not found:
        reasons = f" {' '.join(refused[:3])}" if refused else ""
        raise UsageError(f"{folder} holds no results.json that can be read.{reasons}")
    return sorted(found, key=lambda one: str(one["started_at"])), refused


def view(documents: Sequence[Document]) -> list[dict[str, Any]]:
    """Prepare what page and text show, a target at a time: runs, charts and latency."""
    by_base: dict[str, list[Document]] = {}
    for document in documents:
        by_base.setdefault(history.target_of(document), []).append(document)
    return [
        {
            "base": base,
            "runs": [{**_run(one), "x": number * (COLUMN + GAP)} for number, one in enumerate(group)],
            "width": max(len(group), 8) * (COLUMN + GAP) - GAP,
            "charts": [_chart(group, level) for level in Level],
            "latency": _latency(group),
        }
        for base, group in by_base.items()
    ]


def _run(document: Document) -> dict[str, Any]:
    return {
        "started": document["started_at"].replace("T", " ").removesuffix("Z"),
        "outcome": document["outcome"],
        "suite": document["suite"]["version"],
        "documented": document["counts"]["documented"],
        "deviations": document["counts"]["implied"][Verdict.FAIL],
        "exchanges": document["exchanges"]["count"],
        "seconds": f"{document['duration_seconds']:.0f}",
    }


def _chart(documents: Sequence[Document], level: str) -> dict[str, Any]:
    """Prepare a column for each run of what does not pass, stacked; the tallest has the height 100.

    Passes are left out: hundreds of them would leave no height for the few failures that matter.
    """
    tallest = max(sum(one["counts"][level][verdict] for verdict in STACKED) for one in documents)
    bars = []
    for number, document in enumerate(documents):
        counts = document["counts"][level]
        top = 100.0
        for verdict in reversed(STACKED):
            height = 100.0 * counts[verdict] / max(tallest, 1)
            top -= height
            if height:
                bars.append(
                    {
                        "verdict": verdict,
                        "x": number * (COLUMN + GAP),
                        "y": f"{top:.2f}",
                        "height": f"{height:.2f}",
                        "title": f"{document['started_at']}: {counts[verdict]} {verdict.replace('_', ' ')}",
                    }
                )
    last = documents[-1]["counts"][level]
    said = ", ".join(f"{last[verdict]} {verdict.replace('_', ' ')}" for verdict in STACKED)
    return {
        "title": f"{level.capitalize()} requirements that do not pass",
        "label": f"{level} requirements that do not pass in {len(documents)} runs; in the last one: {said}",
        "tallest": tallest,
        "bars": bars,
    }


def _latency(documents: Sequence[Document]) -> list[dict[str, Any]]:
    """Prepare a line for each operation that was called; runs that did not call it leave it out."""
    rows = []
    for name in documents[-1]["exchanges"]["by_operation"]:
        values = [
            (number, one["exchanges"]["by_operation"][name]["milliseconds"]["p95"])
            for number, one in enumerate(documents)
            if one["exchanges"]["by_operation"].get(name, {}).get("milliseconds")
        ]
        if not values:
            continue
        numbers = [value for _, value in values]
        step, most = 200 / max(len(documents) - 1, 1), max(numbers) or 1
        points = [(f"{number * step:.1f}", f"{28 - 26 * value / most:.1f}") for number, value in values]
        rows.append(
            {
                "operation": name,
                "points": points,
                "numbers": (numbers[0], numbers[-1], min(numbers), max(numbers)),
            }
        )
    return rows


def page(targets: Sequence[dict[str, Any]], refused: Sequence[str]) -> str:
    """Write the page as HTML text."""
    style = asset("trend.css")
    return (
        environment()
        .get_template("trend.html.j2")
        .render(
            policy=f"default-src 'none'; style-src {source(style)}; base-uri 'none'; form-action 'none'",
            style=Markup(style),
            verdicts=STACKED,
            counted=(Verdict.PASS, *STACKED),
            outcomes=Outcome,
            column=COLUMN,
            targets=targets,
            refused=refused,
        )
    )
