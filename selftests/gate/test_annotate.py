"""A job on GitHub learns from a report what failed, and nothing that a server said becomes a command of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshi_conformance.__main__ import main
from meshi_conformance.commands.reports import annotate

from ..report.samples import hostile_run


def test_failures_become_annotations_and_counts_outputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = hostile_run(tmp_path / "report")
    assert main(["annotate", str(tmp_path / "report"), "--output", str(tmp_path / "outputs")]) == 0
    lines = capsys.readouterr().out.splitlines()
    failed = [one["id"] for one in document["requirements"] if one["verdict"] == "fail"]
    assert lines[0].startswith(f"::error title={failed[0]}::")
    assert all(line.startswith(("::error title=", "::warning title=")) for line in lines)
    assert [line for line in lines if line.startswith("::warning")]
    assert len(lines) <= 3 * (annotate.MOST + 1)
    written = dict(line.split("=", 1) for line in (tmp_path / "outputs").read_text(encoding="utf-8").splitlines())
    assert written["outcome"] == document["outcome"]
    assert int(written["fail"]) == document["counts"]["documented"]["fail"] > annotate.MOST
    assert int(written["deviations"]) == document["counts"]["implied"]["fail"]


def test_what_a_server_says_starts_no_command() -> None:
    row = {
        "id": "a,b:c",
        "level": "documented",
        "verdict": "fail",
        "statement": "100%",
        "reason": "x\n::set-env name=A::B\r\n",
        "source": "page",
    }
    document = {"requirements": [row], "gate": {"reasons": [], "exit_code": 1}}
    assert list(annotate.commands_of(document)) == ["::error title=a%2Cb%3Ac::100%25 x ::set-env name=A::B (page)"]


def test_what_is_no_report_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annotate", str(tmp_path)]) == 4
    assert "does not exist" in capsys.readouterr().err
