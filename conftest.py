"""The fixtures that a conformance test may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.contract.contract import Contract
from meshi_conformance.generation.budget import Plan
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.shared_data import World
from meshi_conformance.testing.valid_calls import Calls

if TYPE_CHECKING:  # imported by name below, so that pytest can rewrite its assertions first
    from meshi_conformance.plugin.session import RunSession

pytest_plugins = ["meshi_conformance.plugin.options", "meshi_conformance.plugin.hooks"]


@pytest.fixture
def api(run_session: RunSession) -> Api:
    """Return the 25 operations, sent with the main key: the calls under test."""
    return run_session.api


@pytest.fixture
def given(run_session: RunSession) -> Given:
    """Arrange rows; what cannot be arranged leaves the test inconclusive."""
    return run_session.given


@pytest.fixture
def world(run_session: RunSession) -> World:
    """Return the data that was prepared once for the whole run."""
    return run_session.world


@pytest.fixture
def calls(run_session: RunSession) -> Calls:
    """Return the maker of valid calls, one for each operation."""
    return run_session.calls


@pytest.fixture
def contract(run_session: RunSession) -> Contract:
    """Return the contract as data."""
    return run_session.contract


@pytest.fixture
def target(run_session: RunSession) -> Any:
    """Return what is known of the server under test."""
    return run_session.target


@pytest.fixture
def plan(pytestconfig: pytest.Config) -> Plan:
    """How much a generated test may send, and the seed. Skips where nothing is to be generated."""
    found = Plan.of(pytestconfig.option)
    if not found.profile.requests:
        pytest.skip(f"generated tests are switched off: --profile {found.name}")
    return found
