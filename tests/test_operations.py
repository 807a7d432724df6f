"""Every operation once as documented: its success, and what holds for every answer it gives."""

from __future__ import annotations

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.contract.contract import load
from meshi_conformance.contract.operations import Operation
from meshi_conformance.errors import SetupFailed
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.valid_calls import Calls

OPERATIONS = load().operations
CONSUMING = ("resolveReview", "mergeReview")
"""Their success uses up a review: test_identity.py judges it."""

ON_REFUSAL = ("envelope", "codes", "json", "correlation", "content_type", "server_errors")
"""The families that a refusal is judged by."""


def cited_on_success(operation: Operation) -> list[str]:
    """What a first accepted call of an operation judges."""
    first = max(operation.responses)
    families = ["status", "schema"] + (["shape"] if operation.responses[first].has_implied else [])
    names = [f"{family}.{operation.id}.{first}" for family in families]
    families = ["json", "correlation", "content_type", "server_errors", "boundary"]
    return names + [f"{family}.{operation.id}" for family in families]


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(operation, marks=requirement(*cited_on_success(operation)), id=operation.id)
        for operation in OPERATIONS.values()
        if operation.id not in CONSUMING
    ],
)
def test_a_valid_call_is_accepted_with_the_documented_answer(
    operation: Operation, api: Api, calls: Calls, given: Given, judge: Judge
) -> None:
    # Other calls bring no ID of their own; a success that does is not left to chance.
    call = calls.of(operation.id).replace(headers={"x-correlation-id": given.name("correlation")})
    exchange = api.send(call)
    # What is not an ID of this request is shown again: the recorder then reports the answers that showed it.
    again = api.send(read_of(call))
    first = max(operation.responses)
    for name in cited_on_success(operation):
        with judge(name):
            if name.startswith("status."):
                assert exchange.status == first, f"{exchange.summary}, documented is {first}"
            elif name.startswith(("schema.", "shape.", "boundary.")):
                given.require_success(exchange)
            assert not exchange.violations_of(name), exchange.violations_of(name)[0]
            if name.startswith("boundary."):
                given.require_success(again)
                assert not again.violations_of(name), again.violations_of(name)[0]


def read_of(call: Call) -> Call:
    """A call that shows once more what a call has shown: the same again, or a read of what it created."""
    if call.operation == "createEvent":
        return Call("getEvent", path={"event_id": call.body["event_id"]})
    if call.operation == "createSession":
        return Call("getSession", path={**call.path, "session_id": call.body["session_id"]})
    return call.replace(headers={})


def body_families(operation: Operation) -> tuple[str, ...]:
    """The families of requirements on the body of a replay; `shape` exists where the pages leave members implied."""
    return ("schema", "shape") if operation.responses[200].has_implied else ("schema",)


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(
            operation,
            marks=requirement(
                *(f"{family}.{operation.id}.200" for family in ("status", *body_families(operation))),
            ),
            id=operation.id,
        )
        for operation in OPERATIONS.values()
        if operation.creates_run
    ],
)
def test_a_replayed_write_is_accepted_with_the_documented_answer(
    operation: Operation, api: Api, calls: Calls, given: Given, judge: Judge
) -> None:
    call = calls.of(operation.id)
    given.require_success(api.send(call))
    replay = api.send(call)
    with judge(f"status.{operation.id}.200"):
        assert replay.status == 200, f"{replay.summary} to the same key again, documented is 200"
    for family in body_families(operation):
        name = f"{family}.{operation.id}.200"
        with judge(name):
            given.require_success(replay)
            assert not replay.violations_of(name), replay.violations_of(name)[0]


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(
            operation,
            marks=requirement(*(f"{family}.{operation}" for family in ON_REFUSAL)),
            id=operation,
        )
        for operation in OPERATIONS
    ],
)
def test_a_refusal_is_the_error_envelope(operation: str, api: Api, calls: Calls, judge: Judge) -> None:
    call = calls.of(operation)
    refusals = [api.send(one) for one in (call.replace(key=None), *malformed(call))]
    for exchange in refusals:
        if exchange.is_success:
            raise SetupFailed(f"nothing to judge a refusal by: {exchange.summary}", f"{operation} refuses nothing")
    for family in ON_REFUSAL:
        name = f"{family}.{operation}"
        for exchange in refusals:
            with judge(name):
                assert not exchange.violations_of(name), exchange.violations_of(name)[0]


def malformed(call: Call) -> list[Call]:
    """The call with its first path ID malformed, where it has one."""
    for name in ("event_id", "partner_id", "run_id", "review_id"):
        if name in call.path:
            return [call.with_path(**{name: "-conf malformed-"})]
    return []
