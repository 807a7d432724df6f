"""Draw verdicts, outcome and latency of many runs as one page that works offline, and print them as a table.

DIR holds the reports: every results.json below it is read. A file that is not a result is left out and named.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...report.runs import trends
from ...report.text import one_line
from ...vocabulary import Verdict


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="the folder that holds the reports")
    parser.add_argument(
        "--requirements",
        metavar="PATTERN",
        action="append",
        default=[],
        help="tell the history of these requirements, e.g. 'runs.*' (default: those that did not always pass)",
    )
    parser.add_argument("--output", metavar="FILE", type=Path, help="the page to write (default: DIR/trend.html)")


def run(options: argparse.Namespace) -> int:
    """Write the page and print the table."""
    documents, refused = trends.collect(options.folder)
    output = options.output or options.folder / "trend.html"
    targets = trends.view(documents, output, options.requirements)
    for pattern in options.requirements:
        if not any(fnmatch.fnmatchcase(row["id"], pattern) for target in targets for row in target["histories"]):
            raise UsageError(f"--requirements {pattern!r} fits no requirement of these runs.")
    try:
        output.write_text(trends.page(targets, refused), encoding="utf-8")
    except OSError as problem:
        raise UsageError(f"The page cannot be written to {output}: {problem.strerror}.") from None
    print("\n".join([*as_text(targets), *(histories(targets) if options.requirements else ())]))
    for reason in refused:
        print(f"left out: {one_line(reason)}", file=sys.stderr)
    print(f"page: {output}")
    return 0


def histories(targets: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the verdicts of each requirement that was asked for, the oldest run first."""
    for target in targets:
        yield one_line(target["base"])
        for row in target["histories"]:
            yield f"{''.join(cell['sign'] or '.' for cell in row['cells'])}  {row['id']} ({row['level']})"
    said = ", ".join(f"{sign} {verdict.replace('_', ' ')}" for verdict, sign in trends.SIGNS.items() if verdict)
    yield f"{said}, . no verdict"


COLUMNS = "{:<20} {:<14} {:>5} {:>5} {:>13} {:>8} {:>7} {:>11}"


def as_text(targets: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Show the runs of each target as a table, the oldest first."""
    for target in targets:
        yield one_line(target["base"])
        yield COLUMNS.format("started", "outcome", "pass", "fail", "inconclusive", "not run", "waived", "deviations")
        for run in target["runs"]:
            counts = (
                run["documented"][verdict]
                for verdict in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_RUN, Verdict.WAIVED)
            )
            yield COLUMNS.format(one_line(run["started"]), run["outcome"], *counts, run["deviations"])
        yield ""
