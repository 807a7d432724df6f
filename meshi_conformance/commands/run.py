"""Judge a server: the same as `pytest` in a checkout, from any folder and with the same options.

The report goes to reports/latest below the current folder; --report-dir names another one.
"""

from __future__ import annotations

from pathlib import Path

from ..plugin import launch as suite


def run(arguments: list[str]) -> int:
    """Hands every argument to pytest; its exit code is the run's (docs/exit-codes.md)."""
    report = Path.cwd() / "reports" / "latest"
    return suite.pytest_main(["--report-dir", str(report), *arguments])
