"""Keys are cut from whatever is kept or shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from ..target.keys import KEY_VARIABLES


class Redaction:
    """Takes the values of keys out of everything that is stored, also in their encoded forms."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._swaps: list[tuple[str, str]] = []
        for role, value in keys.items():
            mark = f"${KEY_VARIABLES.get(role, 'KEY')}"
            for form in sorted(_forms(value), key=len, reverse=True):
                self._swaps.append((form, mark))
        self._shortest = min((len(form) for form, _ in self._swaps), default=0)

    def text(self, text: str) -> str:
        """The text with every form of every key replaced by the key's variable name."""
        if len(text) < self._shortest:
            return text  # most texts are header names and the like
        for form, mark in self._swaps:
            if form in text:
                text = text.replace(form, mark)
        return text

    def apply(self, data: Any) -> Any:
        """JSON-able data with all its strings cleaned, member names included."""
        if isinstance(data, str):
            return self.text(data)
        if isinstance(data, Mapping):
            return {self.text(str(name)): self.apply(value) for name, value in data.items()}
        if isinstance(data, Iterable):
            return [self.apply(value) for value in data]
        return data


def _forms(value: str) -> Iterator[str]:
    if not value:
        return
    yield value
    yield quote(value, safe="")
    yield json.dumps(value)[1:-1]
    raw = value.encode()
    # Where the key stands inside a longer base64 text its first and last characters depend on its neighbours;
    # the middle of each of the three alignments does not.
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode()
        start = (0, 2, 3)[shift]
        end = len(encoded) - 4 if encoded.endswith("=") or (len(raw) + shift) % 3 else len(encoded)
        core = encoded[start:end]
        if len(core) >= 8:
            yield core
            yield core.replace("+", "-").replace("/", "_")
