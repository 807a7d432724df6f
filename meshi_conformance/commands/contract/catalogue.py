"""Write docs/requirements.md: every requirement with its level, statement, source and tests."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ...clients.judging import SHOWN_IN
from ...contract import contract
from ...contract.contract import Contract
from ...contract.requirements import NEEDS, Requirement
from ...errors import UsageError
from ...plugin.start import launch as suite
from ...vocabulary import Level

INTRODUCTION = """\
# Requirements

Written by `make catalogue` (`meshi-conformance catalogue`) from `openapi/`, `schemas/`, `requirements/` and
`tests/`; a self-test holds it fresh. A requirement is *documented* where the pages say it, and *implied* where a
reasonable server could differ. `meshi-conformance explain ID` shows one with everything that is known of it, and
`--requirements 'PATTERN'` judges just those that fit. Sources are the pages of the public documentation; a
number in square brackets counts the cases of a parametrized test that judge the requirement.
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        default=Path("docs/requirements.md"),
        help="the file to write (default: %(default)s)",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the file is not up to date")


def run(options: argparse.Namespace) -> int:
    """Write the catalogue, or compare it with the file: 0 where it is up to date, 1 where it is not."""
    text = catalogue(contract.load(), suite.tests_by_requirement())
    return write_or_check(options.output, text, options.check)


def write_or_check(file: Path, text: str, check: bool) -> int:
    """Write a generated document, or compare it with its file: 0 where it is up to date, 1 where it is not.

    Raise UsageError where the file cannot be read or written.
    """
    try:
        if check:
            return _check(file, text)
        file.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise UsageError(f"{file}: {problem.strerror}. Run this in a checkout, or give --output.") from None
    print(f"{file}: {text.count(chr(10))} lines")
    return 0


def _check(file: Path, text: str) -> int:
    before = file.read_text(encoding="utf-8")
    changes = list(difflib.unified_diff(before.splitlines(), text.splitlines(), str(file), "now", n=0, lineterm=""))
    if changes:
        print("\n".join([*changes[:40], f"{file} is out of date; `make catalogue` writes it anew."]))
    return int(bool(changes))


def catalogue(known: Contract, tests: Mapping[str, Sequence[str]]) -> str:
    """Write the catalogue as Markdown: a summary by family, then a table for each family."""
    families: dict[str, list[Requirement]] = {}
    for one in known.requirements.values():
        families.setdefault(one.family, []).append(one)
    parts = [INTRODUCTION, *_summary(families, tests), *_needs(), *_families(families, tests), *_duties(known)]
    return "\n".join(parts) + "\n"


def _summary(families: Mapping[str, Sequence[Requirement]], tests: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield "| Family | " + " | ".join(Level) + " | with a test |"
    yield "|---|" + "---:|" * (len(Level) + 1)
    everything = [one for rows in families.values() for one in rows]
    for name, rows in [*sorted(families.items()), ("**all**", everything)]:
        levels = (sum(1 for one in rows if one.level == level) for level in Level)
        covered = sum(1 for one in rows if tests.get(one.id))
        link = name if rows is everything else f"[{name}](#{name})"
        yield f"| {link} | {' | '.join(map(str, levels))} | {covered} of {len(rows)} |"
    yield ""


def _needs() -> Iterator[str]:
    yield "What a requirement can need beside the main key, and why it is not run without it:\n"
    yield from (f"- `{need}`: {reason}" for need, reason in NEEDS.items())
    yield ""


def _families(families: Mapping[str, Sequence[Requirement]], tests: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for name, rows in sorted(families.items()):
        yield f"## {name}\n"
        yield "| ID | Level | Statement | Source | Needs | Tests |"
        yield "|---|---|---|---|---|---|"
        for one in rows:
            needs = ", ".join(f"`{need}`" for need in one.needs)
            cited = "<br>".join(_functions(tests.get(one.id, ()))) or "none"
            yield f"| `{one.id}` | {one.level} | {_cell(one.statement)} | {_cell(one.source)} | {needs} | {cited} |"
        yield ""


def _duties(known: Contract) -> Iterator[str]:
    """List the duties of the client, with the scenarios that show each."""
    yield "## Duties of the client\n"
    yield "`meshi-conformance client` judges these (`docs/judge-a-client.md`); a run against a server does not.\n"
    yield "| ID | Level | Statement | Source | Scenarios that show it |"
    yield "|---|---|---|---|---|"
    for one in known.duties.values():
        shown = ", ".join(f"`{name}`" for name in SHOWN_IN[one.id])
        yield f"| `{one.id}` | {one.level} | {_cell(one.statement)} | {_cell(one.source)} | {shown} |"
    yield ""


def _functions(nodes: Sequence[str]) -> Iterator[str]:
    """Name the test functions behind node IDs, each with the number of its cases where it has several."""
    found: dict[str, int] = {}
    for node in nodes:
        name = node.partition("[")[0].rpartition("/")[2].replace(".py::", "::")
        found[name] = found.get(name, 0) + 1
    yield from (f"`{name}`" + (f" [{number}]" if number > 1 else "") for name, number in found.items())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
