"""Failures of one origin are told once; what helps is said for its own reason; lines run as they are printed."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from meshi_conformance.contract.contract import load
from meshi_conformance.report.document import results
from meshi_conformance.report.document.advice import advice, lacking
from meshi_conformance.report.document.origins import groups, not_the_api
from meshi_conformance.report.files import summary
from meshi_conformance.report.files.terminal import write
from meshi_conformance.report.page.html import parts as page
from meshi_conformance.target.target import Preflight, Target
from meshi_conformance.verdicts.verdicts import Judgement
from meshi_conformance.vocabulary import CauseClass, Verdict

BASE = "https://api.example.com/api/v0/partner"
NGINX = "500 text/html from nginx/1.22.1"


def exchange(number: int, operation: str, *violations: tuple[str, str], **members: Any) -> dict[str, Any]:
    """A recorded exchange as an event of the spool."""
    return {
        "type": "exchange",
        "id": f"main-{number}",
        "operation": operation,
        "test": "tests/test_x.py::test_x",
        "method": "GET",
        "path": f"/{operation}/{number}",
        "other_base": None,
        "key": "main",
        "scheme": "Bearer ",
        "request_headers": {},
        "request_body": None,
        "request_body_encoding": None,
        "request_bytes": 0,
        "body_encoding": None,
        "page": None,
        "status": 500,
        "started": float(number),
        "elapsed": 0.01,
        "violations": list(violations),
        "drift": [],
        "not_the_api": None,
        "headers": [],
        "body": "",
        "body_bytes": 0,
        "correlation_id": None,
        "curl": f'curl -sS -i "$MESHI_BASE/{operation}/{number}"',
        **members,
    }


def built(judgements: list[Judgement], events: list[dict[str, Any]], target: Target | None = None, **how: Any) -> Any:
    """A document from judgements and events."""
    target = target or Target("eu", BASE, {"main": "k" * 20})
    document = results.build(load(), target, Preflight("org", ()), judgements, [], events, [], started=1.0, **how)
    document["gate"]["exit_code"] = 1
    return document


class Lines:
    """Takes what a terminal reporter is given."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write_line(self, line: str, **_: bool) -> None:
        self.lines.append(line)

    def write_sep(self, *_: Any, **__: bool) -> None:
        pass


def forms(document: dict[str, Any], tmp_path: Any) -> dict[str, str]:
    """The document as terminal, summary and page."""
    reporter = Lines()
    write(reporter, document, tmp_path)
    return {
        "terminal": "\n".join(reporter.lines),
        "summary": "".join(summary.parts(document, ())),
        "page": "".join(page(document, ())),
    }


HTML = [
    exchange(
        number,
        operation,
        (f"json.{operation}", "the body is not JSON"),
        (f"content_type.{operation}", "Content-Type is text/html"),
        not_the_api=NGINX,
    )
    for number, operation in enumerate(("getRun", "listRuns", "getEvent"), 1)
]


def test_a_page_in_the_apis_place_is_one_cause_with_its_count(tmp_path: Any) -> None:
    document = built([], HTML)
    assert document["not_the_api"] == [
        {
            "answer": NGINX,
            "exchanges": 3,
            "first": "main-1",
            "operations": ["getRun", "listRuns", "getEvent"],
            "advice": "Look at what answers there: a framework's own page, or something in front of the API.",
        }
    ]
    failed = [row for row in document["requirements"] if row["verdict"] == "fail"]
    assert len(failed) == 6
    (group,) = groups(document, failed)
    assert group["cause"] == f"{NGINX}, 3 exchanges"
    for form, text in forms(document, tmp_path).items():
        # Three that are documented and three that are implied: the two levels are never mixed.
        assert text.count("3 requirements for one reason:") == 2, form
        assert "500 text/html from nginx/1.22.1, 3 exchanges" in text.replace("</b>", ""), form


def test_equal_violations_of_one_family_are_one_cause_and_others_are_not() -> None:
    missing = "no x-correlation-id header"
    document = built(
        [Judgement(f"status.{one}.200", "t", Verdict.FAIL, "assert 1 == 2") for one in ("getRun", "listRuns")],
        [
            exchange(1, "getRun", ("correlation.getRun", missing)),
            exchange(2, "listRuns", ("correlation.listRuns", missing), ("envelope.listRuns", "`code` is missing")),
        ],
    )
    failed = [row for row in document["requirements"] if row["verdict"] == "fail"]
    found = [(group["cause"], sorted(row["id"] for row in group["rows"])) for group in groups(document, failed)]
    assert (missing, ["correlation.getRun", "correlation.listRuns"]) in found
    assert ("", ["envelope.listRuns"]) in found
    assert ("", ["status.getRun.200"]) in found
    assert ("", ["status.listRuns.200"]) in found


@pytest.mark.parametrize("answer", ["429 text/html from nginx", "503 text/html"])
def test_a_gateway_that_limits_points_to_the_rate(answer: str) -> None:
    (row,) = not_the_api([exchange(1, "getRun", not_the_api=answer)])
    assert "--rate" in row["advice"]


def test_the_summary_shows_the_exchange_that_failed(tmp_path: Any) -> None:
    judgement = Judgement(
        "status.getRun.200",
        "t",
        Verdict.FAIL,
        "no",
        exchanges=tuple(f"main-{n}" for n in range(1, 9)),
        exchange="main-3",
    )
    document = built([judgement], [exchange(number, "getRun") for number in range(1, 9)])
    row = next(one for one in document["requirements"] if one["id"] == "status.getRun.200")
    assert row["evidence"] == ["main-3", "main-6", "main-7", "main-8"]
    assert row["failures"][0]["exchange"] == "main-3"
    text = forms(document, tmp_path)["summary"]
    assert "GET /getRun/3" in text
    assert '"$MESHI_BASE/getRun/3"' in text
    assert "/getRun/8" not in text


def test_a_request_without_an_answer_is_shown_with_its_cause(tmp_path: Any) -> None:
    cause = "transport: getRun: ReadError"
    kept = {"type": "unanswered", "at": 1, "id": "main-1", "operation": "getRun", "method": "GET", "path": "/runs/x"}
    kept |= {"curl": 'curl "$MESHI_BASE/runs/x"', "cause": cause, "attempts": 4}
    held = Judgement("status.getRun.200", "t", Verdict.INCONCLUSIVE, "no answer", cause, CauseClass.TRANSPORT)
    trouble = {"type": "trouble", "at": 1, "what": "getRun: ReadError", "test": "a"}
    document = built([held], [trouble, *({**kept, "test": test} for test in "aba")])
    (row,) = document["unanswered"]
    assert (row["requests"], row["tests"]) == (3, ["a", "b"])
    for form, text in forms(document, tmp_path).items():
        assert "/runs/x" in text, form


def test_the_rerun_line_is_the_command_that_was_used_with_its_targets_file() -> None:
    target = Target("eu", BASE, {"main": "k" * 20})
    document = built([], [], target, command=("meshi-conformance", "run"), targets_file="my targets.toml")
    assert shlex.split(document["rerun"]) == [
        *("meshi-conformance", "run", "--targets-file", "my targets.toml", "--target", "eu", "--requirements")
    ]
    assert built([], [])["rerun"].startswith("pytest --target eu")


def test_the_variables_of_curl_lines_are_defined() -> None:
    plain = Target("eu", BASE, {"main": "k", "read": "r"})
    assert built([], [], plain)["shell"] == [f"export MESHI_BASE={BASE}"]
    named = replace(plain, variables={"main": "EU_KEY", "read": "MESHI_READ_KEY"})
    assert built([], [], named)["shell"][1:] == ['export MESHI_KEY="$EU_KEY"']
    reference = replace(plain, name="reference")
    assert built([], [], reference, command=("meshi-conformance", "run"))["shell"][0].startswith(
        "meshi-conformance serve"
    )


def test_failures_are_followed_by_what_curl_needs(tmp_path: Any) -> None:
    found = forms(built([], HTML), tmp_path)
    assert all(f"export MESHI_BASE={BASE}" in text for text in found.values())
    assert "export MESHI_BASE" not in forms(built([], []), tmp_path)["terminal"]


def of(target: Target, requirement: str, **how: Any) -> list[str]:
    """The advice of a requirement that was not run."""
    document = built([], [], target, **how)
    row = next(one for one in document["requirements"] if one["id"] == requirement)
    reason = next((target.lacks(need) for need in row["needs"] if target.lacks(need)), row["reason"])
    return list(advice(document, [{**row, "reason": row["reason"] if how else reason}]))


ADVISED: dict[str, tuple[Callable[[Target], Target], str, dict[str, Any], str]] = {
    "a key that is not set": (
        lambda one: replace(one, variables={"main": "A", "other": "EU_OTHER"}),
        "isolation.getEvent",
        {},
        "Put a key of another org into EU_OTHER.",
    ),
    "what the targets file declares": (
        lambda one: replace(one, cannot={"other": "One org only."}),
        "isolation.getEvent",
        {},
        "The targets file says that this target cannot offer it.",
    ),
    "deselected, though a key is missing too": (
        lambda one: one,
        "isolation.getEvent",
        {"selection": ["auth.getAuth"]},
        "Run without that selection, or with one that holds them too.",
    ),
    "deselected, and the base ends as it should": (
        lambda one: one,
        "platform.legacy_alias.correlation",
        {"selection": ["auth.getAuth"]},
        "Run without that selection, or with one that holds them too.",
    ),
    "another base": (
        lambda one: replace(one, base="https://api.example.com/x"),
        "platform.legacy_alias.correlation",
        {},
        "Give a base URL that ends with /api/v0/partner: the old alias is derived from it.",
    ),
}


@pytest.mark.parametrize("case", ADVISED)
def test_what_helps_fits_the_reason(case: str) -> None:
    make, requirement, how, said = ADVISED[case]
    assert of(make(Target("eu", BASE, {"main": "k" * 20})), requirement, **how) == [said]


def test_reads_alone_advise_writes() -> None:
    target = Target("eu", BASE, {"main": "k"}, read_only=True, read_only_reason="it needs writes, and eu is read only")
    row = {"reason": target.read_only_reason, "needs": []}
    assert list(advice({"lacking": lacking(target), "target": {"name": "eu"}}, [row])) == [
        "Allow writes: run without --read-only, on a protected target with --allow-writes eu."
    ]
