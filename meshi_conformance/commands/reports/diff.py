"""Compare two runs: what fails now, what was repaired, what is judged no longer, behaviours, drift and latency.

A and B are report folders or results.json files, the older one first. The exit code is 0 where nothing is
worse, 1 where something is, and 4 where a file is refused.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...report.files.summary import code
from ...report.runs import comparison as history
from ...report.text import one_line
from ...verdicts.gate import EXIT_CONFORMANT, EXIT_NONCONFORMANT

LISTED = 30
"""How many changes of one kind are listed as text; --json has them all."""

KINDS = (
    ("new_failures", "New failures"),
    ("new_deviations", "New deviations"),
    ("vanished", "Vanished requirements"),
    ("newly_unjudged", "No longer judged"),
    ("newly_undecided", "Kept from being judged by the target"),
    ("fixed", "Fixed"),
    ("newly_judged", "Judged for the first time"),
    ("newly_waived", "Newly waived"),
    ("new", "New requirements"),
)
"""The kinds of change, the worse ones first, with their titles."""


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("before", metavar="A", type=Path, help="the older run")
    parser.add_argument("after", metavar="B", type=Path, help="the newer run")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="for a pull request or a job summary")
    form.add_argument("--json", action="store_true", help="everything, for a program")


def run(options: argparse.Namespace) -> int:
    """Print the comparison."""
    found = history.compare(history.load(options.before), history.load(options.after))
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        print("\n".join(as_markdown(found) if options.markdown else as_text(found)))
    return EXIT_NONCONFORMANT if found["worse"] else EXIT_CONFORMANT


def verdict_on(found: Mapping[str, Any]) -> str:
    """Sum up the comparison in one sentence."""
    return f"worse: {'; '.join(found['worse'])}" if found["worse"] else "nothing is worse"


def as_text(found: Mapping[str, Any]) -> Iterator[str]:
    """Write the comparison for a terminal, line by line."""
    yield f"result    {verdict_on(found)}"
    for label, side in (("before", found["before"]), ("after", found["after"])):
        run = f"{side['outcome']} on {side['target']['base']}, {side['started_at']}, suite {side['suite']}"
        yield f"{label:<9} {one_line(run)}"
    for note in found["notes"]:
        yield f"note      {one_line(note)}"
    for name, title in KINDS:
        rows = found[name]
        if rows:
            yield f"\n{title} ({len(rows)})"
            for row in rows[:LISTED]:
                yield f"  {one_line(row['id'])} ({row['level']}): {_verdicts(row)}{_because(row)}"
            if len(rows) > LISTED:
                yield f"  ... and {len(rows) - LISTED} more: --json lists them"
    for title, lines in _tables(found):
        yield f"\n{title} ({len(lines)})"
        yield from (f"  {one_line(line)}" for line in lines)


def as_markdown(found: Mapping[str, Any]) -> Iterator[str]:
    """Write the comparison as Markdown, line by line, with all that a server sent in code spans."""
    yield f"### {'❌' if found['worse'] else '✅'} Compared with the earlier run: {verdict_on(found)}\n"
    yield "| | outcome | target | started | suite |\n|---|---|---|---|---|"
    for label, side in (("before", found["before"]), ("after", found["after"])):
        yield (
            f"| {label} | {side['outcome']} | {_cell(side['target']['base'])} | {_cell(side['started_at'])} "
            f"| {_cell(side['suite'])} |"
        )
    for note in found["notes"]:
        yield f"\nNote: {code(note)}"
    for name, title in KINDS:
        rows = found[name]
        if rows:
            yield f"\n#### {title} ({len(rows)})\n"
            for row in rows[:LISTED]:
                yield f"- {code(row['id'])} ({row['level']}): {_verdicts(row)}"
                if row["reason"]:
                    yield f"  - {code(row['reason'])}"
            if len(rows) > LISTED:
                yield f"- and {len(rows) - LISTED} more"
    for title, lines in _tables(found):
        yield f"\n#### {title} ({len(lines)})\n"
        yield from (f"- {code(line)}" for line in lines)


def _cell(text: str) -> str:
    return code(text).replace("|", "\\|")


def _verdicts(row: Mapping[str, Any]) -> str:
    before, after = (row[name].replace("_", " ") if row[name] else None for name in ("before", "after"))
    if row["cause_class"]:
        after = f"{after} ({row['cause_class']})"
    if before is None:
        return f"new, {after}"
    return f"{before}, now gone" if after is None else f"{before} → {after}"


def _because(row: Mapping[str, Any]) -> str:
    return f": {one_line(row['reason'], 200)}" if row["reason"] else ""


def _tables(found: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """List what changed besides verdicts: title and lines, where there are any."""
    drift = found["drift"]
    tables = (
        (
            "Changed behaviours",
            [
                f"{one['question']}: {', '.join(one['before'])} → {', '.join(one['after'])}"
                for one in found["behaviours"]
            ],
        ),
        ("Changed levels", [f"{one['id']}: {one['before']} → {one['after']}" for one in found["levels"]]),
        ("Undocumented members that appeared", [f"{one['operation']}: {one['member']}" for one in drift["appeared"]]),
        (
            "Undocumented members that disappeared",
            [f"{one['operation']}: {one['member']}" for one in drift["disappeared"]],
        ),
        (
            "Slower operations",
            [
                f"{one['operation']}: p95 {one['before']:.0f} ms → {one['after']:.0f} ms"
                for one in found["latency"]
                if one["slower"]
            ],
        ),
    )
    yield from ((title, lines) for title, lines in tables if lines)
