"""One request with its answer: what evidence is made of."""

from __future__ import annotations

import base64
import json
import math
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote

from ..errors import MissingMember, Unreadable

STORED_BODY_BYTES = 16_384
"""How much of a body is kept in a record; what a test reads is whole."""

KEY_VARIABLES = {
    "main": "MESHI_KEY",
    "read": "MESHI_READ_KEY",
    "other": "MESHI_OTHER_KEY",
    "disabled": "MESHI_DISABLED_KEY",
    "user": "MESHI_USER_KEY",
    "no_org": "MESHI_NO_ORG_KEY",
    "probe": "MESHI_PROBE_KEY",
}
"""Role of a key to the environment variable that holds it."""

BEARER = "Bearer "
"""What stands before a key."""


GATEWAY_STATUSES = frozenset({502, 503, 504, *range(520, 528), 530})
"""What load balancers and content networks answer when the server behind them does not."""

MOST_HEADERS, HEADER_CHARACTERS = 100, 2048
"""How much of an answer's header is kept in a record."""

MOST_LEVELS = 100
"""How deep an answer may be nested: deeper ones exhaust ordinary readers."""

NUMBER_DIGITS = 1000


class JsonObject(dict[str, Any]):
    """A JSON object of an answer. Reading a member that is not there fails the check that reads it."""

    __slots__ = ()

    def __missing__(self, name: str) -> Any:
        raise MissingMember(f"the answer has no member {name!r}; it has {sorted(self)[:20]}")


class NotJson(ValueError):
    """A body that is no valid JSON document, with the reason."""


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = JsonObject(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise NotJson(f"an object has the same member twice: {', '.join(twice)[:200]}")
    return found


def _constant(name: str) -> Any:
    raise NotJson(f"{name} is not JSON")


def _float(text: str) -> float:
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


def parse_json(body: bytes) -> Any:
    """The value of a JSON document.

    Raises NotJson for anything that two readers could read differently: NaN and Infinity, a member that
    stands twice, nesting or numbers beyond what ordinary readers take, bytes that are not UTF-8.
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
        return value
    except NotJson:
        raise
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise NotJson("it is not UTF-8") from None
    except ValueError as problem:
        raise NotJson(str(problem)[:200]) from None


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
