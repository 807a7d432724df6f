"""Show requirements: level, statement, source, operations, needs and the tests that judge each.

PATTERN is an ID or a shell pattern such as 'runs.*'.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence

from ...clients.judging import SHOWN_IN
from ...contract import contract
from ...contract.contract import Contract
from ...contract.requirements import CLIENT, NEEDS, SUBJECTS, Requirement
from ...errors import UsageError
from ...plugin.start import launch as suite

SHOWN_TESTS = 12
"""How many tests of one requirement are named."""

WIDTH = 110


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("patterns", metavar="ID|PATTERN", nargs="+", help="e.g. error.createEvent.INVALID_TITLE")


def run(options: argparse.Namespace) -> int:
    """Print every requirement that fits, in the catalogue's order."""
    catalogue = contract.load()
    chosen = {one.id: one for pattern in options.patterns for one in fitting(catalogue, pattern)}
    tests = suite.tests_by_requirement()
    print("\n\n".join(described(one, tests.get(one.id, []), catalogue) for one in chosen.values()))
    return 0


def fitting(catalogue: Contract, pattern: str) -> list[Requirement]:
    """Return the requirements that a pattern means. Raise UsageError, with near IDs, where none fits."""
    found = [one for subject in SUBJECTS for one in catalogue.matching(pattern, subject)]
    if not found:
        hint = catalogue.suggestion(pattern, [*catalogue.requirements, *catalogue.duties])
        hint = hint or " `meshi-conformance explain '*'` lists them."
        raise UsageError(f"{pattern!r} fits no requirement.{hint}")
    return found


def described(one: Requirement, tests: Sequence[str], catalogue: Contract) -> str:
    """Describe a requirement as text for a terminal."""
    operations = [
        f"{name} ({catalogue.operations[name].method} {catalogue.operations[name].path})" for name in one.operations
    ]
    if len(operations) == len(catalogue.operations):
        operations = [f"all {len(operations)}"]
    more = [f"... and {len(tests) - SHOWN_TESTS} more"] if len(tests) > SHOWN_TESTS else []
    if one.subject == CLIENT:
        judged = [
            ("shown in", [f"the scenario {name}" for name in SHOWN_IN[one.id]]),
            ("judge it", [f"meshi-conformance client --scenario {SHOWN_IN[one.id][0]} -- COMMAND"]),
        ]
    else:
        judged = [
            (
                "needs",
                [f"{need} (not run where {NEEDS[need]})" for need in one.needs] or ["nothing beside the main key"],
            ),
            ("defined in", ["openapi/ (derived)" if one.derived else "requirements/"]),
            ("tests", [*tests[:SHOWN_TESTS], *more] or ["none"]),
            ("judge it", [f"meshi-conformance run --requirements '{one.id}'"]),
        ]
    rows: list[tuple[str, list[str]]] = [
        ("binds", [one.subject]),
        ("level", [one.level]),
        ("source", [one.source]),
        ("operations", operations),
        *judged,
    ]
    lines = [one.id, *textwrap.wrap(one.statement, WIDTH, initial_indent="  ", subsequent_indent="  ")]
    for label, values in rows:
        lines += [f"  {label if not number else '':<11} {value}" for number, value in enumerate(values)]
    return "\n".join(lines)
