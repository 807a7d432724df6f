"""Waiting for a run to end: never a blind sleep, always a deadline, and what was seen until then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import PollTimeout, SetupFailed, UnknownTerminalStatus
from ..exchanges.exchange import Exchange
from .api import Api

TERMINAL = frozenset({"succeeded", "partial", "failed"})
"""The statuses in which a run has ended (overview; canonical-flow, 5)."""

SURELY_ENDED = 6
"""Polls with a `terminal_at` after which a run has surely ended, whatever its status says."""

SURELY_ENDED_SECONDS = 1.0
"""Seconds between the first and the last of them, at least."""

SAID_EVERY = 3.0
"""Seconds between two notes that a wait goes on."""

PATIENCE_LOST = 3
"""Runs of one kind that did not end in time, after which the next ones are given up sooner."""


SHOWN_WITHIN = 5.0
"""Seconds within which a list shows what was written (contract/README.md, reads after a write)."""

SHOWN_SOON = 1.0
"""Seconds that are left for it once a list has not shown something in time."""

T = TypeVar("T")


def look_until(api: Api, what: str, look: Callable[[], T], holds: Callable[[T], bool]) -> T:
    """Look again until something holds, as long as a list may lag behind a write, and return the last look.

    `what` names the list. Once it has shown something too late, later looks are given up sooner: the first one
    has cost the time that the failure needs.
    """
    transport = api.transport
    patience = SHOWN_SOON if transport.late_lists[what] else SHOWN_WITHIN
    waited, pause = 0.0, 0.05
    while True:
        seen = look()
        if holds(seen):
            return seen
        # Pauses are counted, not the looks: a rate limit may hold back each of them for long.
        if waited >= patience:
            transport.late_lists[what] += 1
            return seen
        transport.sleep(pause)
        waited += pause
        pause = min(pause * 2, 0.5)


def poll_to_end(api: Api, run_id: str) -> list[Exchange]:
    """Poll a run until its status is terminal and return every poll, the last one being terminal.

    The pause doubles from the target's first to its longest one, as canonical-flow advises. Raises
    PollTimeout with the states seen, UnknownTerminalStatus when the run has ended in no documented status, and
    SetupFailed when a poll is not answered with a run.
    """
    transport = api.transport
    target = transport.target
    started = time.monotonic()
    held = transport.rate_limited_seconds
    pause = target.poll_first
    polls: list[Exchange] = []
    seen: list[str] = []
    last: str | None = None
    ended: list[float] = []
    told = started
    while True:
        poll = api.get_run(run_id)
        waited = time.monotonic() - started
        if not poll.is_success:
            raise SetupFailed(f"polling run {run_id}: {poll.summary}", f"getRun answered {poll.status}")
        polls.append(poll)
        status = poll["status"]
        if not isinstance(status, str):
            raise SetupFailed(f"run {run_id[:80]} has status {status!r}"[:200], "runs have a status that is not a text")
        if status != last:
            seen.append(f"{status[:80]} at {waited:.1f} s")
            last = status
        kind = str(poll.json.get("kind"))[:40]
        what = f"{kind} run {run_id} to end"[:200]
        if status in TERMINAL:
            transport.ended_runs[kind].append(waited)
            transport.recorder.waited(what, waited, _brief(seen))
            return polls
        ended = [*ended, waited] if poll.json.get("terminal_at") else []
        if len(ended) >= SURELY_ENDED and waited - ended[0] >= SURELY_ENDED_SECONDS:
            raise UnknownTerminalStatus(
                f"run {run_id[:80]} ended at {poll['terminal_at']} and its status is {status!r}"[:300],
                "runs end in a status that is not documented",
            )
        # What the target's rate limit held back is not the run's time.
        deadline = _deadline(api, kind) + transport.rate_limited_seconds - held
        if waited + pause > deadline:
            transport.late_runs[kind] += 1
            transport.recorder.waited(what, waited, _brief(seen))
            raise PollTimeout(
                f"run {run_id[:80]} did not end within {deadline:.0f} s; seen: {', '.join(_brief(seen))}, "
                f"and {status[:80]} still at {waited:.1f} s; {_others(transport.ended_runs[kind], kind)}",
                f"{_article(kind)} {kind} run did not end in time",
            )
        if time.monotonic() - told >= SAID_EVERY:
            told = time.monotonic()
            transport.recorder.waiting(what, waited, status[:40])
        transport.sleep(pause)
        pause = min(pause * 2, target.poll_most)


def _deadline(api: Api, kind: str) -> float:
    """Return the seconds that a run of this kind may take: far less once several have not ended in time."""
    whole = api.transport.target.deadline(kind)
    return whole if api.transport.late_runs[kind] < PATIENCE_LOST else min(whole, max(2.0, whole / 20))


def _article(word: str) -> str:
    return "an" if word.startswith(("a", "e", "i", "o", "u")) else "a"


def _others(seconds: list[float], kind: str) -> str:
    """Return how long other runs of a kind took that ended on this target."""
    if not seconds:
        return f"no other {kind} run of this process has ended so far"
    took = f"after {min(seconds):.1f} s" if len(seconds) == 1 else f"after {min(seconds):.1f} to {max(seconds):.1f} s"
    return f"{len(seconds)} other {kind} run{'' if len(seconds) == 1 else 's'} of the org ended, {took}"


def _brief(seen: list[str]) -> list[str]:
    """Return the changes of status, at most 20 of them."""
    return seen if len(seen) <= 20 else [*seen[:10], f"{len(seen) - 20} more", *seen[-10:]]


def states(polls: list[Exchange]) -> list[Any]:
    """Return the statuses of a series of polls, each change once."""
    found: list[Any] = []
    for poll in polls:
        if not found or found[-1] != poll["status"]:
            found.append(poll["status"])
    return found
