"""Starts nginx, HAProxy, Prism and Mockoon on a loopback address, each with a configuration of one case."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BINARIES = HERE / "node_modules" / ".bin"
START_SECONDS = 60.0
"""How long a component may take until it accepts connections: a mock of Node.js needs some of them."""

QUIET = {"NO_COLOR": "1", "NO_UPDATE_NOTIFIER": "1", "DO_NOT_TRACK": "1", "CI": "true"}
"""Settings that keep the mocks from calling anybody."""


@dataclass(frozen=True)
class Place:
    """Where a component listens and what it may use.

    `port` and `spare` are free ports on 127.0.0.1, `upstream` is the host and port of the reference server, `folder`
    holds its files, `certificates` maps a name (`ca`, `server`, `server_key`, …) to a PEM file, `description` is the
    API's description in one file.
    """

    port: int
    spare: int
    upstream: str
    folder: Path
    certificates: Mapping[str, Path]
    description: Path


def missing(component: str) -> str | None:
    """Return why a component cannot be started here; None where it can."""
    if component in ("nginx", "haproxy"):
        found = shutil.which(component, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        return None if found else f"{component} is not installed (Debian: apt-get install {component})"
    if not (BINARIES / PROGRAMS[component]).exists():
        return f"{component} is not installed (make realworld installs it; Node.js is needed)"
    return None if shutil.which("node") else "Node.js is not installed"


PROGRAMS = {"prism": "prism", "mockoon": "mockoon-cli"}


def _program(name: str) -> str:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or name


def _nginx(place: Place, configuration: str) -> list[str]:
    file = place.folder / "nginx.conf"
    temporary = "".join(
        f"    {kind}_temp_path {place.folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file.write_text(
        f"daemon off; master_process off; pid {place.folder}/nginx.pid; error_log {place.folder}/error.log;\n"
        "events { worker_connections 512; }\n"
        f"http {{\n    access_log off; client_max_body_size 200m;\n{temporary}{configuration}\n}}\n",
        encoding="utf-8",
    )
    return [_program("nginx"), "-p", str(place.folder), "-c", str(file), "-e", str(place.folder / "error.log")]


def _haproxy(place: Place, configuration: str) -> list[str]:
    file = place.folder / "haproxy.cfg"
    file.write_text(
        "global\n    maxconn 512\ndefaults\n    mode http\n"
        "    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n" + configuration + "\n",
        encoding="utf-8",
    )
    return [_program("haproxy"), "-db", "-f", str(file)]


def _prism(place: Place, options: str) -> list[str]:
    words = [str(BINARIES / "prism"), "mock", str(place.description), "-h", "127.0.0.1", "-p", str(place.port)]
    # A path that holds `%FF` ends Prism. It is started again, as a service manager would do it.
    return ["sh", "-c", 'while :; do "$@"; sleep 0.2; done', "prism", *words, *options.split()]


def _mockoon(place: Place, options: str) -> list[str]:
    words = [str(BINARIES / "mockoon-cli"), "start", "--data", str(place.description)]
    words += ["--hostname", "127.0.0.1", "--port", str(place.port), "--disable-log-to-file", "--disable-admin-api"]
    return [*words, *options.split()]


COMMANDS: Mapping[str, Callable[[Place, str], list[str]]] = {
    "nginx": _nginx,
    "haproxy": _haproxy,
    "prism": _prism,
    "mockoon": _mockoon,
}
"""Component to what makes its command line from a place and the configuration of a case."""


@contextlib.contextmanager
def serving(component: str, place: Place, configuration: str) -> Iterator[None]:
    """Run a component until the block ends. Raise RuntimeError with its output where it does not start to listen."""
    output = place.folder / "output.txt"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            COMMANDS[component](place, configuration),
            cwd=place.folder,
            env={**os.environ, **QUIET},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _await_listening(process, place.port, output)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _await_listening(process: subprocess.Popen[bytes], port: int, output: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen: {output.read_text(errors='replace')[-2000:]}")
