"""How many processes the tests are spread over, where the command line does not say.

xdist decides before anything is asked of the target whether there are workers at all, and starts them when the session
starts. Between the two the preflight has timed the target's answers: their number follows from that.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from ...contract import contract as contracts
from ...errors import UsageError
from .costs import load as load_costs

OWN_SECONDS = 0.004
"""What an exchange takes of a core: in the suite, and in a server on the same machine."""

START_SECONDS = 2.0
"""What the start of a worker takes of a core."""

MOST = 8
"""More workers than this would load a target, and this machine's memory, for little time gained."""

SPARE = 1.5
"""Workers for a rate limit, as a multiple of those that reach it while none of them waits for a run."""

FEW, FEW_ON_LOOPBACK = 60, 400
"""Requests up to which one process is as fast: of a target that may be slow, and of the embedded one."""

CHUNK = 2
"""Tests that a worker is given at a time: the fewest that xdist gives, as some tests take a hundred times others."""

SET_BY_USER = "PYTEST_XDIST_AUTO_NUM_WORKERS"
"""xdist's own variable for the number of workers of `-n auto`."""


_FOLLOWS_TARGET = pytest.StashKey[bool]()


def leave_open(config: pytest.Config) -> None:
    """Leave the number of workers to the suite where there can be workers and the command line does not give it."""
    option = config.option
    if not config.pluginmanager.hasplugin("xdist"):
        return
    if option.maxschedchunk is None:
        option.maxschedchunk = CHUNK
    if os.environ.get(SET_BY_USER) or option.collectonly:
        return
    if option.numprocesses is None and option.dist == "no" and not option.tx:
        # Workers have no terminal: neither a debugger nor what a test prints could be seen.
        if option.usepdb or option.trace or option.capture == "no":
            return
        option.numprocesses = "auto"
    config.stash[_FOLLOWS_TARGET] = option.numprocesses == "auto"


def first_guess(config: pytest.Config) -> int | None:
    """Return 0 where the selection is too small for workers, else the number of cores; None for xdist's own number."""
    if not config.stash.get(_FOLLOWS_TARGET, False):
        return None
    is_embedded = (config.option.target or os.environ.get("MESHI_BASE", "reference")) == "reference"
    few = FEW_ON_LOOPBACK if is_embedded else FEW
    return cores() if selected_requests(config) > few and (cores() > 1 or not is_embedded) else 0


def selected_requests(config: pytest.Config) -> int:
    """Return about how many requests the selected tests make, before they are collected; 0 where that is unknown."""
    option, costs = config.option, load_costs()
    if option.keyword or any("::" in word for word in option.file_or_dir):
        return 0
    files = {Path(word).name for word in option.file_or_dir if word.endswith(".py")}
    tests = [one for one in costs.tests if not files or Path(one.partition("::")[0]).name in files]
    requests, _ = costs.total(tests, generated=option.profile != "none")
    try:
        contract = contracts.load()
        share = len(contract.select(option.requirements)) / len(contract.select([]))
    except UsageError:  # told when the session starts, where a report can say it too
        return 0
    return round(requests * share)


def adapt(config: pytest.Config, answer_seconds: float, rate: float | None) -> int | None:
    """Set the number of workers that fits the target; return it, and None where the command line decided.

    `answer_seconds` is what the preflight saw one answer take, `rate` the requests per second that may be sent.
    """
    option = config.option
    if not config.stash.get(_FOLLOWS_TARGET, False) or not option.numprocesses:
        return None
    number = fitting(selected_requests(config), answer_seconds, rate, cores())
    number = min(number, option.maxprocesses or number)
    option.tx = ["popen"] * number
    option.numprocesses = number
    return number


def fitting(requests: int, answer_seconds: float, rate: float | None, cores: int) -> int:
    """Return how many workers end soonest: each costs its start, and shares the waiting for answers.

    More workers than the cores can feed, or than a rate limit lets send, gain nothing.
    """
    waiting = max(0.0, answer_seconds - OWN_SECONDS)
    each = waiting + OWN_SECONDS
    best = math.sqrt(requests * each * cores / START_SECONDS)
    fed = cores * each / OWN_SECONDS
    admitted = math.ceil(SPARE * rate * each) if rate else MOST
    return max(1, min(MOST, int(best), int(fed), admitted))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
