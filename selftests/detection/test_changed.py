"""What a change bears on is tried, and nothing else."""

from __future__ import annotations

import pytest

from meshi_conformance.contract.contract import load
from meshi_reference import faults, variations
from meshi_reference.faults import Fault
from meshi_reference.variations import Variation

from .changed import MOST, touched

CONTRACT = load()
ENTRIES: list[Fault | Variation] = [*faults.load().values(), *variations.load().values()]
TESTS = {"events.create.once": ["tests/test_events.py::test_it"]}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["tests/test_events.py"], "events.create.once"),
        (["requirements/webhooks.yaml"], "webhooks.*"),
        (["requirements/idempotency.yaml"], "idempotency.*"),
    ],
)
def test_a_change_of_a_test_or_a_family_touches_its_faults(files: list[str], expected: str) -> None:
    found = touched(ENTRIES, files, CONTRACT, TESTS)
    assert 0 < len(found) <= MOST
    wanted = {one.id for one in CONTRACT.matching(expected)}
    for one in found:
        assert isinstance(one, Fault)
        assert wanted & {row.id for pattern in one.breaks for row in CONTRACT.matching(pattern)}


def test_a_change_of_a_module_of_faults_touches_what_it_registers() -> None:
    assert touched(ENTRIES, ["meshi_reference/faults/data/idmap.py"], CONTRACT, TESTS)


def test_other_files_touch_nothing() -> None:
    assert touched(ENTRIES, ["README.md", "docs/ci.md"], CONTRACT, TESTS) == []
