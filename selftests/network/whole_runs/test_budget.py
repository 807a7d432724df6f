"""What a budget buys, what a run says of the rest, and whether what is announced is what a run sends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshi_conformance.contract import contract as contracts
from meshi_conformance.plugin.planning import costs
from meshi_conformance.plugin.planning.choice import Budget, choose
from meshi_conformance.plugin.start import launch
from meshi_conformance.vocabulary import CauseClass, Level
from meshi_reference.server import Address, running
from meshi_reference.settings import Settings

from .suite import Run, run

SMOKE_REQUESTS, SMOKE_CREATED = 400, 300


@pytest.fixture(scope="module")
def server() -> Iterator[Address]:
    with running(Settings(run_seconds=0.02)) as address:
        yield address


@pytest.fixture(scope="module")
def smoke(server: Address, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("smoke") / "report"
    return run(folder, "--target", server.base, "--profile=smoke", environment=server.env)


@pytest.fixture(scope="module")
def cited() -> dict[str, list[str]]:
    """The requirements that each test cites."""
    found: dict[str, list[str]] = {}
    for name, tests in launch.tests_by_requirement().items():
        for test in tests:
            found.setdefault(test, []).append(name)
    return found


def announced(done: Run) -> tuple[int, int]:
    said = re.search(r"expected +about (\d+) requests and (\d+) created rows", done.output)
    assert said, done.output
    return int(said[1]), int(said[2])


def made(done: Run) -> tuple[int, int]:
    assert done.document is not None
    rows = sum(one.get("count", 1) for one in done.document["created"])
    return done.document["exchanges"]["count"], rows


def test_a_smoke_run_keeps_its_ceilings_and_calls_every_operation(smoke: Run) -> None:
    assert smoke.document is not None, smoke.output
    requests, rows = made(smoke)
    assert (smoke.document["outcome"], smoke.exit_code) == ("partial", 0), smoke.output
    assert requests <= SMOKE_REQUESTS
    assert rows <= SMOKE_CREATED
    assert "25 of 25 operations called" in smoke.output


def test_what_the_budget_leaves_out_is_never_passed(smoke: Run) -> None:
    assert smoke.document is not None
    left = [row for row in smoke.document["requirements"] if row["reason"].startswith("left out for --profile smoke")]
    assert left
    assert {(row["verdict"], row["cause_class"]) for row in left} == {("not_run", CauseClass.LIMIT)}
    assert not [row for row in smoke.document["requirements"] if row["verdict"] == "inconclusive"]
    assert re.search(r"twice as much judges \d+ of them, and about \d+ requests .* judge all", smoke.output)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--requirements", "events.*"),
        ("--requirements", "identity.*"),
        ("-k", "test_runs"),
        ("tests/test_context.py",),
    ],
    ids=" ".join,
)
def test_what_is_announced_is_what_a_run_makes(words: tuple[str, ...], server: Address, tmp_path: Path) -> None:
    done = run(tmp_path / "report", "--target", server.base, *words, environment=server.env)
    for said, found in zip(announced(done), made(done), strict=True):
        assert abs(said - found) <= max(0.2 * found, 5), done.output


def test_what_a_smoke_run_announces_is_what_it_makes(smoke: Run) -> None:
    for said, found in zip(announced(smoke), made(smoke), strict=True):
        assert abs(said - found) <= 0.2 * found, smoke.output


def test_the_costs_are_fresh(cited: dict[str, list[str]]) -> None:
    """After changes of the tests: make costs."""
    measured = set(costs.load().tests)
    assert len(measured ^ cited.keys()) <= 0.05 * len(cited), "make costs"


def test_a_requirement_is_judged_by_all_of_its_tests_or_left_out(cited: dict[str, list[str]]) -> None:
    wanted = list(contracts.load().requirements.values())
    chosen = choose(cited, wanted, costs.load(), Budget(300))
    assert chosen.requests <= 300
    for name in chosen.judged:
        assert all(test in chosen.tests for test, names in cited.items() if name in names)


def test_a_larger_budget_judges_more_and_none_judges_all(cited: dict[str, list[str]]) -> None:
    wanted = list(contracts.load().requirements.values())
    found = [choose(cited, wanted, costs.load(), Budget(limit)) for limit in (100, 200, 400, 1000, None)]
    counts = [sum(1 for one in wanted if one.id in each.judged and one.level == Level.DOCUMENTED) for each in found]
    assert counts == sorted(set(counts))
    assert found[-1].tests.keys() == cited.keys()


def test_every_operation_is_called_early(cited: dict[str, list[str]]) -> None:
    contract = contracts.load()
    chosen = choose(cited, contract.requirements.values(), costs.load(), Budget(200))
    bound = {one for name in chosen.judged for one in contract.requirements[name].operations}
    assert bound == set(contract.operations)


@pytest.mark.parametrize("words", [("--time", "0s"), ("--time", "soon"), ("--time", "-5")])
def test_a_time_that_is_none_is_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    done = run(tmp_path / "report", *words)
    assert done.exit_code == 4
    assert "--time takes seconds or minutes" in done.output


def test_a_time_chooses_what_fits_in_it(server: Address, tmp_path: Path) -> None:
    done = run(tmp_path / "report", "--target", server.base, "--time", "6s", environment=server.env)
    assert done.document is not None, done.output
    assert done.document["outcome"] == "partial", done.output
    assert "left out for --time 6s" in done.output
