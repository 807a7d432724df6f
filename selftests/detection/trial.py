"""One trial: the suite, or a part of it, against one server that is known to be right or wrong."""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Generator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from meshi_conformance.contract import contract
from meshi_conformance.plugin.start.launch import pytest_main, tests_by_requirement
from meshi_reference import server
from meshi_reference.faults import Fault
from meshi_reference.settings import Settings
from meshi_reference.variations.registry import Variation

from .behaviours import SHOWN_BY, misread

FOUND, MISSED, PASSED, FALSE_ALARM, ERRED = "found", "missed", "passed", "false alarm", "erred"
MISREAD = "misread"
"""The verdict on a variation that passes and whose report names other choices than it makes."""

LONGEST_SECONDS = 400
"""How long one trial may take, unless a court says otherwise, before it is stopped and counts as erred."""

CAPABILITIES = {"large": "--large", "rate_limit": "--rate-limit-probe"}
"""What a fault can need a run to do, and the option that allows it."""

GENERATED = tuple(f"tests/test_{name}.py" for name in ("generated", "walks", "model", "histories"))
"""The files of the tests whose calls are made up."""

LEFT_TO_CHANCE = ("generated.*",)
"""What generated calls come to depends on chance and on time: here nothing judged is not a false alarm."""

UNNEEDED = ("xdist", "random_order", "warnings", "unraisableexception", "threadexception", "faulthandler", "logging")
"""Plugins of pytest that a trial does without; some of them cost as much as a hundred requests."""

KEPT_LINES = 40


@dataclass
class Result:
    """What a trial showed.

    `by` are the named requirements that failed; `unrelated` the others that did, `consequences` those of them
    that the fault says it breaks as well; `inconclusive` counts what the server left unjudged. `misread` says of which
    open questions the report names another choice than the variation makes. `bundle` names the variations that were
    tried on one server together with this one.
    """

    name: str
    kind: str
    sentence: str
    verdict: str
    breaks: list[str] = field(default_factory=list)
    by: list[str] = field(default_factory=list)
    unrelated: list[str] = field(default_factory=list)
    consequences: list[str] = field(default_factory=list)
    inconclusive: int = 0
    misread: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    requests: int = 0
    seconds: float = 0.0
    bundle: str = ""

    def as_data(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)


class Court:
    """Runs trials in forked children of a process that has loaded and collected everything once.

    `form` is `fast` (of a fault only the tests that cite what it breaks; of a variation all scripted ones), `full`,
    `behaviours` (of a variation the tests that show its choices), `scripted` (everything but what is generated) or
    `generated` (nothing else, with the options `generate`). `removed` is the node ID of a test that the suite does
    without.
    """

    def __init__(self, form: str) -> None:
        self.form = form
        self.generate: list[str] = []
        self.longest_seconds = LONGEST_SECONDS
        self.removed: str | None = None
        self.contract = contract.load()
        self.implied = {one.id for one in self.contract.requirements.values() if one.level == "implied"}
        self.tests = tests_by_requirement()

    def files(self, patterns: Sequence[str]) -> list[str]:
        """The test files with a test that cites one of the requirements."""
        found = {test.split("::")[0] for name, tests in self.tests.items() if fits(name, patterns) for test in tests}
        return [str(contract.root() / name) for name in sorted(found)]

    def hold(self, entries: Sequence[Fault | Variation], jobs: int) -> Generator[Result, None, None]:
        """Try all entries, some at a time; yields each result as it comes."""
        folder = Path(tempfile.mkdtemp(prefix="meshi-detection-"))
        running: dict[int, tuple[Fault | Variation, Path, float]] = {}
        waiting = list(reversed(entries))
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    entry = waiting.pop()
                    own = folder / str(len(waiting))
                    own.mkdir()
                    running[self._fork(entry, own)] = (entry, own, time.monotonic())
                pid, status = os.waitpid(-1, 0)
                entry, own, started = running.pop(pid)
                yield self._result(entry, own, time.monotonic() - started, status)
                shutil.rmtree(own)
        finally:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            shutil.rmtree(folder, ignore_errors=True)

    def _fork(self, entry: Fault | Variation, folder: Path) -> int:
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            return pid
        code = 70
        try:
            signal.alarm(self.longest_seconds)
            with (folder / "output.txt").open("w", buffering=1) as output:
                os.dup2(output.fileno(), 1)
                os.dup2(output.fileno(), 2)
                try:
                    code = self._run(entry, folder)
                except BaseException:
                    traceback.print_exc()
                sys.stdout.flush()
                sys.stderr.flush()
        finally:
            os._exit(code)

    def _run(self, entry: Fault | Variation, folder: Path) -> int:
        """In the child: starts the server with the fault or variation and runs pytest against it."""
        arguments = ["--report-dir", str(folder / "report"), "--report-files", "none"]
        arguments += ["-q", "-s", "--tb=no", "--no-header", *without(*UNNEEDED)]
        # Looking for leaks at the end costs more than the trial, and a trial ends with its process.
        arguments += ["-p", "no:unraisableexception", "-p", "no:allure_pytest"]
        with entry.applied(), server.running(Settings(**entry.settings)) as address:
            os.environ.update(address.env)
            arguments += ["--target", address.base, *self._asked(entry)]
            with nullcontext() if isinstance(entry, Fault) else entry.at_work(address):
                return pytest_main(arguments, [Without(self.removed)])

    def _asked(self, entry: Fault | Variation) -> list[str]:
        """The part of the suite that the form wants tried."""
        if self.form == "behaviours":
            return ["--profile", "none", *(str(contract.root() / test) for test in SHOWN_BY)]
        if self.form == "scripted":
            return ["--profile", "none"]
        if self.form == "generated":
            return [*self.generate, *(str(contract.root() / name) for name in GENERATED)]
        if not isinstance(entry, Fault):
            # What generated calls say of a conforming server belongs to the full form: it takes as long again.
            return ["--profile", "none"] if self.form == "fast" else []
        asked = [CAPABILITIES[need] for need in entry.sees]
        if not any(pattern.startswith("generated.") for pattern in entry.breaks):
            # What generated calls find on top, they find at random.
            asked += ["--profile", "none"]
        if self.form == "fast":
            patterns = [*entry.breaks, *entry.asks]
            asked += [*(f"--requirements={pattern}" for pattern in patterns), *self.files(patterns)]
        return asked

    def _result(self, entry: Fault | Variation, folder: Path, seconds: float, status: int) -> Result:
        kind = "fault" if isinstance(entry, Fault) else "variation"
        found = Result(entry.name, kind, entry.sentence, ERRED, seconds=round(seconds, 2))
        try:
            document = json.loads((folder / "report" / "results.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            said = (folder / "output.txt").read_text(encoding="utf-8", errors="replace")
            found.problems = [f"no result (status {status})", *said.splitlines()[-KEPT_LINES:]]
            return found
        found.problems = document["problems"]
        found.requests = document["exchanges"]["count"]
        failed = {row["id"]: row["reason"] for row in document["requirements"] if row["verdict"] == "fail"}
        open_ones = {row["id"]: row["reason"] for row in document["requirements"] if row["verdict"] == "inconclusive"}
        found.inconclusive = len(open_ones)
        if isinstance(entry, Fault):
            found.breaks = list(entry.breaks)
            found.by = [name for name in failed if fits(name, entry.breaks)]
            rest = [name for name in failed if name not in found.by]
            found.consequences = [name for name in rest if fits(name, entry.also)]
            found.unrelated = [name for name in rest if name not in found.consequences]
            found.reasons = {name: failed[name][:300] for name in [*found.by[:3], *found.unrelated[:10]]}
            if not found.by:
                found.reasons |= {
                    name: f"{row['verdict']}: {row['reason'][:300]}"
                    for row in document["requirements"]
                    if fits(name := row["id"], entry.breaks)
                }
            found.verdict = FOUND if found.by else MISSED
        else:
            unexpected = [name for name in open_ones if not fits(name, (*entry.unjudged, *LEFT_TO_CHANCE))]
            found.consequences = [name for name in failed if name in self.implied and fits(name, entry.deviates)]
            found.unrelated = [*(name for name in failed if name not in found.consequences), *unexpected]
            found.reasons = {name: text[:300] for name, text in ({**open_ones, **failed}).items()}
            found.misread = misread(entry, document["behaviours"])
            found.verdict = FALSE_ALARM if found.unrelated else MISREAD if found.misread else PASSED
        if found.problems:
            found.verdict = ERRED
        return found


class Without:
    """The suite without one of its tests; with all of them for None."""

    def __init__(self, test: str | None) -> None:
        self._test = test

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid != self._test]


def without(*plugins: str) -> list[str]:
    """The options that switch plugins of pytest off."""
    return [word for plugin in plugins for word in ("-p", f"no:{plugin}")]


def fits(name: str, patterns: Sequence[str]) -> bool:
    """Whether a requirement's ID is one of the patterns' (as in the shell)."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
