"""What all workers of a run share about sending: the request rate, the pause after a 429, and the ceilings."""

from __future__ import annotations

import contextlib
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from ..errors import CeilingReached

_FORM = struct.Struct("<ddqq")
"""Next free moment and end of the pause (on the system-wide monotonic clock), requests sent, rows created."""


class Limiter:
    """Says when a request may be sent. Processes agree through one small file in the run's folder.

    `rate` is in requests per second over all workers, None for no limit; `most_requests` and `most_created`
    are ceilings of the whole run. Without a folder the limits hold for this process alone.
    """

    def __init__(
        self,
        folder: Path | None,
        rate: float | None = None,
        most_requests: int | None = None,
        most_created: int | None = None,
    ) -> None:
        self._rate = rate
        self._most_requests = most_requests
        self._most_created = most_created
        self._counts = rate is not None or most_requests is not None or most_created is not None
        self._mutex = threading.Lock()
        self._state = _FORM.pack(0.0, 0.0, 0, 0)
        self._file = None
        self._lock: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
        if folder is not None:
            path = folder / "limits"
            self._lock = FileLock(f"{path}.lock", thread_local=False)
            with self._lock:
                if not path.exists():
                    path.write_bytes(self._state)  # whole from the start: updates then need no more space
                self._file = path.open("r+b", buffering=0)

    def admit(self, rows: int = 0) -> float:
        """Reserve one request that may create `rows` rows; return the seconds to wait before sending it.

        Raise CeilingReached, and reserve nothing, where a ceiling forbids it.
        """
        now = time.monotonic()
        if not self._counts:
            with self._mutex:
                _, paused_until, _, _ = self._read()
            return max(0.0, paused_until - now)
        with self._exclusive():
            free, paused_until, requests, created = self._read()
            if self._most_requests is not None and requests >= self._most_requests:
                raise CeilingReached(
                    f"the run's ceiling of {self._most_requests} requests is reached (--max-requests)",
                    "the ceiling of requests is reached",
                )
            if self._most_created is not None and rows and created + rows > self._most_created:
                raise CeilingReached(
                    f"the run's ceiling of {self._most_created} created rows is reached (--max-created): "
                    f"{created} were created, {rows} more would be",
                    "the ceiling of created rows is reached",
                )
            turn = max(now, free, paused_until)
            if self._rate is not None:
                free = turn + 1.0 / self._rate
            self._write(free, paused_until, requests + 1, created + rows)
        return turn - now

    def give_back(self, rows: int) -> None:
        """Take back the reservation of rows that were refused, and so never created."""
        if self._counts and rows:
            with self._exclusive():
                free, paused_until, requests, created = self._read()
                self._write(free, paused_until, requests, max(0, created - rows))

    def pause(self, seconds: float) -> None:
        """Keep every worker from sending for so long: the target's rate limit is exhausted."""
        until = time.monotonic() + seconds
        with self._exclusive():
            free, paused_until, requests, created = self._read()
            self._write(free, max(paused_until, until), requests, created)

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        with self._mutex, self._lock:
            yield

    def _read(self) -> tuple[float, float, int, int]:
        if self._file is not None:
            self._file.seek(0)
            self._state = self._file.read(_FORM.size)
        free, paused_until, requests, created = _FORM.unpack(self._state)
        return free, paused_until, requests, created

    def _write(self, free: float, paused_until: float, requests: int, created: int) -> None:
        self._state = _FORM.pack(free, paused_until, requests, created)
        if self._file is not None:
            self._file.seek(0)
            self._file.write(self._state)

    def close(self) -> None:
        if self._file is not None:
            with self._mutex:
                self._file.close()
                self._file = None
