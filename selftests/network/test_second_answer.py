"""An answer counts for the request that it answers: what follows it is never taken for the next answer."""

from __future__ import annotations

import socket

import httpcore
import pytest

from meshi_conformance.client.network import Wire, _Stream
from selftests.network.hostile import Connect, Request, answer, auth, refusal, serving


def test_a_second_answer_is_not_charged_to_the_next_request(connect: Connect) -> None:
    extra = answer({**auth(), "smuggled": True, "correlation_id": "smuggled-00"}, x_correlation_id="smuggled-00")

    def script(request: Request, connection: socket.socket) -> bool:
        first = answer(refusal("EVENT_NOT_FOUND"), "404 Not Found") if "events" in request.path else answer(auth())
        connection.sendall(first + (extra if request.number == 1 else b""))
        return True

    with serving(script) as server:
        api = connect(server.base)
        assert api.get_auth().status == 200
        second = api.get_event("e-1")
        assert second.status == 404
        assert second.code == "EVENT_NOT_FOUND"
        assert second.correlation_id != "smuggled-00"
        assert [request.on_connection for request in server.requests] == [1, 1], "the connection is not used again"
        assert api.get_event("e-2").status == 404
        assert server.requests[-1].on_connection == 2, "a clean one is"


class Early:
    """A connection on which something can be read before a request was sent."""

    sent = b""

    def get_extra_info(self, name: str) -> object:
        return {"is_readable": True}.get(name)

    def write(self, data: bytes, timeout: float | None = None) -> None:
        self.sent += data


def test_an_answer_that_comes_before_the_request_is_none() -> None:
    wire, inner = Wire(), Early()
    wire.patience.begin(1.0)
    stream = _Stream(inner, wire)  # type: ignore[arg-type]
    with pytest.raises(httpcore.ConnectError, match="before it was asked"):
        stream.write(b"GET / HTTP/1.1")
    assert inner.sent == b""
