"""A page in Debian's Chromium, with all that it asks for and says, and what axe finds on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


class Opened:
    """A page with all that it asked for and said."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.requests: list[str] = []
        self.said: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda problem: self.said.append(str(problem)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.goto(address)

    def rows(self) -> Locator:
        return self.page.locator(".req:visible")


def look_at(browser: Browser, file: Path, scheme: Any) -> tuple[list[tuple[Any, ...]], list[str]]:
    """What axe finds wrong on a page that is a file, in a color scheme, and what the page asked for."""
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    opened = Opened(context, file.as_uri())
    found = axe_finds(opened.page)
    context.close()
    return found, opened.requests


def axe_finds(page: Page) -> list[tuple[Any, ...]]:
    """What axe finds wrong on a page: impact, rule and the first place. Its rules have to have had something to do."""
    found = Axe().run(page).response
    assert len(found["passes"]) > 15
    return [(one["impact"], one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"]]
