"""The command `client` from end to end: the example passes, and what cannot be judged is reported in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "client" / "integrate.py"


def judged(
    folder: Path, *arguments: str, seconds: float = 120
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run the command; return how it ended and the document that it wrote."""
    done = subprocess.run(
        [sys.executable, "-m", "meshi_conformance", "client", "--report-dir", str(folder), *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "POLL_SECONDS": "0.1", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    file = folder / "results.json"
    return done, json.loads(file.read_text()) if file.exists() else {}


def test_the_example_passes_in_every_scenario_and_every_duty_is_judged(tmp_path: Path) -> None:
    words = ("--pages-url", "https://docs.example", "--site-url", "https://site.example")
    done, document = judged(tmp_path, *words, "--", sys.executable, str(EXAMPLE))
    assert done.returncode == 0, done.stdout + done.stderr
    assert document["links"] == {"pages": "https://docs.example", "site": "https://site.example"}
    assert "https://site.example/requirements/" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "(org None)" not in done.stdout
    assert '<a href="#scenarios">' in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert document["subject"] == "client"
    assert document["outcome"] == "conformant"
    assert {row["id"]: row["verdict"] for row in document["requirements"] if row["verdict"] != "pass"} == {}
    assert {one["name"] for one in document["client"]["scenarios"]} >= {"plain", "rerun"}


UNUSABLE = {
    "command not found": (["no-such-client"], 4, "is not on the PATH"),
    "no such file": (["./no-such-client"], 4, "does not exist"),
    "not executable": ([str(EXAMPLE)], 4, "is not executable"),
    "ends at once": (["false"], 5, "ended at once"),
    "ignores MESHI_BASE": (["true"], 5, "must send to the URL in MESHI_BASE"),
    "never ends": (["sleep", "60"], 5, "did not end within 1 s"),
}


@pytest.fixture(scope="module")
def unusable(tmp_path_factory: pytest.TempPathFactory) -> dict[str, subprocess.CompletedProcess[str]]:
    """All commands that cannot be judged, three at a time."""
    plain = ("--scenario", "plain", "--deadline", "1", "--")
    with ThreadPoolExecutor(3) as pool:
        running = {
            name: pool.submit(judged, tmp_path_factory.mktemp("unusable"), *plain, *command)
            for name, (command, _, _) in UNUSABLE.items()
        }
        return {name: one.result()[0] for name, one in running.items()}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_command_that_cannot_be_judged_is_told_in_one_line(
    name: str, unusable: dict[str, subprocess.CompletedProcess[str]]
) -> None:
    _, code, message = UNUSABLE[name]
    done = unusable[name]
    assert done.returncode == code, done.stdout + done.stderr
    assert sum(message in line for line in (done.stdout + done.stderr).splitlines()) >= 1
    assert "Traceback" not in done.stdout + done.stderr


def test_an_unknown_scenario_is_refused_with_the_names_of_all(tmp_path: Path) -> None:
    done, _ = judged(tmp_path, "--scenario", "stormy", "--", "true")
    assert done.returncode == 4
    assert "plain, rate_limited, lost_answer" in done.stderr
