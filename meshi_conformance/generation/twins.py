"""The plainest valid call of an operation, beside a made-up one that was refused."""

from __future__ import annotations

from ..client.transport import Api
from ..errors import CouldNotArrange
from ..testing.valid_calls import Calls


def accepted_twin(api: Api, calls: Calls, operation: str) -> None:
    """Raises CouldNotArrange where the plainest valid call of an operation is refused as well.

    Then the data, the order or the overlap of calls is not what is wrong.
    """
    if operation in ("resolveReview", "mergeReview"):
        return  # the plain call would use up what other tests need
    exchange = api.send(calls.of(operation))
    if not exchange.accepted:
        raise CouldNotArrange(
            f"a plain call is refused as well: {exchange.summary}",
            f"{operation} answered {exchange.status} {exchange.code or ''}".strip(),
        )
