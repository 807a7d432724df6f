"""Keeps every exchange, wait and created row of one process, on disk as it happens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..contract.contract import Contract
from .boundary import Boundary
from .checks import check, shown
from .created_rows import Row
from .exchange import Exchange
from .redaction import Redaction
from .spool import OUTSIDE_TESTS

PARSED_ANSWERS = 50
"""How many answers of one test are kept as values, besides as bytes."""

UNANSWERED = ("id", "operation", "test", "method", "path", "key", "request_headers", "request_body", "curl", "started")
"""What is kept of a request that had no answer."""


class Recorder:
    """Writes one JSON line per event to a spool file, so that a killed process loses nothing.

    Threads of one test share its list of exchanges. Without a spool nothing is kept. Where the disk takes no
    more, events stay in memory (`unspooled`) until the report is written.
    """

    def __init__(self, contract: Contract, redaction: Redaction, spool: Path | None, worker: str) -> None:
        self._contract = contract
        self.redaction = redaction
        self._worker = worker
        self._lock = threading.Lock()
        self._boundary = Boundary()
        self._count = 0
        self._stream = spool.open("xb", buffering=0) if spool else None
        self._file, self._lines = spool and spool.name, 0
        self._keeps = spool is not None
        self._aside = threading.local()
        self._test = OUTSIDE_TESTS
        self._shown: set[str] = set()
        self.of_test: list[Exchange] = []
        self.evidence: list[str] = []
        self.unspooled: list[dict[str, Any]] = []

    @property
    def written(self) -> dict[str, int]:
        """How many lines the spool file was given, by its name: what is read at the end is compared with it."""
        return {self._file: self._lines} if self._file else {}

    @property
    def test(self) -> str:
        """Whose exchange one is that this thread makes now."""
        return OUTSIDE_TESTS if self.is_outside_test else self._test

    @property
    def is_outside_test(self) -> bool:
        """Whether this thread prepares the world."""
        return getattr(self._aside, "on", False)

    def start_test(self, name: str) -> None:
        """Assign the exchanges from here on to this test."""
        self._test = name
        self.of_test = []
        self.evidence = []

    def add_evidence(self, exchanges: Iterable[str]) -> None:
        """Add exchanges of the shared setup, given by ID, to the running test's evidence."""
        self.evidence += exchanges

    @contextmanager
    def outside_test(self) -> Iterator[None]:
        """Keep what this thread does inside apart from every test: it prepares the shared data."""
        before = self.is_outside_test
        self._aside.on = True
        try:
            yield
        finally:
            self._aside.on = before

    def next_id(self) -> str:
        """Return an ID for an exchange, unique in the run."""
        with self._lock:
            self._count += 1
            return f"{self._worker}-{self._count}"

    def renewed(self, role: str, key: str) -> None:
        """Keep a fresh key out of everything that is written from here on."""
        self.redaction.add(role, key)

    def key_refused(self, role: str, variable: str, exchange: Exchange) -> None:
        """Note that the target no longer accepts a key: nothing that was asked with it can be judged."""
        summary = f"{exchange.summary} (exchange {exchange.id})"
        self._write("key_refused", {"role": role, "variable": variable, "moment": exchange.started, "what": summary})

    def clean(self, text: str) -> str:
        """Return the text without any key."""
        return self.redaction.text(text)

    def exchange(self, exchange: Exchange) -> None:
        """Check an exchange and keep it."""
        exchange.violations = [(one.requirement, one.message[:2000]) for one in check(exchange, self._contract)]
        for holder, (requirement, message) in self._boundary.look(exchange):
            if holder == exchange.id:
                exchange.violations.append((requirement, message[:2000]))
            else:
                self.violated(requirement, holder, message)
        exchange.drift = [path[:200] for path in exchange.drift]
        for name in shown(exchange, self._contract):
            if name not in self._shown:
                self._shown.add(name)
                self._write("shown", {"requirement": name, "exchange": exchange.id})
        if exchange.test == self._test:
            self.of_test.append(exchange)
            if len(self.of_test) > PARSED_ANSWERS:
                # A walk of hundreds of pages would hold all their values; a body is parsed again where it is asked for.
                self.of_test[-PARSED_ANSWERS - 1].__dict__.pop("parsed", None)
        if self._keeps:
            self._write("exchange", exchange.record(self.redaction))

    def keep(self, record: dict[str, Any]) -> None:
        """Keep the record of an exchange that passed elsewhere and that no check is made of."""
        self._write("exchange", record)

    def unanswered(self, exchange: Exchange, cause: str, attempts: int) -> None:
        """Keep a request that had no answer after all attempts, so that it can be sent again by hand."""
        record = exchange.record(self.redaction)
        kept = {name: record[name] for name in UNANSWERED}
        self._write("unanswered", {**kept, "cause": cause, "attempts": attempts})

    def sending(self, id: str, rows: Iterable[Row]) -> None:
        """Note before it is sent what the request of an exchange will create if it is accepted."""
        self._write("sending", {"id": id, "rows": [asdict(row) for row in rows], "test": self.test})

    def created(self, row: Row) -> None:
        """Note a row that the target will keep: nothing can be deleted."""
        self._write("created", {**asdict(row), "test": self.test, "confirmed": True})

    def waiting(self, what: str, seconds: float, state: str) -> None:
        """Note a wait that goes on, so that the progress line can show it."""
        self._write("waiting", {"what": what, "seconds": round(seconds, 1), "state": state, "test": self.test})

    def waited(self, what: str, seconds: float, seen: list[str]) -> None:
        """Note a wait for a condition that is over, with the states that were seen and when."""
        self._write("wait", {"what": what, "seconds": seconds, "seen": seen, "test": self.test})

    def violated(self, requirement: str, exchange: str, message: str) -> None:
        """Note that an exchange breaks a requirement in a way that only other exchanges show."""
        self._write("violation", {"requirement": requirement, "exchange": exchange, "message": message[:2000]})

    def generated(self, data: dict[str, Any]) -> None:
        """Note what a generated test did, for the report."""
        self._write("generated", data)

    def transport_error(self, what: str) -> None:
        """Note a transport failure that was retried or given up."""
        self._write("trouble", {"what": what, "test": self.test})

    def problem(self, what: str) -> None:
        """Note what makes the whole run invalid."""
        self._write("problem", {"what": what})

    def _write(self, kind: str, data: dict[str, Any]) -> None:
        if not self._keeps:
            return
        if kind != "exchange":  # an exchange's record is clean already
            data = self.redaction.apply(data)
        event = {"type": kind, "at": round(time.time(), 3), **data}
        with self._lock:
            if self._stream is not None:
                line = json.dumps(event).encode() + b"\n"
                try:
                    if self._stream.write(line) == len(line):
                        self._lines += 1
                        return
                    problem = "the disk took a part of a line"
                except OSError as error:
                    problem = error.strerror or str(error)
                with suppress(OSError):
                    self._stream.close()
                self._stream = None
                what = f"What was measured could not be written down as it happened: {problem}. It was kept in memory."
                self.unspooled.append({"type": "problem", "what": what})
            self.unspooled.append(event)

    def close(self) -> None:
        """Keep nothing from here on."""
        with self._lock:
            self._keeps = False
            if self._stream is not None:
                self._stream.close()
                self._stream = None
