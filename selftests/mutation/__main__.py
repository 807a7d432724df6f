"""`python -m selftests.mutation`: does a unit test notice every small change of what judges?

A mutant that no test notices has to be listed in survivors.yaml with the reason why no test can. Ends with 0 only
where every mutant was killed or is explained, and everything that is explained survives.
"""

from __future__ import annotations

import argparse
import ast
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from meshi_conformance.contract.contract import load, root

from .mutants import Mutant, mutants
from .trial import ERRED, KILLED, SURVIVED, source_of, tried

HERE = Path(__file__).parent
SURVIVORS = HERE / "survivors.yaml"

TESTS = {
    "meshi_conformance.exchanges.checks": "exchanges/test_checks.py",
    "meshi_conformance.verdicts.verdicts": "test_verdicts.py",
    "meshi_conformance.client.polling": "client/test_polling.py",
    "meshi_conformance.client.pagination": "client/test_pagination.py",
}
"""The modules that are mutated, each with the unit tests that have to notice."""


def main() -> int:
    """Try every mutant of the modules that were asked for, and compare what survives with the table."""
    parser = argparse.ArgumentParser(prog="python -m selftests.mutation", description=__doc__)
    short = {name.rpartition(".")[2]: name for name in TESTS}
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(short)}; default: all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    options = parser.parse_args()
    unknown = set(options.modules) - set(short)
    if unknown:
        parser.error(f"no such module: {', '.join(sorted(unknown))}")
    os.chdir(root())
    load()  # once for all processes
    problems = 0
    for name in options.modules or short:
        module = short[name]
        problems += judged(
            module, HERE.parent / "unit" / TESTS[module], explained(SURVIVORS).get(name, []), options.jobs
        )
    return 1 if problems else 0


def explained(table: Path) -> dict[str, list[str]]:
    """The names of the mutants that the table explains, by module."""
    rows: dict[str, list[dict[str, Any]]] = yaml.safe_load(table.read_text(encoding="utf-8")) or {}
    return {module: [name for row in found if row["why"] for name in row["mutants"]] for module, found in rows.items()}


def judged(module: str, tests: Path, excused: Sequence[str], jobs: int) -> int:
    """How many mutants of a module, and rows of the table, are not accounted for; each is printed."""
    started = time.monotonic()
    source = source_of(module)
    config = ["-c", str(HERE.parent / "pytest.ini"), f"--rootdir={HERE.parent}", f"--confcutdir={HERE.parent}"]
    arguments = [*config, str(tests)]
    unchanged = Mutant("unchanged", ast.unparse(ast.parse(source)))
    if [said for _, said in tried(module, [unchanged], arguments, 1)] != [SURVIVED]:
        print(f"{module}: {tests.name} does not pass on the module as it is")
        return 1
    cases = list(mutants(source))
    found = {case.name: said for case, said in tried(module, cases, arguments, jobs)}
    survived = [case.name for case in cases if found[case.name] == SURVIVED]
    problems = [f"not judged, its tests could not be run: {name}" for name, said in found.items() if said == ERRED]
    problems += [f"survives, and {SURVIVORS.name} does not say why: {one}" for one in survived if one not in excused]
    problems += [f"{SURVIVORS.name} explains what does not survive: {one}" for one in excused if one not in survived]
    killed = sum(said == KILLED for said in found.values())
    print(
        f"{module}: {len(cases)} mutants, {killed} killed, {len(survived)} survive, "
        f"{len(problems)} not accounted for; {time.monotonic() - started:.0f} s",
        *problems,
        sep="\n  ",
        flush=True,
    )
    return len(problems)


if __name__ == "__main__":
    sys.exit(main())
