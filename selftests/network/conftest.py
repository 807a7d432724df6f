"""What the tests of the wire share: a client for a server of ours, and a reference server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from meshi_conformance.client import transport as client
from meshi_conformance.client.api import Api
from meshi_conformance.client.rate_limiter import Limiter
from meshi_conformance.client.transport import Transport
from meshi_conformance.contract.contract import load
from meshi_conformance.exchanges.recorder import Recorder
from meshi_conformance.exchanges.redaction import Redaction
from meshi_conformance.exchanges.spool import Spool
from meshi_conformance.target.target import Target
from meshi_reference.server import Address, running
from meshi_reference.settings import Settings

from .hostile import KEY, Connect


@pytest.fixture
def connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Make the suite's client for a base URL, with little patience; what it records goes to `tmp_path`."""
    monkeypatch.setattr(client, "TRIES", 2)
    made: list[Transport] = []

    def make(base: str, *, limiter: Limiter | None = None, **settings: Any) -> Api:
        quick = {"answer_seconds": 0.5, "run_deadline": 1.0, "poll_first": 0.02, "poll_most": 0.1}
        target = Target("hostile", base, **{"keys": {"main": KEY}, **quick, **settings})
        recorder = Recorder(load(), Redaction(target.secrets), tmp_path / f"spool-{len(made)}.jsonl", "w")
        transport = Transport(target, load(), recorder, "run", limiter)
        made.append(transport)
        return Api(transport)

    yield make
    for one in made:
        one.close()
        one.recorder.close()


@pytest.fixture
def events(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    """What the clients of the test have written down so far."""
    return lambda: list(Spool(tmp_path))


@pytest.fixture(scope="session")
def reference() -> Iterator[Address]:
    """A reference server in a thread."""
    with running(Settings(run_seconds=0.02)) as address:
        yield address
