"""`python -m selftests.detection`: try the suite on every fault and variation; 0 only if all are judged rightly."""

from __future__ import annotations

import argparse
import fnmatch
import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from meshi_conformance.contract.contract import root
from meshi_reference import faults, variations
from meshi_reference.variations import Variation

from .bundles import bundled, combined
from .changed import changed_files, touched
from .matrix import write
from .trial import ERRED, FALSE_ALARM, MISREAD, MISSED, PASSED, Court, Result

MOST_MEDIAN_UNRELATED = 0
MOST_UNRELATED = 3
"""How many unrelated requirements may fail with a fault: in the median, and with any one."""


def main() -> int:
    """Run the trials that were asked for and write the matrix."""
    parser = argparse.ArgumentParser(prog="python -m selftests.detection", description=__doc__)
    parser.add_argument("patterns", nargs="*", help="names of faults and variations, or patterns; default: all")
    parser.add_argument("--kind", choices=("fault", "variation"), help="only faults, or only variations")
    parser.add_argument("--changed", action="store_true", help="only what the uncommitted change bears on, a sample")
    parser.add_argument("--full", action="store_true", help="the whole suite against every fault")
    parser.add_argument(
        "--behaviours",
        action="store_true",
        help="only variations, and of the suite only what shows the choices that they make",
    )
    parser.add_argument(
        "--every",
        type=int,
        default=1,
        metavar="N",
        help="of the faults that repeat per operation or field only each Nth; the others all",
    )
    parser.add_argument(
        "--bundles",
        type=int,
        default=1,
        metavar="N",
        help="in the fast form, of the bundles of variations only each Nth; each variation is in one bundle",
    )
    # Trials wait for runs and for each other: more of them than cores keep the cores busy.
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--report-dir", type=Path, default=root() / "reports", help="where the matrix is written")
    options = parser.parse_args()
    form = "full" if options.full else "behaviours" if options.behaviours else "fast"
    known: list[faults.Fault | Variation] = []
    if options.kind != "variation" and not options.behaviours:
        known += faults.load().values()
    if options.kind != "fault":
        known += variations.load().values()
    chosen = [
        entry
        for entry in known
        if not options.patterns or any(fnmatch.fnmatchcase(entry.name, one) for one in options.patterns)
    ]
    court = Court(form)
    if options.changed:
        chosen = touched(chosen, changed_files(), court.contract, court.tests)
        if not chosen:
            print("no fault and no variation bears on the change")
            return 0
    if options.every > 1:
        chosen = sample(chosen, options.every)
    if not chosen:
        parser.error("no fault and no variation has such a name; python -m meshi_reference --list-faults")
    started = time.monotonic()
    results: list[Result] = []
    for result in trials(court, chosen, options.jobs, options.bundles):
        results.append(result)
        if result.verdict in (MISSED, FALSE_ALARM, MISREAD, ERRED) or (form == "full" and too_many(result)):
            tell(result)
        if sys.stderr.isatty():
            print(f"\r{len(results)} of {len(chosen)}", end="", file=sys.stderr, flush=True)
    order = {entry.name: place for place, entry in enumerate(chosen)}
    results.sort(key=lambda one: order.get(one.name, len(order)))
    seconds = time.monotonic() - started
    problems = judge(results, form)
    write(options.report_dir, results, form, seconds, problems)
    print(f"{len(results)} trials in {seconds:.0f} s ({form} form): {'; '.join(problems) or 'all judged rightly'}")
    return 1 if problems else 0


def trials(court: Court, chosen: list[faults.Fault | Variation], jobs: int, every: int = 1) -> Iterator[Result]:
    """Try all entries; but in the full form variations in bundles, and singly where a bundle does not pass.

    Yields one result for each entry that was tried, and one for each bundle that raises a false alarm. Which choices a
    report names is asked of single variations alone: choices of one bundle can hide each other.
    """
    varied = [entry for entry in chosen if isinstance(entry, Variation)]
    groups = bundled(varied)[::every] if court.form in ("fast", "behaviours") else [[one] for one in varied]
    members = {combined(group).name: group for group in groups}
    again: list[faults.Fault | Variation] = []
    # The variations are slow and come first, so that nothing waits for them at the end.
    for result in court.hold([*map(combined, groups), *(one for one in chosen if one not in varied)], jobs):
        group = members.get(result.name, [])
        if len(group) > 1 and result.verdict == PASSED:
            yield from (replace(result, name=one.name, sentence=one.sentence, bundle=result.name) for one in group)
        elif len(group) > 1:
            if result.verdict != MISREAD:
                yield result
            again += group
        else:
            yield result
    yield from court.hold(again, jobs)


REPEATED = (
    *("account", "auth", "boundary", "codes", "content_type", "correlation", "envelope", "error", "isolation", "json"),
    *(
        "limits",
        "org",
        "principal",
        "schema",
        "scope",
        "server_errors",
        "shape",
        "status",
        "idempotency",
        "runs",
        "lists",
        "matching",
    ),
)
"""Areas whose faults are made in a loop: the same mistake on one operation or field after the other."""


def sample(entries: list[faults.Fault | Variation], every: int) -> list[faults.Fault | Variation]:
    """Each Nth of the faults that repeat, the other faults and every variation."""
    repeated = [one for one in entries if isinstance(one, faults.Fault) and one.name.split(".")[0] in REPEATED]
    left_out = {one.name for number, one in enumerate(repeated) if number % every}
    return [entry for entry in entries if isinstance(entry, Variation) or entry.name not in left_out]


def too_many(result: Result) -> bool:
    """Whether a fault makes more unrelated requirements fail than a good diagnosis allows."""
    return result.kind == "fault" and len(result.unrelated) > MOST_UNRELATED


def judge(results: list[Result], form: str) -> list[str]:
    """What is wrong with the judge: faults missed, false alarms, bad diagnosis."""
    found = [
        f"{count} {what}"
        for what in (MISSED, FALSE_ALARM, MISREAD, ERRED)
        if (count := sum(one.verdict == what for one in results))
    ]
    unrelated = [len(one.unrelated) for one in results if one.kind == "fault"]
    if form == "full" and unrelated:
        if statistics.median(unrelated) > MOST_MEDIAN_UNRELATED:
            found.append(f"median of unrelated failures {statistics.median(unrelated)}")
        if many := sum(too_many(one) for one in results):
            found.append(f"{many} with more than {MOST_UNRELATED} unrelated failures")
    return found


def tell(result: Result) -> None:
    """One result with what a person needs to understand it."""
    print(f"{result.verdict.upper()} {result.name}: {result.sentence}")
    if result.breaks:
        print(f"    breaks {', '.join(result.breaks)}; failed: {', '.join(result.by) or 'none of them'}")
    for name in result.unrelated[:10]:
        print(f"    unrelated: {name}")
    for name, reason in list(result.reasons.items())[:12]:
        print(f"    {name}: {' '.join(reason.split())[:240]}")
    for said in result.misread:
        print(f"    {said}")
    for problem in result.problems:
        print(f"    {problem}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
