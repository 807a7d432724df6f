"""One request with its answer: what evidence is made of."""

from __future__ import annotations

import base64
import codecs
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..errors import MissingMember, NotAJsonObject
from ..target.keys import BEARER, KEY_VARIABLES
from .redaction import Redaction
from .strict_json import HalfPair, JsonObject, NotJson, holds_half_pair, parse_json

STORED_BODY_BYTES = 16_384
"""How much of a body is kept in a record; what a test reads is whole."""


GATEWAY_STATUSES = frozenset({502, 503, 504, *range(520, 528), 530})
"""What load balancers and content networks answer when the server behind them does not."""

MOST_HEADERS, HEADER_CHARACTERS, HEADERS_CHARACTERS = 100, 2048, 32_768
"""How much of an answer's header is kept in a record: fields, characters of one, characters of all."""

STORED_PATH = 8192
"""How many characters of a path are kept in a record."""

SLACK = 2048
"""How many characters past a bound are looked at for keys before a text is cut at the bound."""


@dataclass
class Exchange:
    """A recorded request with its answer.

    `key` is the role of the key that was sent (`main`, `read`, …), never its value; None when no key was
    sent, `literal` when a made-up Authorization header was. `elapsed` is in seconds, `started` is POSIX time.
    `uuids` are the UUIDs in undocumented members, with the member's path.
    `request_size` is how many bytes a body had of which `request_body` is only the start, else None.
    `other_base` is what the path was sent below where that is not the target's base URL. `scheme` is what preceded
    the key, `curl_options` what a curl line needs besides to reach the target. `no_answer`
    says how the connection ended where the target broke it in place of an answer; `status` is then 0.
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
    curl_options: str = ""
    any_code: bool = False
    no_answer: str | None = None
    violations: list[tuple[str, str]] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    uuids: list[tuple[str, str]] = field(default_factory=list)

    @property
    def request_bytes(self) -> int:
        """How many bytes the request's body had."""
        return len(self.request_body or b"") if self.request_size is None else self.request_size

    @cached_property
    def parsed(self) -> Any:
        """The body's JSON value; raises NotJson.

        Half a surrogate pair is the server's mistake, but not where it gives back what the request held.
        """
        try:
            return parse_json(self.body)
        except HalfPair:
            if not holds_half_pair(self.request_body):
                raise
            return parse_json(self.body, half_pairs=True)

    @property
    def json(self) -> JsonObject:
        """The body as a JSON object. Raise NotAJsonObject for any other body, which the checks have reported."""
        try:
            value = self.parsed
        except NotJson as problem:
            raise self._unreadable(f"is not JSON: {problem}") from None
        if not isinstance(value, JsonObject):
            raise self._unreadable("is not a JSON object")
        return value

    def _unreadable(self, how: str) -> Exception:
        """Build the error for a check that reads the body; outside the operations the check itself reports it."""
        message = f"{self.summary} has a body that {how}"
        if self.operation is None:
            return MissingMember(message)
        return NotAJsonObject(message, f"{self.operation} answers with bodies that are not JSON objects")

    def __getitem__(self, name: str) -> Any:
        return self.json[name]

    @property
    def items(self) -> list[JsonObject]:
        """The rows of a page. Raise MissingMember where `items` is not a list of objects."""
        rows = self.json["items"]
        if not isinstance(rows, list) or not all(isinstance(row, JsonObject) for row in rows):
            raise MissingMember(f"`items` of {self.summary} is not a list of objects")
        return rows

    @property
    def next_cursor(self) -> str | None:
        """Where the next page starts, as it is sent back; None on the last page. A failed assertion for anything else.

        A cursor is opaque: a server may issue strings or numbers.
        """
        cursor = self.json["next_cursor"]
        if cursor is None:
            return None
        if isinstance(cursor, bool) or not isinstance(cursor, str | int | float):
            raise MissingMember(f"`next_cursor` of {self.summary} is neither a string or number nor null")
        return str(cursor)

    def header(self, name: str) -> str | None:
        """Return the first value of a response header, by case-insensitive name."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def header_values(self, name: str) -> list[str]:
        """Return every value of a response header, by case-insensitive name."""
        wanted = name.lower()
        return [value for key, value in self.headers if key.lower() == wanted]

    def violations_of(self, requirement: str) -> list[str]:
        """Say how this exchange breaks a requirement, by the checks that run on every exchange."""
        return [message for name, message in self.violations if name == requirement]

    @property
    def is_success(self) -> bool:
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
        """Whether something on the way answered in the API's place: no answer of the API, so nothing to judge.

        Gateways say with a page for people that the server behind them does not answer, or that they limit requests.
        A 407 comes from a proxy on the way by its meaning (RFC 9110, 15.5.8), whatever its body looks like.
        """
        if self.status == 429:
            return self.code is None and "html" in (self.header("content-type") or "").lower()
        return self.status == 407 or (self.status in GATEWAY_STATUSES and self.code is None)

    @property
    def answered_by(self) -> str:
        """Who answered, as far as it says so: status, content type, and the Server and Via headers."""
        label = (self.header("content-type") or "").partition(";")[0].strip().lower()
        names = (("from", self.header("server")), ("via", self.header("via")))
        said = "".join(f" {word} {' '.join(name.split())[:60]}" for word, name in names if name)
        return f"{self.status} {label[:60] or 'without a content type'}{said}"

    @property
    def not_the_api(self) -> str | None:
        """Who answered, where the body is not a JSON object and the method asks for one; None for the API's answers."""
        if self.method in ("HEAD", "OPTIONS"):
            return None
        try:
            value = self.parsed
        except NotJson:
            return self.answered_by
        return None if isinstance(value, dict) else self.answered_by

    @property
    def status_and_code(self) -> tuple[int, str | None]:
        """Status and error code: what a client branches on."""
        return self.status, None if self.is_success else self.code

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
    def called(self) -> str:
        """What was called: the operation's ID, or `a request` outside the operations."""
        return self.operation or "a request"

    @property
    def summary(self) -> str:
        """One line: the request and how it was answered."""
        request = f"{self.called} ({self.method} {self.path[:160]})"
        if self.no_answer is not None:
            return f"{request} got no answer: {self.no_answer}"
        code = "" if self.is_success else f" {self.code or '(no code)'}"
        return f"{request} answered {self.status}{code}"

    def __repr__(self) -> str:
        return f"<{self.summary}, exchange {self.id}>"

    def curl(self, clean: Callable[[str], str] = str) -> str:
        """Return a command line that repeats the request; keys are named by their environment variable.

        A body that a shell or a page could not hold as it is goes through base64, so that the same bytes are sent.
        """
        parts = ["curl", "-sS", "-i"]
        if self.method == "HEAD":
            parts.append("--head")
        elif self.method != "GET" or self.request_body is not None:
            parts += ["-X", self.method]
        base = "$MESHI_BASE" if self.other_base is None else _double_quoted(self.other_base)
        line = " ".join(parts) + f' "{base}{_double_quoted(self._path(clean))}"'
        if self.key in KEY_VARIABLES:
            line += f' -H "Authorization: {self.scheme}${KEY_VARIABLES[self.key]}"'
        line += self.curl_options
        for name, value in self.request_headers.items():
            line += " -H " + shlex.quote(f"{name}: {value}" if value else f"{name};")
        cut = [f"the path has {len(self.path)} characters"] if len(self.path) > STORED_PATH else []
        if self.request_body is not None:
            if not any(name.lower() == "content-type" for name in self.request_headers):
                line += " -H 'Content-Type:'"  # else curl would send one of its own
            body, encoding = _stored(self.request_body, clean)
            if encoding is None and not body.startswith("@") and all(map(_shows_itself, body)):
                line += " --data-binary " + shlex.quote(body)
            else:
                encoded = body if encoding else base64.b64encode(body.encode()).decode()
                line = f"printf %s {encoded} | base64 -d | {line} --data-binary @-"
            if self.request_bytes > STORED_BODY_BYTES:
                cut.append(f"the body has {self.request_bytes} bytes")
        return line + (f"  # cut: {', '.join(cut)}" if cut else "")

    def _path(self, clean: Callable[[str], str]) -> str:
        return clean(self.path[: STORED_PATH + SLACK])[:STORED_PATH]

    def _page(self) -> dict[str, Any] | None:
        """Return what a cut body would no longer tell of a page: how many rows it has, and its cursor."""
        try:
            value = self.parsed
        except NotJson:
            return None
        rows = value.get("items") if isinstance(value, dict) else None
        if not isinstance(rows, list):
            return None
        cursor = value.get("next_cursor")
        return {"rows": len(rows), "next_cursor": cursor if isinstance(cursor, str | int | float) else None}

    def record(self, redaction: Redaction) -> dict[str, Any]:
        """Return the exchange as JSON-able data without any key, of bounded size.

        Bodies are cut to STORED_BODY_BYTES; one that is not UTF-8 is kept as base64, and its `…_encoding` says so.
        """
        clean = redaction.text
        request_body, request_encoding = _stored(self.request_body, clean)
        body, encoding = _stored(self.body, clean)
        told = {
            "path": self._path(clean),
            "request_headers": dict(self.request_headers),
            "request_body": request_body,
            "headers": list(_bounded(redaction.headers(self.headers[:MOST_HEADERS]))),
            "body": body,
            "page": self._page(),
            "correlation_id": (self.correlation_id or "")[: 200 + SLACK] or None,
            "curl": self.curl(clean),
            "not_the_api": self.not_the_api,
            "violations": self.violations,
            "drift": self.drift,
        }
        found = dict(zip(told, redaction.apply(told.values()), strict=True))
        return {
            **{
                name: getattr(self, name)
                for name in ("id", "operation", "test", "method", "other_base", "key", "scheme")
            },
            **found,
            "request_body_encoding": request_encoding,
            "request_bytes": self.request_bytes,
            "status": self.status,
            "no_answer": self.no_answer,
            "headers": [[name[:200], value[:HEADER_CHARACTERS]] for name, value in found["headers"]],
            "body_encoding": encoding,
            "body_bytes": len(self.body),
            "started": self.started,
            "elapsed": self.elapsed,
            "correlation_id": found["correlation_id"] and found["correlation_id"][:200],
        }


def _bounded(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the first headers, as many as a record has room for."""
    room = HEADERS_CHARACTERS
    for name, value in headers:
        name, value = name[: 200 + SLACK], value[: HEADER_CHARACTERS + SLACK]
        room -= len(name) + len(value)
        if room < 0:
            return
        yield name, value


def _double_quoted(text: str) -> str:
    for special in ("\\", '"', "$", "`"):
        text = text.replace(special, "\\" + special)
    return text


def _shows_itself(letter: str) -> bool:
    return letter.isprintable() or letter in "\n\t"


def _stored(body: bytes | None, clean: Callable[[str], str]) -> tuple[Any, str | None]:
    """Return the start of a body as a record keeps it, and its encoding: None for text, `base64` for other bytes."""
    if body is None:
        return None, None
    # Cleaned before it is cut, so that no half of a key is left at the edge.
    start = body[: STORED_BODY_BYTES + SLACK]
    try:
        # A character that the cut splits is not an error.
        text = codecs.getincrementaldecoder("utf-8")().decode(start, final=len(start) == len(body))
    except UnicodeDecodeError:
        raw = clean(start.decode("latin-1")).encode("latin-1")[:STORED_BODY_BYTES]
        return base64.b64encode(raw).decode(), "base64"
    return clean(text)[:STORED_BODY_BYTES], None
