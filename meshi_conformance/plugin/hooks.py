"""Runs the suite under pytest: options, selection, the shared target and world, and the accounting.

One process controls the run: it starts or finds the target, looks at it, collects what the tests found and
writes the report. With xdist the tests run in workers; without it the same process does both.
"""

from __future__ import annotations

import gc
import json
import os
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from ..client.rate_limiter import Limiter
from ..client.transport import Api, Transport
from ..contract import contract as contracts
from ..errors import Inconclusive, UsageError
from ..exchanges.exchange import Exchange, Redaction
from ..exchanges.recorder import Recorder, Spool
from ..report import results, terminal, write_all
from ..report.text import visible
from ..target import targets_file
from ..target.target import Embedded, Target, resolve, restricted
from ..testing.arrange import Given
from ..testing.marks import Judge
from ..testing.shared_data import GENERATED_PARTS, NEEDS, PARTS, World
from ..testing.valid_calls import Calls
from ..verdicts import gate, waivers
from ..verdicts.verdicts import FAIL, INCONCLUSIVE, NOT_RUN, PASS, Judgement
from . import allure as allure_results
from .options import unusable
from .preflight import Preflight, announcement, look
from .progress import Progress

PREFETCHED_FROM = 300
"""Tests from which on a run is taken for the whole suite."""

SHOWN_EXCHANGES = 6
"""How many exchanges of a failed test are printed: the last ones, where the failure stands."""

PROPERTY = "meshi"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(id, ...): the requirements that a test judges")
    try:
        config.pluginmanager.register(Suite(config), "meshi-suite")
    except UsageError as problem:  # the contract cannot be read
        raise pytest.UsageError(str(problem)) from None


class Suite:
    """The run as this process sees it."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.is_worker = hasattr(config, "workerinput")
        self.contract = contracts.load()
        self.session: RunSession | None = None
        self.controller: Controller | None = None
        self.deselected: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        if self.is_worker:
            said = self.config.workerinput["meshi"]  # type: ignore[attr-defined]
            worker = self.config.workerinput["workerid"]  # type: ignore[attr-defined]
            self.session = RunSession(
                self.contract, Target.from_data(said["target"]), said["run"], Path(said["spool"]), worker
            )
        elif not self.config.option.collectonly:
            try:
                self.controller = Controller(self.config, self.contract)
            except UsageError as problem:
                raise pytest.UsageError(visible(str(problem))) from None
            self.controller.announce()
            if not _has_workers(self.config):
                self.session = self.controller.session()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        assert self.controller is not None
        node.workerinput["meshi"] = self.controller.for_worker()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        if self.controller is not None:
            self.controller.unspooled += json.loads(getattr(node, "workeroutput", {}).get("meshi", "[]"))
            if error:
                self.controller.problems.append(f"Worker {node.gateway.id} died: {str(error)[:200]}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        try:
            wanted = set(_selected(self.contract, config.option.requirements))
        except UsageError as problem:
            raise pytest.UsageError(str(problem)) from None
        kept: list[pytest.Item] = []
        dropped: list[pytest.Item] = []
        for item in items:
            cited = cited_by(item)
            unknown = [name for name in cited if name not in self.contract.requirements]
            if unknown or not cited:
                raise pytest.UsageError(
                    f"{item.nodeid} cites "
                    + (f"the unknown requirement {unknown[0]}" if unknown else "no requirement")
                    + ". Every test names what it judges, and requirements/ or openapi/ holds it."
                )
            (kept if wanted & set(cited) else dropped).append(item)
        if dropped:
            config.hook.pytest_deselected(items=dropped)
            items[:] = kept

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        gc.freeze()  # what was imported and collected stays: it need not be looked through again and again
        # The whole suite needs every part of the world, so their asynchronous runs start at once and overlap.
        # A selection builds what it asks for and no more: nothing can be deleted from a target.
        if self.session is not None and len(session.items) >= PREFETCHED_FROM:
            lacks = self.session.target.lacks
            left = {name for name, needs in NEEDS.items() if any(map(lacks, needs))}
            if self.config.option.profile == "none":
                left |= set(GENERATED_PARTS)
            self.session.world.prefetch(name for name in PARTS if name not in left)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        assert self.session is not None
        self.session.recorder.start_test(item.nodeid)
        if allure_results.listener(self.config):
            allure_results.describe(self.contract, self._cited(item))
        for name in cited_by(item):
            for need in self.contract.requirements[name].needs:
                lacking = self.session.target.lacks(need)
                if lacking:
                    pytest.skip(lacking)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        # User properties must stand on the item before the report is made, or xdist loses them.
        assert self.session is not None
        judged = _judgements(item, call, self.session)
        if judged is not None:
            item.user_properties.append((PROPERTY, json.dumps(judged)))
        report = yield
        text = str(report.longrepr or "")
        if text != self.session.clean(text):
            # What a server sent must neither steer the terminal nor show a key that it echoes.
            report.longrepr = self.session.clean(text)
        if judged is None:
            return report
        worst = _worst([one["verdict"] for one in judged["judgements"]])
        if report.when == "call" and worst == FAIL and report.passed:
            report.outcome = "failed"
            report.longrepr = "\n\n".join(
                indent(f"{one['requirement']}: {one['reason']}", "E   ")
                for one in judged["judgements"]
                if one["verdict"] == FAIL
            )
        elif worst == INCONCLUSIVE and not judged["error"]:
            report.outcome = "skipped"
            reason = next(one["reason"] for one in judged["judgements"] if one["verdict"] == INCONCLUSIVE)
            report.longrepr = (str(item.path), item.location[1] or 0, f"Inconclusive: {reason}")
        if worst == FAIL:
            self._explain(report, judged)
        allure = allure_results.listener(self.config)
        if allure:
            exchanges = self.session.recorder.of_test
            allure_results.conclude(
                allure, report, judged["judgements"], self._cited(item), exchanges, self.session.show
            )
        return report

    def _cited(self, item: pytest.Item) -> list[contracts.Requirement]:
        return [self.contract.requirements[name] for name in cited_by(item)]

    def _explain(self, report: pytest.TestReport, judged: dict[str, Any]) -> None:
        assert self.session is not None
        for one in judged["judgements"]:
            if one["verdict"] == FAIL:
                requirement = self.contract.requirements[one["requirement"]]
                report.sections.append(
                    (
                        "requirement",
                        f"{requirement.id} ({requirement.level})\n{requirement.statement}\n{requirement.source}",
                    )
                )
        recorder = self.session.recorder
        shown = [self.session.show(one) for one in recorder.of_test[-SHOWN_EXCHANGES:]]
        if recorder.quoted:
            shown.append(f"of the prepared data, in the report: {', '.join(recorder.quoted[-SHOWN_EXCHANGES:])}")
        report.sections.append(("exchanges", "\n\n".join(shown)))

    def pytest_report_teststatus(
        self, report: pytest.TestReport, config: pytest.Config
    ) -> tuple[str, str, str | tuple[str, dict[str, bool]]] | None:
        judged = _property(report)
        if judged is None:
            return None
        worst = _worst([one["verdict"] for one in judged["judgements"]])
        if worst == INCONCLUSIVE and not judged["error"]:
            return "inconclusive", "i", ("INCONCLUSIVE", {"yellow": True})
        if worst == FAIL and all(
            self.contract.requirements[one["requirement"]].level == "implied"
            for one in judged["judgements"]
            if one["verdict"] == FAIL
        ):
            return "deviation", "d", ("DEVIATION", {"yellow": True})
        if worst == NOT_RUN:
            return "not run", "n", ("NOT RUN", {"yellow": True})
        return None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self.controller is not None:
            judged = _property(report)
            if judged is not None:
                self.controller.judged(report, judged)
            elif report.failed and report.when != "teardown":
                self.controller.problems.append(f"{report.nodeid} ended without a judgement")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if self.controller is not None and report.failed:
            self.controller.uncollected.append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self.session is not None:
            self.session.close()
            unspooled = self.session.recorder.unspooled
            if self.is_worker:
                self.config.workeroutput["meshi"] = json.dumps(unspooled)  # type: ignore[attr-defined]
            elif self.controller is not None:
                self.controller.unspooled += unspooled
        if self.controller is not None:
            session.exitstatus = self.controller.finish(int(exitstatus))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.controller is not None and self.controller.document is not None:
            terminal.write(
                terminalreporter, self.controller.document, self.controller.folder, self.controller.unwritten
            )

    def pytest_unconfigure(self) -> None:
        if self.controller is not None:
            self.controller.stop()


def cited_by(item: pytest.Item) -> list[str]:
    """The requirements that a test judges, in the order of its marks."""
    return list(dict.fromkeys(str(name) for mark in item.iter_markers("requirement") for name in mark.args))


def _selected(contract: contracts.Contract, patterns: list[str]) -> list[str]:
    """The IDs that the patterns of `--requirements` choose; all of them without any."""
    chosen: dict[str, None] = {} if patterns else dict.fromkeys(contract.requirements)
    for pattern in patterns:
        matching = [one.id for one in contract.matching(pattern)]
        if not matching:
            raise UsageError(
                f"--requirements {pattern!r} fits no requirement. "
                "docs/requirements.md lists them; patterns work as in the shell."
            )
        chosen.update(dict.fromkeys(matching))
    return list(chosen)


def _has_workers(config: pytest.Config) -> bool:
    return bool(getattr(config.option, "numprocesses", None)) or getattr(config.option, "dist", "no") != "no"


def _property(report: pytest.TestReport) -> dict[str, Any] | None:
    for name, value in getattr(report, "user_properties", ()):  # reports of collecting have none
        if name == PROPERTY:
            found: dict[str, Any] = json.loads(str(value))
            if found["when"] == report.when:  # properties stay on the item, so later phases repeat them
                return found
    return None


def _worst(verdicts: list[str]) -> str:
    return next((one for one in (FAIL, INCONCLUSIVE, NOT_RUN) if one in verdicts), PASS)


def _judgements(item: pytest.Item, call: pytest.CallInfo[None], session: RunSession) -> dict[str, Any] | None:
    """What a phase of a test says of each requirement that the test cites; None while that is open."""
    problem = call.excinfo.value if call.excinfo else None
    if call.when != "call" and problem is None:
        return None
    cited = cited_by(item)
    judge = item.funcargs.get("judge") if isinstance(item, pytest.Function) else None
    found: dict[str, tuple[str, str, str]] = dict(judge.found) if isinstance(judge, Judge) else {}
    error = ""
    if problem is None:
        rest = (PASS, "", "")
        if isinstance(judge, Judge):
            rest = (INCONCLUSIVE, "the test ended without judging it", "")
            if set(found) - set(cited):
                error = f"it judges {sorted(set(found) - set(cited))}, which it does not cite"
    elif isinstance(problem, Inconclusive):
        rest = (problem.verdict, str(problem), problem.cause)
    elif isinstance(problem, pytest.skip.Exception):
        rest = (NOT_RUN, str(problem.msg), str(problem.msg))
    elif isinstance(problem, AssertionError) and call.when == "call":
        rest = (FAIL, _assertion(call), "")
    elif isinstance(problem, KeyboardInterrupt):
        return None
    else:
        what = f"{type(problem).__name__}: {str(problem)[:200]}"
        rest = (INCONCLUSIVE, f"the test itself erred: {what}", "the test itself erred")
        if not any(one.violations for one in session.recorder.of_test):
            error = what
        else:
            rest = (
                INCONCLUSIVE,
                f"an answer has another shape than documented, and the test could not read it: {what}",
                "answers of another shape than documented",
            )
    ids = [*session.recorder.quoted, *(one.id for one in session.recorder.of_test)]
    clean = session.clean
    said = {
        name: (verdict, clean(reason), clean(cause))
        for name, (verdict, reason, cause) in ((name, found.get(name, rest)) for name in cited)
    }
    return {
        "judgements": [
            asdict(Judgement(name, item.nodeid, *said[name], exchanges=tuple(ids[-50:])))
            for name in cited
            if name in session.contract.requirements
        ],
        "when": call.when,
        "error": error,
        "seconds": call.duration,
    }


def _assertion(call: pytest.CallInfo[None]) -> str:
    assert call.excinfo is not None
    text = str(call.excinfo.value) or "the assertion does not hold"
    return text[:2000]


class RunSession:
    """What tests in this process use: the client, the world, the recorder."""

    def __init__(self, contract: contracts.Contract, target: Target, run: str, spool: Path, worker: str) -> None:
        self.contract = contract
        self.target = target
        self.redaction = Redaction(target.keys)
        self.recorder = Recorder(contract, self.redaction, spool / f"{worker}.jsonl", worker)
        limiter = Limiter(spool, target.rate, target.most_requests, target.most_created)
        self.transport = Transport(target, contract, self.recorder, run, limiter)
        self.api = Api(self.transport)
        self.given = Given(self.api, run, worker)
        self.world = World(self.given, spool)
        self.calls = Calls(self.given, self.world)

    def clean(self, text: str) -> str:
        """Text that may hold what a server sent, without keys and with nothing that steers a terminal."""
        return visible(self.redaction.text(text))

    def show(self, exchange: Exchange) -> str:
        """An exchange for people: a line to paste, the answer and what to quote."""
        answer = exchange.body[:1500].decode("utf-8", "replace")
        text = (
            f"{exchange.curl(self.redaction.text)}\n"
            f"  -> {exchange.status} in {exchange.elapsed * 1000:.0f} ms, "
            f"correlation_id {exchange.correlation_id}"
        )
        # Never at the start of a line: there a CI system would take a server's words for commands.
        return f"{self.clean(text)}\n{indent(self.clean(answer), '  | ', lambda line: True)}"

    def close(self) -> None:
        self.world.close()
        self.transport.close()
        self.recorder.close()


class Controller:
    """The one process that knows the whole run."""

    def __init__(self, config: pytest.Config, contract: contracts.Contract) -> None:
        self.config = config
        self.contract = contract
        self.started = time.time()
        self.run = secrets.token_hex(3)
        self.problems: list[str] = []
        self.judgements: list[Judgement] = []
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
            wrong = unusable(self.config.option)
            if wrong:
                raise UsageError(wrong)
            self.selected = _selected(contract, self.config.option.requirements)
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

    def _interrupt(self, number: int, frame: Any) -> None:
        # Noted before it is raised: an exception that strikes inside a callback can be swallowed.
        self._interrupted = True
        raise KeyboardInterrupt(f"signal {number}")

    def announce(self) -> None:
        """Says what the run is about to do to a server that is not our own."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if self._embedded is None and reporter is not None:
            reporter.ensure_newline()
            for line in announcement(self.target, self.preflight, self.contract, self.selected):
                reporter.write_line(visible(line))

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

    def judged(self, report: pytest.TestReport, judged: dict[str, Any]) -> None:
        """Takes in what a test found."""
        for one in judged["judgements"]:
            self.judgements.append(Judgement(**{**one, "exchanges": tuple(one["exchanges"])}))
        if judged["error"]:
            self.problems.append(f"The suite erred in {report.nodeid}: {judged['error']}")
        self.tests.append(
            {
                "nodeid": report.nodeid,
                "verdict": _worst([one["verdict"] for one in judged["judgements"]]),
                "seconds": round(judged["seconds"], 4),
                "requirements": [one["requirement"] for one in judged["judgements"]],
            }
        )

    def finish(self, exitstatus: int) -> int:
        """Writes the report and says how the process is to end."""
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
        if self._progress is not None:
            self._progress.stop()
        if self._embedded is not None and self._embedded.ended:
            self.problems.append("The embedded reference server ended during the run.")
        events = Spool(self._spool, self.unspooled)
        self.problems += dict.fromkeys(event["what"] for event in events if event["type"] == "problem")
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
            options={name: getattr(self.config.option, name) for name in ("profile", "budget", "seed")},
        )
        fail_on = self.config.option.fail_on
        decision = gate.decide(self.document, fail_on, exitstatus)
        self.document["gate"] = gate.section(self.document["gate"]["waivers"], fail_on, decision)
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


def _report_folder(config: pytest.Config) -> Path:
    if config.option.report_dir:
        return Path(config.option.report_dir).absolute()
    return config.rootpath / "reports" / "latest"


@pytest.fixture
def run_session(request: pytest.FixtureRequest) -> RunSession:
    suite = request.config.pluginmanager.get_plugin("meshi-suite")
    assert isinstance(suite, Suite)
    assert suite.session is not None
    return suite.session


@pytest.fixture
def judge() -> Judge:
    """Judges several requirements in one test."""
    return Judge()
