"""`python -m selftests.generation`: long trials of the generated tests.

`seeds`: runs with different seeds against the reference and all variations, several of them on one server; a bundle
that is blamed is tried again one by one, and no server may be blamed.
`hidden`: faults that the scripted tests miss and the generated ones find, as a table for docs/generated-tests.md.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace

from meshi_conformance.contract.contract import load
from meshi_conformance.generation.budget import Plan
from meshi_conformance.generation.cases import drafts
from meshi_reference import variations
from meshi_reference.variations import Variation

from ..detection.bundles import bundled, combined
from ..detection.trial import ERRED, FALSE_ALARM, Court, Result
from .faults import HIDDEN
from .searches import SEARCHES, seeds_until_found

BLAMED = (FALSE_ALARM, ERRED)
"""That a report misreads a choice is for the whole suite to show, not for generated calls alone."""

BUNDLE = 12
"""Variations of one bundle at most. No report of a bundle is read here, so its choices need not show one by one."""

NIGHTLY_SECONDS = 1800
"""How long one run of the nightly profile may take: it makes 28,500 requests."""


def main() -> int:
    """0 only if no right server was blamed, and each hidden fault was found by what is generated and nothing else."""
    parser = argparse.ArgumentParser(prog="python -m selftests.generation", description=__doc__)
    parser.add_argument("what", choices=("seeds", "hidden"))
    parser.add_argument("patterns", nargs="*", help="names of variations or hidden faults, or patterns; default: all")
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="how many seeds (default: 20)")
    parser.add_argument("--first", type=int, default=1, metavar="S", help="the first seed; the others follow it")
    parser.add_argument("--profile", choices=("quick", "nightly"), default="quick", help="default: %(default)s")
    parser.add_argument("--budget", type=int, metavar="N", help="requests of a run (default: the profile's)")
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1))
    options = parser.parse_args()

    def chosen(names: dict[str, object]) -> list[str]:
        patterns = options.patterns or ["*"]
        return [name for name in names if any(fnmatch.fnmatchcase(name, one) for one in patterns)]

    if options.what == "hidden":
        lines = list(hidden(chosen(dict(HIDDEN)), options.jobs))
        print("\n".join(line for line, _ in lines))
        return 0 if all(right for _, right in lines) else 1
    seeds = range(options.first, options.first + options.seeds)
    groups = bundled((variations.load()[name] for name in chosen(dict(variations.load()))), BUNDLE)
    return blame(groups, seeds, options)


def blame(groups: list[list[Variation]], seeds: range, options: argparse.Namespace) -> int:
    """Try conforming servers with each seed, and tell which were blamed; return 1 where one was."""
    court = Court("generated")
    budget, profile = options.budget, options.profile
    if profile == "nightly":
        court.longest_seconds = NIGHTLY_SECONDS
    members = {combined(group).name: group for group in groups}
    contract = load()
    started = time.monotonic()
    trials = requests = blamed = 0
    for seed in seeds:
        court.generate = [f"--seed={seed}", f"--profile={profile}", *([] if budget is None else [f"--budget={budget}"])]
        plan = Plan.of(SimpleNamespace(profile=profile, budget=budget, seed=seed))
        for operation in contract.operations:
            # Made up once here: every trial of this seed inherits them.
            drafts(operation, plan)
        results = [_told(one, seed) for one in court.hold([combined(group) for group in groups], options.jobs)]
        again = [one for result in results if result.verdict in BLAMED for one in members[result.name]]
        results += [_told(one, seed) for one in court.hold(again, options.jobs)]
        trials += len(results)
        requests += sum(one.requests for one in results)
        blamed += sum(one.verdict in BLAMED for one in results)
        seconds = time.monotonic() - started
        print(f"seed {seed}: {trials} runs, {requests} requests, {blamed} false alarms, {seconds:.0f} s", flush=True)
    return 1 if blamed else 0


def _told(result: Result, seed: int) -> Result:
    """Print a blamed server as soon as it is known: a seed of the nightly profile takes half an hour."""
    if result.verdict in BLAMED:
        print(f"{result.verdict.upper()} {result.name}, seed {seed}")
        for what in [*result.problems, *(f"{one}: {result.reasons.get(one)}" for one in result.unrelated)]:
            print(f"    {' '.join(what.split())[:600]}", flush=True)
    return result


def hidden(names: list[str], jobs: int) -> Iterator[tuple[str, bool]]:
    """Rows of the table, and whether each is as it should be."""
    # No fault of the list may hide behind a requirement that is judged by generated calls alone.
    scripted = {one.name: one for one in Court("scripted").hold([HIDDEN[name] for name in names], jobs)}
    yield "| Fault | Scripted tests | Found by | Requests at most | Runs needed |", True
    yield "|---|---|---|---|---|", True
    for name in names:
        number, seen = seeds_until_found(name)
        one = scripted[name]
        failed = [*one.by, *one.unrelated]
        said = f"{one.requests:,} exchanges: " + ("nothing" if not failed else ", ".join(failed))
        said = f"ERRED {one.problems}" if one.problems else said
        needed = f"MISSED {seen}" if number is None else str(number)
        search = SEARCHES[name]
        yield (
            f"| {HIDDEN[name].sentence} | {said} | {search.what} | {search.requests:,} | {needed} |",
            not failed and not one.problems and number is not None,
        )


if __name__ == "__main__":
    sys.exit(main())
