"""Reading timestamps of any RFC 3339 form, so that they can be compared."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

RFC_3339 = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[Tt ](?P<time>\d{2}:\d{2}:\d{2})(?:\.(?P<fraction>\d+))?"
    r"(?P<zone>[Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)

MOST_DIGITS = 15
"""Digits of a fraction that are compared: no clock shows more, and a decimal number holds them exactly."""


def instant(value: Any) -> Decimal | None:
    """Return the seconds since 1970 of a timestamp, with the digits of its fraction; None for anything else.

    Whether a member has to be a timestamp is for its schema to say: a check of an order skips other values.
    """
    match = RFC_3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    zone = "+00:00" if match["zone"] in "Zz" else match["zone"]
    try:
        moment = datetime.fromisoformat(f"{match['date']}T{match['time']}{zone}")
    except ValueError:
        return None
    return int(moment.timestamp()) + Decimal(f"0.{(match['fraction'] or '0')[:MOST_DIGITS]}")


def after(first: Any, second: Any) -> bool:
    """Tell whether one timestamp lies after another beyond doubt.

    They are compared with the digits that both have, for a server may cut one of them short; what is not a
    timestamp is after nothing.
    """
    one, other = instant(first), instant(second)
    if one is None or other is None:
        return False
    unit = Decimal(1).scaleb(-min(_digits(first), _digits(second), MOST_DIGITS))
    return one // unit > other // unit


def _digits(timestamp: str) -> int:
    match = RFC_3339.fullmatch(timestamp)
    return len(match["fraction"] or "") if match else 0
