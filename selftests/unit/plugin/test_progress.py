"""Progress shows how far a run is, and breaks no line that pytest prints."""

from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path

import pytest

from meshi_conformance.plugin.console import progress as module
from meshi_conformance.plugin.console.output import Output
from meshi_conformance.plugin.console.progress import Progress


class Kept(io.StringIO):
    """A stream that keeps what it held when it is closed."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal

    def close(self) -> None:
        pass


@pytest.fixture
def stream(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """What pytest and progress both write to."""
    own = Kept(request.param)
    monkeypatch.setattr(module, "_own_output", lambda: own)
    monkeypatch.setattr(module, "IN_A_LOG", 0.02)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(module, "is_ci", lambda environment: False)
    return own


def run(folder: Path, stream: Kept, tests: int) -> str:
    """A run of dots with a failure, a wait and enough time for lines between them; what is printed."""
    wait = {"type": "waiting", "what": "import run r to end", "state": "running", "at": time.time(), "seconds": 3}
    (folder / "main.jsonl").write_text('{"type": "exchange", "operation": "getAuth"}\n' + json.dumps(wait) + "\n")
    output = Output(stream, {})
    progress = Progress(folder, 25)
    progress.begin(output, tests)
    for number in range(tests):
        output.write(".")
        progress.test_ended()
        if number == tests // 2:
            progress.failed("failed")
            time.sleep(0.2)
    output.write(" [100%]\n....")
    progress.stop()
    output.write("\nend\n")
    return stream.getvalue()


@pytest.mark.parametrize("stream", [False], indirect=True)
def test_a_log_gets_lines_between_whole_lines(stream: Kept, tmp_path: Path) -> None:
    lines = run(tmp_path, stream, 40).splitlines()
    told = [line for line in lines if "of 40 tests" in line]
    assert re.fullmatch(
        r"21 of 40 tests, about \d+ s left, 1 failed, 1 of 25 operations, 1 exchanges; "
        r"waiting [34] s for the import run r to end \(now running\)",
        told[-1],
    )
    assert [line for line in lines if line not in told] == ["." * 40 + " [100%]", "....", "end"]


@pytest.mark.parametrize("stream", [True], indirect=True)
def test_a_terminal_has_one_live_line_below(stream: Kept, tmp_path: Path) -> None:
    text = run(tmp_path, stream, 40)
    assert "0 of 40 tests" in text
    assert "40 of 40 tests" in text
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "." * 40 + " [100%]\n" in shown
    assert shown.endswith("....\nend\n")


@pytest.mark.parametrize("stream", [False], indirect=True)
def test_nothing_is_said_of_a_quick_run(stream: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IN_A_LOG", 30.0)
    assert run(tmp_path, stream, 40) == "." * 40 + " [100%]\n....\nend\n"
