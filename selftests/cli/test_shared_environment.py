"""An environment that others share: our options disturb no other project, and their plugins disturb no run of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

OTHER = """\
import pathlib
import pytest

def pytest_addoption(parser):
    group = parser.getgroup("other")
    for name in ("--profile", "--target", "--rate", "--large"):
        group.addoption(name, action="store_true")
    group.addoption("--seed", type=int, default=0)

def pytest_collection_modifyitems(items):
    del items[:]  # what no other plugin may do to a run

@pytest.fixture
def seed(pytestconfig):
    return pytestconfig.option.seed
"""


@pytest.fixture
def shared(tmp_path: Path) -> dict[str, str]:
    """An environment in which a plugin is installed that declares names of our options."""
    folder = tmp_path / "site"
    metadata = folder / "other_plugin-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "other_plugin.py").write_text(OTHER)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: other-plugin\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[pytest11]\nother = other_plugin\n")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MESHI_", "PYTEST_"))}
    return {**clean, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def run(words: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def test_another_project_keeps_its_options(tmp_path: Path, shared: dict[str, str]) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_one.py").write_text("def test_one(pytestconfig): assert pytestconfig.option.seed == 7\n")
    (tmp_path / "site" / "other_plugin.py").write_text(OTHER.replace("del items[:]", "pass"))
    done = run(["pytest", "-q", "--seed", "7", "--profile"], project, shared)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.parametrize(("place", "workers"), [("checkout", "1"), ("elsewhere", "0")])
def test_a_run_keeps_ours(place: str, workers: str, tmp_path: Path, shared: dict[str, str]) -> None:
    report = tmp_path / "report"  # it does not exist yet when pytest looks for the project, and does for its workers
    words = ["--seed", "7", "--profile", "none", "--requirements", "status.getAuth.*", "--report-dir", str(report)]
    start, folder = (["pytest"], ROOT) if place == "checkout" else (["meshi_conformance", "run"], tmp_path)
    done = run([*start, *words, "-n", workers], folder, shared)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout
    document = json.loads((report / "results.json").read_text(encoding="utf-8"))
    assert document["options"]["seed"] == 7
    assert [row["id"] for row in document["requirements"] if row["verdict"] == "pass"] == ["status.getAuth.200"]
