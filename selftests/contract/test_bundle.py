"""The description in one file says what the description and its schemas say, and no other file is needed to read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from meshi_conformance.__main__ import main
from meshi_conformance.contract.bundle import as_text, bundle
from meshi_conformance.contract.contract import root
from meshi_conformance.contract.operations import inline, load_yaml

SOURCE = root() / "openapi" / "meshi-partner-v0.yaml"
WRITTEN = root() / "openapi" / "meshi-partner-v0.bundled.json"


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(one)


def without_patterns_of_timestamps(value: Any) -> Any:
    """The document without what the bundle leaves out."""
    if isinstance(value, list):
        return [without_patterns_of_timestamps(one) for one in value]
    if not isinstance(value, dict):
        return value
    is_moment = any("format" in part for part in value.get("allOf", ()))
    return {
        name: without_patterns_of_timestamps(one)
        for name, one in value.items()
        if name not in ("$schema", "$id") and not (is_moment and name == "pattern")
    }


def test_the_written_file_is_fresh() -> None:
    assert WRITTEN.read_text(encoding="utf-8") == as_text(bundle(SOURCE)), "make openapi"


def test_no_reference_leaves_the_file() -> None:
    references = [one["$ref"] for one in nodes(json.loads(WRITTEN.read_text(encoding="utf-8"))) if "$ref" in one]
    assert len(references) > 300
    assert not [one for one in references if not isinstance(one, str) or not one.startswith("#/components/")]


def test_the_bundle_says_what_its_parts_say() -> None:
    """With every reference resolved, the paths of both are equal."""
    bundled = json.loads(WRITTEN.read_text(encoding="utf-8"))
    ours = inline(bundled, WRITTEN)["paths"]
    theirs = without_patterns_of_timestamps(inline(load_yaml(SOURCE), SOURCE)["paths"])
    assert json.loads(json.dumps(ours)) == json.loads(json.dumps(theirs))


def test_a_common_faker_meets_no_pattern_beside_a_format() -> None:
    both = [
        one for one in nodes(bundle(SOURCE)) if "pattern" in one and any("format" in p for p in one.get("allOf", ()))
    ]
    assert not both


def test_two_schemas_of_one_name_are_refused(tmp_path: Any) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "row.json").write_text('{"type": "object"}')
    file = tmp_path / "api.yaml"
    file.write_text("x: {$ref: a/row.json}\ny: {$ref: b/row.json}\n")
    with pytest.raises(ValueError, match="would both be the component Row"):
        bundle(file)


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["openapi"]) == 0
    assert capsys.readouterr().out == WRITTEN.read_text(encoding="utf-8")
    assert main(["openapi", "/nowhere/api.json"]) == 4
    assert "cannot be written" in capsys.readouterr().err
