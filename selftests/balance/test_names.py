"""Every finding names a requirement of the catalogue: a misspelt name would hide what it found."""

from __future__ import annotations

import ast
import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshi_conformance.contract.contract import load
from meshi_conformance.contract.open_questions import load_questions

ROOT = Path(__file__).parents[2]
KNOWN = load().requirements
QUESTIONS = set(load_questions())
FAMILIES = "|".join(sorted({one.family for one in KNOWN.values()}))
NAME = re.compile(rf"({FAMILIES})(\.[A-Za-z0-9_*]+)+")
FILES = sorted(
    file.relative_to(ROOT).as_posix()
    for folder in ("meshi_conformance", "tests")
    for file in (ROOT / folder).rglob("*.py")
)
OTHERWISE = frozenset({"error.MATCH_RUN_NOT_FOUND"})
"""Names that a table of the tests completes with an operation in their middle."""


def names(tree: ast.AST) -> Iterator[str]:
    """The texts of a module that read like a requirement's ID, with `*` for what is filled in."""
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        text: object = None
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "*" for part in node.values)
            text = "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and id(node) not in inside:
            text = node.value
        if isinstance(text, str) and NAME.fullmatch(text) and text not in OTHERWISE | QUESTIONS:
            yield text


def unknown(found: Iterator[str]) -> list[str]:
    """The names that neither are requirements nor begin the names of some."""
    return [name for name in found if not fnmatch.filter(KNOWN, name) and not fnmatch.filter(KNOWN, f"{name}.*")]


@pytest.mark.parametrize("file", FILES)
def test_a_name_that_is_charged_is_a_requirement(file: str) -> None:
    assert unknown(names(ast.parse((ROOT / file).read_text(encoding="utf-8")))) == []


def test_a_misspelt_name_is_noticed() -> None:
    tree = ast.parse('charge("id_map.mapped"); charge(f"events.read_back.{name}"); charge(f"events.{name}.nothing")')
    assert unknown(names(tree)) == ["id_map.mapped", "events.*.nothing"]
