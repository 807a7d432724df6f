"""The parts of a split run make the verdicts of one run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from meshi_conformance.__main__ import main
from meshi_conformance.contract import contract as contracts
from meshi_conformance.errors import UsageError
from meshi_conformance.report.runs import comparison as history
from meshi_conformance.report.runs.merging import merged
from meshi_conformance.verdicts.waivers import Waiver

Make = Callable[..., dict[str, Any]]
Put = Callable[[str, dict[str, Any]], Path]
NAME = "status.getAuth.200"
FAIL, OPEN = ("fail", "answered 500"), ("inconclusive", "no answer")
NO_KEY = ("not_run", "MESHI_READ_KEY is not set")


def join(*documents: dict[str, Any], fail_on: tuple[str, ...] = ()) -> dict[str, Any]:
    document = merged([(f"part {number}", one) for number, one in enumerate(documents, 1)], fail_on)
    assert history.refusal(document) is None
    return document


def row(document: dict[str, Any], name: str = NAME) -> dict[str, Any]:
    return next(one for one in document["requirements"] if one["id"] == name)


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        (("pass", ""), ("pass", ""), "pass"),
        (("pass", ""), FAIL, "fail"),
        (OPEN, FAIL, "fail"),
        (("pass", ""), OPEN, "inconclusive"),
        (NO_KEY, OPEN, "inconclusive"),
        (("pass", ""), NO_KEY, "not_run"),
        (("pass", ""), None, "pass"),
        (None, FAIL, "fail"),
        (None, None, "not_run"),
    ],
)
def test_verdicts_are_joined_as_judgements_are(make: Make, one: Any, other: Any, verdict: str) -> None:
    for documents in ((make({NAME: one}), make({NAME: other})), (make({NAME: other}), make({NAME: one}))):
        assert row(join(*documents))["verdict"] == verdict


def test_what_one_part_left_out_has_the_verdict_of_the_other(make: Make) -> None:
    everything = contracts.load().requirements
    families = sorted({one.family for one in everything.values()})
    half = len(families) // 2
    parts = [[f"{family}.*" for family in some] for some in (families[:half], families[half:])]
    document = join(*(make(selection=patterns) for patterns in parts))
    assert document["outcome"] == "conformant"
    assert document["counts"] == make()["counts"]
    assert document["selection"] == [pattern for patterns in parts for pattern in patterns]
    alone = join(make(selection=parts[0]), make(selection=parts[0]))
    assert alone["outcome"] == "partial"
    assert row(alone, next(name for name in everything if name.startswith(families[-1])))["reason"].startswith("desel")


def test_exchanges_of_one_name_stay_apart(make: Make) -> None:
    document = join(make({NAME: FAIL}, violations=[(NAME, "wrong")], drift=["new"]), make({NAME: FAIL}, drift=["new"]))
    found = row(document)
    assert found["evidence"] == ["1.main-1", "2.main-1"]
    assert found["reason"] == "wrong, in exchange 1.main-1"
    assert [one["exchanges"] for one in found["failures"]] == [["1.main-1"], ["2.main-1"]]
    assert {name: one["id"] for name, one in document["evidence"].items()} == {
        "1.main-1": "1.main-1",
        "2.main-1": "2.main-1",
    }
    assert document["exchanges"]["count"] == 2
    assert document["exchanges"]["by_operation"]["getAuth"]["statuses"] == {"200": 2}
    assert document["drift"] == [{"operation": "getAuth", "member": "new", "exchange": "1.main-1", "count": 2}]


def test_causes_keep_their_requirements(make: Make) -> None:
    document = join(make({NAME: OPEN}), make({"status.getRun.200": OPEN}))
    assert document["causes"] == [
        {"cause_class": "absent", "cause": "no answer", "requirements": [NAME, "status.getRun.200"]}
    ]


def test_an_undecided_part_makes_the_whole_undecided(make: Make) -> None:
    stuck = make({NAME: ("inconclusive", "no end", "deadline")})
    document = join(make(), stuck)
    assert (document["outcome"], document["gate"]["exit_code"]) == ("undecided", 7)
    assert row(document)["cause_class"] == "deadline"
    parts = [("part 1", make()), ("part 2", stuck)]
    assert merged(parts, allow_undecided=1)["gate"]["exit_code"] == 0


def test_an_invalid_part_makes_the_whole_invalid(make: Make) -> None:
    document = join(make(), make(problems=["A worker died"]))
    assert (document["outcome"], document["gate"]["exit_code"]) == ("invalid", 3)
    assert document["problems"] == ["part 2: A worker died"]


def waiver(**changes: Any) -> Waiver:
    members: dict[str, Any] = {"issue": "EVT-1", "reason": "later", "expires": date(2999, 1, 1), "failure": "500"}
    return Waiver(**{"requirement": NAME, "owner": "someone", **members, **changes})


def test_waivers_are_applied_to_all_failures_together(make: Make) -> None:
    waived = [waiver()]
    both = join(make({NAME: FAIL}, waived=waived), make({NAME: FAIL}, waived=waived))
    assert row(both)["verdict"] == "waived"
    assert row(both)["reason"].count("waived until") == 1
    assert len(both["gate"]["waivers"]) == 1
    other = join(make({NAME: FAIL}, waived=waived), make({NAME: ("fail", "answered 404")}, waived=waived))
    assert row(other)["verdict"] == "fail"
    assert other["gate"]["exit_code"] == 1
    selected = join(
        make({NAME: FAIL}, waived=waived, selection=["status.*"]), make(waived=waived, selection=["codes.*"])
    )
    assert row(selected)["verdict"] == "waived"
    assert selected["gate"]["exit_code"] == 0


def test_the_gate_of_the_joined_run_is_asked_anew(make: Make) -> None:
    parts = make(selection=["status.*"]), make(selection=["codes.*"])
    assert join(*parts)["gate"]["exit_code"] == 0
    assert join(*parts, fail_on=("unjudged",))["gate"]["exit_code"] == 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one["suite"].update(version="9.9.9"), "The suite version differs: 0.* and 9.9.9"),
        (lambda one: one["target"].update(base="https://other.example"), "The target differs"),
        (lambda one: one["requirements"].pop(), "The catalogue differs"),
    ],
)
def test_parts_of_different_runs_are_refused(make: Make, change: Callable[[Any], None], said: str) -> None:
    other = make()
    change(other)
    with pytest.raises(UsageError, match=f"part 1 and part 2 are not parts of one run. {said}"):
        merged([("part 1", make()), ("part 2", other)])


def test_a_joined_report_links_where_its_parts_do(make: Make, put: Put, tmp_path: Path) -> None:
    def joined(site: str, *words: str) -> dict[str, Any]:
        stated = {"links": {"pages": "https://docs.example", "site": site}}
        parts = [str(put(name, {**make(), **stated})) for name in ("one", "two")]
        main(["merge", str(tmp_path / "joined"), *parts, *words])
        links: dict[str, Any] = history.load(tmp_path / "joined")["links"]
        return links

    assert joined("https://site.example") == {"pages": "https://docs.example", "site": "https://site.example"}
    # A path was one from the folder of the part.
    assert joined("../nowhere")["site"] != "../nowhere"
    assert joined("../nowhere", "--site-url", "../site", "--pages-url", "https://other.example") == {
        "pages": "https://other.example",
        "site": "../site",
    }


def test_the_command_writes_a_whole_report(
    make: Make, put: Put, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [str(put("one", make())), str(put("two", make({NAME: FAIL})))]
    out = tmp_path / "joined"
    assert main(["merge", str(out), *parts]) == 1
    assert "nonconformant: 1 documented requirement failed" in capsys.readouterr().out
    assert {file.name for file in out.iterdir()} >= {"results.json", "report.html", "summary.md", "junit.xml"}
    assert history.load(out)["outcome"] == "nonconformant"
    assert main(["merge", str(out), parts[0]]) == 4
    assert "at least two" in capsys.readouterr().err
    (tmp_path / "two" / "results.json").write_bytes(b"{")
    assert main(["merge", str(out), *parts]) == 4
    assert main(["merge", str(tmp_path / "one" / "results.json"), parts[0], parts[0]]) == 4
