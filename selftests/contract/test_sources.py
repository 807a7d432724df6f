"""Pages that change are noticed, with what rests on them, and pages that were saved another way are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meshi_conformance.__main__ import main
from meshi_conformance.contract import contract
from meshi_conformance.contract.page_sections import fingerprint, sections

TEXT = """Endpoint Reference
Ways to call.
GET /auth
Section titled \u201cGET /auth\u201dScope: partner:read
- Tells `org_id` \u2014 and 1-100 \u201cthings\u201d.
GET /events
Section titled \u201cGET /events\u201dLists them.
Strange things
Section titled \u201cStrange things\u201dUnheard of.
"""
MARKDOWN = """---
title: Endpoint Reference
---
Ways to [call](/there).

## `GET /auth`
Scope: **partner:read**
* Tells `org_id` --- and 1-100 "things".
## GET /events
Lists them.
## Strange things
Unheard
of.
"""
HTML = """<html><head><title>x</title></head><body><nav>GET /nowhere</nav><main><h1>Endpoint Reference</h1>
<p>Ways to <a href="/there">call</a>.</p><h2 id="a">GET /auth</h2>
<a href="#a"><span>Section titled \u201cGET /auth\u201d</span></a>
<p>Scope: <b>partner:read</b><ul><li>Tells <code>org_id</code> &mdash; and 1-100 &ldquo;things&rdquo;.</li></ul>
<h2>GET /events</h2><p>Lists them.<button>Copy</button></p><h3>Strange things</h3>Unheard of.</main>
<footer>2031</footer></body>"""
PAGE = "endpoint-reference"


def prints(text: str, suffix: str) -> dict[str, str]:
    return {title: fingerprint(body) for title, body in sections(text, suffix).items()}


def test_one_page_has_one_fingerprint_however_it_was_saved() -> None:
    plain = prints(TEXT, ".txt")
    assert list(plain) == ["", "GET /auth", "GET /events", "Strange things"]
    assert prints(MARKDOWN, ".md") == plain
    assert prints(HTML, ".html") == plain


@pytest.mark.parametrize(
    ("before", "after"), [("1-100", "1-50"), ("partner:read", "partner:write"), ("org_id", "orgid")]
)
def test_what_a_section_says_decides_its_fingerprint(before: str, after: str) -> None:
    one, two = prints(TEXT, ".txt"), prints(TEXT.replace(before, after), ".txt")
    assert [title for title in one if one[title] != two[title]] == ["GET /auth"]


@pytest.fixture
def stored(tmp_path: Path) -> list[str]:
    """The words that name fingerprints of the page above."""
    (tmp_path / f"{PAGE}.txt").write_text(TEXT, encoding="utf-8")
    words = ["--fingerprints", str(tmp_path / "prints.json")]
    assert main(["sources", "record", str(tmp_path / f"{PAGE}.txt"), *words]) == 0
    return words


def test_a_page_that_did_not_change(stored: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "saved" / PAGE).mkdir(parents=True)
    (tmp_path / "saved" / PAGE / "index.html").write_text(HTML, encoding="utf-8")
    assert main(["sources", "check", str(tmp_path / "saved"), *stored]) == 0
    said = capsys.readouterr().out
    assert "The documentation: unchanged" in said
    assert f"- {PAGE}, Strange things" in said.partition("Sections that no requirement cites")[2]
    assert "- overview" in said.partition("were not given")[2]


def test_changed_gone_and_new_sections(stored: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = TEXT.replace("partner:read", "partner:all").replace("GET /events", "GET /happenings")
    (tmp_path / f"{PAGE}.txt").write_text(changed, encoding="utf-8")
    for words in ([], ["--markdown"]):
        assert main(["sources", "check", str(tmp_path / f"{PAGE}.txt"), *stored, *words]) == 1
        said = capsys.readouterr().out.replace("`", "")
        places = [said.index(part) for part in ("Changed (1)", "Gone, and cited (1)", "New (1)")]
        assert places == sorted(places)
        at = said.index(f"- {PAGE}, GET /auth: ")
        assert "status.getAuth.200: tests/" in said[at : places[1]]
        assert f"- {PAGE}, GET /events: " in said[places[1] : places[2]]
        assert f"- {PAGE}, GET /happenings: 0 requirements" in said[places[2] :]


def test_a_page_of_which_nothing_is_stored_is_one_to_read(
    stored: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "errors-and-limits.md").write_text("# Errors", encoding="utf-8")
    assert main(["sources", "check", str(tmp_path), *stored]) == 1
    said = capsys.readouterr().out
    assert "1 page to read anew" in said
    resting = sum(one.page == "errors-and-limits" for one in contract.load().requirements.values())
    assert f"- errors-and-limits: {resting}" in said.partition("no fingerprint is stored (1)")[2]
    assert main(["sources", "record", str(tmp_path / "errors-and-limits.md"), *stored]) == 0
    assert main(["sources", "check", str(tmp_path), *stored]) == 0


def test_what_cannot_be_compared_is_refused(
    stored: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "weather.txt"
    other.write_text("Rain.", encoding="utf-8")
    (tmp_path / "overview.md").write_bytes(b"\xff")
    (tmp_path / "empty").mkdir()
    for place, told in (
        (other, "none of the pages"),
        (tmp_path / "nothing", "does not exist"),
        (tmp_path / "empty", "No page was found"),
        (tmp_path / "overview.md", "UTF-8"),
    ):
        assert main(["sources", "check", str(place), *stored]) == 4
        assert told in capsys.readouterr().err
    (tmp_path / "prints.json").write_text(json.dumps({PAGE: ["x"]}))
    assert main(["sources", "check", str(tmp_path / f"{PAGE}.txt"), *stored]) == 4
    assert "holds no fingerprints" in capsys.readouterr().err
