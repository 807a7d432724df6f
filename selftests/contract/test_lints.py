"""The OpenAPI file is clean under Redocly and Spectral, and both would notice if it were not."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

from .files import OPENAPI, ROOT

LINT = ROOT / "openapi" / "lint"
LINTERS = ("redocly", "spectral")
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}


def installed() -> bool:
    """Whether the linters of the lock file are there, in its versions."""
    for name, version in json.loads((LINT / "package.json").read_text("utf-8"))["devDependencies"].items():
        package = LINT / "node_modules" / name / "package.json"
        if not package.is_file() or json.loads(package.read_text("utf-8"))["version"] != version:
            return False
    return (LINT / "node_modules" / ".package-lock.json").is_file()


@pytest.fixture(scope="session")
def npm() -> str:
    """The npm command, with the linters installed; workers that run side by side install once."""
    found = shutil.which("npm")
    if not found or not shutil.which("node"):
        pytest.fail("The lints of the OpenAPI file need Node.js 20 or later with npm on the PATH.")
    with FileLock(LINT / ".install.lock"):
        if not installed():
            done = subprocess.run(
                [found, "ci", "--prefix", str(LINT), "--ignore-scripts", "--no-audit", "--no-fund"],
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, f"the linters could not be installed:\n{done.stdout}{done.stderr}"
    return found


def lint(npm: str, linter: str, file: Path) -> tuple[int, str]:
    """Exit code and output of a linter."""
    done = subprocess.run(
        [npm, "--prefix", str(LINT), "run", "--silent", linter, "--", str(file)],
        capture_output=True,
        text=True,
        env={**os.environ, **QUIET},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("linter", LINTERS)
def test_the_openapi_file_is_clean(npm: str, linter: str) -> None:
    code, said = lint(npm, linter, OPENAPI)
    assert code == 0, said
    assert "warning" not in said.replace("Deprecation warning", "").lower(), said


@pytest.mark.parametrize("linter", LINTERS)
def test_a_linter_notices_an_example_that_does_not_hold(npm: str, linter: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas")
    broken = tmp_path / "openapi" / OPENAPI.name
    broken.parent.mkdir()
    text = OPENAPI.read_text("utf-8")
    assert text.count("review_required: true") == 1
    broken.write_text(text.replace("review_required: true", "review_required: 7"), "utf-8")
    code, said = lint(npm, linter, broken)
    assert "review_required" in said, said
    assert code != 0 or "warning" in said, said
