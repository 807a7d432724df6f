"""A waiver covers the failure it expects, for as long as it may, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from meshi_conformance.errors import UsageError
from meshi_conformance.verdicts import gate, waivers
from meshi_conformance.verdicts.waivers import Waiver
from meshi_conformance.vocabulary import CauseClass

Make = Callable[..., dict[str, Any]]
NAME = "error.createEvent.INVALID_TIMEZONE"
TODAY = datetime.now(UTC).date()
FAILS = {NAME: ("fail", "answered (201, None)\nassert (201, None) == (400, 'INVALID_TIMEZONE')")}


def waiver(**changes: Any) -> Waiver:
    members: dict[str, Any] = {
        "requirement": NAME,
        "owner": "events team",
        "issue": "https://issues.example.com/EVT-1",
        "reason": "checked from release 41 on",
        "expires": TODAY + timedelta(days=1),
        "failure": "answered (201",
    }
    return Waiver(**{**members, **changes})


def row(document: dict[str, Any], name: str = NAME) -> dict[str, Any]:
    return next(one for one in document["requirements"] if one["id"] == name)


def test_an_expected_failure_is_waived_and_says_why(make: Make) -> None:
    document = make(FAILS, waived=[waiver()])
    assert document["outcome"] == "conformant"
    assert document["counts"]["documented"]["waived"] == 1
    found = row(document)
    assert found["verdict"] == "waived"
    for part in ("events team", "EVT-1", "release 41", "answered (201", str(TODAY + timedelta(days=1))):
        assert part in found["reason"]
    assert found["failures"], "the failure itself stays in the report"
    assert found["evidence"], "and so does its evidence"
    assert document["gate"]["waivers"][0]["state"] == "applied"
    assert gate.decide(document, gate.FAIL_ON).exit_code == 0


def test_a_pattern_is_searched_in_the_failure(make: Make) -> None:
    assert row(make(FAILS, waived=[waiver(failure=None, failure_pattern=r"answered \(20\d")]))["verdict"] == "waived"
    assert row(make(FAILS, waived=[waiver(failure=None, failure_pattern=r"^assert")]))["verdict"] == "fail"


def test_the_last_day_still_counts(make: Make) -> None:
    assert row(make(FAILS, waived=[waiver(expires=TODAY)]))["verdict"] == "waived"
    assert row(make(FAILS, waived=[waiver(expires=TODAY - timedelta(days=1))]))["verdict"] == "fail"


@pytest.mark.parametrize(
    ("verdicts", "changes", "said", "verdict"),
    [
        (FAILS, {"expires": date(2020, 1, 1)}, "it expired on 2020-01-01", "fail"),
        ({}, {}, "its requirement passes", "pass"),
        (FAILS, {"failure": "answered (500"}, "its requirement fails differently: answered (201, None)", "fail"),
        (
            {NAME: ("inconclusive", "set-up failed: answered (201")},
            {},
            "its requirement is inconclusive",
            "inconclusive",
        ),
        ({NAME: ("not_run", "MESHI_OTHER_KEY is not set")}, {}, "was not run, which no waiver covers", "not_run"),
        ({NAME: None}, {}, "was not run, which no waiver covers: no test of it ran", "not_run"),
    ],
)
def test_a_waiver_that_covers_nothing_fails_the_gate_and_changes_no_verdict(
    make: Make, verdicts: dict[str, Any], changes: dict[str, Any], said: str, verdict: str
) -> None:
    document = make(verdicts, waived=[waiver(**changes)])
    assert row(document)["verdict"] == verdict
    (told,) = gate.waiver_problems(document["gate"]["waivers"])
    assert said in told
    assert gate.decide(document).exit_code == (1 if verdict == "fail" else 6)


def test_an_unknown_requirement_fails_the_gate_on_every_target(make: Make) -> None:
    document = make(waived=[waiver(requirement="error.createEvent.NO_SUCH", target="production")])
    assert "no requirement has this ID" in gate.decide(document).reasons[0]
    assert gate.decide(document).exit_code == 6


def test_every_failure_of_a_requirement_must_be_expected(make: Make) -> None:
    also = [(NAME, "the code is missing")]
    document = make(FAILS, waived=[waiver()], violations=also)
    assert row(document)["verdict"] == "fail"
    assert "also fails differently: the code is missing" in document["gate"]["waivers"][0]["note"]
    both = [waiver(), waiver(failure="the code is missing", issue="EVT-2")]
    assert row(make(FAILS, waived=both, violations=also))["verdict"] == "waived"


def test_a_waiver_beside_one_that_covers_is_told_apart(make: Make) -> None:
    document = make(FAILS, waived=[waiver(), waiver(failure="something else")])
    assert row(document)["verdict"] == "waived"
    assert [one["state"] for one in document["gate"]["waivers"]] == ["applied", "problem"]
    assert gate.decide(document).exit_code == 6


@pytest.mark.parametrize("target", ["staging", "https://partner.example/api/v0/partner", None])
def test_a_waiver_holds_on_its_target(make: Make, target: str | None) -> None:
    assert row(make(FAILS, waived=[waiver(target=target)]))["verdict"] == "waived"


def test_a_waiver_for_another_target_is_left_aside(make: Make) -> None:
    document = make(FAILS, waived=[waiver(target="production")])
    assert row(document)["verdict"] == "fail"
    assert document["gate"]["waivers"][0]["state"] == "aside"
    assert gate.decide(make(waived=[waiver(target="production", expires=date(2020, 1, 1))])).exit_code == 0


def test_a_selection_that_leaves_a_requirement_out_is_not_held_against_its_waiver(make: Make) -> None:
    document = make(waived=[waiver()], selection=["status.*"])
    assert document["gate"]["waivers"][0]["state"] == "aside"
    assert gate.decide(document).exit_code == 0


STUCK = {NAME: ("inconclusive", "an import run did not end in time", "deadline")}
BY_CAUSE = {"requirement": None, "failure": None, "cause": "did not end"}


@pytest.mark.parametrize(
    ("changes", "state", "note"),
    [
        ({}, "applied", ""),
        ({"cause_class": CauseClass.DEADLINE}, "applied", ""),
        ({"cause": None, "cause_class": CauseClass.DEADLINE}, "applied", ""),
        ({"cause_class": CauseClass.SETUP}, "problem", "keeps no requirement from being judged"),
        ({"cause": "something else"}, "problem", "keeps no requirement from being judged"),
        ({"expires": date(2020, 1, 1)}, "problem", "it expired on 2020-01-01"),
        ({"target": "production"}, "aside", "it is for the target production"),
    ],
)
def test_a_waiver_by_cause_names_what_it_covers(make: Make, changes: dict[str, Any], state: str, note: str) -> None:
    document = make(STUCK, waived=[waiver(**{**BY_CAUSE, **changes})])
    (found,) = document["gate"]["waivers"]
    assert found["state"] == state
    assert note in found["note"]
    assert found["covers"] == ([NAME] if state == "applied" else [])
    assert row(document)["verdict"] == "inconclusive"
    assert gate.decide(document).exit_code == (0 if state == "applied" else 7)


def test_a_waiver_by_cause_covers_nothing_that_is_legally_absent(make: Make) -> None:
    document = make({NAME: ("inconclusive", "it did not end", "absent")}, waived=[waiver(**BY_CAUSE)])
    assert document["gate"]["waivers"][0]["state"] == "problem"


def test_a_part_of_the_suite_may_not_meet_a_waived_cause(make: Make) -> None:
    document = make(waived=[waiver(**BY_CAUSE)], selection=["status.*"])
    assert document["gate"]["waivers"][0]["state"] == "aside"


FILE = """
[[waiver]]
requirement = "error.createEvent.INVALID_TIMEZONE"
failure = "201"
target = "staging"
owner = "events team"
issue = "https://issues.example.com/EVT-123"
reason = "checked from release 41 on"
expires = 2027-01-31
"""


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "waivers.toml"
    file.write_text(FILE)
    (found,) = waivers.load(file)
    assert (found.expires, found.failure, found.target) == (date(2027, 1, 31), "201", "staging")
    file.write_text(FILE.replace("2027-01-31", '"2027-01-31"'))
    assert waivers.load(file) == [found]
    assert Waiver.from_data(found.as_data()) == found
    by_cause = FILE.replace('failure = "201"', 'cause = "did not end"')
    by_cause = by_cause.replace('requirement = "error.createEvent.INVALID_TIMEZONE"', 'cause_class = "deadline"')
    file.write_text(by_cause)
    (found,) = waivers.load(file)
    assert (found.requirement, found.cause, found.cause_class) == (None, "did not end", CauseClass.DEADLINE)
    assert Waiver.from_data(found.as_data()) == found
    file.write_text("")
    assert waivers.load(file) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[waiver]", "not valid TOML"),
        ("[[waivers]]\nrequirement = 'x'", r"something else than \[\[waiver\]\]"),
        ("waiver = 3", r"something else than \[\[waiver\]\]"),
        (FILE.replace("owner", "owners"), "owner is missing.*owners is not a member"),
        (FILE.replace('owner = "events team"', "owner = 7"), "owner is not a text"),
        (FILE.replace('owner = "events team"', 'owner = " "'), "owner is not a text"),
        (FILE.replace("expires = 2027-01-31", ""), "expires is missing"),
        (FILE.replace("2027-01-31", "2027-01-31T10:00:00Z"), "expires is not a date"),
        (FILE.replace("2027-01-31", '"soon"'), "expires is not a date"),
        (FILE.replace('failure = "201"', ""), "exactly one of failure and failure_pattern"),
        (FILE + 'failure_pattern = "20."', "exactly one of failure and failure_pattern"),
        (FILE + 'cause = "late"', "either a requirement or a cause"),
        (FILE.replace('requirement = "error', 'target = "error'), "not valid TOML"),
        (FILE.replace('failure = "201"', 'cause = "late"'), "either a requirement or a cause"),
        (
            FILE.replace('requirement = "error.createEvent.INVALID_TIMEZONE"', 'cause_class = "absent"'),
            "failure and failure_pattern belong to a requirement.*cause_class is not one of credentials, deadline",
        ),
        (FILE.replace('failure = "201"', 'failure_pattern = "(20"'), "not a regular expression"),
        (FILE + FILE.replace("reason", "because"), "waiver 2: reason is missing"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_why(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "waivers.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        waivers.load(file)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        waivers.load(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not valid TOML"):
        waivers.load(tmp_path / "bytes.toml")
