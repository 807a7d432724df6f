"""Time: one strictly increasing clock for a server, in whole microseconds since 1970 (UTC)."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from .settings import Settings


class Clock:
    """Wall time that always advances and never goes back while the server runs.

    Lists order by creation time; two rows made in the same microsecond would otherwise tie.
    """

    def __init__(self, floor: int = 0) -> None:
        self._last = floor

    def now(self) -> int:
        """Return microseconds since 1970, greater than every earlier answer."""
        self._last = max(time.time_ns() // 1000, self._last + 1)
        return self._last


def format_timestamp(micros: int, settings: Settings) -> str:
    """Format as ISO 8601 in UTC. The style is a variation: the pages only say ISO datetime."""
    moment = datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000)
    style = settings.timestamp_style
    if style == "offset-micros":
        return moment.isoformat(timespec="microseconds")
    timespec = {"z-micros": "microseconds", "z-millis": "milliseconds", "z-seconds": "seconds"}[style]
    return moment.replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


def format_optional(micros: int | None, settings: Settings) -> str | None:
    """Format like `format_timestamp`; None stays None."""
    return None if micros is None else format_timestamp(micros, settings)
