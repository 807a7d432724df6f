"""The registry of faults and the catalogue of requirements fit each other."""

from __future__ import annotations

import fnmatch
from typing import Any

import pytest

from meshi_conformance.contract import contract
from meshi_reference import faults, server, variations
from meshi_reference.patching.patch import Patch
from meshi_reference.settings import Settings

from .trial import CAPABILITIES

FAULTS = list(faults.load().values())
REQUIREMENTS = list(contract.load().requirements)


def test_every_requirement_that_a_fault_or_variation_names_exists() -> None:
    named = [(one.name, pattern) for one in FAULTS for pattern in (*one.breaks, *one.asks)]
    # `also` is left out: what else may fail is said for all operations alike, though some have no such requirement.
    named += [(one.name, name) for one in variations.load().values() for name in (*one.unjudged, *one.deviates)]
    unknown = [pair for pair in named if not fnmatch.filter(REQUIREMENTS, pair[1])]
    assert not unknown


def test_every_fault_says_what_it_breaks_in_a_sentence() -> None:
    for one in FAULTS:
        assert one.breaks, one.name
        assert one.sentence.endswith("."), one.name
        assert set(one.sees) <= set(CAPABILITIES), one.name


class Noting(Patch):
    """Notes what was at each place before it was changed first."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[tuple[int, Any], tuple[Any, Any, Any]] = {}

    def __call__(self, holder: Any, name: Any, value: Any) -> None:
        self.before.setdefault((id(holder), name), (holder, name, there(holder, name)))
        super().__call__(holder, name, value)


def there(holder: Any, name: Any) -> Any:
    return holder[name] if isinstance(holder, dict | list) else getattr(holder, name)


@pytest.mark.parametrize("one", FAULTS, ids=lambda one: one.name)
def test_a_fault_changes_the_server_and_is_undone(one: faults.Fault) -> None:
    patch = Noting()
    try:
        one.apply(patch)
        changed = [name for holder, name, before in patch.before.values() if there(holder, name) is not before]
    finally:
        patch.undo()
    assert changed or Settings(**one.settings) != Settings(), "the fault changes nothing"
    left = [name for holder, name, before in patch.before.values() if there(holder, name) is not before]
    assert left == []


def test_the_server_starts_with_every_variation_of_settings() -> None:
    for one in variations.load().values():
        with server.running(Settings(**one.settings)) as address:
            assert address.base.startswith("http://127.0.0.1:"), one.name
