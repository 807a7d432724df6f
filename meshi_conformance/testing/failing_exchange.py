"""Which exchange a failed assertion is about: the one that the failing line reads."""

from __future__ import annotations

import linecache
import re
from types import FrameType, TracebackType

from ..exchanges.exchange import Exchange


def exchange_of(problem: BaseException) -> str:
    """Return the ID of the exchange that an assertion failed on; empty where no frame of it holds one.

    The innermost frame that holds an exchange decides: of several, one that its failing line names, and of those the
    latest.
    """
    places: list[tuple[FrameType, int]] = []
    trace: TracebackType | None = problem.__traceback__
    while trace is not None:
        places.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    for frame, line in reversed(places):
        held = {name: value for name, value in frame.f_locals.items() if isinstance(value, Exchange)}
        if held:
            words = set(re.findall(r"\w+", linecache.getline(frame.f_code.co_filename, line)))
            named = [value for name, value in held.items() if name in words] or list(held.values())
            return max(named, key=_number).id
    return ""


def _number(exchange: Exchange) -> int:
    """Return the place of an exchange among those of its process."""
    found = re.search(r"[0-9]+\Z", exchange.id)
    return int(found[0]) if found else 0
