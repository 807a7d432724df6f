"""The quick cases, wherever their component is installed; the others are named as not run, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from meshi_reference.server import Address, running
from meshi_reference.settings import Settings

from .cases import CASES, Case
from .components import missing
from .trial import Tried, attempt

QUICK = [case for case in CASES if case.quick]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Tried]]]:
    """All quick cases, two at a time."""
    folder = tmp_path_factory.mktemp("realworld")
    with running(Settings(run_seconds=0.02)) as reference, ThreadPoolExecutor(2) as pool:
        yield {
            case.name: pool.submit(_attempt, case, reference, folder / str(number))
            for number, case in enumerate(QUICK)
            if not missing(case.component)
        }


def _attempt(case: Case, reference: Address, folder: object) -> Tried:
    return attempt(case, reference, folder)  # type: ignore[arg-type]


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_a_run_says_what_stands_in_front_or_in_place(case: Case, tried: dict[str, Future[Tried]]) -> None:
    reason = missing(case.component)
    if reason:
        pytest.skip(reason)
    found = tried[case.name].result()
    assert not found.wrong, f"{case.should}\n{found.came}\n{found.run.output[-3000:]}"
