"""The controlling process: finds the target, collects judgements, writes the report."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ..contract import contract as contracts
from ..errors import UsageError
from ..exchanges.spool import Spool
from ..report import comparison, results, write_all
from ..report.text import visible
from ..target import targets_file
from ..target.keys import KEY_VARIABLES
from ..target.reference_process import Embedded
from ..target.target import Preflight, Target, resolve, restricted
from ..verdicts import gate, waivers
from ..verdicts.verdicts import Judgement
from ..vocabulary import Verdict
from .anywhere import launched
from .cross_check import Count
from .judging import verdict_of
from .options import unknown_marker, unusable
from .preflight import announcement, look
from .progress import Progress
from .session import RunSession


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
        self._progress: Progress | None = None
        self._signals: dict[int, Any] = {}
        self._interrupted = False
        self._embedded: Embedded | None = None
        self.folder = _report_folder(config)
        self._spool = self.folder / "spool"
        self.older: comparison.Document | None = None
        unusable_older = self._read_older()  # before the report folder is emptied: it may be the older report
        try:
            shutil.rmtree(self._spool, ignore_errors=True)
            self._spool.mkdir(parents=True)
            (self.folder / "results.json").unlink(missing_ok=True)
        except OSError as problem:
            raise UsageError(
                f"The report directory {self.folder} cannot be written: {problem.strerror}. "
                "Give another one with --report-dir."
            ) from None
        try:
            markers = ["requirement", *contract.markers]
            wrong = unusable(config.option) or unknown_marker(config.option.markexpr, markers) or unusable_older
            if wrong:
                raise UsageError(wrong)
            self.selected = contract.select(self.config.option.requirements)
            self.target = self._find_target()
            file = self.config.option.waivers or self.target.waivers
            self.waivers = waivers.load(Path(file)) if file else []
            self.preflight: Preflight = look(self.target, contract)
        except UsageError as problem:
            self.stop()
            write_all(self.folder, results.invalid(contract, str(problem), self.started), ())
            raise
        self._progress = Progress(self._spool, len(contract.operations))
        self._progress.start()
        if threading.current_thread() is threading.main_thread():
            # A CI system ends a job with SIGTERM: what was measured so far is to be kept.
            for number in (signal.SIGTERM, signal.SIGINT):
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
        # Noted before it is raised: an exception that strikes inside a callback can be swallowed.
        self._interrupted = True
        raise KeyboardInterrupt(f"signal {number}")

    def announce(self) -> None:
        """Say what the run is about to do to a server that is not our own, and that a key is not for the reference."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            return
        if self._embedded is None:
            reporter.ensure_newline()
            for line in announcement(self.target, self.preflight, self.contract, self.selected):
                reporter.write_line(visible(line))
        elif os.environ.get(KEY_VARIABLES["main"]):
            reporter.ensure_newline()
            reporter.write_line(
                f"note      {KEY_VARIABLES['main']} is set, and yet this run judges the embedded reference server: "
                "name your own with --target or MESHI_BASE.",
                yellow=True,
            )

    def _find_target(self) -> Target:
        option = self.config.option
        capabilities = {name for name, on in (("large", option.large), ("rate_limit", option.rate_limit_probe)) if on}
        entries = targets_file.load(Path(option.targets_file) if option.targets_file else None)
        found = resolve(option.target, os.environ, frozenset(capabilities), entries)
        if found is None:
            self._embedded = Embedded()
            found = self._embedded.target()
        return restricted(
            found,
            read_only=option.read_only,
            allow_writes=option.allow_writes,
            rate=option.rate,
            most_requests=option.max_requests,
            most_created=option.max_created,
        )

    def session(self) -> RunSession:
        """The tools of the tests, where they run in this process."""
        return RunSession(self.contract, self.target, self.run, self._spool, "main")

    def for_worker(self) -> dict[str, Any]:
        """What a worker needs to make its own tools."""
        return {"target": self.target.as_data(), "run": self.run, "spool": str(self._spool)}

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
        """Takes in what a test found."""
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
        if self.uncollected:  # pytest calls it an interruption; it is the suite's own error
            exitstatus = gate.EXIT_INTERNAL
            names = ", ".join(dict.fromkeys(self.uncollected))
            self.problems.append(f"These tests could not be collected: {names[:300]}")
        elif self._interrupted or exitstatus == gate.EXIT_INTERRUPTED:
            exitstatus = gate.EXIT_INTERRUPTED
            self.problems.append("The run was interrupted.")
        elif exitstatus == gate.EXIT_INTERNAL:
            self.problems.append("pytest met an internal error.")
        elif exitstatus == gate.EXIT_USAGE:
            self.problems.append("The tests could not be collected.")
        else:
            self.problems += self.count.problems(collected, failed)
        if self._progress is not None:
            self._progress.stop()
        if self._embedded is not None and self._embedded.ended:
            self.problems.append("The embedded reference server ended during the run.")
        events = Spool(self._spool, self.unspooled)
        self.problems += dict.fromkeys(event["what"] for event in events if event["type"] == "problem")
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
            options={name: getattr(self.config.option, name) for name in ("profile", "budget", "seed")},
        )
        if self.older is not None:
            self.document["compared"] = comparison.compared(self.older, self.document)
        fail_on, allowed = self.config.option.fail_on, self.config.option.allow_undecided
        decision = gate.decide(self.document, fail_on, exitstatus, allowed)
        self.document["gate"] = gate.section(self.document["gate"]["waivers"], fail_on, decision, allowed)
        self.unwritten = write_all(self.folder, self.document, events)
        return decision.exit_code

    def stop(self) -> None:
        """Ends the embedded server, where this run started one."""
        if self._progress is not None:
            self._progress.stop()
        for number, handler in self._signals.items():
            signal.signal(number, handler)
        self._signals.clear()
        if self._embedded is not None:
            self._embedded.stop()
            self._embedded = None


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


def _report_folder(config: pytest.Config) -> Path:
    if config.option.report_dir:
        return Path(config.option.report_dir).absolute()
    return config.rootpath / "reports" / "latest"
