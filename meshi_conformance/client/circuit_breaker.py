"""Stops a run from waiting again and again for a server, or for one operation, that no longer answers."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass

SILENT_OPERATION = 2
"""Requests in a row to one operation without any answer until it counts as silent."""

SILENT_TARGET = 5
"""Requests in a row to the whole target without any answer until it counts as lost."""

FIRST_REST, LONGEST_REST = 5.0, 120.0
"""Seconds between two attempts at what does not answer: doubled each time."""


@dataclass
class _Line:
    unanswered: int = 0
    rest: float = FIRST_REST
    next_attempt: float = 0.0
    reason: str = ""


class Breaker:
    """Counts requests without an answer, for each operation and in all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._operations: dict[str, _Line] = defaultdict(_Line)
        self._target = _Line()

    def refusal(self, operation: str) -> str | None:
        """Say why a request is not worth sending now, or return None. One in a while is let through to see."""
        with self._lock:
            now = time.monotonic()
            for line, limit, what in (
                (self._target, SILENT_TARGET, "the target"),
                (self._operations[operation], SILENT_OPERATION, operation),
            ):
                if line.unanswered >= limit:
                    if now < line.next_attempt:
                        return f"{what} stopped answering: {line.reason}"
                    line.rest = min(line.rest * 2, LONGEST_REST)
                    line.next_attempt = now + line.rest
        return None

    def is_silent(self, operation: str) -> bool:
        """Tell whether the last requests to the operation, or to the target, had no answer: repeats are idle."""
        with self._lock:
            return (
                self._operations[operation].unanswered >= SILENT_OPERATION or self._target.unanswered >= SILENT_TARGET
            )

    @property
    def lost(self) -> str | None:
        """Why the target as a whole counts as lost; None where it answers."""
        with self._lock:
            return self._target.reason if self._target.unanswered >= SILENT_TARGET else None

    def answered(self, operation: str) -> None:
        """Note that a response came, of any kind."""
        with self._lock:
            self._target = _Line()
            self._operations.pop(operation, None)

    def unanswered(self, operation: str, reason: str) -> None:
        """Note that a request was given up."""
        with self._lock:
            for line in (self._target, self._operations[operation]):
                line.unanswered += 1
                line.reason = reason
                line.next_attempt = max(line.next_attempt, time.monotonic() + line.rest)
