"""doctor tells what a run would need and judge, and sends no write; a shell completes what can be typed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshi_conformance.__main__ import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A server whose keys are in the environment; after the test its log has been read into the list."""
    words = [sys.executable, "-m", "meshi_reference", "--log"]
    lines: list[str] = []
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        for name, value in json.loads(server.stdout.readline())["env"].items():
            monkeypatch.setenv(name, value)
        yield lines
        server.send_signal(signal.SIGTERM)
        lines += server.communicate(timeout=120)[1].splitlines()
    assert lines
    assert {line.split()[2] for line in lines} == {"GET"}, "doctor sent a write"


def test_doctor_tells_what_a_run_would_need(
    logged: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MESHI_OTHER_KEY")
    assert main(["doctor", "--requirements", "runs.*"]) == 0
    said = capsys.readouterr().out
    for part in (
        os.environ["MESHI_BASE"],
        "keys      MESHI_KEY, MESHI_READ_KEY,",
        "not set: MESHI_OTHER_KEY",
        "key       MESHI_KEY: 200, org org_",
        "key       MESHI_DISABLED_KEY: 401 ACCOUNT_DISABLED",
        "scopes partner:read, partner:write",
        "ms for GET /auth",
        "judging   ",
        "expected  about ",
        "ok        a run can start; nothing was written",
    ):
        assert part in said
    assert os.environ["MESHI_KEY"] not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--target", "http://127.0.0.1:9/api/v0/partner"], "could not be reached"),
        (["--target", "stagin"], "Did you mean staging?"),
        (["--requirements", "run.*"], "fits no requirement"),
        (["--rate", "none"], "--rate takes a number above 0"),
    ],
)
def test_doctor_ends_with_4_where_a_run_could_not_start(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MESHI_KEY", "conf-some-key")
    assert main(["doctor", *words]) == 4
    assert said in capsys.readouterr().err


def test_an_unknown_command_is_asked_about(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["docter"])
    assert ended.value.code == 4
    assert "Did you mean doctor?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("meshi-conformance expl", "explain"),
        ("meshi-conformance run --requirements status.getA", "status.getAuth.200"),
        ("meshi-conformance doctor --target stag", "staging"),
    ],
)
def test_a_shell_completes(line: str, word: str, tmp_path: Path) -> None:
    file = tmp_path / "completions"
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(file),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "PYTHONPATH": str(ROOT),
    }
    words = [sys.executable, "-m", "meshi_conformance"]
    assert subprocess.run(words, cwd=tmp_path, env={**os.environ, **asked}, timeout=120).returncode == 0
    assert file.read_text().split() == [word]


def test_the_code_for_a_shell_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    assert "meshi-conformance" in capsys.readouterr().out
