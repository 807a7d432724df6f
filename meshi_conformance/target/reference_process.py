"""The embedded target: the reference server in a process of its own."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from json import loads

from ..errors import UsageError
from .keys import KEY_VARIABLES
from .target import Target, _quick

REFERENCE = "meshi_reference"
"""The module that serves the reference; nothing else of it is known here."""


def serve_reference(arguments: Sequence[str]) -> int:
    """Serve the reference in this process until a signal ends it; returns its exit code."""
    before = sys.argv
    sys.argv = [REFERENCE, *arguments]
    try:
        runpy.run_module(REFERENCE, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = before
    return 0


KEPT_ERRORS = 16
"""How many of the last pieces of the server's error output are kept."""


class Embedded:
    """The reference server as a child process: the default target, and the only place that knows it."""

    def __init__(self, arguments: tuple[str, ...] = ()) -> None:
        self._process = subprocess.Popen(
            # Its end of our pipe tells it when this process is gone, however it went.
            [sys.executable, "-m", REFERENCE, "--port", "0", "--until-stdin-ends", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if not name.startswith("MESHI_")},
        )
        # A server that logs into a full pipe blocks.
        self._errors: deque[bytes] = deque(maxlen=KEPT_ERRORS)
        self._reader = threading.Thread(target=self._read_errors, name="reference-errors", daemon=True)
        self._reader.start()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        with suppress(OSError, ValueError):
            while chunk := os.read(self._process.stderr.fileno(), 4096):
                self._errors.append(chunk)

    def target(self) -> Target:
        """Wait until the server listens. Raise UsageError when it does not start."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        try:
            said = loads(line)
        except ValueError:
            self.stop()
            errors = b"".join(self._errors).decode(errors="replace").strip()
            raise UsageError(f"The embedded reference server did not start: {errors[-400:]}") from None
        keys = {role: said["env"][name] for role, name in KEY_VARIABLES.items() if said["env"].get(name)}
        everything = frozenset({"large", "rate_limit"})
        return _quick(Target("reference", said["base"], keys, everything))

    @property
    def ended(self) -> bool:
        """Whether the server ended by itself."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """End the server and wait for its end."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(timeout=5)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
