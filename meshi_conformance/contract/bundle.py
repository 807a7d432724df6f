"""The OpenAPI description as one document, for tools that do not read schemas from other files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .operations import load_yaml

OMITTED = ("$schema", "$id")
"""Members of a schema file that mean nothing, or something else, inside of another document."""


def bundle(file: Path) -> dict[str, Any]:
    """Return the description in `file` with every schema of another file as a component of its own.

    References stay references, so a shape that several operations share is written once. Raise ValueError where
    two files would become one component.
    """
    document = load_yaml(file)
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    own = set(schemas)
    owners: dict[str, Path] = {}

    def component(target: Path) -> str:
        name = "".join(word.capitalize() for word in target.stem.split("-"))
        if name in own or owners.setdefault(name, target) != target:
            raise ValueError(f"{owners.get(name, file)} and {target} would both be the component {name}")
        if name not in schemas:
            schemas[name] = {}  # before its own references are followed, so that a circle ends
            found = {key: value for key, value in load_yaml(target).items() if key not in OMITTED}
            schemas[name] = inward(found, target, f"#/components/schemas/{name}")
        return name

    def inward(node: Any, home: Path, here: str) -> Any:
        if isinstance(node, list):
            return [inward(one, home, here) for one in node]
        if not isinstance(node, dict):
            return node
        made = {name: inward(value, home, here) for name, value in node.items() if name not in dropped(node)}
        reference = node.get("$ref")
        if not isinstance(reference, str):
            return {**made, "$ref": inward(reference, home, here)} if "$ref" in node else made
        target, _, pointer = reference.partition("#")
        place = f"#/components/schemas/{component((home.parent / target).resolve())}" if target else here
        return {"$ref": f"{place}{pointer}", **made}

    def dropped(node: dict[str, Any]) -> tuple[str, ...]:
        # A format that holds as well says more than the pattern; the two together make a common faker fail.
        has_format = any("format" in part for part in node.get("allOf", ()) if isinstance(part, dict))
        return ("$ref", "pattern") if has_format else ("$ref",)

    made: dict[str, Any] = inward(document, file, "#")
    made["components"]["schemas"] = dict(sorted({**made["components"]["schemas"], **schemas}.items()))
    return made


def as_text(document: dict[str, Any]) -> str:
    """Return a document as JSON text, one member a line."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
