"""What the README tells a new user to type works word for word."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ..ports import free_port

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def transcript(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a shell prints that runs every line of the README's walk against the reference server."""
    if shutil.which("curl") is None:
        pytest.fail("curl is not installed, and the README's lines need it: apt-get install curl")
    folder = tmp_path_factory.mktemp("readme walk")
    (folder / ".venv").symlink_to(ROOT / ".venv", target_is_directory=True)
    script = "\n".join(BLOCKS).replace("8787", str(free_port()))
    # Every answer on a line of its own, and a failing line ends the walk.
    script = "set -eu\nset -o pipefail\ntrap 'kill %1' EXIT\n" + script.replace("curl -sS", "curl -sS -w '\\n' --fail")
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    return done.stdout


def test_there_is_a_walk_to_run() -> None:
    assert len(BLOCKS) == 2
    assert BLOCKS[1].count("curl") >= 11


@pytest.mark.parametrize(
    "expected",
    ['"scopes"', '"event_id":"harbour-2031"', '"objectives":"Let people meet', '"final_score"', '"decision":"accept"'],
)
def test_each_line_of_the_walk_works(transcript: str, expected: str) -> None:
    assert expected in transcript.replace('": ', '":')


def test_every_run_of_the_walk_ends(transcript: str) -> None:
    ended = re.findall(r"^(succeeded|partial|failed)$", transcript, re.MULTILINE)
    assert len(ended) == 3
    assert "failed" not in ended
