"""summary.md: the result for a pull request or a job summary.

Everything a server sent is in code spans: there Markdown has no markup, no mention and no link.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ..document.origins import groups
from ..document.queries import DOCUMENTED, IMPLIED, behaviour_line, failed, meaning, rerun, troubles, unjudged
from ..text import counted, gist, one_line

LISTED = 20
"""Failures, deviations and causes that are listed each."""

MOST = 60_000
"""Characters of a summary: a comment on a pull request holds 65,536."""

SECTION = 22_000
"""Characters of a section of failures or deviations, so that the sections after it have room."""

SHOWN_CURL = 600
"""Characters of a curl line: a longer one has a body that is not pasted from a comment."""

SIGNS = {"conformant": "✅", "partial": "🟡", "undecided": "🟠", "nonconformant": "❌", "invalid": "⛔"}


def parts(document: dict[str, Any], events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the Markdown text in pieces, `MOST` characters of it; what is left out is in report.html."""
    left = MOST
    for part in _sections(document):
        if len(part) > left:
            yield "\n- The summary is cut here; report.html has the rest.\n"
            return
        left -= len(part)
        yield part


def _sections(document: dict[str, Any]) -> Iterator[str]:
    target = document["target"]
    outcome = document["outcome"]
    observed = "observed, " if "observed" in document else ""
    yield f"## {SIGNS[outcome]} Partner API conformance: {observed}{outcome}\n\n"
    yield f"{meaning(document)} {code(document['outcome_reason'])}\n\n"
    yield (
        f"Target {code(target['name'])} at {code(target['base'])}, {document['started_at']}, "
        f"{document['duration_seconds']:.0f} s, {counted(document['exchanges']['count'], 'exchange')}, "
        f"suite {document['suite']['version']}\n\n"
    )
    yield from _counts(document)
    line = behaviour_line(document)
    if line:
        yield f"Behaviours: {code(line)}\n\n"
    yield from _problems(document)
    yield from _foreign(document)
    yield from _shell(document)
    yield from _failed(document, "Failures", failed(document, DOCUMENTED))
    yield from _failed(document, "Deviations", failed(document, IMPLIED))
    yield from _unjudged(document)
    yield from _troubles(document)


def code(text: str, most: int = 300) -> str:
    """Return a text as a Markdown code span that nothing in it can end; its first `most` characters."""
    line = one_line(text, most) or " "
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"


def _counts(document: dict[str, Any]) -> Iterator[str]:
    verdicts = list(document["counts"][DOCUMENTED])
    yield "| | " + " | ".join(name.replace("_", " ") for name in verdicts) + " |\n"
    yield "|---|" + "---:|" * len(verdicts) + "\n"
    for level, counts in document["counts"].items():
        yield f"| {level} | " + " | ".join(str(counts[name]) for name in verdicts) + " |\n"
    yield "\n"


def _problems(document: dict[str, Any]) -> Iterator[str]:
    if document["problems"]:
        yield "### Why the run is invalid\n\n"
        yield from (f"- {code(problem)}\n" for problem in document["problems"][:LISTED])
        yield "\n"


def _failed(document: dict[str, Any], title: str, rows: list[dict[str, Any]]) -> Iterator[str]:
    if not rows:
        return
    yield f"### {title} ({len(rows)})\n\n"
    listed, room = 0, SECTION
    for group in groups(document, rows):
        for place, row in enumerate(group["rows"]):
            text = "".join(_row(document, row))
            if listed == LISTED or len(text) > room:
                break
            if group["cause"] and place == 0:
                yield f"**{counted(len(group['rows']), 'requirement')} for one reason:** {code(group['cause'])}\n\n"
            yield text
            listed, room = listed + 1, room - len(text)
    if len(rows) > listed:
        yield f"- and {len(rows) - listed} more, all in report.html\n"
    yield "\n"


def _row(document: dict[str, Any], row: dict[str, Any]) -> Iterator[str]:
    yield f"- **{code(row['id'])}** {code(row['statement'])}\n"
    yield f"  - got: {code(gist(row['reason']))}\n"
    yield f"  - source: {code(row['source']['page'] + ', ' + row['source']['section'])}\n"
    for name in row["evidence"][:1]:
        one = document["evidence"][name]
        yield (
            f"  - exchange: {code(one['method'] + ' ' + one['path'])} → {one['status']}, correlation ID "
            f"{code(one['correlation_id'] or 'none')}\n"
        )
        yield f"  - curl: {code(one['curl'], SHOWN_CURL)}\n"
    yield f"  - again: {code(rerun(document, row['id']))}\n"


def _foreign(document: dict[str, Any]) -> Iterator[str]:
    found = document.get("not_the_api", ())
    if found:
        yield "### Answers that are not the API's\n\n"
        for one in found[:LISTED]:
            yield f"- {code(one['answer'])}, {counted(one['exchanges'], 'exchange')}. {one['advice']}\n"
        yield "\n"


def _shell(document: dict[str, Any]) -> Iterator[str]:
    if any(row["verdict"] == "fail" for row in document["requirements"]) and document.get("shell"):
        yield "Before a curl line is pasted:\n\n"
        yield from (f"- {code(line)}\n" for line in document["shell"])
        yield "\n"


def _troubles(document: dict[str, Any]) -> Iterator[str]:
    found = troubles(document)
    if found:
        yield f"### Without a usable answer at first ({len(document['trouble'])})\n\n"
        yield from (f"- {counted(number, 'request')}: {code(why)}\n" for why, number in found[:LISTED])
        yield "\n"


def _unjudged(document: dict[str, Any]) -> Iterator[str]:
    causes = unjudged(document)
    if not causes:
        return
    yield f"### Not judged ({sum(len(group['rows']) for group in causes)})\n\n"
    for group in causes[:LISTED]:
        kind = (group["cause_class"] or group["verdict"]).replace("_", " ")
        yield (
            f"- **{kind}**, {counted(len(group['rows']), 'requirement')}: {code(group['cause'])}. "
            f"{' '.join(group['advice'])}\n"
        )
        for one in document.get("unanswered", ()):
            if one["cause"] == group["cause"]:
                yield f"  - asked with {code(one['curl'], SHOWN_CURL)}\n"
    if len(causes) > LISTED:
        yield f"- and {counted(len(causes) - LISTED, 'more cause')}, all in report.html\n"
