"""What a call deserves by the reading of expectation.py, on calls that were not generated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ...client.call import NOTHING, Call
from ...contract.contract import Contract
from ...contract.operations import Operation
from ..expectations.expectation import EXISTENCE, UNSENT, Expectation, Reader, Unknown
from ..expectations.malformed import malformed
from ..expectations.unusual import form_of_id, lost
from ..rule import Rule, limits_of
from ..sequences.attendees import there
from ..state.bounded import Bounded
from ..state.memory import Memory
from ..state.observation import UNREADABLE, Observation, Trace
from ..state.tally import Tally

OTHER_REASONS = frozenset({401, 403, 409, 413, 429})
"""Refusals whose reason is not in the call: the key, what was sent before, sizes that are not documented."""

ROWS = 100
"""Rows of an import whose members are looked at."""

OF_WHAT_IS_NAMED = frozenset({"INVALID_RUN_ID", "INVALID_REVIEW_ID", "INVALID_PARTNER_KIND"})
"""Codes that a server may give for an ID that names nothing."""

DEPENDENT = frozenset(
    {
        "event_id",
        "session_id",
        "attendee_id",
        "email",
        "idempotency_key",
        "start_date",
        "end_date",
        "start_timestamp",
        "end_timestamp",
        "source_partner_id",
        "target_partner_id",
    }
)
"""Members that are right or wrong by what else there is, so that a value that was taken once tells nothing."""

LONG_ID = 120

SHORT = 400
"""Characters of a context update that no bound of a field is near."""

NEED_ATTENDEES = frozenset({"createEnrichmentRun", "createMatchRun"})
"""Operations that a server may have a reason of its own to refuse: an event without attendees leaves nothing to do."""

OPEN_REFUSALS = {
    "createSession": frozenset({"INVALID_START_TIMESTAMP", "INVALID_END_TIMESTAMP"}),
    "mergeReview": frozenset({"MERGE_REJECTED", "REVIEW_SOURCE_MISMATCH"}),
}
"""Codes that a good call may earn: a session outside its event's dates, a merge that the review does not allow."""


class Witnessed(Unknown):
    """What the watcher saw being created exists; of everything else it knows nothing."""

    def __init__(self, memory: Memory) -> None:
        super().__init__({})
        self._memory = memory
        self._taken: Bounded[bytes, bool] = Bounded(20_000)
        self.org: str | None = None
        self.now: Trace | None = None

    def names(self, operation: str, path: Mapping[str, str]) -> bool | None:
        """Return true where what is named was surely made before, and is surely still there."""
        if self.org is None or self.now is None:
            return None
        memory, org, now = self._memory, self.org, self.now
        since: Trace | None = None
        named = frozenset(path)
        if named == {"event_id"}:
            event = memory.events.get((org, path["event_id"]))
            since = event.trace if event is not None else None
        elif named == {"event_id", "session_id"}:
            session = memory.sessions.get((org, path["event_id"], path["session_id"]))
            since = session.trace if session is not None else None
        elif named == {"event_id", "attendee_id"}:
            since = there(memory, org, path["event_id"], path["attendee_id"], now)
        elif named == {"run_id"}:
            run = memory.runs.get((org, path["run_id"]))
            since = run.started_by if run is not None else None
        elif named == {"review_id"} and memory.complete:
            since = memory.open_reviews.get((org, path["review_id"]))
            if since is not None and memory.changed((org, "reviews", None), since.began, now.ended):
                since = None
        return True if since is not None and since.before(now) else None

    def session_times(self, path: Mapping[str, str]) -> tuple[datetime, datetime] | None:
        """Return moments inside the dates of an event that was seen being created, in its time zone and in UTC."""
        event = self._memory.events.get((self.org or "", path.get("event_id", "")))
        if event is None:
            return None
        try:
            zones = [UTC, ZoneInfo(str(event.request.get("timezone") or "UTC"))]
            first, last = (date.fromisoformat(str(event.request[name])) for name in ("start_date", "end_date"))
        except (KeyError, ValueError, ZoneInfoNotFoundError, OSError):
            return None
        begin, end = (datetime.combine(day, time()) for day in (first, last + timedelta(days=1)))
        return max(begin.replace(tzinfo=zone) for zone in zones), min(end.replace(tzinfo=zone) for zone in zones)

    def took(self, operation: str, name: str, value: Any) -> bool:
        """Tell whether a call with this value was accepted before."""
        return name not in DEPENDENT and _value(operation, name, value) in self._taken

    def take(self, operation: str, body: Mapping[str, Any]) -> None:
        """Remember the values of a call that was accepted."""
        for name, value in body.items():
            if name == "attendees" and isinstance(value, list):
                for row in value[:ROWS]:
                    if isinstance(row, dict):
                        self.take(operation, row)
            elif name not in DEPENDENT and isinstance(value, str | dict | bool | int | None):
                self._taken.put(_value(operation, name, value), True)


class Deserved(Rule):
    """Good calls that are refused, bad ones that are accepted, and refusals with a wrong code."""

    def __init__(self, contract: Contract, memory: Memory, tally: Tally) -> None:
        super().__init__(contract, memory, tally)
        self._witnessed = Witnessed(memory)
        self._reader = Reader(contract, self._witnessed)

    def see(self, seen: Observation) -> None:
        operation = seen.operation
        if operation is None:
            return
        if operation.body is not None and not seen.coverage.request_body:
            self.tally.leave("the recording holds no whole body of the request")
            return
        self._wrong_status(seen, operation)
        self._malformed(seen, operation)
        expected = self._expected(seen, operation)
        seen.expected = expected
        if seen.is_success and isinstance(seen.request, dict):
            self._witnessed.take(operation.id, seen.request)
        if expected is None or seen.status >= 500 or expected.freedoms & UNSENT:
            return
        if not seen.is_success and not seen.coverage.answer_body:
            return
        if expected.faults:
            self._bad(seen, operation, expected)
        elif seen.is_success:
            if not expected.freedoms - {EXISTENCE}:
                self.tally.hold(f"generated.accepts.{operation.id}")
        else:
            self._refused(seen, operation, expected)

    def _wrong_status(self, seen: Observation, operation: Operation) -> None:
        """Judge that a listed code comes with the status that the pages list for it."""
        code, status = seen.exchange.code, seen.status
        right = [one for one, codes in operation.errors.items() if code in codes]
        name = f"error.{operation.id}.{code}"
        if not right or status in right or status in (401, 403, 429) or status >= 500 or not self.known(name):
            return
        self.judge(False, name, seen, f"{code} comes with {status}, not with {right[0]}")

    def _malformed(self, seen: Observation, operation: Operation) -> None:
        """Judge that malformed JSON is refused as such, whatever a lenient reader makes of it."""
        content = seen.exchange.request_body
        if operation.body is None or content is None or seen.request is not UNREADABLE:
            return
        kind = malformed(content)
        if kind is None:
            return
        message = f"{seen.exchange.summary} to a body that is not JSON ({kind})"
        if seen.is_success or seen.status in (400, 409, 422):
            holds = seen.exchange.status_and_code == (400, "INVALID_JSON")
            self.judge(holds, f"limits.json.{kind}", seen, message)

    def _expected(self, seen: Observation, operation: Operation) -> Expectation | None:
        exchange = seen.exchange
        self._witnessed.org, self._witnessed.now = seen.org, seen.trace
        body, content = NOTHING, None
        if exchange.request_body is not None and operation.body is not None:
            if seen.request is UNREADABLE:
                content = exchange.request_body
            elif not _is_text(seen.request):
                return None  # half a surrogate pair: whether that is JSON is open
            else:
                body = seen.request
        elif exchange.request_body:
            return None  # a body where none is documented
        label = next((value for name, value in exchange.request_headers.items() if name.lower() == "content-type"), "")
        headers = {} if label.split(";")[0].strip().lower() == "application/json" else {"Content-Type": label}
        query = {name: values[0] if len(values) == 1 else values for name, values in seen.query.items()}
        call = Call(
            operation.id,
            path=seen.parameters,
            query=query,
            body=body,
            content=content,
            headers=headers if operation.body is not None and exchange.request_body is not None else {},
        )
        return self._reader.read(call)

    def _bad(self, seen: Observation, operation: Operation, expected: Expectation) -> None:
        what = "; ".join(one.what for one in expected.faults)
        freedoms = expected.freedoms - {EXISTENCE}
        requirement = expected.faults[0].requirement
        if len(expected.faults) > 1 or freedoms:
            requirement = f"generated.refuses.{operation.id}"
        if seen.is_success:
            # Whether a replay is answered before its body is looked at is open, and so is a decision sent again.
            if not (operation.creates_run and seen.status == 200) and operation.id != "resolveReview":
                self.judge(False, requirement, seen, f"accepted with {seen.status}, though {what}")
            return
        answers = {pair for one in expected.faults for pair in one.answers}
        if seen.exchange.status_and_code in answers or (seen.status, None) in answers:
            self.tally.hold(requirement)
        elif seen.status not in OTHER_REASONS and not freedoms and not _for_what_it_names(seen, operation, expected):
            wanted = ", ".join(sorted(f"{status} {code or 'with any code'}" for status, code in answers))
            refusal = f"{seen.status} {seen.exchange.code}"
            self.judge(False, requirement, seen, f"refused with {refusal}, not {wanted}, though {what}")

    def _bound(self, operation: Operation, code: str | None, seen: Observation) -> str:
        """Return the bound of the one member that a code is about; else the operation's family."""
        members = set(seen.request) if isinstance(seen.request, dict) else set()
        if operation.id == "resolveReview" and code == "INVALID_REVIEW_DECISION":
            return f"identity.decision.{seen.sent('decision')}"
        if not members and (parameter := self._parameter(seen, operation, code)):
            return parameter
        rows = seen.sent("attendees")
        for row in rows[:ROWS] if isinstance(rows, list) else ():
            members |= set(row) if isinstance(row, dict) else set()
        if operation.id == "updateEventContext" and len(members) == 1 and len(str(seen.request)) < SHORT:
            alone = f"context.alone.{next(iter(members))}"
            return alone if self.known(alone) else f"generated.accepts.{operation.id}"
        if operation.id == "createEvent" and code == "INVALID_PARTNER_ID":
            return lost("events", str(seen.sent("event_id")), self._bound_of(operation, code, members))
        if operation.id == "createSession" and code == "INVALID_PARTNER_ID":
            return lost("sessions", str(seen.sent("session_id")), self._bound_of(operation, code, members))
        if operation.id == "importAttendees" and isinstance(rows, list):
            return self._of_import(operation, code, members, rows)
        return self._bound_of(operation, code, members)

    def _of_import(self, operation: Operation, code: str | None, members: set[str], rows: list[Any]) -> str:
        """Return the requirement that the refusal of good rows breaks."""
        ids = [str(row.get("attendee_id")) for row in rows if isinstance(row, dict)]
        if code == "INVALID_ATTENDEE_RAW_DATA":
            return "imports.raw_data"
        if code == "DUPLICATE_ATTENDEE_ID" and len({one.lower() for one in ids}) < len(ids):
            return "attendees.id.case"
        if code in ("INVALID_PARTNER_ID", "DUPLICATE_ATTENDEE_ID"):
            forms = {form_of_id(one) for one in ids} - {""}
            if len(forms) == 1:
                return f"ids.{forms.pop()}.attendees"
        bound = self._bound_of(operation, code, members)
        bare = any(isinstance(row, dict) and not set(row) - {"attendee_id", "name"} for row in rows)
        return "imports.name_alone" if bare and bound.startswith("generated.") else bound

    def _parameter(self, seen: Observation, operation: Operation, code: str | None) -> str | None:
        """Return the bound of the parameter that a code is about, where one alone is as short or as long as may be."""
        values = {**seen.parameters, **{name: values[0] for name, values in seen.query.items()}}
        named = [one for one in limits_of(self.contract, operation.id, code) if one.place in ("path", "query")]
        named = [one for one in named if one.name in values and self.known(one.requirement)]
        extreme = [one for one in named if len(values[one.name]) < 3 or len(values[one.name]) > LONG_ID]
        chosen = named if len(named) == 1 else extreme
        return chosen[0].requirement if len(chosen) == 1 else None

    def _bound_of(self, operation: Operation, code: str | None, members: set[str]) -> str:
        bounds = {one.requirement for one in limits_of(self.contract, operation.id, code) if one.name in members}
        bounds = {name for name in bounds if self.known(name)}
        return bounds.pop() if len(bounds) == 1 else f"generated.accepts.{operation.id}"

    def _refused(self, seen: Observation, operation: Operation, expected: Expectation) -> None:
        """Judge the refusal of a call without a mistake: for what it names, for another reason, or wrongly."""
        if seen.party is None and seen.coverage.party_known:
            return  # access.py judges calls without a key
        status, code = seen.exchange.status_and_code
        listed = {one for errors in operation.errors.values() for one in errors}
        if code in operation.errors.get(status, ()):
            name = f"error.{operation.id}.{code}"
            if status in (404, 409) and self.known(name) and not (status == 404 and not expected.freedoms):
                self.tally.hold(name)
        elif code in listed:
            return  # _wrong_status says so
        if status in OTHER_REASONS or code in OPEN_REFUSALS.get(operation.id, ()):
            return
        if operation.id in NEED_ATTENDEES and code not in operation.errors[400]:
            return
        may_be_missing = expected.freedoms == {EXISTENCE} and (code in OF_WHAT_IS_NAMED or "run_id" in seen.query)
        if not expected.freedoms - {EXISTENCE} and status == 400 and not may_be_missing:
            message = f"refused with 400 {code}, though everything in it is within its documented bounds"
            self.judge(False, self._bound(operation, code, seen), seen, message)
        elif status == 404 and len(operation.errors.get(404, ())) == 1 and code != operation.errors[404][0]:
            only = operation.errors[404][0]
            message = f"refused with 404 {code}; the only 404 that the pages list is {only}"
            self.judge(False, f"error.{operation.id}.{only}", seen, message)
        elif status == 404 and code is not None and code not in operation.errors.get(404, ()):
            missing = self._missing(seen, operation)
            if missing is not None:
                message = f"refused with 404 {code}, which is not listed; {missing} is"
                self.judge(False, f"error.{operation.id}.{missing}", seen, message)

    def _missing(self, seen: Observation, operation: Operation) -> str | None:
        """Return the listed code that says what is missing, as far as it can be told."""
        codes = list(operation.errors.get(404, ()))
        event_id = seen.parameters.get("event_id")
        if event_id is None or "EVENT_NOT_FOUND" not in codes:
            return None
        event = self.memory.events.get((seen.org or "", event_id))
        if event is None:
            return "EVENT_NOT_FOUND" if self.memory.complete and seen.org is not None else None
        codes.remove("EVENT_NOT_FOUND")
        return codes[0] if len(codes) == 1 else None


def _value(operation: str, name: str, value: Any) -> bytes:
    text = json.dumps([operation, name, value], sort_keys=True)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _is_text(value: object) -> bool:
    """Tell whether every text in a JSON value is Unicode."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _for_what_it_names(seen: Observation, operation: Operation, expected: Expectation) -> bool:
    """Tell whether the refusal may be about a resource that does not exist, which may win over the call's mistake."""
    return EXISTENCE in expected.freedoms and seen.exchange.code in operation.errors.get(404, ())
