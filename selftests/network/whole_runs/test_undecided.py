"""What a target does to prevent a judgement: it breaks a requirement or leaves the run undecided; it never passes."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from meshi_conformance.errors import ConnectionBroken, KeyRefused, TransportTrouble
from meshi_reference.server import Address

from ..hostile import Connect, Events, Proxy, Request, Script, answer, auth, raw, refusal, reset, serving
from .suite import Run, run

EVENT = {"event_id": "e", "title": "T"}


# One input that breaks the connection


def blamed(events: Events) -> list[dict[str, Any]]:
    """The exchanges that are reported for breaking the connection."""
    charge = "server_errors.createEvent"
    return [one for one in events() if one["type"] == "exchange" and charge in dict(one["violations"])]


def breaks_on(word: bytes, how: str = "closed") -> Script:
    """Break the connection on each request with a word in it; accept every other one."""

    def script(request: Request, connection: socket.socket) -> bool:
        if word not in request.body:
            connection.sendall(answer(EVENT, "201 Created"))
            return True
        if how == "reset":
            reset(connection)
        elif how == "gateway":
            connection.sendall(raw("502 Bad Gateway", {"Content-Length": "3"}, b"bad"))
        elif how == "cut":
            connection.sendall(answer(EVENT, "201 Created")[:-4])
        return False

    return script


@pytest.mark.parametrize("how", ["closed", "reset", "gateway", "cut"])
def test_an_input_that_breaks_every_connection_is_the_targets_fault(how: str, connect: Connect, events: Events) -> None:
    with serving(breaks_on(b"crash", how)) as server:
        api = connect(server.base)
        assert api.create_event(EVENT).is_success
        with pytest.raises(ConnectionBroken, match="createEvent"):
            api.create_event({"event_id": "crash", "title": "T"})
        connections = [one.on_connection for one in server.requests if b"crash" in one.body]
    assert len(connections) == 3
    assert connections[1:] == [1, 1], "the repeats have connections of their own"
    (found,) = blamed(events)
    assert found["status"] == 0
    assert json.loads(found["request_body"])["event_id"] == "crash"


def test_a_connection_that_breaks_once_is_nobodys_fault(connect: Connect, events: Events) -> None:
    broken: list[int] = []

    def script(request: Request, connection: socket.socket) -> bool:
        if b"unlucky" in request.body and not broken:
            broken.append(request.number)
            return False
        connection.sendall(answer(EVENT, "201 Created"))
        return True

    with serving(script) as server:
        api = connect(server.base)
        assert api.create_event(EVENT).is_success
        with pytest.raises(TransportTrouble):
            api.create_event({"event_id": "unlucky", "title": "T"})
    assert not blamed(events)


def test_an_operation_that_breaks_every_connection_has_no_twin_to_prove_it(connect: Connect, events: Events) -> None:
    with serving(breaks_on(b"T")) as server, pytest.raises(TransportTrouble):
        connect(server.base).create_event(EVENT)
    assert not blamed(events)


def test_a_target_that_went_away_is_not_charged(connect: Connect, events: Events) -> None:
    gone = threading.Event()

    def script(request: Request, connection: socket.socket) -> bool:
        if gone.is_set():
            return False
        connection.sendall(answer(EVENT, "201 Created"))
        return True

    with serving(script) as server:
        api = connect(server.base)
        assert api.create_event(EVENT).is_success
        gone.set()
        with pytest.raises(TransportTrouble):
            api.create_event({"event_id": "f", "title": "T"})
    assert not blamed(events)


def test_a_run_that_meets_such_an_input_is_nonconformant(reference: Address, tmp_path: Path) -> None:
    def crashes(request: Request, connection: socket.socket) -> bool | None:
        return False if re.search(rb'"top_n": ?0\b', request.body) else None

    with serving(Proxy(reference.base, crashes)) as server:
        found = run(
            tmp_path / "report",
            *("--target", server.base, "--requirements", "limits.createMatchRun.top_n"),
            *("--requirements", "server_errors.createMatchRun"),
            environment=reference.env,
        )
    assert found.exit_code == 1, found.output
    assert set(found.verdicts("fail")) == {"limits.createMatchRun.top_n", "server_errors.createMatchRun"}
    assert found.document is not None
    row = next(one for one in found.document["requirements"] if one["id"] == "server_errors.createMatchRun")
    (evidence,) = [found.document["evidence"][one["exchange"]] for one in row["violations"]]
    assert json.loads(evidence["request_body"])["top_n"] == 0
    assert "three connections in a row" in evidence["no_answer"]


# Rows that are acknowledged and not known


def lagging(seconds: float, code: str = "EVENT_NOT_FOUND") -> Script:
    """Accept an event, and miss it in reads until so many seconds after the first one."""
    asked: list[float] = []

    def script(request: Request, connection: socket.socket) -> bool:
        if request.method == "POST":
            connection.sendall(answer(EVENT, "201 Created"))
            return True
        asked.append(time.monotonic())
        if asked[-1] - asked[0] < seconds:
            connection.sendall(answer(refusal(code), "404 Not Found"))
        else:
            connection.sendall(answer(EVENT))
        return True

    return script


def charged(events: Events) -> list[str]:
    return [one["requirement"] for one in events() if one["type"] == "violation"]


def test_a_read_that_misses_an_acknowledged_row_is_charged_and_waited_for(connect: Connect, events: Events) -> None:
    with serving(lagging(0.2)) as server:
        api = connect(server.base)
        assert api.get_event("e").status == 404, "nothing was acknowledged"
        assert api.create_event(EVENT).is_success
        assert api.get_event("e").is_success
        assert api.get_event("e").is_success
    assert charged(events) == ["acknowledged.event"]


@pytest.mark.parametrize(
    ("key", "code", "event_id"),
    [("other", "EVENT_NOT_FOUND", "e"), ("main", "ATTENDEE_NOT_FOUND", "e"), ("main", "EVENT_NOT_FOUND", "f")],
    ids=["another org", "another code", "another event"],
)
def test_only_what_was_acknowledged_to_the_org_is_waited_for(
    key: str, code: str, event_id: str, connect: Connect, events: Events
) -> None:
    with serving(lagging(60, code)) as server:
        api = connect(server.base, keys={"main": "conf-main-0123456789", "other": "conf-other-0123456789"})
        api.create_event(EVENT)
        assert api.as_key(key).get_event(event_id).status == 404
        assert len(server.requests) == 2
    assert charged(events) == []


def test_a_row_that_never_appears_is_given_up_and_soon_no_other_is_waited_for(
    connect: Connect, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshi_conformance.client.acknowledged.LONGEST_LAG", 0.3)
    with serving(lagging(60)) as server:
        api = connect(server.base)
        api.create_event(EVENT)
        for _ in range(5):
            assert api.get_event("e").status == 404
        reads = sum(one.method == "GET" for one in server.requests)
    assert reads < 30
    assert charged(events) == ["acknowledged.event"], "one row, one charge"


# Keys


def answered(request: Request, body: dict[str, object], status: str) -> bytes:
    """An answer that carries the correlation ID of its request."""
    correlation = request.header("x-correlation-id") or "cor-0123456789"
    return answer({**body, "correlation_id": correlation}, status, x_correlation_id=correlation)


def revoked_after(number: int) -> Script:
    """Answer 401 to every request after so many."""

    def script(request: Request, connection: socket.socket) -> bool:
        if request.number <= number or request.header("authorization") == "Bearer conf-fresh-key-0123456789":
            connection.sendall(answer(auth()))
        else:
            connection.sendall(answer(refusal("UNAUTHORIZED"), "401 Unauthorized"))
        return True

    return script


def test_a_key_that_ends_is_no_failure_and_nothing_more_is_asked_with_it(connect: Connect, events: Events) -> None:
    with serving(revoked_after(1)) as server:
        api = connect(server.base)
        assert api.get_auth().is_success
        for _ in range(3):
            with pytest.raises(KeyRefused, match="stopped accepting the key in main: listEvents") as raised:
                api.list_events()
        assert len(server.requests) == 4, "one refused call, and two that make sure"
    assert raised.value.cause_class == "credentials"
    assert [one["role"] for one in events() if one["type"] == "key_refused"] == ["main"]


def test_an_operation_that_refuses_a_good_key_is_answered_as_it_is(connect: Connect, events: Events) -> None:
    def script(request: Request, connection: socket.socket) -> bool:
        wrong = request.path == "/runs"
        connection.sendall(answer(refusal("UNAUTHORIZED"), "401 Unauthorized") if wrong else answer(auth()))
        return True

    with serving(script) as server:
        api = connect(server.base)
        assert api.list_runs().status == 401
        assert api.get_auth().is_success
    assert not [one for one in events() if one["type"] == "key_refused"]


def test_a_fresh_key_takes_the_place_of_one_that_ended(connect: Connect, events: Events, tmp_path: Path) -> None:
    command = f"{sys.executable} -c 'print(\"conf-fresh-key-0123456789\")'"
    with serving(revoked_after(1)) as server:
        api = connect(server.base, key_commands={"main": command})
        assert api.get_auth().is_success
        assert api.list_events().is_success
        assert api.list_runs().is_success
    assert not [one for one in events() if one["type"] == "key_refused"]
    for file in tmp_path.glob("*.jsonl"):
        assert b"conf-fresh-key" not in file.read_bytes()


def test_a_run_whose_key_ends_is_invalid_and_names_the_first_refusal(reference: Address, tmp_path: Path) -> None:
    count = 0

    def revokes(request: Request, connection: socket.socket) -> bool | None:
        nonlocal count
        if request.header("authorization") != f"Bearer {reference.env['MESHI_KEY']}":
            return None
        count += 1
        if count <= 60:
            return None
        connection.sendall(answered(request, refusal("UNAUTHORIZED"), "401 Unauthorized"))
        return True

    with serving(Proxy(reference.base, revokes)) as server:
        found = run(
            tmp_path / "report",
            *("--target", server.base, "--requirements", "status.*", "--requirements", "error.*"),
            environment=reference.env,
        )
    assert found.exit_code == 3, found.output
    assert found.document is not None
    assert found.document["outcome"] == "invalid"
    assert "stopped accepting the key in MESHI_KEY during the run, first in " in found.document["problems"][0]
    assert found.verdicts("fail") == []
    assert {one["cause_class"] for one in found.document["causes"]} == {"credentials"}


# Answers that cannot be read


def unreadable(run_: Run) -> set[str]:
    """The requirements of `GET /auth` that pass though no answer of it could be read."""
    return {name for name in run_.verdicts("pass") if name.endswith((".getAuth", ".getAuth.200"))}


@pytest.mark.parametrize(
    "page",
    [
        raw("500 Oops", {"Content-Type": "text/html", "Content-Length": "13"}, b"<html></html>"),
        raw("200 OK", {"Content-Type": "text/html", "Content-Length": "13"}, b"<html></html>"),
        raw("401 Unauthorized", {"Content-Length": "0"}, b""),
    ],
    ids=["an HTML 500", "an HTML 200", "an empty 401"],
)
def test_what_nobody_could_read_is_no_pass(page: bytes, reference: Address, tmp_path: Path) -> None:
    def odd(request: Request, connection: socket.socket) -> bool | None:
        if request.path != "/auth":
            return None
        connection.sendall(page)
        return True

    families = ("envelope", "correlation", "codes", "json", "schema")
    with serving(Proxy(reference.base, odd)) as server:
        found = run(
            tmp_path / "report",
            *("--target", server.base),
            *(word for one in families for word in ("--requirements", f"{one}.getAuth*")),
            environment=reference.env,
        )
    assert found.exit_code == 1, found.output
    assert unreadable(found) == set()
    assert {"json.getAuth", "correlation.getAuth"} <= set(found.verdicts("fail"))


def test_pages_without_a_row_show_nothing_of_rows(reference: Address, tmp_path: Path) -> None:
    def empty(request: Request, connection: socket.socket) -> bool | None:
        if not request.path.endswith("/identity") and "/identity?" not in request.path:
            return None
        correlation = request.header("x-correlation-id") or "cor-0123456789"
        page: dict[str, object] = {
            "event_id": "e",
            "attendee_id": "a",
            "items": [],
            "next_cursor": None,
            "correlation_id": correlation,
        }
        connection.sendall(answer(page, x_correlation_id=correlation))
        return True

    with serving(Proxy(reference.base, empty)) as server:
        found = run(
            tmp_path / "report",
            *("--target", server.base, "--requirements", "*.listAttendeeIdentity.200"),
            environment=reference.env,
        )
    assert found.document is not None
    rows = {one["id"]: one for one in found.document["requirements"]}
    assert rows["status.listAttendeeIdentity.200"]["verdict"] == "pass"
    row = rows["schema.listAttendeeIdentity.200"]
    assert (row["verdict"], row["cause_class"]) == ("inconclusive", "absent"), row["reason"]
    assert found.document["outcome"] == "partial"
    assert found.exit_code == 0


# A run that never ends


def test_runs_that_never_end_make_a_run_undecided(reference: Address, tmp_path: Path) -> None:
    runs: dict[str, dict[str, object]] = {}
    lock = threading.Lock()

    def endless(request: Request, connection: socket.socket) -> bool | None:
        if request.path.endswith("/enrichment-runs") and request.method == "POST":
            sent = json.loads(request.body)
            with lock:
                number = f"run_endless{len(runs)}"
                runs[number] = {
                    **RUN,
                    "run_id": number,
                    "event_id": request.path.split("/")[2],
                    "idempotency_key": sent["idempotency_key"],
                    "webhook_url": sent.get("webhook_url"),
                }
            connection.sendall(answered(request, {**runs[number], "status": "queued"}, "202 Accepted"))
            return True
        number = request.path.removeprefix("/runs/")
        if number in runs:
            connection.sendall(answered(request, {**runs[number], "status": "running"}, "200 OK"))
            return True
        return None

    file = tmp_path / "targets.toml"
    with serving(Proxy(reference.base, endless)) as server:
        file.write_text(f'[targets.stuck]\nbase = "{server.base}"\n[targets.stuck.waits]\nenrichment = 0.5\n')
        arguments = ["--targets-file", str(file), "--target", "stuck"]
        arguments += ["--requirements", "runs.terminal.final", "--requirements", "status.getAuth.200"]
        found = run(tmp_path / "report", *arguments, environment=reference.env)
        assert found.exit_code == 7, found.output
        allowed = run(tmp_path / "allowed", *arguments, "--allow-undecided", "1", environment=reference.env)
    assert found.document is not None
    assert found.document["outcome"] == "undecided"
    assert [one["cause_class"] for one in found.document["causes"]] == ["deadline"]
    assert allowed.exit_code == 0, allowed.output


MOMENT = "2031-03-10T12:00:00Z"
RUN: dict[str, object] = {
    "kind": "enrichment",
    "progress": {"total": 1},
    "idempotent_replay": False,
    "error": None,
    "snapshot_metadata": {},
    "version_metadata": {},
    "created_at": MOMENT,
    "updated_at": MOMENT,
    "started_at": None,
    "terminal_at": None,
}
