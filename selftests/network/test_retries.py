"""What is sent again after trouble, and what never is; where keys go; how limits are shared."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from meshi_conformance.client import transport as client
from meshi_conformance.client.rate_limiter import Limiter
from meshi_conformance.errors import AnswerLost, CeilingReached, ConnectionBroken, NotPermitted, TransportTrouble
from meshi_conformance.exchanges.created_rows import listed
from meshi_conformance.exchanges.redaction import Redaction
from meshi_conformance.testing.arrange import Given
from meshi_reference.server import Address

from .hostile import KEY, Connect, Events, Proxy, Request, Script, answer, auth, raw, refusal, reset, says, serving

EVENT = {"event_id": "e", "title": "T"}
RUN = {"idempotency_key": "k"}


def first_fails(fault: Script, then: Script) -> Script:
    """A fault for the first request, the other script from then on."""
    return lambda request, connection: (fault if request.number == 1 else then)(request, connection)


def resets(request: Request, connection: socket.socket) -> None:
    reset(connection)


GATEWAY = says(raw("503 Service Unavailable", {"Content-Length": "4"}, b"busy"), keep=True)
FAULTS = {"reset": resets, "closed": says(), "gateway": GATEWAY, "truncated": says(answer(auth())[:-9])}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_read_is_repeated(fault: str, connect: Connect, events: Events) -> None:
    with serving(first_fails(FAULTS[fault], says(answer(auth()), keep=True))) as server:
        assert connect(server.base).get_auth().is_success
        assert len(server.requests) == 2
    assert [one["what"] for one in events() if one["type"] == "trouble"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_write_without_an_idempotency_key_is_never_repeated(fault: str, connect: Connect, events: Events) -> None:
    with serving(FAULTS[fault]) as server:
        with pytest.raises(TransportTrouble):
            connect(server.base).create_event(EVENT)
        assert len(server.requests) == 1
    assert [one["rows"] for one in events() if one["type"] == "sending"], "it may exist, so the ledger must have it"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_write_is_repeated_with_its_idempotency_key(fault: str, connect: Connect) -> None:
    accepted = says(answer({**RUN, "run_id": "r"}, "202 Accepted"), keep=True)
    with serving(first_fails(FAULTS[fault], accepted)) as server:
        assert connect(server.base).create_match_run("e", RUN).status == 202
        assert len(server.requests) == 2
        assert server.requests[0].body == server.requests[1].body


def test_a_replay_after_a_lost_answer_is_not_judged(connect: Connect) -> None:
    replay = says(answer({**RUN, "run_id": "r", "idempotent_replay": True}), keep=True)
    lost = pytest.raises(TransportTrouble, match="earlier attempt had no answer")
    with serving(first_fails(resets, replay)) as server, lost:
        connect(server.base).create_match_run("e", RUN)
    with serving(first_fails(resets, replay)) as server:
        api = connect(server.base)
        with api.transport.recorder.outside_test():
            assert api.create_match_run("e", RUN).is_success, "to prepare the world a replay is good enough"


def test_what_was_not_sent_is_sent_again_whatever_it_is(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    started = time.monotonic()

    def later() -> None:
        time.sleep(0.3)
        listener = socket.create_server(("127.0.0.1", port))
        connection, _ = listener.accept()
        connection.recv(65_536)
        connection.sendall(answer(EVENT, "201 Created"))
        connection.close()
        listener.close()

    threading.Thread(target=later, daemon=True).start()
    assert connect(f"http://127.0.0.1:{port}/api/v0/partner").create_event(EVENT).status == 201
    assert time.monotonic() - started < 3


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


UNREACHABLE: dict[str, Callable[[], str]] = {
    "refused": lambda: f"http://127.0.0.1:{unused_port()}/api",
    "no such host": lambda: "http://conf-no-such-host.invalid/api",
    "a host name that is too long": lambda: f"http://{'a' * 70}.invalid/api",
}


@pytest.mark.parametrize("case", UNREACHABLE)
def test_a_target_that_is_not_there_is_given_up_soon(case: str, connect: Connect) -> None:
    api = connect(UNREACHABLE[case]())
    started = time.monotonic()
    api.transport._last_answer = started + 60  # it answered a moment ago: no long wait for a restart
    with pytest.raises(TransportTrouble, match="getAuth"):
        api.get_auth()
    for _ in range(200):
        with pytest.raises(TransportTrouble):
            api.list_events()
    assert time.monotonic() - started < 15, "a lost target must not cost its time limit again and again"


def test_a_server_that_speaks_no_tls_is_transport_trouble(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def plain() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    connection.close()

        threading.Thread(target=plain, daemon=True).start()
        with pytest.raises(TransportTrouble, match="ConnectError"):
            connect(f"https://127.0.0.1:{listener.getsockname()[1]}/api", answer_seconds=3.0).get_auth()


def test_a_server_that_cannot_prove_its_name_gets_no_key(connect: Connect) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Path(__file__).parent / "localhost.pem")
    with serving(says(answer(auth())), context) as server:
        with pytest.raises(TransportTrouble, match="CERTIFICATE_VERIFY_FAILED"):
            connect(server.base, answer_seconds=3.0).get_auth()
        assert not server.requests


def test_a_silent_operation_does_not_cost_its_time_limit_again_and_again(connect: Connect) -> None:
    def script(request: Request, connection: socket.socket) -> bool:
        if request.path.startswith("/events"):
            time.sleep(5)
        connection.sendall(answer(auth()))
        return True

    with serving(script) as server:
        api = connect(server.base)
        started = time.monotonic()
        for _ in range(20):
            assert api.get_auth().is_success
            with pytest.raises(TransportTrouble):
                api.list_events()
        assert time.monotonic() - started < 4


def test_connections_that_are_closed_between_requests_do_not_fail_writes(connect: Connect) -> None:
    """A server that closes idle connections without saying so: at most one write is lost to the race."""

    def script(request: Request, connection: socket.socket) -> bool:
        if request.on_connection > 1:
            reset(connection)  # the client took the connection for a good one
            return False
        connection.sendall(answer(EVENT, "201 Created"))
        return True

    with serving(script) as server:
        api = connect(server.base)
        lost = 0
        for _ in range(20):
            try:
                assert api.create_event(EVENT).status == 201
            except TransportTrouble:
                lost += 1
        assert lost <= 1


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_no_key_follows_a_redirect(status: str, connect: Connect) -> None:
    with serving(says(answer(auth()))) as elsewhere:
        place = f"http://localhost:{elsewhere.port}/api/v0/partner/auth"
        redirect = says(answer(refusal("MOVED"), status, Location=place), keep=True)
        with serving(redirect) as server:
            api = connect(server.base)
            assert api.get_auth().status == int(status[:3])
            assert api.create_match_run("e", RUN).status == int(status[:3])
        assert not elsewhere.requests, "the other host must not even be connected to"


def limited(pause: str, refusals: int) -> Script:
    """Answer 429 a number of times, then as it should."""
    too_many = answer(refusal("PARTNER_RATE_LIMIT_EXCEEDED"), "429 Too Many Requests", Retry_After=pause)

    def script(request: Request, connection: socket.socket) -> bool:
        connection.sendall(too_many if request.number <= refusals else answer(auth()))
        return True

    return script


def test_a_429_is_waited_out_as_retry_after_says(connect: Connect, events: Events) -> None:
    with serving(limited("1", 2)) as server:
        started = time.monotonic()
        assert connect(server.base).get_auth().is_success
        assert 2.0 <= time.monotonic() - started < 3.5
    assert [one["status"] for one in events() if one["type"] == "exchange"] == [429, 429, 200]


@pytest.mark.parametrize("said", ["", "²", "Thu, 99 Foo 2030", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_useless_retry_after_stops_nothing(said: str, connect: Connect) -> None:
    with serving(limited(said, 1)) as server:
        assert connect(server.base).get_auth().is_success


def test_a_limit_that_does_not_lift_is_inconclusive_and_waited_for_once(connect: Connect) -> None:
    with serving(limited("1", 10_000)) as server:
        api = connect(server.base, rate_limit_seconds=1.5)
        started = time.monotonic()
        for _ in range(3):
            with pytest.raises(TransportTrouble, match="in spite of waiting"):
                api.get_auth()
        assert time.monotonic() - started < 6


def test_one_429_pauses_every_worker(connect: Connect, tmp_path: Path) -> None:
    with serving(limited("1", 1)) as server:
        first = connect(server.base, limiter=Limiter(tmp_path))
        second = connect(server.base, limiter=Limiter(tmp_path))
        waiting = threading.Thread(target=first.get_auth)
        waiting.start()
        while not server.requests:
            time.sleep(0.01)
        time.sleep(0.1)
        started = time.monotonic()
        assert second.get_auth().is_success
        assert time.monotonic() - started > 0.7
        waiting.join()


def test_the_rate_is_shared_between_processes(tmp_path: Path) -> None:
    moments = tmp_path / "moments"
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            limiter = Limiter(tmp_path, rate=50)
            with moments.open("ab", buffering=0) as stream:
                for _ in range(10):
                    time.sleep(limiter.admit())
                    stream.write(f"{time.monotonic()}\n".encode())
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    times = sorted(float(line) for line in moments.read_text().splitlines())
    assert len(times) == 30
    assert times[-1] - times[0] >= 29 / 50 - 0.03


def test_ceilings_hold_over_all_workers(connect: Connect, tmp_path: Path) -> None:
    with serving(says(answer(EVENT, "201 Created"), keep=True)) as server:
        apis = [connect(server.base, limiter=Limiter(tmp_path, None, 7, 3)) for _ in range(2)]
        for number in range(3):
            apis[number % 2].create_event(EVENT)
        with pytest.raises(CeilingReached, match="3 created rows"):
            apis[1].create_event(EVENT)
        for number in range(4):
            apis[number % 2].get_auth()
        with pytest.raises(CeilingReached, match="7 requests"):
            apis[0].get_auth()
        assert len(server.requests) == 7


def test_refused_rows_do_not_count_as_created(connect: Connect, tmp_path: Path) -> None:
    with serving(says(answer(refusal("INVALID_TITLE"), "400 Bad Request"), keep=True)) as server:
        api = connect(server.base, limiter=Limiter(tmp_path, None, None, 1))
        for _ in range(5):
            assert api.create_event(EVENT).status == 400


def test_a_read_only_run_sends_no_write(connect: Connect) -> None:
    with serving(says(answer(auth()), keep=True)) as server:
        api = connect(server.base, read_only=True, read_only_reason="it needs writes")
        assert api.get_auth().is_success
        writes: list[Callable[[], object]] = [
            lambda: api.create_event(EVENT),
            lambda: api.as_key(None).create_event(EVENT),
            lambda: api.request("DELETE", "/events/e"),
            lambda: api.request("post", "/nowhere"),
        ]
        for write in writes:
            with pytest.raises(NotPermitted):
                write()
        assert [one.method for one in server.requests] == ["GET"]


def test_the_ledger_holds_what_was_created_and_what_may_exist(
    connect: Connect, reference: Address, tmp_path: Path, events: Events
) -> None:
    def breaks(request: Request, connection: socket.socket) -> bool | None:
        return False if b'"lost"' in request.body else None

    with serving(Proxy(reference.base, breaks)) as server:
        api = connect(server.base, keys={"main": reference.env["MESHI_KEY"]}, answer_seconds=5.0)
        assert api.create_event({"event_id": "kept", "title": "T"}).is_success
        assert not api.create_event({"event_id": "kept", "title": "T"}).is_success
        assert not api.create_event({"event_id": "refused"}).is_success
        with pytest.raises(ConnectionBroken):
            api.create_event({"event_id": "lost", "title": "T"})
        rows = [{"attendee_id": f"a{number}", "name": "A"} for number in range(3)]
        request = {"idempotency_key": "k1", "attendees": rows}
        run_id = api.import_attendees("kept", request)["run_id"]
        assert api.import_attendees("kept", request).status == 200
    found = [(one["kind"], one["id"], one["confirmed"]) for one in listed(events(), Redaction({}))]
    assert found == [
        ("event", "kept", True),
        ("import run", run_id, True),
        *(("attendee", f"a{number}", True) for number in range(3)),
        ("event", "lost", False),
    ]


def test_strings_of_a_server_that_cannot_be_sent_back_are_sent_all_the_same(connect: Connect) -> None:
    with serving(says(answer(auth()), keep=True)) as server:
        api = connect(server.base)
        api.get_run("\ud800/../\x1b")
        api.list_events(query={"cursor": "\ud800&x=1"})
        assert len(server.requests) == 2
        assert all(request.path.isascii() for request in server.requests)


def test_tries_are_bounded(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TRIES", 4)
    with serving(resets) as server:
        with pytest.raises(TransportTrouble):
            connect(server.base).get_auth()
        assert len(server.requests) == 4


def test_a_creation_whose_answer_is_lost_is_made_again_under_another_name(
    reference: Address, connect: Connect, events: Events
) -> None:
    lost: list[bytes] = []

    def once(request: Request, connection: socket.socket) -> bool | None:
        if request.operation == "POST /events" and not lost:
            lost.append(request.body)
            reset(connection)
            return False
        return None

    with serving(Proxy(reference.base, once)) as server:
        api = connect(server.base, keys={"main": reference.env["MESHI_KEY"]})
        given = Given(api, "run", "w")
        event_id = given.event()
        assert api.get_event(event_id).is_success
    assert json.loads(lost[0])["event_id"] != event_id
    confirmed = {one["id"]: one["confirmed"] for one in listed(events(), Redaction({}))}
    assert confirmed == {json.loads(lost[0])["event_id"]: False, event_id: True}


def test_a_request_that_is_dropped_each_time_is_kept(connect: Connect, events: Events) -> None:
    with serving(resets) as server:
        with pytest.raises(TransportTrouble) as trouble:
            connect(server.base).update_event_context("e-1", {"objectives": "it's"}, headers={"X-Odd": "1"})
        assert isinstance(trouble.value, AnswerLost)
    (kept,) = [one for one in events() if one["type"] == "unanswered"]
    assert (kept["operation"], kept["path"], kept["cause"]) == (
        "updateEventContext",
        "/events/e-1/context",
        trouble.value.cause,
    )
    assert kept["curl"].startswith('curl -sS -i -X POST "$MESHI_BASE/events/e-1/context" -H "Authorization: Bearer $')
    assert """--data-binary '{"objectives": "it'"'"'s"}'""" in kept["curl"]
    assert "X-Odd: 1" in kept["curl"]
    assert KEY not in json.dumps(kept)
