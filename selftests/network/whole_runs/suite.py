"""Runs the suite as a user does: as a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from typing import Any

from ..hostile import Proxy, Request, Server, serving

ROOT = Path(__file__).resolve().parents[3]

LONGEST_SECONDS = 300
"""How long a test waits for what a run on a busy machine may take long for, and does at last."""


@dataclass
class Run:
    """How a run ended: `document` is its results.json, None where there is none."""

    exit_code: int
    output: str
    document: dict[str, Any] | None
    seconds: float
    megabytes: float
    """The most memory that its controlling process held."""

    def verdicts(self, *wanted: str) -> list[str]:
        """The requirements with one of these verdicts."""
        assert self.document is not None, self.output
        return [one["id"] for one in self.document["requirements"] if one["verdict"] in wanted]

    @property
    def reasons(self) -> set[str]:
        """Why requirements were not judged."""
        assert self.document is not None, self.output
        return {one["reason"] for one in self.document["requirements"] if one["verdict"] in ("inconclusive", "not_run")}


def start(
    report: Path, *arguments: str, environment: dict[str, str] | None = None, **how: Any
) -> subprocess.Popen[str]:
    """Start a run without waiting for it: in one process, where the arguments name no workers."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MESHI_", "PYTEST_"))}
    return subprocess.Popen(
        # In one word: pytest takes the value of an option that it does not know yet for a path, and loads every
        # plugin that is installed before it finds the suite's configuration.
        [sys.executable, "-m", "pytest", f"--report-dir={report}", "--profile=none", "-n=0", *arguments],
        cwd=how.pop("cwd", ROOT),
        env={**clean, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **how,
    )


def ended(process: subprocess.Popen[str], report: Path, timeout: float = LONGEST_SECONDS) -> Run:
    """Waits for a run to end."""
    started = time.monotonic()
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        raise AssertionError(f"the run did not end within {timeout:.0f} s:\n{output[-2000:]}") from None
    file = report / "results.json"
    document = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    return Run(process.returncode, output, document, time.monotonic() - started, 0.0)


def run(report: Path, *arguments: str, timeout: float = LONGEST_SECONDS, **how: Any) -> Run:
    """A run from start to end."""
    return ended(start(report, *arguments, **how), report, timeout)


def exchanges(report: Path, worker: str = "*") -> int:
    """Return how many exchanges a run, or one worker of it, has written down so far."""
    return sum(file.read_bytes().count(b'{"type": "exchange"') for file in report.glob(f"spool/{worker}.jsonl"))


def begun_tests(report: Path) -> int:
    """Return how many tests have sent something that is written down so far."""
    spooled = b"".join(file.read_bytes() for file in report.glob("spool/*.jsonl"))
    return len(set(re.findall(rb'"test": "tests/[^"]+"', spooled)))


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + LONGEST_SECONDS
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@dataclass
class Pause:
    """A server that stops answering when a condition holds, so that a run cannot end before the test has acted."""

    server: Server
    reached: threading.Event
    over: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        """Wait until the server has stopped."""
        assert self.reached.wait(LONGEST_SECONDS), "the condition did not hold"

    def end(self) -> None:
        """Let the server answer again."""
        self.over.set()


@contextmanager
def pausing(upstream: str, when: Callable[[], bool]) -> Iterator[Pause]:
    """Serve what a server answers, and pause once a condition holds."""
    reached, over = threading.Event(), threading.Event()

    def hold(request: Request, connection: socket) -> None:
        if reached.is_set() or when():
            reached.set()
            over.wait(LONGEST_SECONDS)

    with serving(Proxy(upstream, hold)) as server:
        try:
            yield Pause(server, reached, over)
        finally:
            over.set()
