"""Runs the suite under pytest: options, selection, the shared target and world, and the accounting.

One process controls the run: it starts or finds the target, looks at it, collects what the tests found and
writes the report. With xdist the tests run in workers; without it the same process does both.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from _pytest._code.code import TracebackEntry
from _pytest._io.saferepr import saferepr

from ..contract import contract as contracts
from ..contract.requirements import Requirement
from ..errors import CeilingReached, UsageError
from ..generation.budget import Plan
from ..report.files import terminal
from ..report.folder import NoRoom
from ..report.text import visible
from ..target.target import Target
from ..testing.marks import Judge
from ..testing.shared_parts import GENERATED_PARTS, NEEDS, PARTS
from ..verdicts.gate import EXIT_INTERNAL
from ..vocabulary import Verdict
from . import allure as allure_results
from .console.output import Output, without_commands
from .judging import PROPERTY, cited_by, is_generated, judged_property, judgements_of, verdict_of
from .planning import costs, workers
from .planning.choice import Budget, choose, more
from .planning.expected import expected, generated_share, left_out_for, spread
from .run import Controller
from .session import RunSession
from .start import surroundings

PREFETCHED_FROM = 300
"""Tests from which on a run is taken for the whole suite."""

DIFFERENCES = 5
"""Members of two objects that are named where they differ."""

SHOWN_EXCHANGES = 6
"""How many exchanges of a failed test are printed: the last ones, where the failure is."""


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Refuse to start where something other than the command line could decide what is judged."""
    if hasattr(config, "workerinput"):
        return
    wrong = surroundings.refusal(config)
    if wrong is None and config.option.collectonly and config.option.report_dir:
        wrong = "--collect-only judges nothing, so it writes no report: leave out --report-dir, or --collect-only."
    if wrong is not None:
        raise pytest.UsageError(wrong)
    workers.leave_open(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Say whether the selection is worth workers; how many follows from the target's answers, before they start."""
    return workers.first_guess(config)


@pytest.hookimpl(trylast=True)  # pytest's own terminal is there by then
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(id, ...): the requirements that a test judges")
    try:
        suite = Suite(config)
    except UsageError as problem:  # the contract cannot be read
        raise pytest.UsageError(str(problem)) from None
    for name in suite.contract.markers:
        config.addinivalue_line("markers", f"{name}: tests that judge such a requirement")
    config.pluginmanager.register(suite, "meshi-suite")


class Suite:
    """The run as this process sees it."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.is_worker = hasattr(config, "workerinput")
        self.contract = contracts.load()
        self.session: RunSession | None = None
        self.controller: Controller | None = None
        self.total = 0
        self.left_out: list[str] = []
        self.why = ""
        reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        self.output = Output(getattr(getattr(reporter, "_tw", None), "_file", None))
        if self.output.stream is not None:
            # pytest has no other way to say where its terminal is; selftests/attack notices if the names change.
            reporter._tw._file = self.output

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        if self.is_worker:
            said = self.config.workerinput["meshi"]  # type: ignore[attr-defined]
            worker = self.config.workerinput["workerid"]  # type: ignore[attr-defined]
            self.session = RunSession(
                self.contract,
                Target.from_data(said["target"]),
                said["run"],
                Path(said["spool"]),
                worker,
                Budget(**said["budget"]),
                said["ends"],
            )
        elif not self.config.option.collectonly:
            try:
                self.controller = Controller(self.config, self.contract)
            except UsageError as problem:
                raise pytest.UsageError(without_commands(visible(str(problem)))) from None
            except NoRoom as problem:
                pytest.exit(str(problem), returncode=EXIT_INTERNAL)
            self.output.clean = self.controller.clean
            self.controller.announce()
            self.controller.announce_workers()
            if not _has_workers(self.config):
                self.session = self.controller.session()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        assert self.controller is not None
        node.workerinput["meshi"] = self.controller.for_worker()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        if self.controller is not None:
            said = json.loads(getattr(node, "workeroutput", {}).get("meshi", "{}"))
            self.controller.unspooled += said.get("unspooled", [])
            self.controller.written |= said.get("written", {})
            if error:
                self.controller.problems.append(f"Worker {node.gateway.id} died: {str(error)[:200]}")

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # what -k and -m leave is chosen from, after all others
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        self._select(config, items)
        if self.is_worker:
            number = self.config.workerinput["workercount"]  # type: ignore[attr-defined]
            items[:] = [items[place] for place in spread([one.nodeid for one in items], costs.load(), number)]
        yield
        if self.session is not None and (self.session.budget.is_limited or self.session.target.rate):
            self._choose(config, items)

    def _choose(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep the tests that the budget buys, those that judge most for a request first."""
        assert self.session is not None
        asked = {one.nodeid: cited_by(one) for one in items if self._is_asked(one)}
        wanted = [self.contract.requirements[name] for name in self.contract.select(config.option.requirements)]
        share = generated_share(Plan.of(config.option))
        budget = self.session.budget
        chosen = choose(asked, wanted, costs.load(), budget, share)
        testable = {name for cited in asked.values() for name in cited}
        self.left_out = [one.id for one in wanted if one.id in testable and one.id not in chosen.judged]
        if self.left_out:
            whole = choose(asked, wanted, costs.load(), Budget(), share)
            twice = choose(asked, wanted, costs.load(), more(budget), share)
            self.why = left_out_for(budget, chosen, twice, whole)
        dropped = [one for one in items if one.nodeid in asked and one.nodeid not in chosen.tests]
        places = {name: place for place, name in enumerate(chosen.tests)}
        items[:] = sorted(
            (one for one in items if one.nodeid not in asked or one.nodeid in places),
            key=lambda one: places.get(one.nodeid, len(places)),
        )
        if dropped:
            config.hook.pytest_deselected(items=dropped)

    def _is_asked(self, item: pytest.Item) -> bool:
        """Return whether a test will send anything: nothing is asked that the target lacks, or that is switched off."""
        is_off = is_generated(item) and not Plan.of(self.config.option).profile.requests
        return self._lacking(item) is None and not is_off

    def _select(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep the tests that judge a selected requirement, and mark each with what it judges."""
        try:
            wanted = set(self.contract.select(config.option.requirements))
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
            for marker in dict.fromkeys(one for name in cited for one in self.contract.requirements[name].markers):
                item.add_marker(str(marker))  # xdist sends markers on, and no enumeration
        if dropped:
            config.hook.pytest_deselected(items=dropped)
            items[:] = kept

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self.total = len(ids)
        if self.controller is not None:
            self.controller.announce_expected()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        if self.controller is not None and self.controller.progress is not None:
            option = self.config.option
            self.controller.progress.begin(self.output, self.total, live=option.capture != "no" and not option.usepdb)

    @pytest.hookimpl(tryfirst=True)  # a worker tells the controlling process only then that it is ready
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.total = len(session.items)
        gc.freeze()  # what was imported and collected stays: it need not be looked through again and again
        if self.session is None:
            return
        # The whole suite needs every part of the world, so their asynchronous runs start at once and overlap.
        # A selection builds what it asks for and no more: nothing can be deleted from a target.
        asked = [one.nodeid for one in session.items if self._is_asked(one)]
        is_whole = not self.config.option.requirements and len(session.items) >= PREFETCHED_FROM
        ahead = self._parts() if is_whole else []
        if self.session.budget.is_limited:
            ahead = sorted(costs.load().with_parts(name for test in asked for name in costs.load().of(test).parts))
        found = expected(costs.load(), asked, Plan.of(self.config.option), ahead)
        replace(found, left_out=self.left_out, why=self.why).write(self.session.spool)
        if self.controller is not None:
            self.controller.announce_expected()
        self.session.world.prefetch(ahead)

    def _parts(self) -> list[str]:
        """Return the parts of the shared data that can be built for this target."""
        assert self.session is not None
        lacks = self.session.target.lacks
        left = {name for name, needs in NEEDS.items() if any(map(lacks, needs))}
        if not Plan.of(self.config.option).profile.requests:
            left |= set(GENERATED_PARTS)
        return [name for name in PARTS if name not in left]

    def _lacking(self, item: pytest.Item) -> str | None:
        """Return why this target is not asked what a test asks; None where it is."""
        assert self.session is not None
        known = self.contract.requirements  # an unknown one stops the run, but pytest ends the collection first
        needs = (need for name in cited_by(item) if name in known for need in known[name].needs)
        return next(filter(None, map(self.session.target.lacks, needs)), None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        assert self.session is not None
        self.session.recorder.start_test(item.nodeid)
        if allure_results.listener(self.config):
            allure_results.describe(self.contract, self._cited(item))
        lacking = self._lacking(item)
        if lacking:
            pytest.skip(lacking)
        ends = self.session.ends
        if ends is not None and time.time() > ends:
            raise CeilingReached("the time of the run is over (--time)", "the time of the run is over")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        # User properties must be set on the item before the report is made, or xdist loses them.
        assert self.session is not None
        judged = judgements_of(item, call, self.session.recorder, self.session.clean)
        if judged is not None:
            item.user_properties.append((PROPERTY, json.dumps(judged)))
        report = yield
        report.sections = [(title, self.session.clean(text)) for title, text in report.sections]
        text = str(report.longrepr or "")
        if text != self.session.clean(text):
            # What a server sent must neither steer the terminal nor show a key that it echoes.
            report.longrepr = self.session.clean(text)
        if judged is None:
            return report
        verdict = verdict_of(judged)
        if report.when == "call" and verdict == Verdict.FAIL and report.passed:
            report.outcome = "failed"
            report.longrepr = "\n\n".join(
                indent(f"{one['requirement']}: {one['reason']}", "E   ")
                for one in judged["judgements"]
                if one["verdict"] == Verdict.FAIL
            )
        elif verdict == Verdict.INCONCLUSIVE and not judged["error"]:
            report.outcome = "skipped"
            reason = next(one["reason"] for one in judged["judgements"] if one["verdict"] == Verdict.INCONCLUSIVE)
            report.longrepr = (str(item.path), item.location[1] or 0, f"Inconclusive: {reason}")
        elif verdict == Verdict.NOT_RUN and report.failed and not judged["error"]:
            # What a target may not be sent is not a failure of a test: pytest counts it as skipped.
            report.outcome = "skipped"
            reason = next(one["reason"] for one in judged["judgements"] if one["verdict"] == Verdict.NOT_RUN)
            report.longrepr = (str(item.path), item.location[1] or 0, f"Not run: {reason}")
        if verdict == Verdict.FAIL:
            self._explain(report, judged)
        allure = allure_results.listener(self.config)
        if allure:
            exchanges = self.session.recorder.of_test
            allure_results.conclude(
                allure, report, judged["judgements"], self._cited(item), exchanges, self.session.show
            )
        return report

    def _cited(self, item: pytest.Item) -> list[Requirement]:
        return [self.contract.requirements[name] for name in cited_by(item)]

    def _explain(self, report: pytest.TestReport, judged: dict[str, Any]) -> None:
        assert self.session is not None
        for one in judged["judgements"]:
            if one["verdict"] == Verdict.FAIL:
                requirement = self.contract.requirements[one["requirement"]]
                report.sections.append(
                    (
                        "requirement",
                        f"{requirement.id} ({requirement.level})\n{requirement.statement}\n{requirement.source}",
                    )
                )
        recorder = self.session.recorder
        shown = [self.session.show(one) for one in recorder.of_test[-SHOWN_EXCHANGES:]]
        if recorder.evidence:
            shown.append(f"of the prepared data, in the report: {', '.join(recorder.evidence[-SHOWN_EXCHANGES:])}")
        report.sections.append(("exchanges", "\n\n".join(shown)))

    def pytest_report_teststatus(
        self, report: pytest.TestReport, config: pytest.Config
    ) -> tuple[str, str, str | tuple[str, dict[str, bool]]] | None:
        judged = judged_property(report)
        if judged is None:
            return None
        verdict = verdict_of(judged)
        if verdict == Verdict.INCONCLUSIVE and not judged["error"]:
            return "inconclusive", "i", ("INCONCLUSIVE", {"yellow": True})
        if verdict == Verdict.FAIL and self.controller and self.controller.is_waived(judged["judgements"]):
            return "waived", "w", ("WAIVED", {"yellow": True})
        if verdict == Verdict.FAIL and all(
            self.contract.requirements[one["requirement"]].level == "implied"
            for one in judged["judgements"]
            if one["verdict"] == Verdict.FAIL
        ):
            return "deviation", "d", ("DEVIATION", {"yellow": True})
        if verdict == Verdict.NOT_RUN:
            return "not run", "n", ("NOT RUN", {"yellow": True})
        return None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self.controller is not None:
            judged = judged_property(report)
            self.controller.count.take(report, judged)
            self._count(report, judged)
            if judged is not None:
                self.controller.judged(report, judged)

    def _count(self, report: pytest.TestReport, judged: dict[str, Any] | None) -> None:
        progress = self.controller.progress if self.controller is not None else None
        if progress is None:
            return
        if report.when == "teardown":
            progress.test_ended()
        if judged is not None and verdict_of(judged) == Verdict.FAIL:
            status = self.pytest_report_teststatus(report, self.config)
            progress.failed(status[0] if status else "failed")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if self.controller is not None and report.failed:
            self.controller.uncollected.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        excinfo.traceback = excinfo.traceback.filter(_has_line)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self.session is not None:
            self.session.close()
            recorder = self.session.recorder
            if self.is_worker:
                kept = {"unspooled": recorder.unspooled, "written": recorder.written}
                self.config.workeroutput["meshi"] = json.dumps(kept)  # type: ignore[attr-defined]
            elif self.controller is not None:
                self.controller.unspooled += recorder.unspooled
                self.controller.written |= recorder.written
        if self.controller is not None:
            session.exitstatus = self.controller.finish(int(exitstatus), session.testscollected, session.testsfailed)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.controller is not None and self.controller.document is not None:
            terminal.write(
                terminalreporter, self.controller.document, self.controller.folder, self.controller.unwritten
            )

    def pytest_unconfigure(self) -> None:
        if self.controller is not None:
            self.controller.stop()
        self.output.flush()


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Say how two values differ, in a few lines: pytest's own account of a large answer takes minutes."""
    if op != "==":
        return None
    lines = [f"{saferepr(left, 200)} == {saferepr(right, 200)}"]
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        missing = object()
        names = [name for name in {**left, **right} if left.get(name, missing) != right.get(name, missing)]
        for name in names[:DIFFERENCES]:
            shown = ["nothing" if name not in one else saferepr(one[name], 100) for one in (left, right)]
            lines.append(f"`{name}`: {shown[0]}, not {shown[1]}")
    elif isinstance(left, list | tuple) and isinstance(right, list | tuple):
        pairs = enumerate(zip(left, right, strict=False))
        lines += [f"at {at}: {saferepr(a, 100)}, not {saferepr(b, 100)}" for at, (a, b) in pairs if a != b][:1]
        if len(left) != len(right):
            lines.append(f"{len(left)} values, not {len(right)}")
    return lines


def _has_workers(config: pytest.Config) -> bool:
    return bool(getattr(config.option, "numprocesses", None)) or getattr(config.option, "dist", "no") != "no"


@pytest.fixture
def run_session(request: pytest.FixtureRequest) -> RunSession:
    suite = request.config.pluginmanager.get_plugin("meshi-suite")
    assert isinstance(suite, Suite)
    assert suite.session is not None
    return suite.session


@pytest.fixture
def judge() -> Judge:
    """Judge several requirements in one test."""
    return Judge()


def _has_line(entry: TracebackEntry) -> bool:
    """Return whether pytest can show an entry: a signal may come between two lines."""
    try:
        return entry.lineno >= 0
    except TypeError:
        return False
