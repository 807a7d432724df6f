"""Waiting for a run to end: never a blind sleep, always a deadline, and what was seen until then."""

from __future__ import annotations

import time
from typing import Any

from .client import Api
from .errors import CouldNotArrange, DeadlinePassed, EndedOtherwise
from .exchange import Exchange

TERMINAL = frozenset({"succeeded", "partial", "failed"})
"""The statuses in which a run has ended (overview; canonical-flow, 5)."""

SURELY_ENDED = 6
"""Polls in a row with a `terminal_at` after which a run has surely ended, whatever its status says."""


def poll_to_end(api: Api, run_id: str) -> list[Exchange]:
    """Polls a run until its status is terminal and returns every poll, the last one being terminal.

    The pause doubles from the target's first to its longest one, as canonical-flow advises. Raises
    DeadlinePassed with the states seen, EndedOtherwise when the run has ended in no documented status, and
    CouldNotArrange when a poll is not answered with a run.
    """
    target = api.transport.target
    started = time.monotonic()
    pause = target.poll_first
    polls: list[Exchange] = []
    seen: list[str] = []
    while True:
        poll = api.get_run(run_id)
        waited = time.monotonic() - started
        if not poll.accepted:
            raise CouldNotArrange(f"polling run {run_id}: {poll.summary}", f"getRun answered {poll.status}")
        polls.append(poll)
        status = poll["status"]
        if not isinstance(status, str):
            raise CouldNotArrange(f"run {run_id} has status {status!r}"[:200], "runs have a status that is no text")
        if not seen or seen[-1].split(" ")[0] != status:
            seen.append(f"{status} at {waited:.1f} s")
        if status in TERMINAL:
            api.transport.recorder.waited(f"run {run_id} to end", waited, seen)
            return polls
        if len(polls) >= SURELY_ENDED and all(one.json.get("terminal_at") for one in polls[-SURELY_ENDED:]):
            raise EndedOtherwise(
                f"run {run_id} ended at {poll['terminal_at']} and its status is {status!r}"[:300],
                "runs end in a status that is not documented",
            )
        if waited + pause > target.run_deadline:
            api.transport.recorder.waited(f"run {run_id} to end", waited, seen)
            raise DeadlinePassed(
                f"run {run_id} did not end within {target.run_deadline:.0f} s; seen: {', '.join(seen)}",
                f"a {poll.json.get('kind')} run did not end in time",
            )
        time.sleep(pause)
        pause = min(pause * 2, target.poll_most)


def states(polls: list[Exchange]) -> list[Any]:
    """The statuses of a series of polls, each change once."""
    found: list[Any] = []
    for poll in polls:
        if not found or found[-1] != poll["status"]:
            found.append(poll["status"])
    return found
