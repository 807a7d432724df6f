"""What the duties need to know of one scenario: every request and answer as facts, in the order of the server's clock.

A step is small whatever was sent: of an import with 50,000 rows it keeps digests and no row. The story of a scenario
is bounded by the number of requests that a sandbox takes (`sandbox.MOST_REQUESTS`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from ..contract.contract import Contract
from ..contract.operations import Operation

TERMINAL = frozenset({"succeeded", "partial", "failed"})
"""The statuses in which a run has ended (overview)."""

RUN_KINDS = {
    "importAttendees": "import",
    "createEnrichmentRun": "enrichment",
    "createMatchRun": "match",
    "createRun": "generic",
}
"""The operations that start runs."""


class Run(NamedTuple):
    """A run as an answer shows it."""

    id: str
    kind: str
    event: str | None
    status: str
    key: str | None


@dataclass(frozen=True)
class Facts:
    """What a body says, without its bulk.

    `content` identifies a write whatever its key: operation, event and body, rows in any order. `rows` identifies the
    attendees of an import, whatever else is said of them. `names` are the partner IDs that it gives, by kind.
    """

    key: str | None = None
    content: str = ""
    rows: str = ""
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Step:
    """One request with its answer. Times are seconds since the scenario began, by the server's clock.

    `delivered` is false where the connection was closed in place of the answer, or the client had gone: `status` is
    then what the server had to say. `effect` says whether the request changed the server's data. `faults` are the
    documented bounds that the request breaks, as (member, what) pairs. `disturbance` names what the scenario did.
    """

    exchange: str
    round: int
    method: str
    path: str
    operation: str | None
    base: str
    connection: int
    arrived: float
    parameters: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    faults: tuple[tuple[str, str], ...] = ()
    key_in: tuple[str, ...] = ()
    authorized: bool = True
    overlaps: bool = False
    answered: float = 0.0
    delivered: bool = False
    status: int = 0
    code: str | None = None
    disturbance: str | None = None
    correlation_id: str | None = None
    retry_after: float | None = None
    retry_after_is_date: bool = False
    scopes: tuple[str, ...] | None = None
    run: Run | None = None
    runs: tuple[Run, ...] = ()
    rows: int = 0
    next_cursor: str | None = None
    shown: Mapping[str, Any] = field(default_factory=dict)

    @property
    def event(self) -> str | None:
        """The event that the path names."""
        return self.parameters.get("event_id")

    @property
    def is_write(self) -> bool:
        return self.method in ("POST", "PUT")

    @property
    def starts_run(self) -> bool:
        return self.operation in RUN_KINDS

    @property
    def effect(self) -> bool:
        """Whether the request changed the server's data: a replay of a run-creating write did not."""
        replayed = self.status == 200 and self.starts_run
        return self.is_write and 200 <= self.status < 300 and not replayed

    @property
    def is_success(self) -> bool:
        """Whether the client got a success."""
        return self.delivered and 200 <= self.status < 300

    @property
    def is_refused(self) -> bool:
        """Whether the client got an answer that is final: a retry of the same request would earn it again."""
        return self.delivered and 400 <= self.status < 500 and self.status != 429

    @property
    def is_unanswered(self) -> bool:
        """Whether the client cannot know that the write took effect, or knows that it has to ask again."""
        return not self.delivered or self.status == 429 or self.status >= 500

    def shows(self) -> Iterator[Run]:
        """Return every run that the answer shows."""
        if self.run is not None:
            yield self.run
        yield from self.runs

    @property
    def line(self) -> str:
        """The request and how it ended, in one line."""
        name = self.operation or f"{self.method} {self.path[:80]}"
        if not self.delivered:
            return f"{name} got no answer"
        return f"{name} answered {self.status}" + (f" {self.code}" if self.code else "")


@dataclass(frozen=True)
class End:
    """How one run of the command ended.

    `code` is its exit code, None where no command was run (`--listen`) or the deadline passed. `killed` says why it was
    stopped. `output` is what it wrote, None where that cannot be seen; `complete` is false where that is not all.
    """

    round: int
    at: float
    code: int | None
    killed: str | None = None
    output: bytes | None = None
    complete: bool = True


def in_order(steps: list[Step], ends: list[End]) -> Iterator[tuple[str, Step | End]]:
    """Yield `asked`, `answered` and `ended` in the order of the server's clock; a round ends after its answers."""
    moments: list[tuple[int, float, int, str, Step | End]] = []
    for number, step in enumerate(steps):
        moments.append((step.round, step.arrived, 2 * number, "asked", step))
        moments.append((step.round, max(step.answered, step.arrived), 2 * number + 1, "answered", step))
    moments.sort(key=lambda one: one[:3])
    for end in sorted(ends, key=lambda one: one.round):
        for _, _, _, what, step_of_round in [one for one in moments if one[0] == end.round]:
            yield what, step_of_round
        yield "ended", end


class Routes:
    """Finds the operation of a request."""

    def __init__(self, contract: Contract) -> None:
        self._routes = [(one, _pattern(one.path)) for one in contract.operations.values()]

    def find(self, method: str, path: str) -> tuple[Operation | None, dict[str, str]]:
        """Return the operation at a path below the base, with its parameters; HEAD counts as GET."""
        wanted = "GET" if method == "HEAD" else method
        segments = [unquote(one) for one in path.split("/")]
        for operation, pattern in self._routes:
            if operation.method == wanted and len(pattern) == len(segments):
                found = {
                    part[1:-1]: segment
                    for part, segment in zip(pattern, segments, strict=True)
                    if part.startswith("{") and part.endswith("}")
                }
                if all(
                    part == segment or (part[1:-1] in found and part.startswith("{"))
                    for part, segment in zip(pattern, segments, strict=True)
                ):
                    return operation, found
        return None, {}


def _pattern(path: str) -> list[str]:
    return path.split("/")


def query_of(target: str) -> dict[str, str]:
    """Return the query parameters as a server reads them; of a repeated one the first."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(urlsplit(target).query, keep_blank_values=True):
        found.setdefault(name, value)
    return found


def facts_of(operation: Operation, parameters: Mapping[str, str], body: Any) -> Facts:
    """Return what a request's body says."""
    if not isinstance(body, dict):
        return Facts(content=_digest([operation.id, dict(parameters), body]))
    key = body.get("idempotency_key")
    rest = {name: value for name, value in body.items() if name != "idempotency_key"}
    names: dict[str, frozenset[str]] = {}
    rows = ""
    attendees = body.get("attendees")
    if operation.id == "importAttendees" and isinstance(attendees, list):
        ids = [row.get("attendee_id") for row in attendees if isinstance(row, dict)]
        texts = frozenset(one for one in ids if isinstance(one, str))
        names["attendee"] = frozenset(_short(one) for one in texts)
        rows = _digest(sorted(texts))
        rest["attendees"] = sorted(json.dumps(row, sort_keys=True) for row in attendees)
    for kind, creator in (("event", "createEvent"), ("session", "createSession")):
        value = body.get(f"{kind}_id")
        if operation.id == creator and isinstance(value, str):
            names[kind] = frozenset({value})
    small = {} if operation.id == "importAttendees" else rest
    return Facts(
        key if isinstance(key, str) else None,
        _digest([operation.id, dict(parameters), rest]),
        _digest([operation.id, dict(parameters), rows]) if rows else "",
        names,
        small if len(json.dumps(small)) <= 20_000 else {},
    )


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()


def read_answer(step: Step, body: Any, operation: Operation | None) -> None:
    """Fill in what an answer shows."""
    if not isinstance(body, dict):
        return
    code = body.get("code")
    step.code = code[:80] if isinstance(code, str) and step.status >= 400 else None
    if not 200 <= step.status < 300 or operation is None:
        return
    if step.operation == "getAuth" and isinstance(body.get("scopes"), list):
        step.scopes = tuple(str(one) for one in body["scopes"])
    step.run = _run(body)
    if operation.lists:
        items = body.get("items")
        step.rows = len(items) if isinstance(items, list) else 0
        cursor = body.get("next_cursor")
        step.next_cursor = None if cursor is None else str(cursor)
        if step.operation == "listRuns" and isinstance(items, list):
            step.runs = tuple(run for run in map(_run, items) if run is not None)
    if step.operation in ("createEvent", "getEvent"):
        step.shown = {name: value for name, value in body.items() if name != "correlation_id"}


def _run(body: Any) -> Run | None:
    if not isinstance(body, dict) or not isinstance(body.get("run_id"), str) or "status" not in body:
        return None
    event = body.get("event_id")
    key = body.get("idempotency_key")
    return Run(
        body["run_id"],
        str(body.get("kind")),
        event if isinstance(event, str) else None,
        str(body["status"]),
        key if isinstance(key, str) else None,
    )
