"""The controlling process: finds the target, collects judgements, writes the report."""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ..contract import contract as contracts
from ..errors import UsageError
from ..exchanges.redaction import Redaction
from ..exchanges.spool import Spool
from ..report import write_all
from ..report.document import results
from ..report.folder import NoRoom, ReportFolder, new_folder, open_folder, refuse_foreign
from ..report.page import links
from ..report.runs import comparison
from ..report.text import visible
from ..target.keys import KEY_VARIABLES
from ..target.reference_process import Embedded
from ..target.target import Preflight, Target
from ..verdicts import gate, waivers
from ..verdicts.verdicts import Judgement
from ..vocabulary import Verdict
from .chosen_target import chosen_target
from .console.output import clean_logs
from .console.progress import Progress
from .cross_check import Count
from .judging import verdict_of
from .options import unknown_marker, unusable
from .planning.choice import Budget
from .planning.expected import Expected, told
from .planning.workers import adapt
from .session import RunSession
from .start import surroundings
from .start.anywhere import launched
from .start.preflight import announcement, look

_ENDINGS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
"""The signals that end a run with a report."""

REPORT_SECONDS = 2.0
"""What the report takes of the time that `--time` gives."""

PATIENCE = 30.0
"""Seconds after a first signal before another one ends the process at once, report or not."""


class Controller:
    """The one process that knows the whole run."""

    def __init__(self, config: pytest.Config, contract: contracts.Contract) -> None:
        self.config = config
        self.contract = contract
        self.started = time.time()
        self.run = secrets.token_hex(3)
        self.problems: list[str] = []
        self.judgements: list[Judgement] = []
        self.count = Count()
        self.tests: list[dict[str, Any]] = []
        self.document: dict[str, Any] | None = None
        self.unwritten: list[str] = []
        self.uncollected: list[str] = []
        self.unspooled: list[dict[str, Any]] = []
        self.written: dict[str, int] = {}
        self.left_out: dict[str, str] = {}
        self.progress: Progress | None = None
        self._signals: dict[int, Any] = {}
        self._interrupted_at: float | None = None
        self._is_finishing = False
        self._is_expected = False
        self.budget = Budget()
        self._embedded: Embedded | None = None
        self.older: comparison.Document | None = None
        unusable_older = self._read_older()  # before the report folder is emptied: it may be the older report
        self._report: ReportFolder | None = None
        self._restore_logs: Callable[[], None] = lambda: None
        try:
            markers = ["requirement", *contract.markers]
            wrong = unusable(config.option) or unknown_marker(config.option.markexpr, markers) or unusable_older
            if wrong:
                raise UsageError(wrong)
            if self.config.option.report_dir:
                refuse_foreign(Path(self.config.option.report_dir).absolute())
            self.selected = contract.select(self.config.option.requirements)
            self.target = self._find_target()
            file = self.config.option.waivers or self.target.waivers
            self.waivers = waivers.load(Path(file)) if file else []
            # Up to here nothing is written, and no earlier report is touched: the run was never started.
            self._report = _report_folder(config, self.target.name, self.started)
        except UsageError:
            self.stop()
            raise
        self.folder = self._report.path
        self._spool = self._report.spool
        redaction = Redaction(self.target.secrets, self.target.access.headers)
        self.clean = redaction.text
        self._restore_logs = clean_logs(self.clean)
        try:
            self._report.keep_room(results.least_size(contract))
            self.preflight: Preflight = look(self.target, contract)
        except NoRoom:
            self.stop()
            raise
        except UsageError as problem:
            why = self.clean(str(problem))
            self._report.give_room()
            write_all(self.folder, results.invalid(contract, why, self.started), (), config.option.report_files)
            self.stop()
            raise UsageError(why) from None
        self.progress = Progress(self._spool, len(contract.operations))
        if threading.current_thread() is threading.main_thread():
            # A CI system ends a job with SIGTERM: what was measured so far is to be kept.
            for number in _ENDINGS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                    self._signals[number] = signal.signal(number, self._interrupt)

    def _read_older(self) -> str | None:
        """Read the report that the run is compared with. Return why it cannot be used; None where it can."""
        file = self.config.option.compare_with
        if file is None:
            if gate.BEHAVIOURS in self.config.option.fail_on:
                return "--fail-on behaviours needs an older report to compare with: name it with --compare-with."
            return None
        try:
            self.older = comparison.load(Path(file))
        except UsageError as problem:
            return f"--compare-with: {problem}"
        return None

    def _interrupt(self, number: int, frame: Any) -> None:
        """End the run, once: a second signal must not cut the report short that the first one asked for."""
        now = time.monotonic()
        if self._interrupted_at is not None or self._is_finishing:
            if now - (self._interrupted_at or now) > PATIENCE:
                os._exit(gate.EXIT_INTERRUPTED)
            self._interrupted_at = self._interrupted_at or now
            return
        # Noted before it is raised: an exception that strikes inside a callback can be swallowed.
        self._interrupted_at = now
        raise KeyboardInterrupt(f"signal {number}")

    def announce(self) -> None:
        """Say what the run is about to do to a server that is not our own, and that a key is not for the reference."""
        if self._report is not None and self._report.note:
            self._say([self._report.note])
        if self._embedded is None:
            self._say(announcement(self.target, self.preflight, self.contract, self.selected))
        elif os.environ.get(KEY_VARIABLES["main"]):
            self._say(
                [
                    f"note      {KEY_VARIABLES['main']} is set, and yet this run judges the embedded reference server: "
                    "name your own with --target or MESHI_BASE."
                ],
                yellow=True,
            )

    def announce_workers(self) -> None:
        """Set how many workers there are, where the command line leaves it open, and say so."""
        seconds = self.preflight.answer_seconds
        number = adapt(self.config, seconds, self.target.rate)
        self.budget = Budget.of(
            self.config.option, self.target, seconds, number or self.config.getoption("numprocesses", 0) or 1
        )
        if number and self._embedded is None:
            self._say([f"workers   {number}, as one answer takes {seconds * 1000:.0f} ms (-n N sets their number)"])

    def announce_expected(self) -> None:
        """Say once what the collected tests will send."""
        if self._embedded is None and not self._is_expected:
            self._is_expected = True
            self._say(told(Expected.read(self._spool), self.target))

    def _say(self, lines: Iterable[str], **markup: bool) -> None:
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            for line in lines:
                reporter.write_line(visible(line), **markup)

    def _find_target(self) -> Target:
        target, self._embedded, notes = chosen_target(self.config.option)
        self._say(notes)
        return target

    def session(self) -> RunSession:
        """Make the tools of the tests, where they run in this process."""
        return RunSession(self.contract, self.target, self.run, self._spool, "main", self.budget, self.ends)

    def for_worker(self) -> dict[str, Any]:
        """Return what a worker needs to make its own tools."""
        return {
            "target": self.target.as_data(),
            "run": self.run,
            "spool": str(self._spool),
            "budget": asdict(self.budget),
            "ends": self.ends,
        }

    @property
    def ends(self) -> float | None:
        """When no further test is begun, in seconds since the epoch; None where no time is given."""
        time_given = self.config.option.time
        return self.started + time_given - REPORT_SECONDS if time_given else None

    def is_waived(self, judgements: Sequence[Mapping[str, Any]]) -> bool:
        """Return whether a waiver accepts every failure that a test found."""
        today = datetime.now(UTC).date()
        held = [
            one for one in self.waivers if one.expires >= today and one.concerns(self.target.name, self.target.base)
        ]
        failed = [one for one in judgements if one["verdict"] == Verdict.FAIL]
        return bool(failed) and all(
            any(waiver.requirement == one["requirement"] and waiver.expects(one["reason"]) for waiver in held)
            for one in failed
        )

    def judged(self, report: pytest.TestReport, judged: dict[str, Any]) -> None:
        """Take in what a test found."""
        for one in judged["judgements"]:
            self.judgements.append(Judgement.from_data(one))
        if judged["error"]:
            self.problems.append(f"The suite erred in {report.nodeid}: {judged['error']}")
        self.tests.append(
            {
                "nodeid": report.nodeid,
                "verdict": verdict_of(judged),
                "seconds": round(judged["seconds"], 4),
                "requirements": [one["requirement"] for one in judged["judgements"]],
            }
        )

    def finish(self, exitstatus: int, collected: int, failed: int) -> int:
        """Write the report and return how the process is to end; `collected` and `failed` are pytest's counts."""
        self._is_finishing = True
        found = Expected.read(self._spool)
        if found is not None:
            self.left_out = dict.fromkeys(found.left_out, found.why)
        if self.uncollected:  # pytest calls it an interruption; it is the suite's own error
            exitstatus = gate.EXIT_INTERNAL
            names = ", ".join(dict.fromkeys(self.uncollected))
            self.problems.append(f"These tests could not be collected: {names[:300]}")
        elif self._interrupted_at is not None or exitstatus == gate.EXIT_INTERRUPTED:
            exitstatus = gate.EXIT_INTERRUPTED
            self.problems.append("The run was interrupted.")
        elif exitstatus == gate.EXIT_INTERNAL:
            self.problems.append("pytest met an internal error.")
        elif exitstatus == gate.EXIT_USAGE:
            self.problems.append("The tests could not be collected.")
        else:
            self.problems += self.count.problems(collected, failed)
            self._look_for_what_is_missing()
        if self.progress is not None:
            self.progress.stop()
        if self._embedded is not None and self._embedded.ended:
            self.problems.append("The embedded reference server ended during the run.")
        events = Spool(self._spool, self.unspooled)
        self.problems += events.problems(self.written)
        self.problems += _ended_keys(event for event in events if event["type"] == "key_refused")
        self.document = results.build(
            self.contract,
            self.target,
            self.preflight,
            self.judgements,
            self.tests,
            events,
            self.problems,
            started=self.started,
            selection=self.config.option.requirements,
            waived=self.waivers,
            command=launched(self.config),
            targets_file=self.config.option.targets_file,
            left_out=self.left_out,
            options={name: getattr(self.config.option, name) for name in ("profile", "budget", "seed")},
        )
        asked = self.config.option
        self.document["links"] = links.stated(asked.pages_url, asked.site_url, self.folder)
        if self.older is not None:
            self.document["compared"] = comparison.compared(self.older, self.document)
        fail_on, allowed = self.config.option.fail_on, self.config.option.allow_undecided
        decision = gate.decide(self.document, fail_on, exitstatus, allowed)
        self.document["gate"] = gate.section(self.document["gate"]["waivers"], fail_on, decision, allowed)
        return self._write(decision.exit_code, events)

    def _look_for_what_is_missing(self) -> None:
        """Say why no test spoke of a requirement that was to be judged; where that was not asked for, it is a problem.

        Every requirement has a test: where none spoke, pytest left it out or was stopped.
        """
        judged = {one.requirement for one in self.judgements} | self.left_out.keys()
        silent = [name for name in self.selected if name not in judged]
        if not silent:
            return
        config = self.config
        words = surroundings.selecting(config.invocation_params.args, config.option.file_or_dir)
        stopped = surroundings.stopping(words)
        if stopped:
            self.problems.append(
                f"The run was stopped early by {' '.join(stopped)}: {len(silent)} requirements were not judged."
            )
        elif words:
            self.left_out |= dict.fromkeys(silent, f"deselected by {' '.join(words)}")
        else:
            self.problems.append(
                f"No test of {len(silent)} requirements was run, such as {silent[0]}, and nothing on the command line "
                "asks for that: a plugin or a setting left their tests out."
            )

    def _write(self, exit_code: int, events: Spool) -> int:
        """Write the report; where the disk is full, the result alone, and say so. Return the exit code."""
        assert self.document is not None
        assert self._report is not None
        self._report.give_room()
        try:
            self.unwritten = write_all(self.folder, self.document, events, self.config.option.report_files)
            return exit_code
        except OSError as problem:
            why = f"The report could not be written whole: {problem.strerror or problem}."
        self._report.drop_spool()
        decision = gate.Decision(gate.EXIT_INTERNAL, (why, *self.document["gate"]["reasons"]))
        self.document = results.without_evidence(self.document, why)
        self.document["gate"] = gate.section(
            self.document["gate"]["waivers"],
            self.config.option.fail_on,
            decision,
            self.config.option.allow_undecided,
        )
        try:
            self.unwritten = write_all(self.folder, self.document, (), self.config.option.report_files)
        except OSError as problem:
            self.unwritten = [f"results.json: {problem.strerror or problem}"]
        return gate.EXIT_INTERNAL

    def stop(self) -> None:
        """End the embedded server, where this run started one."""
        if self.progress is not None:
            self.progress.stop()
        self._restore_logs()
        if self._report is not None:
            self._report.close()
        if self._embedded is not None:
            self._embedded.stop()
            self._embedded = None
        for number, handler in self._signals.items():
            # Once the report is written, a late signal must not take the place of the exit code.
            signal.signal(number, handler if self._interrupted_at is None else signal.SIG_IGN)
        self._signals.clear()


def _ended_keys(refusals: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield for each key that the target stopped accepting which exchange was the first to be refused."""
    first: dict[str, dict[str, Any]] = {}
    for one in refusals:
        if one["role"] not in first or one["moment"] < first[one["role"]]["moment"]:
            first[one["role"]] = one
    for one in first.values():
        yield (
            f"The target stopped accepting the key in {one['variable']} during the run, first in {one['what']}. Give "
            f"a key that lasts for the whole run, or put a command that prints one into {one['variable']}_COMMAND."
        )


def _report_folder(config: pytest.Config, target: str, started: float) -> ReportFolder:
    if config.option.report_dir:
        return open_folder(Path(config.option.report_dir).absolute())
    is_anywhere = config.pluginmanager.hasplugin("meshi_conformance.plugin.start.anywhere")
    return new_folder((config.invocation_params.dir if is_anywhere else config.rootpath) / "reports", target, started)
