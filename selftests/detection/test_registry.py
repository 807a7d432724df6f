"""The registry of faults and the catalogue of requirements fit each other."""

from __future__ import annotations

import fnmatch

import pytest

from meshi_conformance.contract import contract
from meshi_reference import faults, server, variations
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


@pytest.mark.parametrize("one", FAULTS, ids=lambda one: one.name)
def test_a_fault_can_be_made_and_undone(one: faults.Fault) -> None:
    Settings(**one.settings)
    with one.applied():
        pass


def test_the_server_starts_with_every_variation_of_settings() -> None:
    for one in variations.load().values():
        with server.running(Settings(**one.settings)) as address:
            assert address.base.startswith("http://127.0.0.1:"), one.name
