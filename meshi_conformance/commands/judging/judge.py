"""Judge recorded traffic: HAR files of browsers and proxies, and spool files of this suite.

FILE is a recording; several are judged together, in the order in which their exchanges ended. Nothing is sent. What
a recording does not show is not judged: the outcome is at best `partial` (docs/traffic.md).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...clients.observed import Clients
from ...contract import contract
from ...errors import UsageError
from ...report import write_all
from ...report.folder import ReportFolder, open_folder
from ...report.page import links
from ...report.text import counted, one_line
from ...verdicts import gate, waivers
from ...watching.report import document
from ...watching.traffic.recording import survey
from ...watching.watcher import Watcher
from .gate_options import add_gate_options, add_link_options


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+", help="a HAR file, or a spool file of a run")
    parser.add_argument("--base", metavar="URL", help="the API's base URL, where its path is not the documented one")
    parser.add_argument(
        "--complete",
        action="store_true",
        help="the recording lacks no request to its orgs between its beginning and its end: judge by that too",
    )
    parser.add_argument(
        "--one-org", action="store_true", help="all requests whose key the recording does not show are one org's"
    )
    parser.add_argument(
        "--report-dir", metavar="DIR", type=Path, default=Path("reports") / "judged", help="folder of the report"
    )
    add_clients_option(parser)
    add_gate_options(parser)
    add_link_options(parser)


def add_clients_option(parser: argparse.ArgumentParser) -> None:
    """Declare the option that judges who sent the requests, too."""
    parser.add_argument(
        "--clients", action="store_true", help="judge the duties of the clients too: a second report, in DIR/clients"
    )


def run(options: argparse.Namespace) -> int:
    """Judge the files, write the report and return the exit code of its gate."""
    waived = waivers.load(options.waivers) if options.waivers else []
    base = options.base.rstrip("/") if options.base else None
    found = survey(options.files, base)
    watcher = Watcher(contract.load(), complete=options.complete, one_org=options.one_org)
    for method in found.unanswered:
        watcher.unanswered(method)
    keys = {name: key for key, name in found.keys.items()}
    clients = Clients(watcher.contract, complete=options.complete, one_org=options.one_org) if options.clients else None
    for exchange, coverage in found.exchanges():
        watcher.see(exchange, coverage)
        if clients is not None:
            clients.see(exchange, coverage, keys.get(coverage.party or ""))
    if clients is not None and (found.unanswered or found.unjudged or found.notes):
        clients.complete = False
    watcher.tally.unjudged.update(found.unjudged)
    return concluded(
        watcher,
        found.base,
        [one.path.name for one in found.files],
        keys=keys,
        notes=found.notes,
        waived=waived,
        fail_on=options.fail_on,
        folder=open_folder(options.report_dir),
        addresses=(options.pages_url, options.site_url),
        clients=clients,
    )


def concluded(
    watcher: Watcher,
    base: str,
    sources: Sequence[str],
    *,
    keys: Mapping[str, str],
    notes: Sequence[str],
    waived: Sequence[waivers.Waiver],
    fail_on: Sequence[str],
    folder: ReportFolder,
    addresses: tuple[str | None, str | None] = (None, None),
    clients: Clients | None = None,
) -> int:
    """Write the report on what a watcher saw, print its summary and return the exit code of its gate.

    `addresses` are those of the documentation's pages and of this project's site, where they were given. The duties of
    `clients` get a report of their own below the folder, whose exit code counts where the server's is 0.
    """
    made = document(watcher, base, sources, keys=keys, notes=notes, waived=waived)
    code = _written(made, folder, fail_on, addresses)
    if clients is None:
        return code
    left = f"{clients.left_out} requests were not judged: their client is unknown, or they are too many."
    notes = [left] if clients.left_out else []
    found = (clients.verdicts(), clients.evidence)
    made = document(watcher, base, sources, keys=keys, notes=notes, clients=found)
    print("\nclients")
    of_clients = _written(made, open_folder(folder.path / "clients"), fail_on, addresses)
    return code or of_clients


def _written(
    made: dict[str, Any], folder: ReportFolder, fail_on: Sequence[str], addresses: tuple[str | None, str | None]
) -> int:
    """Write a report, print its summary and return the exit code of its gate."""
    made["links"] = links.stated(*addresses, folder.path)
    decision = gate.decide(made, fail_on)
    made["gate"] = gate.section(made["gate"]["waivers"], fail_on, decision)
    try:
        unwritten = write_all(folder.path, made, evidence(made))
    except OSError as problem:
        raise UsageError(f"The report cannot be written to {folder.path}: {problem.strerror}.") from None
    finally:
        folder.close()
    tell(made, unwritten, folder.path)
    return decision.exit_code


LISTED = 20
"""Failures, deviations and reasons that are printed each; the report holds all."""


def evidence(made: dict[str, Any]) -> list[dict[str, Any]]:
    """Turn the exchanges of a document into events of a spool."""
    return [{"type": "exchange", **one} for one in made["evidence"].values()]


def tell(made: dict[str, Any], unwritten: Sequence[str], folder: Path) -> None:
    """Print the outcome, what failed, what could not be judged, and where the report is."""
    for note in made["observed"]["notes"]:
        print(f"note      {one_line(note)}")
    print(f"outcome   {made['outcome']}: {one_line(made['outcome_reason'])}")
    for level, word in (("documented", "FAILED"), ("implied", "deviation")):
        rows = [row for row in made["requirements"] if row["level"] == level and row["verdict"] == "fail"]
        for row in rows[:LISTED]:
            print(f"{word:<9} {row['id']}: {one_line(row['reason'])}")
        if len(rows) > LISTED:
            print(f"          and {len(rows) - LISTED} more, all in the report")
    held = sum(1 for row in made["requirements"] if row["verdict"] == "pass")
    print(f"held      {counted(held, 'requirement')} of {len(made['requirements'])}")
    for reason, count in list(made["observed"]["unjudged"].items())[:LISTED]:
        print(f"unjudged  {counted(count, 'time')}: {one_line(reason)}")
    for reason in made["gate"]["reasons"]:
        print(f"exit {made['gate']['exit_code']}    {one_line(reason)}")
    for said in unwritten:
        print(f"report    not written: {one_line(said)}")
    print(f"report    {folder}")
