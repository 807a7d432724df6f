"""A pytest plugin for the benchmark: notes when each phase of a run was, and keeps every exchange whole.

`pytest -p benchmarks.recording` with MESHI_BENCH_RECORD naming the file to write. All is kept in memory and
written when the run is over, so that recording costs a few microseconds for each exchange.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from meshi_conformance.client.call import Padded
from meshi_conformance.client.transport import Transport
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.plugin.judging import is_generated
from meshi_conformance.testing.shared_data import World

FILE = "MESHI_BENCH_RECORD"


class Recording:
    """What is noted of one run; all times are POSIX seconds."""

    def __init__(self) -> None:
        self.marks: dict[str, float] = {"configured": time.time()}
        self.tests: list[dict[str, Any]] = []
        self.parts: list[dict[str, Any]] = []
        self.exchanges: list[tuple[Any, Exchange, float]] = []
        self._lock = threading.Lock()

    def attach(self) -> None:
        """Look over the shoulder of the client and of the world."""
        once, build = Transport._send_once, World._build

        def send(transport: Transport, request: Any) -> Exchange:
            exchange = once(transport, request)
            ended = exchange.started + exchange.elapsed
            with self._lock:
                self.exchanges.append((request, exchange, ended))
            return exchange

        def make(world: World, name: str) -> Any:
            started = time.time()
            try:
                return build(world, name)
            finally:
                with self._lock:
                    self.parts.append({"name": name, "started": started, "ended": time.time()})

        Transport._send_once = send  # type: ignore[method-assign, assignment]
        World._build = make  # type: ignore[method-assign, assignment]

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Generator[None, Any, Any]:
        self.marks["collecting"] = time.time()
        try:
            return (yield)
        finally:
            self.marks["collected"] = time.time()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        started = time.time()
        try:
            return (yield)
        finally:
            test = {"name": item.nodeid, "generated": is_generated(item), "started": started, "ended": time.time()}
            self.tests.append(test)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self) -> Generator[None, Any, Any]:
        self.marks["finishing"] = time.time()
        try:
            return (yield)
        finally:
            self.marks["finished"] = time.time()

    def pytest_unconfigure(self) -> None:
        self.write(Path(os.environ[FILE]))

    def write(self, file: Path) -> None:
        """One JSON line of times, then one for each exchange in the order of sending. Bytes are written as Latin-1."""
        ordered = sorted(self.exchanges, key=lambda one: one[1].started)
        with file.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps({"marks": self.marks, "tests": self.tests, "parts": self.parts}) + "\n")
            for request, exchange, ended in ordered:
                stream.write(json.dumps(record(request, exchange, ended)) + "\n")


def record(request: Any, exchange: Exchange, ended: float) -> dict[str, Any]:
    """An exchange with all that was sent, as JSON-able data; the key by its role."""
    parts = urlsplit(request.url)
    content = request.content
    padded = None
    if isinstance(content, Padded):
        padded = {"head": content.head.decode("latin-1"), "tail": content.tail.decode("latin-1"), "size": content.size}
        content = None
    headers = {name: value for name, value in exchange.request_headers.items() if name.lower() != "authorization"}
    return {
        "operation": exchange.operation,
        "test": exchange.test,
        "method": exchange.method,
        "url": parts.path + (f"?{parts.query}" if parts.query else ""),
        "headers": headers,
        "key": request.key if request.authorization is None else None,
        "scheme": request.scheme,
        "authorization": request.authorization,
        "content": None if content is None else content.decode("latin-1"),
        "padded": padded,
        "status": exchange.status,
        "body": exchange.body.decode("latin-1"),
        "started": exchange.started,
        "ended": ended,
    }


def pytest_configure(config: pytest.Config) -> None:
    recording = Recording()
    recording.attach()
    config.pluginmanager.register(recording, "meshi-bench-recording")
