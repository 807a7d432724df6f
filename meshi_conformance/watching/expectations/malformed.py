"""Malformed JSON that lenient readers accept, by the name that `limits.json.*` has for it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

DEEP = 1_000
"""Arrays and objects that a body opens and does not close, from which on it is one of deep nesting."""

MOST_LOOKED_AT = 1 << 20
"""Bytes of a body that is looked through."""

REPAIRS: dict[str, Callable[[str], str]] = {
    "trailing_comma": lambda text: re.sub(r",(\s*[}\]])", r"\1", text),
    "comments": lambda text: re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL),
    "numbers": lambda text: re.sub(r"([:\[,]\s*-?)0+(\d)", r"\1\2", text),
    "single_quotes": lambda text: text.replace("'", '"'),
    "bare_names": lambda text: re.sub(r"([{,]\s*)([A-Za-z_]\w*)(\s*:)", r'\1"\2"\3', text),
}
"""By kind: what makes JSON of a body whose only mistake is of that kind."""


def malformed(content: bytes) -> str | None:
    """Name the kind of malformed JSON of a body; None for JSON, and for what no reader would take for JSON."""
    if not content.strip():
        return "empty"
    if len(content) > MOST_LOOKED_AT:
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return "encoding" if _is_json(content.decode("utf-8", "replace")) else None
    if text.count("[") + text.count("{") - text.count("]") - text.count("}") > DEEP:
        return "nesting"
    constants: list[str] = []
    if _is_json(text, constants):
        return "constants" if constants else None
    if _is_json(text, strict=False):
        return "control"
    if _begins_with_json(text):
        return "rest"
    return next((kind for kind, repair in REPAIRS.items() if _is_json(repair(text))), None)


def _is_json(text: str, constants: list[str] | None = None, strict: bool = True) -> bool:
    try:
        json.loads(text, parse_constant=(constants if constants is not None else []).append, strict=strict)
    except (ValueError, RecursionError):
        return False
    return True


def _begins_with_json(text: str) -> bool:
    try:
        value, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict | list)
