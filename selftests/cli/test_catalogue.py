"""docs/requirements.md is what the contract and the tests say today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from meshi_conformance.commands.contract.catalogue import catalogue
from meshi_conformance.contract import contract

ROOT = Path(__file__).parents[2]


def written(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command; it collects the tests, which one process cannot do within another collection."""
    return subprocess.run(
        [sys.executable, "-m", "meshi_conformance", "catalogue", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_catalogue_is_fresh() -> None:
    done = written("--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_requirement_stands_in_it_once_with_its_tests() -> None:
    known = contract.load()
    text = catalogue(known, {"status.getAuth.200": ["tests/test_a.py::test_it[x]", "tests/test_a.py::test_it[y]"]})
    for name in known.requirements:
        assert text.count(f"| `{name}` |") == 1
    row = next(line for line in text.splitlines() if line.startswith("| `status.getAuth.200` |"))
    assert row.endswith("| `test_a::test_it` [2] |")
    servers, _, clients = text.partition("## Duties of the client")
    assert all(line.count(" | ") == 5 for line in servers.splitlines() if line.startswith("| `"))
    assert all(line.count(" | ") == 4 for line in clients.splitlines() if line.startswith("| `"))
    for name in known.duties:
        assert clients.count(f"| `{name}` |") == 1
        assert f"`{name}`" not in servers


def test_a_stale_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "requirements.md"
    assert written("--output", str(file)).returncode == 0
    file.write_text(file.read_text(encoding="utf-8").replace("status.getAuth.200", "status.getAuth.201"), "utf-8")
    done = written("--output", str(file), "--check")
    assert done.returncode == 1
    assert "status.getAuth.201" in done.stdout
    assert "out of date" in done.stdout


def test_a_file_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    done = written("--output", str(tmp_path / "nothing" / "requirements.md"))
    assert done.returncode == 4
    assert "No such file" in done.stderr
    assert "Traceback" not in done.stderr
