"""The context of events: what an update wrote is what the answer and later reads show."""

from __future__ import annotations

from typing import Any

from .memory import EventRow
from .observation import Observation
from .rule import Rule, comparable, shown

CONTEXT = ("event_details", "objectives", "welcome_instructions")

KEPT = 12
"""Writes of one field that are remembered."""


class Contexts(Rule):
    """Context fields. Others may write them, too: reads are judged where every write was seen."""

    def see(self, seen: Observation) -> None:
        if seen.operation is None or seen.org is None:
            return
        name = seen.operation.id
        event = self.memory.events.get((seen.org, seen.parameters.get("event_id", "")))
        if name == "updateEventContext":
            self._update(seen, event)
        elif not seen.accepted or not seen.coverage.answer_body:
            return
        elif name == "getEventContext":
            self._names_event(seen)
            context = seen.answer.get("context")
            if event is not None and isinstance(context, dict):
                self._read(seen, event, context, "read_back")
        elif name == "getEvent" and event is not None:
            self._read(seen, event, seen.answer, "on_event")
        elif name == "listEvents":
            for row in seen.rows:
                listed = self.memory.events.get((seen.org, str(row.get("event_id"))))
                if listed is not None:
                    self._read(seen, listed, row, "listed")

    def _update(self, seen: Observation, event: EventRow | None) -> None:
        request = seen.request if isinstance(seen.request, dict) else {}
        lost = not seen.coverage.request_body
        maybe = seen.accepted or seen.status >= 500
        if event is not None and maybe:
            for name in CONTEXT:
                if name in request or lost:
                    writes = event.contexts.setdefault(name, [])
                    # A write that cannot be read may have been any value.
                    writes.append((request.get(name, ANYTHING) if seen.accepted and not lost else ANYTHING, seen.trace))
                    del writes[:-KEPT]
        if not seen.accepted or not seen.coverage.answer_body:
            return
        self._names_event(seen)
        context = seen.answer.get("context")
        if not isinstance(context, dict):
            return
        for name in CONTEXT:
            sent = request.get(name)
            if name not in context or not comparable(self.contract, "updateEventContext", name, sent):
                continue
            if event is not None and self._overlapped(event, name, seen):
                continue
            message = f"`{name}` is {shown(context[name])} in the answer; {shown(sent)} was sent"
            self.judge(context[name] == sent, f"context.read_back.{name}", seen, message)
            if not str(sent).isascii():
                self.judge(context[name] == sent, "context.text", seen, message)
            if len(request) == 1:
                self.tally.hold(f"context.alone.{name}")

    def _names_event(self, seen: Observation) -> None:
        self.names(seen, "context.event_id", "event", seen.parameters["event_id"], seen.answer.get("event_id"))

    def _overlapped(self, event: EventRow, name: str, seen: Observation) -> bool:
        return any(
            trace.id != seen.trace.id and trace.overlaps(seen.trace) for _, trace in event.contexts.get(name, ())
        )

    def _read(self, seen: Observation, event: EventRow, values: dict[str, Any], where: str) -> None:
        if not self.memory.complete or not event.trace.before(seen.trace):
            return
        for name in CONTEXT:
            if name not in values:
                continue
            said = values[name]
            writes = event.contexts.get(name, [])
            before = [one for one in writes if one[1].before(seen.trace)]
            at_once = [value for value, trace in writes if trace.overlaps(seen.trace)]
            if not before:
                if not at_once and not writes:
                    message = f"`{name}` is {shown(said)} and was never set"
                    self.judge(said is None, "context.unset", seen, message, event.trace)
                continue
            latest = max(before, key=lambda one: one[1].ended)
            rivals = [value for value, trace in before if not trace.before(latest[1])]
            allowed = [*at_once, *rivals]
            if ANYTHING in allowed or not all(
                comparable(self.contract, "updateEventContext", name, one) for one in allowed
            ):
                continue
            requirement = f"context.{where}.{name}" if where != "listed" else "events.listed.context"
            message = f"`{name}` is {shown(said)}; the last update wrote {shown(latest[0])}"
            holds = said in allowed
            self.judge(holds, requirement, seen, message, latest[1])
            if len(before) > 1 and where == "read_back":
                self.judge(holds, "context.replaced", seen, message, latest[1])


ANYTHING: Any = object()
"""A value that was written and cannot be known."""
