"""Every file of a report: its form, what it says, and that nothing a server sent gets out of its place."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest

from meshi_conformance import report
from meshi_conformance.contract import contract as contracts
from meshi_conformance.exchanges.exchange import STORED_BODY_BYTES
from meshi_conformance.report.document import results
from meshi_conformance.report.files import badge, har, junit, summary
from meshi_conformance.report.page import html
from meshi_conformance.report.text import pretty, visible

from .samples import BASE, HOSTILE, KEY, forms, hostile_run, plain_run

SCHEMA = json.loads((Path(results.__file__).parent / "results.schema.json").read_text())
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)
"""Compiled: the other validator takes seconds for one document."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("hostile")
    return folder, hostile_run(folder)


@pytest.fixture(scope="module")
def invalid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("invalid")
    return folder, hostile_run(folder, ("The suite erred:", "A worker died:"))


def test_all_files_are_written(run: tuple[Path, dict[str, Any]]) -> None:
    written = {file.name for file in run[0].iterdir() if file.is_file()}
    assert written == {"results.json", *report.FILES}


def test_the_document_fits_its_published_schema(run: tuple[Path, dict[str, Any]]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    written = json.loads((run[0] / "results.json").read_text())
    VALIDATOR.validate(written)
    assert written == run[1]


def test_the_schema_names_every_member_of_the_document(run: tuple[Path, dict[str, Any]]) -> None:
    # What others add to the document must be described before it is published.
    assert set(run[1]) <= set(SCHEMA["properties"])
    assert set(run[1]["requirements"][0]) <= set(SCHEMA["$defs"]["requirement"]["properties"])


def test_the_document_of_a_run_that_could_not_start_fits_the_schema(tmp_path: Path) -> None:
    document = results.invalid(contracts.load(), "The target could not be reached.", time.time())
    VALIDATOR.validate(document)
    assert report.write_all(tmp_path, document, ()) == []
    assert "could not be reached" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    "change", [{"outcome": "fine"}, {"schema_version": "1.0"}, {"requirements": [{}]}, {"counts": {}}]
)
def test_the_schema_refuses_another_form(run: tuple[Path, dict[str, Any]], change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        VALIDATOR.validate({**run[1], **change})


def test_no_file_holds_a_key_in_any_form(run: tuple[Path, dict[str, Any]]) -> None:
    for file in filter(Path.is_file, run[0].rglob("*")):
        data = file.read_bytes()
        for form in [*forms(KEY), *forms(KEY[::-1])]:
            assert form not in data, f"{file.name} holds {form!r}"
    assert "$MESHI_KEY" in (run[0] / "report.html").read_text()


@pytest.mark.parametrize("name", sorted({"results.json", *report.FILES}))
def test_no_file_holds_a_control_or_direction_character(run: tuple[Path, dict[str, Any]], name: str) -> None:
    text = (run[0] / name).read_text(encoding="utf-8")
    assert not re.findall("[^\\n\\t -\\U0010ffff]|[\\x7f-\\x9f\u202a-\u202e\u2028\u2066-\u2069\ufffe]", text)


def test_a_file_that_cannot_be_written_costs_no_other(
    run: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(document: dict[str, Any], events: Any) -> Any:
        yield "half a "
        raise RuntimeError("no more")

    monkeypatch.setattr(junit, "parts", break_down)
    assert report.write_all(tmp_path, run[1], ()) == ["junit.xml: RuntimeError: no more"]
    assert {file.name for file in tmp_path.iterdir()} == {"results.json", *report.FILES} - {"junit.xml"}


# summary.md


def outside_code(markdown: str) -> str:
    """Markdown without its code spans, as CommonMark pairs backticks."""
    return re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", markdown)


def test_the_summary_keeps_what_a_server_sent_in_code_spans(run: tuple[Path, dict[str, Any]]) -> None:
    markdown = (run[0] / "summary.md").read_text()
    assert "window.hacked" in markdown
    rest = outside_code(markdown)
    assert not re.search(r"[<\[@`]|hacked|javascript", rest), rest


def test_the_summary_fits_into_a_comment(run: tuple[Path, dict[str, Any]]) -> None:
    assert len((run[0] / "summary.md").read_text()) < 65_536


def test_the_summary_says_outcome_counts_failures_and_causes(run: tuple[Path, dict[str, Any]]) -> None:
    markdown = (run[0] / "summary.md").read_text()
    assert "conformance: nonconformant" in markdown
    failed = next(row for row in run[1]["requirements"] if row["verdict"] == "fail" and row["level"] == "documented")
    assert failed["id"] in markdown
    assert f"pytest --target staging --requirements {failed['id']}" in markdown
    for title in ("### Failures", "### Deviations", "### Not judged"):
        assert title in markdown


@pytest.mark.parametrize("text", ["a", "`", "``", "`a` ```b", " ", "", "a\nb", "|x|"])
def test_a_code_span_cannot_be_ended_from_inside(text: str) -> None:
    assert outside_code(f"{summary.code(text)}.") == "."


# junit.xml


def cases(document: dict[str, Any]) -> dict[str, ElementTree.Element]:
    tree = ElementTree.fromstring("".join(junit.parts(document, ())))
    for suite in tree:
        for count, tag in (("tests", "testcase"), ("failures", "testcase/failure"), ("skipped", "testcase/skipped")):
            assert int(suite.attrib[count]) == len(suite.findall(tag)), (suite.attrib["name"], count)
    return {case.attrib["name"]: case for case in tree.iter("testcase")}


def test_junit_has_a_case_for_each_requirement_with_its_properties(run: tuple[Path, dict[str, Any]]) -> None:
    found = cases(run[1])
    for row in run[1]["requirements"]:
        properties = {one.attrib["name"]: one.attrib["value"] for one in found[row["id"]].iter("property")}
        assert properties["level"] == row["level"]
        assert properties["source"] == f"{row['source']['page']}, {row['source']['section']}"
        assert properties["operations"] == ", ".join(row["operations"])


def kind(case: ElementTree.Element) -> str:
    return next((one.tag for one in case if one.tag != "properties"), "passed")


@pytest.mark.parametrize(
    ("fail_on", "expected"),
    [
        ([], ("failure", "error", "skipped", "skipped", "system-out", "skipped")),
        (["deviations"], ("failure", "error", "skipped", "skipped", "failure", "skipped")),
        (["unjudged"], ("failure", "failure", "failure", "failure", "system-out", "skipped")),
    ],
    ids=["plain", "deviations", "unjudged"],
)
def test_junit_fails_what_the_gate_fails(
    run: tuple[Path, dict[str, Any]], fail_on: list[str], expected: tuple[str, ...]
) -> None:
    document = {**run[1], "gate": {**run[1]["gate"], "fail_on": fail_on}}
    found = cases(document)
    seen = {
        (row["level"], row["verdict"], row["cause_class"]): kind(found[row["id"]]) for row in document["requirements"]
    }
    order = [
        ("documented", "fail", None),
        ("documented", "inconclusive", "deadline"),
        ("documented", "inconclusive", "absent"),
        ("documented", "not_run", None),
        ("implied", "fail", None),
        ("implied", "not_run", None),
    ]
    assert tuple(seen[one] for one in order) == expected
    assert seen["documented", "pass", None] == "passed"
    assert seen["implied", "inconclusive", "deadline"] == "skipped"


def test_junit_skips_what_may_stay_undecided(run: tuple[Path, dict[str, Any]]) -> None:
    document = {**run[1], "gate": {**run[1]["gate"], "allow_undecided": 10_000}}
    open_ones = [row["id"] for row in document["requirements"] if row["verdict"] == "inconclusive"]
    found = cases(document)
    assert {kind(found[name]) for name in open_ones} == {"skipped"}


def test_an_invalid_run_is_an_error_in_junit(
    run: tuple[Path, dict[str, Any]], invalid: tuple[Path, dict[str, Any]]
) -> None:
    assert kind(cases(run[1])["the run is valid"]) == "passed"
    assert kind(cases(invalid[1])["the run is valid"]) == "error"


# exchanges.har


def test_the_archive_holds_every_exchange(run: tuple[Path, dict[str, Any]]) -> None:
    log = json.loads((run[0] / "exchanges.har").read_text())["log"]
    assert log["version"] == "1.2"
    assert len(log["entries"]) == run[1]["exchanges"]["count"]
    for entry in log["entries"]:
        assert entry["request"]["url"].startswith(BASE)
        assert {"name": "Authorization", "value": "Bearer $MESHI_KEY"} in entry["request"]["headers"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", entry["startedDateTime"])
        assert entry["time"] == entry["timings"]["wait"]


def test_the_archive_says_where_a_body_was_cut(run: tuple[Path, dict[str, Any]]) -> None:
    one = next(iter(run[1]["evidence"].values()))
    long = {"type": "exchange", **one, "body": "x" * STORED_BODY_BYTES, "body_bytes": 70_000}
    entries = json.loads("".join(har.parts(run[1], [{"type": "exchange", **one}, long])))["log"]["entries"]
    assert "comment" not in entries[0]
    assert "response's body was cut" in entries[1]["comment"]
    assert "70000 bytes" in entries[1]["comment"]


def test_an_archive_without_exchanges_is_still_one(run: tuple[Path, dict[str, Any]]) -> None:
    assert json.loads("".join(har.parts(run[1], ())))["log"]["entries"] == []


# badge.svg


@pytest.mark.parametrize("outcome", ["conformant", "partial", "nonconformant", "invalid"])
def test_the_badge_says_the_outcome(run: tuple[Path, dict[str, Any]], outcome: str) -> None:
    drawing = ElementTree.fromstring("".join(badge.parts({**run[1], "outcome": outcome}, ())))
    assert outcome in drawing.attrib["aria-label"]


# report.html


class Page(HTMLParser):
    """The elements of a page with their attributes, and the texts of its script and style."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inline: dict[str, list[str]] = {"script": [], "style": []}
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in self.inline:
            self.inline[self._within].append(data)


@pytest.fixture(scope="module")
def page(run: tuple[Path, dict[str, Any]]) -> Page:
    return Page((run[0] / "report.html").read_text())


def test_the_page_loads_nothing(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in {"img", "iframe", "link", "object", "embed", "base", "audio", "video", "source", "use"}
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "srcset", "style", "action")
        ]
        assert (attributes.get("href") or "#").startswith("#")


def test_the_policy_allows_the_pages_own_script_and_style_alone(page: Page) -> None:
    policy = next(
        attributes["content"] or ""
        for tag, attributes in page.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = {name: values for name, *values in (rule.split() for rule in policy.split(";"))}
    assert rules["default-src"] == ["'none'"]
    for tag in ("script", "style"):
        (text,) = page.inline[tag]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == [f"'sha256-{digest}'"]
    assert "unsafe" not in policy


def test_ids_on_the_page_are_unique_and_links_lead_somewhere(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {(attributes["href"] or "")[1:] for tag, attributes in page.elements if tag == "a"}
    assert links <= set(ids)


def test_the_page_is_built_for_screen_readers(page: Page) -> None:
    tags = [tag for tag, _ in page.elements]
    assert {"header", "main", "nav", "footer"} <= set(tags)
    assert tags.count("h1") == tags.count("main") == 1
    for tag, attributes in page.elements:
        if tag == "th":
            assert attributes.get("scope") in ("row", "col")
        if tag == "button":
            assert attributes.get("type") == "button"
        if tag == "svg" and "role" not in attributes:
            assert attributes.get("aria-hidden") == "true" or "overflow" in attributes


def test_a_failure_shows_all_that_is_needed_to_act(run: tuple[Path, dict[str, Any]]) -> None:
    text = (run[0] / "report.html").read_text()
    failed = next(row for row in run[1]["requirements"] if row["verdict"] == "fail" and row["level"] == "documented")
    start = text.index(f'id="fail-{failed["id"]}"')
    card = text[start : text.index("Link to this failure", start)]
    for part in ("Expected", "Got", failed["source"]["page"], "curl -sS", "correlation ID", "pytest --target staging"):
        assert part in card


def test_an_invalid_run_says_why_on_the_page(invalid: tuple[Path, dict[str, Any]]) -> None:
    text = (invalid[0] / "report.html").read_text()
    assert "Invalid" in text
    assert "A worker died:" in text


# Twenty thousand exchanges


def test_twenty_thousand_exchanges_are_written_quickly_and_small(tmp_path: Path) -> None:
    document, events = plain_run(tmp_path, 20_000)
    started = time.process_time()  # of this process alone: others may be busy on the machine
    assert report.write_all(tmp_path, document, events) == []
    assert time.process_time() - started < 5
    assert (tmp_path / "report.html").stat().st_size < 8_000_000
    assert len(document["requirements"]) > 500


def test_the_page_stays_small_when_everything_fails_at_length(tmp_path: Path) -> None:
    document, _ = plain_run(tmp_path, 2_000)
    for row in document["requirements"]:
        row.update(verdict="fail", reason=(HOSTILE * 20)[:2000])
    assert sum(len(part.encode("utf-8", "replace")) for part in html.parts(document, ())) < 8_000_000


# Text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ✓ é\n\t", "plain ✓ é\n\t"),
        ("\x1b[0m", "\\x1b[0m"),
        ("a\u202eb", "a\\u202eb"),
        ("\ud800", "\\ud800"),
        ("\r", "\\x0d"),
    ],
)
def test_invisible_characters_are_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_body_is_indented_only_where_that_changes_nothing() -> None:
    assert pretty('{"a":[1,2]}', 1000) == '{\n  "a": [\n    1,\n    2\n  ]\n}'
    for odd in ('{"a":1,"a":2}', "{", "[" * 5000, "<html>"):
        assert pretty(odd, 1000) == odd
