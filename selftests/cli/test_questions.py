"""docs/open-questions.md is what requirements/open_questions/ says today, and a row that cannot be read is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshi_conformance.__main__ import main
from meshi_conformance.commands.contract.questions import as_markdown
from meshi_conformance.contract.contract import load
from meshi_conformance.contract.open_questions import load_questions, read_questions
from meshi_conformance.errors import UsageError

ROOT = Path(__file__).parents[2]

ROW = """\
- id: topic.thing
  place: a place
  operations: [getAuth]
  question: What happens?
  choices: {one: this, other: that}
  suite: waits
"""


def test_the_document_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["questions", "--check", "--output", str(ROOT / "docs" / "open-questions.md")])
    assert code == 0, capsys.readouterr().out


def test_every_question_stands_in_it_once_with_its_choices() -> None:
    text = as_markdown(load_questions())
    for one in load_questions().values():
        rows = [line for line in text.splitlines() if line.startswith(f"| `{one.id}` |")]
        assert len(rows) == 1
        assert all(f"`{choice}`" in rows[0] for choice in one.choices)


def test_a_stale_document_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "open-questions.md"
    assert main(["questions", "--output", str(file)]) == 0
    file.write_text(file.read_text(encoding="utf-8").replace("lists.unknown_cursor", "lists.unknown"), "utf-8")
    assert main(["questions", "--output", str(file), "--check"]) == 1
    assert "out of date" in capsys.readouterr().out


def test_no_question_is_a_requirement() -> None:
    assert not set(load_questions()) & set(load().requirements)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("topic.thing", "thing", "topic.thing"),
        ("getAuth", "getNothing", "getNothing"),
        ("[getAuth]", "some", "some"),
        ("{one: this, other: that}", "{one: this}", "two choices"),
        ("{one: this, other: that}", "{one: this, 2: that}", "another type"),
        ("{one: this, other: that}", "{one: this, o-ther: that}", "other characters"),
        ("  suite: waits\n", "", "'suite' is missing"),
        ("suite: waits", "suite: waits\n  level: implied", "level"),
        ("suite: waits", "suite: waits\n  implied: third", "third"),
        (ROW, "topic: thing", "list"),
        ("place: a place", "place: [", "YAML"),
    ],
)
def test_a_question_that_cannot_be_read_is_told(before: str, after: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "topic.yaml").write_text(ROW, encoding="utf-8")
    assert list(read_questions(tmp_path, load())) == ["topic.thing"]
    (tmp_path / "topic.yaml").write_text(ROW.replace(before, after), encoding="utf-8")
    with pytest.raises(UsageError, match=r"open_questions/topic\.yaml") as told:
        read_questions(tmp_path, load())
    assert why in str(told.value)


def test_two_questions_of_one_name_are_told(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / f"{name}.yaml").write_text(ROW, encoding="utf-8")
    with pytest.raises(UsageError, match=r"called topic\.thing"):
        read_questions(tmp_path, load())
