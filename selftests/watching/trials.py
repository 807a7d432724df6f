"""`python -m selftests.watching.trials`: what the watcher finds in recordings, without false alarms.

Each fault and variation gets a run of the suite, as in `python -m selftests.detection`; then the run's spool is judged
again by the watcher, once as it is and once with --complete. 0 only if no variation is blamed and enough faults are
found. `--recordings DIR` keeps the recordings, and judges those that are there already without another run. Variations
that can hold on one server are recorded together. `--publish` writes the table by family into docs/traffic.md.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from meshi_conformance.contract.contract import load, root
from meshi_conformance.errors import UsageError
from meshi_conformance.report.text import one_line
from meshi_conformance.vocabulary import Verdict
from meshi_conformance.watching.traffic.recording import survey
from meshi_conformance.watching.watcher import Watcher
from meshi_reference import faults, variations
from meshi_reference.faults import Fault
from meshi_reference.variations import Variation

from ..detection.__main__ import sample
from ..detection.bundles import bundled, combined
from ..detection.trial import ERRED, FOUND, Court, Result, fits

ENOUGH = 0.7
"""The share of the faults without a special arrangement that has to be found from the recording alone."""

WAYS = {"as it is": False, "--complete": True}

RESULT = "result.json"
"""What the run itself found, beside the recording that is kept of it."""


@dataclass
class Seen:
    """What a recording showed, each way of judging it."""

    result: Result
    entry: Fault | Variation
    failed: dict[str, dict[str, str]] = field(default_factory=dict)

    def found(self, way: str) -> bool:
        """Tell whether a requirement fails that the fault breaks."""
        return any(fits(name, self.result.breaks) for name in self.failed.get(way, ()))


class Watching(Court):
    """Judges the spool of each trial before its folder is deleted; `kept` is where recordings stay."""

    def __init__(self, form: str, kept: Path | None = None) -> None:
        super().__init__(form)
        self.failed: dict[str, dict[str, dict[str, str]]] = {}
        self._kept = kept

    def watch(self, entries: Sequence[Fault | Variation], jobs: int) -> Iterator[Seen]:
        """Judge the recording of each entry; those that are kept already are not recorded again."""
        known = [one for one in entries if self._kept is not None and (self._kept / one.name / RESULT).is_file()]
        for entry in known:
            assert self._kept is not None
            folder = self._kept / entry.name
            result = Result(**json.loads((folder / RESULT).read_text(encoding="utf-8")))
            yield Seen(result, entry, {way: judged(folder, complete) for way, complete in WAYS.items()})
        others = {one.name: one for one in entries if one not in known}
        for result in self.hold(list(others.values()), jobs):
            yield Seen(result, others[result.name], self.failed.pop(result.name, {}))

    def _result(self, entry: Fault | Variation, folder: Path, seconds: float, status: int) -> Result:
        result = super()._result(entry, folder, seconds, status)
        spool = folder / "report" / "spool"
        if result.verdict != ERRED:
            self.failed[entry.name] = {way: judged(spool, complete) for way, complete in WAYS.items()}
        if result.verdict != ERRED and self._kept is not None:
            own = self._kept / entry.name
            shutil.copytree(spool, own, dirs_exist_ok=True)
            (own / RESULT).write_text(json.dumps(result.as_data()), encoding="utf-8")
        return result


def judged(spool: Path, complete: bool) -> dict[str, str]:
    """The requirements that fail in the recording of a run, with the reason.

    Raises UsageError for a folder that holds no exchanges: what was not recorded shows nothing.
    """
    files = [file for file in sorted(spool.glob("*.jsonl")) if file.stat().st_size]
    if not files:
        raise UsageError(f"No recording is in {spool}. The run before it kept none; see what it printed.")
    watcher = Watcher(load(), complete=complete)
    for exchange, coverage in survey(files, None).exchanges():
        watcher.see(exchange, coverage)
    return {one.requirement.id: one.reason for one in watcher.verdicts() if one.verdict == Verdict.FAIL}


def arranged(fault: Fault) -> bool:
    """Tell whether it takes a special arrangement to see a fault: another key, an opt-in, a listener, the old base."""
    requirements = [one for pattern in fault.breaks for one in load().matching(pattern)]
    return bool(fault.sees) or all(one.needs for one in requirements)


def main() -> int:
    """Run the trials that were asked for and print the table by family."""
    parser = argparse.ArgumentParser(prog="python -m selftests.watching.trials", description=__doc__)
    parser.add_argument("patterns", nargs="*", help="names of faults and variations, or patterns; default: all")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="of faults that repeat only each Nth")
    parser.add_argument("--kind", choices=("fault", "variation"), help="only faults, or only variations")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--recordings", type=Path, metavar="DIR", help="where recordings are kept and found again")
    parser.add_argument("--publish", action="store_true", help="write the table into docs/traffic.md")
    parser.add_argument("--report-dir", type=Path, default=root() / "reports", help="where watching.json is written")
    options = parser.parse_args()
    known: list[Fault | Variation] = []
    known += faults.load().values() if options.kind != "variation" else ()
    known += variations.load().values() if options.kind != "fault" else ()
    chosen = [
        one
        for one in known
        if not options.patterns or any(fnmatch.fnmatchcase(one.name, name) for name in options.patterns)
    ]
    chosen = sample(chosen, options.every) if options.every > 1 else chosen
    varied = [one for one in chosen if isinstance(one, Variation)]
    chosen = [*map(combined, bundled(varied)), *(one for one in chosen if isinstance(one, Fault))]
    court = Watching("fast", options.recordings)
    special = {one.name for one in chosen if isinstance(one, Fault) and arranged(one)}
    started = time.monotonic()
    seen: list[Seen] = []
    for one in court.watch(sorted(chosen, key=lambda one: isinstance(one, Fault)), options.jobs):
        seen.append(one)
        tell(one)
    erred = [one.result for one in seen if one.result.verdict == ERRED]
    for result in erred:
        print(f"{result.kind} {result.name} erred: {' / '.join(result.problems)[:600]}", flush=True)
    lines, short = table(seen, special)
    print("\n".join(lines))
    if options.publish:
        publish(lines)
    problems = [*blamed(seen), *short, *([f"{len(erred)} erred"] if erred else [])]
    options.report_dir.mkdir(parents=True, exist_ok=True)
    rows = [
        {"name": one.result.name, "kind": one.result.kind, "verdict": one.result.verdict, "breaks": one.result.breaks}
        | {"arranged": one.result.name in special, "failed": {way: sorted(found) for way, found in one.failed.items()}}
        for one in seen
    ]
    (options.report_dir / "watching.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"{len(seen)} trials in {time.monotonic() - started:.0f} s: {'; '.join(problems) or 'as it should be'}")
    return 1 if problems else 0


def tell(seen: Seen) -> None:
    """What went wrong in one trial, as it comes."""
    result = seen.result
    for way, failed in seen.failed.items():
        wrong = {
            name: reason for name, reason in failed.items() if not fits(name, [*result.breaks, *_allowed(seen.entry)])
        }
        for name, reason in list(wrong.items())[:6]:
            print(f"{result.kind} {result.name} ({way}) blames {name}: {one_line(reason)}", flush=True)


def _allowed(entry: Fault | Variation) -> Sequence[str]:
    """What may fail besides: consequences of a fault, deviations that a variation names."""
    return entry.also if isinstance(entry, Fault) else entry.deviates


def blamed(seen: Sequence[Seen]) -> list[str]:
    """Variations that a recording gives an alarm on."""
    found = []
    for one in seen:
        if isinstance(one.entry, Variation):
            wrong = {name for failed in one.failed.values() for name in failed}
            wrong -= {name for name in wrong if fits(name, one.entry.deviates)}
            if wrong:
                found.append(f"{one.result.name} is blamed for {', '.join(sorted(wrong)[:3])}")
    return found


PAGE = root() / "docs" / "traffic.md"
BEGIN, END = "<!-- table of the trials: begin -->", "<!-- table of the trials: end -->"


def publish(lines: Sequence[str]) -> None:
    """Write the table into the page on recordings, between its two marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    text = "\n".join([f"{before}{BEGIN}", "", "```", *lines, "```", "", f"{END}{after}"])
    PAGE.write_text(text, encoding="utf-8")


def table(seen: Sequence[Seen], special: set[str]) -> tuple[list[str], list[str]]:
    """Return the lines that tell what was found by family, and what is wrong with it."""
    columns = ("by the run", *WAYS)
    counts: dict[str, Counter[str]] = {}
    for one in seen:
        if one.result.kind != "fault" or one.result.verdict != FOUND:
            continue
        family = one.result.name.split(".")[0] + (" (arranged)" if one.result.name in special else "")
        row = counts.setdefault(family, Counter())
        row["by the run"] += 1
        for way in WAYS:
            row[way] += one.found(way)
    if not counts:
        return [], []
    plain = [row for family, row in counts.items() if not family.endswith("(arranged)")]
    total = sum(plain, Counter())
    form = "{:<28} {:>12} {:>12} {:>12}".format
    lines = [form("family of faults", *columns)]
    lines += [form(family, *(row[column] for column in columns)) for family, row in sorted(counts.items())]
    lines.append(form("all without arrangement", *(total[column] for column in columns)))
    if not total["by the run"]:
        return lines, []
    share = total["--complete"] / total["by the run"]
    lines.append(f"{share:.0%} of the faults without a special arrangement are found from the recording alone")
    return lines, [] if share >= ENOUGH else [f"{share:.0%} is less than {ENOUGH:.0%}"]


if __name__ == "__main__":
    sys.exit(main())
