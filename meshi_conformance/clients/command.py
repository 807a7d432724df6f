"""Running the client's command: bounded in time and output, and ended together with what it started."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError

OUTPUT_BYTES = 32 * 1024 * 1024
"""How much of what a client writes is kept; the rest is read and dropped."""

FLOOD_BYTES = 1024 * 1024 * 1024
"""A client that writes more is stopped."""

LAST_WORDS = 2.0
"""Seconds that a client has to end after SIGTERM."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, None where it was stopped; why it was stopped; and what it wrote."""

    code: int | None
    killed: str | None
    output: bytes
    complete: bool
    left_behind: bool


def check(command: Sequence[str]) -> None:
    """Raise UsageError, with the remedy, for a command that cannot be started."""
    name = command[0]
    if os.sep in name:
        if not Path(name).exists():
            raise UsageError(f"The command {name} does not exist. Give the client's command after `--`.")
        if Path(name).is_dir() or not os.access(name, os.X_OK):
            raise UsageError(
                f"The command {name} is not executable. Make it so (chmod +x), or name what runs it: -- python {name}"
            )
    elif shutil.which(name) is None:
        here = " A file of that name lies here: write ./" + name if Path(name).exists() else ""
        raise UsageError(f"The command {name!r} is not on the PATH.{here or ' Give its path, or install it.'}")


def environment(base: str, key: str, scenario: str) -> dict[str, str]:
    """Return the client's environment: ours, without any key of ours, and never by way of a proxy."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MESHI_")}
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = ",".join(filter(None, [kept.get(name, ""), "127.0.0.1"]))
    return {**kept, "MESHI_BASE": base, "MESHI_KEY": key, "MESHI_SCENARIO": scenario}


async def run(
    command: Sequence[str],
    variables: Mapping[str, str],
    deadline: float,
    stopped: asyncio.Future[str],
) -> Ended:
    """Run a command until it ends, for at most so many seconds, or until `stopped` says why it has to end.

    It gets a session of its own, and its whole process group ends with it. Raise UsageError where it cannot start.
    """
    # A pipe of our own: asyncio would wait for the end of its pipes, which a child of the client can hold open.
    from_client, to_us = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=to_us,
            stderr=to_us,
            env=dict(variables),
            start_new_session=True,
        )
    except OSError as problem:
        os.close(from_client)
        raise UsageError(f"The command {command[0]} cannot be started: {problem.strerror or problem}.") from None
    finally:
        os.close(to_us)
    output = _Output(stopped)
    reading = asyncio.create_task(output.read(from_client))
    waiting = asyncio.create_task(process.wait())
    try:
        over: set[asyncio.Future[Any]] = {waiting, stopped}
        await asyncio.wait(over, timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
        killed = None
        if not waiting.done():
            killed = stopped.result() if stopped.done() else f"it did not end within {deadline:g} s"
            await _end(process)
        left_behind = killed is None and _group_lives(process.pid)
        if left_behind:
            # Output that is on its way belongs to the client; its children may hold the pipe open for ever.
            await asyncio.wait({reading}, timeout=0.2)
            _signal(process.pid, signal.SIGKILL)
        await asyncio.wait({reading}, timeout=2.0)
    finally:
        _signal(process.pid, signal.SIGKILL)
        reading.cancel()
        waiting.cancel()
    return Ended(None if killed else process.returncode, killed, bytes(output.kept), output.complete, left_behind)


class _Output:
    """What a command writes, as far as it is kept."""

    def __init__(self, stopped: asyncio.Future[str]) -> None:
        self.kept = bytearray()
        self.complete = True
        self._stopped = stopped

    async def read(self, pipe: int) -> None:
        """Read to the end."""
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(pipe, "rb")
        )
        try:
            await self._read(stream)
        finally:
            transport.close()

    async def _read(self, stream: asyncio.StreamReader) -> None:
        seen = 0
        while data := await stream.read(65_536):
            seen += len(data)
            self.kept += data[: OUTPUT_BYTES - len(self.kept)]
            self.complete = seen <= OUTPUT_BYTES
            if seen > FLOOD_BYTES and not self._stopped.done():
                self._stopped.set_result(f"it wrote more than {FLOOD_BYTES // 2**20} MiB")


async def _end(process: Process) -> None:
    _signal(process.pid, signal.SIGTERM)
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.shield(process.wait()), LAST_WORDS)
        return
    _signal(process.pid, signal.SIGKILL)
    await process.wait()


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(OSError):
        os.killpg(group, number)
