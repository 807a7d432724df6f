"""JSON as RFC 8259 has it: no duplicate members, no NaN, bounded depth and numbers."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any

from ..errors import MissingMember

MOST_LEVELS = 100
"""How deep an answer may be nested: deeper ones exhaust ordinary readers."""


NUMBER_DIGITS = 1000


class JsonObject(dict[str, Any]):
    """A JSON object of an answer. Reading a member that is not there fails the check that reads it."""

    __slots__ = ()

    def __missing__(self, name: str) -> Any:
        raise MissingMember(f"the answer has no member {name!r}; it has {sorted(self)[:20]}")


class NotJson(ValueError):
    """A body that is not a valid JSON document, with the reason."""


class HalfPair(NotJson):
    """A body whose only fault is half a surrogate pair."""


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = JsonObject(pairs)
    if len(found) != len(pairs):
        twice = sorted(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise NotJson(f"an object has the same member twice: {', '.join(twice)[:200]}")
    return found


def _constant(name: str) -> Any:
    raise NotJson(f"{name} is not JSON")


def _float(text: str) -> float:
    if len(text) > NUMBER_DIGITS:
        raise NotJson(f"a number has {len(text)} characters")
    value = float(text)
    if math.isinf(value):
        raise NotJson(f"the number {text[:40]} is out of range")
    return value


def _int(text: str) -> int:
    if len(text) > NUMBER_DIGITS:
        raise NotJson(f"a number has {len(text)} digits")
    return int(text)


def _bounded_depth(value: Any) -> None:
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise NotJson(f"it is nested more than {MOST_LEVELS} levels deep")


_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
"""The escape of half a surrogate pair, which may have its other half beside it."""


def _whole_pairs(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise HalfPair("a text holds half a surrogate pair, which no Unicode text can") from None


def holds_half_pair(body: bytes | None) -> bool:
    """Return whether a JSON document escapes half a surrogate pair without the other half."""
    try:
        _whole_pairs(json.loads(body or b""))
    except HalfPair:
        return True
    except (ValueError, RecursionError):
        return False
    return False


def parse_json(body: bytes, *, half_pairs: bool = False) -> Any:
    """Return the value of a JSON document.

    Raise NotJson for anything that two readers could read differently: NaN and Infinity, a member that
    is repeated, nesting or numbers beyond what ordinary readers take, bytes that are not UTF-8, and half a surrogate
    pair unless `half_pairs` allows it.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_int,
        )
        if body.count(b"[") + body.count(b"{") > MOST_LEVELS:
            _bounded_depth(value)
        if not half_pairs and _HALF_PAIR.search(body):
            _whole_pairs(value)
        return value
    except NotJson:
        raise
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise NotJson("it is not UTF-8") from None
    except ValueError as problem:
        raise NotJson(str(problem)[:200]) from None
