"""Lets pytest find the suite's tests from any folder; `meshi-conformance run` loads it.

Without a path the suite's own tests are meant. A path that does not exist here and exists in the suite, as
the node IDs of a report do, means the suite's.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ...contract.contract import root


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Name the tests by absolute paths, in the arguments and in what pytest has read of them."""
    known = early_config.known_args_namespace
    chosen = list(known.file_or_dir)
    if not chosen:
        args.append(str(root() / "tests"))
        known.file_or_dir = [str(root() / "tests")]
        return
    meant = {word: _in_suite(word) for word in chosen}
    args[:] = [meant.get(word, word) for word in args]
    known.file_or_dir = [meant[word] for word in chosen]


def launched(config: pytest.Config) -> tuple[str, ...]:
    """Return the command that a run was started with: where only the wheel is installed, pytest finds no tests."""
    return ("meshi-conformance", "run") if config.pluginmanager.has_plugin(__name__) else ("pytest",)


def _in_suite(word: str) -> str:
    path, colons, rest = word.partition("::")
    if Path(path).exists() or not (root() / path).exists():
        return word
    return f"{root() / path}{colons}{rest}"
