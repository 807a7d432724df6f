"""Several runs, of several targets or builds, side by side on one page that works offline: requirement by run.

There is no script on the page, and its content security policy lets nothing load or run.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...vocabulary import Level, Verdict
from ..page.page_assets import scriptless_page
from ..text import gist
from .comparison import Document
from .trends import SIGNS


def view(runs: Sequence[tuple[str, Path, Document]], page: Path, *, everything: bool = False) -> dict[str, Any]:
    """Return what the page shows: a column for each run, and a row for each requirement on which the runs differ.

    `runs` are names, files and documents, in the order of the columns. With `everything` the rows that are equal in
    all runs are there too. Links to reports are relative to `page`.
    """
    columns = [_column(name, file, document, page) for name, file, document in runs]
    by_run = [{row["id"]: row for row in document["requirements"]} for _, _, document in runs]
    known: dict[str, dict[str, Any]] = {}
    for of_run in by_run:
        for name, row in of_run.items():
            known.setdefault(name, row)
    rows = []
    for name, row in known.items():
        cells = [_cell(found.get(name), column) for found, column in zip(by_run, columns, strict=True)]
        differs = len({cell["verdict"] for cell in cells}) > 1
        rows.append(
            {"id": name, "level": row["level"], "statement": row["statement"], "cells": cells, "differs": differs}
        )
    shown = [row for row in rows if everything or row["differs"]]
    # Documented requirements first, and of each level those that fail somewhere.
    shown.sort(
        key=lambda row: (row["level"] != Level.DOCUMENTED, all(one["verdict"] != "fail" for one in row["cells"]))
    )
    return {"columns": columns, "rows": shown, "equal": sum(not row["differs"] for row in rows), "all": len(rows)}


def _column(name: str, file: Path, document: Document, page: Path) -> dict[str, Any]:
    report = file.parent / "report.html"
    return {
        "name": name,
        "base": document["target"]["base"],
        "outcome": document["outcome"],
        "started": document["started_at"].replace("T", " ").removesuffix("Z"),
        "suite": document["suite"]["version"],
        "counts": {level: document["counts"][level] for level in Level},
        "report": quote(os.path.relpath(report.resolve(), page.resolve().parent)) if report.is_file() else None,
    }


def _cell(row: dict[str, Any] | None, column: dict[str, Any]) -> dict[str, Any]:
    verdict = Verdict(row["verdict"]) if row else None
    said = gist(row["reason"])[:300] if row and row["reason"] else ""
    words = (verdict or "unknown to this run").replace("_", " ")
    return {
        "verdict": verdict or "none",
        "sign": SIGNS[verdict],
        "title": f"{column['name']}: {words}{': ' if said else ''}{said}",
        "report": f"{column['report']}#req-{quote(row['id'])}" if row and column["report"] else None,
    }


def page(shown: dict[str, Any]) -> str:
    """Return the page as HTML text."""
    return scriptless_page(
        "side_by_side.html.j2",
        verdicts=(Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_RUN, Verdict.WAIVED),
        signs=SIGNS,
        levels=tuple(Level),
        **shown,
    )
