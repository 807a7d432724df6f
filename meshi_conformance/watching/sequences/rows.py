"""Events, sessions and mapped IDs: what a creation was given is read back, and what is there stays there."""

from __future__ import annotations

from typing import Any

from ...exchanges.timestamps import after, instant
from ..expectations.expectation import ID
from ..expectations.unusual import lost, narrowed
from ..rule import Rule, kept_by, shown
from ..state.memory import EventRow, SessionRow
from ..state.observation import Observation, Trace

DETAILS = ("title", "description", "start_date", "end_date", "timezone", "visibility", "url_slug")
ROW_TIMES = ("created_at", "updated_at")
MEMBERS = ("session_id", "title", "description", "start_timestamp", "end_timestamp")

FORMED = frozenset({"timezone", "visibility", "url_slug"})
MODEST_PREFIX = 16
"""Characters of a value that cannot be another one by chance."""

READ_ALONE = frozenset({"getEvent", "getEventContext"})
"""Single reads of an event."""

LAGGING = 5.0
"""Seconds after its creation for which a row that is not found is taken to be late, and not to be lost."""

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
        elif not seen.is_success:
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
        event, event_id = self._event(seen), seen.parameters.get("event_id", "")
        if event is not None and seen.is_success:
            self.tally.hold("acknowledged.event" if name in READ_ALONE else "acknowledged.elsewhere")
            if event.found is not None and event.found.before(seen.trace):
                self.tally.hold("generated.model.events")
            event.found = event.found or seen.trace
        elif event is not None and seen.status == 404 and (code == "EVENT_NOT_FOUND" or name in READ_ALONE):
            message = f"{seen.exchange.summary}, and the event {event_id!r} was created before"
            requirement = "acknowledged.event" if name in READ_ALONE else "acknowledged.elsewhere"
            if event.found is not None and event.found.before(seen.trace):
                requirement = "generated.model.events"
            self.judge(False, lost("events", event_id, requirement), seen, message, event.trace)
        if name != "getSession":
            return
        session = self.memory.sessions.get((seen.org or "", event_id, seen.parameters["session_id"]))
        if session is None or not session.trace.before(seen.trace):
            return
        if seen.is_success:
            self.tally.hold("acknowledged.session")
            session.found = session.found or seen.trace
        elif seen.status == 404 and code != "EVENT_NOT_FOUND":
            message = f"{seen.exchange.summary}, and the session was created before"
            found = session.found is not None and session.found.before(seen.trace)
            requirement = "generated.model.sessions" if found else "acknowledged.session"
            requirement = lost("sessions", seen.parameters["session_id"], requirement)
            self.judge(False, requirement, seen, message, session.trace)

    def _event(self, seen: Observation) -> EventRow | None:
        """Return the event that the path names, where its creation was acknowledged before this call."""
        event = self.memory.events.get((seen.org or "", seen.parameters.get("event_id", "")))
        return event if event is not None and event.trace.before(seen.trace) else None

    def _mapping(self, seen: Observation) -> None:
        kind, id = seen.parameters["kind"], seen.parameters["partner_id"]
        if kind not in ("event", "session"):
            return
        trace = self._created(seen.org or "", kind, id)
        mapped = trace is not None and trace.before(seen.trace)
        if seen.is_success and seen.answer:
            self.names(seen, f"id_map.{kind}.echo", "ID", id, seen.answer.get("partner_id"))
            self.names(seen, f"id_map.{kind}.echo", "kind", kind, seen.answer.get("kind"))
            says = seen.answer.get("mapped")
            if mapped:
                message = f"`mapped` is {shown(says)}, and the {kind} was created before"
                self.judge(says is True, f"id_map.{kind}.mapped", seen, message, *([trace] if trace else []))
            elif says is False:
                message = "an ID that is not mapped is answered 200 with `mapped` false"
                self.judge(False, f"id_map.{kind}.unmapped", seen, message)
            elif trace is None and kind == "event":
                self.memory.mapped_early.put((seen.org or "", kind, id), seen.trace)
        elif seen.status == 404 and mapped and trace is not None:
            message = f"{seen.exchange.summary}, and the {kind} was created before"
            if self._known_since(seen, kind, id):
                requirements = [f"id_map.{kind}.mapped"]
            else:  # it may lag behind, or know no such ID
                requirements = [f"id_map.{kind}.mapped", f"acknowledged.{kind}"]
            narrow = lost(f"{kind}s", id, "")
            for requirement in [narrow] if narrow else requirements:
                self.judge(False, requirement, seen, message, trace)
        elif seen.status == 404 and trace is None and seen.exchange.code is not None and ID.fullmatch(id):
            message = f"{seen.exchange.summary}; documented is PARTNER_ID_NOT_FOUND"
            self.judge(seen.exchange.code == "PARTNER_ID_NOT_FOUND", f"id_map.{kind}.unmapped", seen, message)

    def _known_since(self, seen: Observation, kind: str, id: str) -> bool:
        """Tell whether a read had found the row before, or it was created long ago."""
        row: EventRow | SessionRow | None = (
            self.memory.events.get((seen.org or "", id))
            if kind == "event"
            else self.memory.sessions.get((seen.org or "", "", id))
        )
        if row is None:
            return False
        long_ago = seen.trace.began - row.trace.ended > LAGGING
        return long_ago or (row.found is not None and row.found.before(seen.trace))

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
            if seen.is_success or (well_formed and seen.status in (400, 404)):
                message = f"{seen.exchange.summary}, and the event ID was used before"
                self.judge(False, "error.createEvent.PARTNER_ID_CONFLICT", seen, message, before.trace)
        elif before is not None and (seen.status in (201, 500)):
            message = f"{seen.exchange.summary}, and so was another creation of {id!r} at the same time"
            self.judge(False, "events.create.once", seen, message, before.trace)
        if (
            before is not None
            and seen.exchange.status_and_code == (409, "PARTNER_ID_CONFLICT")
            and isinstance(request, dict)
        ):
            before.refused_again = (dict(request), seen.trace)
        if not seen.is_success or before is not None:
            return
        answer = seen.answer
        self._times(seen, answer)
        event = EventRow(dict(request), answer.get("created_at"), answer.get("updated_at"), seen.trace)
        self._details(seen, event, answer)
        self.memory.events.put(key, event)
        self._remember_id(seen, "events", id)
        early = self.memory.mapped_early.get((seen.org or "", "event", id))
        if early is not None and early.before(seen.trace):
            message = f"{id!r} was mapped, and it was free: {seen.exchange.summary} later"
            self.tally.fail("id_map.event.unmapped", early.id, message, seen.trace)

    def _remember_id(self, seen: Observation, resource: str, id: str) -> None:
        key = (seen.org or "", resource, id.lower())
        self.memory.alike.put(key, [*(self.memory.alike.get(key) or [])[-5:], id])

    def _event_read(self, seen: Observation) -> None:
        answer = seen.answer
        self._times(seen, answer)
        asked = seen.parameters["event_id"]
        said = answer.get("event_id")
        requirement = narrowed("events", asked, str(said), "events.read_back.event_id")
        self.names(seen, requirement, "event", asked, said)
        event = self._event(seen)
        if event is None or said != asked:
            return
        if self._untouched(event, answer):
            self._details(seen, event, answer)
        then, now = event.created_at, answer.get("created_at")
        if instant(then) is not None and instant(now) is not None:
            near = abs(float(instant(then) or 0) - float(instant(now) or 0)) < ROUNDING
            same = event.shown_created_at in (None, now)
            message = f"created_at is {now!r}; the creation said {then!r}, an earlier read {event.shown_created_at!r}"
            self.judge(near and same, "events.created_at.stable", seen, message, event.trace)
            event.shown_created_at = now
        for name in ROW_TIMES:
            self._as_listed(seen, event, name, answer.get(name))
            event.shown[name] = (answer.get(name), seen.trace)

    def _event_listed(self, seen: Observation, row: dict[str, Any]) -> None:
        id = row.get("event_id")
        event = self.memory.events.get((seen.org or "", id)) if isinstance(id, str) else None
        if event is None or not event.trace.before(seen.trace) or not self._untouched(event, row):
            return
        for name in DETAILS:
            sent, said = event.request.get(name), row.get(name)
            requirement = kept_by(self.contract, "createEvent", name, sent, "events.listed.details")
            if requirement == "events.listed.details":
                message = f"the list shows {name} {shown(said)} of event {id!r}; {shown(sent)} was sent"
                self.judge(same(name, sent, said), requirement, seen, message, event.trace)
        for name in ROW_TIMES:
            said, earlier = row.get(name), event.shown.get(name)
            if earlier is not None and self._unmoved(seen, event, name, earlier[1]):
                message = f"the list shows {name} {shown(said)} of event {id!r}; its own read {shown(earlier[0])}"
                self.judge(not _differ(said, earlier[0]), "events.list_row", seen, message, earlier[1])
            event.listed[name] = (said, seen.trace)

    def _as_listed(self, seen: Observation, event: EventRow, name: str, said: Any) -> None:
        earlier = event.listed.get(name)
        if earlier is not None and self._unmoved(seen, event, name, earlier[1]):
            message = f"{name} is {shown(said)}; the list showed {shown(earlier[0])}"
            self.judge(not _differ(said, earlier[0]), "events.list_row", seen, message, earlier[1])

    def _unmoved(self, seen: Observation, event: EventRow, name: str, since: Trace) -> bool:
        """Tell whether a time of an event is surely what it was at an earlier read."""
        if not since.before(seen.trace):
            return False
        # A list may lag behind a change.
        late = event.updated is not None and seen.trace.began - event.updated.ended < LAGGING
        return name == "created_at" or (
            self.memory.complete and not (event.updated is not None and not event.updated.before(since)) and not late
        )

    def _untouched(self, event: EventRow, row: dict[str, Any]) -> bool:
        """Tell whether nothing but what was seen can have changed the event: by another way than the API, it could."""
        then, now = instant(event.updated_at), instant(row.get("updated_at"))
        return then is None or now is None or abs(float(then - now)) < ROUNDING or bool(event.contexts)

    def _details(self, seen: Observation, event: EventRow, answer: dict[str, Any]) -> None:
        """Judge the details in an answer about the event alone, the creation's own among them."""
        request = event.request
        earlier = (event.trace,) if event.trace.id != seen.trace.id else ()
        for name in ("event_id", *DETAILS):
            if name not in answer:
                continue
            sent, said = request.get(name), answer[name]
            if name not in request:
                message = f"`{name}` is {shown(said)} and was never given"
                self.judge(said is None, self._altered(event, name, "events.optional"), seen, message, *earlier)
                event.shown[name] = (said, seen.trace)
                continue
            requirement = kept_by(self.contract, "createEvent", name, sent, f"events.read_back.{name}")
            if requirement is None:
                self._cut(seen, name, sent, said, *earlier)
                continue
            holds = same(name, sent, said)
            if name == "event_id":
                requirement = narrowed("events", str(sent), str(said), requirement)
            elif not holds:
                requirement = self._altered(event, name, self._of_another(seen, name, said, requirement))
            message = f"`{name}` is {shown(said)}; {shown(sent)} was sent"
            self.judge(holds, requirement, seen, message, *earlier)
            if requirement == f"events.read_back.{name}" and name in ("title", "description"):
                if not str(sent).isascii():
                    self.judge(holds, "events.text", seen, message, *earlier)
            elif requirement == "texts.symbols.event" and name == "title":
                self.judge(holds, "events.text.emoji", seen, message, *earlier)
            event.shown[name] = (said, seen.trace)

    def _cut(self, seen: Observation, name: str, sent: Any, said: Any, *earlier: Trace) -> None:
        """Judge a value whose form is the server's business: it may be written otherwise, and not cut short."""
        if name not in FORMED or not isinstance(sent, str) or not isinstance(said, str):
            return
        if len(said) >= MODEST_PREFIX and said != sent and sent.startswith(said):
            message = f"`{name}` is {shown(said)}; {shown(sent)} was sent"
            self.judge(False, f"events.read_back.{name}", seen, message, *earlier)

    def _of_another(self, seen: Observation, name: str, said: Any, default: str) -> str:
        """Return the requirement that is broken where an event is shown with what another one of its name was given."""
        asked = seen.parameters.get("event_id", "")
        for other in self.memory.alike.get((seen.org or "", "events", asked.lower())) or ():
            event = self.memory.events.get((seen.org or "", other)) if other != asked else None
            if event is not None and event.request.get(name) == said:
                return "events.id.case"
        return default

    def _altered(self, event: EventRow, name: str, default: str) -> str:
        """Return the requirement about what has changed a detail since it was shown rightly, or `default`."""
        before = event.shown.get(name)
        if before is None or (
            before[0] != event.request.get(name) and not same(name, event.request.get(name), before[0])
        ):
            return default
        if event.refused_again is not None and before[1].before(event.refused_again[1]):
            return "events.conflict.unchanged"
        if event.updated is not None and before[1].before(event.updated):
            return "context.details_kept"
        return default

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
            if seen.is_success or (well_formed and seen.status in (400, 404)):
                message = f"{seen.exchange.summary}, and the event has a session of that ID"
                self.judge(False, "error.createSession.PARTNER_ID_CONFLICT", seen, message, before.trace)
        elif before is not None and seen.status in (201, 500):
            message = f"{seen.exchange.summary}, and so was another creation of {id!r} at the same time"
            self.judge(False, "sessions.create.once", seen, message, before.trace)
        elif elsewhere is not None and elsewhere.trace.before(seen.trace) and (seen.is_success or well_formed):
            holds = seen.exchange.status_and_code == (409, "PARTNER_ID_CONFLICT") or seen.status in (401, 403, 429)
            message = f"{seen.exchange.summary}, and event {elsewhere.event_id!r} has a session of that ID"
            self.judge(holds, "sessions.conflict.org_wide", seen, message, elsewhere.trace)
        if before is not None and seen.exchange.status_and_code == (409, "PARTNER_ID_CONFLICT"):
            before.refused_again = (dict(seen.request), seen.trace)
        if not seen.is_success or before is not None:
            return
        row = SessionRow(event_id, dict(seen.request), seen.trace)
        self._session_members(seen, row, seen.answer)
        self.memory.sessions.put((org, event_id, id), row)
        self._remember_id(seen, f"sessions of {event_id}", id)
        if elsewhere is None:
            self.memory.sessions.put((org, "", id), row)

    def _session_read(self, seen: Observation) -> None:
        event_id, id, answer = seen.parameters["event_id"], seen.parameters["session_id"], seen.answer
        for name, asked, resource in (("session_id", id, "sessions"), ("event_id", event_id, "events")):
            said = answer.get(name)
            self.names(seen, narrowed(resource, asked, str(said), f"sessions.read_back.{name}"), name, asked, said)
        session = self.memory.sessions.get((seen.org or "", event_id, id))
        if session is not None and session.trace.before(seen.trace):
            self.tally.hold("generated.model.sessions")
            if answer.get("session_id") == id:
                self._session_members(seen, session, answer)
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
                requirement = kept_by(self.contract, "createSession", name, sent, "sessions.list_row")
                if name in row and requirement == "sessions.list_row":
                    message = f"the list shows {name} {shown(row[name])} of session {id!r}; {shown(sent)} was sent"
                    self.judge(same(name, sent, row[name]), "sessions.list_row", seen, message, session.trace)

    def _session_members(self, seen: Observation, session: SessionRow, answer: dict[str, Any]) -> None:
        """Judge the members in an answer about the session alone, the creation's own among them."""
        earlier = (session.trace,) if session.trace.id != seen.trace.id else ()
        for name in MEMBERS:
            sent, said = session.request.get(name), answer.get(name)
            requirement = kept_by(self.contract, "createSession", name, sent, f"sessions.read_back.{name}")
            if name not in answer or requirement is None:
                continue
            holds = same(name, sent, said)
            if name == "session_id":
                requirement = narrowed("sessions", str(sent), str(said), requirement)
            elif not holds:
                requirement = self._session_altered(seen, session, name, said, requirement)
            message = f"`{name}` is {shown(said)}; {shown(sent)} was sent"
            self.judge(holds, requirement, seen, message, *earlier)
            plain = requirement == f"sessions.read_back.{name}" and name in ("title", "description")
            if plain and not str(sent).isascii():
                self.judge(holds, "sessions.text", seen, message, *earlier)
            session.shown[name] = (said, seen.trace)

    def _session_altered(self, seen: Observation, session: SessionRow, name: str, said: Any, default: str) -> str:
        """Return the requirement about what has changed a member, or about whose value is shown."""
        before, again = session.shown.get(name), session.refused_again
        if before is not None and again is not None and before[1].before(again[1]):
            confirmed = same(name, session.request.get(name), before[0])
            if confirmed:
                return "sessions.conflict.unchanged"
        id = str(session.request.get("session_id"))
        for other in self.memory.alike.get((seen.org or "", f"sessions of {session.event_id}", id.lower())) or ():
            one = self.memory.sessions.get((seen.org or "", session.event_id, other)) if other != id else None
            if one is not None and one.request.get(name) == said:
                return "sessions.id.case"
        return default


def _differ(one: Any, other: Any) -> bool:
    return after(one, other) or after(other, one)


def same(name: str, sent: Any, said: Any) -> bool:
    """Tell whether a value is read as it was sent: dates by their day, timestamps by their moment."""
    if not isinstance(sent, str):
        return bool(said == sent)
    if name.endswith("_date"):
        return isinstance(said, str) and said[:10] == sent[:10]
    if name.endswith("_timestamp"):
        return instant(said) == instant(sent)
    return bool(said == sent)
