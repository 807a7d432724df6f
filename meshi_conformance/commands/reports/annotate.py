"""Tell a CI job on GitHub what a report says: an annotation for each failure, and outputs for later steps.

REPORT is a report folder or its results.json. With --output FILE (a job's $GITHUB_OUTPUT) it writes outcome, exit-code,
report, and the number of documented requirements by verdict: pass, fail, inconclusive, not-run, waived; and deviations.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...report.runs import comparison
from ...report.text import one_line
from ...vocabulary import Level, Verdict

MOST = 10
"""Annotations of a kind that GitHub shows of one step."""

LONGEST = 500


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("report", metavar="REPORT", type=Path, help="a report folder or its results.json")
    parser.add_argument("--output", metavar="FILE", type=Path, help="where to append the outputs, as $GITHUB_OUTPUT")


def run(options: argparse.Namespace) -> int:
    """Print the annotations and write the outputs. Raise UsageError for anything but a report."""
    document = comparison.load(options.report)
    # Output in CI is kept free of commands, and these are meant to be some.
    stream = getattr(sys.stdout, "stream", sys.stdout)
    for line in commands_of(document):
        print(line, file=stream)
    if options.output is not None:
        try:
            with options.output.open("a", encoding="utf-8") as file:
                file.writelines(f"{name}={value}\n" for name, value in outputs(document, options.report).items())
        except OSError as problem:
            raise UsageError(f"{options.output} cannot be written: {problem.strerror}.") from None
    return 0


def commands_of(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the workflow commands: errors for documented failures, warnings for deviations, the gate's reasons."""
    for level, kind in ((Level.DOCUMENTED, "error"), (Level.IMPLIED, "warning")):
        rows = [one for one in document["requirements"] if one["level"] == level and one["verdict"] == Verdict.FAIL]
        for row in rows[:MOST]:
            yield _command(kind, row["id"], f"{row['statement']} {row['reason']} ({row['source']})")
        if len(rows) > MOST:
            yield _command(kind, "more", f"{len(rows) - MOST} further requirements fail: see the report.")
    for reason in document["gate"]["reasons"][:MOST]:
        yield _command("error", f"exit {document['gate']['exit_code']}", reason)


def outputs(document: Mapping[str, Any], report: Path) -> dict[str, str]:
    """Return the outputs by name, each one line."""
    documented = document["counts"][Level.DOCUMENTED]
    return {
        "outcome": one_line(document["outcome"]),
        "exit-code": str(document["gate"]["exit_code"]),
        "report": one_line(str(report)),
        **{verdict.replace("_", "-"): str(documented[verdict]) for verdict in Verdict},
        "deviations": str(document["counts"][Level.IMPLIED][Verdict.FAIL]),
    }


def _command(kind: str, title: str, text: str) -> str:
    """Write a command of a workflow, with what a server said escaped, so that it ends where it is meant to."""
    data = one_line(text, LONGEST).replace("%", "%25")
    name = one_line(title, 100).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={name}::{data}"
