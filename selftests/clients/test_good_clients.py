"""Good clients in other styles than the example's raise no alarm, in any scenario."""

from __future__ import annotations

import asyncio

import pytest

from .good_clients import GOOD_CLIENTS
from .trial import Trial, tried_all

OTHERS = [name for name in GOOD_CLIENTS if name != "httpx"]
"""Clients beside the example, which test_command runs."""


@pytest.fixture(scope="module")
def trials() -> dict[str, Trial]:
    """Every client in every scenario, three clients at a time: a client mostly waits, longer where others are busy."""
    found = asyncio.run(tried_all([(GOOD_CLIENTS[name], ()) for name in OTHERS], at_once=3, deadline=300))
    return dict(zip(OTHERS, found, strict=True))


@pytest.mark.parametrize("name", OTHERS)
def test_a_good_client_is_not_blamed(name: str, trials: dict[str, Trial]) -> None:
    trial = trials[name]
    assert trial.failed() == {}, trial.output()
    killed = [end.killed for one in trial.outcomes for end in one.watched.ends if end.killed]
    assert killed == []
