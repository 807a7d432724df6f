"""How text that a server sent is shown: nothing it holds may steer a page, a terminal or a reader."""

from __future__ import annotations

import json
from typing import Any

from ..exchange import NotJson, parse_json


def visible(text: str) -> str:
    r"""Text with control, direction and other invisible characters in sight, as `\x1b` or `\u202e`.

    Line breaks and tabs stay. Half a surrogate pair is shown too: no file can hold one.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter in "\n\t" or letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    number = ord(letter)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def one_line(text: str, most: int = 300) -> str:
    """The text on one line, visible and not longer than `most` characters."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= most else line[: most - 1] + "\u2026"


def pretty(body: str | None) -> str:
    """A body for people: JSON indented, anything else as it came."""
    if not body:
        return ""
    try:
        value: Any = parse_json(body.encode("utf-8", "surrogatepass"))
        return json.dumps(value, indent=2, ensure_ascii=False)
    except (NotJson, RecursionError, ValueError):
        return body


def counted(number: int, what: str) -> str:
    """`1 failure`, `2 failures`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")
