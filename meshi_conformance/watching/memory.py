"""What the watcher remembers of the orgs that it sees, within bounds."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from .bounded import Bounded
from .observation import Trace


@dataclass
class EventRow:
    """An event whose creation was seen: the request, the times that the answer showed, and what was added to it."""

    request: dict[str, Any]
    created_at: Any
    updated_at: Any
    trace: Trace
    shown_created_at: Any = None
    contexts: dict[str, list[tuple[Any, Trace]]] = field(default_factory=dict)
    last_write: Trace | None = None


@dataclass
class SessionRow:
    """A session whose creation was seen."""

    event_id: str
    request: dict[str, Any]
    trace: Trace


@dataclass
class AttendeeRow:
    """An attendee of an event whom an import named: each import's values, with the run that carries them."""

    imports: list[tuple[dict[str, Any], str, Trace]] = field(default_factory=list)


@dataclass
class RunRow:
    """A run, as the answer that started it and the polls since showed it."""

    id: str
    operation: str | None = None
    event_id: str | None = None
    request: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None
    started_by: Trace | None = None
    shown: tuple[dict[str, Any], Trace] | None = None
    ended: tuple[dict[str, Any], Trace] | None = None
    left_queue: Trace | None = None
    odd: list[Trace] = field(default_factory=list)
    read_by: list[tuple[str, Trace]] = field(default_factory=list)


@dataclass
class KeyUse:
    """The first accepted use of an idempotency key that was seen."""

    operation: str
    event_id: str | None
    body: Any
    run_id: str
    trace: Trace


FOREVER = float("inf")

MOST_CHANGES = 5_000


class Memory:
    """All of it, keyed by org first: partner IDs of two orgs may be equal.

    `complete` says that no request to these orgs is missing between the first and the last exchange.
    """

    def __init__(self, complete: bool = False) -> None:
        self.complete = complete
        self.events: Bounded[tuple[str, str], EventRow] = Bounded(10_000)
        self.sessions: Bounded[tuple[str, str, str], SessionRow] = Bounded(20_000)
        self.attendees: Bounded[tuple[str, str, str], AttendeeRow] = Bounded(60_000)
        self.runs: Bounded[tuple[str, str], RunRow] = Bounded(10_000)
        self.keys: Bounded[tuple[str, str], list[KeyUse]] = Bounded(20_000)
        self.changes: Bounded[Hashable, list[tuple[float, float, str]]] = Bounded(5_000)
        self.imports: Bounded[tuple[str, str], list[tuple[str, set[str], Trace]]] = Bounded(2_000)
        self.match_runs: Bounded[tuple[str, str], list[str]] = Bounded(5_000)

    def change(self, scope: Hashable, began: float, ended: float, run_id: str = "") -> None:
        """Remember that a list changed at some time between two moments; for a run's work until it is seen ended."""
        self.changes.put(scope, [*(self.changes.get(scope) or [])[-MOST_CHANGES:], (began, ended, run_id)])

    def run_ended(self, scope: Hashable, run_id: str, ended: float) -> None:
        """Note the moment at which the work of a run was over."""
        known = self.changes.get(scope)
        if known is not None:
            known[:] = [(a, min(b, ended) if id == run_id else b, id) for a, b, id in known]

    def changed(self, scope: Hashable, began: float, ended: float) -> bool:
        """Tell whether a list may have changed between two moments, as far as was seen."""
        return any(a <= ended and began <= b for a, b, _ in self.changes.get(scope) or ())
