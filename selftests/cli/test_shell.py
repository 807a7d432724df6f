"""The shell around a run: version, help on one screen, names of tests where they are asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from meshi_conformance import __version__
from meshi_conformance.__main__ import main
from meshi_conformance.target.keys import KEY_VARIABLES

ROOT = Path(__file__).resolve().parents[2]


def pytest_says(*arguments: str, report: Path | None = None, **environment: str) -> str:
    """What `pytest` prints, run as a user does."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MESHI_", "PYTEST_"))}
    words = [sys.executable, "-m", "pytest", "--profile", "none", *arguments]
    if report:
        words += ["--report-dir", str(report)]
    return subprocess.run(
        words, cwd=ROOT, env={**clean, **environment}, capture_output=True, text=True, timeout=240
    ).stdout


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"meshi-conformance {__version__}\n"


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_the_help_of_a_run_is_a_screen_of_our_own(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--target", "staging", option]) == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) < 80
    for said in (
        "--requirements PATTERN",
        "--rate N",
        "examples:",
        "MESHI_BASE",
        "Exit codes:",
        *KEY_VARIABLES.values(),
    ):
        assert said in text


def test_collecting_quietly_names_every_test() -> None:
    lines = pytest_says("--collect-only", "-q", "--requirements", "auth.getAuth").splitlines()
    assert "tests/test_keys.py::test_a_call_without_a_usable_key_is_unauthorized[getAuth]" in lines


def test_a_verbose_run_names_every_test(tmp_path: Path) -> None:
    output = pytest_says("-v", "--requirements", "auth.getAuth", report=tmp_path)
    assert "test_a_call_without_a_usable_key_is_unauthorized[getAuth] PASSED" in output
    quiet = pytest_says("--requirements", "auth.getAuth", report=tmp_path)
    assert "test_a_call_without" not in quiet
    assert "platform " not in quiet


def test_a_key_that_the_reference_does_not_need_is_told(tmp_path: Path) -> None:
    note = "MESHI_KEY is set, and yet this run judges the embedded reference server"
    assert note in pytest_says("--requirements", "auth.getAuth", report=tmp_path, MESHI_KEY="conf-any-key")
    assert note not in pytest_says("--requirements", "auth.getAuth", report=tmp_path)
