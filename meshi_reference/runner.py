"""Keeps the background tasks of the runs that have not ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

Execute = Callable[[int], Awaitable[None]]
"""Takes the run with this sequence number to its end; raises nothing but a cancellation."""


class Runner:
    """Keeps the tasks of the runs that have not ended."""

    def __init__(self) -> None:
        self._execute: Execute | None = None
        self._generic_runs_end = True
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_of_event: dict[int, asyncio.Task[None]] = {}

    def start(self, execute: Execute, unfinished: Iterable[tuple[int, int | None]], generic_runs_end: bool) -> None:
        """Begin to work, first on the (run, event) pairs that an earlier server left unfinished."""
        self._execute, self._generic_runs_end = execute, generic_runs_end
        for seq, event_seq in unfinished:
            self.schedule(seq, event_seq)

    def schedule(self, seq: int, event_seq: int | None) -> None:
        """Work on a run as soon as the earlier ones of its event have ended."""
        assert self._execute is not None
        if event_seq is None and not self._generic_runs_end:
            return
        before = None if event_seq is None else self._last_of_event.get(event_seq)
        task = asyncio.get_running_loop().create_task(self._run(self._execute, seq, before))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if event_seq is not None:
            self._last_of_event[event_seq] = task
            task.add_done_callback(lambda ended: self._forget(event_seq, ended))

    def _forget(self, event_seq: int, task: asyncio.Task[None]) -> None:
        if self._last_of_event.get(event_seq) is task:
            del self._last_of_event[event_seq]

    async def _run(self, execute: Execute, seq: int, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        await execute(seq)

    async def close(self) -> None:
        """Stop working; unfinished runs stay as they are and go on at the next start."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
