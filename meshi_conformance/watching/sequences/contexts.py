"""The context of events: what an update wrote is what the answer and later reads show."""

from __future__ import annotations

from typing import Any

from ..rule import Rule, kept_by, shown
from ..state.memory import EventRow
from ..state.observation import Observation, Trace

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
        elif not seen.is_success or not seen.coverage.answer_body:
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
        maybe = seen.is_success or seen.status >= 500
        if event is not None and not maybe and not lost and any(isinstance(request.get(name), str) for name in CONTEXT):
            event.refused_update = (dict(request), seen.trace)
        if event is not None and maybe:
            event.updated = seen.trace
            for text in request.values():
                if isinstance(text, str):
                    self.memory.context_texts.put((seen.org or "", text), seen.parameters["event_id"])
            for name in CONTEXT:
                if name in request or lost:
                    writes = event.contexts.setdefault(name, [])
                    # A write that cannot be read may have been any value.
                    writes.append(
                        (request.get(name, ANYTHING) if seen.is_success and not lost else ANYTHING, seen.trace)
                    )
                    del writes[:-KEPT]
        if not seen.is_success or not seen.coverage.answer_body:
            return
        if request and not {name.strip().lower() for name in request} & set(CONTEXT):
            message = f"{seen.exchange.summary} to an update of {sorted(request)[:3]} alone"
            self.judge(False, "context.unknown_alone", seen, message)
        self._names_event(seen)
        context = seen.answer.get("context")
        if not isinstance(context, dict):
            return
        for name in CONTEXT:
            sent = request.get(name)
            requirement = kept_by(self.contract, "updateEventContext", name, sent, f"context.read_back.{name}")
            if name not in context or requirement is None:
                continue
            if event is not None and self._overlapped(event, name, seen):
                continue
            message = f"`{name}` is {shown(context[name])} in the answer; {shown(sent)} was sent"
            self.judge(context[name] == sent, requirement, seen, message)
            if not str(sent).isascii() and requirement == f"context.read_back.{name}":
                self.judge(context[name] == sent, "context.text", seen, message)
            if len(request) == 1:
                self.tally.hold(f"context.alone.{name}")
        if event is not None:
            event.shown |= {name: (context[name], seen.trace) for name in request if name in context}
            event.answered = (dict(context), seen.trace)

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
                    requirement = "context.unset"
                    if isinstance(said, str) and self.memory.context_texts.get((seen.org or "", said)) is not None:
                        requirement = "context.own_event"
                    self.judge(said is None, requirement, seen, message, event.trace)
                continue
            latest = max(before, key=lambda one: one[1].ended)
            rivals = [value for value, trace in before if not trace.before(latest[1])]
            allowed = [*at_once, *rivals]
            default = f"context.{where}.{name}" if where != "listed" else "events.listed.context"
            kept = [kept_by(self.contract, "updateEventContext", name, one, default) for one in allowed]
            if ANYTHING in allowed or None in kept:
                continue
            holds = said in allowed
            requirement = kept[-1] or default
            if requirement == default and not holds:
                requirement = self._cause(seen, event, name, said, latest, default)
            message = f"`{name}` is {shown(said)}; the last update wrote {shown(latest[0])}"
            self.judge(holds, requirement, seen, message, latest[1])
            if holds and where != "listed":
                event.shown[name] = (said, seen.trace)
            if event.updated is not None and latest[1].before(event.updated) and holds:
                self.tally.hold("context.kept")
            if holds and where == "read_back" and len(allowed) == 1:
                self._answered_whole(seen, event, name, said)
            if len(before) > 1 and where == "read_back" and (holds or requirement == default):
                self.judge(holds, "context.replaced", seen, message, latest[1])

    def _answered_whole(self, seen: Observation, event: EventRow, name: str, said: Any) -> None:
        """Tell whether the answer to the last update showed what the next read shows."""
        if event.answered is None or event.updated is None or event.answered[1].id != event.updated.id:
            return
        context, trace = event.answered
        if trace.before(seen.trace):
            message = f"the answer to the update showed `{name}` {shown(context.get(name))}, this read {shown(said)}"
            self.judge(context.get(name) == said, "context.answer_whole", seen, message, trace)

    def _cause(
        self, seen: Observation, event: EventRow, name: str, said: Any, latest: tuple[Any, Trace], default: str
    ) -> str:
        """Return the requirement that a wrong value breaks: the one about what seems to have changed the field."""
        here, elsewhere = event.request.get("event_id"), None
        if isinstance(said, str):
            elsewhere = self.memory.context_texts.get((seen.org or "", said))
        if elsewhere is not None and elsewhere != here:
            return "context.own_event"
        refused = event.refused_update
        if refused is not None and latest[1].before(refused[1]) and refused[0].get(name) == said:
            return "refused.leaves_nothing.updateEventContext"
        confirmed = event.shown.get(name)
        if event.updated is None or confirmed is None or not latest[1].before(event.updated):
            return default
        seen_right = confirmed[0] == latest[0] and not confirmed[1].before(latest[1])
        return "context.kept" if seen_right and confirmed[1].before(event.updated) else default


ANYTHING: Any = object()
"""A value that was written and cannot be known."""
