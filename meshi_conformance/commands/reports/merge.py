"""Join the reports of a run that was split over several jobs.

OUT is the folder that the joined report is written to; A and B are report folders or results.json files of
one suite version and one target. The exit code is that of the joined run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ...errors import UsageError
from ...report import write_all
from ...report.folder import open_folder
from ...report.page import links
from ...report.runs import comparison as history
from ...report.runs.merging import merged
from ...report.text import one_line
from ...verdicts.gate import BEHAVIOURS, FAIL_ON
from ..judging.gate_options import add_link_options


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("out", metavar="OUT", type=Path, help="folder of the joined report")
    parser.add_argument("parts", metavar="A B", type=Path, nargs="+", help="the reports to join")
    parser.add_argument(
        "--allow-undecided", metavar="N", type=int, default=0, help="as of a run: how many may stay undecided"
    )
    parser.add_argument(
        "--fail-on",
        metavar="WHAT",
        action="append",
        default=[],
        choices=FAIL_ON,
        help="as of a run: " + ", ".join(FAIL_ON),
    )
    parser.add_argument("--compare-with", metavar="REPORT", type=Path, help="as of a run: an older report")
    add_link_options(parser)


def _compared(options: argparse.Namespace) -> history.Document | None:
    if options.compare_with is not None:
        return history.load(options.compare_with)
    if BEHAVIOURS in options.fail_on:
        raise UsageError("--fail-on behaviours needs an older report to compare with: name it with --compare-with.")
    return None


def _links(options: argparse.Namespace, document: history.Document, folder: Path) -> dict[str, str | None]:
    """Return where the joined report links to: as the first part, but for a path that held from that part's folder."""
    stated = document.get("links", {})
    site = stated.get("site")
    lasting = None if site is None or site.startswith(".") else site
    return links.stated(options.pages_url or stated.get("pages"), options.site_url or lasting, folder)


def run(options: argparse.Namespace) -> int:
    """Write the joined report and return the exit code of its gate."""
    older = _compared(options)
    parts = [(str(part), history.load(part)) for part in options.parts]
    document = merged(parts, options.fail_on, older, options.allow_undecided)
    evidence = [{"type": "exchange", **one} for one in document["evidence"].values()]
    folder = open_folder(options.out)
    document["links"] = _links(options, document, folder.path)
    try:
        problems = write_all(folder.path, document, evidence)
    except OSError as problem:
        raise UsageError(f"The joined report cannot be written to {options.out}: {problem.strerror}.") from None
    finally:
        folder.close()
    print(f"outcome   {document['outcome']}: {one_line(document['outcome_reason'])}")
    for reason in document["gate"]["reasons"]:
        print(f"exit {document['gate']['exit_code']}    {one_line(reason)}")
    for said in problems:
        print(f"report    not written: {one_line(said)}")
    print(f"report    {options.out}")
    return int(document["gate"]["exit_code"])
