"""Reads openapi/ and schemas/ for these tests, with no help from the suite that they serve."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

ROOT = Path(__file__).resolve().parents[2]
OPENAPI = ROOT / "openapi" / "meshi-partner-v0.yaml"
SCHEMAS = sorted((ROOT / "schemas").glob("*.json"))
IMPLIED = {"x-level": "implied"}.items()


@cache
def read(file: Path) -> Any:
    """The content of a YAML or JSON file; not to be changed."""
    text = file.read_text("utf-8")
    return json.loads(text) if file.suffix == ".json" else yaml.load(text, Loader=yaml.CSafeLoader)


def resolve(node: Any, file: Path = OPENAPI) -> tuple[Any, Path]:
    """What a node is once its `$ref` is followed, and the file that holds it."""
    while isinstance(node, dict) and "$ref" in node:
        assert isinstance(node["$ref"], str)
        name, _, pointer = node["$ref"].partition("#")
        file = (file.parent / name).resolve() if name else file
        node = at(read(file), pointer)
    return node, file


def at(document: Any, pointer: str) -> Any:
    """The value at a JSON pointer; KeyError or IndexError for a pointer to nothing."""
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def inline(node: Any, file: Path = OPENAPI, *, implied: bool = True) -> Any:
    """A schema without references; on request also without the parts that are only implied."""
    if isinstance(node, list):
        kept = (n for n in node if implied or not (isinstance(n, dict) and n.items() >= IMPLIED))
        return [inline(n, file, implied=implied) for n in kept]
    if not isinstance(node, dict):
        return node
    whole: dict[str, Any] = {}
    for name, value in node.items():
        if name == "$ref":
            whole.setdefault("allOf", []).append(inline(*resolve(node, file), implied=implied))
        elif name == "allOf":
            whole.setdefault("allOf", []).extend(inline(value, file, implied=implied))
        else:
            whole[name] = inline(value, file, implied=implied)
    if whole.get("allOf") == []:
        del whole["allOf"]
    return whole


def validator(schema: Any, file: Path = OPENAPI, *, implied: bool = True) -> Validator:
    """Judge values by a schema with formats asserted; on request by its documented part alone."""
    return Draft202012Validator(
        inline(schema, file, implied=implied), format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every operation."""
    for path, item in read(OPENAPI)["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def operation(name: str) -> dict[str, Any]:
    """The operation with that operationId."""
    (found,) = (o for _, _, o in operations() if o["operationId"] == name)
    return found


def media(holder: dict[str, Any]) -> dict[str, Any]:
    """The JSON content of a request body or a response; there is no other."""
    assert list(holder["content"]) == ["application/json"]
    return holder["content"]["application/json"]  # type: ignore[no-any-return]


def parameters(of: dict[str, Any], place: str) -> dict[str, dict[str, Any]]:
    """The parameters of an operation in that place, by name."""
    found = [resolve(p)[0] for p in of["parameters"]]
    return {p["name"]: p for p in found if p["in"] == place}


def walk(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every node of a document with its path."""
    yield path, node
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from walk(value, (*path, key))
