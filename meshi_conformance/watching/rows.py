"""Events, sessions and mapped IDs: what a creation was given is read back, and what is there stays there."""

from __future__ import annotations

from typing import Any

from ..exchanges.timestamps import after, instant
from .expectation import ID
from .memory import EventRow, SessionRow
from .observation import Observation, Trace
from .rule import Rule, comparable, shown

DETAILS = ("title", "description", "start_date", "end_date", "timezone", "visibility", "url_slug")
MEMBERS = ("session_id", "title", "description", "start_timestamp", "end_timestamp")

ROUNDING = 1.0
"""Seconds by which the creation's answer and later reads may differ: one of them may be cut short."""


class CreatedRows(Rule):
    """Events and sessions from their creation on. Nothing in the API changes or removes them."""

    def see(self, seen: Observation) -> None:
        if seen.operation is None or seen.org is None or not seen.coverage.answer_body:
            return
        name = seen.operation.id
        self._not_there(seen, name)
        if name == "createEvent":
            self._event_created(seen)
        elif name == "createSession":
            self._session_created(seen)
        elif name == "getIdMapping":
            self._mapping(seen)
        elif not seen.accepted:
            return
        elif name == "getEvent":
            self._event_read(seen)
        elif name == "listEvents":
            for row in seen.rows:
                self._event_listed(seen, row)
        elif name == "getSession":
            self._session_read(seen)
        elif name == "listSessions":
            for row in seen.rows:
                self._session_listed(seen, row)

    # What was there is there

    def _not_there(self, seen: Observation, name: str) -> None:
        """Judge a refusal that calls something missing whose creation was acknowledged before."""
        code = seen.exchange.code
        if seen.status != 404 or code is None:
            if seen.accepted and name.startswith(("get", "list")) and self._event(seen) is not None:
                self.tally.hold("generated.model.events")
            return
        event_id = seen.parameters.get("event_id")
        event = self._event(seen)
        if code == "EVENT_NOT_FOUND" and event is not None:
            message = f"{seen.exchange.summary}, and the event {event_id!r} was created before"
            self.judge(False, "generated.model.events", seen, message, event.trace)
        session_id = seen.parameters.get("session_id")
        if code == "SESSION_NOT_FOUND" and session_id is not None and event_id is not None:
            session = self.memory.sessions.get((seen.org or "", event_id, session_id))
            if session is not None and session.trace.before(seen.trace):
                message = f"{seen.exchange.summary}, and the session was created before"
                self.judge(False, "generated.model.sessions", seen, message, session.trace)

    def _event(self, seen: Observation) -> EventRow | None:
        """Return the event that the path names, where its creation was acknowledged before this call."""
        event = self.memory.events.get((seen.org or "", seen.parameters.get("event_id", "")))
        return event if event is not None and event.trace.before(seen.trace) else None

    def _mapping(self, seen: Observation) -> None:
        kind, id = seen.parameters["kind"], seen.parameters["partner_id"]
        if kind not in ("event", "session"):
            return
        trace = self._created(seen.org or "", kind, id)
        if seen.accepted:
            if seen.answer:
                self.names(seen, f"id_map.{kind}.echo", "ID", id, seen.answer.get("partner_id"))
                self.names(seen, f"id_map.{kind}.echo", "kind", kind, seen.answer.get("kind"))
            if trace is not None and trace.before(seen.trace):
                self.tally.hold(f"id_map.{kind}.mapped")
        elif seen.status == 404 and trace is not None and trace.before(seen.trace):
            message = f"{seen.exchange.summary}, and the {kind} was created before"
            self.judge(False, f"id_map.{kind}.mapped", seen, message, trace)

    def _created(self, org: str, kind: str, id: str) -> Trace | None:
        if kind == "event":
            event = self.memory.events.get((org, id))
            return event.trace if event else None
        session = self.memory.sessions.get((org, "", id))
        return session.trace if session else None

    # Events

    def _event_created(self, seen: Observation) -> None:
        request, id = seen.request, seen.sent("event_id")
        if not isinstance(id, str) or not ID.fullmatch(id):
            return
        key = (seen.org or "", id)
        before = self.memory.events.get(key)
        well_formed = seen.expected is not None and not seen.expected.faults and not seen.expected.freedoms
        if before is not None and before.trace.before(seen.trace):
            if seen.accepted or (well_formed and seen.status in (400, 404)):
                message = f"{seen.exchange.summary}, and the event ID was used before"
                self.judge(False, "error.createEvent.PARTNER_ID_CONFLICT", seen, message, before.trace)
        elif before is not None and seen.accepted and seen.status == 201:
            message = f"{seen.exchange.summary}, and so was another creation of {id!r} at the same time"
            self.judge(False, "events.create.once", seen, message, before.trace)
        if not seen.accepted or before is not None:
            return
        answer = seen.answer
        self._details(seen, request, answer, None)
        self._times(seen, answer)
        self.memory.events.put(
            key, EventRow(dict(request), answer.get("created_at"), answer.get("updated_at"), seen.trace)
        )

    def _event_read(self, seen: Observation) -> None:
        answer = seen.answer
        self._times(seen, answer)
        asked = seen.parameters["event_id"]
        self.names(seen, "events.read_back.event_id", "event", asked, answer.get("event_id"))
        event = self._event(seen)
        if event is None:
            return
        if self._untouched(event, answer):
            self._details(seen, event.request, answer, event.trace)
        then, now = event.created_at, answer.get("created_at")
        if instant(then) is not None and instant(now) is not None:
            near = abs(float(instant(then) or 0) - float(instant(now) or 0)) < ROUNDING
            same = event.shown_created_at in (None, now)
            message = f"created_at is {now!r}; the creation said {then!r}, an earlier read {event.shown_created_at!r}"
            self.judge(near and same, "events.created_at.stable", seen, message, event.trace)
            event.shown_created_at = now

    def _event_listed(self, seen: Observation, row: dict[str, Any]) -> None:
        id = row.get("event_id")
        event = self.memory.events.get((seen.org or "", id)) if isinstance(id, str) else None
        if event is None or not event.trace.before(seen.trace) or not self._untouched(event, row):
            return
        for name in DETAILS:
            if name in row and comparable(self.contract, "createEvent", name, event.request.get(name)):
                sent, said = event.request[name], row[name]
                message = f"the list shows {name} {shown(said)} of event {id!r}; {shown(sent)} was sent"
                self.judge(same(name, sent, said), "events.listed.details", seen, message, event.trace)

    def _untouched(self, event: EventRow, row: dict[str, Any]) -> bool:
        """Tell whether nothing but what was seen can have changed the event: by another way than the API, it could."""
        then, now = instant(event.updated_at), instant(row.get("updated_at"))
        return then is None or now is None or abs(float(then - now)) < ROUNDING or bool(event.contexts)

    def _details(self, seen: Observation, request: dict[str, Any], answer: dict[str, Any], trace: Trace | None) -> None:
        earlier = (trace,) if trace else ()
        for name in ("event_id", *DETAILS):
            if name not in answer or not comparable(self.contract, "createEvent", name, request.get(name)):
                continue
            sent, said = request[name], answer[name]
            message = f"`{name}` is {shown(said)}; {shown(sent)} was sent"
            self.judge(same(name, sent, said), f"events.read_back.{name}", seen, message, *earlier)
            if name in ("title", "description") and not str(sent).isascii():
                self.judge(same(name, sent, said), "events.text", seen, message, *earlier)

    def _times(self, seen: Observation, row: dict[str, Any]) -> None:
        created, updated = row.get("created_at"), row.get("updated_at")
        if instant(created) is not None and instant(updated) is not None:
            message = f"updated_at {updated} lies before created_at {created}"
            self.judge(not after(created, updated), "events.updated_at.order", seen, message)

    # Sessions

    def _session_created(self, seen: Observation) -> None:
        id, event_id = seen.sent("session_id"), seen.parameters["event_id"]
        if not isinstance(id, str) or not ID.fullmatch(id):
            return
        org = seen.org or ""
        before = self.memory.sessions.get((org, event_id, id))
        elsewhere = self.memory.sessions.get((org, "", id))
        well_formed = seen.expected is not None and not seen.expected.faults and not seen.expected.freedoms
        if before is not None and before.trace.before(seen.trace):
            if seen.accepted or (well_formed and seen.status in (400, 404)):
                message = f"{seen.exchange.summary}, and the event has a session of that ID"
                self.judge(False, "error.createSession.PARTNER_ID_CONFLICT", seen, message, before.trace)
        elif before is not None and seen.status == 201:
            message = f"{seen.exchange.summary}, and so was another creation of {id!r} at the same time"
            self.judge(False, "sessions.create.once", seen, message, before.trace)
        elif elsewhere is not None and elsewhere.trace.before(seen.trace) and (seen.accepted or well_formed):
            holds = seen.exchange.refusal == (409, "PARTNER_ID_CONFLICT") or seen.status in (401, 403, 429)
            message = f"{seen.exchange.summary}, and event {elsewhere.event_id!r} has a session of that ID"
            self.judge(holds, "sessions.conflict.org_wide", seen, message, elsewhere.trace)
        if not seen.accepted or before is not None:
            return
        self._session_members(seen, {**seen.request, "event_id": event_id}, seen.answer, None)
        row = SessionRow(event_id, dict(seen.request), seen.trace)
        self.memory.sessions.put((org, event_id, id), row)
        if elsewhere is None:
            self.memory.sessions.put((org, "", id), row)

    def _session_read(self, seen: Observation) -> None:
        event_id, id, answer = seen.parameters["event_id"], seen.parameters["session_id"], seen.answer
        for name, asked in (("session_id", id), ("event_id", event_id)):
            self.names(seen, f"sessions.read_back.{name}", name, asked, answer.get(name))
        session = self.memory.sessions.get((seen.org or "", event_id, id))
        if session is not None and session.trace.before(seen.trace):
            self.tally.hold("generated.model.sessions")
            self._session_members(seen, session.request, answer, session.trace)
        elsewhere = self.memory.sessions.get((seen.org or "", "", id))
        if session is None and elsewhere is not None and elsewhere.trace.before(seen.trace) and self.memory.complete:
            message = f"{seen.exchange.summary}, and event {elsewhere.event_id!r} has the session"
            self.judge(False, "sessions.other_event", seen, message, elsewhere.trace)

    def _session_listed(self, seen: Observation, row: dict[str, Any]) -> None:
        event_id, id = seen.parameters["event_id"], row.get("session_id")
        if "event_id" in row:
            message = f"the list of {event_id!r} shows a session of event {shown(row['event_id'])}"
            self.judge(row["event_id"] == event_id, "lists.sessions.own_event", seen, message)
        session = self.memory.sessions.get((seen.org or "", event_id, id)) if isinstance(id, str) else None
        if session is not None and session.trace.before(seen.trace):
            for name in MEMBERS:
                sent = session.request.get(name)
                if name in row and comparable(self.contract, "createSession", name, sent):
                    message = f"the list shows {name} {shown(row[name])} of session {id!r}; {shown(sent)} was sent"
                    self.judge(same(name, sent, row[name]), "sessions.list_row", seen, message, session.trace)

    def _session_members(
        self, seen: Observation, request: dict[str, Any], answer: dict[str, Any], trace: Trace | None
    ) -> None:
        earlier = (trace,) if trace else ()
        for name in MEMBERS:
            sent = request.get(name)
            if name not in answer or not comparable(self.contract, "createSession", name, sent):
                continue
            message = f"`{name}` is {shown(answer[name])}; {shown(sent)} was sent"
            holds = same(name, sent, answer[name])
            self.judge(holds, f"sessions.read_back.{name}", seen, message, *earlier)
            if name in ("title", "description") and not str(sent).isascii():
                self.judge(holds, "sessions.text", seen, message, *earlier)


def same(name: str, sent: Any, said: Any) -> bool:
    """Tell whether a value is read as it was sent: dates by their day, timestamps by their moment."""
    if name.endswith("_date"):
        return isinstance(said, str) and said[:10] == sent[:10]
    if name.endswith("_timestamp"):
        return instant(said) == instant(sent)
    return bool(said == sent)
