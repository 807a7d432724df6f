"""The background side of runs: one task for each run, in small transactions that survive a restart.

Runs of one event follow each other in the order of their acceptance, so that an enrichment asked for right
after an import sees the imported rows. Runs of different events overlap.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
from collections.abc import Callable
from typing import Protocol

from .resources import runs
from .resources.enrichment import EnrichmentWork
from .resources.importing import ImportWork
from .resources.matching import MatchWork
from .services import Services
from .storage import Row

log = logging.getLogger(__name__)

QUEUED_SHARE = 0.3
"""Part of a run's time that it stays queued."""
FULL_DISK_SECONDS, MOST_FULL_DISK_SECONDS = 0.25, 10.0
"""How long a run waits at first, and at most, before it tries again to write to a disk that was full."""
STEPS = 4
"""A small run reports its progress in about as many steps."""


class Work(Protocol):
    """What one kind of run does. Every method runs inside one transaction."""

    chunk: int
    """Most units in one step, so that requests are not kept waiting."""

    def prepare(self) -> bool:
        """Load a part of what the work needs; True while there is more."""

    def begin(self) -> int:
        """Set the initial progress; the number of units to do."""

    def step(self, size: int) -> bool:
        """Do up to `size` units and store the progress; return True when nothing is left."""

    def finish(self) -> str:
        """Clean up; the terminal status."""


class GenericWork:
    """A run outside event scope: there is nothing to do, its progress is the client's."""

    chunk = 1

    def __init__(self, services: Services, run: Row) -> None:
        self.services, self.run = services, run

    def prepare(self) -> bool:
        """Load nothing."""
        return False

    def begin(self) -> int:
        """Count one unit: to exist."""
        return 1

    def step(self, size: int) -> bool:
        """Finish at once."""
        return True

    def finish(self) -> str:
        """Succeed always."""
        return "succeeded"


WORK: dict[str, Callable[[Services, Row], Work]] = {
    "import": ImportWork,
    "enrichment": EnrichmentWork,
    "match": MatchWork,
}


def work_of(services: Services, run: Row) -> Work:
    """Return the work of a run."""
    return (GenericWork if run["event_seq"] is None else WORK[run["kind"]])(services, run)


def step_size(total: int, chunk: int) -> int:
    """Return the units in each step: few enough that progress is seen to grow, and never more than a chunk."""
    return max(1, min(chunk, math.ceil(total / STEPS)))


async def complete(services: Services, seq: int) -> None:
    """Take a run to its end whatever happens: where its work breaks it fails, and while the disk is full it waits."""
    pause = FULL_DISK_SECONDS
    broken: Exception | None = None
    while True:
        try:
            if broken is None:
                await execute(services, seq)
            else:
                fail_run(services, seq, broken)
            return
        except Exception as error:
            if _is_full_disk(error):
                # What was accepted is not given up for want of room: the last step is made again when there is some.
                log.warning("run %s waits: %s", seq, error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, MOST_FULL_DISK_SECONDS)
            elif broken is None:
                broken = error
            else:
                raise


def _is_full_disk(error: Exception) -> bool:
    codes = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
    return isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 0) & 0xFF in codes


async def execute(services: Services, seq: int) -> None:
    """Take a run from its present status to its end. Cancelling leaves it where the last step ended."""
    storage, seconds = services.storage, services.settings.run_seconds
    run = runs.load_run(services, seq)
    work = work_of(services, run)
    if run["status"] != "running":
        await asyncio.sleep(seconds * QUEUED_SHARE)
        for status in runs.states_before_running(services.settings):
            with storage.transaction():
                runs.transition(services, seq, status)
            await asyncio.sleep(seconds * QUEUED_SHARE)
    while work.prepare():
        await asyncio.sleep(0)
    with storage.transaction():
        if run["status"] != "running":
            runs.transition(services, seq, "running")
        total = work.begin()
    size = step_size(total, work.chunk)
    pause = seconds * (1 - QUEUED_SHARE) / max(1, math.ceil(total / size))
    done = False
    while not done:
        await asyncio.sleep(pause)
        with storage.transaction():
            done = work.step(size)
    with storage.transaction():
        runs.transition(services, seq, work.finish())


def fail_run(services: Services, seq: int, error: Exception) -> None:
    """End a run whose work broke: `failed`, with an error that says so."""
    log.error("run %s failed", seq, exc_info=error)
    with services.storage.transaction():
        runs.transition(
            services, seq, "failed", {"code": "INTERNAL_ERROR", "message": "the run broke; start another one"}
        )
