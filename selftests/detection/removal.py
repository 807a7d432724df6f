"""`python -m selftests.detection.removal`: every test is needed. Takes tests away one by one and looks who notices.

Without a test either a requirement has no test left (the balance, selftests/balance), or a fault that breaks what the
test judges is missed by those that remain (the matrix). 0 only if each removal is noticed.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import sys
from collections import defaultdict

from meshi_reference import faults

from .trial import MISSED, Court, fits

TESTS = 20


def main() -> int:
    """Remove tests picked at random and say for each who noticed."""
    parser = argparse.ArgumentParser(prog="python -m selftests.detection.removal", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="picks the same tests again")
    parser.add_argument("--tests", type=int, default=TESTS, metavar="N", help=f"how many (default: {TESTS})")
    parser.add_argument(
        "--shared", action="store_true", help="pick among those whose requirements other tests judge as well"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    court = Court("fast")
    cited: dict[str, list[str]] = defaultdict(list)
    for name, tests in court.tests.items():
        for test in tests:
            cited[test].append(name)
    known = sorted(cited)
    if options.shared:
        known = [test for test in known if not lost(court, test, cited[test])]
    picked = random.Random(options.seed).sample(known, min(options.tests, len(known)))
    print(f"{len(picked)} of {len(known)} tests, seed {options.seed}", flush=True)
    unnoticed = 0
    for test in picked:
        said = noticed(court, test, cited[test], options.jobs)
        unnoticed += said is None
        print(f"{said or 'UNNOTICED'}\n    without {test}", flush=True)
    print(f"{len(picked) - unnoticed} of {len(picked)} removals noticed")
    return 1 if unnoticed else 0


def lost(court: Court, test: str, cited: list[str]) -> list[str]:
    """The requirements that no other test judges."""
    return [name for name in cited if court.tests[name] == [test]]


def noticed(court: Court, test: str, cited: list[str], jobs: int) -> str | None:
    """What fails without a test: the balance or the matrix; None where nothing does."""
    alone = lost(court, test, cited)
    if alone:
        return f"balance: {alone[0]} has no test" + (f", nor have {len(alone) - 1} others" if alone[1:] else "")
    concerned = [one for one in faults.load().values() if any(fits(name, one.breaks) for name in cited)]
    court.removed = test
    trials = court.hold(concerned, jobs)
    try:
        for result in trials:
            if result.verdict == MISSED:
                return f"matrix: {result.name} is missed"
    finally:
        trials.close()
        court.removed = None
    return None


if __name__ == "__main__":
    sys.exit(main())
