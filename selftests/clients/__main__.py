"""`python -m selftests.clients`: the long proof. Every bad client in every scenario, every good one many times.

It prints a table duty by client and ends with 1 where a bad client is missed or a good one is blamed.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from meshi_conformance.contract.contract import load

from .bad_clients import BAD_CLIENTS
from .good_clients import GOOD_CLIENTS
from .trial import python, tried_all


def bad(at_once: int) -> int:
    """Print what each bad client was found for; return how many were missed."""
    with tempfile.TemporaryDirectory() as folder:
        commands = []
        for number, one in enumerate(BAD_CLIENTS):
            program = Path(folder) / f"client_{number}.py"
            program.write_text(one.source(), encoding="utf-8")
            commands.append((python(program), ()))
        trials = asyncio.run(tried_all(commands, at_once))
    missed = 0
    unrelated = []
    for one, trial in zip(BAD_CLIENTS, trials, strict=True):
        failed = trial.failed()
        others = [name for name in failed if name not in (one.duty, *one.also)]
        unrelated.append(len(others))
        missed += one.duty not in failed
        print(
            f"{'found ' if one.duty in failed else 'MISSED'} {one.duty:38} {one.name:55} {' '.join(others)}", flush=True
        )
    print(
        f"bad clients: {len(BAD_CLIENTS) - missed} of {len(BAD_CLIENTS)} found; unrelated duties at the median: "
        f"{statistics.median(unrelated):g}"
    )
    return missed


def good(times: int, at_once: int) -> int:
    """Print the duties that good clients were blamed for; return how often."""
    blamed = 0
    implied = {one.id for one in load().duties.values() if one.level == "implied"}
    for name, command in GOOD_CLIENTS.items():
        alarms = 0
        # Each run has its number as an argument: the moody client behaves by it.
        commands = [([*command, str(number)], ()) for number in range(times)]
        for trial in asyncio.run(tried_all(commands, at_once)):
            for duty, why in trial.failed().items():
                alarms += 1
                print(f"ALARM {'implied ' if duty in implied else ''}{name}: {duty}: {why}", flush=True)
        blamed += alarms
        print(f"good client {name}: {times} runs of all scenarios, {alarms} alarms", flush=True)
    return blamed


def main() -> int:
    """Run both halves."""
    parser = argparse.ArgumentParser(prog="python -m selftests.clients", description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="runs of each good client (default: %(default)s)")
    parser.add_argument("--at-once", type=int, default=3, help="clients that run at a time (default: %(default)s)")
    parser.add_argument("--only", choices=("good", "bad"), help="one half alone")
    options = parser.parse_args()
    missed = 0 if options.only == "good" else bad(options.at_once)
    blamed = 0 if options.only == "bad" else good(options.times, options.at_once)
    return int(bool(missed or blamed))


if __name__ == "__main__":
    sys.exit(main())
