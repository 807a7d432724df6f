"""Lay runs of several targets or builds side by side on one page that works offline: requirement by run.

RESULTS are report folders or results.json files; NAME=RESULTS gives a column its name. The exit code is 0, and 4 where
a file is refused: what differs is told, not judged. `diff` judges what became worse between two runs.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from ...errors import UsageError
from ...report.runs import comparison as history
from ...report.runs import side_by_side
from ...report.text import one_line

LISTED = 40
"""Rows that are printed; the page holds all."""


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("runs", metavar="[NAME=]RESULTS", nargs="+", help="two runs or more, one column each")
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        default=Path("side-by-side.html"),
        help="the page to write (default: %(default)s)",
    )
    parser.add_argument("--all", action="store_true", help="list requirements too on which all runs agree")


def run(options: argparse.Namespace) -> int:
    """Write the page, and print where the runs differ."""
    runs = []
    for word in options.runs:
        name, equals, place = word.partition("=")
        path = Path(place if equals else word)
        file = path / "results.json" if path.is_dir() else path
        document = history.load(file)
        runs.append((name if equals else str(document["target"]["name"]), file, document))
    if len(runs) < 2:
        raise UsageError("One run has nothing beside it. Give two report folders or results.json files, or more.")
    subjects = {str(document["subject"]) for _, _, document in runs}
    if len(subjects) > 1:
        raise UsageError("Runs that judge servers and runs that judge clients share no requirement. Compare one kind.")
    number = Counter(name for name, _, _ in runs)
    runs = [
        (name if number[name] == 1 else f"{name} {document['started_at']}", file, document)
        for name, file, document in runs
    ]
    shown = side_by_side.view(runs, options.output, everything=options.all)
    try:
        options.output.write_text(side_by_side.page(shown), encoding="utf-8")
    except OSError as problem:
        raise UsageError(f"The page cannot be written to {options.output}: {problem.strerror}.") from None
    for place, column in enumerate(shown["columns"], 1):
        print(f"{place} {one_line(column['name'])}: {column['outcome']} on {one_line(column['base'])}")
    for row in shown["rows"][:LISTED]:
        print(f"{' '.join(cell['sign'] or '.' for cell in row['cells'])}  {row['id']} ({row['level']})")
    if len(shown["rows"]) > LISTED:
        print(f"... and {len(shown['rows']) - LISTED} more, all on the page")
    print(f"the same in each run: {shown['equal']} of {shown['all']} requirements")
    print(f"page: {options.output}")
    return 0
