"""An installed wheel does from any folder what pytest does in the checkout."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

from meshi_conformance.contract import contract

ROOT = Path(__file__).parents[2]
_found = importlib.util.spec_from_file_location("check_wheel", ROOT / "ci" / "check_wheel.py")
assert _found is not None
assert _found.loader is not None
check_wheel = importlib.util.module_from_spec(_found)
_found.loader.exec_module(check_wheel)
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith(("MESHI_", "PYTEST_", "PYTHON"))
}


def succeed(words: list[str], folder: Path) -> str:
    """Run a command that has to end with 0, away from the checkout; returns what it printed."""
    done = subprocess.run(words, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without network."""
    folder = tmp_path_factory.mktemp("dist")
    succeed([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)], ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, installed from the wheel into an environment of its own; dependencies are borrowed."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    words = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    succeed([*words, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], folder)
    ours = Path(succeed([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder).strip())
    # A path in a .pth file is searched last, and the .pth file of the checkout in it is not read.
    (ours / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return folder / "bin" / "meshi-conformance"


def verdicts(report: Path) -> dict[str, Any]:
    """What a report says of each requirement."""
    document = json.loads((report / "results.json").read_text(encoding="utf-8"))
    return {row["id"]: (row["verdict"], row["tests"]) for row in document["requirements"]}


def test_the_wheel_carries_suite_contract_and_reference(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    packed = "meshi_conformance/_suite/"
    for folder in ("openapi", "schemas", "requirements", "tests"):
        pattern = {"openapi": "*.yaml", "schemas": "*.json", "requirements": "*.yaml", "tests": "*.py"}[folder]
        for file in (ROOT / folder).glob(pattern):
            assert f"{packed}{folder}/{file.name}" in held
    for file in (ROOT / "docs").rglob("*.md"):
        assert f"{packed}{file.relative_to(ROOT).as_posix()}" in held
    for name in ("conftest.py", "pyproject.toml"):
        assert packed + name in held
    for package in ("meshi_conformance", "meshi_reference"):
        for file in (ROOT / package).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert file.relative_to(ROOT).as_posix() in held
    assert not [
        name for name in held if "__pycache__" in name or "node_modules" in name or name.startswith("selftests")
    ]


def test_messages_name_docs_that_the_installed_suite_has(installed: Path, tmp_path: Path) -> None:
    for words in ([], ["run"]):
        (said,) = re.findall(
            r"The docs that \w+ name are in (\S+)\.$", succeed([str(installed), *words, "--help"], tmp_path), re.M
        )
        assert Path(said).is_relative_to(installed.parents[1])
        for package in ("meshi_conformance", "meshi_reference"):
            for file in (ROOT / package).rglob("*.py"):
                for named in re.findall(r"\bdocs/([a-z-]+\.md)", file.read_text(encoding="utf-8")):
                    assert (Path(said) / named).is_file(), f"{file.name} names docs/{named}"


def test_the_wheel_is_small_and_says_what_it_is(wheel: Path) -> None:
    assert wheel.stat().st_size < check_wheel.MOST_BYTES
    with zipfile.ZipFile(wheel) as held:
        (name,) = (one for one in held.namelist() if one.endswith(".dist-info/METADATA"))
        metadata = held.read(name).decode()
    for line in ("Requires-Python: >=3.11", "Framework :: Pytest", "Description-Content-Type: text/markdown"):
        assert line in metadata


def test_every_command_of_the_help_works_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    assert check_wheel.walk([str(installed)], tmp_path) == []


def test_an_installed_suite_finds_its_own_files(installed: Path, tmp_path: Path) -> None:
    line = "from meshi_conformance.contract.contract import load, root; print(root(), *load().requirements)"
    where, *names = succeed([str(installed.parent / "python"), "-c", line], tmp_path).split()
    assert Path(where).is_relative_to(installed.parents[1])
    assert names == list(contract.load().requirements)


def test_an_installed_run_has_the_verdicts_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    chosen = ["--requirements", "status.getAuth.*"]
    said = succeed([str(installed), "run", *chosen], tmp_path)
    assert "conformance: partial" in said
    words = [sys.executable, "-m", "pytest", "--report-dir", str(tmp_path / "checkout"), *chosen]
    succeed(words, ROOT)
    assert verdicts(tmp_path / "reports" / "latest") == verdicts(tmp_path / "checkout")
    assert {name for name in os.listdir(tmp_path)} == {"reports", "checkout"}


def test_an_installed_suite_serves_and_explains(installed: Path, tmp_path: Path) -> None:
    assert "tests/test_keys.py::" in succeed([str(installed), "explain", "scope.createEvent"], tmp_path)
    with subprocess.Popen(
        [str(installed), "serve"], cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        said = json.loads(server.stdout.readline())
        server.terminate()
        assert server.wait(timeout=20) == 0
    assert said["base"].startswith("http://127.0.0.1:")
