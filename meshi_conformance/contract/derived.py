"""The requirements that the OpenAPI file implies: the rows of requirements/derived.yaml, each on its occasions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .operations import Limit, Operation, describe_bounds
from .requirements import Requirement, read_requirement
from .templates import Values, fill

FILE = "derived.yaml"


def derive(
    rows: Sequence[dict[str, Any]],
    operations: Mapping[str, Operation],
    limits: Iterable[Limit],
    document: dict[str, Any],
) -> Iterator[Requirement]:
    """Yield the requirements that follow from operations, their limits and the links of the document.

    Raise UsageError for a row that cannot be read.
    """
    occasions = _occasions(operations, list(limits), document)
    for row in rows:
        plain = {"level": "documented", **{name: row[name] for name in row if name != "each"}}
        for values in occasions[row["each"]]:
            yield read_requirement(fill(plain, values), FILE, operations, derived=True)


def _occasions(
    operations: Mapping[str, Operation], limits: list[Limit], document: dict[str, Any]
) -> dict[str, list[Values]]:
    """Return what `each` can name, with the values that fill a row's placeholders."""
    every = list(operations.values())
    links = set(_link_sources(document)) - {"listReviews"}  # its first row may be a stranger's
    bounded = [(limit, bounds) for limit in limits if (bounds := describe_bounds(limit.schema))]
    return {
        "operation": [_of(one) for one in every],
        "operation on an org": [_of(one) for one in every if one.id != "getAuth"],
        "write": [_of(one) for one in every if one.writes],
        "read": [_of(one) for one in every if not one.writes],
        "success": [_of(one, status=status) for one in every for status in one.responses],
        "success with implied members": [
            _of(one, status=status) for one in every for status, schema in one.responses.items() if schema.has_implied
        ],
        "refusal": [
            _of(one, status=status, code=code, level="implied" if code in one.implied_codes else "documented")
            for one in every
            for status, code in one.route_errors()
            if code != "PAYLOAD_TOO_LARGE"
        ],
        "refusal of a large body": [
            _of(one, status=status, code=code)
            for one in every
            for status, code in one.route_errors()
            if code == "PAYLOAD_TOO_LARGE"
        ],
        "link source": [_of(operations[name]) for name in sorted(links)],
        "limit with a code": [
            _limit(operations, one, bounds) for one, bounds in bounded if not _is_pattern(one) and one.code
        ],
        "limit without a code": [
            _limit(operations, one, bounds) for one, bounds in bounded if not _is_pattern(one) and not one.code
        ],
        "pattern in path or query": [_limit(operations, one, bounds) for one, bounds in bounded if _is_pattern(one)],
    }


def _of(operation: Operation, **values: object) -> Values:
    return {"operation": operation.id, "section": operation.section, **values}


def _limit(operations: Mapping[str, Operation], limit: Limit, bounds: str) -> Values:
    field = limit.requirement.removeprefix(f"limits.{limit.operation}.")
    return _of(
        operations[limit.operation], field=field, name=limit.name, bounds=bounds, code=limit.code, level=limit.level
    )


def _is_pattern(limit: Limit) -> bool:
    """Tell whether a limit is one of the field patterns of identity-and-ids in a parameter."""
    return limit.place in ("path", "query") and "pattern" in limit.schema


def _link_sources(document: dict[str, Any]) -> Iterator[str]:
    for entry in document["paths"].values():
        for method in ("get", "post", "put"):
            responses = entry.get(method, {}).get("responses", {})
            if any("links" in response for response in responses.values()):
                yield entry[method]["operationId"]
