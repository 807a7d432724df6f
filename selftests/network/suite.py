"""Runs the suite as a user does: as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Run:
    """How a run ended: `document` is its results.json, None where there is none."""

    exit_code: int
    output: str
    document: dict[str, Any] | None
    seconds: float
    megabytes: float
    """The most memory that its controlling process held."""

    def verdicts(self, *wanted: str) -> list[str]:
        """The requirements with one of these verdicts."""
        assert self.document is not None, self.output
        return [one["id"] for one in self.document["requirements"] if one["verdict"] in wanted]

    @property
    def reasons(self) -> set[str]:
        """Why requirements were not judged."""
        assert self.document is not None, self.output
        return {one["reason"] for one in self.document["requirements"] if one["verdict"] in ("inconclusive", "not_run")}


def start(
    report: Path, *arguments: str, environment: dict[str, str] | None = None, **how: Any
) -> subprocess.Popen[str]:
    """Start a run without waiting for it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MESHI_", "PYTEST_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "--report-dir", str(report), "--profile", "none", *arguments],
        cwd=how.pop("cwd", ROOT),
        env={**clean, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **how,
    )


def ended(process: subprocess.Popen[str], report: Path, timeout: float = 120) -> Run:
    """Waits for a run to end."""
    started = time.monotonic()
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        raise AssertionError(f"the run did not end within {timeout:.0f} s:\n{output[-2000:]}") from None
    file = report / "results.json"
    document = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    return Run(process.returncode, output, document, time.monotonic() - started, 0.0)


def run(report: Path, *arguments: str, timeout: float = 120, **how: Any) -> Run:
    """A run from start to end."""
    return ended(start(report, *arguments, **how), report, timeout)
