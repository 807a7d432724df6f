"""Takes keys out of everything that is stored or shown, in whatever spelling a server echoes them.

A key is looked for in the text itself and in what is left of it after its escapes are undone (JSON, URL, HTML,
base64, one inside the other). What is found is cut out of the text as it was, escapes and all, so that no later
decoding can bring it back. A part of a key counts as the key: a server or a cut can split one.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..target.keys import KEY_VARIABLES

PART = 12
"""Characters of a key that must not be seen in a row; a shorter key counts as a whole."""

LAYERS = 4
"""How many escapes are undone, one inside the other."""

SECRET_HEADERS = frozenset(
    {"authorization", "cookie", "proxy-authorization", "set-cookie", "set-cookie2", "x-api-key", "x-auth-token"}
)
"""Headers whose values are credentials of any party: their values are never kept."""

CUT = "(not kept: a credential)"
"""The replacement of such a value."""


@dataclass(frozen=True)
class _Secret:
    """One spelling of a key, in lower case; `least` characters of it in a row give it away."""

    spelling: str
    least: int
    mark: str


@dataclass(frozen=True)
class _Layer:
    """A text after some escapes were undone; each character knows the part of the first text it came from."""

    text: str
    starts: list[int]
    ends: list[int]


class Redaction:
    """Takes the values of keys out of texts and data.

    `keys` maps a role to a key's value; `headers` names more headers that carry credentials, in any case.
    """

    def __init__(self, keys: Mapping[str, str], headers: Iterable[str] = ()) -> None:
        self._headers = SECRET_HEADERS | {name.lower() for name in headers}
        # A text is looked at block by block. Where it holds `least` characters of a secret in a row, one of its
        # blocks is a part of the secret: so all parts of that size are known, with the places they come from.
        self._parts: dict[int, dict[str, list[tuple[_Secret, int]]]] = {}
        self._shortest = 0
        for role, value in keys.items():
            self.add(role, value)

    def add(self, role: str, value: str) -> None:
        """Take one more key out of everything from here on."""
        parts = {size: {part: list(places) for part, places in known.items()} for size, known in self._parts.items()}
        for secret in _secrets(value, f"${KEY_VARIABLES.get(role, role)}"):
            size = (min(secret.least, PART) + 1) // 2
            known = parts.setdefault(size, {})
            for start in range(len(secret.spelling) - size + 1):
                known.setdefault(secret.spelling[start : start + size], []).append((secret, start))
        self._parts, self._shortest = parts, min(parts, default=0)

    def text(self, text: str) -> str:
        """Return the text with every spelling and every longer part of a key replaced by the key's variable name."""
        if len(text) < self._shortest or not self._parts or not self._is_suspect(text):
            return text
        found = sorted(self._found(_Layer(text, list(range(len(text))), list(range(1, len(text) + 1))), LAYERS))
        pieces, end = [], 0
        for start, stop, mark in found:
            if start >= end:
                pieces += [text[end:start], mark]
            end = max(end, stop)
        return "".join([*pieces, text[end:]])

    def apply(self, data: Any) -> Any:
        """Return JSON-able data with all its strings cleaned, member names included."""
        plain = _listed(data)
        # One look at the whole: most data hold no key, and then no text of it has to be looked at alone.
        return self._apply(plain) if self._parts and self._is_suspect("\n".join(_texts(plain))) else plain

    def headers(self, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return headers without the values of those that carry credentials."""
        return [(name, CUT if name.lower() in self._headers else value) for name, value in headers]

    def _apply(self, data: Any) -> Any:
        if isinstance(data, str):
            return self.text(data)
        if isinstance(data, dict):
            return {self.text(name): self._apply(value) for name, value in data.items()}
        if isinstance(data, list):
            return [self._apply(value) for value in data]
        return data

    def _is_suspect(self, text: str, layers: int = LAYERS) -> bool:
        """Tell whether the text may hold a part of a key, in any spelling: a quick look."""
        lower = _lower(text)
        if any(not known.keys().isdisjoint(_blocks(lower, size)) for size, known in self._parts.items()):
            return True
        if not layers:
            return False
        plain = _unescaped(text)
        if plain != text:
            return self._is_suspect(plain, layers - 1)
        return any(self._is_suspect(inner, layers - 1) for inner in _inner_texts(text))

    def _found(self, layer: _Layer, layers: int) -> Iterator[tuple[int, int, str]]:
        """Yield every part of a key in a layer and the layers below it, as a part of the first text."""
        for start, end, mark in self._runs(_lower(layer.text)):
            yield layer.starts[start], layer.ends[end - 1], mark
        if not layers:
            return
        plain = _without_escapes(layer)
        if plain.text != layer.text:
            yield from self._found(plain, layers - 1)
        for start, inner in _encoded(layer.text):
            last = len(layer.text) - 1
            yield from self._found(
                _Layer(
                    inner,
                    [layer.starts[start + 4 * number // 3] for number in range(len(inner))],
                    [layer.ends[min(start + (4 * number + 6) // 3 - 1, last)] for number in range(len(inner))],
                ),
                layers - 1,
            )

    def _runs(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield where a lower-case text holds parts of keys: start, end and the key's mark."""
        for size, known in self._parts.items():
            for number, block in enumerate(_blocks(text, size)):
                for secret, place in known.get(block, ()):
                    start, first = number * size, place
                    end, last = start + size, place + size
                    while start > 0 and first > 0 and text[start - 1] == secret.spelling[first - 1]:
                        start, first = start - 1, first - 1
                    while end < len(text) and last < len(secret.spelling) and text[end] == secret.spelling[last]:
                        end, last = end + 1, last + 1
                    if end - start >= secret.least:
                        yield start, end, secret.mark


def _blocks(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text) - size + 1, size)]


def _secrets(value: str, mark: str) -> Iterator[_Secret]:
    if not value:
        return
    least = min(PART, len(value))
    plain = value.lower()
    spellings = [(plain, least), (plain[::-1], least)]
    raw = value.encode()
    if len(raw) >= 6:
        spellings.append((raw.hex(), min(2 * PART, 2 * len(raw))))
        for core in _base64_cores(raw):
            if len(core) >= 8:
                spellings.append((core.lower(), min(4 * PART // 3, len(core))))
    if "\\" in plain:
        spellings.append((plain.replace("\\", ""), least))
    for spelling, shortest in dict.fromkeys(spellings):
        yield _Secret(spelling, min(shortest, len(spelling)), mark)


def _base64_cores(raw: bytes) -> Iterator[str]:
    """Yield what base64 of any longer text that holds the bytes shows of them, for each of the three alignments."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode()
        core = encoded[(0, 2, 3)[shift] : len(encoded) - (4 if (len(raw) + shift) % 3 else 0)]
        yield core
        yield core.replace("+", "-").replace("/", "_")


_UNSEEN = "\0\u00ad\u200b-\u200f\u2060-\u2064\ufeff"
_ESCAPE = re.compile(
    rf"[\\%&{_UNSEEN}](?:"
    r"(?<=\\)\\*(?:u(?P<u>[0-9a-f]{4}|\{[0-9a-f]{1,6}\})|x(?P<x>[0-9a-f]{2})|(?P<c>[^a-z0-9]|[bfnrt]))"
    r"|(?<=%)(?:25)*(?P<p>[0-9a-f]{2})"
    r"|(?<=&)(?:amp;)*(?P<e>#x?[0-9a-f]{1,7};?|[a-z]{2,24};)"
    rf"|(?<=[{_UNSEEN}]))",
    re.IGNORECASE,
)
"""An escape of JSON, of a URL or of HTML, also one whose own first character is escaped; an invisible character."""

_SIGNS = re.compile(rf"[\\%&{_UNSEEN}]")


def _plain(found: re.Match[str]) -> str:
    if found["c"] is not None:
        return found["c"]
    number = (found["u"] or "").strip("{}") or found["x"] or found["p"]
    if number:
        value = int(number, 16)
        return chr(value) if value <= 0x10FFFF else found[0]
    return html.unescape(f"&{found['e']}") if found["e"] else ""


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_plain, text) if _SIGNS.search(text) else text


def _without_escapes(layer: _Layer) -> _Layer:
    """Do the same as `_unescaped`, with every character's origin."""
    texts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for found in _ESCAPE.finditer(layer.text):
        for piece, start, end in (
            (layer.text[at : found.start()], at, None),
            (_plain(found), found.start(), found.end()),
        ):
            texts.append(piece)
            for number in range(len(piece)):
                starts.append(layer.starts[start + number if end is None else start])
                ends.append(layer.ends[start + number if end is None else end - 1])
        at = found.end()
    rest = len(layer.text) - at
    return _Layer(
        "".join([*texts, layer.text[at:]]),
        starts + layer.starts[len(layer.text) - rest :],
        ends + layer.ends[len(layer.text) - rest :],
    )


SHORTEST_RUN = 32
"""Characters of base64 that can hold a key in another encoding."""

_BASE64 = tuple(
    re.compile(rf"(?<![{letters}])[{letters}]{{{SHORTEST_RUN},}}") for letters in ("A-Za-z0-9+/", "A-Za-z0-9_-")
)
"""What could be base64 of something that holds a key in another encoding: the key's own base64 is known already."""


def _encoded(text: str) -> Iterator[tuple[int, str]]:
    """Yield start and decoded text of all that could be base64."""
    for found in (one for pattern in _BASE64 for one in pattern.finditer(text)):
        run = found[0].replace("-", "+").replace("_", "/")
        for shift in range(4):
            part = run[shift:]
            part = part[: len(part) - (len(part) % 4 == 1)]
            try:
                raw = binascii.a2b_base64(part + "=" * (-len(part) % 4))
            except binascii.Error:
                continue
            if raw.isascii():  # what is encoded twice is ASCII; any other match only looks like base64
                yield found.start() + shift, raw.decode()


_BETWEEN_RUNS = {sign: " " for sign in range(128) if not re.match(r"[A-Za-z0-9+/_-]", chr(sign))}

REMEMBERED_RUN = 200
"""Characters of a run whose reading is remembered: the IDs of rows come in hundreds of answers."""


def _inner_texts(text: str) -> Iterator[str]:
    """Yield the same texts as `_encoded`, each once: a quick look."""
    if not text.isascii():
        yield from (inner for _, inner in _encoded(text))
        return
    for run in {word for word in text.translate(_BETWEEN_RUNS).split() if len(word) >= SHORTEST_RUN}:
        yield from _known(run) if len(run) <= REMEMBERED_RUN else (inner for _, inner in _encoded(run))


@lru_cache(maxsize=4096)
def _known(run: str) -> tuple[str, ...]:
    return tuple(inner for _, inner in _encoded(run))


_CAPITALS = str.maketrans({chr(letter): chr(letter + 32) for letter in range(ord("A"), ord("Z") + 1)})


def _lower(text: str) -> str:
    """Return lower case with as many characters as before."""
    return text.lower() if text.isascii() else text.translate(_CAPITALS)


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for name, value in data.items():
            yield name
            yield from _texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value)


def _listed(data: Any) -> Any:
    """Return the data with every iterable as a list and every name as a text."""
    if isinstance(data, str):
        return data
    if isinstance(data, Mapping):
        return {str(name): _listed(value) for name, value in data.items()}
    if isinstance(data, Iterable):
        return [_listed(value) for value in data]
    return data
