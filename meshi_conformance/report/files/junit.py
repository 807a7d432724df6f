"""junit.xml: one test case for each requirement, for whatever reads JUnit reports.

A failed documented requirement is a failure. A deviation is one only where the run's gate says so: it appears in
the test case's output. A documented requirement that the target kept from being judged is an error unless the run
allows it; whatever else was not judged is skipped, with its reason. Problems that make a run invalid are errors of a
test case of their own, so that an invalid run never looks green.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ...vocabulary import Verdict
from ..document.queries import DOCUMENTED, IMPLIED, gated, rerun, undecided
from ..text import visible

SHOWN_EXCHANGES = 2


def parts(document: dict[str, Any], events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Write the XML text, test suite by test suite."""
    seconds = _seconds(document)
    unsettled = undecided(document)
    yield '<?xml version="1.0" encoding="utf-8"?>\n'
    yield f"<testsuites name={_attribute('Partner API conformance: ' + document['target']['name'])}>\n"
    yield from _run(document)
    for level in (DOCUMENTED, IMPLIED):
        rows = [row for row in document["requirements"] if row["level"] == level]
        failures = sum(gated(document, row) for row in rows)
        errors = sum(row["id"] in unsettled and not gated(document, row) for row in rows)
        skipped = sum(_skipped(document, row, unsettled) for row in rows)
        yield (
            f'<testsuite name="{level}" tests="{len(rows)}" failures="{failures}" errors="{errors}" '
            f'skipped="{skipped}" time="{sum(seconds.get(row["id"], 0) for row in rows):.3f}" '
            f'timestamp="{document["started_at"][:-1]}">\n'
        )
        for row in rows:
            yield from _case(document, row, seconds.get(row["id"], 0.0), unsettled)
        yield "</testsuite>\n"
    yield "</testsuites>\n"


def _run(document: dict[str, Any]) -> Iterator[str]:
    problems = document["problems"] or ([document["outcome_reason"]] if document["outcome"] == "invalid" else [])
    errors = 1 if problems else 0
    yield f'<testsuite name="run" tests="1" failures="0" errors="{errors}" skipped="0">\n'
    yield '<testcase classname="run" name="the run is valid" time="0">'
    if problems:
        yield f"<error message={_attribute(problems[0])}>{_text(chr(10).join(problems))}</error>"
    yield "</testcase>\n</testsuite>\n"


def _seconds(document: dict[str, Any]) -> dict[str, float]:
    """Return the time of each requirement: a test's time in equal shares, so that the sum stays right."""
    found: dict[str, float] = {}
    for test in document["tests"]:
        for name in test["requirements"]:
            found[name] = found.get(name, 0.0) + test["seconds"] / len(test["requirements"])
    return found


def _skipped(document: dict[str, Any], row: dict[str, Any], unsettled: Container[str]) -> bool:
    unjudged = row["verdict"] in (Verdict.INCONCLUSIVE, Verdict.NOT_RUN, Verdict.WAIVED)
    return unjudged and not gated(document, row) and row["id"] not in unsettled


def _case(document: dict[str, Any], row: dict[str, Any], seconds: float, unsettled: Container[str]) -> Iterator[str]:
    source = f"{row['source']['page']}, {row['source']['section']}"
    yield f'<testcase classname="{row["level"]}.{row["family"]}" name={_attribute(row["id"])} time="{seconds:.3f}">'
    yield "<properties>"
    for name, value in (
        ("level", row["level"]),
        ("verdict", row["verdict"]),
        ("cause_class", row["cause_class"] or "none"),
        ("source", source),
        ("operations", ", ".join(row["operations"])),
        ("statement", row["statement"]),
    ):
        yield f'<property name="{name}" value={_attribute(value)}/>'
    yield "</properties>"
    reason = row["reason"] or row["verdict"]
    if gated(document, row):
        yield (
            f'<failure type="{row["verdict"]}" message={_attribute(reason[:400])}>'
            f"{_text(_account(document, row))}</failure>"
        )
    elif row["id"] in unsettled:
        yield (
            f'<error type="{row["cause_class"]}" message={_attribute("undecided: " + reason[:400])}>'
            f"{_text(_account(document, row))}</error>"
        )
    elif _skipped(document, row, unsettled):
        yield f"<skipped message={_attribute(row['verdict'].replace('_', ' ') + ': ' + reason[:400])}/>"
    elif row["verdict"] == "fail":
        yield f"<system-out>{_text('Deviation.' + chr(10) + _account(document, row))}</system-out>"
    yield "</testcase>\n"


def _account(document: dict[str, Any], row: dict[str, Any]) -> str:
    """Say what a reader of the CI system needs: expectation, what came, where it is documented, how to repeat it."""
    lines = [
        f"Expected: {row['statement']}",
        f"Got: {row['reason']}",
        f"Source: {row['source']['page']}, {row['source']['section']}",
    ]
    for name in row["evidence"][:SHOWN_EXCHANGES]:
        one = document["evidence"][name]
        lines += ["", one["curl"], f"-> {one['status']}, correlation_id {one['correlation_id']}", one["body"][:2000]]
    return "\n".join([*lines, "", f"Again: {rerun(document, row['id'])}"])


def _attribute(text: str) -> str:
    return quoteattr(visible(text))


def _text(text: str) -> str:
    return escape(visible(text))
