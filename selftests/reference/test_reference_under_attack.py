"""The reference server where others can reach it: silent clients, two lengths, deep JSON, full disks."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from meshi_conformance.target.reference_process import Embedded
from meshi_reference import server, work
from meshi_reference.settings import Settings
from meshi_reference.wire import protocol
from meshi_reference.wire.http import MOST_LEVELS
from selftests.reference.reference_api import Api


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[server.Address]:
    """Serve with little patience and few connections."""
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.5)
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.5)
    monkeypatch.setattr(protocol, "MOST_CONNECTIONS", 20)
    with server.running(Settings(run_seconds=0.0)) as started:
        yield started


def connected(address: server.Address, sent: bytes = b"") -> socket.socket:
    parts = urlsplit(address.base)
    made = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)
    made.sendall(sent)
    return made


def head(address: server.Address, *lines: str, method: str = "GET", path: str = "/auth") -> bytes:
    key = address.env["MESHI_KEY"]
    text = "\r\n".join([f"{method} /api/v0/partner{path} HTTP/1.1", "Host: x", f"Authorization: Bearer {key}", *lines])
    return text.encode() + b"\r\n"


@pytest.mark.parametrize("sent", ["nothing", "half a header", "half a body"])
def test_a_client_that_stays_silent_is_let_go(sent: str, quick: server.Address) -> None:
    begun = {
        "nothing": b"",
        "half a header": head(quick),
        "half a body": head(quick, "Content-Length: 1000", method="POST", path="/events") + b"\r\n{",
    }[sent]
    with connected(quick, begun) as connection, contextlib.suppress(ConnectionResetError):
        assert connection.recv(1000) == b""
    assert Api(quick.base, quick.env["MESHI_KEY"]).get("/auth").status_code == 200


def test_a_header_that_drips_is_cut_off(quick: server.Address) -> None:
    with connected(quick, head(quick)) as connection:
        started = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - started < 10:
                connection.sendall(b"X: y\r\n")
                time.sleep(0.1)
        assert time.monotonic() - started < 10


def test_a_kept_connection_is_not_cut_off_between_requests(quick: server.Address) -> None:
    with connected(quick) as connection:
        for _ in range(3):
            connection.sendall(head(quick) + b"\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
            time.sleep(0.7)
            connection.setblocking(False)
            with suppress(BlockingIOError):
                connection.recv(65_536)  # the body may come apart from the head
            connection.setblocking(True)


def test_silent_connections_lock_nobody_out(quick: server.Address) -> None:
    silent = [connected(quick) for _ in range(60)]
    try:
        for _ in range(5):
            assert Api(quick.base, quick.env["MESHI_KEY"]).get("/auth").status_code == 200
    finally:
        for one in silent:
            one.close()


def test_a_request_with_two_lengths_ends_its_connection(address: server.Address) -> None:
    smuggled = head(address, "X: smuggled") + b"\r\n"
    for lines in (
        ("Content-Length: 6", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 6"),
    ):
        begun = head(address, *lines, method="POST", path="/events") + b"\r\n0\r\n\r\n" + smuggled
        received = b""
        with connected(address, begun) as connection, contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65_536):
                received += chunk
        assert received.count(b"HTTP/1.1 ") == 1
        assert b"connection: close" in received.lower()


@pytest.mark.parametrize(
    ("levels", "status"), [(MOST_LEVELS - 2, 201), (MOST_LEVELS + 1, 400), (5_000, 400), (200_000, 400)]
)
@pytest.mark.parametrize(("opens", "closes"), [('{"a":', "}"), ("[", "]")], ids=["objects", "arrays"])
def test_the_depth_of_json_is_bounded(api: Api, opens: str, closes: str, levels: int, status: int) -> None:
    deep = opens * levels + "1" + closes * levels
    body = f'{{"idempotency_key": "deep-{levels}-{len(opens)}", "kind": "match", "progress": {{"x": {deep}}}}}'
    answer = api.http.post(f"{api.base}/runs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text[:300]
    assert status == 201 or answer.json()["code"] == "INVALID_JSON"
    assert api.get("/runs?limit=1").status_code == 200


def test_the_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "api.db"
    before = os.umask(0)
    try:
        with server.running(Settings(db=str(file))) as started:
            Api(started.base, started.env["MESHI_KEY"]).event()
            modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes["api.db"] == 0o600
    assert set(modes.values()) == {0o600}


def test_accepted_runs_go_on_when_a_full_disk_has_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own limit takes the place of the disk's: the error is the same."""
    monkeypatch.setattr(work, "FULL_DISK_SECONDS", 0.02)
    full: dict[str, Any] = {}
    original = work.execute

    async def execute(services: Any, seq: int) -> None:
        full.setdefault("connection", services.storage.connection)
        await original(services, seq)

    monkeypatch.setattr(work, "execute", execute)
    with server.running(Settings(run_seconds=0.2)) as started:
        api = Api(started.base, started.env["MESHI_KEY"])
        event = api.event()
        people = [{"attendee_id": f"a-{number}", "name": "n" * 200} for number in range(300)]
        path = f"/events/{event}/attendees:import"
        run = api.call("PUT", path, {"idempotency_key": "k-1", "attendees": people}).json()["run_id"]
        while "connection" not in full:
            time.sleep(0.005)
        pages = full["connection"].execute("PRAGMA page_count").fetchone()[0]
        full["connection"].execute(f"PRAGMA max_page_count = {pages}")
        time.sleep(0.6)
        assert api.get(f"/runs/{run}").json()["status"] not in ("succeeded", "failed")
        refused = api.call("POST", "/events", {"event_id": "late", "title": "t" * 100, "description": "d" * 3000})
        full["connection"].execute("PRAGMA max_page_count = 1073741823")
        end = time.monotonic() + 20
        while api.get(f"/runs/{run}").json()["status"] != "succeeded":
            assert time.monotonic() < end, api.get(f"/runs/{run}").text
            time.sleep(0.05)
        assert refused.status_code in (201, 500)
        assert api.call("POST", "/events", {"event_id": "later", "title": "t"}).status_code == 201


def test_a_broken_commit_leaves_no_transaction_open() -> None:
    from meshi_reference.storage import open_storage

    storage = open_storage(Settings())

    def broken() -> None:
        with storage.transaction():
            storage.execute("PRAGMA defer_foreign_keys = ON")
            storage.execute("INSERT INTO run_inputs (run_seq, position, body) VALUES (99, 0, '')")

    with pytest.raises(sqlite3.IntegrityError):
        broken()
    assert not storage.connection.in_transaction
    with storage.transaction():
        storage.execute("DELETE FROM run_inputs")
    storage.close()


def test_an_embedded_server_that_logs_much_does_not_stand_still() -> None:
    embedded = Embedded(("--fault", "lists.events.odd_limit.broken"))
    try:
        target = embedded.target()
        headers = {"Authorization": f"Bearer {target.keys['main']}"}
        with httpx.Client(timeout=20, headers=headers) as client:
            for _ in range(120):
                assert client.get(f"{target.base}/events?limit=abc").status_code == 500
    finally:
        embedded.stop()


def test_an_embedded_server_that_cannot_start_says_why() -> None:
    embedded = Embedded(("--fault", "no.such.fault"))
    with pytest.raises(Exception, match="did not start: meshi_reference: no fault is called"):
        embedded.target()
