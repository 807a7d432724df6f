"""`python -m benchmarks.peers`: try every tool on the same servers and write the table (docs/benchmarks.md)."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from meshi_reference import faults, variations

from . import description, page, tools, trial
from .tools import PROJECT

CLEAN_RUNS = 3
"""Runs against the conforming server, one at a time: what any of them says is not a finding, and their time counts."""


def main() -> int:
    """Run the trials that are not kept yet and write results and page; 3 where time ran out before."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--tool", action="append", default=[], help="name or pattern of a tool; default: all")
    parser.add_argument("--faults", type=int, default=40, help="size of the sample of faults (default: %(default)s)")
    parser.add_argument("--all", action="store_true", help="all faults in place of the sample")
    parser.add_argument("--variations", type=int, default=8, help="size of the sample of variations")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="trials at a time")
    parser.add_argument(
        "--minutes", type=float, default=120, help="take no new trial after so long; run again to go on"
    )
    parser.add_argument("--fresh", action="store_true", help="forget the trials that are kept")
    parser.add_argument("--folder", type=Path, default=PROJECT / "reports" / "peers", help="where trials are kept")
    parser.add_argument("--page", type=Path, default=PROJECT / "docs", help="folder of benchmarks.md and its plot")
    options = parser.parse_args()
    if options.fresh:
        _forget(options.folder)
    options.folder.mkdir(parents=True, exist_ok=True)
    known = faults.load()
    sample = list(known) if options.all else trial.names(known, options.faults)
    varied = trial.names((name for name in variations.load() if name != "default"), options.variations)
    source = PROJECT / "openapi" / "meshi-partner-v0.yaml"
    forms = description.bundle(source, options.folder, tools.BINARIES, tools.environment())
    ends = time.monotonic() + 60 * options.minutes
    clean = trial.Bench(options.folder, forms, 1, ends)
    rest = trial.Bench(options.folder, forms, options.jobs, ends)
    rows = []
    for tool in trial.tools(options.tool):
        runs = [
            one
            for number in range(CLEAN_RUNS)
            for one in clean.hold(tool, [variations.load()["default"]], f"-{number + 1}")
        ]
        tell(tool.name, runs)
        if runs and all(one.problem for one in runs):
            rows.append(page.Row(tool, runs, [], []))
            continue
        found = list(rest.hold(tool, [known[name] for name in sample]))
        accepted = list(rest.hold(tool, [variations.load()[name] for name in varied]))
        rows.append(page.Row(tool, runs, found, accepted))
        tell(tool.name, [*found, *accepted])
    complete = all(row.is_complete(CLEAN_RUNS, len(sample), len(varied)) for row in rows)
    page.write(options.folder, options.page, rows, sample, varied, tools.versions(), len(known))
    for line in page.table(rows, tools.versions()):
        print(line)
    if not complete:
        print("Time ran out before every trial was held: run the same command again to go on.", file=sys.stderr)
    return 0 if complete else 3


def tell(name: str, trials: Sequence[trial.Trial]) -> None:
    """Say what was done, and what came to no verdict."""
    print(f"{name}: {len(trials)} trials, {sum(one.seconds for one in trials):.0f} s", file=sys.stderr, flush=True)
    for one in trials:
        if one.problem:
            print(f"  {one.server}: {one.problem[:400]}", file=sys.stderr, flush=True)


def _forget(folder: Path) -> None:
    for file in folder.glob("*/*.json"):
        file.unlink()


if __name__ == "__main__":
    sys.exit(main())
