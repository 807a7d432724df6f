"""mitmproxy's side of `meshi-conformance proxy`: hands over what passed, and changes none of it.

mitmproxy loads this file with its own Python, so it needs nothing of this package. Bodies are passed on chunk by chunk
and copied beside the stream. A thread writes to the pipe: where the judge cannot keep up, exchanges are dropped and
counted, and no client waits.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

from mitmproxy import ctx

MOST_BODY = 32 << 20
"""Bytes of a body that are kept."""

MOST_WAITING = 64 << 20
"""Bytes that wait for the judge at most."""


UNNEEDED = frozenset(
    {
        *("AntiCache", "AntiComp", "BlockList", "Comment", "Cut", "Export", "Onboarding", "ServerPlayback"),
        *("MapRemote", "MapLocal", "ModifyBody", "ModifyHeaders", "StickyAuth", "StickyCookie", "Save", "SaveHar"),
        *("Dumper", "UpdateAltSvc", "Browser", "CommandHistory", "DnsResolver", "KeepServing", "ProxyAuth"),
        *("ReadFile", "ReadFileStdin", "StripDnsHttpsRecords", "UpstreamAuth"),
    }
)
"""Parts of mitmproxy that look at each exchange, or would change one: a third of its time goes into them."""


class _Copy:
    """A body that is passed on as it comes and kept up to a limit."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.kept = 0

    def __call__(self, data: bytes) -> bytes:
        self.size += len(data)
        if self.size <= MOST_BODY:
            self.parts.append(data)
            self.kept += len(data)
        else:
            self.parts = []
        return data


class HandOver:
    """The addon."""

    def __init__(self) -> None:
        self._pipe = os.fdopen(int(os.environ["MESHI_PROXY_PIPE"]), "wb", buffering=0)
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._waiting = 0
        self._dropped = 0
        self._lock = threading.Lock()
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()

    def running(self) -> None:
        """Take out what is not needed."""
        addons = ctx.master.addons
        for one in [one for one in addons.chain if type(one).__name__ in UNNEEDED]:
            addons.remove(one)
        # Each event of an exchange is followed by one for screens that show it: there is no screen.
        addons.handle_lifecycle = addons.trigger_event

    def requestheaders(self, flow: Any) -> None:
        """Copy the request's body as it passes."""
        flow.metadata["meshi_request"] = flow.request.stream = _Copy()

    def responseheaders(self, flow: Any) -> None:
        """Copy the answer's body as it passes."""
        flow.metadata["meshi_response"] = flow.response.stream = _Copy()

    def response(self, flow: Any) -> None:
        """Hand over an exchange."""
        request, response = flow.request, flow.response
        self._put(
            {
                "type": "exchange",
                "method": request.method,
                "path": request.path,
                "request_headers": _headers(request),
                "request": _body(flow.metadata.get("meshi_request")),
                "status": response.status_code,
                "headers": _headers(response),
                "answer": _body(flow.metadata.get("meshi_response")),
                "began": request.timestamp_start,
                "ended": response.timestamp_end or response.timestamp_start,
            }
        )

    def error(self, flow: Any) -> None:
        """Hand over a request that got no whole answer."""
        if flow.request is not None:
            said = flow.error.msg if flow.error else ""
            self._put(
                {"type": "unanswered", "method": flow.request.method, "path": flow.request.path, "why": said[:200]}
            )

    def done(self) -> None:
        """Hand over the rest when the proxy ends."""
        self._put({"type": "done", "dropped": self._dropped})
        self._lines.put(None)
        self._writer.join(timeout=30)

    def _put(self, event: dict[str, Any]) -> None:
        line = json.dumps(event).encode() + b"\n"
        with self._lock:
            if self._waiting + len(line) > MOST_WAITING:
                self._dropped += 1
                return
            self._waiting += len(line)
        self._lines.put(line)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            view = memoryview(line)
            try:
                while view:
                    view = view[self._pipe.write(view) :]
            except OSError:
                return  # the reader has gone
            with self._lock:
                self._waiting -= len(line)
        self._pipe.close()


def _headers(message: Any) -> list[tuple[str, str]]:
    decode: Callable[[bytes], str] = lambda raw: raw.decode("latin-1")  # noqa: E731
    return [(decode(name), decode(value)) for name, value in message.headers.fields]


def _body(copy: _Copy | None) -> dict[str, Any]:
    if copy is None:
        return {"size": 0, "content": ""}
    return {"size": copy.size, "content": base64.b64encode(b"".join(copy.parts)).decode()}


addons = [HandOver()]
