"""The 25 operations and their documented limits, read from the OpenAPI file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ..vocabulary import Level
from .schemas import Schema, properties_of

COMMON_CODES = frozenset(
    {
        "INVALID_JSON",
        "INVALID_PARTNER_KIND",
        "INVALID_PARTNER_ID",
        "INVALID_IDEMPOTENCY_KEY",
        "INVALID_ATTENDEES",
        "DUPLICATE_ATTENDEE_ID",
        "PARTNER_ID_CONFLICT",
        "IDEMPOTENCY_KEY_CONFLICT",
        "PAYLOAD_TOO_LARGE",
        "PARTNER_RATE_LIMIT_EXCEEDED",
    }
)
"""Codes that errors-and-limits describes for the whole API, whatever a route lists."""


@dataclass(frozen=True)
class Operation:
    """One of the 25 method-and-path pairs.

    `scope` is the minimum scope; `errors` maps a status to its documented codes (route-specific ones and
    the common 401, 403 and 429); `responses` maps a success status to the schema of its body.
    """

    id: str
    method: str
    path: str
    scope: str
    section: str
    parameters: tuple[dict[str, Any], ...]
    body: dict[str, Any] | None
    errors: dict[int, tuple[str, ...]]
    implied_codes: tuple[str, ...]
    responses: dict[int, Schema] = field(hash=False)

    @property
    def writes(self) -> bool:
        return self.scope == "partner:write"

    @property
    def creates_run(self) -> bool:
        return self.body is not None and "idempotency_key" in properties_of(self.body)

    @property
    def lists(self) -> bool:
        return any(parameter["name"] == "cursor" for parameter in self.parameters)

    def route_errors(self) -> Iterator[tuple[int, str]]:
        """Return the route-specific (status, code) rows: what endpoint-reference lists for it."""
        for status, codes in self.errors.items():
            if status not in (401, 403, 429):
                for code in codes:
                    yield status, code

    def path_parameters(self) -> list[dict[str, Any]]:
        return [parameter for parameter in self.parameters if parameter["in"] == "path"]


@dataclass(frozen=True)
class Limit:
    """A documented bound of one field or parameter.

    `place` is `body`, `row` (a row of an import), `path` or `query`; `code` is what refuses a value past it,
    None where the documentation names none; `level` as of a requirement.
    """

    operation: str
    place: str
    name: str
    schema: dict[str, Any]
    required: bool
    code: str | None
    level: Level

    @property
    def requirement(self) -> str:
        # A name in these two places may also occur in another place of the operation.
        prefix = f"{self.place}." if self.place in ("row", "query") else ""
        return f"limits.{self.operation}.{prefix}{self.name}"


def limit_of(
    operation: Operation, place: str, name: str, schema: dict[str, Any], required: bool, said: dict[str, Any]
) -> Limit:
    code = said.get("x-error-code") or schema.get("x-error-code")
    level = Level.IMPLIED if Level.IMPLIED in (said.get("x-level"), schema.get("x-level")) else Level.DOCUMENTED
    return Limit(operation.id, place, name, schema, required, code, level)


def load_yaml(file: Path) -> Any:
    with file.open("rb") as stream:
        return yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def inline(node: Any, file: Path, home: Any = None) -> Any:
    """Replace every `$ref` of a document by what it points to; the contract has no recursive schema."""
    home = node if home is None else home
    if isinstance(node, list):
        return [inline(value, file, home) for value in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return {name: inline(value, file, home) for name, value in node.items() if name not in ("$id", "$schema")}
    target, _, pointer = reference.partition("#")
    target_file = (file.parent / target).resolve() if target else file
    target_home = _document(target_file) if target else home
    found = target_home
    for step in filter(None, pointer.split("/")):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    inlined = inline(found, target_file, target_home)
    beside = {name: value for name, value in node.items() if name != "$ref"}
    return {**inlined, **inline(beside, file, home)} if beside else inlined


@cache
def _document(file: Path) -> Any:
    return load_yaml(file)


def read_operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, entry in document["paths"].items():
        for method in ("get", "post", "put"):
            if method not in entry:
                continue
            said = entry[method]
            errors: dict[int, tuple[str, ...]] = {}
            responses: dict[int, Schema] = {}
            for status, response in said["responses"].items():
                schema = response["content"]["application/json"]["schema"]
                if int(status) < 300:
                    responses[int(status)] = Schema(schema)
                else:
                    errors[int(status)] = tuple(properties_of(schema)["code"]["enum"])
            body = said.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            yield Operation(
                id=said["operationId"],
                method=method.upper(),
                path=path,
                scope=said["x-scope"],
                section=said["x-source"]["section"],
                parameters=(*entry.get("parameters", ()), *said.get("parameters", ())),
                body=body,
                errors=errors,
                implied_codes=tuple(said.get("x-implied-codes", ())),
                responses=responses,
            )


def describe_bounds(schema: dict[str, Any]) -> str:
    """Describe the bounds of a field in words; empty where only its type is given."""
    words = []
    if "maxLength" in schema:
        words.append(f"at most {schema['maxLength']} characters")
    if schema.get("minLength"):
        words.append(f"at least {schema['minLength']} character")
    if "pattern" in schema:
        words.append(f"pattern {schema['pattern']}")
    if "minimum" in schema or "maximum" in schema:
        words.append(f"{schema.get('minimum')} to {schema.get('maximum')}")
    if "enum" in schema:
        words.append("one of " + ", ".join(map(str, schema["enum"])))
    if schema.get("format"):
        words.append(f"format {schema['format']}")
    if schema.get("maxItems"):
        words.append(f"{schema.get('minItems', 0)} to {schema['maxItems']} rows")
    return ", ".join(words)
