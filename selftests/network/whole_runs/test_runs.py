"""Whole runs against servers that misbehave, and runs that are cut short: the verdict, the bounds, no lost evidence."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshi_reference.server import Address

from ..hostile import Proxy, Request, answer, raw, serving
from ..test_answers import CHUNKED, LONG, bomb
from .suite import Run, begun_tests, ended, exchanges, pausing, run, start, wait_for

MIB = 1024 * 1024
HALF_GIGABYTE = bomb(512 * MIB)
SUBSET = ("--requirements", "schema.*.200", "--requirements", "lists.events.*", "--requirements", "status.list*")


def five_gigabytes(connection: socket.socket) -> None:
    connection.sendall(LONG + b'{"items": ["')
    block = b"x" * MIB
    for _ in range(5 * 1024):
        connection.sendall(block)


def bad_day(request: Request, connection: socket.socket) -> bool | None:
    """Some routes misbehave, each in its own way; the others are forwarded."""
    route = request.operation
    if route == "GET /events":
        five_gigabytes(connection)
    elif route == "GET /runs":
        connection.sendall(answer(HALF_GIGABYTE, Content_Encoding="gzip"))
    elif route.startswith("GET /id-map"):
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100_000)
    elif route.endswith("/context") and request.method == "GET":
        connection.sendall(CHUNKED + b"2\r\n{}\r\n")
    elif route == "GET /review-queue":
        connection.sendall(raw("503 Busy", {"Content-Length": "4"}, b"busy"))
    else:
        return None
    return False


@pytest.fixture(scope="module")
def bad_run(reference: Address, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Run, float]]:
    """A run against a server on a bad day, with the most memory that its one process held, in megabytes."""
    report = tmp_path_factory.mktemp("bad") / "report"
    with serving(Proxy(reference.base, bad_day)) as server:
        process = start(report, *SUBSET, "--target", server.base, environment=reference.env)
        most = 0.0
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
                most = max(most, *(int(line.split()[1]) / 1024 for line in status.splitlines() if "VmHWM" in line))
            except (OSError, TypeError):
                pass
            time.sleep(0.05)
        yield ended(process, report), most


def test_a_servers_bad_day_is_transport_and_not_contract(bad_run: tuple[Run, float]) -> None:
    found, _ = bad_run
    assert found.document is not None, found.output
    assert found.document["outcome"] == "undecided", found.output
    assert found.exit_code == 7
    assert not found.verdicts("fail")
    open_ones = found.verdicts("inconclusive")
    for operation in ("listEvents", "listRuns", "getIdMapping", "getEventContext", "listReviews"):
        assert f"schema.{operation}.200" in open_ones
    assert "schema.getEvent.200" in found.verdicts("pass")
    reasons = " ".join(found.reasons)
    for named in ("16 MiB", "header of more than", "gateway", "RemoteProtocolError"):
        assert named in reasons


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_five_gigabytes_do_not_fill_the_memory(bad_run: tuple[Run, float]) -> None:
    _, megabytes = bad_run
    assert 20 < megabytes < 300


def test_a_key_that_a_server_echoes_is_written_nowhere(reference: Address, tmp_path: Path) -> None:
    key = reference.env["MESHI_KEY"]

    def echoes(request: Request, connection: socket.socket) -> bool | None:
        if request.path.startswith("/events") and request.header("authorization"):
            document = {"code": f"WRONG_{key}", "message": f"\x1b[2J{key}", "correlation_id": "cor-0123456789"}
            connection.sendall(answer(document, "418 Teapot", x_echo=key))
            return True
        return None

    with serving(Proxy(reference.base, echoes)) as server:
        found = run(
            tmp_path / "report",
            *("--requirements", "status.*vent*", "--target", server.base),
            environment={"MESHI_KEY": key},
        )
    assert found.verdicts("fail", "inconclusive")
    assert key not in found.output
    assert "\x1b" not in found.output
    for file in (one for one in (tmp_path / "report").rglob("*") if one.is_file()):
        assert key.encode() not in file.read_bytes(), file


def test_only_reads_are_sent_to_a_protected_target(reference: Address, tmp_path: Path) -> None:
    file = tmp_path / "targets.toml"
    with serving(Proxy(reference.base)) as server:
        file.write_text(
            f'[targets.live]\nbase = "{server.base}"\nread_only = true\nrate = 400\n'
            '[targets.live.keys]\nmain = "LIVE_KEY"\nread = "LIVE_READ_KEY"\n'
            '[targets.live.cannot]\nrate_limit = "Nobody may provoke the limit of this system."\n'
        )
        found = run(
            tmp_path / "report",
            *("--targets-file", str(file), "--target", "live", "--rate-limit-probe"),
            *("--requirements", "auth.*", "--requirements", "status.*", "--requirements", "rate_limit.*"),
            environment={"LIVE_KEY": reference.env["MESHI_KEY"], "LIVE_READ_KEY": reference.env["MESHI_READ_KEY"]},
        )
        assert {request.method for request in server.requests} == {"GET"}
    assert found.exit_code == 0, found.output
    assert {"auth.getAuth", "auth.listEvents", "status.listRuns.200"} <= set(found.verdicts("pass"))
    assert "status.createEvent.201" in found.verdicts("not_run")
    assert any("live is read only without --allow-writes live" in reason for reason in found.reasons)
    assert "Nobody may provoke the limit of this system." in found.reasons
    for line in ("read only: no write is sent", "400 requests per second", "scopes partner:read, partner:write"):
        assert line in found.output
    assert found.document is not None
    assert not found.document["created"]


def test_ceilings_end_as_inconclusive(reference: Address, tmp_path: Path) -> None:
    found = run(
        tmp_path / "report",
        *("--target", reference.base, "--requirements", "status.*", "--max-created", "12", "--max-requests", "150"),
        environment=reference.env,
    )
    assert found.document is not None
    assert found.document["outcome"] == "partial", found.output
    assert sum(one["count"] for one in found.document["created"]) <= 12
    assert found.document["exchanges"]["count"] <= 150
    assert any("--max-created" in reason for reason in found.reasons)


def interrupted(found: Run, exit_code: int, reason: str) -> None:
    """What holds however a run is cut short: the report is there, says so, and has what was measured."""
    assert "Traceback" not in found.output, found.output
    assert found.document is not None, found.output
    assert found.document["outcome"] == "invalid"
    assert reason in " ".join(found.document["problems"])
    assert found.document["exchanges"]["count"] >= 20
    assert found.exit_code == exit_code, found.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_run_that_is_told_to_end_reports_what_it_measured(number: signal.Signals, tmp_path: Path) -> None:
    report = tmp_path / "report"
    process = start(report, "-n", "2")
    wait_for(lambda: begun_tests(report) > 8)  # four at most are under way
    process.send_signal(number)
    found = ended(process, report)
    interrupted(found, 2, "The run was interrupted.")
    assert found.verdicts("pass"), "what was judged before stays judged"
    assert not found.verdicts("fail")


def test_a_killed_worker_costs_no_evidence(reference: Address, tmp_path: Path) -> None:
    report = tmp_path / "report"
    with pausing(reference.base, lambda: exchanges(report, "gw0") > 60) as pause:
        words = ("-n", "2", "--requirements", "error.*", "--target", pause.server.base)
        process = start(report, *words, environment=reference.env)
        pause.wait()
        os.kill(worker_of(process.pid), signal.SIGKILL)
        pause.end()
        found = ended(process, report)
    interrupted(found, 3, "died")
    assert len(found.verdicts("pass")) > 50, "the other worker goes on"


def test_a_run_that_is_killed_leaves_no_server_behind(tmp_path: Path) -> None:
    report = tmp_path / "report"
    process = start(report)
    wait_for(lambda: exchanges(report) > 20)
    server = server_of(process.pid)
    process.kill()
    process.wait()
    wait_for(lambda: not Path(f"/proc/{server}").exists())
    assert exchanges(report) > 20, "what was measured stays in the spool"


def worker_of(pid: int) -> int:
    """The newest child of a run that is a worker and not the server."""
    for child in sorted(map(int, (Path(f"/proc/{pid}/task/{pid}/children").read_text()).split()), reverse=True):
        if b"meshi_reference" not in Path(f"/proc/{child}/cmdline").read_bytes():
            return child
    raise LookupError("no worker")


def server_of(pid: int) -> int:
    for child in map(int, (Path(f"/proc/{pid}/task/{pid}/children").read_text()).split()):
        if b"meshi_reference" in Path(f"/proc/{child}/cmdline").read_bytes():
            return child
    raise LookupError("no server")


def test_a_server_that_dies_leaves_a_report_and_no_failure(tmp_path: Path) -> None:
    report = tmp_path / "report"
    process = start(report, "--requirements", "error.*")
    wait_for(lambda: exchanges(report) > 150)
    os.kill(server_of(process.pid), signal.SIGKILL)
    found = ended(process, report)
    interrupted(found, 3, "ended during the run")
    assert not found.verdicts("fail")


def test_a_limit_on_the_size_of_files_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    """The result of the run would not fit; selftests/attack fills a disk in the middle of a run."""

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))

    report = tmp_path / "report"
    found = ended(start(report, "--requirements", "error.*", preexec_fn=small_files), report)
    assert found.exit_code == 3
    assert "Nothing was sent" in found.output
    assert "Traceback" not in found.output


def test_a_report_directory_that_vanishes_is_no_traceback(reference: Address, tmp_path: Path) -> None:
    report = tmp_path / "report"
    with pausing(reference.base, lambda: exchanges(report) > 20) as pause:
        words = ("--requirements", "error.get*", "--target", pause.server.base)
        process = start(report, *words, environment=reference.env)
        pause.wait()
        shutil.rmtree(report, ignore_errors=True)
        pause.end()
        found = ended(process, report)
    assert "Traceback" not in found.output, found.output
    assert found.exit_code == 3, found.output
    assert found.document is not None
    assert "exchanges are lost" in found.document["outcome_reason"]
