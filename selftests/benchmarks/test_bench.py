"""The benchmark: a small run is recorded, replayed with the same answers, and told in a table and as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import bench, replay, running

ROOT = Path(__file__).parents[2]
SMALL = ["--profile", "none", "--requirements", "events.create.*", "--requirements", "lists.runs.*"]


@pytest.fixture(scope="module")
def recorded() -> running.Run:
    return running.run(SMALL, record=True)


def test_a_run_is_measured(recorded: running.Run) -> None:
    assert recorded.wall > 0
    assert recorded.cpu > 0
    assert recorded.count <= len(recorded.exchanges)
    if Path("/proc/self/status").exists():
        assert {"suite", "reference server"} <= set(recorded.peaks)


def test_phases_follow_one_another(recorded: running.Run) -> None:
    found = bench.phases(recorded)
    assert all(seconds >= 0 for seconds in found.values())
    assert found["scripted tests"] > 0
    assert found["property-based tests"] == 0
    assert bench.testing(recorded) < recorded.wall


@pytest.mark.parametrize("way", ["one_by_one", "overlapping"])
def test_a_replay_gets_the_same_answers(recorded: running.Run, way: str) -> None:
    steps = replay.prepare(recorded.exchanges)
    with running.reference() as (base, keys, _):
        outcome = getattr(replay.Replay(base, keys), way)(steps)
    assert outcome.exchanges == len(recorded.exchanges)
    # What a race decided, or how far a run had come, may differ.
    assert outcome.same_status >= 0.97 * outcome.exchanges


def test_what_the_server_made_up_is_read_anew() -> None:
    common: dict[str, Any] = {
        "headers": {},
        "key": "main",
        "scheme": "Bearer ",
        "authorization": None,
        "padded": None,
        "operation": None,
    }
    created = {"method": "POST", "url": "/runs", "content": '{"a": 1}', "status": 201, "body": '{"run_id": "run/1"}'}
    read = {
        "method": "GET",
        "url": "/runs/run%2F1?x=run%2F1",
        "content": '{"of": "run/1"}',
        "status": 200,
        "body": "{}",
    }
    steps = replay.prepare(
        [{**common, **created, "started": 1.0, "ended": 2.0}, {**common, **read, "started": 3.0, "ended": 4.0}]
    )
    assert steps[0].reads == [(0, ["run_id"])]
    assert steps[1].url == ["/runs/", 0, "?x=", 0, ""]
    assert steps[1].body == ['{"of": "', 0, '"}']
    assert steps[1].done_before == 1


def test_a_part_that_was_measured_is_kept_until_all_are(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    bench.Parts(file, {"seed": 1}).add("one", lambda: 1)
    assert bench.Parts(file, {"seed": 1}).found["one"] == 1
    assert "one" not in bench.Parts(file, {"seed": 2}).found
    bench.Parts(file, {"seed": 1}).write(complete=True)
    assert "one" not in bench.Parts(file, {"seed": 1}).found


def test_the_command_writes_figures_and_a_table(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    words = ["--rounds", "1", "--factors", "1", "--output", str(file), "--only", "events.create.*"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench", *words], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["complete"]
    assert document["scripted part"]["replay"]["seconds"] > 0
    assert document["other targets"]["slow"]["exchanges"] > 0
    assert document["other targets"]["verdicts_that_differ"] == []
    assert "| Suite against bare httpx, scripted part |" in done.stdout
