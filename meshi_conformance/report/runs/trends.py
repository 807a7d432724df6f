"""Many runs on one page that works offline: verdicts, outcome and latency over time.

There is no script on the page, and its content security policy lets nothing load or run.
"""

from __future__ import annotations

import fnmatch
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...errors import UsageError
from ...vocabulary import Level, Outcome, Verdict
from ..page.page_assets import scriptless_page
from . import comparison as history
from .comparison import Document

STACKED = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_RUN, Verdict.WAIVED)
"""The verdicts of a column from top to bottom."""

SIGNS = {
    Verdict.FAIL: "F",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_RUN: "–",
    Verdict.WAIVED: "W",
    Verdict.PASS: "✓",
    None: "",
}
"""What a cell of a requirement's history says; nothing where a run did not know the requirement."""

HISTORIES, NIGHTS = 200, 60
"""How many requirements, and how many runs of each, the page holds."""

COLUMN, GAP = 10, 2
"""Width of a run's column and the gap after it, in units of the chart."""


FILE = "file"
"""The member that says which file a document was read from; no file holds it."""


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
            found.append({**history.load(file), FILE: file})
        except UsageError as problem:
            refused.append(str(problem))
    if not found:
        reasons = f" {' '.join(refused[:3])}" if refused else ""
        raise UsageError(f"{folder} holds no results.json that can be read.{reasons}")
    return sorted(found, key=lambda one: str(one["started_at"])), refused


def view(documents: Sequence[Document], page: Path, patterns: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Prepare what page and text show, a target at a time: runs, charts, histories of requirements, latency.

    Links to reports are relative to `page`. `patterns` choose the requirements whose histories are told; without
    any, those are told that did not pass in every run.
    """
    by_base: dict[str, list[Document]] = {}
    for document in documents:
        by_base.setdefault(history.target_of(document), []).append(document)
    return [
        {
            "base": base,
            "runs": [{**_run(one, page), "x": number * (COLUMN + GAP)} for number, one in enumerate(group)],
            "width": max(len(group), 8) * (COLUMN + GAP) - GAP,
            "charts": [_chart(group, level) for level in Level],
            "histories": _histories(group, page, patterns),
            "latency": _latency(group),
        }
        for base, group in by_base.items()
    ]


def _report(document: Document, page: Path) -> str | None:
    """Return the address of a run's report.html, relative to the page; None where it is not there."""
    file = document.get(FILE)
    report = file.parent / "report.html" if file else None
    if report is None or not report.is_file():
        return None
    return quote(os.path.relpath(report.resolve(), page.resolve().parent))


def _histories(documents: Sequence[Document], page: Path, patterns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the verdicts of each chosen requirement over the last runs; those that changed last come first."""
    shown = documents[-NIGHTS:]
    reports = [_report(one, page) for one in shown]
    rows: dict[str, dict[str, Any]] = {}
    verdicts: list[dict[str, Any]] = []
    for document in shown:
        by_id = {row["id"]: row for row in document["requirements"]}
        rows.update(by_id)
        # An invalid run proves nothing: what it left unjudged says nothing of a requirement.
        verdicts.append(
            {} if document["outcome"] == Outcome.INVALID else {name: by_id[name]["verdict"] for name in by_id}
        )
    found = []
    for name, row in rows.items():
        line = [of_run.get(name) for of_run in verdicts]
        told = any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        if not (told if patterns else {Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.WAIVED} & set(line)):
            continue
        known = [number for number, verdict in enumerate(line) if verdict]
        changes = [after for before, after in itertools.pairwise(known) if line[before] != line[after]]
        cells = [
            {
                "verdict": verdict or "none",
                "sign": SIGNS[Verdict(verdict) if verdict else None],
                "title": f"{document['started_at']}: {(verdict or 'no verdict').replace('_', ' ')}",
                "report": f"{report}#req-{quote(name)}" if report else None,
            }
            for verdict, document, report in zip(line, shown, reports, strict=True)
        ]
        found.append({"id": name, "level": row["level"], "cells": cells, "changed": changes[-1] if changes else -1})
    found.sort(key=lambda one: -one["changed"])
    return found


def _run(document: Document, page: Path) -> dict[str, Any]:
    return {
        "report": _report(document, page),
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

    Passes are left out: hundreds of them would leave no height for the few failures that matter. So are the counts
    of an invalid run, which judged nothing: it has a column of its own that says so.
    """
    valid = [one for one in documents if one["outcome"] != Outcome.INVALID]
    tallest = max((sum(one["counts"][level][verdict] for verdict in STACKED) for one in valid), default=0)
    bars = []
    for number, document in enumerate(documents):
        if document["outcome"] == Outcome.INVALID:
            title = f"{document['started_at']}: invalid, nothing is judged by it"
            x = number * (COLUMN + GAP)
            bars.append({"verdict": "invalid-run", "x": x, "y": "0", "height": "100", "title": title})
            continue
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
    return scriptless_page(
        "trend.html.j2",
        verdicts=STACKED,
        counted=(Verdict.PASS, *STACKED),
        outcomes=Outcome,
        signs=SIGNS,
        most=HISTORIES,
        column=COLUMN,
        targets=targets,
        refused=refused,
    )
