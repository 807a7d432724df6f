"""What must hold for every exchange, whichever test made it.

Each check looks at one exchange and yields the requirements that it breaks. A check never repeats what an
earlier one found: a body that is not JSON is reported once, not once a member.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from ..contract.contract import Contract
from ..contract.operations import COMMON_CODES, Operation
from .exchange import Exchange
from .strict_json import NotJson

USABLE_CORRELATION_ID = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")
"""The form that any reading of the pages calls usable; other forms are an open question."""

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


MOST_UUIDS = 1000
"""UUIDs in undocumented members that are kept of one exchange, or a little more."""

MOST_DRIFT = 50
"""Undocumented members of one answer that are kept."""


class Violation(NamedTuple):
    """A requirement that an exchange breaks, and how."""

    requirement: str
    message: str


def check(exchange: Exchange, contract: Contract) -> list[Violation]:
    """Return everything that one exchange of an operation breaks.

    Nothing for a request outside the 25 operations or below another base, whose answers the test that sends it judges,
    and nothing for a gateway's page in the API's place.
    """
    operation = _judged_as(exchange, contract)
    if operation is None:
        return []
    if exchange.no_answer is not None:
        return [Violation(f"server_errors.{operation.id}", f"the connection breaks: {exchange.no_answer}")]
    if exchange.is_gateway_page:
        return []
    found = [*_content_type(exchange, operation), *_server_error(exchange, operation)]
    if exchange.status == 429:
        found += _rate_limit(exchange)
    try:
        body = exchange.parsed
        unreadable = "" if isinstance(body, dict) else "the body is JSON, but no object"
    except NotJson as problem:
        unreadable = f"the body is not JSON: {problem}"
    if unreadable:
        return [*found, *_correlation(exchange, operation), Violation(f"json.{operation.id}", unreadable)]
    found += _correlation(exchange, operation, body)
    if exchange.is_success:
        found += _success(exchange, body, operation)
    else:
        found += _refusal(exchange, body, operation)
    return found


JUDGED_BY_EXCHANGES = frozenset(
    {
        "json",
        "correlation",
        "envelope",
        "codes",
        "server_errors",
        "content_type",
        "boundary",
        "status",
        "schema",
        "shape",
    }
)
"""Families of requirements that exchanges show or break: none of them passes that no exchange has shown."""


def shown(exchange: Exchange, contract: Contract) -> Iterator[str]:
    """Yield the requirements that an exchange says something about, whether it keeps or breaks them.

    A body that cannot be read shows nothing of what it should hold, and a page without a row nothing of rows.
    """
    operation = _judged_as(exchange, contract)
    if operation is None:
        return
    name = operation.id
    yield f"server_errors.{name}"
    if exchange.no_answer is not None or exchange.is_gateway_page:
        return
    yield f"json.{name}"
    yield f"content_type.{name}"
    if exchange.is_success:
        yield f"status.{name}.{exchange.status}"
    try:
        body = exchange.parsed
    except NotJson:
        return
    if not isinstance(body, dict):
        return
    yield f"correlation.{name}"
    if not exchange.is_success:
        yield f"envelope.{name}"
        if exchange.code:
            yield f"codes.{name}"
        return
    if not operation.lists or body.get("items"):
        yield f"boundary.{name}"
        yield f"schema.{name}.{exchange.status}"
        yield f"shape.{name}.{exchange.status}"


def _judged_as(exchange: Exchange, contract: Contract) -> Operation | None:
    """Return the operation that an exchange is held to; None outside the 25 operations and below another base."""
    operation = contract.operations.get(exchange.operation or "")
    if operation is None or exchange.method != operation.method or exchange.other_base is not None:
        return None
    return operation


def _content_type(exchange: Exchange, operation: Operation) -> Iterator[Violation]:
    label = (exchange.header("content-type") or "").split(";")[0].strip().lower()
    if label != "application/json" and not re.fullmatch(r"application/[\w.+-]+\+json", label):
        yield Violation(f"content_type.{operation.id}", f"Content-Type is {label or 'missing'}")


def _server_error(exchange: Exchange, operation: Operation) -> Iterator[Violation]:
    if exchange.status >= 500:
        yield Violation(f"server_errors.{operation.id}", f"the answer is {exchange.status}")


def _rate_limit(exchange: Exchange) -> Iterator[Violation]:
    wait = exchange.header("retry-after")
    if retry_after_is_valid(wait):
        return
    yield Violation("rate_limit.retry_after", f"a 429 has Retry-After {wait!r}: neither seconds nor a date")


def retry_after_is_valid(value: str | None) -> bool:
    """Tell whether a Retry-After header holds a number of seconds or an HTTP date (RFC 9110, 10.2.3)."""
    return retry_after_seconds(value) is not None


def retry_after_seconds(value: str | None, answered: str | None = None) -> float | None:
    """Return how many seconds a Retry-After header asks to wait, never less than none; None where it is invalid.

    `answered` is the Date header of the same answer: a date counts from there, since the server's clock need not
    agree with ours. Without a usable one it counts from now.
    """
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    until = _moment(value)
    if until is None:
        return None
    since = _moment(answered or "")
    return max(until - (time.time() if since is None else since), 0.0)


def _moment(date: str) -> float | None:
    """Return an HTTP date in seconds since 1970; None for anything else."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _correlation(exchange: Exchange, operation: Operation, body: dict[str, Any] | None = None) -> Iterator[Violation]:
    """Yield what is wrong with the correlation IDs; of the header alone where the body cannot be read."""
    requirement = f"correlation.{operation.id}"
    header = exchange.header("x-correlation-id")
    member: Any = body.get("correlation_id") if body is not None else header
    if not header:
        yield Violation(requirement, "the answer has no x-correlation-id header")
    values = dict.fromkeys(exchange.header_values("x-correlation-id"))
    if len(values) > 1:
        shown = ", ".join(repr(value[:80]) for value in values)
        yield Violation(requirement, f"the answer has the x-correlation-id header {len(values)} times: {shown}")
    if body is not None and (not isinstance(member, str) or not member):
        yield Violation(requirement, f"`correlation_id` in the body is {_shown(member)}")
    elif header and header != member:
        yield Violation(requirement, f"header {header[:80]!r} and body {member[:80]!r} differ")
    sent = exchange.request_headers.get("x-correlation-id")
    if sent and USABLE_CORRELATION_ID.match(sent) and header and header != sent:
        yield Violation(requirement, f"the client sent {sent!r}, the answer carries {header[:80]!r}")


def _refusal(exchange: Exchange, body: dict[str, Any], operation: Operation) -> Iterator[Violation]:
    for name in ("code", "message"):
        value = body.get(name)
        if not isinstance(value, str) or (name == "code" and not value):
            yield Violation(f"envelope.{operation.id}", f"`{name}` is {_shown(value)}")
    code = exchange.code
    if not code or exchange.status >= 500:
        return
    if exchange.status == 429:
        if code != "PARTNER_RATE_LIMIT_EXCEEDED":
            yield Violation("rate_limit.code", f"a 429 has code {code!r}, not PARTNER_RATE_LIMIT_EXCEEDED")
        return
    if code in operation.errors.get(exchange.status, ()) or _open_code(exchange, operation):
        return
    if code not in COMMON_CODES:
        yield Violation(f"codes.{operation.id}", f"{exchange.status} {code[:80]!r} is listed nowhere for it")


def _open_code(exchange: Exchange, operation: Operation) -> bool:
    """Tell whether the pages name no code for refusing the request."""
    if exchange.any_code:
        return True
    if operation.id == "createMatchRun" and exchange.status == 400:
        return True  # `top_n` has a range and no code
    query = exchange.path.partition("?")[2]
    return any(name in query for name in ("limit=", "cursor=", "run_id=", "goal="))


def _success(exchange: Exchange, body: dict[str, Any], operation: Operation) -> Iterator[Violation]:
    schema = operation.responses.get(exchange.status)
    if schema is None:
        expected = " or ".join(map(str, operation.responses))
        first = max(operation.responses)  # of 202 and 200, or 201 and 200, what a first call answers
        yield Violation(
            f"status.{operation.id}.{first}", f"a success answers {exchange.status}; documented: {expected}"
        )
        schema = operation.responses[first]
    else:
        for level, message in schema.violations(body):
            family = "schema" if level == "documented" else "shape"
            yield Violation(f"{family}.{operation.id}.{exchange.status}", message)
    for path, value in schema.undocumented(body):
        if len(exchange.drift) < MOST_DRIFT:
            exchange.drift.append(path)
        if not operation.lists or path.startswith("items[]"):  # the page itself is not a record
            _note_uuids(exchange, path, value)
    if schema.open_rows:
        # No member of these rows is documented; what a row calls its own `id` is how the API names it.
        for row in body["items"] if isinstance(body.get("items"), list) else []:
            for name, value in row.items() if isinstance(row, dict) else ():
                if name != "id":
                    _note_uuids(exchange, f"items[].{name}", value)


def _note_uuids(exchange: Exchange, path: str, value: Any) -> None:
    if len(exchange.uuids) < MOST_UUIDS:
        exchange.uuids += [(path, uuid.lower()) for text in _strings(value) for uuid in UUID.findall(text)][:MOST_UUIDS]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from _strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from _strings(member)


def _shown(value: Any) -> str:
    """Show a value that should be a non-empty string."""
    if value is None:
        return "missing"
    return "empty" if value == "" else f"{json.dumps(value)[:60]}, not a string"
