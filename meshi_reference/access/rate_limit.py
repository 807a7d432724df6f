"""The rate limit of a key: fixed windows of requests (errors-and-limits, Common codes)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..settings import RateLimit


@dataclass(slots=True)
class Window:
    """The requests of one key since `start` (monotonic seconds)."""

    start: float
    count: int


class Limiter:
    """Fixed windows, one for each key, in memory."""

    def __init__(self) -> None:
        self._windows: dict[str, Window] = {}

    def admit(self, key_id: str, limit: RateLimit, now: float) -> float | None:
        """Count a request. Return None where it may pass, else the seconds until the window ends."""
        window = self._windows.get(key_id)
        if window is None or now >= window.start + limit.seconds:
            window = self._windows[key_id] = Window(now, 0)
        if window.count >= limit.requests:
            return window.start + limit.seconds - now
        window.count += 1
        return None


def retry_after(seconds: float) -> str:
    """Return the Retry-After value: whole seconds, at least one."""
    return str(max(1, math.ceil(seconds)))
