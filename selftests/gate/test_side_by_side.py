"""Several runs side by side: where they differ, with links to their reports, against hostile names too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from meshi_conformance.__main__ import main

from ..browser import look_at
from .test_trend import Page

Make = Callable[..., dict[str, Any]]
Put = Callable[[str, dict[str, Any]], Path]


@pytest.fixture
def runs(make: Make, put: Put) -> list[str]:
    old = put("old", make({"status.getAuth.200": ("fail", "answered 500\nassert 500 == 200")}))
    new = put(
        "new", make({"codes.getAuth": ("inconclusive", "no answer")}, base="https://x.example/</td><script>1</script>")
    )
    third = put("third", make({"status.getAuth.200": None}))
    (old / "report.html").write_text("the report", encoding="utf-8")
    return [f"old={old}", f"new={new}", f"{third / 'results.json'}"]


def test_only_differences_are_listed(runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "page.html"
    assert main(["compare", *runs, "--output", str(output)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == [line for line in said if line[:2] in ("1 ", "2 ", "3 ")]
    rows = [line for line in said[3:] if line.endswith(("(documented)", "(implied)"))]
    assert rows[0] == "F ✓ –  status.getAuth.200 (documented)"
    assert "✓ ? ✓  codes.getAuth (implied)" in rows
    assert len(rows) == 2
    page = Page(output.read_text(encoding="utf-8"))
    assert "old: fail: answered 500" in page.text
    assert "assert" not in page.text
    links = {found["href"] for tag, found in page.elements if tag == "a"}
    assert {"old/report.html", "old/report.html#req-status.getAuth.200"} <= links


def test_the_page_is_inert(runs: list[str], tmp_path: Path) -> None:
    main(["compare", *runs, "--output", str(tmp_path / "page.html")])
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in page.elements}
    policy = next(found["content"] for _, found in page.elements if found.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


def test_all_requirements_can_be_listed(runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["compare", *runs[:1], *runs[:1], "--all", "--output", str(tmp_path / "page.html")])
    said = capsys.readouterr().out
    assert "more, all on the page" in said
    assert "1 old 20" in said  # two columns of one name are told apart by their time


def test_what_cannot_be_compared(runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", runs[0]]) == 4
    assert "nothing beside it" in capsys.readouterr().err
    assert main(["compare", runs[0], str(tmp_path / "none")]) == 4
    assert "does not exist" in capsys.readouterr().err
    assert main(["compare", *runs, "--output", str(tmp_path / "none" / "page.html")]) == 4
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_page(runs: list[str], tmp_path: Path, browser: Browser, scheme: Any) -> None:
    main(["compare", *runs, "--output", str(tmp_path / "page.html")])
    found, requests = look_at(browser, tmp_path / "page.html", scheme)
    assert found == []
    assert len(requests) == 1
