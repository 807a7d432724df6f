"""`python -m benchmarks.costs`: measures what each test and each part of the shared data costs (`make costs`).

One run over everything against the embedded reference, in one process, where each part is built when it is first read.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from meshi_conformance.exchanges.created_rows import Row
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.exchanges.recorder import Recorder
from meshi_conformance.plugin.judging import is_generated
from meshi_conformance.plugin.planning.costs import Cost, Costs, write
from meshi_conformance.plugin.start.launch import pytest_main
from meshi_conformance.testing.shared_data import World

SEED = "1"


class Measure:
    """Counts what is sent, and who reads which part."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.created: Counter[str] = Counter()
        self.reads: dict[str, list[str]] = defaultdict(list)
        self.tests: dict[str, bool] = {}
        self.parts: set[str] = set()
        self._now = [""]

    def attach(self, patch: pytest.MonkeyPatch) -> None:
        """Look over the shoulder of the recorder and of the world."""
        exchange, created, build, get = Recorder.exchange, Recorder.created, World._build, World.get

        def sent(recorder: Recorder, one: Exchange) -> None:
            self.requests[self._now[-1]] += recorder._keeps
            exchange(recorder, one)

        def row(recorder: Recorder, one: Row) -> None:
            self.created[self._now[-1]] += one.count
            created(recorder, one)

        def make(world: World, name: str) -> Any:
            self.parts.add(name)
            self._now.append(f"part {name}")
            try:
                return build(world, name)
            finally:
                self._now.pop()

        def read(world: World, name: str) -> Any:
            if name not in self.reads[self._now[-1]]:
                self.reads[self._now[-1]].append(name)
            return get(world, name)

        patch.setattr(Recorder, "exchange", sent)
        patch.setattr(Recorder, "created", row)
        patch.setattr(World, "_build", make)
        patch.setattr(World, "get", read)
        patch.setattr(World, "prefetch", lambda world, names: None)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self._now = [item.nodeid]
        self.tests[item.nodeid] = is_generated(item)
        try:
            return (yield)
        finally:
            self._now = [""]

    def costs(self) -> Costs:
        """Return what was measured."""
        return Costs(
            {name: self._cost(name, generated) for name, generated in self.tests.items()},
            {name: self._cost(f"part {name}") for name in self.parts},
        )

    def _cost(self, name: str, generated: bool = False) -> Cost:
        reads = tuple(sorted(self.reads[name]))
        return Cost(self.requests[name], self.created[name], reads, generated)


def main() -> int:
    """Measure and write; nothing is written where the run has no verdict."""
    measure = Measure()
    with tempfile.TemporaryDirectory(prefix="meshi-costs-") as made, pytest.MonkeyPatch.context() as patch:
        measure.attach(patch)
        code = pytest_main(["-q", "-n", "0", "--seed", SEED, "--report-dir", str(Path(made) / "report")], [measure])
    if code:
        print(f"The reference was not judged conformant (exit code {code}), so nothing was written.", file=sys.stderr)
        return code
    write(measure.costs())
    return 0


if __name__ == "__main__":
    sys.exit(main())
