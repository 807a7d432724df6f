"""Many runs on one page that works offline, against hostile names too."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from meshi_conformance.__main__ import main
from meshi_conformance.report.runs import trends

from ..browser import look_at

Make = Callable[..., dict[str, Any]]
Put = Callable[[str, dict[str, Any]], Path]


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def nights(make: Make, put: Put, tmp_path: Path) -> Path:
    """Three nights, given in another order than they ran, and a file that was cut short."""
    verdicts: list[dict[str, Any]] = [
        {},
        {"status.getAuth.200": ("fail", "answered 500"), "codes.getAuth": ("fail", "odd")},
        {"status.getAuth.200": ("inconclusive", "no answer")},
    ]
    for number, changed in zip((3, 1, 2), verdicts, strict=True):
        document = make(changed, latency={"getAuth": [0.01 * number]})
        document["started_at"] = f"2031-03-1{number}T03:00:00Z"
        put(f"nights/{'abc'[number - 1]}", document)
    (tmp_path / "nights" / "d").mkdir()
    (tmp_path / "nights" / "d" / "results.json").write_text('{"schema_version": "1')
    return tmp_path / "nights"


def test_the_page_shows_each_night_and_names_what_was_left_out(
    nights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trend", str(nights)]) == 0
    said = capsys.readouterr()
    rows = [line.split()[0:3:2] for line in said.out.splitlines() if line.startswith("2031")]
    assert rows == [["2031-03-11", "nonconformant"], ["2031-03-12", "partial"], ["2031-03-13", "conformant"]]
    assert "cut short" in said.err
    page = Page((nights / "trend.html").read_text(encoding="utf-8"))
    assert "cut short" in page.text
    assert "2031-03-11: 1 fail" in page.text.replace("T03:00:00Z", "")
    assert [
        attributes["class"] for tag, attributes in page.elements if tag == "rect" and attributes.get("y") == "0"
    ] == [
        "nonconformant",
        "partial",
        "conformant",
    ]
    assert sum(1 for tag, _ in page.elements if tag == "polyline") == 1


def test_the_page_loads_and_runs_nothing(nights: Path) -> None:
    main(["trend", str(nights)])
    text = (nights / "trend.html").read_text(encoding="utf-8")
    page = Page(text)
    policy = next(found["content"] for tag, found in page.elements if found.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert not {"script", "img", "link", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert not [
        name for _, attributes in page.elements for name in attributes if name.startswith("on") or name == "style"
    ]
    assert not re.search(r"src=|href=\"[^\"]*:", text)


def test_charts_are_named_for_who_cannot_see_them(nights: Path) -> None:
    main(["trend", str(nights)])
    page = Page((nights / "trend.html").read_text(encoding="utf-8"))
    charts = [found for tag, found in page.elements if tag == "svg"]
    assert all(found.get("aria-label") or found.get("aria-hidden") for found in charts)
    assert any("in the last one: 0 fail" in str(found.get("aria-label")) for found in charts)
    assert [found for _, found in page.elements if found.get("role") == "region" and found.get("tabindex") == "0"]


def test_a_hostile_target_stays_text(make: Make, put: Put, tmp_path: Path) -> None:
    put("nights/a", make(base="https://x.example/</h2><script>hacked()</script>\x1b[31m"))
    assert main(["trend", str(tmp_path / "nights")]) == 0
    page = Page((tmp_path / "nights" / "trend.html").read_text(encoding="utf-8"))
    assert "script" not in {tag for tag, _ in page.elements}
    assert "<script>hacked()</script>\\x1b[31m" in page.text


def test_a_folder_without_a_result_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trend", str(tmp_path)]) == 4
    assert "holds no results.json that can be read" in capsys.readouterr().err
    (tmp_path / "results.json").write_text("[]")
    assert main(["trend", str(tmp_path)]) == 4
    assert "not a JSON object" in capsys.readouterr().err
    assert main(["trend", str(tmp_path / "nothing")]) == 4


@pytest.fixture
def with_reports(nights: Path, make: Make, put: Put) -> Path:
    """The nights, one of them with a report, and a night that was invalid from its beginning."""
    document = make(problems=["the target could not be reached"], selection=["status.getAuth.200"])
    document["started_at"] = "2031-03-14T03:00:00Z"
    put("nights/e", document)
    (nights / "b" / "report.html").write_text("the report", encoding="utf-8")
    return nights


def test_an_invalid_night_leaves_the_scale_alone(with_reports: Path) -> None:
    documents, _ = trends.collect(with_reports)
    assert [one["outcome"] for one in documents].count("invalid") == 1
    chart = trends.view(documents, with_reports / "trend.html")[0]["charts"][0]
    assert chart["tallest"] == 1
    assert {bar["height"] for bar in chart["bars"] if bar["verdict"] == "fail"} == {"100.00"}
    assert [bar["title"] for bar in chart["bars"] if bar["verdict"] == "invalid-run"] == [
        "2031-03-14T03:00:00Z: invalid, nothing is judged by it"
    ]


def test_each_night_links_to_its_report(with_reports: Path) -> None:
    main(["trend", str(with_reports), "--output", str(with_reports / "e" / "page.html")])
    page = Page((with_reports / "e" / "page.html").read_text(encoding="utf-8"))
    links = {found["href"] for tag, found in page.elements if tag == "a"}
    assert "../b/report.html" in links
    assert all(str(link).partition("#")[0] == "../b/report.html" for link in links)


def test_the_history_of_a_requirement(with_reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trend", str(with_reports), "--requirements", "status.getAuth.200"]) == 0
    assert "F?✓.  status.getAuth.200 (documented)" in capsys.readouterr().out
    assert main(["trend", str(with_reports), "--requirements", "no.such.thing"]) == 4
    assert "fits no requirement" in capsys.readouterr().err
    rows = trends.view(trends.collect(with_reports)[0], with_reports / "trend.html")[0]["histories"]
    assert {row["id"] for row in rows} == {"status.getAuth.200", "codes.getAuth"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_page(nights: Path, browser: Browser, scheme: Any) -> None:
    main(["trend", str(nights)])
    found, requests = look_at(browser, nights / "trend.html", scheme)
    assert found == []
    assert len(requests) == 1
