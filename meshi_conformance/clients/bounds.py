"""The documented bounds that a request breaks, read as generated calls are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..client.call import NOTHING, Call
from ..watching.expectations.expectation import Reader

AMBIGUOUS = frozenset({"media", "route", "padded"})
"""Freedoms under which a server may read a request otherwise than we do, so that a fault in it is not certain."""


def faults_of(
    reader: Reader, operation: str, path: Mapping[str, str], query: Mapping[str, str], content: bytes | None, value: Any
) -> list[tuple[str, str]] | None:
    """Return the bounds that a request breaks, as (member, what) pairs; None where it can be read in two ways.

    `value` is the JSON value of its body `content`, None where that is not JSON.
    """
    body = value if content and value is not None else NOTHING
    call = Call(
        operation,
        path=path,
        query={name: one for name, one in query.items() if name not in ("limit", "cursor")},
        body=body,
        content=content if content and value is None else None,
    )
    found = reader.read(call)
    if found.freedoms & AMBIGUOUS:
        return None
    return [(one.what.split(" ", 1)[0], one.what) for one in found.faults]
