"""What a run is doing, for whoever watches it: how far it is, what failed, what is waited for and for how long."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task
from rich.progress import Progress as Display
from rich.text import Text

from ...report.text import one_line
from .output import Output, is_ci

IN_A_LOG = 30.0
"""Seconds between two lines in a log. Nothing is said before they are over, so a quick run stays quiet."""

REFRESHES = 2.0
"""How often a second the live line of a terminal is drawn."""

ENOUGH_TO_GUESS = 20
"""Tests that are done before the time that is left is told."""

_OPERATION = re.compile(rb'"operation": "(\w+)"')


class Progress:
    """Counts tests, reads along in the spool files of all workers, and tells where the run is.

    On a terminal it keeps a live line below what pytest prints, in a log it adds a line now and then. From `begin` to
    `stop` pytest's output is handed on line by line, so neither breaks a line of dots. Both use the output that the
    process started with, also while pytest captures it.
    """

    def __init__(self, spool: Path, operations: int) -> None:
        self._spool = spool
        self._whole = operations
        self._offsets: dict[Path, int] = {}
        self._operations: set[bytes] = set()
        self._exchanges = 0
        self._waits: dict[str, tuple[float, dict[str, Any]]] = {}
        self._failures: Counter[str] = Counter()
        self._stream = _own_output()
        self._output: Output | None = None
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell_now_and_then, name="progress", daemon=True)

    def begin(self, output: Output, total: int, live: bool = True) -> None:
        """Show from now on how many of `total` tests are done; `output` is pytest's. Later calls do nothing.

        `live` says whether a line that is drawn again and again would stay whole: nothing else writes to the terminal.
        """
        if self._output is not None or self._stream is None:
            return
        self._output, own = output, Output(self._stream)
        own.clean = output.clean
        console = Console(file=cast(TextIO, own), highlight=False)
        is_live = live and console.is_terminal and not console.is_dumb_terminal and not is_ci(os.environ)
        self._display = Display(
            BarColumn(bar_width=20),
            _Line(self),
            console=console,
            refresh_per_second=REFRESHES,
            speed_estimate_period=60,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not is_live,
        )
        self._task = self._display.add_task("tests", total=total)
        self._own = own
        if is_live:
            self._display.start()
            output.by_line(lambda line: console.print(Text.from_ansi(line), soft_wrap=True))
        else:
            output.by_line(self._write)
            self._thread.start()

    def test_ended(self) -> None:
        """Count a test that is over."""
        if self._output is not None:
            self._display.advance(self._task)

    def failed(self, kind: str) -> None:
        """Count a failure, by the word that names its kind."""
        self._failures[kind] += 1

    def stop(self) -> None:
        """Take the live line away and let pytest print as before."""
        self._over.set()
        if self._output is not None:
            self._display.stop()
            self._output.by_line(None)
            self._output = None
        if self._thread.is_alive():
            self._thread.join(timeout=2)
        if self._stream is not None:
            with contextlib.suppress(OSError):  # nobody listens any more
                self._stream.close()
            self._stream = None

    def line(self) -> str:
        """Return where the run is, in one line."""
        self._read()
        now = time.time()
        parts = []
        if self._output is not None:
            task = self._display.tasks[0]
            left = task.time_remaining
            parts = [f"{task.completed:.0f} of {task.total:.0f} tests"]
            if left and task.completed >= ENOUGH_TO_GUESS:
                parts += [f"about {_duration(left)} left"]
        parts += [f"{count} {kind}" for kind, count in sorted(self._failures.items(), reverse=True)]
        parts += [f"{len(self._operations)} of {self._whole} operations, {self._exchanges} exchanges"]
        text = ", ".join(parts)
        waits = sorted(self._waits.values(), key=lambda wait: wait[0])
        if waits:
            since, event = waits[0]
            text += f"; waiting {now - since:.0f} s for the {event['what']} (now {event['state']})"
        if len(waits) > 1:
            text += f" and {len(waits) - 1} more"
        return one_line(text)

    def _tell_now_and_then(self) -> None:
        while not self._over.wait(IN_A_LOG):
            self._write(self.line())

    def _write(self, line: str) -> None:
        with self._lock:
            self._own.write(f"{line}\n")
            self._own.flush()

    def _read(self) -> None:
        for file in self._spool.glob("*.jsonl"):
            with file.open("rb") as stream:
                stream.seek(self._offsets.get(file, 0))
                for line in stream:
                    if not line.endswith(b"\n"):
                        break
                    self._offsets[file] = self._offsets.get(file, 0) + len(line)
                    self._take(line)

    def _take(self, line: bytes) -> None:
        if line.startswith(b'{"type": "exchange"'):
            self._exchanges += 1
            found = _OPERATION.search(line, 0, 300)
            if found:
                self._operations.add(found.group(1))
        elif line.startswith(b'{"type": "wait'):
            event = json.loads(line)
            if event["type"] == "waiting":
                self._waits[event["what"]] = (event["at"] - event["seconds"], event)
            else:
                self._waits.pop(event["what"], None)


class _Line(ProgressColumn):
    """The line of a run as a column of its live display."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def render(self, task: Task) -> Text:
        """Return the line as it is now."""
        return Text(self._progress.line(), no_wrap=True, overflow="ellipsis")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _own_output() -> TextIO | None:
    """Return the process's output on a descriptor of its own, which pytest's capturing leaves alone."""
    try:
        return os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", errors="replace")
    except (OSError, ValueError, AttributeError):
        return None
