"""Keys, scopes, limits, correlation, bodies on the wire, and starting and stopping."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from meshi_reference import server, settings
from meshi_reference.__main__ import main
from meshi_reference.resources import importing
from meshi_reference.settings import RateLimit, Settings

from .reference_api import Api, person, unique

ROOT = Path(__file__).parents[2]


# Keys and scopes


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MESHI_DISABLED_KEY", (401, "ACCOUNT_DISABLED")),
        ("MESHI_USER_KEY", (403, "SERVICE_ACCOUNT_REQUIRED")),
        ("MESHI_NO_ORG_KEY", (403, "PARTNER_ORG_REQUIRED")),
    ],
)
def test_keys_that_may_not_call(address: server.Address, name: str, expected: tuple[int, str]) -> None:
    assert Api(address.base, address.env[name]).refusal("GET", "/auth") == expected


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic abc", "Bearer nobody", "Bearer a b"])
def test_missing_and_unknown_keys(address: server.Address, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header}
    answer = Api(address.base, None).get("/auth", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_read_key_reads_and_does_not_write(address: server.Address, api: Api) -> None:
    reader = Api(address.base, address.env["MESHI_READ_KEY"])
    event = api.event()
    assert reader.get("/auth").json()["scopes"] == ["partner:read"]
    assert reader.get(f"/events/{event}").status_code == 200
    head = reader.call("HEAD", f"/events/{event}")
    assert (head.status_code, head.content, int(head.headers["content-length"]) > 0) == (200, b"", True)
    options = reader.call("OPTIONS", "/events")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    body = {"event_id": unique("event"), "title": "T"}
    assert reader.refusal("POST", "/events", body) == (403, "INSUFFICIENT_SCOPE")
    assert api.post("/events", body).status_code == 201
    assert reader.refusal("PUT", f"/events/{event}/attendees:import", {}) == (403, "INSUFFICIENT_SCOPE")


def test_keys_are_stored_as_hashes(tmp_path: Path) -> None:
    database = tmp_path / "data.db"
    with server.running(Settings(db=str(database))) as address:
        keys = [key for name, key in address.env.items() if name.endswith("KEY")]
        stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(key.encode() in stored for key in keys)


def test_the_probe_key_runs_into_its_limit(address: server.Address) -> None:
    probe = Api(address.base, address.env["MESHI_PROBE_KEY"])
    answers = [probe.get("/auth") for _ in range(45)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[0].json()["code"] == "PARTNER_RATE_LIMIT_EXCEEDED"
    assert int(refused[0].headers["retry-after"]) >= 1
    time.sleep(int(refused[-1].headers["retry-after"]))
    assert probe.get("/auth").status_code == 200


def test_a_whole_server_can_be_limited() -> None:
    with server.running(Settings(rate_limit=RateLimit(3, 60))) as address:
        api = Api(address.base, address.env["MESHI_KEY"])
        assert [api.get("/auth").status_code for _ in range(4)] == [200, 200, 200, 429]
        assert Api(address.base, address.env["MESHI_OTHER_KEY"]).get("/auth").status_code == 200


# Correlation and errors


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("abc-123_x.y:z", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("", False)],
)
@pytest.mark.parametrize("path", ["/auth", "/events/none"])
def test_correlation_ids(api: Api, sent: str, kept: bool, path: str) -> None:
    answer = api.get(path, headers={"x-correlation-id": sent})
    assert (answer.json()["correlation_id"] == sent) == kept


def test_a_broken_operation_answers_in_the_envelope(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(call: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("meshi_reference.resources.auth.get_auth", broken)
    answer = api.get("/auth")
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in answer.text
    assert answer.json()["correlation_id"] in caplog.text


def test_a_broken_run_fails_with_an_error(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    event = api.event()
    monkeypatch.setattr(importing, "apply_rows", broken)
    run = api.load(event, [person("a")])
    assert (run["status"], run["error"]["code"]) == ("failed", "INTERNAL_ERROR")
    assert run["terminal_at"] is not None


# The wire


def talk(address: server.Address, *parts: bytes, pause: float = 0.0) -> bytes:
    """Send bytes as they are and read until the server closes or falls silent."""
    split = urlsplit(address.base)
    with socket.create_connection((split.hostname, split.port), timeout=2) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
                if b"\r\n\r\n" in received and received.endswith(b"}"):
                    break
        except TimeoutError:
            pass
        return received


def head(address: server.Address, *lines: str) -> bytes:
    """The head of a creation request."""
    first = [
        "POST /api/v0/partner/events HTTP/1.1",
        "host: x",
        f"authorization: Bearer {address.env['MESHI_KEY']}",
    ]
    return "\r\n".join([*first, *lines, "", ""]).encode()


def test_an_announced_oversize_is_refused_before_it_is_sent(address: server.Address) -> None:
    answer = talk(address, head(address, "content-length: 99999999", "expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"PAYLOAD_TOO_LARGE" in answer


@pytest.mark.parametrize("chunked", [False, True])
def test_an_oversize_body_gets_its_answer_and_no_reset(chunked: bool) -> None:
    with server.running(Settings(body_limit=1000)) as address:
        api = Api(address.base, address.env["MESHI_KEY"])
        block = b"x" * 65536
        content: Any = (block for _ in range(64)) if chunked else block * 64
        for closing in ({}, {"connection": "close"}):
            answer = api.http.post(api.base + "/events", content=content, headers=closing)
            assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
            content = (block for _ in range(64)) if chunked else block * 64
        assert api.refusal("POST", "/events", {"t": "x" * 1000}) == (413, "PAYLOAD_TOO_LARGE")
        body = {"event_id": "e", "title": "T", "unknown": ""}
        room = 1000 - len(json.dumps(body, separators=(",", ":")))
        assert api.post("/events", {**body, "unknown": "x" * room}).status_code == 201


def test_a_refused_upload_gets_its_answer(address: server.Address) -> None:
    nobody = httpx.Client(headers={"connection": "close"})
    answer = nobody.put(address.base + "/events/e/attendees:import", content=b"x" * 3_000_000)
    assert answer.status_code == 401


def test_what_is_no_http_is_answered_in_the_envelope(address: server.Address) -> None:
    answer = talk(address, b"NONSENSE\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert set(json.loads(answer.partition(b"\r\n\r\n")[2])) == {"code", "message", "correlation_id"}


def test_a_client_that_goes_away_does_no_harm(address: server.Address, api: Api) -> None:
    split = urlsplit(address.base)
    with socket.create_connection((split.hostname, split.port)) as connection:
        connection.sendall(head(address, "content-length: 100") + b"{")
    assert api.get("/auth").status_code == 200


# Data that stays


def test_a_restart_in_the_middle_of_a_run_loses_nothing(tmp_path: Path) -> None:
    slow = Settings(db=str(tmp_path / "data.db"), run_seconds=1.0)
    with server.running(slow) as address:
        api = Api(address.base, address.env["MESHI_KEY"])
        event = api.event()
        body = {"idempotency_key": "k", "attendees": [person(f"a{n}") for n in range(8)]}
        run = api.call("PUT", f"/events/{event}/attendees:import", body).json()["run_id"]
        following = api.post(f"/events/{event}/match-runs", {"idempotency_key": "m"}).json()["run_id"]
        while api.get(f"/runs/{run}").json()["progress"].get("processed", 0) < 4:
            time.sleep(0.02)
    with server.running(Settings(db=slow.db, run_seconds=0.0)) as again:
        api = Api(again.base, address.env["MESHI_KEY"])
        ended = [api.finish(api.call("PUT", f"/events/{event}/attendees:import", body))]
        ended.append(api.finish(api.post(f"/events/{event}/match-runs", {"idempotency_key": "m"})))
        rows = api.walk(f"/events/{event}/attendees")
        fresh = Api(again.base, again.env["MESHI_KEY"])
        assert fresh.get("/auth").json()["org_id"] == api.get("/auth").json()["org_id"]
    assert [(one["run_id"], one["status"]) for one in ended] == [(run, "succeeded"), (following, "succeeded")]
    assert (ended[0]["progress"]["processed"], ended[0]["progress"]["created"]) == (8, 8)
    assert len(rows) == 8
    assert ended[1]["progress"]["pairs"] == 56


def start(*arguments: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """A server process and the line it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "meshi_reference", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_starts_and_ends(number: signal.Signals) -> None:
    process, line = start("--run-seconds", "0.01")
    assert set(line) == {"base", "env"}
    assert line["env"]["MESHI_BASE"] == line["base"]
    assert len(set(line["env"].values())) == 8
    api = Api(line["base"], line["env"]["MESHI_KEY"])
    assert api.get("/auth").status_code == 200
    process.send_signal(number)
    rest, errors = process.communicate(timeout=5)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_a_killed_server_loses_nothing(tmp_path: Path) -> None:
    database = str(tmp_path / "data.db")
    process, line = start("--db", database, "--run-seconds", "5")
    api = Api(line["base"], line["env"]["MESHI_KEY"])
    event = api.event()
    body = {"idempotency_key": "k", "attendees": [person("a")]}
    run = api.call("PUT", f"/events/{event}/attendees:import", body).json()["run_id"]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    process, again = start("--db", database, "--run-seconds", "0")
    api = Api(again["base"], line["env"]["MESHI_KEY"])
    replay = api.call("PUT", f"/events/{event}/attendees:import", body)
    assert (replay.status_code, replay.json()["run_id"]) == (200, run)
    assert api.finish(replay)["status"] == "succeeded"
    process.terminate()
    process.communicate(timeout=5)


def test_bad_arguments_end_with_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        server.running(Settings(db=str(tmp_path / "in-use"))),
    ):
        (tmp_path / "text.db").write_text("This is not a database. " * 100)
        commands = [
            ["--port", str(taken.getsockname()[1])],
            ["--port", "70000"],
            ["--port", "x"],
            ["--host", "no.such.host.invalid"],
            ["--run-seconds", "-1"],
            ["--run-seconds", "nan"],
            ["--latency-ms", "x"],
            ["--rate-limit", "0/1"],
            ["--rate-limit", "1/0"],
            ["--db", str(tmp_path / "missing" / "x.db")],
            ["--db", str(tmp_path / "text.db")],
            ["--db", str(tmp_path / "in-use")],
            ["--unknown"],
        ]
        for command in commands:
            status: object
            try:
                status = main(command)
            except SystemExit as end:
                status = end.code
            output, errors = capsys.readouterr()
            assert (status, output, errors.count("\n")) == (2, "", 1), (command, errors)
            assert errors.startswith("meshi_reference: ")


def test_rate_limits_are_read_from_text() -> None:
    assert RateLimit.parse("20/1") == RateLimit(20, 1.0)
    assert RateLimit.parse("5") == RateLimit(5, 1.0)
    assert RateLimit.parse("none") is None
    assert settings.Settings().probe_rate_limit == RateLimit(20, 1.0)


def test_starting_and_stopping_is_quick() -> None:
    started = time.monotonic()
    for _ in range(5):
        with server.running():
            pass
    assert time.monotonic() - started < 2
