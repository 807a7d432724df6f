"""What a run is doing, shown while it goes on: operations done, and what is waited for and for how long."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

from ..report.text import one_line

ON_A_TERMINAL, IN_A_LOG = 5.0, 30.0
"""Seconds between two lines."""

_OPERATION = re.compile(rb'"operation": "(\w+)"')


class Progress:
    """Reads along in the spool files of all workers and says now and then how far the run is.

    Lines go to the output that the process started with, also while pytest captures it. Nothing is said
    before the first interval is over, so a quick run stays quiet.
    """

    def __init__(self, spool: Path, operations: int) -> None:
        self._spool = spool
        self._whole = operations
        self._offsets: dict[Path, int] = {}
        self._operations: set[bytes] = set()
        self._exchanges = 0
        self._waits: dict[str, tuple[float, dict[str, Any]]] = {}
        self._out = _own_output()
        self._interval = ON_A_TERMINAL if self._out is not None and self._out.isatty() else IN_A_LOG
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def start(self) -> None:
        if self._out is not None:
            self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)
        if self._out is not None:
            self._out.close()
            self._out = None

    def line(self) -> str:
        """Say in one line where the run is."""
        self._read()
        now = time.time()
        text = f"{len(self._operations)} of {self._whole} operations, {self._exchanges} exchanges"
        waits = sorted(self._waits.values(), key=lambda wait: wait[0])
        if waits:
            since, event = waits[0]
            text += f"; waiting {now - since:.0f} s for the {event['what']} (now {event['state']})"
        if len(waits) > 1:
            text += f" and {len(waits) - 1} more"
        return one_line(text)

    def _run(self) -> None:
        while not self._over.wait(self._interval):
            try:
                assert self._out is not None
                self._out.write(f"\n{self.line()}\n")
                self._out.flush()
            except (OSError, ValueError):  # the reader has gone
                return

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


def _own_output() -> TextIO | None:
    """Open the process's output on a descriptor of its own, which pytest's capturing leaves alone."""
    try:
        return os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", errors="replace")
    except (OSError, ValueError, AttributeError):
        return None
