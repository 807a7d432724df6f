"""Runs of the suite and reference servers in processes of their own, and what they use."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meshi_conformance.target.keys import KEY_VARIABLES

from . import recording, replay

PROJECT = Path(__file__).parent.parent
LONGEST_SECONDS = 900
"""How long one run may take before it is stopped."""


@dataclass
class Run:
    """One run of the suite: seconds of wall and of CPU with its children, peak MiB of each process, its results."""

    wall: float
    cpu: float
    peaks: dict[str, float]
    document: dict[str, Any]
    times: dict[str, Any] = field(default_factory=dict)
    exchanges: list[dict[str, Any]] = field(default_factory=list)
    began: float = 0.0

    @property
    def count(self) -> int:
        return int(self.document["exchanges"]["count"])


def run(arguments: Sequence[str], record: bool = False, variables: Mapping[str, str] | None = None) -> Run:
    """Run the suite in a process of its own. Raises RuntimeError where it leaves no result.

    Of the MESHI_ variables of the environment it sees the given ones alone.
    """
    with tempfile.TemporaryDirectory(prefix="meshi-bench-") as made:
        folder = Path(made)
        report = folder / "report"
        # Compiled modules are kept, as on any machine where the suite was run before.
        environment = {name: value for name, value in os.environ.items() if not _unwanted(name)}
        environment |= {"PYTHONPATH": str(PROJECT), **(variables or {})}
        command = [sys.executable, "-m", "pytest", f"--report-dir={report}", *arguments]
        # pytest would clear away what earlier runs of anything left in the shared temporary folder.
        command += ["--basetemp", str(folder / "temporary")]
        if record:
            command += ["-n", "0"]  # what overlaps only because of workers is not the conversation's own
            command += ["-p", "benchmarks.recording"]
            environment[recording.FILE] = str(folder / "recording.jsonl")
        with (folder / "output.txt").open("w") as output:
            began, clock = time.time(), time.perf_counter()
            process = subprocess.Popen(
                command, cwd=PROJECT, env=environment, stdout=output, stderr=output, start_new_session=True
            )
            with _watched(process) as peaks:
                usage = _wait(process)
            wall = time.perf_counter() - clock
        try:
            document = json.loads((report / "results.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise RuntimeError((folder / "output.txt").read_text(encoding="utf-8")[-2000:]) from None
        found = Run(wall, usage.ru_utime + usage.ru_stime, peaks, document, began=began)
        if record:
            found.times, found.exchanges = replay.load(folder / "recording.jsonl")
        return found


def _unwanted(name: str) -> bool:
    return name.startswith("MESHI_") or name in ("PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS")


def _wait(process: subprocess.Popen[bytes]) -> resource.struct_rusage:
    """What a process and all it waited for used; it is stopped after LONGEST_SECONDS."""
    timer = threading.Timer(LONGEST_SECONDS, lambda: os.killpg(process.pid, signal.SIGKILL))
    timer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return usage
    finally:
        timer.cancel()


@contextmanager
def _watched(process: subprocess.Popen[bytes]) -> Iterator[dict[str, float]]:
    """Peak memory in MiB of a process and its children by role, read where the system tells (/proc)."""
    peaks: dict[str, float] = {}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            for pid, role in _family(process.pid):
                peak = _peak(pid)
                if peak:
                    peaks[role] = max(peak, peaks.get(role, 0.0))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


def _family(root: int) -> Iterator[tuple[int, str]]:
    yield root, "suite"
    for number, child in enumerate(_children(root)):
        server = b"meshi_reference" in _read(f"/proc/{child}/cmdline")
        yield child, "reference server" if server else f"worker {number}"


def _children(pid: int) -> list[int]:
    return [int(word) for word in _read(f"/proc/{pid}/task/{pid}/children").split()]


def _peak(pid: int) -> float:
    for line in _read(f"/proc/{pid}/status").splitlines():
        if line.startswith(b"VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


@contextmanager
def reference(*options: str) -> Iterator[tuple[str, dict[str, str], Callable[[], float]]]:
    """A fresh reference server: its base, its keys by role, and a function that tells its CPU seconds so far."""
    process = subprocess.Popen(
        [sys.executable, "-m", "meshi_reference", "--port", "0", *options], cwd=PROJECT, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        keys = {role: said["env"][name] for role, name in KEY_VARIABLES.items() if name in said["env"]}
        yield said["base"], keys, lambda: _cpu(process.pid)
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def _cpu(pid: int) -> float:
    words = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK") if words else 0.0
