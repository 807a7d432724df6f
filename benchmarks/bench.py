"""`python -m benchmarks.bench`: where the time of a run goes, and what the same exchanges take without the suite.

Everything runs on embedded reference servers of this machine. Writes reports/bench.json and a table; nothing is
asserted: times belong to a machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from meshi_conformance.generation.budget import PROFILES
from meshi_conformance.target.keys import KEY_VARIABLES

from . import replay
from .running import PROJECT, Run, reference, run

SLOW_MILLISECONDS = 100
SLOW_WORKERS = 8
LIMIT = 20
"""Requests per second and key."""


def phases(one: Run) -> dict[str, float]:
    """Seconds of each phase of a recorded run. The world is prepared beside the first tests."""
    marks, tests, parts = one.times["marks"], one.times["tests"], one.times["parts"]
    first = min(exchange["started"] for exchange in one.exchanges)
    return {
        "start to first request": first - one.began,
        "collecting": marks["collected"] - marks["collecting"],
        "preparing the world (beside the tests)": _covered((part["started"], part["ended"]) for part in parts),
        "scripted tests": sum(test["ended"] - test["started"] for test in tests if not test["generated"]),
        "property-based tests": sum(test["ended"] - test["started"] for test in tests if test["generated"]),
        "report": marks["finished"] - marks["finishing"],
    }


def _covered(spans: Iterator[tuple[float, float]]) -> float:
    """How long at least one of the spans lasts."""
    total, reached = 0.0, 0.0
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def testing(one: Run) -> float:
    """Seconds from the first request to the end of the last test."""
    last = max(test["ended"] for test in one.times["tests"])
    return float(last - min(sent["started"] for sent in one.exchanges))


def replayed(one: Run, rounds: int) -> dict[str, Any]:
    """What the exchanges of a recorded run take with bare httpx, both ways; the median of some rounds."""
    steps = replay.prepare(one.exchanges)
    found: dict[str, Any] = {}
    for way in ("one_by_one", "overlapping"):
        outcomes, own, servers = [], [], []
        for _ in range(rounds):
            with reference() as (base, keys, cpu):
                client = replay.Replay(base, keys)
                before, before_server = time.process_time(), cpu()
                outcomes.append(getattr(client, way)(steps))
                own.append(time.process_time() - before)
                servers.append(cpu() - before_server)
        found[way] = {
            "seconds": statistics.median(outcome.seconds for outcome in outcomes),
            "client_cpu": statistics.median(own),
            "server_cpu": statistics.median(servers),
            "exchanges": len(steps),
            "same_status": min(outcome.same_status for outcome in outcomes),
            "polls_added": max(outcome.polls_added for outcome in outcomes),
        }
    found["seconds"] = min(found[way]["seconds"] for way in ("one_by_one", "overlapping"))
    return found


def linearity(factors: Sequence[int], arguments: Sequence[str]) -> list[dict[str, Any]]:
    """Exchanges and seconds of whole runs at multiples of the default budget of generated requests."""
    default = PROFILES["quick"].requests
    rows: list[dict[str, Any]] = []
    for factor in factors:
        one = run([*arguments, "--budget", str(default * factor)])
        tests = {test["nodeid"]: test["seconds"] for test in one.document["tests"]}
        rows.append(
            {
                "factor": factor,
                "budget": default * factor,
                "exchanges": one.count,
                "generated": sum(int(part.get("requests", 0)) for part in one.document["generated"]),
                "wall": one.wall,
                "cpu": one.cpu,
                "tests_seconds": sum(tests.values()),
                "peaks": one.peaks,
            }
        )
    first = rows[0]
    for row in rows[1:]:
        more = row["exchanges"] - first["exchanges"]
        row["milliseconds_per_further_exchange"] = 1000 * (row["wall"] - first["wall"]) / more if more > 0 else None
    return rows


class Parts:
    """The parts of a measurement, each kept in the file as soon as it is done."""

    def __init__(self, file: Path, settings: Mapping[str, Any]) -> None:
        self._file = file
        self.found: dict[str, Any] = {"schema_version": "1.0", "settings": dict(settings)}
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            kept = {}
        if not kept.get("complete") and kept.get("settings") == self.found["settings"]:
            self.found = kept

    def add(self, name: str, make: Callable[[], Any]) -> None:
        """Measure a part that is not kept from a run that was stopped; says on stderr that it starts."""
        if name in self.found:
            return
        print(f"{name} …", file=sys.stderr, flush=True)
        self.found[name] = make()
        self.write()

    def write(self, complete: bool = False) -> None:
        """Write all parts so far."""
        self.found["complete"] = complete
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(self.found, indent=1) + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """What it runs on, and how busy that was before."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "load_before": os.getloadavg()[0],
    }


def whole(rounds: int, arguments: Sequence[str]) -> dict[str, Any]:
    """The default run."""
    run(arguments)  # so that modules are compiled and files are in memory
    runs = [run(arguments) for _ in range(rounds)]
    wall = statistics.median(one.wall for one in runs)
    return {
        "wall": wall,
        "walls": [one.wall for one in runs],
        "cpu": statistics.median(one.cpu for one in runs),
        "peaks": runs[0].peaks,
        "exchanges": runs[0].count,
        "exchanges_per_second": runs[0].count / wall,
        "outcome": runs[0].document["outcome"],
    }


def against_replay(rounds: int, arguments: Sequence[str]) -> dict[str, Any]:
    """Recorded runs with their phases, and the replay of the one in the middle."""
    runs = sorted((run(arguments, record=True) for _ in range(rounds)), key=testing)
    middle = runs[len(runs) // 2]
    bare = replayed(middle, rounds)
    return {
        "wall": statistics.median(one.wall for one in runs),
        "testing": testing(middle),
        "cpu": statistics.median(one.cpu for one in runs),
        "exchanges": len(middle.exchanges),
        "phases": phases(middle),
        "replay": bare,
        "ratio": testing(middle) / bare["seconds"],
        "ratio_with_start_and_report": middle.wall / bare["seconds"],
    }


def with_workers(arguments: Sequence[str]) -> dict[str, Any]:
    """The default run on two workers."""
    one = run([*arguments, "-n", "2"])
    return {"count": 2, "wall": one.wall, "cpu": one.cpu, "peaks": one.peaks, "exchanges": one.count}


def elsewhere(arguments: Sequence[str]) -> dict[str, Any]:
    """Run against servers that are started apart, as any other target: a slow one, and one with a rate limit."""
    slow = _target(["--latency-ms", str(SLOW_MILLISECONDS)], [*arguments, "-n", str(SLOW_WORKERS)])
    limited = _target(["--rate-limit", f"{LIMIT}/1"], [*arguments, "-n", "4"])
    verdicts = [{row["id"]: row["verdict"] for row in one.document["requirements"]} for one in (slow, limited)]
    return {
        "slow": {
            "wall": slow.wall,
            "exchanges": slow.count,
            "outcome": slow.document["outcome"],
            "answers_alone": slow.count * SLOW_MILLISECONDS / 1000 / SLOW_WORKERS,
            "longest_test": max(test["seconds"] for test in slow.document["tests"]),
        },
        "limited": {
            "wall": limited.wall,
            "exchanges": limited.count,
            "outcome": limited.document["outcome"],
            "rate_limited": limited.document["exchanges"]["rate_limited"],
        },
        "verdicts_that_differ": sorted(name for name in verdicts[0] if verdicts[0][name] != verdicts[1].get(name)),
    }


def _target(server: Sequence[str], arguments: Sequence[str]) -> Run:
    with reference(*server) as (base, keys, _):
        return run(["--target", base, *arguments], variables={KEY_VARIABLES[role]: key for role, key in keys.items()})


def table(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures for people, in Markdown."""
    whole, scripted, recorded = (found[name] for name in ("whole run", "scripted part", "whole run, recorded"))
    yield "| What | Figure |"
    yield "|---|---|"
    yield f"| Machine | {found['machine']['cores']} cores, Python {found['machine']['python']} |"
    yield f"| Whole default run | {whole['wall']:.1f} s ({whole['exchanges']} exchanges, {whole['outcome']}) |"
    yield f"| CPU of the suite and the reference server | {whole['cpu']:.1f} s |"
    yield f"| Exchanges per second | {whole['exchanges_per_second']:.0f} |"
    for role, peak in sorted(whole["peaks"].items()):
        yield f"| Peak memory, {role} | {peak:.0f} MiB |"
    for name, seconds in recorded["phases"].items():
        yield f"| Phase: {name} | {seconds:.2f} s |"
    yield f"| Scripted part alone (`--profile none`), whole process | {scripted['wall']:.1f} s |"
    yield f"| Scripted part, first request to last test | {scripted['testing']:.1f} s |"
    for name, part in (("scripted part", scripted), ("whole run", recorded)):
        bare = part["replay"]
        for way in ("one_by_one", "overlapping"):
            yield (
                f"| Bare httpx, {name}, {way.replace('_', ' ')} | {bare[way]['seconds']:.1f} s "
                f"({bare[way]['same_status']} of {bare[way]['exchanges']} with the same status) |"
            )
        yield f"| Suite against bare httpx, {name} | {part['ratio']:.2f} |"
    yield f"| The same with start and report, scripted part | {scripted['ratio_with_start_and_report']:.2f} |"
    workers = found["two workers"]
    peak = max((value for role, value in workers["peaks"].items() if role.startswith("worker")), default=0)
    yield f"| With `-n 2` | {workers['wall']:.1f} s, at most {peak:.0f} MiB a worker |"
    for row in found["budgets"]:
        further = row.get("milliseconds_per_further_exchange")
        more = f", {further:.2f} ms for each further one" if further else ""
        yield f"| Budget times {row['factor']} | {row['wall']:.1f} s for {row['exchanges']} exchanges{more} |"
    slow, limited = found["other targets"]["slow"], found["other targets"]["limited"]
    differing = len(found["other targets"]["verdicts_that_differ"])
    yield (
        f"| {SLOW_MILLISECONDS} ms per answer, `-n {SLOW_WORKERS}` | {slow['wall']:.1f} s for {slow['exchanges']} "
        f"exchanges, whose answers alone take {slow['answers_alone']:.1f} s; "
        f"the longest test {slow['longest_test']:.1f} s |"
    )
    yield (
        f"| {LIMIT} requests per second and key, `-n 4` | {limited['wall']:.1f} s for "
        f"{limited['exchanges']} exchanges, {limited['rate_limited']} of them 429; "
        f"{differing} verdicts differ from the slow target's |"
    )


def main() -> int:
    """Measures and writes; always 0 where it came to figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=3, help="how often the main parts are measured (the median counts)"
    )
    parser.add_argument("--factors", type=int, nargs="*", default=[1, 4, 16], help="multiples of the default budget")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", metavar="PATTERN", help="only the tests of these requirements, to try the script out")
    parser.add_argument("--output", type=Path, default=PROJECT / "reports" / "bench.json")
    options = parser.parse_args()
    common = ["--seed", str(options.seed)]
    if options.only:
        common += ["--requirements", options.only]
    parts = Parts(options.output, {name: getattr(options, name) for name in ("rounds", "factors", "seed", "only")})
    parts.add("machine", machine)
    parts.add("whole run", lambda: whole(options.rounds, common))
    parts.add("scripted part", lambda: against_replay(options.rounds, [*common, "--profile", "none"]))
    parts.add("whole run, recorded", lambda: against_replay(options.rounds, common))
    parts.add("two workers", lambda: with_workers(common))
    parts.add("budgets", lambda: linearity(options.factors, common))
    parts.add("other targets", lambda: elsewhere(common))
    parts.write(complete=True)
    for line in table(parts.found):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
