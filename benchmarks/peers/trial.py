"""One trial: a tool against one server, in a process of its own that holds the server."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from meshi_reference import server
from meshi_reference.app import Application
from meshi_reference.faults import Fault
from meshi_reference.services import Services
from meshi_reference.settings import Settings
from meshi_reference.variations.registry import Variation

from . import arranged, description
from .tools import TOOLS, Case, DoesNotRun, Failures, Tool

LONGEST_SECONDS = 240.0
"""How long a tool may take for one server; past it the trial counts as without verdict."""


@dataclass
class Trial:
    """What a tool said of one server: failures by name, or why it came to no verdict."""

    tool: str
    server: str
    failures: Failures = field(default_factory=dict)
    problem: str = ""
    requests: int = 0
    seconds: float = 0.0


def names(entries: Iterable[str], count: int) -> list[str]:
    """A sample over all areas: one of each area in turn, within an area in the order of the names' SHA-256.

    An area is the part of a name before the first dot. The choice is not by hand: the same names give the same sample.
    """
    areas: dict[str, list[str]] = defaultdict(list)
    for name in sorted(entries, key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
        areas[name.partition(".")[0]].append(name)
    found: list[str] = []
    while areas and len(found) < count:
        for area in sorted(areas):
            found.append(areas[area].pop(0))
            if not areas[area]:
                del areas[area]
    return found[:count]


class Bench:
    """Runs trials, some at a time, and keeps each result in a file, so that a run can go on where it stopped."""

    def __init__(self, folder: Path, forms: dict[str, Path], jobs: int, ends: float) -> None:
        self.folder = folder
        self.jobs = jobs
        self.ends = ends
        self._whole = json.loads(forms["3.1"].read_text(encoding="utf-8"))
        self._older = json.loads(forms["3.0"].read_text(encoding="utf-8"))

    def hold(self, tool: Tool, entries: Sequence[Fault | Variation], again: str = "") -> Iterator[Trial]:
        """Try a tool on servers; yields each result, kept ones too. Stops taking new ones when time is up."""
        waiting = []
        for entry in entries:
            kept = self._kept(tool, entry, again)
            if kept is None:
                waiting.append(entry)
            else:
                yield kept
        running: dict[int, tuple[Fault | Variation, Path, float]] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self.jobs and time.monotonic() < self.ends:
                    entry = waiting.pop(0)
                    own = Path(tempfile.mkdtemp(prefix="meshi-peers-"))
                    running[self._fork(tool, entry, own)] = (entry, own, time.monotonic())
                if not running:
                    return
                pid, _ = os.waitpid(-1, 0)
                entry, own, started = running.pop(pid)
                trial = self._result(tool, entry, own, time.monotonic() - started)
                file = self._file(tool, entry, again)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(asdict(trial), indent=1), encoding="utf-8")
                shutil.rmtree(own, ignore_errors=True)
                yield trial
        finally:
            for pid in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                    os.waitpid(pid, 0)

    def _file(self, tool: Tool, entry: Fault | Variation, again: str) -> Path:
        return (
            self.folder
            / "".join(letter if letter.isalnum() else "-" for letter in tool.name)
            / (f"{entry.name}{again}.json")
        )

    def _kept(self, tool: Tool, entry: Fault | Variation, again: str) -> Trial | None:
        try:
            return Trial(**json.loads(self._file(tool, entry, again).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _fork(self, tool: Tool, entry: Fault | Variation, folder: Path) -> int:
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            return pid
        trial = Trial(tool.name, entry.name)
        try:
            signal.signal(signal.SIGALRM, _give_up)
            signal.alarm(int(LONGEST_SECONDS + 60))
            self._run(tool, entry, folder, trial)
        except DoesNotRun as problem:
            trial.problem = str(problem)
        except BaseException:
            trial.problem = traceback.format_exc()[-600:]
        finally:
            with contextlib.suppress(BaseException):
                (folder / "trial.json").write_text(json.dumps(asdict(trial)), encoding="utf-8")
            os._exit(0)

    def _run(self, tool: Tool, entry: Fault | Variation, folder: Path, trial: Trial) -> None:
        counted = [0]

        def application(services: Services) -> Any:
            inner = Application(services)

            async def count(scope: Any, receive: Any, send: Any) -> None:
                counted[0] += 1
                await inner(scope, receive, send)

            return count

        with (
            entry.applied(),
            server.running(Settings(**entry.settings), application) as address,
            nullcontext() if isinstance(entry, Fault) else entry.at_work(address),
        ):
            others = isinstance(entry, Variation) and entry.background is not None
            case = self._case(address, folder)
            before = counted[0]
            started = time.monotonic()
            try:
                trial.failures = tool.run(case)
            finally:
                trial.seconds = round(time.monotonic() - started, 2)
                trial.requests = 0 if others else counted[0] - before

    def _case(self, address: server.Address, folder: Path) -> Case:
        rows = arranged.arrange(address.base, address.env["MESHI_KEY"])
        hidden = description.UNGUESSABLE
        plain = description.with_examples(description.plain(self._whole), address.base, rows, hidden)
        older = description.with_examples(description.plain(self._older), address.base, rows, hidden)
        whole = description.with_examples(self._whole, address.base, rows, hidden)
        return Case(
            address.base,
            address.env,
            folder,
            description.write(whole, folder / "openapi.json"),
            description.write(plain, folder / "openapi-plain.json"),
            description.write(older, folder / "openapi-older.json"),
            description.calls(plain),
            LONGEST_SECONDS,
        )

    def _result(self, tool: Tool, entry: Fault | Variation, folder: Path, seconds: float) -> Trial:
        try:
            return Trial(**json.loads((folder / "trial.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return Trial(tool.name, entry.name, problem="the trial was cut off", seconds=round(seconds, 2))


def _give_up(number: int, frame: Any) -> None:
    raise DoesNotRun("the trial took too long")


def chosen(known: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """The names that fit a pattern, as in the shell."""
    return [name for name in known if any(fnmatch.fnmatchcase(name, one) for one in patterns)]


def tools(patterns: Sequence[str]) -> list[Tool]:
    """The tools by name or pattern; all without any."""
    return [tool for name, tool in TOOLS.items() if not patterns or chosen([name], patterns)]
