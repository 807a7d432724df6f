"""Answers that no honest server gives: each ends in bounded time, as transport trouble or as a named violation."""

from __future__ import annotations

import gzip
import json
import socket
import time
import tracemalloc
import zlib

import pytest

from meshi_conformance.client.network import ANSWER_BYTES, decoded
from meshi_conformance.errors import TransportTrouble

from .hostile import Connect, Events, Request, Script, answer, auth, raw, refusal, reset, says, serving

MIB = 1024 * 1024


def trickles(head: bytes, drop: bytes, pause: float) -> Script:
    """Send a byte now and then, for ever."""

    def script(request: Request, connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(drop)
            time.sleep(pause)

    return script


def goes_silent(*parts: bytes) -> Script:
    """Send something and then nothing more, and keep the connection open."""

    def script(request: Request, connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
        time.sleep(20)

    return script


def floods(head: bytes, drop: bytes) -> Script:
    """Send the same for as long as somebody reads."""

    def script(request: Request, connection: socket.socket) -> None:
        connection.sendall(head)
        block = drop * max(1, MIB // len(drop))
        while True:
            connection.sendall(block)

    return script


def then_resets(*parts: bytes) -> Script:
    """Send something and resets the connection."""

    def script(request: Request, connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
        reset(connection)

    return script


def bomb(size: int, layers: int = 1) -> bytes:
    """A few bytes that decode to `size` zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = b"".join(packer.compress(b"0" * MIB) for _ in range(size // MIB)) + packer.flush()
    for _ in range(layers - 1):
        body = gzip.compress(body)
    return body


OK = answer(auth())
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-correlation-id: cor-0123456789\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LONG = HEAD + b"Content-Length: 5368709120\r\n\r\n"

NO_ANSWER: dict[str, tuple[Script, str]] = {
    "closed before the answer": (says(), "RemoteProtocolError"),
    "reset before the answer": (then_resets(), "ReadError|RemoteProtocolError"),
    "reset in the header": (then_resets(OK[:40]), "ReadError|RemoteProtocolError"),
    "reset in the body": (then_resets(OK[:-10]), "ReadError|RemoteProtocolError"),
    "closed in the body": (says(OK[:-10]), "RemoteProtocolError"),
    "never an answer": (goes_silent(), "ReadTimeout"),
    "stalled in the header": (goes_silent(OK[:30]), "ReadTimeout"),
    "stalled in the body": (goes_silent(OK[:-10]), "ReadTimeout"),
    "a header that trickles": (trickles(HEAD, b"x: y\r\n", 0.05), "ReadTimeout"),
    "a body that trickles": (trickles(CHUNKED, b"1\r\n \r\n", 0.05), "ReadTimeout"),
    "length beyond the body": (says(HEAD + b"Content-Length: 5000\r\n\r\n{}"), "RemoteProtocolError"),
    "two lengths": (says(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), "RemoteProtocolError"),
    "a length that is not a number": (says(HEAD + b"Content-Length: -7\r\n\r\n{}"), "RemoteProtocolError"),
    "a malformed chunk size": (says(CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n"), "RemoteProtocolError"),
    "a chunk that is too short": (says(CHUNKED + b"10\r\n{}\r\n0\r\n\r\n"), "RemoteProtocolError"),
    "chunks without an end": (says(CHUNKED + b"2\r\n{}\r\n"), "RemoteProtocolError"),
    "no HTTP": (says(b"SSH-2.0-OpenSSH_9.6\r\n"), "RemoteProtocolError"),
    "a header without a colon": (says(HEAD + b"nonsense\r\nContent-Length: 2\r\n\r\n{}"), "RemoteProtocolError"),
    "a header with NUL": (says(HEAD + b"x: \0\r\nContent-Length: 2\r\n\r\n{}"), "RemoteProtocolError"),
    "huge headers": (says(HEAD + b"x: " + b"y" * 2 * MIB + b"\r\nContent-Length: 2\r\n\r\n{}"), "Protocol|header"),
    "headers without end": (floods(HEAD, b"x: y\r\n"), "Protocol|header"),
    "interim answers without end": (floods(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), "header of more than"),
    "interim answers that trickle": (trickles(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02), "ReadTimeout"),
    "gigabytes": (floods(LONG, b'{"org_id": "'), "answer of more than 16 MiB"),
    "gigabytes in chunks": (floods(CHUNKED, b"400\r\n" + b" " * 1024 + b"\r\n"), "answer of more than 16 MiB"),
    "values without number": (says(answer(b"[" + b"[]," * 700_000 + b"1]")), "JSON values in one answer"),
    "a compression bomb": (says(answer(bomb(512 * MIB), Content_Encoding="gzip")), "decodes to more than 16 MiB"),
    "a bomb in a bomb": (says(answer(bomb(64 * MIB, 2), Content_Encoding="gzip, gzip")), "not asked for"),
    "an unknown coding": (says(answer(b"xxxx", Content_Encoding="br")), "not asked for"),
    "a coding that is a lie": (says(answer(b"{}", Content_Encoding="gzip")), "does not decode"),
    "a coded body that is cut": (says(answer(gzip.compress(b" " * 999)[:-9], Content_Encoding="gzip")), "cut short"),
    "switching protocols": (
        says(raw("101 Switching Protocols", {"Upgrade": "h2c", "Connection": "Upgrade"}, b"")),
        "RemoteProtocolError",
    ),
    "a gateway's page": (says(raw("502 Bad Gateway", {"Content-Length": "13"}, b"<html></html>")), "gateway"),
    "a gateway's empty answer": (says(raw("504 Gateway Timeout", {"Content-Length": "0"}, b"")), "gateway"),
    "a content network's page": (says(raw("522 Origin", {"Content-Length": "2"}, b"hi")), "gateway"),
}


@pytest.mark.parametrize("case", NO_ANSWER)
def test_what_is_no_answer_is_transport_trouble(case: str, connect: Connect) -> None:
    script, reason = NO_ANSWER[case]
    with serving(script) as server:
        started = time.monotonic()
        with pytest.raises(TransportTrouble, match=reason) as problem:
            # Volume is bounded whatever the time; a slow machine needs more of it to see that.
            connect(server.base, answer_seconds=20.0 if "more than" in reason else 0.5).get_auth()
        assert time.monotonic() - started < (20 if "more than" in reason else 4)
        assert problem.value.cause.startswith("transport")
        assert "getAuth" in str(problem.value)


DEEP = b"[" * 50_000 + b"]" * 50_000
NESTED = b'{"a":' * 400 + b"1" + b"}" * 400

VIOLATIONS: dict[str, tuple[bytes, set[str]]] = {
    "deep JSON": (answer(DEEP), {"json.getAuth"}),
    "JSON nested just beyond readers": (answer(NESTED), {"json.getAuth"}),
    "NaN": (answer(json.dumps(auth(org_id=float("nan"))).encode()), {"json.getAuth"}),
    "a repeated member": (answer(b'{"org_id": "a", "org_id": "b"}'), {"json.getAuth"}),
    "an integer of 5000 digits": (answer(b'{"x": ' + b"9" * 5000 + b"}"), {"json.getAuth"}),
    "a number beyond floats": (answer(b'{"x": 1e999}'), {"json.getAuth"}),
    "UTF-16": (
        answer(json.dumps(auth()).encode("utf-16"), Content_Type="application/json; charset=utf-16"),
        {"json.getAuth"},
    ),
    "Latin-1": (answer('{"org_id": "é"}'.encode("latin-1")), {"json.getAuth"}),
    "a length that cuts the body": (answer(json.dumps(auth()).encode(), Content_Length="10"), {"json.getAuth"}),
    "no body": (answer(b""), {"json.getAuth"}),
    "HTML": (
        answer(b"<html><script>alert(1)</script></html>", Content_Type="text/html"),
        {"json.getAuth", "content_type.getAuth"},
    ),
    "terminal escapes in the type": (
        answer(auth(), Content_Type="\x1b]0;gone\x07text/plain"),
        {"content_type.getAuth"},
    ),
    "a correlation header without value": (answer(auth(), x_correlation_id=""), {"correlation.getAuth"}),
    "a correlation header of 50 KB": (answer(auth(), x_correlation_id="c" * 50_000), {"correlation.getAuth"}),
    "a redirect to nowhere": (answer(b"", "302 Found", Location="https://\x1b[2J:x/"), {"json.getAuth"}),
    "a redirect": (answer(b"", "302 Found", Location="http://127.0.0.1:1/"), {"json.getAuth"}),
    "an error page of its own": (
        answer(b"<h1>500</h1>", "500 Oops", Content_Type="text/html"),
        {"json.getAuth", "content_type.getAuth", "server_errors.getAuth"},
    ),
    "an unavailable API that says so": (answer(refusal("UNAVAILABLE"), "503 No"), {"server_errors.getAuth"}),
    "an undefined status": (answer(refusal("X"), "799 Odd"), {"server_errors.getAuth"}),
}


@pytest.mark.parametrize("case", VIOLATIONS)
def test_what_is_a_wrong_answer_is_a_violation_of_its_requirement(case: str, connect: Connect) -> None:
    data, expected = VIOLATIONS[case]
    with serving(says(data)) as server:
        started = time.monotonic()
        exchange = connect(server.base).get_auth()
        assert time.monotonic() - started < 4
        assert expected <= {name for name, _ in exchange.violations}
        ours = {"json.getAuth", "content_type.getAuth", "server_errors.getAuth"}
        assert {name for name, _ in exchange.violations} & ours == expected & ours


HARMLESS = {
    "gzip": answer(gzip.compress(json.dumps(auth()).encode()), Content_Encoding="gzip"),
    "two gzip members": answer(
        gzip.compress(json.dumps(auth()).encode()) + gzip.compress(b" "), Content_Encoding="gzip"
    ),
    "deflate": answer(zlib.compress(json.dumps(auth()).encode()), Content_Encoding="deflate"),
    "chunks": CHUNKED + b"".join(b"1\r\n%c\r\n" % byte for byte in json.dumps(auth()).encode()) + b"0\r\n\r\n",
    "a few interim answers": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5 + OK,
    "no length": HEAD + b"\r\n" + json.dumps(auth()).encode(),
    "markup": answer(auth(org_id="</script><script>alert(1)</script><img src=x onerror=alert(1)>")),
    "terminal escapes": answer(auth(org_id="\x1b[2J\x1b]52;c;Zm9v\x07 \u202e::error::gone")),
    "a member of 8 MB": answer(auth(extra="x" * 8_000_000)),
    "headers of 60 KB": answer(auth(), x_padding="p" * 60_000),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_is_odd_and_valid_passes(case: str, connect: Connect) -> None:
    with serving(says(HARMLESS[case])) as server:
        exchange = connect(server.base).get_auth()
        assert exchange.is_success
        assert not [one for one in exchange.violations if one[0] != "correlation.getAuth"]


def test_a_bomb_is_not_decoded_beyond_the_bound() -> None:
    body = bomb(256 * MIB)
    tracemalloc.start()
    with pytest.raises(TransportTrouble):
        decoded(body, "gzip")
    assert tracemalloc.get_traced_memory()[1] < 3 * ANSWER_BYTES
    tracemalloc.stop()


def test_records_stay_small_whatever_came(connect: Connect, events: Events) -> None:
    drift = {f"member{number}": "\u00e9\x1b" * 100 for number in range(3000)}
    with serving(says(answer(auth(**drift), x_padding="p" * 60_000))) as server:
        connect(server.base).get_auth()
    record = next(one for one in events() if one["type"] == "exchange")
    assert len(json.dumps(record)) < 250_000
    assert len(record["drift"]) == 50
