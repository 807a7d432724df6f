"""Clients that do what no client should: each is bounded, ended with what it started, and told in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from meshi_conformance.clients import sandbox

from .test_command import judged

HEAD = """
import http.client, os, socket, subprocess, sys, time
from urllib.parse import urlsplit
base = urlsplit(os.environ["MESHI_BASE"])
key = {"Authorization": "Bearer " + os.environ["MESHI_KEY"]}
def connect():
    return http.client.HTTPConnection(base.hostname, base.port)
def ask(connection, method="GET", path="/auth", body=None, headers=key):
    connection.request(method, base.path + path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()
"""

PROGRAMS = {
    "endless output": ("ask(connect())\nwhile True: sys.stdout.write('x' * 65536)", ("did not end within", "1024 MiB")),
    "no end": ("ask(connect())\ntime.sleep(600)", ("did not end within",)),
    "deaf to signals": (
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nask(connect())\ntime.sleep(600)",
        ("did not end within",),
    ),
    "a crash": ("ask(connect())\nos.abort()", ("exit code -6",)),
    "a child left behind": (
        "ask(connect())\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])",
        ("it left processes behind",),
    ),
    "a child with the socket": (
        "c = connect(); ask(c)\nos.set_inheritable(c.sock.fileno(), True)\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], close_fds=False)",
        ("it left processes behind",),
    ),
    "a request of 1 GB": (
        "def body():\n    for _ in range(1024): yield b'x' * 2**20\n"
        "status, said = ask(connect(), 'POST', '/events', body())\n"
        "sys.exit(0 if (status, b'PAYLOAD_TOO_LARGE' in said) == (413, True) else 9)",
        ("exit code 0", "did not end within"),
    ),
    "a body that never ends": (
        "c = connect(); c.putrequest('POST', base.path + '/events')\n"
        "c.putheader('Content-Length', '100'); c.endheaders()\n"
        "while True: time.sleep(0.5); c.send(b' ')",
        ("must send to the URL", "did not end within"),
    ),
    "no HTTP at all": (
        "s = socket.create_connection((base.hostname, base.port)); s.sendall(b'HELO there\\r\\n\\r\\n')\n"
        "sys.exit(0 if b'400' in s.recv(200) else 9)",
        ("exit code 0",),
    ),
    "hundreds of idle connections": (
        "held = [socket.create_connection((base.hostname, base.port)) for _ in range(450)]\nask(connect())",
        ("exit code 0",),
    ),
}


@dataclass
class Hostile:
    """A program and what its run as a client came to."""

    program: Path
    done: subprocess.CompletedProcess[str]
    document: dict[str, Any]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Hostile]:
    """All hostile clients, five at a time: most of them only wait to be stopped."""

    def tried(name: str, folder: Path) -> Hostile:
        text, messages = PROGRAMS[name]
        program = folder / "hostile.py"
        program.write_text(HEAD + text, encoding="utf-8")
        # A client that ends by itself is given the time that a busy machine needs.
        deadline = "4" if any("did not end" in message for message in messages) else "60"
        arguments = ("--scenario", "plain", "--deadline", deadline, "--", sys.executable, str(program))
        return Hostile(program, *judged(folder / "report", *arguments))

    with ThreadPoolExecutor(5) as pool:
        running = {name: pool.submit(tried, name, tmp_path_factory.mktemp("hostile")) for name in PROGRAMS}
        return {name: one.result() for name, one in running.items()}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_hostile_client_is_bounded(name: str, hostile: dict[str, Hostile]) -> None:
    found = hostile[name]
    said = found.done.stdout + found.done.stderr
    assert found.document, said
    assert any(message in line for line in said.splitlines() for message in PROGRAMS[name][1]), said
    assert "Traceback" not in said
    assert not found.document["problems"]
    assert _lives(found.program) == []


def _lives(program: Path) -> list[str]:
    """Return the processes whose command line names a program, once those that are ending have ended."""
    for _ in range(50):
        found = []
        for entry in Path("/proc").iterdir():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace") if entry.name.isdigit() else ""
            except OSError:
                continue
            if str(program) in line and entry.name != str(os.getpid()) and "meshi_conformance" not in line:
                found.append(line)
        if not found:
            return []
        time.sleep(0.1)
    return found


def test_a_client_that_sends_too_many_requests_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from .trial import python, tried

    monkeypatch.setattr(sandbox, "MOST_REQUESTS", 200)
    program = tmp_path / "flood.py"
    program.write_text(HEAD + "c = connect()\nwhile True: ask(c)", encoding="utf-8")
    trial = asyncio.run(tried(python(program), ["plain"], 60.0))
    (outcome,) = trial.outcomes
    assert len(outcome.watched.steps) == 200
    assert outcome.watched.ends[0].killed == "it sent more than 200 requests"
