"""Keeps every exchange, wait and created row of one process, on disk as it happens."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .checks import check
from .contract import Contract
from .exchange import Exchange, Redaction

OUTSIDE_TESTS = "set-up"


class Recorder:
    """Writes one JSON line per event to a spool file, so that a killed process loses nothing.

    Threads of one test share its list of exchanges. Without a spool nothing is kept.
    """

    def __init__(self, contract: Contract, redaction: Redaction, spool: Path | None, worker: str) -> None:
        self._contract = contract
        self._redaction = redaction
        self._worker = worker
        self._lock = threading.Lock()
        self._count = 0
        self._stream = spool.open("a", encoding="utf-8", buffering=1) if spool else None
        self._aside = threading.local()
        self._test = OUTSIDE_TESTS
        self.of_test: list[Exchange] = []

    @property
    def test(self) -> str:
        """Whose exchange one is that this thread makes now."""
        return OUTSIDE_TESTS if getattr(self._aside, "on", False) else self._test

    def start_test(self, name: str) -> None:
        """From here on exchanges belong to this test."""
        self._test = name
        self.of_test = []

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What this thread does inside belongs to no test: the world is being prepared."""
        before = getattr(self._aside, "on", False)
        self._aside.on = True
        try:
            yield
        finally:
            self._aside.on = before

    def next_id(self) -> str:
        """An ID for an exchange, unique in the run."""
        with self._lock:
            self._count += 1
            return f"{self._worker}-{self._count}"

    def exchange(self, exchange: Exchange) -> None:
        """Checks an exchange and keeps it."""
        exchange.violations = [(one.requirement, one.message) for one in check(exchange, self._contract)]
        if exchange.test == self._test:
            self.of_test.append(exchange)
        if self._stream is not None:
            self._write("exchange", exchange.record(self._redaction))

    def created(self, kind: str, id: str, event_id: str | None) -> None:
        """Notes a row that the target will keep: nothing can be deleted."""
        self._write("created", {"kind": kind, "id": id, "event_id": event_id, "test": self.test})

    def waited(self, what: str, seconds: float, seen: list[str]) -> None:
        """Notes a wait for a condition, with the states that were seen."""
        self._write("wait", {"what": what, "seconds": seconds, "seen": seen, "test": self.test})

    def trouble(self, what: str) -> None:
        """Notes a transport failure that was retried or given up."""
        self._write("trouble", {"what": self._redaction.text(what), "test": self.test})

    def _write(self, kind: str, data: dict[str, Any]) -> None:
        if self._stream is not None:
            line = json.dumps({"type": kind, **data})
            with self._lock:
                self._stream.write(line + "\n")

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()


def read_spool(file: Path) -> Iterator[dict[str, Any]]:
    """The events of a spool file; a last line that was cut by a crash is left out."""
    with file.open(encoding="utf-8") as stream:
        for line in stream:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            yield event


class Spool:
    """The events of all processes of a run, read from disk anew each time they are gone through."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for file in sorted(self._folder.glob("*.jsonl")):
            yield from read_spool(file)
