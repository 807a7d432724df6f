"""What a conformance test may import: import-linter cannot see tests/, which is not a package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshi_conformance.contract.contract import root

MODULES = [root() / "conftest.py", *sorted((root() / "tests").glob("*.py"))]
OWN = {"meshi_conformance", "meshi_reference"}
OPEN = {"client", "contract", "errors", "exchanges", "generation", "target", "testing"}
"""The rooms of the suite that a test may enter: neither the report, nor the verdicts, nor the plugin."""


def imported(module: Path) -> Iterator[tuple[str, bool]]:
    """Yield the names of the modules that a file imports, and whether only for its types."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    types_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module or "", id(node) in types_only
        elif isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, id(node) in types_only


def forbidden(module: Path) -> list[str]:
    """Return the imports of a test module that reach behind a wall."""
    return [
        name
        for name, types_only in imported(module)
        if name.split(".")[0] in OWN
        and not types_only
        and (name.split(".")[0] == "meshi_reference" or name.split(".")[1:2] not in [[room] for room in OPEN])
    ]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_a_test_talks_to_the_target_through_the_client_alone(module: Path) -> None:
    assert forbidden(module) == []


@pytest.mark.parametrize(
    "line",
    ["from meshi_conformance.report import html", "import meshi_reference.app", "import meshi_conformance.plugin.run"],
)
def test_an_import_behind_a_wall_is_noticed(line: str, tmp_path: Path) -> None:
    module = tmp_path / "test_it.py"
    module.write_text(
        f"import json\nfrom meshi_conformance.testing.marks import requirement\n{line}\n", encoding="utf-8"
    )
    assert len(forbidden(module)) == 1
