"""A model of the API: what a server must answer after any sequence of calls, as far as the pages say it.

The model knows the rows that it made itself and nothing else, so it holds on a shared org. Where the pages are
silent it has no opinion: it never compares what an answer may leave open, and it avoids calls whose answer is
open. Each method makes one call, compares the answer, and updates the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..client.api import Api
from ..client.call import Call
from ..client.polling import TERMINAL, look_until, poll_to_end
from ..contract.contract import Contract
from ..exchanges.exchange import Exchange
from ..exchanges.timestamps import instant
from ..testing.arrange import Given
from ..testing.valid_calls import Calls, check_baseline_call
from ..watching.expectations.expectation import ID
from .budget import Meter

CONTEXT = ("event_details", "objectives", "welcome_instructions")
KINDS = {"importAttendees": "import", "createEnrichmentRun": "enrichment", "createMatchRun": "match"}
UNKNOWN: Any = object()
"""A value that the model has no opinion on."""


class Disagreement(Exception):
    """An answer differs from the model's. `requirement` is what it breaks."""

    def __init__(self, requirement: str, message: str) -> None:
        super().__init__(f"{requirement}: {message}")
        self.requirement = requirement
        self.message = message


class KnownDisagreement(Exception):
    """A known disagreement came up again: from here on the model no longer knows what is right."""


class BudgetExhausted(BaseException):
    """The budget is spent, or nothing can be judged any more: Hypothesis must not take it for a finding."""


@dataclass
class Attendee:
    """A row that was imported: the members of its last import, whether it is surely there, and not the first time."""

    sent: dict[str, Any]
    sure: bool = True
    again: bool = False


@dataclass
class Event:
    """An event of ours; `sent` is its request, `context` what was written into it."""

    id: str
    sent: dict[str, Any]
    context: dict[str, Any] = field(default_factory=dict)
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    attendees: dict[str, Attendee] = field(default_factory=dict)
    decided: bool = False
    enriched: bool = False


@dataclass
class Run:
    """A run of ours; `event` is None outside event scope."""

    id: str
    operation: str
    event: str | None
    key: str
    request: dict[str, Any]
    status: str = ""


@dataclass
class Step:
    """One call with its answer and what was expected of it."""

    call: Call
    exchange: Exchange
    expected: str


@dataclass
class Model:
    """The rows of one walk, and the calls that made them."""

    api: Api
    given: Given
    calls: Calls
    contract: Contract
    meter: Meter
    muted: frozenset[str] = frozenset()
    events: dict[str, Event] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    reviews: dict[str, str] = field(default_factory=dict)
    decided: dict[str, str] = field(default_factory=dict)
    free: list[tuple[str, str]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    checked: set[str] = field(default_factory=set)

    # Calls and comparisons

    def send(self, call: Call, expected: str) -> Exchange:
        """Make one call and keep it as a step; ends the walk once the budget is spent."""
        if self.meter.spent:
            raise BudgetExhausted
        self.meter.count()
        exchange = self.api.send(call)
        self.steps.append(Step(call, exchange, expected))
        return exchange

    def expect(self, holds: bool, requirement: str, family: str, message: Callable[[], str]) -> None:
        """Compare; a difference breaks the requirement, with the level that the catalogue gives it."""
        self.checked.add(f"generated.model.{family}")
        if requirement not in self.contract.requirements:
            raise LookupError(f"the model names {requirement}, which is not a requirement")
        if not holds:
            raise KnownDisagreement if requirement in self.muted else Disagreement(requirement, message())

    def accepted(self, call: Call, family: str) -> Exchange:
        """Make a call that must be accepted."""
        exchange = self.send(call, "2xx")
        if not exchange.is_success:
            check_baseline_call(self.api, self.calls, call.operation)
        self.expect(
            exchange.is_success, f"generated.model.{family}", family, lambda: f"{exchange.summary}, it must be accepted"
        )
        return exchange

    def listed(self, call: Call, family: str, holds: Callable[[Exchange], bool]) -> Exchange:
        """Read a list, which must be accepted, again until it holds, as long as it may lag behind a write."""
        return look_until(self.api, call.operation, lambda: self.accepted(call, family), holds)

    def refused(self, call: Call, answers: Iterable[tuple[int, str | None]], requirement: str, family: str) -> Exchange:
        """Make a call that must be refused, or answered, in one of the given ways."""
        wanted = sorted(answers, key=str)
        exchange = self.send(call, " or ".join(f"{status} {code or ''}".strip() for status, code in wanted))
        self.expect(
            exchange.status_and_code in wanted,
            requirement,
            family,
            lambda: f"{exchange.summary}, it must be refused: {wanted}",
        )
        return exchange

    def _same(self, exchange: Exchange, row: Any, name: str, wanted: Any, requirement: str, family: str) -> None:
        shown = row.get(name, UNKNOWN) if isinstance(row, dict) else UNKNOWN
        same = as_compared(name, shown) == as_compared(name, wanted)
        self.expect(
            same,
            requirement,
            family,
            lambda: f"`{name}` is {_shown(shown)} in the answer of {exchange.summary}, written was {_shown(wanted)}",
        )

    # Events and context

    def create_event(self, members: dict[str, Any]) -> None:
        """Create an event; an earlier refused request with its ID does not matter."""
        ids = [id for kind, id in self.free if kind == "event"]
        event_id = ids[0] if ids and members.pop("_retry", False) else self.given.name("event")
        members.pop("_retry", None)
        if ("event", event_id) in self.free:
            self.free.remove(("event", event_id))
        request = {"event_id": event_id, **members}
        exchange = self.accepted(Call("createEvent", body=request), "events")
        self.events[event_id] = Event(event_id, request)
        self._compare_event(exchange, self.events[event_id])

    def create_event_again(self, event: Event, members: dict[str, Any]) -> None:
        call = Call("createEvent", body={"event_id": event.id, **members})
        self.refused(call, {(409, "PARTNER_ID_CONFLICT")}, "error.createEvent.PARTNER_ID_CONFLICT", "events")

    def create_bad_event(self, members: dict[str, Any], name: str, value: Any, code: str) -> None:
        """Have a creation refused, which must leave nothing behind."""
        event_id = self.given.name("event")
        call = Call("createEvent", body={"event_id": event_id, **members, name: value})
        self.refused(call, {(400, code)}, f"error.createEvent.{code}", "events")
        self.free.append(("event", event_id))
        self.read_missing("event", event_id)

    def read_event(self, event: Event) -> None:
        self._compare_event(self.accepted(Call("getEvent", path={"event_id": event.id}), "events"), event)

    def _compare_event(self, exchange: Exchange, event: Event) -> None:
        for name, value in event.sent.items():
            self._same(exchange, exchange.json, name, value, f"events.read_back.{name}", "events")
        for name in CONTEXT:
            if name in event.context and name in exchange.json:
                requirement = f"context.on_event.{name}"
                self._same(exchange, exchange.json, name, event.context[name], requirement, "context")

    def update_context(self, event: Event, fields: dict[str, str]) -> None:
        call = Call("updateEventContext", path={"event_id": event.id}, body=fields)
        exchange = self.accepted(call, "context")
        before = dict(event.context)
        event.context.update(fields)
        self._compare_context(exchange, event, before, fields)

    def update_context_badly(self, event: Event, body: dict[str, Any]) -> None:
        call = Call("updateEventContext", path={"event_id": event.id}, body=body)
        self.refused(call, {(400, "INVALID_CONTEXT")}, "error.updateEventContext.INVALID_CONTEXT", "context")

    def read_context(self, event: Event) -> None:
        exchange = self.accepted(Call("getEventContext", path={"event_id": event.id}), "context")
        self._compare_context(exchange, event, event.context, {})

    def _compare_context(self, exchange: Exchange, event: Event, before: dict[str, Any], given: dict[str, str]) -> None:
        context = exchange.json["context"]
        for name in CONTEXT:
            if name in event.context:
                requirement = f"context.read_back.{name}"
                if name in before:
                    requirement = "context.replaced" if name in given else "context.kept"
                self._same(exchange, context, name, event.context[name], requirement, "context")

    # Sessions

    def create_session(self, event: Event, members: dict[str, Any]) -> None:
        ids = [id for kind, id in self.free if kind == "session"]
        session_id = ids[0] if ids and members.pop("_retry", False) else self.given.name("session")
        members.pop("_retry", None)
        if ("session", session_id) in self.free:
            self.free.remove(("session", session_id))
        request = {"session_id": session_id, **members}
        call = Call("createSession", path={"event_id": event.id}, body=request)
        exchange = self.accepted(call, "sessions")
        event.sessions[session_id] = request
        self._compare_session(exchange, exchange.json, event, request)

    def create_session_again(self, event: Event, owner: Event, session_id: str, members: dict[str, Any]) -> None:
        call = Call("createSession", path={"event_id": event.id}, body={"session_id": session_id, **members})
        own = event is owner
        requirement = "error.createSession.PARTNER_ID_CONFLICT" if own else "sessions.conflict.org_wide"
        self.refused(call, {(409, "PARTNER_ID_CONFLICT")}, requirement, "sessions")

    def create_bad_session(self, event: Event, members: dict[str, Any], name: str, value: Any, code: str) -> None:
        session_id = self.given.name("session")
        body = {"session_id": session_id, **members, name: value}
        call = Call("createSession", path={"event_id": event.id}, body=body)
        self.refused(call, {(400, code)}, f"error.createSession.{code}", "sessions")
        self.free.append(("session", session_id))
        path = {"event_id": event.id, "session_id": session_id}
        answers = {(404, "SESSION_NOT_FOUND")}
        self.refused(Call("getSession", path=path), answers, "error.getSession.SESSION_NOT_FOUND", "sessions")

    def read_session(self, event: Event, session_id: str) -> None:
        path = {"event_id": event.id, "session_id": session_id}
        exchange = self.accepted(Call("getSession", path=path), "sessions")
        self._compare_session(exchange, exchange.json, event, event.sessions[session_id])

    def read_session_elsewhere(self, event: Event, session_id: str) -> None:
        """Read a session of one event in another event, which must not have it."""
        call = Call("getSession", path={"event_id": event.id, "session_id": session_id})
        self.refused(call, {(404, "SESSION_NOT_FOUND")}, "sessions.other_event", "sessions")

    def list_sessions(self, event: Event) -> None:
        """List an event of ours, which must show exactly our sessions, earliest first."""
        call = Call("listSessions", path={"event_id": event.id}, query={"limit": 100})
        exchange = self.listed(call, "sessions", lambda page: set(event.sessions) <= _ids(page, "session_id"))
        if exchange.next_cursor is not None:
            return
        rows = {row.get("session_id"): row for row in exchange.items}
        self.expect(
            set(rows) == set(event.sessions) and len(rows) == len(exchange.items),
            "lists.sessions.complete",
            "sessions",
            lambda: f"{exchange.summary} with {sorted(map(str, rows))}, the event has {sorted(event.sessions)}",
        )
        for session_id, request in event.sessions.items():
            if session_id in rows:
                self._compare_session(exchange, rows[session_id], event, request)
        starts = [instant(row.get("start_timestamp")) for row in exchange.items]
        known = [one for one in starts if one is not None]
        self.expect(
            known == sorted(known),
            "lists.sessions.order",
            "sessions",
            lambda: f"{exchange.summary} with starts out of order: {[str(one) for one in known]}",
        )

    def _compare_session(self, exchange: Exchange, row: Any, event: Event, request: dict[str, Any]) -> None:
        for name, value in request.items():
            # That a session shows its details by the names under which they were sent is only implied.
            if name == "session_id" or (isinstance(row, dict) and name in row):
                self._same(exchange, row, name, value, f"sessions.read_back.{name}", "sessions")
        self._same(exchange, row, "event_id", event.id, "sessions.read_back.event_id", "sessions")

    # What does not exist

    def read_missing(self, kind: str, id: str) -> None:
        """Ask in every way for an ID that was never mapped, which must not be found."""
        if kind == "event" and len(self.steps) % 2:
            call = Call("getEvent", path={"event_id": id})
            self.refused(call, {(404, "EVENT_NOT_FOUND")}, "error.getEvent.EVENT_NOT_FOUND", "events")
            return
        call = Call("getIdMapping", path={"kind": kind, "partner_id": id})
        requirement = "error.getIdMapping.PARTNER_ID_NOT_FOUND"
        self.refused(call, {(404, "PARTNER_ID_NOT_FOUND")}, requirement, "events")

    def read_mapping(self, kind: str, id: str) -> None:
        """Read an ID of ours, which must be mapped."""
        call = Call("getIdMapping", path={"kind": kind, "partner_id": id})
        exchange = self.accepted(call, "attendees" if kind == "attendee" else f"{kind}s")
        self._same(exchange, exchange.json, "mapped", True, f"id_map.{kind}.mapped", "events")

    # Runs and keys

    def start(self, operation: str, event: Event | None, request: dict[str, Any]) -> Run:
        """Make a first call with a new key."""
        path = {} if event is None else {"event_id": event.id}
        body = {"idempotency_key": self.given.idempotency_key(), **request}
        exchange = self.accepted(Call(operation, path=path, body=body), "runs")
        first = max(self.contract.operations[operation].responses)
        self.expect(
            exchange.status == first,
            f"idempotency.other_key.new_run.{operation}",
            "keys",
            lambda: f"{exchange.summary} to a key that was never used, documented is {first}",
        )
        run_id = exchange.json["run_id"]
        self.expect(
            isinstance(run_id, str) and run_id not in {one.id for one in self.runs},
            f"idempotency.other_key.new_run.{operation}",
            "keys",
            lambda: f"{exchange.summary} with run {run_id!r}, which another key started",
        )
        if event and operation == "createEnrichmentRun":
            event.enriched = True
        run = Run(run_id, operation, event.id if event else None, body["idempotency_key"], body)
        self.runs.append(run)
        self._compare_run(exchange, run)
        return run

    def import_rows(self, event: Event, rows: list[dict[str, Any]]) -> None:
        """Import rows and wait; then they must be the event's attendees."""
        run = self.start("importAttendees", event, {"attendees": rows})
        status = self.wait(run)
        for one in event.attendees.values():
            # An import may replace the earlier attendees: then their reviews go with them.
            one.sure = False
        self.reviews = {review: of for review, of in self.reviews.items() if of != event.id}
        for row in rows:
            known = event.attendees.get(row["attendee_id"])
            if status == "succeeded":
                # Members that a later row leaves out may be kept or not.
                given: dict[str, Any] = {name: row[name] for name in ("name", "title", "company") if name in row}
                event.attendees[row["attendee_id"]] = Attendee(given, again=known is not None)
            else:
                # A run that ends otherwise leaves open which of its rows it took.
                event.attendees[row["attendee_id"]] = Attendee({}, sure=False)

    def import_badly(self, event: Event, rows: list[dict[str, Any]], code: str) -> None:
        """Have an import refused: its key must stay free, and its rows must not be there."""
        key = self.given.idempotency_key()
        path = {"event_id": event.id}
        body = {"idempotency_key": key, "attendees": rows}
        call = Call("importAttendees", path=path, body=body)
        self.refused(call, {(400, code)}, f"error.importAttendees.{code}", "attendees")
        new = [row["attendee_id"] for row in rows if ID.fullmatch(row["attendee_id"])]
        if new:
            self.read_missing("attendee", new[0])

    def replay(self, run: Run, body: dict[str, Any] | None = None) -> None:
        """Send the same key for the same event and operation: the answer must be the run of the first call."""
        path = {"event_id": run.event} if run.event else {}
        sent = {**(body or run.request), "idempotency_key": run.key}
        exchange = self.send(Call(run.operation, path=path, body=sent), "200 with the first call's run")
        same = sent == run.request
        requirement = f"idempotency.replay.{'same_run' if same else 'other_body'}.{run.operation}"
        self.expect(
            exchange.status == 200 and exchange.json["run_id"] == run.id,
            requirement,
            "keys",
            lambda: f"{exchange.summary} to a replay, it must be 200 with run {run.id}",
        )
        self._compare_run(exchange, run)

    def misuse(self, run: Run, operation: str, event: Event) -> None:
        """Send the key of a run for another event, or for another operation."""
        body: dict[str, Any] = {"idempotency_key": run.key}
        if operation == "importAttendees":
            body["attendees"] = [self.given.attendee()]
        call = Call(operation, path={"event_id": event.id}, body=body)
        what = "other_event" if event.id != run.event else "other_operation"
        requirement = f"idempotency.conflict.{what}.{operation}"
        self.refused(call, {(409, "IDEMPOTENCY_KEY_CONFLICT")}, requirement, "keys")
        if operation == "importAttendees":
            self.read_missing("attendee", body["attendees"][0]["attendee_id"])

    def read_run(self, run: Run) -> None:
        exchange = self.accepted(Call("getRun", path={"run_id": run.id}), "runs")
        self._compare_run(exchange, run)

    def wait(self, run: Run) -> str:
        """Poll a run to its end."""
        polls = poll_to_end(self.api, run.id)
        self.meter.count()  # how often a run has to be polled is the server's doing
        self.steps.append(Step(Call("getRun", path={"run_id": run.id}), polls[-1], "a terminal status (poll)"))
        self._compare_run(polls[-1], run)
        return run.status

    def _compare_run(self, exchange: Exchange, run: Run) -> None:
        row = exchange.json
        kind = KINDS.get(run.operation) or run.request["kind"]
        wanted = {"run_id": run.id, "kind": kind, "event_id": run.event, "idempotency_key": run.key}
        for name, value in wanted.items():
            requirement = "runs.event_id.none" if name == "event_id" and value is None else f"runs.{name}"
            requirement = "runs.poll.same_run" if name == "run_id" else requirement
            self._same(exchange, row, name, value, requirement, "runs")
        if "webhook_url" in run.request:
            self._same(exchange, row, "webhook_url", run.request["webhook_url"], "runs.webhook_url", "runs")
        status = row["status"]
        if exchange.operation != "getRun" and exchange.status == 200:
            return  # whether a replay shows the run as it was or as it is, is open
        self.expect(
            run.status not in TERMINAL or status == run.status,
            "runs.terminal.final",
            "runs",
            lambda: f"{exchange.summary} with status {status!r} of a run that had ended as {run.status}",
        )
        run.status = str(status)

    # Attendees

    def list_attendees(self, event: Event, extra_breaks: str = "lists.attendees.own_event") -> None:
        """List an event of ours, which must show exactly the rows that were imported into it."""
        if event.decided:
            return  # what a decision does to the two that it is about, is open
        call = Call("listAttendees", path={"event_id": event.id}, query={"limit": 100})
        exchange = self.listed(call, "attendees", lambda page: self._shows(event, page))
        if exchange.next_cursor is not None:
            return
        rows = {row.get("attendee_id"): row for row in exchange.items}
        missing = sorted({id for id, one in event.attendees.items() if one.sure} - set(rows))
        self.expect(
            not missing,
            # An enrichment may settle look-alikes by itself.
            "enrichment.keeps_attendees" if event.enriched else "attendees.listed",
            "attendees",
            lambda: f"{exchange.summary} without the imported {missing}",
        )
        extra = sorted(map(str, set(rows) - set(event.attendees)))
        self.expect(
            not extra and len(rows) == len(exchange.items),
            extra_breaks,
            "attendees",
            lambda: f"{exchange.summary} with {extra}, which no import into this event held, or with a row twice",
        )
        for attendee_id, one in event.attendees.items():
            for name, shown in (("name", "display_name"), ("title", "title"), ("company", "company")):
                if name in one.sent and attendee_id in rows:
                    requirement = "attendees.reimport.updates" if one.again else f"attendees.{shown}"
                    self._same(exchange, rows[attendee_id], shown, one.sent[name], requirement, "attendees")

    def _shows(self, event: Event, page: Exchange) -> bool:
        """Tell whether a page of attendees shows each one that is surely there with what was imported last."""
        rows = {row.get("attendee_id"): row for row in page.items}
        sure = [(rows.get(id), one.sent.get("name")) for id, one in event.attendees.items() if one.sure]
        return all(row is not None and name in (None, row.get("display_name")) for row, name in sure)

    # Reviews

    def find_reviews(self, event: Event) -> None:
        """Open reviews of an event of ours; one that was decided is not among them."""
        call = Call("listEventReviews", path={"event_id": event.id}, query={"limit": 100})
        exchange = self.listed(call, "reviews", lambda page: not _ids(page, "review_id") & set(self.decided))
        shown = _ids(exchange, "review_id")
        gone = sorted(map(str, shown & set(self.decided)))
        self.expect(
            not gone,
            "identity.resolve.leaves_event_queue",
            "reviews",
            lambda: f"{exchange.summary} with {gone}, which were decided",
        )
        for review_id in shown:
            if isinstance(review_id, str) and review_id not in self.decided:
                self.reviews.setdefault(review_id, event.id)

    def decide(self, review_id: str, decision: str) -> None:
        """Decide an open review, which takes one decision; one on another review may have closed it meanwhile."""
        call = Call("resolveReview", path={"review_id": review_id}, body={"decision": decision, "reason": "Checked."})
        exchange = self.send(call, "200")
        untouched = not any(event == self.reviews[review_id] for event in self.decided.values())
        self.expect(
            exchange.is_success or not untouched,
            "generated.model.reviews",
            "reviews",
            lambda: f"{exchange.summary}, though the queue listed it as open",
        )
        self.decided[review_id] = self.reviews.pop(review_id)
        self.events[self.decided[review_id]].decided = True

    def decide_again(self, review_id: str, decision: str, taken: str) -> None:
        """Decide a review anew, which must be refused; the same decision may be answered as before."""
        call = Call("resolveReview", path={"review_id": review_id}, body={"decision": decision, "reason": "Checked."})
        answers: set[tuple[int, str | None]] = {(404, "REVIEW_NOT_FOUND")}
        if decision == taken:
            answers.add((200, None))
        self.refused(call, answers, "identity.resolve.settled", "reviews")

    def decide_badly(self, review_id: str, decision: Any) -> None:
        call = Call("resolveReview", path={"review_id": review_id}, body={"decision": decision, "reason": "Checked."})
        answers = {(400, "INVALID_REVIEW_DECISION")}
        self.refused(call, answers, "error.resolveReview.INVALID_REVIEW_DECISION", "reviews")


def smoke_walk(model: Model) -> None:
    """Walk to every part of the model."""
    given = model.given
    members = {"title": "Conformance Summit", "start_date": "2031-06-01", "end_date": "2031-07-01"}
    session = {"title": "Session", "start_timestamp": "2031-06-29T09:00:00Z", "end_timestamp": "2031-06-29T10:00:00Z"}
    # Where the first event is refused there is nothing to walk through: other tests say why.
    first = model.given.require_success(model.api.create_event(given.event_request()))
    model.events[first["event_id"]] = Event(first["event_id"], {"event_id": first["event_id"]})
    model.create_event(dict(members))
    other, event = model.events.values()
    model.update_context(event, {"objectives": "Meet.", "event_details": "People."})
    model.update_context_badly(event, {})
    model.read_context(event)
    model.create_session(event, dict(session))
    session_id = next(iter(event.sessions))
    model.create_session_again(event, event, session_id, session)
    model.read_session_elsewhere(other, session_id)
    model.list_sessions(event)
    model.import_rows(event, [{"attendee_id": given.name("attendee"), "name": "Conny"}, *given.look_alikes()])
    model.list_attendees(event)
    run = model.start("createEnrichmentRun", event, {})
    model.replay(run)
    model.misuse(run, "createEnrichmentRun", other)
    model.misuse(run, "createMatchRun", event)
    model.replay(model.start("createRun", None, {"kind": "match"}))
    model.wait(run)
    model.read_run(run)
    model.find_reviews(event)
    for review_id in sorted(map(str, model.reviews))[:1]:
        model.decide(review_id, "distinct")
        model.decide_again(review_id, "reject", "distinct")
        model.find_reviews(event)
    model.create_event_again(event, members)
    model.create_bad_event(dict(members), "title", "", "INVALID_TITLE")
    read_everything(model)


def read_everything(model: Model) -> None:
    """Read everything that the model holds."""
    for event in model.events.values():
        model.read_event(event)
        model.read_context(event)
        model.list_sessions(event)
        model.list_attendees(event)
    for run in model.runs:
        model.replay(run)


def _ids(page: Exchange, name: str) -> set[Any]:
    """Return the IDs of a page's rows."""
    return {row.get(name) for row in page.items}


def as_compared(name: str, value: Any) -> Any:
    """Return a member in the form to compare: a timestamp as its moment, a date as its day, however it is written."""
    if name.endswith("_timestamp"):
        return instant(value)
    return value[:10] if name.endswith("_date") and isinstance(value, str) else value


def _shown(value: Any) -> str:
    if value is UNKNOWN:
        return "missing"
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:100]}… ({len(text)} characters)"
