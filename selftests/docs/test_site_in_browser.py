"""The site as a reader of a disk sees it: its links, its search without a network, and what axe finds on its pages."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, expect

from docs_site.pages import requirement_pages, write
from meshi_conformance.contract import contract
from meshi_conformance.contract.open_questions import load_questions
from meshi_reference import faults

from ..browser import Opened, axe_finds

ROOT = Path(__file__).parents[2]
MKDOCS = ROOT / ".venv-docs" / "bin" / "mkdocs"
WANTED = "error.createEvent.INVALID_TITLE"
EACH = 100
"""Of the pages of requirements each so many is enough: all of them take half a minute."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it, with some of the pages of requirements."""
    assert MKDOCS.exists(), "The site needs MkDocs: make .venv-docs/.ready"
    folder = tmp_path_factory.mktemp("site")
    broken = {name: fault for name, fault in faults.load().items() if WANTED in fault.breaks}
    pages = requirement_pages(contract.load(), {}, broken, load_questions())
    some = [WANTED, *list(pages)[::EACH]]
    write(folder / "pages", {name: pages[name] for name in some})
    config = f"INHERIT: {ROOT / 'docs_site' / 'mkdocs.yml'}\ndocs_dir: pages\nsite_dir: site\n"
    (folder / "mkdocs.yml").write_text(config, encoding="utf-8")
    done = subprocess.run(
        [MKDOCS, "build", "--strict", "--quiet", "--config-file", folder / "mkdocs.yml"],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return folder / "site"


@pytest.fixture
def home(browser: Browser, site: Path) -> Iterator[Opened]:
    """The first page, read from the disk in a browser without a network."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    opened = Opened(context, (site / "index.html").as_uri())
    yield opened
    context.close()
    assert [url for url in opened.requests if not url.startswith(("file:", "data:"))] == []
    assert opened.said == []


def test_the_navigation_names_every_page(home: Opened, site: Path) -> None:
    links = home.page.locator(".md-nav--primary a.md-nav__link[href]")
    named = {urljoin(home.page.url, str(links.nth(at).get_attribute("href"))) for at in range(links.count())}
    written = {file for file in site.glob("*.html") if file.name != "404.html"} | {site / "decisions" / "index.html"}
    assert {one.partition("#")[0] for one in named} == {file.as_uri() for file in written}


def test_a_search_finds_pages_and_opens_them(home: Opened) -> None:
    page = home.page
    results = page.locator(".md-search-result__link")
    for words, found in (("exit codes", "Exit codes"), (WANTED, WANTED)):
        page.keyboard.press("/")
        page.keyboard.type(words)  # the theme searches when a key is let go
        first = results.filter(has_text=found).first
        expect(first).to_be_visible(timeout=30_000)
        first.click()
        expect(page.locator("h1")).to_contain_text(found)
    # What every page of a requirement says is no reason to find it.
    page.keyboard.press("/")
    page.keyboard.type("by hand")
    expect(page.locator(".md-search-result__meta")).to_contain_text("matching", timeout=30_000)
    titles = page.locator(".md-search-result__article").get_by_role("heading")
    assert titles.filter(has_text=re.compile("^By hand$")).count() == 0


def test_links_lead_to_pages_and_titles(home: Opened, site: Path) -> None:
    page = home.page
    page.goto((site / "requirements" / f"{WANTED}.html").as_uri())
    page.locator("a[href^='../open-questions.html#']").first.click()
    expect(page.locator("h1")).to_contain_text("Open questions")
    assert page.locator(f"[id='{page.url.partition('#')[2]}']").count() == 1


PAGES = ("index.html", "exit-codes.html", f"requirements/{WANTED}.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, site: Path, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    found = [(name, *one) for name in PAGES for one in axe_finds(Opened(context, (site / name).as_uri()).page)]
    context.close()
    # What is left is the theme's: frames of navigation that have no name of their own.
    assert [one for one in found if one[1:3] != ("moderate", "landmark-unique")] == []


def test_no_page_scrolls_sideways_on_a_phone(browser: Browser, site: Path) -> None:
    context = browser.new_context(viewport={"width": 375, "height": 800})
    for name in PAGES:
        page = Opened(context, (site / name).as_uri()).page
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, name
    context.close()
