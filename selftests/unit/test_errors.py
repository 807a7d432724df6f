"""Every way of not judging says what class of cause it is, from where it is raised."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from meshi_conformance import errors
from meshi_conformance.vocabulary import CauseClass, Verdict

ROOT = Path(__file__).parents[2]


def test_each_cause_class_has_its_exception_and_the_suite_none() -> None:
    assert set(errors.BY_CLASS) == set(CauseClass) - {CauseClass.SUITE}
    for kind, exception in errors.BY_CLASS.items():
        raised = exception("it did not work")
        assert (raised.verdict, raised.cause_class, raised.cause) == (Verdict.INCONCLUSIVE, kind, "it did not work")


def test_what_was_never_to_be_asked_has_no_class() -> None:
    raised = errors.NotPermitted("it needs writes", "read only")
    assert (raised.verdict, raised.cause_class, raised.cause) == (Verdict.NOT_RUN, None, "read only")


def test_nothing_is_inconclusive_without_a_class() -> None:
    with pytest.raises(TypeError, match="subclass"):
        errors.Inconclusive("because")


def test_nobody_raises_the_base_class() -> None:
    raised = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for folder in ("meshi_conformance", "tests")
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Inconclusive"
    ]
    assert raised == []
