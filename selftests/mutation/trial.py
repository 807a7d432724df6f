"""Runs a module's unit tests on each of its mutants, each in a process of its own."""

from __future__ import annotations

import importlib
import os
import resource
import signal
import sys
import time
import types
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from .mutants import Mutant

CPU_SECONDS = 20
"""What the tests of one mutant may use: a loop without end is noticed like any failure."""

SECONDS = 120
"""Where a mutant that waits for nothing is ended."""

BYTES = 4 << 30
"""The address space of one mutant's tests: a list that grows without end is noticed too."""

SURVIVED, KILLED, ERRED = "survived", "killed", "erred"


def tried(module: str, cases: Iterable[Mutant], arguments: Sequence[str], jobs: int) -> Iterator[tuple[Mutant, str]]:
    """Every mutant of a module with what its tests said of it, `jobs` at a time.

    Only a test that fails, a module that cannot be imported and a bound that is reached kill a mutant. Tests
    that could not be run say nothing about it: it has `erred`.
    """
    importlib.import_module(module)  # once, with all that it needs: the processes inherit that
    running: dict[int, Mutant] = {}
    for case in cases:
        if len(running) == jobs:
            yield _ended(running)
        process = os.fork()
        if process == 0:
            _judged(module, case, arguments)
        running[process] = case
    while running:
        yield _ended(running)


def _ended(running: dict[int, Mutant]) -> tuple[Mutant, str]:
    """Waits for any of these processes; this one may have other children."""
    while True:
        for process, case in running.items():
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                del running[process]
                return case, _told(status)
        time.sleep(0.005)


def _told(status: int) -> str:
    if os.WIFSIGNALED(status):
        return KILLED if os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGALRM) else ERRED
    said: dict[int, str] = {pytest.ExitCode.OK: SURVIVED, pytest.ExitCode.TESTS_FAILED: KILLED}
    return said.get(os.WEXITSTATUS(status), ERRED)


def _judged(module: str, case: Mutant, arguments: Sequence[str]) -> None:
    """End this process with what pytest says of the mutant."""
    code = int(pytest.ExitCode.INTERNAL_ERROR)
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        signal.alarm(SECONDS)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # the unit tests need none, and loading them takes longest
        code = _said(module, case, arguments)
    finally:
        os._exit(code)


def _said(module: str, case: Mutant, arguments: Sequence[str]) -> int:
    package, _, name = module.rpartition(".")
    before = sys.modules[module]
    mutated = types.ModuleType(module)
    mutated.__dict__.update(__file__=before.__file__, __package__=package)
    sys.modules[module] = mutated
    if package:
        setattr(sys.modules[package], name, mutated)
    try:
        exec(compile(case.source, str(before.__file__), "exec"), mutated.__dict__)
    except Exception:
        return int(pytest.ExitCode.TESTS_FAILED)
    return int(pytest.main([*arguments, "-x"]))


def source_of(module: str) -> str:
    """The source of a module."""
    file = importlib.import_module(module).__file__
    assert file is not None
    return Path(file).read_text(encoding="utf-8")
