"""A browser, and the order of the self-tests: files that take long begin first, so that no worker is left alone with
one of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parent

LONGEST = (
    "realworld/test_realworld.py",
    "clients/test_good_clients.py",
    "network/whole_runs/test_runs.py",
    "benchmarks/test_bench.py",
    "clients/test_bad_clients.py",
    "network/whole_runs/test_bad_input.py",
    "report/test_page_in_browser.py",
    "attack/test_lost_evidence.py",
    "attack/test_surroundings.py",
    "attack/test_keys.py",
    "clients/test_command.py",
    "clients/test_hostile_clients.py",
    "cli/test_wheel.py",
    "docs/test_site_in_browser.py",
    "contract/test_lints.py",
    "generation/test_generator.py",
    "generation/test_hidden_faults.py",
    "watching/test_sequences.py",
    "attack/test_report_folder.py",
    "network/whole_runs/test_undecided.py",
)
"""Files that take ten seconds or more, the longest first. xdist left to itself begins with the files of many tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first and leave the others in order."""
    place = {ROOT / name: number for number, name in enumerate(LONGEST)}
    if missing := [str(file) for file in place if not file.is_file()]:
        raise pytest.UsageError(f"selftests/conftest.py names files that are not there: {', '.join(missing)}")
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(scope="module")  # not longer: no other loop can run in a thread in which Playwright's does
def browser() -> Iterator[Browser]:
    """Debian's Chromium. A missing browser is a failure, no skip."""
    from playwright.sync_api import sync_playwright  # most files need none

    from .browser import ARGUMENTS

    path = shutil.which("chromium")
    assert path, "These tests need Chromium: install the system's package `chromium`."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()
