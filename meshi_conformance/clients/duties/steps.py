"""The first steps of an integration: scopes, the event, stable IDs (canonical-flow, steps 1 and 2; overview)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from ...vocabulary import CauseClass
from ..story import End, Step
from .judge import Judge

WRITE_SCOPE = "partner:write"
EVERYWHERE = ("plain",)
LOOKS = frozenset({"getEvent", "getEventContext", "listEvents", "getIdMapping"})
"""Reads that show an event, or that it is there."""


class ScopeConfirmed(Judge):
    duty = "client.scope.confirmed"
    shown_in = EVERYWHERE

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self._confirmed: Step | None = None
        self._told = False

    def answered(self, step: Step) -> None:
        if step.operation == "getAuth" and step.is_success:
            self._confirmed = self._confirmed or step

    def asked(self, step: Step) -> None:
        if not step.is_write or self._told:
            return
        self._told = True
        if self._confirmed is None:
            self.breaks("The first write was sent before /auth had named the scopes of the key", step)
        else:
            self.keeps(self._confirmed, step)

    def ended(self, end: End) -> None:
        if self._confirmed is not None and not self._told:
            self.keeps(self._confirmed)
        self._confirmed, self._told = None, False


class ScopeRespected(Judge):
    duty = "client.scope.respected"
    shown_in = ("read_only_key",)

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self._denied: Step | None = None

    def answered(self, step: Step) -> None:
        lacks = step.is_success and step.scopes is not None and WRITE_SCOPE not in step.scopes
        refused = step.delivered and (step.status, step.code) == (403, "INSUFFICIENT_SCOPE")
        if lacks or refused:
            self._denied = self._denied or step

    def asked(self, step: Step) -> None:
        if step.is_write and self._denied is not None and self.surely_after(self._denied, step):
            how = (
                "/auth did not list partner:write"
                if self._denied.status == 200
                else "a write had been refused with 403"
            )
            self.breaks(f"A write was sent although {how}", self._denied, step)

    def ended(self, end: End) -> None:
        if self._denied is not None:
            self.keeps(self._denied)
        self._denied = None


class _ExistingEvent(Judge):
    """Follows events whose creation was refused because they are there."""

    shown_in = ("event_exists", "rerun")

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self.sent: dict[str, Step] = {}
        self.conflicts: dict[str, Step] = {}
        self.looked: dict[str, Step] = {}
        self.used: dict[str, Step] = {}
        self.lost: set[str] = set()
        self.shown: dict[str, Mapping[str, Any]] = {}
        self.listed: Step | None = None

    def asked(self, step: Step) -> None:
        name = self._created_by(step)
        if name is not None:
            self.sent.setdefault(name, step)
        event = step.event
        if event is not None and step.operation not in LOOKS and event not in self.used:
            self.used[event] = step
            self.first_use(event, step)

    def first_use(self, event: str, step: Step) -> None:
        """Take the first request that builds on an event."""

    def answered(self, step: Step) -> None:
        name = self._created_by(step)
        if name is not None and step.effect and not step.delivered:
            self.lost.add(name)
        elif name is not None and (step.status, step.code) == (409, "PARTNER_ID_CONFLICT") and step.delivered:
            if name not in self.lost:  # else the conflict only says that the lost request was carried out
                self.conflicts.setdefault(name, step)
        elif step.operation in LOOKS and step.is_success:
            if step.operation == "listEvents":
                self.listed = self.listed or step
            elif step.operation == "getIdMapping":
                if step.parameters.get("kind") == "event":
                    self.looked.setdefault(step.parameters["partner_id"], step)
            elif step.event is not None:
                self.looked.setdefault(step.event, step)
                if step.operation == "getEvent":
                    self.shown[step.event] = step.shown

    def look_at(self, event: str) -> Step | None:
        """Return the read that showed the client an event."""
        return self.looked.get(event) or self.listed

    def found_without_asking(self, event: str) -> bool:
        """Return whether the client saw that an event was there, and never tried to create it."""
        return event in self.looked and event not in self.sent

    def differs(self, event: str) -> bool:
        """Return whether the event that was shown is not what the client was about to create."""
        if event not in self.shown or event not in self.sent:
            return False
        body = self.sent[event].facts.members
        return any(self.shown[event].get(name) != value for name, value in body.items() if value is not None)

    def reset(self) -> None:
        for kept in (self.sent, self.conflicts, self.looked, self.used, self.shown):
            kept.clear()
        self.lost.clear()
        self.listed = None

    @staticmethod
    def _created_by(step: Step) -> str | None:
        names = step.facts.names.get("event") if step.operation == "createEvent" else None
        return next(iter(names), None) if names else None


class ExistingEventFetched(_ExistingEvent):
    duty = "client.events.existing_fetched"

    def first_use(self, event: str, step: Step) -> None:
        if event in self.conflicts:
            look = self.look_at(event)
            if look is None:
                self.breaks(
                    "The event existed already, and the client went on without fetching it", self.conflicts[event], step
                )
            else:
                self.keeps(self.conflicts[event], look, step)
        elif self.found_without_asking(event):
            self.keeps(self.looked[event], step)

    def ended(self, end: End) -> None:
        for event, conflict in self.conflicts.items():
            if event not in self.used and self.look_at(event) is not None:
                self.keeps(conflict, self.look_at(event))
        self.reset()


class ExistingEventUsed(_ExistingEvent):
    duty = "client.events.existing_used"

    def first_use(self, event: str, step: Step) -> None:
        if event in self.conflicts:
            self.keeps(self.conflicts[event], step)
        elif self.found_without_asking(event):
            self.keeps(self.looked[event], step)

    def ended(self, end: End) -> None:
        for event, conflict in self.conflicts.items():
            if event in self.used:
                continue
            if self.differs(event):
                self.keeps(conflict, self.looked.get(event))
            elif end.killed:
                self.cannot_tell(
                    "the client was stopped before it could go on with an existing event", CauseClass.DEADLINE
                )
            else:
                others = [
                    step for name, step in self.sent.items() if name != event and step.arrived > conflict.answered
                ]
                instead = "created another one in its place" if others else "stopped"
                self.breaks(
                    f"The event {event[:60]!r} existed already with the client's content, and the client {instead}",
                    conflict,
                    self.looked.get(event),
                    *others[:1],
                )
        self.reset()


class StableIds(Judge):
    duty = "client.ids.stable"
    shown_in = ("rerun",)

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self._names: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._steps: dict[tuple[int, str], Step] = {}
        self._ends: dict[int, End] = {}

    def asked(self, step: Step) -> None:
        named = {kind: set(names) for kind, names in step.facts.names.items()}
        if step.event is not None and step.is_write:
            named.setdefault("event", set()).add(step.event)
        for kind, names in named.items():
            self._names[step.round][kind] |= names
            self._steps.setdefault((step.round, kind), step)

    def answered(self, step: Step) -> None:
        # A client that finds its event there may write nothing again; that it asks for it by the same ID is enough.
        if step.operation in ("getEvent", "getIdMapping") and step.is_success:
            name = step.event or step.parameters.get("partner_id", "")
            kind = step.parameters.get("kind", "event")
            if kind == "event":
                self._names[step.round]["event"].add(name)
                self._steps.setdefault((step.round, "event"), step)

    def ended(self, end: End) -> None:
        self._ends[end.round] = end
        if end.round == 1 or not self._names.get(1):
            return
        first, later = self._names[1], self._names[end.round]
        for kind in ("event", "session", "attendee"):
            if not first[kind] or not later[kind]:
                continue
            if later[kind] - first[kind] and first[kind] - later[kind]:
                self.breaks(
                    f"The second run gave other {kind} IDs than the first for the same data",
                    self._steps.get((1, kind)),
                    self._steps.get((end.round, kind)),
                )
            else:
                self.keeps(self._steps.get((1, kind)), self._steps.get((end.round, kind)))
