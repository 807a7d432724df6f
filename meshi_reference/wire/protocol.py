"""The HTTP/1.1 connection: uvicorn's, with three differences.

What is not HTTP gets the error envelope too, a silent client is disconnected, and the number of connections is bounded.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import ApiError
from . import http

# Malformed requests are the client's mistake, and the answer says so.
logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)

HEADER_SECONDS = 10.0
"""How long a client may take to send the header of a request."""

BODY_SECONDS = 30.0
"""How long a client may stay silent within a body."""

MOST_CONNECTIONS = 400
"""Past this number the connection that has been idle longest makes room for a new one. Ordinary systems allow a
process 1,024 descriptors."""


class Protocol(H11Protocol):
    """One client connection."""

    _timer: asyncio.TimerHandle | None = None
    _opened = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, in the place of an idle one where there are too many."""
        super().connection_made(transport)
        self._opened = self.loop.time()
        self._wait(HEADER_SECONDS)
        if len(self.connections) > MOST_CONNECTIONS:
            everyone: list[Any] = list(self.connections)
            idle = [one for one in everyone if one.cycle is None or one.cycle.response_complete]
            min(idle or [self], key=lambda one: one._opened).transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take in a part of a request."""
        super().data_received(data)
        if self.conn.their_state is h11.SEND_BODY:
            self._wait(BODY_SECONDS)
        elif self.conn.their_state is not h11.IDLE or not self.conn.trailing_data[0]:
            self._stop_waiting()
        elif self._timer is None:  # the time of a header is not prolonged by its parts
            self._wait(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def send_400_response(self, msg: str) -> None:
        """Answer a request that cannot be parsed, and close."""
        correlation_id = http.new_correlation_id()
        answer = http.error_response(ApiError("INVALID_REQUEST", msg), correlation_id)
        content = http.encode_json(answer.body or {})
        headers = [*http.response_headers(answer, content, correlation_id), (b"connection", b"close")]
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            for event in (
                h11.Response(status_code=answer.status, headers=headers),
                h11.Data(data=content),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
