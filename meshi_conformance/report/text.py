"""How text that a server sent is shown: nothing it holds may steer a page, a terminal or a reader."""

from __future__ import annotations

import json
import re
from typing import Any

from ..exchanges.strict_json import NotJson, parse_json


def visible(text: str) -> str:
    r"""Show control, direction and other invisible characters in a text, as `\x1b` or `\u202e`.

    Line breaks and tabs stay. Half a surrogate pair is shown too: no file can hold one.
    """
    return _SUSPECT.sub(_escaped, text)


_SUSPECT = re.compile(r"[^\n\t -~]")


def _escaped(found: re.Match[str]) -> str:
    letter = found[0]
    if letter.isprintable():
        return letter
    number = ord(letter)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def one_line(text: str, most: int = 300) -> str:
    """Return the text on one line, visible and not longer than `most` characters."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= most else line[: most - 1] + "\u2026"


def target_line(name: str, base: str) -> str:
    """Return how a target is named to people: once, where it is known by its URL alone."""
    return name if name == base else f"{name} {base}"


def gist(reason: str) -> str:
    """Return what a failure says in one sentence: without the comparison that pytest prints below the message."""
    first = reason.split("\n", 1)[0]
    if not first.startswith("assert "):
        return first
    compared = re.fullmatch(r"assert (.{1,300}?) == (.{1,300})", first)
    if compared:
        return f"{compared[1]} instead of {compared[2]}"
    seen = re.search(r"^ \+\s+where (.+?) = (.+)$", reason, re.MULTILINE)
    return f"{seen[2]} is {seen[1]}" if seen else f"this does not hold: {first.removeprefix('assert ')}"


def pretty(body: str | None, most: int) -> str:
    """Return a body for people: JSON indented, anything else as it came; its start where it exceeds `most`."""
    if not body:
        return ""
    try:
        value: Any = parse_json(body.encode("utf-8", "surrogatepass"))
        pieces, length = [], 0
        for piece in _ENCODER.iterencode(value):
            pieces.append(piece)
            length += len(piece)
            if length > most:
                break
        return "".join(pieces)
    except (NotJson, RecursionError, ValueError):
        return body


_ENCODER = json.JSONEncoder(indent=2, ensure_ascii=False)


def counted(number: int, what: str) -> str:
    """Write a count with its noun: `1 failure`, `2 failures`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")
