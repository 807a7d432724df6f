"""Draw verdicts, outcome and latency of many runs as one page that works offline, and print them as a table.

DIR holds the reports: every results.json below it is read. A file that is not a result is left out and named.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..report import trends
from ..report.text import one_line
from ..vocabulary import Verdict


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="the folder that holds the reports")
    parser.add_argument("--output", metavar="FILE", type=Path, help="the page to write (default: DIR/trend.html)")


def run(options: argparse.Namespace) -> int:
    """Write the page and print the table."""
    documents, refused = trends.collect(options.folder)
    targets = trends.view(documents)
    output = options.output or options.folder / "trend.html"
    try:
        output.write_text(trends.page(targets, refused), encoding="utf-8")
    except OSError as problem:
        raise UsageError(f"The page cannot be written to {output}: {problem.strerror}.") from None
    print("\n".join(as_text(targets)))
    for reason in refused:
        print(f"left out: {one_line(reason)}", file=sys.stderr)
    print(f"page: {output}")
    return 0


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
