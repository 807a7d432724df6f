"""`python -m selftests.realworld [PATTERN]`: every case, or those whose name fits, and what should have come of it.

The table goes to the terminal and to reports/realworld.md. The exit code is 1 where one differs, or where a component
is missing and `--strict` was given.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from fnmatch import fnmatch
from pathlib import Path

from meshi_reference.server import running
from meshi_reference.settings import Settings

from ..network.whole_runs.suite import ROOT
from .cases import CASES
from .components import missing
from .trial import attempt

TABLE = ROOT / "reports" / "realworld.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m selftests.realworld", description=__doc__)
    parser.add_argument("pattern", nargs="?", default="*", help="cases whose name fits, as in the shell")
    parser.add_argument("--strict", action="store_true", help="a component that is not installed is an error")
    parser.add_argument("--whole", action="store_true", help="judge every requirement in every case that is judged")
    options = parser.parse_args()
    rows: list[str] = []
    wrong = 0
    with running(Settings(run_seconds=0.02)) as reference, tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(one for one in CASES if fnmatch(one.name, options.pattern)):
            reason = missing(case.component)
            if reason:
                wrong += options.strict
                print(f"not run  {case.name}: {reason}", flush=True)
                rows.append(f"| {case.name} | {case.should} | not run: {reason} | |")
                continue
            tried = attempt(case, reference, Path(folder) / str(number), whole=options.whole and case.exit_code != 4)
            wrong += bool(tried.wrong)
            verdict = "as it should" if not tried.wrong else "; ".join(tried.wrong)
            print(f"{'ok' if not tried.wrong else 'WRONG':<8} {case.name} ({tried.seconds:.1f} s)", flush=True)
            print(f"         {tried.came}", flush=True)
            for one in tried.wrong:
                print(f"         - {one}", flush=True)
            came = tried.came.replace("|", "\\|").replace(folder, "…")
            rows.append(f"| {case.name} | {case.should} | {came} | {verdict} |")
    TABLE.parent.mkdir(exist_ok=True)
    header = "| Case | What should come | What came | Verdict |\n|---|---|---|---|\n"
    TABLE.write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    print(f"{len(rows)} cases, {wrong} wrong; {TABLE.relative_to(ROOT)}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
