"""The tool itself: it makes the changes it should, and says of each what its tests said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .__main__ import SURVIVORS, TESTS, explained, judged
from .mutants import Mutant, mutants
from .trial import ERRED, KILLED, SURVIVED, source_of, tried

SOURCE = '''
"""A module."""

BOUND = 5


def fits(value: int, text: str = "") -> bool:
    """Whether it fits."""
    if value >= BOUND and not text.strip():
        return False
    return True
'''


def test_every_small_change_is_made() -> None:
    assert [one.name for one in mutants(SOURCE)] == [
        "module: BOUND = 5 -> BOUND = 6",
        "module: BOUND = 5 -> BOUND = 4",
        "fits: def fits(value: int, text: str='') -> bool: -> def fits(value: int, text: str='XXXX') -> bool:",
        "fits: if value >= BOUND and (not text.strip()): -> if not (value >= BOUND and (not text.strip())):",
        "fits: if value >= BOUND and (not text.strip()): -> if value >= BOUND or not text.strip():",
        "fits: if value >= BOUND and (not text.strip()): -> if not text.strip():",
        "fits: if value >= BOUND and (not text.strip()): -> if value >= BOUND:",
        "fits: if value >= BOUND and (not text.strip()): -> if value > BOUND and (not text.strip()):",
        "fits: if value >= BOUND and (not text.strip()): -> if value >= BOUND and text.strip():",
        "fits: if value >= BOUND and (not text.strip()): -> if value >= BOUND and (not text):",
        "fits: return False -> nothing",
        "fits: return False -> return True",
        "fits: return True -> nothing",
        "fits: return True -> return False",
    ]


def test_each_mutant_has_one_change_and_a_name_of_its_own() -> None:
    for module in TESTS:
        source = source_of(module)
        made = list(mutants(source))
        assert len({one.name for one in made}) == len(made)
        assert len({one.source for one in made}) > 0.98 * len(made)
        for one in made:
            compile(one.source, module, "exec")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The module of these tests, which can be imported, with a test that does not look closely."""
    (tmp_path / "toy_fits.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "test_toy.py").write_text(
        "from toy_fits import fits\n\n\ndef test_it():\n    assert fits(4)\n    assert not fits(9)\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "toy_fits", raising=False)
    return "toy_fits"


def test_a_mutant_is_killed_by_a_test_that_fails_and_by_nothing_else(module: str, tmp_path: Path) -> None:
    cases = [
        Mutant("same", SOURCE),
        Mutant("noticed", SOURCE.replace("return False", "return True")),
        Mutant("not noticed", SOURCE.replace("5", "6")),
        Mutant("no module", SOURCE + "\nraise ValueError\n"),
        Mutant("no name", SOURCE.replace("def fits", "def other")),
    ]
    arguments = ["--rootdir", str(tmp_path), "-c", "/dev/null"]
    said = {case.name: how for case, how in tried(module, cases, [*arguments, str(tmp_path / "test_toy.py")], 2)}
    # A test module that cannot be imported judges nothing: the run says so.
    assert said == {"same": SURVIVED, "noticed": KILLED, "not noticed": SURVIVED, "no module": KILLED, "no name": ERRED}
    nowhere = [how for _, how in tried(module, cases[:1], [*arguments, str(tmp_path / "missing.py")], 1)]
    assert nowhere == [ERRED]


def test_a_survivor_has_to_be_explained_and_an_explanation_has_to_hold(
    module: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "toy_fits.py").write_text("def fits(value):\n    return value < 5\n", encoding="utf-8")
    tests = tmp_path / "test_toy.py"
    survivors = [f"fits: return value < 5 -> return {other}" for other in ("value <= 5", "value < 6")]
    assert judged(module, tests, survivors[:1], 2) == 1
    said = capfd.readouterr().out
    assert "toy_fits: 4 mutants, 2 killed, 2 survive, 1 not accounted for" in said
    assert f"survives, and survivors.yaml does not say why: {survivors[1]}" in said
    assert judged(module, tests, survivors, 2) == 0
    assert judged(module, tests, [*survivors, "fits: gone -> nothing"], 2) == 1
    assert "survivors.yaml explains what does not survive: fits: gone -> nothing" in capfd.readouterr().out


def test_tests_that_do_not_pass_judge_no_mutant(module: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test_toy.py").write_text("def test_it():\n    assert False\n", encoding="utf-8")
    assert judged(module, tmp_path / "test_toy.py", [], 2) == 1
    assert "test_toy.py does not pass on the module as it is" in capfd.readouterr().out


def test_every_row_of_the_table_has_a_reason_and_names_a_mutant_that_exists() -> None:
    table = explained(SURVIVORS)
    for module in TESTS:
        source = source_of(module)
        assert set(table[module.rpartition(".")[2]]) <= {one.name for one in mutants(source)}
