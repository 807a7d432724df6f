"""The legacy base: the same service under its former address."""

from __future__ import annotations

import json

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.contract.contract import load
from meshi_conformance.errors import NothingThere, PollTimeout, SetupFailed
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.target.target import Target
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import requirement
from meshi_conformance.testing.valid_calls import Calls

OPERATIONS = load().operations


def legacy_read(api: Api, target: Target, path: str, key: str | None = "main", correlation_id: str = "") -> Exchange:
    """A read under the legacy base."""
    headers = {"x-correlation-id": correlation_id} if correlation_id else None
    return api.request("GET", path, base=target.legacy_base, key=key, headers=headers, idempotent=True)


@requirement("platform.legacy_alias.served")
def test_the_legacy_base_confirms_the_key(api: Api, given: Given, target: Target) -> None:
    current = given.require_success(api.get_auth())
    legacy = legacy_read(api, target, "/auth")
    assert legacy.is_success, f"{legacy.summary} under the legacy base"
    assert legacy["org_id"] == current["org_id"], "the two bases see the key in two orgs"


@pytest.mark.parametrize("operation", list(OPERATIONS))
@requirement("platform.legacy_alias.operations")
def test_an_operation_is_served_under_the_legacy_base(
    operation: str, api: Api, calls: Calls, given: Given, target: Target
) -> None:
    try:
        call = calls.of(operation)
    except (SetupFailed, PollTimeout, NothingThere):
        # A pair or a review that is not there is missed under either base.
        names = [one["name"] for one in OPERATIONS[operation].path_parameters()]
        call = Call(operation, path={name: given.name("none") for name in names})
    if OPERATIONS[operation].writes:
        # Every server of the operation refuses a body that cannot be read, and changes nothing.
        call = call.replace(content=b'{"conf": "cut')
    current, legacy = api.send(call), api.send(call.replace(base=target.legacy_base))
    assert (legacy.status, legacy.code) == (current.status, current.code), (
        f"{legacy.summary} under the legacy base, {current.summary} under the current one"
    )


@requirement("platform.legacy_alias.replay")
def test_an_import_is_replayed_under_the_legacy_base(api: Api, calls: Calls, given: Given, target: Target) -> None:
    call = calls.of("importAttendees")
    run_id = given.run_id(api.send(call))
    replay = api.send(call.replace(base=target.legacy_base))
    assert replay.status == 200, f"{replay.summary} to an import that the current base had accepted"
    assert replay["run_id"] == run_id, f"{replay.summary} with run {replay['run_id']}, the first call had {run_id}"


@requirement("platform.legacy_alias.reads")
def test_an_event_is_read_under_the_legacy_base(api: Api, given: Given, target: Target) -> None:
    event_id = given.event(title="Current")
    current = given.require_success(api.get_event(event_id))
    legacy = legacy_read(api, target, f"/events/{event_id}")
    assert legacy.is_success, f"{legacy.summary} under the legacy base"
    assert legacy["title"] == current["title"], "the two bases show the event with different titles"


@requirement("platform.legacy_alias.writes")
def test_an_event_created_under_the_legacy_base_is_read_under_the_current_one(
    api: Api, given: Given, target: Target
) -> None:
    given.event()
    request = given.event_request(title="Legacy")
    legacy = api.request(
        "POST",
        "/events",
        base=target.legacy_base,
        headers={"Content-Type": "application/json"},
        content=json.dumps(request).encode(),
    )
    assert legacy.is_success, f"{legacy.summary} under the legacy base"
    read = api.get_event(request["event_id"])
    assert read.is_success, f"{read.summary}: the event was created under the legacy base"
    assert read["title"] == legacy["title"], "the event is shown otherwise than the legacy base created it"


@requirement("platform.legacy_alias.keys")
def test_the_legacy_base_asks_for_a_key(api: Api, given: Given, target: Target) -> None:
    path = f"/events/{given.event()}"
    given.require_success(legacy_read(api, target, path))
    refused = legacy_read(api, target, path, key=None)
    assert refused.status_and_code == (401, "UNAUTHORIZED"), f"{refused.summary} without a key under the legacy base"


@requirement("platform.legacy_alias.correlation")
def test_the_legacy_base_returns_the_correlation_id(api: Api, given: Given, target: Target) -> None:
    event_id = given.event()
    for path in (f"/events/{event_id}", f"/events/{event_id}-none"):
        sent = given.name("legacy")[-64:]
        answer = legacy_read(api, target, path, correlation_id=sent)
        shown = answer.header("x-correlation-id"), answer["correlation_id"]
        assert shown == (sent, sent), f"{sent} was sent, header and body carry {shown}: {answer.summary}"
