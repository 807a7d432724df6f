"""Response schemas: which parts of an answer break them, at which level, and which members they do not name."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jsonschema
import jsonschema_rs

from ..vocabulary import Level

MOST_FINDINGS, MOST_LOOKED_AT = 20, 1000
"""How many findings of one level an answer has at most, and among how many errors they are looked for."""

MOST_SECONDS = 5.0
"""How long errors of one answer are looked for once there is one."""


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
        return any(node.get("x-level") == Level.IMPLIED for node in _objects(self.document))

    def violations(self, value: Any) -> list[tuple[Level, str]]:
        """Return what is wrong with a value: (level, message) pairs, none when it fits.

        Of many findings the first are returned, some of each level: a server can put hundreds of thousands into one
        answer.
        """
        if self._fast.is_valid(value):
            return []
        end = time.monotonic() + MOST_SECONDS
        found: list[tuple[Level, str]] = []
        number: Counter[Level] = Counter()
        # jsonschema words its errors for people and keeps the path through the schema.
        for error in itertools.islice(self._slow.iter_errors(value), MOST_LOOKED_AT):
            level = self._level(list(error.absolute_schema_path))
            number[level] += 1
            if number[level] <= MOST_FINDINGS:
                found.append((level, _sentence(error)))
            if time.monotonic() > end:
                break
        return found or [
            (self._level(list(error.schema_path)), f"{_pointer(error.instance_path)}: {error.message[:300]}")
            for error in itertools.islice(self._fast.iter_errors(value), MOST_FINDINGS)
        ]

    def _level(self, path: list[Any]) -> Level:
        node: Any = self.document
        for step in path:
            if isinstance(node, dict) and node.get("x-level") == Level.IMPLIED:
                return Level.IMPLIED
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                break
        return Level.IMPLIED if isinstance(node, dict) and node.get("x-level") == Level.IMPLIED else Level.DOCUMENTED

    @cached_property
    def _members(self) -> Members:
        return _members(self.document)

    @cached_property
    def open_rows(self) -> bool:
        """Whether this is a page whose rows may hold anything."""
        items = self._members.named.get("items")
        return items is not None and items.rows is not None and items.rows.is_open()

    @property
    def members(self) -> list[str]:
        """The names of the documented members of the value itself."""
        return list(self._members.named)

    def undocumented(self, value: Any) -> Iterator[tuple[str, Any]]:
        """Return the members of a value that no schema names, with their paths; rows of a list as `[]`."""
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


def properties_of(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in schema.get("allOf", []):
        found.update(properties_of(part))
    found.update(schema.get("properties", {}))
    return found


def items_of(schema: dict[str, Any]) -> dict[str, Any]:
    merged: list[dict[str, Any]] = [schema["items"]] if isinstance(schema.get("items"), dict) else []
    for part in schema.get("allOf", []):
        inner = items_of(part)
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


def required_members(schema: dict[str, Any]) -> set[str]:
    found = set(schema.get("required", []))
    for part in schema.get("allOf", []):
        found |= required_members(part)
    return found
