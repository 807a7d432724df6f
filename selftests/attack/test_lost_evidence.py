"""A run that lost a part of what it measured is invalid: its failures may be among what was lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from meshi_conformance.exchanges.spool import Spool
from meshi_reference.server import running
from meshi_reference.settings import Settings
from selftests.network.whole_runs.suite import Pause, ended, exchanges, pausing, run, start

SOME = ("--requirements", "error.get*", "--requirements", "error.create*")


@contextmanager
def in_the_middle(report: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Pause]]:
    """Start a run and stop its server's answers in the middle of it."""
    with (
        running(Settings(run_seconds=0.02)) as address,
        pausing(address.base, lambda: exchanges(report) >= 12) as pause,
    ):
        process = start(report, *SOME, *arguments, "--target", pause.server.base, environment=address.env)
        pause.wait()
        yield process, pause


@pytest.mark.parametrize("what", ["spool", "line"])
def test_a_spool_that_is_lost_or_broken_makes_the_run_invalid(what: str, tmp_path: Path) -> None:
    report = tmp_path / "report"
    with in_the_middle(report) as (process, pause):
        if what == "spool":
            shutil.rmtree(report / "spool", ignore_errors=True)
        else:
            with (report / "spool" / "main.jsonl").open("r+b") as stream:
                stream.seek(3)
                stream.write(b"\xff\0")
        pause.end()
        found = ended(process, report)
    assert found.exit_code == 3, found.output
    assert found.document is not None
    assert found.document["outcome"] == "invalid"
    assert "spool file main.jsonl" in " ".join(found.document["problems"])


def test_what_was_written_is_compared_with_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "main.jsonl").write_text(json.dumps({"type": "created"}) + "\n[1]\n{}\n" + '{"type": "x')
    spool = Spool(tmp_path)
    assert len(list(spool)) == 4
    problems = spool.problems({"main.jsonl": 5, "gw0.jsonl": 0, "gw1.jsonl": 2})
    assert [one.partition(" of")[0] for one in problems[:3]] == ["Line 2", "Line 3", "Line 4"]
    assert len(problems) == 5
    assert "2 events were written to the spool file gw1.jsonl and 0 can be read" in problems[3]
    assert not Spool(tmp_path / "none").problems({})


@pytest.mark.parametrize(("workers", "gap"), [((), 0.0), (("-n", "2"), 0.3)], ids=["alone", "workers"])
def test_a_second_signal_does_not_cost_the_report(workers: tuple[str, ...], gap: float, tmp_path: Path) -> None:
    report = tmp_path / "report"
    with in_the_middle(report, *workers) as (process, pause):
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGTERM):
            process.send_signal(number)
            pause.end()
            time.sleep(gap)
        found = ended(process, report)
    assert "Traceback" not in found.output, found.output
    assert found.exit_code == 2, found.output
    assert found.document is not None
    assert found.document["outcome"] == "invalid"
    assert found.document["exchanges"]["count"] >= 12


def test_sigquit_does_not_end_a_run_as_green(tmp_path: Path) -> None:
    with in_the_middle(tmp_path / "report") as (process, pause):
        process.send_signal(signal.SIGQUIT)
        pause.end()
        assert ended(process, tmp_path / "report").exit_code != 0


def test_a_full_disk_costs_the_evidence_and_not_the_result(tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", mount]).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        for free in (900, 20):
            (mount / "ballast").write_bytes(b"x" * ((2048 - free) * 1024 - 8192))
            found = run(mount / "report", *SOME)
            assert "Traceback" not in found.output, found.output
            assert "INTERNALERROR" not in found.output, found.output
            assert found.exit_code == 3, found.output
            if free > 800:
                assert found.document is not None, found.output
                assert found.document["outcome"] == "invalid"
                assert found.document["counts"]["documented"]["pass"] > 20
            else:
                assert "Nothing was sent" in found.output
            shutil.rmtree(mount / "report")
            (mount / "ballast").unlink()
    finally:
        subprocess.run(["umount", mount], check=True)
