"""`python -m selftests.repeat`: run the whole suite again and again, each time otherwise; 0 if no verdict differs.

Every run has a random order of the tests, a random seed of the generated calls and 0 to 4 workers, against a
reference server of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from meshi_conformance.contract.contract import root

WORKERS = (0, 1, 2, 3, 4)
LONGEST_SECONDS = 600


def main() -> int:
    """Run, compares with the first run, and say what differed and how to see it again."""
    parser = argparse.ArgumentParser(prog="python -m selftests.repeat", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, metavar="N", help="how many runs (default: 100)")
    options = parser.parse_args()
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    differing = exchanges = 0
    started = time.monotonic()
    for number in range(options.runs):
        workers = WORKERS[number % len(WORKERS)]
        document, output, seconds = run(workers)
        if document is None:
            differing += 1
            print(f"run {number + 1}, -n {workers}: no result\n{output[-2000:]}", flush=True)
            continue
        verdicts = {row["id"]: row["verdict"] for row in document["requirements"]}
        first = first or verdicts
        changed = sorted(name for name in first.keys() | verdicts.keys() if first.get(name) != verdicts.get(name))
        differing += bool(changed or document["problems"])
        counts[document["outcome"]] += 1
        exchanges += document["exchanges"]["count"]
        print(
            f"run {number + 1}, -n {workers}, seed {document['options']['seed']}: {document['outcome']}, "
            f"{document['exchanges']['count']} exchanges, {seconds:.1f} s, {len(changed)} verdicts differ",
            flush=True,
        )
        reasons = {row["id"]: row["reason"] for row in document["requirements"]}
        for name in changed[:10]:
            print(f"    {name}: {first.get(name)}, now {verdicts.get(name)}: {reasons.get(name, '')[:500]}", flush=True)
        for problem in document["problems"]:
            print(f"    {problem}", flush=True)
    seconds = time.monotonic() - started
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    print(f"{options.runs} runs, {exchanges} exchanges, {seconds:.0f} s: {outcomes}; {differing} runs differ")
    return 1 if differing else 0


def run(workers: int) -> tuple[dict[str, Any] | None, str, float]:
    """One run: its results document, what it printed, and its seconds."""
    with tempfile.TemporaryDirectory(prefix="meshi-repeat-") as made:
        folder = Path(made)
        command = [sys.executable, "-m", "pytest", f"--report-dir={folder}", "-n", str(workers)]
        command += ["-p", "random_order", "--random-order"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MESHI_")}
        started = time.monotonic()
        done = subprocess.run(
            [*command, "--basetemp", str(folder / "temporary")],
            cwd=root(),
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
        )
        seconds = time.monotonic() - started
        try:
            return json.loads((folder / "results.json").read_text(encoding="utf-8")), done.stdout, seconds
        except (OSError, ValueError):
            return None, done.stdout + done.stderr, seconds


if __name__ == "__main__":
    sys.exit(main())
