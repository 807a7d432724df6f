"""What a call deserves by the reading of expectation.py, on calls that were not generated."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..client.call import NOTHING, Call
from ..contract.contract import Contract
from ..contract.operations import Operation
from .expectation import EXISTENCE, UNSENT, Expectation, Known, Reader
from .memory import Memory
from .observation import UNREADABLE, Observation, Trace
from .rule import Rule, limits_of
from .tally import Tally

OTHER_REASONS = frozenset({401, 403, 409, 413, 429})
"""Refusals whose reason is not in the call: the key, what was sent before, sizes that are not documented."""

ROWS = 100
"""Rows of an import whose members are looked at."""

NEED_ATTENDEES = frozenset({"createEnrichmentRun", "createMatchRun"})
"""Operations that a server may have a reason of its own to refuse: an event without attendees leaves nothing to do."""

OPEN_REFUSALS = {
    "createSession": frozenset({"INVALID_START_TIMESTAMP", "INVALID_END_TIMESTAMP"}),
    "mergeReview": frozenset({"MERGE_REJECTED", "REVIEW_SOURCE_MISMATCH"}),
}
"""Codes that a good call may earn: a session outside its event's dates, a merge that the review does not allow."""


class Witnessed(Known):
    """What the watcher saw being created exists; of everything else it knows nothing."""

    def __init__(self, memory: Memory) -> None:
        super().__init__({})
        self._memory = memory
        self.org: str | None = None
        self.now: Trace | None = None

    def names(self, operation: str, path: Mapping[str, str]) -> bool | None:
        """Return true where the event, and nothing else, is named and was created before."""
        if set(path) != {"event_id"} or self.org is None or self.now is None:
            return None
        event = self._memory.events.get((self.org, path["event_id"]))
        return True if event is not None and event.trace.before(self.now) else None

    def has_match_run(self, id: str) -> bool | None:
        """Leave open: what was seen of a run does not tell where it can be read."""
        return None

    def has_session(self, id: str) -> bool | None:
        """Leave open."""
        return None

    def can_merge(self, source: str, target: str) -> bool | None:
        """Leave open."""
        return None


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
        expected = self._expected(seen, operation)
        seen.expected = expected
        if expected is None or seen.status >= 500 or expected.freedoms & UNSENT:
            return
        if not seen.accepted and not seen.coverage.answer_body:
            return
        if expected.faults:
            self._bad(seen, operation, expected)
        elif seen.accepted:
            if not expected.freedoms - {EXISTENCE}:
                self.tally.hold(f"generated.accepts.{operation.id}")
        else:
            self._refused(seen, operation, expected)

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
        if seen.accepted:
            # Whether a replay is answered before its body is looked at is open, and so is a decision sent again.
            if not (operation.creates_run and seen.status == 200) and operation.id != "resolveReview":
                self.judge(False, requirement, seen, f"accepted with {seen.status}, though {what}")
            return
        answers = {pair for one in expected.faults for pair in one.answers}
        if seen.exchange.refusal in answers or (seen.status, None) in answers:
            self.tally.hold(requirement)
        elif seen.status not in OTHER_REASONS and not freedoms and not _for_what_it_names(seen, operation, expected):
            wanted = ", ".join(sorted(f"{status} {code or 'with any code'}" for status, code in answers))
            refusal = f"{seen.status} {seen.exchange.code}"
            self.judge(False, requirement, seen, f"refused with {refusal}, not {wanted}, though {what}")

    def _bound(self, operation: Operation, code: str | None, seen: Observation) -> str:
        """Return the bound of the one member that a code is about; else the operation's family."""
        members = set(seen.request) if isinstance(seen.request, dict) else set()
        rows = seen.sent("attendees")
        for row in rows[:ROWS] if isinstance(rows, list) else ():
            members |= set(row) if isinstance(row, dict) else set()
        bounds = {one.requirement for one in limits_of(self.contract, operation.id, code) if one.name in members}
        bounds = {name for name in bounds if self.known(name)}
        return bounds.pop() if len(bounds) == 1 else f"generated.accepts.{operation.id}"

    def _refused(self, seen: Observation, operation: Operation, expected: Expectation) -> None:
        """Judge the refusal of a call without a mistake: for what it names, for another reason, or wrongly."""
        status, code = seen.exchange.refusal
        listed = {one for errors in operation.errors.values() for one in errors}
        if code in operation.errors.get(status, ()):
            name = f"error.{operation.id}.{code}"
            if status in (404, 409) and self.known(name) and not (status == 404 and not expected.freedoms):
                self.tally.hold(name)
        elif code in listed and status not in OTHER_REASONS and self.known(f"error.{operation.id}.{code}"):
            right = next(one for one, codes in operation.errors.items() if code in codes)
            message = f"{code} comes with {status}, not with {right}"
            self.judge(False, f"error.{operation.id}.{code}", seen, message)
            return
        if status in OTHER_REASONS or code in OPEN_REFUSALS.get(operation.id, ()):
            return
        if operation.id in NEED_ATTENDEES and code not in operation.errors[400]:
            return
        if not expected.freedoms and status == 400:
            message = f"refused with 400 {code}, though everything in it is within its documented bounds"
            self.judge(False, self._bound(operation, code, seen), seen, message)
        elif status == 404 and len(operation.errors.get(404, ())) == 1 and code != operation.errors[404][0]:
            only = operation.errors[404][0]
            message = f"refused with 404 {code}; the only 404 that the pages list is {only}"
            self.judge(False, f"error.{operation.id}.{only}", seen, message)


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
