"""What is known of the hidden faults, and how a finding is reported.

That each is found, `python -m selftests.generation hidden` shows.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from meshi_conformance.generation.repro_script import script
from meshi_conformance.generation.state_machine import explore

from .bench import RUN, bench, plan
from .faults import HIDDEN
from .searches import SEARCHES


def test_every_hidden_fault_has_a_search() -> None:
    assert set(SEARCHES) == set(HIDDEN)
    assert len(HIDDEN) >= 10


def test_a_walk_is_told_as_a_script_that_repeats_it(tmp_path: Path) -> None:
    with bench(HIDDEN["one-time-zone"]) as tools:
        found = explore(tools.api, tools.given, tools.calls, tools.contract, plan(1, model=3000)).findings
        assert found
        assert len(found[0].steps) <= 3, "the walk was not shortened"
        file = tmp_path / "walk.py"
        file.write_text(script(found[0], RUN, tools.contract), encoding="utf-8")
        environment = {**os.environ, **tools.env}
        ran = subprocess.run([sys.executable, file], env=environment, capture_output=True, text=True, check=True)
    assert '"timezone":"EAT"' in ran.stdout
