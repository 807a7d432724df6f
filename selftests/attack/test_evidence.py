"""Evidence is exact: what is written down decodes to the bytes that went over the wire, and a curl line sends them."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from dataclasses import replace

import pytest

from meshi_conformance.exchanges.redaction import Redaction
from meshi_conformance.report.files import har

from ..network.hostile import answer, refusal, says, serving
from ..unit.answers import exchange

BODIES = [
    b'{"title": "plain"}',
    b'{"title": "\xff\xfe\x00 no UTF-8"}',
    b"\x00\x01\x1b[2J",
    '{"title": "it\'s \u202e `right` $(to) left\\"}'.encode(),
    b"@/etc/hostname",
    b"two\nlines\r\n",
    b"",
]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("body", BODIES, ids=repr)
def test_a_curl_line_sends_the_same_bytes(body: bytes) -> None:
    with serving(says(answer(refusal("X"), "400 Bad Request"))) as server:
        one = exchange("createEvent", 400, {}, sent={"Content-Type": "application/json", "X-Empty": ""}, request=body)
        line = one.record(Redaction({"main": "mk_secret_0123456789"}))["curl"]
        environment = {**os.environ, "MESHI_BASE": server.base, "MESHI_KEY": "mk_secret_0123456789"}
        done = subprocess.run(["sh", "-c", line], env=environment, capture_output=True, timeout=20)
        assert done.returncode == 0, done.stderr
        (request,) = server.requests
    assert request.body == body
    assert request.method == "POST"
    assert request.header("authorization") == "Bearer mk_secret_0123456789"
    assert request.header("x-empty") == ""


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_a_curl_line_adds_no_content_type_of_its_own() -> None:
    with serving(says(answer(refusal("X"), "400 Bad Request"))) as server:
        one = exchange("createEvent", 400, {}, request=b"{}")
        subprocess.run(["sh", "-c", one.curl()], env={**os.environ, "MESHI_BASE": server.base}, timeout=20, check=True)
        assert server.requests[0].header("content-type") is None


@pytest.mark.parametrize("body", BODIES, ids=repr)
def test_bodies_are_kept_byte_by_byte(body: bytes) -> None:
    one = replace(exchange("createEvent", 400, raw=body, request=body), started=1.0)
    record = one.record(Redaction({"main": "mk_secret_0123456789"}))
    document = {"suite": {"name": "n", "version": "1"}, "target": {"base": "http://x"}}
    entry = "".join(har.parts(document, [{"type": "exchange", **record}]))
    for kept, encoding in (
        (record["body"], record["body_encoding"]),
        (record["request_body"], record["request_body_encoding"]),
    ):
        assert (base64.b64decode(kept) if encoding else kept.encode()) == body
    assert (
        ('"encoding": "base64"' in entry) == ('"_encoding": "base64"' in entry) == (record["body_encoding"] is not None)
    )
