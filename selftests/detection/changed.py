"""Which faults and variations a change bears on, so that a developer's check tries those alone."""

from __future__ import annotations

import inspect
import subprocess
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from meshi_conformance.contract.contract import Contract, root
from meshi_reference.faults import Fault
from meshi_reference.variations import Variation

from .trial import fits

MOST = 24
"""Trials of one check: about half a minute on two cores."""


def changed_files(base: str = "HEAD") -> list[str]:
    """Return the paths that differ from a commit, untracked ones included. Raises RuntimeError without git."""
    lines: list[str] = []
    for words in (["diff", "--name-only", base], ["ls-files", "--others", "--exclude-standard"]):
        done = subprocess.run(["git", *words], cwd=root(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"git {' '.join(words)} failed: {done.stderr.strip()}")
        lines += done.stdout.splitlines()
    return lines


def touched(
    entries: Iterable[Fault | Variation], files: Collection[str], contract: Contract, tests: Mapping[str, list[str]]
) -> list[Fault | Variation]:
    """Return the entries that changed files bear on, spread evenly over them and `MOST` at most.

    A fault is touched by a change of its own module, of a test that cites what it breaks, or of the requirements'
    file of that family; a variation by a change of the module that registers it.
    """
    families = {PurePosixPath(name).stem for name in files if name.startswith("requirements/")}
    cited = {one for one, nodes in tests.items() if any(node.split("::")[0] in files for node in nodes)}
    bound = cited | {name for name, one in contract.requirements.items() if one.family in families}
    found = [
        one
        for one in entries
        if _module(one) in files or (isinstance(one, Fault) and any(fits(name, one.breaks) for name in bound))
    ]
    step = max(1, -(-len(found) // MOST))
    return found[::step]


def _module(entry: Fault | Variation) -> str:
    """The path of the module that holds what the entry applies."""
    apply = entry.apply
    while isinstance(apply, partial):
        apply = apply.func
    file = Path(inspect.getsourcefile(inspect.unwrap(apply)) or ".").resolve()
    return file.relative_to(root()).as_posix() if file.is_relative_to(root()) else ""
