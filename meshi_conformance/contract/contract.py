"""The contract as data: operations from openapi/, their schemas, and every requirement.

Requirements come from two places. Those that the OpenAPI file implies are derived here, a family at a time;
those that it cannot say are in requirements/*.yaml.
"""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ..errors import UsageError
from . import derived
from .operations import Limit, Operation, inline, limit_of, load_yaml, read_operations
from .requirements import FORM, SERVER, Requirement, read_requirement, unreadable
from .schemas import items_of, properties_of, required_members
from .templates import expand


def root() -> Path:
    """Return the folder with openapi/, schemas/, requirements/ and tests/: the checkout, or the wheel's copy."""
    package = Path(__file__).resolve().parents[1]
    packed = package / "_suite"
    return packed if packed.is_dir() else package.parent


class Contract:
    """Everything the documentation promises, loaded once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.openapi_file = folder / "openapi" / "meshi-partner-v0.yaml"
        try:
            self.document = inline(load_yaml(self.openapi_file), self.openapi_file)
        except (OSError, yaml.YAMLError) as problem:
            raise UsageError(f"The contract cannot be read: {problem}. Reinstall the suite.") from problem
        self.operations: dict[str, Operation] = {
            operation.id: operation for operation in read_operations(self.document)
        }
        self.untestable: list[dict[str, Any]] = []
        self.requirements: dict[str, Requirement] = {}
        self.duties: dict[str, Requirement] = {}
        for requirement in [*self._derived(), *self._written()]:
            if requirement.id in self.requirements or requirement.id in self.duties:
                raise UsageError(f"Two requirements are called {requirement.id}; rename one of them.")
            self.of(requirement.subject)[requirement.id] = requirement

    def of(self, subject: str) -> dict[str, Requirement]:
        """Return the requirements that bind the server, or the duties of the client, by ID."""
        return self.requirements if subject == SERVER else self.duties

    def _derived(self) -> Iterator[Requirement]:
        rows = self._file(self.folder / "requirements" / derived.FILE)["requirements"]
        return derived.derive(rows, self.operations, self.limits(), self.document)

    def _written(self) -> Iterator[Requirement]:
        for file in sorted((self.folder / "requirements").glob("*.yaml")):
            if file.name == derived.FILE:
                continue
            said = self._file(file)
            self.untestable += said.get("untestable", [])
            for row in said.get("requirements", []):
                try:
                    expanded = list(expand(row, said.get("for", {})))
                except (AttributeError, KeyError, TypeError, ValueError) as problem:
                    raise unreadable(file.name, row, problem) from problem
                for one in expanded:
                    yield read_requirement(one, file.name, self.operations)

    def _file(self, file: Path) -> dict[str, Any]:
        """Read a file of requirements; a bare list is its requirements."""
        try:
            said = load_yaml(file) or []
        except OSError as problem:
            raise UsageError(f"The contract cannot be read: {problem}. Reinstall the suite.") from problem
        except (yaml.YAMLError, UnicodeDecodeError) as problem:
            raise UsageError(f"requirements/{file.name} is not a YAML file: {problem}") from problem
        if isinstance(said, list):
            return {"requirements": said}
        if not isinstance(said, dict) or set(said) - {"for", "requirements", "untestable"}:
            raise UsageError(f"requirements/{file.name} holds no list of requirements. {FORM}")
        return said

    def limits(self) -> Iterator[Limit]:
        """Return every bound that openapi/ and schemas/ put on what a client sends."""
        for operation in self.operations.values():
            for parameter in operation.parameters:
                place, schema = parameter["in"], parameter["schema"]
                # Of `limit` the pages name no code and of one list alone the range: lists.* judge it.
                if place in ("path", "query") and ("pattern" in schema or "enum" in schema):
                    yield limit_of(operation, place, parameter["name"], schema, place == "path", parameter)
            if operation.body is None:
                continue
            required = required_members(operation.body)
            for name, schema in properties_of(operation.body).items():
                yield limit_of(operation, "body", name, schema, name in required, schema)
                rows = items_of(schema)
                if rows:
                    needed = required_members(rows)
                    for row_name, row_schema in properties_of(rows).items():
                        yield limit_of(operation, "row", row_name, row_schema, row_name in needed, row_schema)

    def matching(self, pattern: str, subject: str = SERVER) -> list[Requirement]:
        """Return the requirements of a subject whose ID equals a pattern or fits it (`runs.*`)."""
        return [one for name, one in self.of(subject).items() if fnmatch.fnmatchcase(name, pattern)]

    @property
    def markers(self) -> list[str]:
        """Every marker that a test can have: levels, families and operations."""
        return list(dict.fromkeys(name for one in self.requirements.values() for name in one.markers))

    def suggestion(self, pattern: str, names: Sequence[str] = ()) -> str:
        """Return a sentence with the nearest IDs and patterns, with a space in front; empty where nothing is near.

        `names` are the IDs that can be meant, all requirements if there are none.
        """
        names = names or list(self.requirements)
        beginnings = {name.rsplit(".", count)[0] + ".*" for name in names for count in (1, 2)}
        known = [*names, *sorted(beginnings)] if "*" in pattern else names
        near = difflib.get_close_matches(pattern, known, n=3, cutoff=0.6)
        return f" Did you mean {' or '.join(near)}?" if near else ""

    def select(self, patterns: list[str]) -> list[str]:
        """Return the IDs that the patterns of `--requirements` choose, or all IDs if there are none.

        Raise UsageError for a pattern that fits no requirement.
        """
        chosen: dict[str, None] = {} if patterns else dict.fromkeys(self.requirements)
        for pattern in patterns:
            matching = [one.id for one in self.matching(pattern)]
            if not matching:
                raise UsageError(
                    f"--requirements {pattern!r} fits no requirement.{self.suggestion(pattern)} Patterns work as in "
                    "the shell; `meshi-conformance explain '*'` lists all IDs."
                )
            chosen.update(dict.fromkeys(matching))
        return list(chosen)


@cache
def load() -> Contract:
    """Load the contract of this installation."""
    return Contract(root())
