"""Two runs are compared by what a team has to know, and no file is believed that no run has written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meshi_conformance.__main__ import main
from meshi_conformance.errors import UsageError
from meshi_conformance.report.runs import comparison as history

Make = Callable[..., dict[str, Any]]
Put = Callable[[str, dict[str, Any]], Path]
NAME = "status.getAuth.200"
IMPLIED = "codes.getAuth"
STUCK = ("inconclusive", "no end", "deadline")
FAIL, OPEN, WAIVED = ("fail", "answered 500"), ("inconclusive", "no answer"), ("waived", "")


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def test_equal_runs_have_no_changes(make: Make) -> None:
    found = history.compare(make({NAME: FAIL}), make({NAME: FAIL}))
    assert found["worse"] == []
    assert not any(found[kind] for kind in ("new_failures", "fixed", "vanished", "new", "newly_unjudged", "levels"))


@pytest.mark.parametrize(
    ("before", "after", "kind", "worse"),
    [
        ({}, {NAME: FAIL}, "new_failures", True),
        ({NAME: OPEN}, {NAME: FAIL}, "new_failures", True),
        ({}, {IMPLIED: FAIL}, "new_deviations", True),
        ({NAME: FAIL}, {}, "fixed", False),
        ({}, {NAME: OPEN}, "newly_unjudged", True),
        ({NAME: FAIL}, {NAME: OPEN}, "newly_unjudged", True),
        ({}, {NAME: None}, "newly_unjudged", True),
        ({NAME: OPEN}, {}, "newly_judged", False),
        ({NAME: OPEN}, {NAME: STUCK}, "newly_undecided", True),
        ({NAME: None}, {NAME: STUCK}, "newly_undecided", True),
    ],
)
def test_a_changed_verdict_is_told(
    make: Make, before: dict[str, Any], after: dict[str, Any], kind: str, worse: bool
) -> None:
    found = history.compare(make(before), make(after))
    assert ids(found[kind]) == list(before or after)
    assert bool(found["worse"]) == worse


def without(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The document of a catalogue that does not have a requirement."""
    (row,) = (one for one in document["requirements"] if one["id"] == name)
    document["requirements"].remove(row)
    document["counts"][row["level"]][row["verdict"]] -= 1
    return document


def test_a_requirement_that_vanished_is_worse_and_a_new_one_is_not(make: Make) -> None:
    gone = history.compare(make(), without(make(), NAME))
    assert ids(gone["vanished"]) == [NAME]
    assert gone["worse"] == ["1 requirements are no longer in the report"]
    new = history.compare(without(make(), NAME), make())
    assert ids(new["new"]) == [NAME]
    assert new["worse"] == []
    assert ids(history.compare(without(make(), NAME), make({NAME: FAIL}))["new_failures"]) == [NAME]


def test_a_changed_level_is_told(make: Make) -> None:
    after = make()
    next(row for row in after["requirements"] if row["id"] == NAME)["level"] = "implied"
    found = history.compare(make(), after)
    assert found["levels"] == [{"id": NAME, "before": "documented", "after": "implied"}]


def test_drift_that_appears_and_disappears_is_told(make: Make) -> None:
    found = history.compare(make(drift=["old"]), make(drift=["new"]))
    assert found["drift"]["appeared"] == [{"operation": "getAuth", "member": "new"}]
    assert found["drift"]["disappeared"] == [{"operation": "getAuth", "member": "old"}]
    assert found["worse"] == []


@pytest.mark.parametrize(
    ("before", "after", "slower"),
    [
        ([0.050] * 20, [0.150] * 20, True),
        ([0.050] * 19, [0.150] * 20, False),  # too few to say
        ([0.050] * 20, [0.090] * 20, False),  # not doubled
        ([0.005] * 20, [0.040] * 20, False),  # 35 ms: noise of a quick server
        ([0.050] * 18 + [0.600] * 2, [0.050] * 10 + [1.100] * 10, False),  # within twice what it already scattered
    ],
)
def test_an_operation_is_slower_only_above_the_noise(
    make: Make, before: list[float], after: list[float], slower: bool
) -> None:
    found = history.compare(make(latency={"getAuth": before}), make(latency={"getAuth": after}))
    (row,) = found["latency"]
    assert row["slower"] is slower
    assert found["worse"] == []


def test_what_makes_two_runs_less_comparable_is_noted(make: Make) -> None:
    before, after = make(), make(base="https://other.example", problems=["A worker died"])
    after["suite"]["version"] = "9.9.9"
    found = history.compare(before, after)
    said = " ".join(found["notes"])
    for part in ("the target differs", "the suite's version differs", "the newer run is invalid: A worker died"):
        assert part in said
    assert "the newer run is invalid" in found["worse"]


def test_the_embedded_reference_is_one_target_whatever_its_port(make: Make) -> None:
    one, other = make(base="http://127.0.0.1:1/api/v0/partner"), make(base="http://127.0.0.1:2/api/v0/partner")
    for document in (one, other):
        document["target"]["name"] = "reference"
    assert history.compare(one, other)["notes"] == []


def tampered(document: dict[str, Any], change: str) -> Any:
    """A document that no run has written."""
    rows = document["requirements"]
    row = next(one for one in rows if one["id"] == NAME)
    match change:
        case "a verdict made better":
            row["verdict"] = "pass"
        case "a verdict and its count":
            row["verdict"] = "pass"
            document["counts"]["documented"]["pass"] += 1
            document["counts"]["documented"]["fail"] -= 1
            document["outcome"] = "conformant"
        case "the outcome alone":
            document["outcome"] = "conformant"
        case "a problem hidden":
            document["problems"] = ["A worker died"]
        case "a requirement left out":
            rows.remove(row)
        case "a requirement twice":
            rows.append(row)
        case "a failure removed":
            row["failures"], row["violations"] = [], []
        case "a member left out":
            del document["exchanges"]
        case "a verdict that does not exist":
            row["verdict"] = "fine"
        case "an older schema":
            document["schema_version"] = "0.9"
        case "no schema":
            del document["schema_version"]
        case "another tool":
            document["suite"]["name"] = "other"
        case "a list":
            return [document]
    return document


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("a verdict made better", "status.getAuth.200 is pass, against the failures"),
        ("a verdict and its count", "status.getAuth.200 is pass, against the failures"),
        ("the outcome alone", "outcome is conformant where its verdicts make it nonconformant"),
        ("a problem hidden", "which make it invalid"),
        ("a requirement left out", "counts are not those"),
        ("a requirement twice", "lists the requirement status.getAuth.200 twice"),
        ("a failure removed", "status.getAuth.200 is fail, against the failures"),
        ("a member left out", '"exchanges" is a required property'),
        ("a verdict that does not exist", "does not fit the published schema"),
        ("an older schema", "schema version '0.9' and this suite reads"),
        ("no schema", "schema version None"),
        ("another tool", "not a result of this suite"),
        ("a list", "not a JSON object"),
    ],
)
def test_a_file_that_no_run_has_written_is_refused(make: Make, put: Put, change: str, said: str) -> None:
    folder = put("run", tampered(make({NAME: FAIL}), change))
    with pytest.raises(UsageError, match=said):
        history.load(folder)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999])
def test_a_truncated_file_is_refused(make: Make, put: Put, share: float) -> None:
    file = put("run", make()) / "results.json"
    text = file.read_bytes()
    file.write_bytes(text[: int(len(text) * share)])
    with pytest.raises(UsageError, match="cut short"):
        history.load(file)


@pytest.mark.parametrize("content", [b"\xff\x00", b"NaN", b"[" * 100_000, b'"text"', b"null"])
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "results.json").write_bytes(content)
    with pytest.raises(UsageError, match="is refused"):
        history.load(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        history.load(tmp_path / "nothing")
    with pytest.raises(UsageError, match=r"results\.json does not exist"):
        history.load(tmp_path)


def test_the_command_ends_with_0_1_and_4(make: Make, put: Put, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = put("good", make()), put("bad", make({NAME: FAIL, IMPLIED: FAIL}, drift=["new"]))
    assert main(["diff", str(good), str(good)]) == 0
    assert "nothing is worse" in capsys.readouterr().out
    assert main(["diff", str(good), str(bad)]) == 1
    text = capsys.readouterr().out
    assert "New failures (1)\n  status.getAuth.200 (documented): pass → fail: answered 500" in text
    assert "New deviations (1)" in text
    assert "Undocumented members that appeared (1)\n  getAuth: new" in text
    assert main(["diff", str(bad), str(good), "--json"]) == 0
    assert ids(json.loads(capsys.readouterr().out)["fixed"]) == [NAME, IMPLIED]
    (bad / "results.json").write_text("{")
    assert main(["diff", str(good), str(bad)]) == 4
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_markdown_holds_what_a_server_sent_in_code_spans(
    make: Make, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "came `<img src=x>` | @everyone [a](b)\x1b[31m"
    main(["diff", str(put("a", make())), str(put("b", make({NAME: ("fail", hostile)}))), "--markdown"])
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert r"`` came `<img src=x>` | @everyone [a](b)\x1b[31m ``" in said
