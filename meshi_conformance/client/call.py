"""A request before it is sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..exchanges.exchange import STORED_BODY_BYTES
from ..target.keys import BEARER

NOTHING: Any = object()
"""No request body at all."""


@dataclass(frozen=True)
class Padded:
    """A body too large to hold: `head`, as many letters as make `size` bytes of the whole, then `tail`.

    Without the letters it is a valid body too.
    """

    head: bytes
    tail: bytes
    size: int

    def __iter__(self) -> Iterator[bytes]:
        chunk = b"x" * 65_536
        yield self.head
        left = self.size - len(self.head) - len(self.tail)
        while left > 0:
            yield chunk[:left]
            left -= len(chunk)
        yield self.tail

    @property
    def start(self) -> bytes:
        """As much of it as a record keeps."""
        return self.head + b"x" * STORED_BODY_BYTES


@dataclass(frozen=True)
class Call:
    """One request to an operation, before it is sent.

    `key` is the role of the key to send, None for no Authorization header; `authorization` replaces the
    header's whole value. `body` is a JSON value, `content` is sent as it is in its place. `base` is another base URL
    of the target's own, `scheme` what precedes the key. `any_code` says that the pages leave open how the server
    answers, so that a refusal may carry a code of its own.
    """

    operation: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = NOTHING
    content: bytes | Padded | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = "main"
    authorization: str | None = None
    base: str | None = None
    scheme: str = BEARER
    any_code: bool = False

    def replace(self, **changes: Any) -> Call:
        """Return the same call with other attributes."""
        return dataclasses.replace(self, **changes)

    def with_body(self, **members: Any) -> Call:
        """Return the same call with some members of its body set."""
        return dataclasses.replace(self, body={**self.body, **members})

    def without(self, *members: str) -> Call:
        """Return the same call without some members of its body."""
        return dataclasses.replace(self, body={name: value for name, value in self.body.items() if name not in members})

    def with_path(self, **parameters: str) -> Call:
        """Return the same call with other path parameters."""
        return dataclasses.replace(self, path={**self.path, **parameters})
