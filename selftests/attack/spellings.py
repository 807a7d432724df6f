"""How a server can spell a key that it echoes, and a search that undoes every spelling. Written without the suite's."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote, unquote

PART = 12
"""So many characters of a key in a row, in any case, count as a leak."""


def _unicode(key: str) -> str:
    return "".join(f"\\u{ord(letter):04X}" for letter in key)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda key: key,
    "escaped slashes": lambda key: key.replace("/", "\\/"),
    "escaped signs": lambda key: "".join(f"\\u{ord(c):04X}" if not c.isalnum() else c for c in key),
    "all escaped": _unicode,
    "escaped twice": lambda key: _unicode(key).replace("\\", "\\\\"),
    "percent": lambda key: quote(key, safe=""),
    "percent in lower case": lambda key: re.sub("%..", lambda found: found[0].lower(), quote(key, safe="")),
    "percent twice": lambda key: quote(quote(key, safe=""), safe=""),
    "HTML names": lambda key: html.escape(key).replace("/", "&sol;").replace("+", "&plus;"),
    "HTML numbers": lambda key: "".join(f"&#x{ord(letter):x};" for letter in key),
    "base64": lambda key: _base64(f"Bearer {key}"),
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(f"a:{key}:z".encode()).decode(),
    "base64 twice": lambda key: _base64(f"Basic {_base64(f'user:{key}')}"),
    "upper case": str.upper,
    "halves": lambda key: f"{key[: len(key) // 2]} and {key[len(key) // 2 :]}",
    "invisible signs": lambda key: "\u200b".join(key),
}


def layers(text: str, most: int = 5) -> Iterator[str]:
    """Yield the text, and what it says after JSON, HTML, URL and base64 are undone again and again."""
    for _ in range(most):
        yield text
        plain = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
        plain = re.sub(r"\\+(?=[/\"\\])|[\u200b-\u200f\0]", "", plain)
        plain = unquote(html.unescape(plain), errors="replace")
        inner = "\n".join(_decoded(plain))
        after = f"{plain}\n{inner}" if inner else plain
        if after == text:
            return
        text = after


def _decoded(text: str) -> Iterator[str]:
    for found in re.findall(r"(?<![\w+/-])[A-Za-z0-9+/_-]{24,}", text):
        for shift in range(4):
            run = found[shift:].replace("-", "+").replace("_", "/")
            raw = base64.b64decode(run[: len(run) // 4 * 4])
            if sum(32 <= byte < 127 for byte in raw) > len(raw) * 0.6:
                yield raw.decode("latin-1")


def leak(data: bytes | str, key: str) -> str | None:
    """Return what of the key can be read in the data, with its surroundings; None where nothing can."""
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    secret = key.lower()
    # PART characters in a row hold a whole piece of half the size.
    pieces = [secret[start : start + PART // 2] for start in range(0, len(secret), PART // 2)]
    parts = [secret[start : start + PART] for start in range(len(secret) - PART + 1)]
    for layer in layers(text):
        lower = layer.lower()
        for piece in pieces:
            for found in re.finditer(re.escape(piece), lower):
                near = lower[max(0, found.start() - PART) : found.end() + PART]
                if any(part in near for part in parts):
                    return json.dumps(layer[max(0, found.start() - 120) : found.end() + 60])
    return None
