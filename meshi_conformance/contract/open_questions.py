"""The places where the documentation is silent, and what a conforming server may do there.

Each file of requirements/open_questions/ holds a list of questions about one topic. A question has no level and no
verdict: the report tells which of its choices a target made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ..errors import UsageError
from .contract import Contract, load, root
from .operations import load_yaml

FOLDER = Path("requirements") / "open_questions"
"""The folder of the questions, below the contract's root."""

_ID = re.compile(r"[a-z_]+\.[a-z_]+")
_CHOICE = re.compile(r"[a-z0-9_]+")
_REQUIRED = {"id", "place", "operations", "question", "choices", "suite"}
_OPTIONAL = {"implied"}


@dataclass(frozen=True)
class Question:
    """One place where the pages are silent.

    `choices` maps the ID of each choice to what a client sees of it. `implied` is the choice that the suite reads out
    of examples or wording: the others are deviations there, as a requirement of that level says. `suite` says what the
    suite does while the question is open.
    """

    id: str
    place: str
    operations: tuple[str, ...]
    question: str
    choices: Mapping[str, str]
    suite: str
    implied: str | None = None

    @property
    def topic(self) -> str:
        """Return the part of the ID before the dot."""
        return self.id.partition(".")[0]


def read_questions(folder: Path, contract: Contract) -> dict[str, Question]:
    """Return the questions of a folder by their IDs, file by file.

    Raise UsageError for a file or a row that cannot be read, and for an ID that is used twice.
    """
    found: dict[str, Question] = {}
    for file in sorted(folder.glob("*.yaml")):
        for question in _of_file(file, contract):
            if question.id in found:
                raise UsageError(f"Two open questions are called {question.id}; rename one of them.")
            found[question.id] = question
    return found


@cache
def load_questions() -> dict[str, Question]:
    """Return the open questions of this installation by their IDs."""
    return read_questions(root() / FOLDER, load())


def _of_file(file: Path, contract: Contract) -> Iterator[Question]:
    try:
        rows = load_yaml(file) or []
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as problem:
        raise UsageError(f"{FOLDER / file.name} cannot be read as YAML: {problem}") from problem
    if not isinstance(rows, list):
        raise UsageError(f"{FOLDER / file.name} must hold a list of questions. docs/open-questions.md shows the form.")
    for row in rows:
        try:
            yield _question(row, contract)
        except (AttributeError, KeyError, TypeError, ValueError) as problem:
            why = f"{problem.args[0]!r} is missing" if isinstance(problem, KeyError) else str(problem)
            raise UsageError(
                f"{FOLDER / file.name} holds a question that cannot be read ({why}): {str(row)[:200]}. "
                "docs/open-questions.md shows the form."
            ) from problem


def _question(row: Mapping[str, Any], contract: Contract) -> Question:
    if set(row) - _REQUIRED - _OPTIONAL:
        raise ValueError(f"unknown members {sorted(map(str, set(row) - _REQUIRED - _OPTIONAL))}")
    choices = row["choices"]
    texts = [row[name] for name in ("id", "place", "question", "suite")]
    if not all(isinstance(text, str) and text.strip() for text in (*texts, *choices, *choices.values())):
        raise ValueError("a text is missing, or has another type")
    if not _ID.fullmatch(row["id"]):
        raise ValueError(f"the ID {row['id']!r} does not read topic.thing")
    unfit = [name for name in choices if not _CHOICE.fullmatch(name)]
    if unfit:
        raise ValueError(f"the choice {unfit[0]!r} has other characters than a-z, 0-9 and _")
    if len(choices) < 2:
        raise ValueError("a question has at least two choices")
    if row.get("implied", next(iter(choices))) not in choices:
        raise ValueError(f"`implied` names {row['implied']!r}, which is not one of the choices")
    return Question(
        id=row["id"],
        place=row["place"],
        operations=tuple(_operations(row["operations"], contract)),
        question=row["question"],
        choices=dict(choices),
        suite=row["suite"],
        implied=row.get("implied"),
    )


def _operations(said: Any, contract: Contract) -> list[str]:
    """Return the operations of a row: a list of IDs, or `all`, `lists` or `writes`."""
    known = contract.operations
    if said == "all":
        return list(known)
    if said == "lists":
        return [name for name, operation in known.items() if operation.lists]
    if said == "writes":
        return [name for name, operation in known.items() if operation.writes]
    unknown = [name for name in said if name not in known]
    if unknown or not isinstance(said, list):
        raise ValueError(f"unknown operations {unknown or said}")
    return said
