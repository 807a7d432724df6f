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
    found: Trace | None = None
    """The first call below the event that was accepted."""
    shown: dict[str, tuple[Any, Trace]] = field(default_factory=dict)
    """What answers about the event alone showed last, member by member."""
    listed: dict[str, tuple[Any, Trace]] = field(default_factory=dict)
    """The same of the event's row in the list."""
    updated: Trace | None = None
    """The last update of its context."""
    answered: tuple[dict[str, Any], Trace] | None = None
    """The context in the answer to an update."""
    refused_update: tuple[dict[str, Any], Trace] | None = None
    refused_again: tuple[dict[str, Any], Trace] | None = None
    """The last creation of the same ID that was refused because the ID is taken."""


@dataclass
class SessionRow:
    """A session whose creation was seen."""

    event_id: str
    request: dict[str, Any]
    trace: Trace
    found: Trace | None = None
    shown: dict[str, tuple[Any, Trace]] = field(default_factory=dict)
    refused_again: tuple[dict[str, Any], Trace] | None = None


@dataclass
class AttendeeRow:
    """An attendee of an event whom an import named: each import's values, with the run that carries them."""

    imports: list[tuple[dict[str, Any], str, Trace]] = field(default_factory=list)


@dataclass
class Roster:
    """Whom imports into an event named: `imports` the last ones that were accepted, with run, IDs and time.

    `unknown` says that an import may have named others, because its rows cannot be read or are too many. `named` is
    every ID in an accepted import; `refused` are IDs in calls that were to import nothing, with the requirement.
    """

    imports: list[tuple[str, frozenset[str], Trace]] = field(default_factory=list)
    named: set[str] = field(default_factory=set)
    refused: dict[str, tuple[str, Trace]] = field(default_factory=dict)
    unknown: bool = False


@dataclass
class WholeWalk:
    """A list that was walked from its first page to its end."""

    family: str
    first: Trace
    ids: frozenset[Hashable]


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
    kind: Any = None
    """The kind that a call of `POST /runs` named."""


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
        self.rosters: Bounded[tuple[str, str], Roster] = Bounded(2_000)
        self.events_of: Bounded[tuple[str, str], str] = Bounded(60_000)
        """The event into which an attendee was imported last."""
        self.open_reviews: Bounded[tuple[str, str], Trace] = Bounded(10_000)
        """Reviews that a queue showed as open."""
        self.refused_decisions: Bounded[tuple[str, str], tuple[str, Trace]] = Bounded(5_000)
        """Refused decisions on reviews, with the requirement that such a refusal leaves the review open."""
        self.no_reviews: Bounded[tuple[str, str], Trace] = Bounded(2_000)
        """When the queue of an event was seen to be empty."""
        self.walked: WholeWalk | None = None
        """The walk that the exchange under way has brought to its end."""
        self.alike: Bounded[tuple[str, str, str], list[str]] = Bounded(20_000)
        """Event and session IDs that were created, by org, resource and their lower case."""
        self.mapped_early: Bounded[tuple[str, str, str], Trace] = Bounded(5_000)
        self.context_texts: Bounded[tuple[str, str], str] = Bounded(10_000)
        """The event whose context a text was written to, by org and text."""
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
