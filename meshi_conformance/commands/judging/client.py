"""Judge a client: run it against sandboxes of the reference server and judge what it does.

COMMAND is run once for each scenario with MESHI_BASE, MESHI_KEY and MESHI_SCENARIO in its environment. With --listen no
command is run: the sandboxes serve until Ctrl-C. docs/judge-a-client.md has scenarios and duties.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Any

from ...clients import command as commands
from ...clients.run import Asked, Run, to_terminal, write_outputs
from ...clients.scenarios import SCENARIOS, chosen
from ...contract.contract import load
from ...errors import UsageError
from ...exchanges.redaction import Redaction
from ...exchanges.spool import Spool
from ...report import write_all
from ...report.files import terminal
from ...report.folder import open_folder
from ...report.page import links
from ...report.text import one_line
from ...verdicts import gate, waivers
from .gate_options import add_link_options

DEADLINE = 120.0
LONGEST_DEADLINE = 3_600.0


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--scenario",
        metavar="NAME",
        action="append",
        default=[],
        help=f"run this scenario alone; may be given several times. The scenarios: {', '.join(SCENARIOS)}",
    )
    parser.add_argument(
        "--log",
        metavar="FILE",
        action="append",
        default=[],
        help="a file that the client logs to; {scenario} in it becomes the scenario's name",
    )
    parser.add_argument(
        "--deadline", metavar="S", type=float, default=DEADLINE, help="seconds for one run (default: %(default)s)"
    )
    parser.add_argument(
        "--report-dir", metavar="DIR", type=Path, default=Path("reports/client"), help="default: %(default)s"
    )
    parser.add_argument("--listen", action="store_true", help="run no command: serve until Ctrl-C, then judge")
    parser.add_argument("--waivers", metavar="FILE", type=Path, help="as of a server run")
    parser.add_argument(
        "--fail-on", metavar="WHAT", action="append", default=[], choices=gate.FAIL_ON, help="as of a server run"
    )
    add_link_options(parser)
    parser.add_argument("command", metavar="-- COMMAND ARG", nargs="*", help="what starts the client")


def run(options: argparse.Namespace) -> int:
    """Run the client, write the report and return the exit code of the gate (docs/exit-codes.md)."""
    contract = load()
    scenarios = chosen(options.scenario or (["plain"] if options.listen else []))
    if not 0 < options.deadline <= LONGEST_DEADLINE:
        raise UsageError(f"--deadline takes seconds, at most {LONGEST_DEADLINE:g}.")
    if options.listen and options.command:
        raise UsageError("--listen runs no command: leave out the command, or --listen.")
    if not options.listen:
        if not options.command:
            raise UsageError("No command: give what starts the client after `--`, or --listen.")
        commands.check(options.command)
    accepted = waivers.load(options.waivers) if options.waivers else []
    report = open_folder(options.report_dir)
    folder = report.path
    with tempfile.TemporaryDirectory(prefix="meshi-client-") as spool:
        asked = Asked(options.command, scenarios, options.log, options.deadline)
        judging = Run(contract, asked, Path(spool) / "client.jsonl", to_terminal)
        problems = []
        stopped = 0
        try:
            asyncio.run(judging.listen() if options.listen else judging.judge_command())
        except KeyboardInterrupt:
            stopped = gate.EXIT_INTERRUPTED
            problems.append("The run was interrupted.")
        except BaseExceptionGroup as group:
            usage, _ = group.split(UsageError)
            if usage is not None:
                raise _first(usage) from None
            raise
        finally:
            judging.close()
        events = Spool(Path(spool), judging.unspooled)
        document = judging.document(events, accepted, problems)
        document["links"] = links.stated(options.pages_url, options.site_url, folder)
        decision = gate.decide(document, options.fail_on, stopped)
        document["gate"] = gate.section(document["gate"]["waivers"], options.fail_on, decision)
        unwritten = write_all(folder, document, events)
        write_outputs(folder / "output", judging.outcomes, Redaction({"main": judging.key}))
        report.close()
        terminal.write(_Terminal(), document, folder, unwritten)
    return decision.exit_code


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


class _Terminal:
    """Prints what the terminal report says; what pytest's reporter is to a server run."""

    def write_sep(self, sign: str, title: str, **markup: Any) -> None:
        """Print a title across the line."""
        print(f" {title} ".center(80, sign))

    def write_line(self, text: str, **markup: Any) -> None:
        """Print a line."""
        print(one_line(text, 2000) if "\n" in text else text)
