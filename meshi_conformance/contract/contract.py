"""The contract as data: operations from openapi/, their schemas, and every requirement.

Requirements come from two places. Those that the OpenAPI file implies are derived here, a family at a time;
those that it cannot say stand in requirements/*.yaml.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import yaml

from ..errors import UsageError

LEVELS = ("documented", "implied")

NEEDS = {
    "read": "MESHI_READ_KEY is not set",
    "other": "MESHI_OTHER_KEY is not set",
    "disabled": "MESHI_DISABLED_KEY is not set",
    "user": "MESHI_USER_KEY is not set",
    "no_org": "MESHI_NO_ORG_KEY is not set",
    "large": "large requests are opt-in on this target: --large",
    "rate_limit": "provoking the rate limit is opt-in on this target: --rate-limit-probe",
    "legacy_alias": "the target's base URL does not end with /api/v0/partner, so its alias is unknown",
    "loopback": "the target is on another machine, so the suite cannot listen for what it would send",
}
"""What a requirement can need, and what is said when it is not there."""

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


def root() -> Path:
    """The folder that holds openapi/, schemas/, requirements/ and tests/: the checkout, or the wheel's copy."""
    package = Path(__file__).parent.parent
    packed = package / "_suite"
    return packed if packed.is_dir() else package.parent


@dataclass(frozen=True)
class Requirement:
    """One promise of the documentation.

    `level` is `documented` or `implied`; `source` names page and section; `operations` are operationIds;
    `needs` names keys (`other`) and capabilities (`large`) without which it cannot be judged; `family` is
    the first part of the ID, `derived` says whether the OpenAPI file implies it.
    """

    id: str
    level: str
    statement: str
    page: str
    section: str
    operations: tuple[str, ...]
    needs: tuple[str, ...] = ()
    derived: bool = False

    @property
    def family(self) -> str:
        return self.id.split(".", 1)[0]

    @property
    def source(self) -> str:
        return f"{self.page}, {self.section}"


class Schema:
    """A response schema that tells a documented violation from an implied one."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._fast = jsonschema_rs.validator_for(document, validate_formats=True)

    @cached_property
    def _slow(self) -> jsonschema.Draft202012Validator:
        return jsonschema.Draft202012Validator(
            self.document, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
        )

    @cached_property
    def has_implied(self) -> bool:
        """Whether any part of it is implied rather than documented."""
        return any(node.get("x-level") == "implied" for node in _objects(self.document))

    def violations(self, value: Any) -> list[tuple[str, str]]:
        """What is wrong with a value: (level, message) pairs, none when it fits."""
        if self._fast.is_valid(value):
            return []
        # jsonschema words its errors for people and keeps the path through the schema.
        found = [
            (self._level(list(error.absolute_schema_path)), _sentence(error)) for error in self._slow.iter_errors(value)
        ]
        return found or [
            (self._level(list(error.schema_path)), f"{_pointer(error.instance_path)}: {error.message[:300]}")
            for error in self._fast.iter_errors(value)
        ]

    def _level(self, path: list[Any]) -> str:
        node: Any = self.document
        for step in path:
            if isinstance(node, dict) and node.get("x-level") == "implied":
                return "implied"
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                break
        return "implied" if isinstance(node, dict) and node.get("x-level") == "implied" else "documented"

    @cached_property
    def _members(self) -> Members:
        return _members(self.document)

    @property
    def members(self) -> list[str]:
        """The names of the documented members of the value itself."""
        return list(self._members.named)

    def undocumented(self, value: Any) -> Iterator[tuple[str, Any]]:
        """The members of a value that no schema names, with their paths; rows of a list as `[]`."""
        return _undocumented(value, self._members, "")


@dataclass
class Members:
    """The documented members of an object by name, and what a list's rows are made of.

    Neither is given where the pages leave the contents open: there nothing is undocumented.
    """

    named: dict[str, Members] = field(default_factory=dict)
    rows: Members | None = None

    def is_open(self) -> bool:
        return not self.named and self.rows is None

    @cached_property
    def deeper(self) -> list[tuple[str, Members]]:
        """The members that have members or rows of their own."""
        return [(name, member) for name, member in self.named.items() if not member.is_open()]


def _members(schema: dict[str, Any], found: Members | None = None) -> Members:
    found = Members() if found is None else found
    if schema.get("x-open-contents"):
        return found
    for part in schema.get("allOf", []):
        _members(part, found)
    for name, member in schema.get("properties", {}).items():
        found.named[name] = _members(member, found.named.get(name))
    if isinstance(schema.get("items"), dict):
        found.rows = _members(schema["items"], found.rows)
    return found


def _undocumented(value: Any, known: Members, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and known.named:
        if not value.keys() <= known.named.keys():  # most often nothing is: no set need be made to know that
            for name in sorted(value.keys() - known.named.keys()):
                yield f"{path}.{name}".lstrip("."), value[name]
        for name, deeper in known.deeper:
            if name in value:
                yield from _undocumented(value[name], deeper, f"{path}.{name}")
    elif isinstance(value, list) and known.rows is not None:
        for row in value:
            yield from _undocumented(row, known.rows, f"{path}[]")


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in schema.get("allOf", []):
        found.update(_properties(part))
    found.update(schema.get("properties", {}))
    return found


def _items(schema: dict[str, Any]) -> dict[str, Any]:
    merged: list[dict[str, Any]] = [schema["items"]] if isinstance(schema.get("items"), dict) else []
    for part in schema.get("allOf", []):
        inner = _items(part)
        if inner:
            merged.append(inner)
    return {"allOf": merged} if merged else {}


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value)


def _sentence(error: jsonschema.ValidationError) -> str:
    return f"{_pointer(error.absolute_path)}: {error.message[:300]}"


def _pointer(path: Any) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".") or "body"


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
    responses: dict[int, Schema] = field(hash=False)

    @property
    def writes(self) -> bool:
        return self.scope == "partner:write"

    @property
    def creates_run(self) -> bool:
        return self.body is not None and "idempotency_key" in _properties(self.body)

    @property
    def lists(self) -> bool:
        return any(parameter["name"] == "cursor" for parameter in self.parameters)

    def route_errors(self) -> Iterator[tuple[int, str]]:
        """The route-specific (status, code) rows: what endpoint-reference lists for it."""
        for status, codes in self.errors.items():
            if status not in (401, 403, 429):
                for code in codes:
                    yield status, code

    def path_parameters(self) -> list[dict[str, Any]]:
        return [parameter for parameter in self.parameters if parameter["in"] == "path"]


@dataclass(frozen=True)
class Limit:
    """A documented bound of one field or path parameter.

    `place` is `body`, `row` (a row of an import) or `path`; `code` is what refuses a value past it,
    None where the documentation names none; `level` as of a requirement.
    """

    operation: str
    place: str
    name: str
    schema: dict[str, Any]
    required: bool
    code: str | None
    level: str

    @property
    def requirement(self) -> str:
        prefix = "row." if self.place == "row" else ""
        return f"limits.{self.operation}.{prefix}{self.name}"


class Contract:
    """Everything the documentation promises, loaded once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.openapi_file = folder / "openapi" / "meshi-partner-v0.yaml"
        try:
            self.document = _inline(_load(self.openapi_file), self.openapi_file)
        except (OSError, yaml.YAMLError) as problem:
            raise UsageError(f"The contract cannot be read: {problem}. Reinstall the suite.") from problem
        self.operations: dict[str, Operation] = {operation.id: operation for operation in _operations(self.document)}
        self.untestable: list[dict[str, Any]] = []
        self.requirements: dict[str, Requirement] = {}
        for requirement in [*_derived(self), *self._written()]:
            if requirement.id in self.requirements:
                raise UsageError(f"Two requirements are called {requirement.id}; rename one of them.")
            self.requirements[requirement.id] = requirement

    def _written(self) -> Iterator[Requirement]:
        for file in sorted((self.folder / "requirements").glob("*.yaml")):
            try:
                rows = _load(file) or []
            except (yaml.YAMLError, UnicodeDecodeError) as problem:
                raise UsageError(f"requirements/{file.name} is no YAML file: {problem}") from problem
            if not isinstance(rows, list):
                raise UsageError(f"requirements/{file.name} holds no list of requirements. {_FORM}")
            if file.stem == "untestable":
                self.untestable = rows
                continue
            for row in rows:
                yield _requirement(row, file.name, self.operations)

    def limits(self) -> Iterator[Limit]:
        """Every bound that openapi/ and schemas/ put on what a client sends."""
        for operation in self.operations.values():
            for parameter in operation.path_parameters():
                if "pattern" in parameter["schema"]:
                    yield _limit(operation, "path", parameter["name"], parameter["schema"], True, parameter)
            if operation.body is None:
                continue
            required = _required(operation.body)
            for name, schema in _properties(operation.body).items():
                yield _limit(operation, "body", name, schema, name in required, schema)
                rows = _items(schema)
                if rows:
                    needed = _required(rows)
                    for row_name, row_schema in _properties(rows).items():
                        yield _limit(operation, "row", row_name, row_schema, row_name in needed, row_schema)

    def matching(self, pattern: str) -> list[Requirement]:
        """The requirements whose ID equals a pattern or fits it (`runs.*`)."""
        return [one for name, one in self.requirements.items() if fnmatch.fnmatchcase(name, pattern)]


def _limit(
    operation: Operation, place: str, name: str, schema: dict[str, Any], required: bool, said: dict[str, Any]
) -> Limit:
    code = said.get("x-error-code") or schema.get("x-error-code")
    level = "implied" if "implied" in (said.get("x-level"), schema.get("x-level")) else "documented"
    return Limit(operation.id, place, name, schema, required, code, level)


def _required(schema: dict[str, Any]) -> set[str]:
    found = set(schema.get("required", []))
    for part in schema.get("allOf", []):
        found |= _required(part)
    return found


def _requirement(row: dict[str, Any], file: str, operations: dict[str, Operation]) -> Requirement:
    try:
        bound = row["operations"]
        if bound == "all":
            bound = list(operations)
        unknown = [name for name in bound if name not in operations]
        needs = row.get("needs", [])
        if unknown:
            raise ValueError(f"unknown operations {unknown}")
        if row["level"] not in LEVELS:
            raise ValueError(f"unknown level {row['level']!r}")
        if set(row) - _ROW_MEMBERS:
            raise ValueError(f"unknown members {sorted(map(str, set(row) - _ROW_MEMBERS))}")
        if not isinstance(needs, list) or set(needs) - set(NEEDS):
            raise ValueError(f"unknown needs {needs!r}")
        if not isinstance(row["id"], str) or not re.fullmatch(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)+", row["id"]):
            raise ValueError(f"the ID {row['id']!r} does not read topic.thing.aspect")
        return Requirement(
            id=row["id"],
            level=row["level"],
            statement=" ".join(row["statement"].split()),
            page=row["source"]["page"],
            section=row["source"]["section"],
            operations=tuple(bound),
            needs=tuple(needs),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        why = f"{problem.args[0]!r} is missing" if isinstance(problem, KeyError) else str(problem)
        raise UsageError(
            f"requirements/{file} holds a row that cannot be read ({why}): {str(row)[:200]}. {_FORM}"
        ) from problem


_FORM = "docs/adding-a-requirement.md shows the form."

_ROW_MEMBERS = {"id", "level", "statement", "source", "operations", "needs"}


def _load(file: Path) -> Any:
    with file.open("rb") as stream:
        return yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _inline(node: Any, file: Path, home: Any = None) -> Any:
    """A document with every `$ref` replaced by what it points to; the contract has no recursive schema."""
    home = node if home is None else home
    if isinstance(node, list):
        return [_inline(value, file, home) for value in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return {name: _inline(value, file, home) for name, value in node.items() if name not in ("$id", "$schema")}
    target, _, pointer = reference.partition("#")
    target_file = (file.parent / target).resolve() if target else file
    target_home = _document(target_file) if target else home
    found = target_home
    for step in filter(None, pointer.split("/")):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    inlined = _inline(found, target_file, target_home)
    beside = {name: value for name, value in node.items() if name != "$ref"}
    return {**inlined, **_inline(beside, file, home)} if beside else inlined


@cache
def _document(file: Path) -> Any:
    return _load(file)


def _operations(document: dict[str, Any]) -> Iterator[Operation]:
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
                    errors[int(status)] = tuple(_properties(schema)["code"]["enum"])
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
                responses=responses,
            )


def _derived(contract: Contract) -> Iterator[Requirement]:
    """The requirements that the OpenAPI file implies, family by family."""
    for operation in contract.operations.values():
        yield from _answers(operation)
        yield from _keys(operation)
        yield from _every_exchange(operation)
        yield from _generated(operation)
    for name in sorted({*_link_sources(contract.document)} - {"listReviews"}):  # its first row may be a stranger's
        yield _of(
            contract.operations[name],
            f"generated.links.{name}",
            f"What an answer of {name} names is known to the operations that its links lead to.",
        )
    for limit in contract.limits():
        bounds = describe_bounds(limit.schema)
        if not bounds:
            continue
        refused = f"refused with {limit.code}" if limit.code else "refused with 400, whatever the code"
        operation = contract.operations[limit.operation]
        page, section = "endpoint-reference", operation.section
        if limit.place == "path":
            page, section = "identity-and-ids", "Field patterns"
        yield _of(
            operation,
            limit.requirement,
            f"`{limit.name}` is accepted up to its bound ({bounds}) and {refused} past it.",
            page,
            section,
            level=limit.level,
        )


def describe_bounds(schema: dict[str, Any]) -> str:
    """The bounds of a field in words; empty where only its type is given."""
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


def _of(
    operation: Operation,
    id: str,
    statement: str,
    page: str = "endpoint-reference",
    section: str | None = None,
    level: str = "documented",
    needs: tuple[str, ...] = (),
) -> Requirement:
    return Requirement(id, level, statement, page, section or operation.section, (operation.id,), needs, derived=True)


def _answers(operation: Operation) -> Iterator[Requirement]:
    name = operation.id
    for status, schema in operation.responses.items():
        yield _of(operation, f"status.{name}.{status}", f"{name} answers {status} where the pages say so.")
        yield _of(
            operation,
            f"schema.{name}.{status}",
            f"The body of a {status} of {name} has every documented member, with its documented type.",
        )
        if schema.has_implied:
            yield _of(
                operation,
                f"shape.{name}.{status}",
                f"The body of a {status} of {name} has the shape that examples and wording suggest.",
                level="implied",
            )
    for status, code in operation.route_errors():
        yield _of(
            operation,
            f"error.{name}.{code}",
            f"{name} refuses with {status} {code} what that code stands for.",
            needs=("large",) if code == "PAYLOAD_TOO_LARGE" else (),
        )


def _keys(operation: Operation) -> Iterator[Requirement]:
    name, page, section = operation.id, "errors-and-limits", "Authentication and scope errors"
    yield _of(
        operation,
        f"auth.{name}",
        f"{name} answers 401 UNAUTHORIZED without a bearer header and for a token of no active key.",
        page,
        section,
    )
    yield _of(
        operation,
        f"account.{name}",
        f"{name} answers 401 ACCOUNT_DISABLED for the key of a disabled service account.",
        page,
        section,
        needs=("disabled",),
    )
    yield _of(
        operation,
        f"principal.{name}",
        f"{name} answers 403 SERVICE_ACCOUNT_REQUIRED for a token that is no org-scoped service-account key.",
        page,
        section,
        needs=("user",),
    )
    if name != "getAuth":
        yield _of(
            operation,
            f"org.{name}",
            f"{name} needs an org: 403 where the key has none (PARTNER_ORG_REQUIRED or SERVICE_ACCOUNT_REQUIRED).",
            page,
            section,
            needs=("no_org",),
        )
        yield _of(
            operation,
            f"isolation.{name}",
            f"{name} with another org's key neither shows nor changes anything of this org.",
            "identity-and-ids",
            "Org scoping",
            needs=("other",),
        )
    rule = (
        "refuses a key without partner:write with 403 INSUFFICIENT_SCOPE and changes nothing"
        if operation.writes
        else "accepts a key that has partner:read alone"
    )
    yield _of(operation, f"scope.{name}", f"{name} {rule}.", "getting-started", "Scopes", needs=("read",))


def _every_exchange(operation: Operation) -> Iterator[Requirement]:
    name = operation.id
    yield _of(
        operation,
        f"json.{name}",
        f"Every answer of {name} has a JSON object as its body.",
        "errors-and-limits",
        "Correlation",
    )
    yield _of(
        operation,
        f"correlation.{name}",
        f"Every answer of {name} carries one correlation ID in header and body alike: the client's where it "
        "sent a usable one.",
        "errors-and-limits",
        "Correlation",
    )
    yield _of(
        operation,
        f"envelope.{name}",
        f"Every refusal of {name} is the error envelope: string members `code` and `message`.",
        "errors-and-limits",
        "Error envelope",
    )
    yield _of(
        operation,
        f"codes.{name}",
        f"{name} refuses with statuses and codes that the pages list for it or for the whole API.",
        level="implied",
    )
    yield _of(
        operation,
        f"server_errors.{name}",
        f"{name} never answers with a 5xx.",
        "errors-and-limits",
        "Common codes",
        level="implied",
    )
    yield _of(
        operation,
        f"content_type.{name}",
        f"Every answer of {name} is labelled as JSON.",
        "errors-and-limits",
        "Error envelope",
        level="implied",
    )
    if name in BOUNDARY_OPERATIONS:
        yield _of(
            operation,
            f"boundary.{name}",
            f"No internal UUID stands in an undocumented member of what {name} returns.",
            "overview",
            "Partner-owned IDs",
        )


def _link_sources(document: dict[str, Any]) -> Iterator[str]:
    for entry in document["paths"].values():
        for method in ("get", "post", "put"):
            responses = entry.get(method, {}).get("responses", {})
            if any("links" in response for response in responses.values()):
                yield entry[method]["operationId"]


def _generated(operation: Operation) -> Iterator[Requirement]:
    """What holds for any data, so that only made-up calls can look for what breaks it."""
    name = operation.id
    yield _of(operation, f"generated.accepts.{name}", f"{name} accepts whatever is within its documented bounds.")
    yield _of(
        operation,
        f"generated.refuses.{name}",
        f"{name} refuses whatever breaks a documented rule, with a status and a code that fit one of the mistakes.",
        level="implied",
    )


BOUNDARY_OPERATIONS = frozenset(
    {
        "createEvent",
        "listEvents",
        "getEvent",
        "createSession",
        "listSessions",
        "getSession",
        "listAttendees",
        "listAttendeeMatches",
        "listEventMatches",
        "getMatch",
    }
)
"""The operations that return events, sessions, attendees or matches."""


@cache
def load() -> Contract:
    """The contract of this installation."""
    return Contract(root())
