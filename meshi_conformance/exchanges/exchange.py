"""One request with its answer: what evidence is made of."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..errors import MissingMember, Unreadable
from ..target.keys import BEARER, KEY_VARIABLES
from .redaction import Redaction
from .strict_json import JsonObject, NotJson, parse_json

STORED_BODY_BYTES = 16_384
"""How much of a body is kept in a record; what a test reads is whole."""


GATEWAY_STATUSES = frozenset({502, 503, 504, *range(520, 528), 530})
"""What load balancers and content networks answer when the server behind them does not."""

MOST_HEADERS, HEADER_CHARACTERS = 100, 2048
"""How much of an answer's header is kept in a record."""


@dataclass
class Exchange:
    """A recorded request with its answer.

    `key` is the role of the key that was sent (`main`, `read`, …), never its value; None when no key was
    sent, `literal` when a made-up Authorization header was. `elapsed` is in seconds, `started` is POSIX time.
    `request_size` is how many bytes a body had of which `request_body` is only the start, else None.
    `other_base` is what the path was sent below where that is not the target's base URL. `scheme` is what stood before
    the key.
    """

    id: str
    operation: str | None
    test: str
    method: str
    path: str
    key: str | None
    request_headers: dict[str, str]
    request_body: bytes | None
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    started: float
    elapsed: float
    request_size: int | None = None
    other_base: str | None = None
    scheme: str = BEARER
    violations: list[tuple[str, str]] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)

    @property
    def request_bytes(self) -> int:
        """How many bytes the request's body had."""
        return len(self.request_body or b"") if self.request_size is None else self.request_size

    @cached_property
    def parsed(self) -> Any:
        """The body's JSON value; raises NotJson."""
        return parse_json(self.body)

    @property
    def json(self) -> JsonObject:
        """The body as a JSON object. Raises Unreadable where it is none, as the checks have charged that."""
        try:
            value = self.parsed
        except NotJson as problem:
            raise self._unreadable(f"is no JSON: {problem}") from None
        if not isinstance(value, JsonObject):
            raise self._unreadable("is no JSON object")
        return value

    def _unreadable(self, how: str) -> Exception:
        """What a check gets that reads the body: nobody but itself charges a request of no operation."""
        message = f"{self.summary} has a body that {how}"
        if self.operation is None:
            return MissingMember(message)
        return Unreadable(message, f"{self.operation} answers with bodies that are no JSON object")

    def __getitem__(self, name: str) -> Any:
        return self.json[name]

    @property
    def items(self) -> list[JsonObject]:
        """The rows of a page; a failed assertion where there is no list of objects."""
        rows = self.json["items"]
        if not isinstance(rows, list) or not all(isinstance(row, JsonObject) for row in rows):
            raise MissingMember(f"`items` of {self.summary} is no list of objects")
        return rows

    @property
    def next_cursor(self) -> str | None:
        """Where the next page starts; None on the last page. A failed assertion for anything else."""
        cursor = self.json["next_cursor"]
        if cursor is not None and not isinstance(cursor, str):
            raise MissingMember(f"`next_cursor` of {self.summary} is neither a string nor null")
        return cursor

    def header(self, name: str) -> str | None:
        """The first value of a response header, by case-insensitive name."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def header_values(self, name: str) -> list[str]:
        """Every value of a response header, by case-insensitive name."""
        wanted = name.lower()
        return [value for key, value in self.headers if key.lower() == wanted]

    def broken(self, requirement: str) -> list[str]:
        """How this exchange breaks a requirement, by the checks that run on every exchange."""
        return [message for name, message in self.violations if name == requirement]

    @property
    def accepted(self) -> bool:
        """Whether the answer is a success of any kind."""
        return 200 <= self.status < 300

    @property
    def code(self) -> str | None:
        """The error code of a refusal; None where the answer carries none."""
        try:
            value = self.parsed
        except NotJson:
            return None
        code = value.get("code") if isinstance(value, dict) else None
        return code if isinstance(code, str) else None

    @property
    def is_gateway_page(self) -> bool:
        """Whether something on the way answered in the API's place: no answer of the API, so nothing to judge."""
        return self.status in GATEWAY_STATUSES and self.code is None

    @property
    def refusal(self) -> tuple[int, str | None]:
        """Status and error code: what a client branches on."""
        return self.status, None if self.accepted else self.code

    @property
    def correlation_id(self) -> str | None:
        """The effective correlation ID, as the header says it, else as the body does."""
        sent = self.header("x-correlation-id")
        if sent:
            return sent
        try:
            value = self.parsed
        except NotJson:
            return None
        found = value.get("correlation_id") if isinstance(value, dict) else None
        return found if isinstance(found, str) else None

    @property
    def summary(self) -> str:
        """One line: the request and how it was answered."""
        code = "" if self.accepted else f" {self.code or '(no code)'}"
        return f"{self.operation or 'a request'} ({self.method} {self.path[:160]}) answered {self.status}{code}"

    def __repr__(self) -> str:
        return f"<{self.summary}, exchange {self.id}>"

    def curl(self, clean: Callable[[str], str] = str) -> str:
        """A command line that repeats the request; keys are named by their environment variable."""
        parts = ["curl", "-sS", "-i"]
        if self.method != "GET":
            parts += ["-X", self.method]
        base = "$MESHI_BASE" if self.other_base is None else _double_quoted(self.other_base)
        line = " ".join(parts) + f' "{base}{_double_quoted(self.path)}"'
        if self.key in KEY_VARIABLES:
            line += f' -H "Authorization: {self.scheme}${KEY_VARIABLES[self.key]}"'
        for name, value in self.request_headers.items():
            line += " -H " + shlex.quote(f"{name}: {value}")
        if self.request_body is not None:
            line += " --data-binary " + shlex.quote(_text(self.request_body, clean) or "")
            if self.request_bytes > STORED_BODY_BYTES:
                line += f"  # cut: the body has {self.request_bytes} bytes"
        return line

    def record(self, redaction: Redaction) -> dict[str, Any]:
        """The exchange as JSON-able data without any key, bodies cut to STORED_BODY_BYTES."""
        clean = redaction.text
        return {
            "id": self.id,
            "operation": self.operation,
            "test": self.test,
            "method": self.method,
            "path": clean(self.path),
            "other_base": self.other_base,
            "key": self.key,
            "scheme": self.scheme,
            "request_headers": redaction.apply(self.request_headers),
            "request_body": _text(self.request_body, clean),
            "request_bytes": self.request_bytes,
            "status": self.status,
            "headers": redaction.apply(
                [(name[:200], value[:HEADER_CHARACTERS]) for name, value in self.headers[:MOST_HEADERS]]
            ),
            "body": _text(self.body, clean),
            "body_bytes": len(self.body),
            "started": self.started,
            "elapsed": self.elapsed,
            "correlation_id": redaction.apply((self.correlation_id or "")[:200] or None),
            "curl": clean(self.curl(clean)),
            "violations": redaction.apply(self.violations),
            "drift": redaction.apply(self.drift),
        }


def _double_quoted(text: str) -> str:
    for special in ("\\", '"', "$", "`"):
        text = text.replace(special, "\\" + special)
    return text


def _text(body: bytes | None, clean: Callable[[str], str]) -> str | None:
    if body is None:
        return None
    # Cleaned before it is cut, so that no half of a key is left at the edge.
    return clean(body[: STORED_BODY_BYTES + 2048].decode("utf-8", "replace"))[:STORED_BODY_BYTES]
