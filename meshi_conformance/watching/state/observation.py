"""One exchange as it was observed: what of it is known, whose it is and when it happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

from ...contract.contract import Contract
from ...contract.operations import Operation
from ...exchanges.exchange import Exchange
from ...exchanges.strict_json import NotJson, parse_json
from ..expectations.expectation import Expectation

UNREADABLE: Any = object()
"""The value of a body that is unknown, or that is not JSON."""

BETWEEN_SOURCES = 5.0
"""Seconds by which the clocks of two recorders may differ."""

READ_ONLY_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Coverage:
    """What a recorder kept of an exchange, beside its status.

    `tick` is the resolution of its clock in seconds, `source` numbers the clock: moments of two sources are compared
    with care. `party` names the key that was sent where the exchange's role does not; `party_known` is False where a
    recorder takes keys out.
    """

    request_body: bool = True
    answer_headers: bool = True
    answer_body: bool = True
    tick: float = 0.0
    source: int = 0
    party: str | None = None
    party_known: bool = True


WHOLE = Coverage()


@dataclass(frozen=True)
class Trace:
    """What is remembered of an exchange: enough to name it, and to tell what happened before what."""

    id: str
    began: float
    ended: float
    source: int
    summary: str

    def before(self, other: Trace) -> bool:
        """Tell whether this exchange had surely ended when the other one began."""
        return self.ended + (0.0 if self.source == other.source else BETWEEN_SOURCES) < other.began

    def overlaps(self, other: Trace) -> bool:
        """Tell whether neither of the two had surely ended when the other one began."""
        return not self.before(other) and not other.before(self)


@dataclass
class Observation:
    """An exchange with the operation, parameters and values that it carries.

    `party` names the key, None where none was sent; `org` names whose data the exchange speaks of, None where that
    is unknown. `route_named` is False for a path that the pages do not name, `nearly_named` True for one that is a
    documented path but for slashes, case or a sub-resource.
    """

    exchange: Exchange
    coverage: Coverage
    operation: Operation | None
    parameters: Mapping[str, str]
    party: str | None = None
    org: str | None = None
    route_named: bool = True
    nearly_named: bool = False
    expected: Expectation | None = None
    _query: dict[str, list[str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._query = {}
        for name, value in parse_qsl(self.exchange.path.partition("?")[2], keep_blank_values=True):
            self._query.setdefault(name, []).append(value)

    @property
    def status(self) -> int:
        return self.exchange.status

    @property
    def is_success(self) -> bool:
        return self.exchange.is_success

    @cached_property
    def trace(self) -> Trace:
        """The exchange as later ones refer to it."""
        one, tick = self.exchange, self.coverage.tick
        return Trace(one.id, one.started, one.started + one.elapsed + tick, self.coverage.source, one.summary)

    @property
    def query(self) -> Mapping[str, list[str]]:
        """The query's parameters with all their values."""
        return self._query

    def argument(self, name: str) -> str | None:
        """Return the value of a query parameter that is given once; None where it is missing or repeated."""
        values = self._query.get(name, ())
        return values[0] if len(values) == 1 else None

    @cached_property
    def request(self) -> Any:
        """The JSON value of the request's body; UNREADABLE where it is unknown or not JSON."""
        if not self.coverage.request_body or self.exchange.request_body is None:
            return UNREADABLE
        try:
            return parse_json(self.exchange.request_body)
        except NotJson:
            return UNREADABLE

    @cached_property
    def answer(self) -> dict[str, Any]:
        """The JSON object of the answer; empty where the body is unknown or none."""
        if not self.coverage.answer_body:
            return {}
        try:
            value = self.exchange.parsed
        except NotJson:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of a page that are objects."""
        rows = self.answer.get("items")
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    def sent(self, name: str) -> Any:
        """Return a member of the request's body; None where there is none."""
        return self.request.get(name) if isinstance(self.request, dict) else None


class Router:
    """Finds the operation of a method and a path.

    A path with a doubled slash, or with one at its end, is not documented: a server may still serve it.
    """

    def __init__(self, contract: Contract) -> None:
        self._routes: dict[int, list[tuple[list[str], Operation]]] = {}
        for operation in contract.operations.values():
            template = operation.path.strip("/").split("/")
            self._routes.setdefault(len(template), []).append((template, operation))

    def find(self, method: str, path: str) -> tuple[Operation | None, dict[str, str], bool]:
        """Return the operation, its path parameters, and whether the pages name the path for some method."""
        if _is_slashed(path):
            return None, {}, False
        segments = _segments(path)
        named = False
        for template, operation in self._routes.get(len(segments), ()):
            parameters = _fitted(template, segments)
            if parameters is not None:
                named = True
                if operation.method == method:
                    return operation, parameters, True
        return None, {}, named

    def nearly(self, path: str) -> bool:
        """Tell whether an unnamed path is a documented one but for slashes, case or a sub-resource."""
        segments = [one for one in _segments(path) if one]
        for length in range(1, len(segments) + 1):
            for template, _ in self._routes.get(length, ()):
                small = [
                    one if wanted.startswith("{") else one.lower()
                    for wanted, one in zip(template, segments, strict=False)
                ]
                if _fitted(template, small) is not None:
                    return True
        return False


def _segments(path: str) -> list[str]:
    return [unquote(one) for one in path.partition("?")[0].strip("/").split("/")]


def _is_slashed(path: str) -> bool:
    bare = path.partition("?")[0]
    return "//" in bare or (len(bare) > 1 and bare.endswith("/"))


def _fitted(template: list[str], segments: list[str]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for wanted, segment in zip(template, segments, strict=True):
        if wanted.startswith("{"):
            if not segment:
                return None
            found[wanted.strip("{}")] = segment
        elif wanted != segment:
            return None
    return found
