"""The HTTP/1.1 connection: uvicorn's, except that even what is no HTTP is answered in the error envelope."""

from __future__ import annotations

import logging

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from . import http
from .errors import ApiError

# Malformed requests are the client's trouble, and it is told so.
logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)


class Protocol(H11Protocol):
    """One client connection."""

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
