"""The live proxy: what passes is not changed, what is wrong shows at once, the recording is judged the same again."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from meshi_conformance.__main__ import main
from meshi_conformance.watching.traffic.proxy import find
from meshi_reference import faults, server
from meshi_reference.settings import Settings

from ..ports import free_port
from .test_recordings import failed, held, judged

ROOT = Path(__file__).parents[2]
OWN = ROOT / ".venv-proxy" / "bin" / "mitmdump"
MITMDUMP = os.environ.get("MITMDUMP") or (str(OWN) if OWN.exists() else find())


@pytest.fixture(autouse=True)
def mitmproxy_is_there() -> None:
    if MITMDUMP is None:
        pytest.fail("mitmproxy is not installed, and the proxy needs it: make .venv-proxy/.ready")


@contextmanager
def proxied(base: str, report: Path, *options: str) -> Iterator[tuple[str, Any]]:
    """The proxy in front of a base: where clients find it, and its process."""
    port = free_port()
    command = [sys.executable, "-m", "meshi_conformance", "proxy", "--target", base, "--port", str(port)]
    command += ["--report-dir", str(report), "--mitmdump", str(MITMDUMP), *options]
    environment = {**os.environ, "HOME": str(report.parent)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("proxy "), first + process.stdout.read()
        yield f"http://127.0.0.1:{port}{urlsplit(base).path}", process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ended(process: Any, report: Path) -> tuple[int, str, dict[str, Any]]:
    """Exit code, output and results after Ctrl-C."""
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    return process.returncode, said, json.loads((report / "results.json").read_text(encoding="utf-8"))


@contextmanager
def tls_in_front_of(base: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """A TLS end in front of a plain server: its base, and the certificate to trust."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = urlsplit(base).hostname, urlsplit(base).port

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                raw, _ = listener.accept()
                with suppress(OSError):
                    client, behind = context.wrap_socket(raw, server_side=True), socket.create_connection((host, port))
                    for pair in ((client, behind), (behind, client)):
                        threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}{urlsplit(base).path}", certificate
    finally:
        listener.close()


def test_tls_to_the_target_and_http2_from_the_client(tmp_path: Path) -> None:
    report = tmp_path / "report"
    with server.running(Settings()) as address, tls_in_front_of(address.base, tmp_path) as (base, certificate):
        key = address.env["MESHI_KEY"]
        with proxied(base, report, "--har", "--upstream-ca", str(certificate)) as (url, process):
            secure = url.replace("http:", "https:")
            curl = ["curl", "-sSk", "--http2", "-w", "\n%{http_version} %{http_code}"]
            curl += ["-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json"]
            body = '{"event_id": "summit", "title": "Summit"}'
            for arguments in (["-d", body, f"{secure}/events"], [f"{secure}/events/summit"], [f"{secure}/auth"]):
                done = subprocess.run([*curl, *arguments], capture_output=True, text=True, timeout=30, check=True)
                assert re.search(r"\n2 20[01]$", done.stdout), done.stdout + done.stderr
            code, said, document = ended(process, report)
    assert (code, document["outcome"], failed(document)) == (0, "partial", []), said
    assert document["exchanges"]["count"] == 3
    assert held(document)["events.read_back.title"] == 2
    texts = [said, *(file.read_text(encoding="utf-8") for file in report.iterdir() if file.is_file())]
    assert not any(key in text for text in texts)
    again, rejudged = judged(tmp_path / "again", report / "traffic.har", options=("--base", base))
    assert (again, failed(rejudged), held(rejudged)) == (0, [], held(document))


def test_answers_are_the_same_with_and_without_the_proxy(tmp_path: Path) -> None:
    report = tmp_path / "report"
    with server.running(Settings()) as address, proxied(address.base, report) as (url, process):
        headers = {"Authorization": f"Bearer {address.env['MESHI_KEY']}", "X-Correlation-Id": "the-same-for-both"}
        with httpx.Client(headers=headers) as client:
            for number in range(30):
                made = client.post(f"{url}/events", json={"event_id": f"e-{number}", "title": "é" * number or "x"})
                assert made.status_code == 201

            def both(path: str) -> None:
                direct, through = (client.get(base + path) for base in (address.base, url))
                assert direct.content == through.content
                assert direct.headers.raw == through.headers.raw
                assert direct.status_code == through.status_code

            paths = [f"/events?limit={number}" for number in range(1, 101)]
            paths += [f"/events/e-{number}" for number in range(60)] + ["/nowhere", "/auth", "/runs?kind=nothing"]
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(both, paths))
        code, said, document = ended(process, report)
    assert (code, failed(document)) == (0, []), said
    assert document["exchanges"]["count"] == 30 + len(paths)


def test_a_violation_shows_while_the_traffic_goes_on(tmp_path: Path) -> None:
    report = tmp_path / "report"
    fault = faults.load()["envelope.getEvent.number"]
    with fault.applied(), server.running(Settings()) as address, proxied(address.base, report) as (url, process):
        httpx.get(f"{url}/events/nowhere", headers={"Authorization": f"Bearer {address.env['MESHI_KEY']}"})
        assert process.stdout.readline().startswith("stop ")
        shown = process.stdout.readline()
        code, said, document = ended(process, report)
    assert shown.startswith("FAILED error.getEvent."), shown + said
    assert "FAILED    envelope.getEvent" in said
    assert (code, document["outcome"]) == (1, "nonconformant")


def test_a_target_that_does_not_answer_is_not_blamed(tmp_path: Path) -> None:
    report = tmp_path / "report"
    with proxied(f"http://127.0.0.1:{free_port()}/api/v0/partner", report) as (url, process):
        assert httpx.get(f"{url}/events").status_code == 502
        code, _, document = ended(process, report)
    assert (code, document["outcome"]) == (5, "invalid")
    assert document["observed"]["unjudged"] == {"no answer was recorded": 1}


def test_a_port_that_is_taken_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = ["--target", "staging", "--port", str(port), "--mitmdump", str(MITMDUMP)]
        assert main(["proxy", *options, "--report-dir", str(tmp_path)]) == 4
    assert "--port" in capsys.readouterr().err


def test_a_missing_mitmproxy_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--target", "staging", "--mitmdump", str(tmp_path / "nowhere")]
    assert main(["proxy", *options, "--report-dir", str(tmp_path)]) == 4
    assert "pipx install mitmproxy" in capsys.readouterr().err
