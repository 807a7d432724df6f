"""The summary that a run ends with on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..document.origins import groups
from ..document.queries import behaviour_line, failed, troubles
from ..text import counted, gist, target_line, visible

COLORS = {"conformant": "green", "partial": "yellow", "undecided": "red", "nonconformant": "red", "invalid": "red"}
LISTED = 40
TROUBLES = 5


def write(reporter: Any, document: dict[str, Any], folder: Path, unwritten: Sequence[str] = ()) -> None:
    """Print target, outcome, counts, causes, failures, where the report is and what of it could not be written."""
    color = {COLORS[document["outcome"]]: True}
    reporter.write_sep("=", f"conformance: {document['outcome']}", **color)
    target = document["target"]
    named = target_line(target["name"], target["base"])
    org = f" (org {target['org_id']})" if target["org_id"] else ""
    reporter.write_line(visible(f"target    {named}{org}"))
    reporter.write_line(visible(f"outcome   {document['outcome']}: {document['outcome_reason']}"), **color)
    exchanges = document["exchanges"]
    reporter.write_line(
        f"exchanges {exchanges['count']}, {exchanges['operations_called']} of {exchanges['operations']} "
        f"operations called, {document['duration_seconds']:.1f} s"
    )
    for level, counts in document["counts"].items():
        shown = ", ".join(f"{number} {verdict.replace('_', ' ')}" for verdict, number in counts.items() if number)
        reporter.write_line(f"{level:<11}{shown}")
    for problem in document["problems"][1:6]:
        reporter.write_line(visible(f"problem   {problem}"), red=True)
    for cause in document["causes"][:10]:
        reporter.write_line(
            visible(
                f"inconclusive ({cause['cause_class'] or 'unknown'}): {cause['cause']} -> holds up "
                f"{counted(len(cause['requirements']), 'requirement')}"
            ),
            yellow=True,
        )
        for one in document.get("unanswered", ()):
            if one["cause"] == cause["cause"]:
                reporter.write_line(visible(f"  asked with {one['curl']}"))
    for one in document.get("not_the_api", ())[:10]:
        answers = f"{one['answer']}, {counted(one['exchanges'], 'exchange')}"
        reporter.write_line(visible(f"not the API {answers}: {one['advice']}"), yellow=True)
    _rows(reporter, document, "documented", "FAILED", "red")
    _rows(reporter, document, "implied", "deviation", "yellow")
    _unjudged(reporter, document)
    line = behaviour_line(document)
    if line:
        reporter.write_line(visible(f"behaviour {line}"))
    for why, number in troubles(document)[:TROUBLES]:
        said = f"trouble   {number} requests had no usable answer, and were sent again or given up: {why}"
        reporter.write_line(visible(said), yellow=True)
    for reason in document["gate"]["reasons"]:
        reporter.write_line(visible(f"exit {document['gate']['exit_code']}    {reason}"), red=True)
    for problem in unwritten:
        reporter.write_line(visible(f"report    not written: {problem}"), red=True)
    options = document.get("options") or {}
    if options.get("profile", "none") not in ("none", "smoke"):
        budget = f" --budget {options['budget']}" if options.get("budget") else ""
        reporter.write_line(f"generated --profile {options['profile']}{budget} --seed {options['seed']}")
    if any(row["verdict"] == "fail" for row in document["requirements"]):
        for line in document.get("shell", ()):
            reporter.write_line(visible(f"for curl  {line}"))
    page = folder / "report.html"
    reporter.write_line(f"report    {page if page.exists() else folder / 'results.json'}")


def _rows(reporter: Any, document: dict[str, Any], level: str, word: str, color: str) -> None:
    """Print failed requirements; those that fail for one reason together, after the reason."""
    rows = failed(document, level)
    left = LISTED
    for group in groups(document, rows):
        members = group["rows"][:left]
        if group["cause"] and members:
            reporter.write_line(
                visible(f"{word} {counted(len(group['rows']), 'requirement')} for one reason: {group['cause'][:200]}"),
                **{color: True},
            )
        for row in members:
            reason = gist(row["reason"])[:200]
            line = f"  {word} {row['id']}" if group["cause"] else f"{word} {row['id']}: {reason}"
            reporter.write_line(visible(line), **{color: True})
        left -= len(members)
    if len(rows) > LISTED:
        reporter.write_line(f"... and {len(rows) - LISTED} more, all in the report")


def _unjudged(reporter: Any, document: dict[str, Any]) -> None:
    """Say why requirements were not run, each reason once."""
    reasons: dict[str, int] = {}
    for row in document["requirements"]:
        if row["verdict"] == "not_run":
            reasons[row["reason"]] = reasons.get(row["reason"], 0) + 1
    for reason, number in sorted(reasons.items(), key=lambda entry: -entry[1])[:10]:
        reporter.write_line(visible(f"not run   {number} requirements: {reason}"), yellow=True)
