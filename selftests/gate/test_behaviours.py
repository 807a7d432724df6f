"""What a target chose where the pages are silent is compared with an older run, and fails a run that asks for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meshi_conformance.__main__ import main
from meshi_conformance.commands.reports import diff
from meshi_conformance.errors import UsageError
from meshi_conformance.report.runs import comparison
from meshi_conformance.report.runs.merging import merged
from meshi_conformance.verdicts import gate

ROOT = Path(__file__).parents[2]
Document = dict[str, Any]
Make = Callable[..., Document]
Put = Callable[[str, Document], Path]
QUESTION = "lists.limit_range"


def choosing(document: Document, *choices: str, question: str = QUESTION) -> Document:
    """The document of a run that saw these choices of a question."""
    seen = [
        {"choice": one, "count": 2, "operations": ["listRuns"], "exchange": "main-1", "shown": "GET /runs → 200"}
        for one in choices
    ]
    rows = [
        {"question": question, "seen": seen} if row["question"] == question else row for row in document["behaviours"]
    ]
    return {**document, "behaviours": rows}


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (["refused"], ["refused"], False),
        (["refused"], ["nearest"], True),
        (["refused"], ["nearest", "refused"], True),
        (["nearest", "refused"], ["refused", "nearest"], False),
        ([], ["refused"], False),
        (["refused"], [], False),
    ],
)
def test_a_behaviour_changed_where_both_runs_saw_another_one(
    make: Make, before: list[str], after: list[str], changes: bool
) -> None:
    old, new = choosing(make(), *before), choosing(make(), *after)
    found = comparison.compare(old, new)
    expected = [{"question": QUESTION, "before": sorted(before), "after": sorted(after)}]
    assert found["behaviours"] == (expected if changes else [])
    assert found["worse"] == [], "no choice is wrong"


def test_a_run_that_did_not_look_changed_nothing(make: Make) -> None:
    old = {name: value for name, value in make().items() if name not in ("behaviours", "compared")}
    assert comparison.refusal(old) is None
    assert comparison.compare(old, choosing(make(), "nearest"))["behaviours"] == []


def test_the_difference_is_told(make: Make) -> None:
    found = comparison.compare(choosing(make(), "refused"), choosing(make(), "nearest"))
    for lines in (diff.as_text(found), diff.as_markdown(found)):
        assert f"{QUESTION}: refused → nearest" in "\n".join(lines)


def test_the_gate_fails_on_a_changed_behaviour_where_it_is_asked_to(make: Make) -> None:
    document = choosing(make(), "nearest")
    document["compared"] = comparison.compared(choosing(make(), "refused"), document)
    assert gate.decide(document).exit_code == 0
    decision = gate.decide(document, ["behaviours"])
    assert decision.exit_code == gate.EXIT_GATE
    assert f"{QUESTION} (refused, now nearest)" in decision.reasons[0]
    document["compared"]["behaviours"] = []
    assert gate.decide(document, ["behaviours"]).exit_code == 0


def test_joined_reports_join_what_was_seen(make: Make) -> None:
    parts = [("a", choosing(make(), "refused")), ("b", choosing(make(), "nearest", "refused"))]
    document = merged(parts, ["behaviours"], choosing(make(), "refused"))
    row = next(row for row in document["behaviours"] if row["question"] == QUESTION)
    assert [(one["choice"], one["count"], one["exchange"]) for one in row["seen"]] == [
        ("refused", 4, "1.main-1"),
        ("nearest", 2, "2.main-1"),
    ]
    assert document["gate"]["exit_code"] == gate.EXIT_GATE
    assert comparison.refusal(document) is None


def test_a_merge_on_behaviours_needs_an_older_report(make: Make, put: Put, tmp_path: Path) -> None:
    parts = [str(put(name, choosing(make(), "refused"))) for name in ("a", "b")]
    words = ["merge", str(tmp_path / "out"), *parts, "--fail-on", "behaviours"]
    assert main(words) == gate.EXIT_USAGE
    older = put("older", choosing(make(), "nearest"))
    assert main([*words, "--compare-with", str(older)]) == gate.EXIT_GATE


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "--requirements", "status.getAuth.200", "--profile", "none", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_a_run_names_its_behaviours_and_compares_them(tmp_path: Path) -> None:
    folder, words = tmp_path / "report", ("--report-dir", str(tmp_path / "report"))
    assert run(*words).returncode == 0
    document = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert {row["question"]: row["seen"] for row in document["behaviours"]}["keys.scopes"][0]["choice"] == "both"
    assert document["compared"] is None
    older = choosing(document, "write_alone", question="keys.scopes")
    (folder / "results.json").write_text(json.dumps(older), encoding="utf-8")
    # The older report is read before the folder is emptied for the new one.
    done = run(*words, "--compare-with", str(folder), "--fail-on", "behaviours")
    assert done.returncode == gate.EXIT_GATE, done.stdout
    assert "keys.scopes (write_alone, now both)" in done.stdout
    for name in ("report.html", "summary.md"):
        assert "keys.scopes" in (folder / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--fail-on", "behaviours"], "--compare-with"), (["--compare-with", "nothing/there"], "does not exist")],
)
def test_an_older_report_that_is_missing_is_told(words: list[str], said: str, tmp_path: Path) -> None:
    done = run("--report-dir", str(tmp_path / "report"), *words)
    assert done.returncode == gate.EXIT_USAGE
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_file_that_is_no_report_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError):
        comparison.load(tmp_path)
