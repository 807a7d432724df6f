"""A reference server that the unit tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshi_reference import server
from meshi_reference.settings import Settings

from .reference_api import Api


@pytest.fixture(scope="session")
def address() -> Iterator[server.Address]:
    """A server with quick runs."""
    with server.running(Settings(run_seconds=0.0, attendee_cap=50_000)) as started:
        yield started


@pytest.fixture(scope="session")
def api(address: server.Address) -> Api:
    """The key that may read and write."""
    return Api(address.base, address.env["MESHI_KEY"])


@pytest.fixture(scope="session")
def other(address: server.Address) -> Api:
    """The key of another org."""
    return Api(address.base, address.env["MESHI_OTHER_KEY"])
