"""How many workers a run has where the command line does not say, and what has the last word."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshi_conformance.plugin.planning import workers
from meshi_conformance.plugin.planning.workers import MOST, fitting
from meshi_conformance.plugin.start.launch import pytest_main
from meshi_reference.server import running
from meshi_reference.settings import Settings

from .suite import run

WHOLE = 3000
"""Requests of about a whole run."""


@pytest.mark.parametrize(
    ("requests", "answer_seconds", "rate", "cores", "least", "most"),
    [
        (WHOLE, 0.003, None, 2, 2, 2),
        (WHOLE, 0.003, None, 1, 1, 1),
        (WHOLE, 0.1, None, 2, MOST, MOST),
        (WHOLE, 0.06, None, 2, 6, MOST),
        (WHOLE, 0.1, 10.0, 2, 1, 3),
        (WHOLE, 0.1, 60.0, 2, 6, MOST),
        (100, 0.1, None, 2, 2, 4),
        (1, 0.1, None, 2, 1, 1),
        (0, 0.0, None, 2, 1, 1),
    ],
)
def test_the_number_follows_the_target(
    requests: int, answer_seconds: float, rate: float | None, cores: int, least: int, most: int
) -> None:
    assert least <= fitting(requests, answer_seconds, rate, cores) <= most


def test_a_slow_target_has_workers_without_an_option(tmp_path: Path) -> None:
    with running(Settings(latency_ms=60)) as address:
        words = ("--target", address.base, "--requirements", "events.*", "-n", "auto")
        done = run(tmp_path / "report", *words, environment=address.env)
    assert done.document is not None, done.output
    assert done.document["outcome"] == "partial", done.output
    assert "workers " in done.output
    assert len(list((tmp_path / "report" / "spool").glob("gw*.jsonl"))) > 1


CORES = "all of them"

DECIDING: dict[str, tuple[list[str], int | str | None]] = {
    "nothing": ([], CORES),
    "a number": (["-n", "3"], 3),
    "none": (["-n", "0"], 0),
    "a debugger": (["--pdb"], None),
    "a trace": (["--trace"], None),
    "no plugin": (["-p", "no:xdist"], None),
    "open output": (["-s"], None),
    "collecting": (["--collect-only"], None),
    "one test": (["tests/test_keys.py::test_x"], 0),
    "a keyword": (["-k", "auth"], 0),
    "a small selection": (["--requirements", "auth.*"], 0),
    "stopping early": (["-x"], CORES),
}


@pytest.mark.parametrize("case", DECIDING)
def test_the_command_line_has_the_last_word(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words, expected = DECIDING[case]
    monkeypatch.setattr(workers, "cores", lambda: 2)
    for name in ("MESHI_BASE", workers.SET_BY_USER):
        monkeypatch.delenv(name, raising=False)
    assert decided(words) == (2 if expected == CORES else expected)


class Decided:
    """Reads the number of workers as soon as the command line is read, and ends pytest there."""

    number: int | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        self.number = getattr(config.option, "numprocesses", None)
        raise pytest.UsageError("enough is known")


def decided(words: list[str]) -> int | None:
    """The number of workers that a command line comes to before the target is looked at; None without xdist's say."""
    found = Decided()
    pytest_main(words, [found])
    return found.number


def test_xdists_own_variable_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(workers.SET_BY_USER, "5")
    assert decided(["-n", "auto"]) == 5
    assert decided([]) is None
