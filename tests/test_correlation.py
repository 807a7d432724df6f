"""Correlation IDs: the client's own comes back on every class of answer, and one is made where none was sent."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.errors import SetupFailed
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import requirement
from meshi_conformance.testing.shared_data import World

HEADER = "x-correlation-id"


def new_id() -> str:
    """A correlation ID that is usable by any reading."""
    return f"conf-{secrets.token_hex(8)}"


def assert_carries(exchange: Exchange, sent: str) -> None:
    shown = exchange.header(HEADER), exchange["correlation_id"]
    assert shown == (sent, sent), f"{sent!r} was sent, header and body carry {shown}: {exchange.summary}"


def read(world: World) -> Call:
    return Call("getEvent", path={"event_id": world.event.id})


ANSWERS: dict[str, tuple[Callable[[Given, World], Call], range]] = {
    "success": (lambda given, world: read(world), range(200, 300)),
    "bad_request": (lambda given, world: Call("createEvent", body=given.event_request(title=None)), range(400, 401)),
    "unauthorized": (lambda given, world: read(world).replace(key=None), range(401, 402)),
    "forbidden": (lambda given, world: Call("createEvent", body=given.event_request(), key="read"), range(403, 404)),
    "not_found": (lambda given, world: read(world).with_path(event_id=given.name("none")), range(404, 405)),
    "conflict": (
        lambda given, world: Call("createEvent", body=given.event_request(event_id=world.event.id)),
        range(409, 410),
    ),
}
"""A call that earns each class of answer, and the statuses of that class."""


@pytest.mark.parametrize(
    "answer", [pytest.param(one, marks=requirement(f"correlation.echo.{one}"), id=one) for one in ANSWERS]
)
def test_the_clients_own_id_comes_back(answer: str, api: Api, given: Given, world: World) -> None:
    build, statuses = ANSWERS[answer]
    sent = new_id()
    exchange = api.send(build(given, world).replace(headers={HEADER: sent}))
    if exchange.status not in statuses:
        # That the call earns this status is for the tests of errors to judge.
        raise SetupFailed(f"{exchange.summary}, not {statuses[0]}", f"no {statuses[0]} could be provoked")
    assert_carries(exchange, sent)


@requirement("correlation.echo.forms")
@pytest.mark.parametrize(
    "sent",
    ["Conf-Trace-4F2A9C", "CONF0042", "00000042", "conf_trace_under", "-conf-trace-", "_conf_trace_", "A1b2-C3d" * 8],
    ids=["capitals", "eight", "digits", "underscores", "hyphen_first", "underscore_first", "sixty_four"],
)
def test_an_id_comes_back_as_it_was_written(sent: str, api: Api) -> None:
    assert_carries(api.send(Call("getAuth", headers={HEADER: sent})), sent)


@requirement("correlation.echo.concurrent")
def test_simultaneous_requests_get_their_own_ids_back(api: Api, world: World) -> None:
    sent = [new_id() for _ in range(16)]
    for exchange, one in zip(
        api.send_concurrently(read(world).replace(headers={HEADER: one}) for one in sent), sent, strict=True
    ):
        assert_carries(exchange, one)


def without_id(api: Api, call: Call) -> Exchange:
    """An answer to a request that carried no correlation ID; the client adds one to every other request."""
    while HEADER in (exchange := api.send(call)).request_headers:
        pass
    return exchange


@requirement("correlation.made")
def test_an_id_is_made_where_none_was_sent(api: Api, given: Given, world: World) -> None:
    for call in (read(world), read(world).with_path(event_id=given.name("none")), read(world).replace(key=None)):
        exchange = without_id(api, call)
        made = exchange.header(HEADER)
        assert made, f"no {HEADER} header on {exchange.summary}"
        assert exchange["correlation_id"] == made, f"header and body carry different IDs: {exchange.summary}"


@requirement("correlation.unique")
def test_every_made_id_is_another(api: Api, world: World) -> None:
    first, second = (without_id(api, read(world)) for _ in range(2))
    assert first.correlation_id != second.correlation_id, f"two answers carry {first.correlation_id!r}"


@requirement("correlation.odd")
@pytest.mark.parametrize("sent", ["c" * 300, 'conf "quoted" \\ id'], ids=["long", "quoted"])
def test_an_unusual_id_is_the_same_in_header_and_body(sent: str, api: Api) -> None:
    exchange = api.send(Call("getAuth", headers={HEADER: sent}))
    carried = exchange.header(HEADER)
    assert carried, f"no {HEADER} header on {exchange.summary}"
    assert exchange["correlation_id"] == carried, f"header and body carry different IDs: {exchange.summary}"
