"""Requirement IDs are an interface: waivers and old reports name them, so none may vanish or change unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshi_conformance.contract.contract import load, root

CONTRACT = load()
RELEASED = dict(
    line.split("\t")
    for line in (Path(__file__).parent / "catalogue-0.1.0.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)
CHANGELOG = root() / "CHANGELOG.md"


def test_no_released_requirement_is_gone() -> None:
    assert len(RELEASED) == 977
    assert sorted(RELEASED.keys() - CONTRACT.requirements.keys()) == []


@pytest.mark.parametrize(
    "name", [name for name, level in RELEASED.items() if CONTRACT.requirements[name].level != level]
)
def test_a_changed_level_is_named_in_the_changelog(name: str) -> None:
    text = CHANGELOG.read_text(encoding="utf-8")
    *family, last = name.split(".")
    patterns = {name, ".".join([*family, "*"]), ".".join([name.split(".")[0], "*", last])}
    assert any(f"`{one}`" in text for one in patterns), f"CHANGELOG.md says nothing of the new level of {name}"
