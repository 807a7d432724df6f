"""A live reverse proxy on mitmproxy, which runs as a process of its own: what passes it is judged beside it."""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...errors import UsageError
from ...exchanges.exchange import Exchange
from ..state.observation import Coverage
from .har_entry import DROPPED_ANSWER_HEADERS, KEPT_REQUEST_HEADERS, key_of
from .recording import MOST_KEYS

ADDON = Path(__file__).with_name("proxy_addon.py")

PATIENCE = 20.0
"""Seconds that mitmproxy is given to end."""

INSTALL = (
    "Install it beside the suite, `pip install 'meshi-conformance[proxy]'`, or by itself, `pipx install mitmproxy`; "
    "--mitmdump PATH names one that is elsewhere."
)


@dataclass
class Passed:
    """What passed the proxy: an exchange with the name of its key, or a request that got no answer."""

    method: str
    exchange: Exchange | None = None
    coverage: Coverage = field(default_factory=Coverage)
    why: str = ""


class Proxy:
    """mitmproxy in front of one server. `keys` maps each key that was seen to a name."""

    def __init__(
        self, base: str, port: int, *, host: str = "127.0.0.1", mitmdump: str | None = None, ca: Path | None = None
    ) -> None:
        program = mitmdump or find()
        if program is None:
            raise UsageError(f"mitmproxy is not installed, and the proxy needs it. {INSTALL}")
        _free(host, port)
        parts = urlsplit(base)
        self.base = base
        self.keys: dict[str, str] = {}
        self.dropped = 0
        self._count = 0
        self._path = parts.path.rstrip("/")
        read, write = os.pipe()
        options = ["--mode", f"reverse:{parts.scheme}://{parts.netloc}", "--listen-host", host]
        options += ["--listen-port", str(port), "--quiet", "--scripts", str(ADDON)]
        options += ["--set", "connection_strategy=lazy", "--set", "validate_inbound_headers=false"]
        options += ["--set", f"ssl_verify_upstream_trusted_ca={ca}"] if ca else []
        try:
            self._process = subprocess.Popen(
                [program, *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**_without_keys(), "MESHI_PROXY_PIPE": str(write)},
                pass_fds=(write,),
                process_group=0,  # Ctrl-C is for this process, which then ends the other one
            )
        except OSError as problem:
            os.close(read)
            raise UsageError(f"{program} cannot be started: {problem.strerror}. {INSTALL}") from None
        finally:
            os.close(write)
        self._pipe = os.fdopen(read, "rb")
        self._wait_until_it_listens(host, port)

    def passed(self) -> Iterator[Passed]:
        """Return what passes, until the proxy has ended."""
        for line in self._pipe:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # the last line of a proxy that was killed
            if event["type"] == "exchange":
                yield self._exchange(event)
            elif event["type"] == "unanswered":
                yield Passed(event["method"], why=event["why"])
            elif event["type"] == "done":
                self.dropped = event["dropped"]

    def _wait_until_it_listens(self, host: str, port: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while self._process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection((host, port), timeout=1):
                if self._process.poll() is None:
                    return
            time.sleep(0.05)
        self._process.kill()
        said = (self._process.communicate()[0] or b"").decode(errors="replace").strip()
        self._pipe.close()
        raise UsageError(f"mitmproxy did not start on {host}:{port}: {said[-400:] or 'it did not listen in time'}.")

    def stop(self) -> None:
        """Ask mitmproxy to end; what it has still to hand over can be read until then."""
        if self._process.poll() is None:
            self._process.terminate()

    def close(self) -> None:
        """End mitmproxy, gently first."""
        self.stop()
        try:
            self._process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pipe.close()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _exchange(self, event: dict[str, Any]) -> Passed:
        self._count += 1
        headers = [(name, value) for name, value in event["headers"]]
        sent = [(name, value) for name, value in event["request_headers"]]
        content, content_known = _body(event["request"], sent)
        body, body_known = _body(event["answer"], headers)
        bearer = next((value for name, value in sent if name.lower() == "authorization"), None)
        party = self._party(bearer)
        path = event["path"]
        below = path.startswith(self._path)
        exchange = Exchange(
            id=str(self._count),
            operation=None,
            test=f"proxy, exchange {self._count}",
            method=event["method"].upper(),
            path=(path[len(self._path) :] or "/") if below else path,
            key=None if party is None else "main",
            request_headers={
                "x-correlation-id" if name.lower() == "x-correlation-id" else name: value
                for name, value in sent
                if name.lower() in KEPT_REQUEST_HEADERS
            },
            request_body=content if content or event["request"]["size"] else None,
            status=event["status"],
            headers=[pair for pair in headers if pair[0].lower() not in DROPPED_ANSWER_HEADERS],
            body=body,
            started=event["began"],
            elapsed=max(0.0, event["ended"] - event["began"]),
            request_size=None if content_known else event["request"]["size"],
            other_base=None if below else self.base.removesuffix(self._path),
        )
        return Passed(event["method"], exchange, Coverage(content_known, True, body_known, party=party))

    def _party(self, bearer: str | None) -> str | None:
        if bearer is None or not bearer.strip().lower().startswith("bearer"):
            return None
        key = key_of(bearer) or bearer
        if key not in self.keys and len(self.keys) < MOST_KEYS:
            self.keys[key] = f"key {len(self.keys) + 1}"
        return self.keys.get(key)


def _free(host: str, port: int) -> None:
    try:
        socket.create_server((host, port)).close()
    except (OSError, OverflowError) as problem:
        raise UsageError(
            f"The proxy cannot listen on {host}:{port}: {getattr(problem, 'strerror', None) or problem}. "
            "Choose another --port."
        ) from None


def find() -> str | None:
    """Find mitmdump beside this Python, or on the PATH."""
    beside = Path(sys.executable).with_name("mitmdump")
    return str(beside) if beside.exists() else shutil.which("mitmdump")


def _without_keys() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("MESHI_")}


def _body(part: dict[str, Any], headers: list[tuple[str, str]]) -> tuple[bytes, bool]:
    """Return a body without its content coding, and whether it is all there."""
    raw = base64.b64decode(part["content"])
    if len(raw) < part["size"]:
        return b"", False
    coding = next((value for name, value in headers if name.lower() == "content-encoding"), "").strip().lower()
    decode = CODINGS.get(coding)
    try:
        return (decode(raw), True) if decode is not None else (b"", False)
    except (OSError, EOFError, zlib.error):
        return b"", False


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}
"""Content codings that are read; a body in another one is passed on and not judged."""
