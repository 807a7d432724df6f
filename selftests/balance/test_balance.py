"""The books balance: every requirement has a test and a fault that breaks it, and every test judges a requirement."""

from __future__ import annotations

import fnmatch
import json
import subprocess
import sys
from pathlib import Path

import pytest

from meshi_conformance.behaviours.behaviours import OBSERVERS
from meshi_conformance.contract.contract import load
from meshi_conformance.contract.open_questions import load_questions
from meshi_conformance.contract.requirements import NEEDS
from meshi_conformance.vocabulary import Level
from meshi_reference import faults, variations

ROOT = Path(__file__).parents[2]
CONTRACT = load()
PAGES = {
    "overview",
    "canonical-flow",
    "endpoint-reference",
    "errors-and-limits",
    "identity-and-ids",
    "getting-started",
}

WITHOUT_FAULT: dict[str, str] = {
    "generated.*": (
        "These take what narrower requirements leave: any fault of one that a scripted test sees counts against it. "
        "The faults that no scripted test looks for, and that break these, are in selftests/generation."
    ),
}
"""Requirements, or patterns of them, that no fault of the registry breaks, and why."""


@pytest.fixture(scope="module")
def tests() -> dict[str, list[str]]:
    """The tests that cite each requirement. Collecting refuses a test that cites none or an unknown one."""
    program = (
        "import json, sys; from meshi_conformance.plugin.start.launch import tests_by_requirement; "
        "json.dump(tests_by_requirement(), sys.stdout)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_every_requirement_has_a_test(tests: dict[str, list[str]]) -> None:
    assert sorted(set(CONTRACT.requirements) - set(tests)) == []


def test_every_test_cites_a_requirement_of_the_catalogue(tests: dict[str, list[str]]) -> None:
    assert sorted(set(tests) - set(CONTRACT.requirements)) == []
    assert len({node for nodes in tests.values() for node in nodes}) > 500


def test_every_requirement_has_a_fault_that_breaks_it() -> None:
    patterns = {one for fault in faults.load().values() for one in fault.breaks}
    broken = {name for pattern in patterns for name in fnmatch.filter(CONTRACT.requirements, pattern)}
    excepted = {name for pattern in WITHOUT_FAULT for name in fnmatch.filter(CONTRACT.requirements, pattern)}
    assert sorted(set(CONTRACT.requirements) - broken - excepted) == []
    assert sorted(broken & excepted) == [], "a fault breaks what is excepted: the exception is not needed"
    assert all(fnmatch.filter(CONTRACT.requirements, pattern) for pattern in WITHOUT_FAULT)


def test_there_are_as_many_requirements_as_the_contract_deserves() -> None:
    written = [one for one in CONTRACT.requirements.values() if not one.derived]
    assert len(written) >= 100
    assert len(CONTRACT.requirements) - len(written) >= 300


@pytest.mark.parametrize("name", sorted(CONTRACT.requirements))
def test_a_requirement_is_whole(name: str) -> None:
    one = CONTRACT.requirements[name]
    assert one.level in list(Level)
    assert one.page in PAGES, f"{one.page} is not a page of the documentation"
    assert one.section
    assert one.operations or one.id.startswith("routes.unknown."), "it binds no operation"
    assert set(one.needs) <= set(NEEDS)
    assert one.statement.endswith(".")
    assert one.statement[:1].isupper() or one.statement[:1] == "`" or one.statement.split()[0] in one.operations


@pytest.mark.parametrize("number", range(len(CONTRACT.untestable)))
def test_what_cannot_be_tested_says_why(number: int) -> None:
    row = CONTRACT.untestable[number]
    assert set(row) == {"promise", "source", "reason"}
    assert row["source"]["page"] in PAGES
    assert row["promise"].endswith(".")
    assert len(row["reason"]) > 30


# Open questions

QUESTIONS = load_questions()
CHOICES = {f"{name}={choice}" for name, one in QUESTIONS.items() for choice in one.choices}
WITHOUT_VARIATION: dict[str, str] = {}
"""Choices that no variation makes, and why."""


def test_every_choice_has_a_variation_that_makes_it() -> None:
    made = {choice for one in variations.load().values() for choice in one.makes}
    assert sorted(CHOICES - made - set(WITHOUT_VARIATION)) == []
    assert sorted(made & set(WITHOUT_VARIATION)) == [], "a variation makes what is excepted: drop the exception"
    assert sorted(made - CHOICES) == [], "a variation makes a choice that requirements/open_questions/ does not name"


def test_the_default_server_makes_a_choice_in_every_question() -> None:
    made = [choice.partition("=")[0] for choice in variations.load()["default"].makes]
    assert sorted(made) == sorted(QUESTIONS)


@pytest.mark.parametrize("name", sorted(variations.load()))
def test_a_variation_makes_a_choice_or_names_the_freedom_that_it_uses(name: str) -> None:
    one = variations.load()[name]
    questions = [choice.partition("=")[0] for choice in one.makes]
    assert bool(one.makes) != bool(one.freedom), "name the choices in `makes`, or else what permits it in `freedom`"
    assert len(set(questions)) == len(questions), "a variation makes one choice of a question"
    assert not one.freedom or one.freedom.endswith(".")


def test_every_question_has_an_observer() -> None:
    assert sorted(set(QUESTIONS) ^ set(OBSERVERS)) == []


@pytest.mark.parametrize("name", sorted(name for name, one in QUESTIONS.items() if one.implied))
def test_a_choice_that_is_not_implied_deviates(name: str) -> None:
    question = QUESTIONS[name]
    for one in variations.load().values():
        for choice in set(question.choices) - {question.implied}:
            if f"{name}={choice}" in one.makes:
                assert one.deviates or one.unjudged, f"{one.name} makes {choice} and declares no deviation"
