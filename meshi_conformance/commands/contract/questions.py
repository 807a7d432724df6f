"""Write docs/open-questions.md: every place where the pages are silent, with its choices."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

from ...contract.open_questions import Question, load_questions
from .catalogue import write_or_check

INTRODUCTION = """\
# Open questions to the documentation's owners

Written by `make catalogue` (`meshi-conformance questions`) from `requirements/open_questions/`; a self-test keeps it
current. In these places the pages neither say nor imply what a server does, or leave it to a reading. A server is free
here: no test depends on one choice, and the report tells which one a target made (`behaviours` in `results.json`).

To add a question, add a row to a file of `requirements/open_questions/`: `id` (topic and thing), `place` (an operation,
a member or a rule), `operations` (IDs, or `all`, `lists` or `writes`), `question` (one sentence that can be answered),
`choices` (the ID of each, and what a client sees of it), `suite` (what the suite does meanwhile), and `implied` where
the suite reads one choice out of an example: another choice is then a deviation. The balance self-test asks for a
variation of the reference server that makes each choice (`makes` in `meshi_reference/variations/`), and for an observer
of the question (`meshi_conformance/behaviours/`). Then run `make catalogue`.

A question that is settled becomes a requirement ([CONTRIBUTING.md](../CONTRIBUTING.md)) and leaves its
file.
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        default=Path("docs/open-questions.md"),
        help="the file to write (default: %(default)s)",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the file is not up to date")


def run(options: argparse.Namespace) -> int:
    """Write the document, or compare it with the file: 0 where it is up to date, 1 where it is not."""
    return write_or_check(options.output, as_markdown(load_questions()), options.check)


def as_markdown(questions: Mapping[str, Question]) -> str:
    """Return the document: a table for each topic."""
    choices = sum(len(one.choices) for one in questions.values())
    lines = [INTRODUCTION, f"{len(questions)} questions with {choices} choices.", ""]
    for topic, rows in groupby(questions.values(), key=lambda one: one.topic):
        lines += [f"## {topic.replace('_', ' ').capitalize()}", "", *_table(rows), ""]
    return "\n".join(lines)


def _table(rows: Iterator[Question]) -> Iterator[str]:
    yield "| ID | Place | Question | Choices | The suite |"
    yield "|---|---|---|---|---|"
    for one in rows:
        choices = "<br>".join(
            f"`{name}`{' (implied)' if name == one.implied else ''}: {said}" for name, said in one.choices.items()
        )
        cells = (f"`{one.id}`", one.place, one.question, choices, one.suite)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
