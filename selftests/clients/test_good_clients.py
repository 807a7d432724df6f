"""Good clients in other styles than the example's raise no alarm, in any scenario."""

from __future__ import annotations

import asyncio

import pytest

from .good_clients import GOOD_CLIENTS
from .trial import tried_all


@pytest.mark.parametrize("name", [name for name in GOOD_CLIENTS if name != "httpx"])
def test_a_good_client_is_not_blamed(name: str) -> None:
    (trial,) = asyncio.run(tried_all([(GOOD_CLIENTS[name], ())]))
    assert trial.failed() == {}, trial.output()
    killed = [end.killed for one in trial.outcomes for end in one.watched.ends if end.killed]
    assert killed == []
