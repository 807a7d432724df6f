"""Idempotency keys: a key names the one run that it started, for its event and its operation."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ...contract.contract import Contract
from ..expectations.unusual import key_mixed_up
from ..rule import Rule, is_usable_key, shown
from ..state.bounded import Bounded
from ..state.memory import KeyUse, Memory
from ..state.observation import Observation, Trace
from ..state.tally import Tally

EVENT_OPERATIONS = frozenset({"importAttendees", "createEnrichmentRun", "createMatchRun"})

MOST_USES = 20

MOST_DOUBTFUL = 1_000

REMEMBERED = 3600.0
"""Seconds for which a server surely remembers a key; how long it does is not documented."""


class Keys(Rule):
    """Each key of an org with its first accepted use. What a key of `POST /runs` means elsewhere is open."""

    def __init__(self, contract: Contract, memory: Memory, tally: Tally) -> None:
        super().__init__(contract, memory, tally)
        self._refused: Bounded[tuple[str, str], tuple[str, Trace]] = Bounded(20_000)
        self._doubtful: dict[tuple[str, str], tuple[str, Observation, str, Trace]] = {}

    def see(self, seen: Observation) -> None:
        operation = seen.operation
        if operation is None or seen.org is None or not seen.coverage.answer_body:
            return
        if operation.id == "listRuns":
            for row in seen.rows if seen.is_success else ():
                self._listed(seen, row)
        if not operation.creates_run:
            return
        key = seen.sent("idempotency_key")
        if not is_usable_key(key):
            return
        event_id = seen.parameters.get("event_id")
        doubtful = self._doubtful.get((seen.org, key))
        if doubtful is not None and not doubtful[1].trace.before(seen.trace):
            del self._doubtful[seen.org, key]  # the first call was under way, and ended later
        if seen.is_success:
            self._flag(seen, operation.id)
        uses = [
            one
            for one in self.memory.keys.get((seen.org, key)) or []
            if abs(seen.trace.began - one.trace.ended) < REMEMBERED
        ]
        mine = [one for one in uses if (one.operation, one.event_id) == (operation.id, event_id)]
        # A rejected or another use at the same time leaves open which came first.
        settled = all(one.trace.before(seen.trace) for one in uses)
        if mine and settled:
            self._replay(seen, operation.id, mine[0])
        elif uses and settled and event_id is not None:
            self._elsewhere(seen, operation.id, event_id, uses)
        elif mine and seen.is_success:
            self._at_once(seen, operation.id, mine[0])
        if not uses:
            self._after_refusal(seen, operation.id, (seen.org, key))
        run_id = seen.answer.get("run_id")
        if seen.is_success and isinstance(run_id, str):
            if not mine:
                self._new_run(seen, operation.id, run_id)
            use = KeyUse(operation.id, event_id, _digest(seen.request), run_id, seen.trace, seen.sent("kind"))
            if not mine:
                self.memory.keys.put((seen.org, key), [*uses, use][-MOST_USES:])

    def settle(self) -> None:
        """Judge replays of calls that were never seen, now that calls under way at the same time are known."""
        for requirement, seen, message, earlier in self._doubtful.values():
            if self.memory.complete:
                self.judge(False, requirement, seen, message, earlier)
        self._doubtful.clear()

    def _after_refusal(self, seen: Observation, operation: str, key: tuple[str, str]) -> None:
        """Treat a key that only refused calls have carried as a new one."""
        refused, code = self._refused.get(key), seen.exchange.code
        event = self.memory.events.get((key[0], seen.parameters.get("event_id", "")))
        good = seen.expected is not None and not seen.expected.faults and not seen.expected.freedoms
        if refused is not None and refused[1].before(seen.trace):
            requirement = f"idempotency.refused.keeps_key.{operation}"
            if good and seen.status in (400, 404) and code == refused[0]:
                message = f"{seen.exchange.summary}, as another call with this key was refused before"
                self.judge(False, requirement, seen, message, refused[1])
            elif seen.is_success and seen.status == self._first(operation):
                self.tally.hold(requirement)
            elif seen.status == 200 and self.memory.complete and event is not None:
                message = f"{seen.exchange.summary} to a key that only a refused call had carried"
                self.judge(False, requirement, seen, message, refused[1])
        elif seen.status == 200 and self.memory.complete and event is not None and event.trace.before(seen.trace):
            message = f"{seen.exchange.summary}, and no call for this event had carried the key"
            requirement = f"idempotency.other_key.new_run.{operation}"
            if seen.answer.get("idempotent_replay") is False:
                requirement = f"status.{operation}.{self._first(operation)}"  # a first call by its own account
            if len(self._doubtful) < MOST_DOUBTFUL:
                self._doubtful[key] = (requirement, seen, message, event.trace)
        if not seen.is_success and code is not None and seen.status in (400, 404):
            self._refused.put(key, (code, seen.trace))

    def _flag(self, seen: Observation, operation: str) -> None:
        flag, first = seen.answer.get("idempotent_replay"), seen.status == self._first(operation)
        if not isinstance(flag, bool) or seen.status not in self.contract.operations[operation].responses:
            return
        message = f"answered {seen.status} with idempotent_replay {flag}"
        self.judge(flag is not first, f"idempotency.flag.{'first' if first else 'replay'}.{operation}", seen, message)

    def _first(self, operation: str) -> int:
        """Judge the status of a first call."""
        return max(self.contract.operations[operation].responses)

    def _replay(self, seen: Observation, operation: str, use: KeyUse) -> None:
        if operation == "createRun" and seen.sent("kind") != use.kind:
            return  # whether one key can serve two kinds is open
        same = use.body == _digest(seen.request)
        requirement = f"idempotency.replay.{'same_run' if same else 'other_body'}.{operation}"
        if not seen.is_success:
            # A body with a mistake in it, a key without the scope or an exhausted window may win over the replay.
            good = seen.expected is not None and not seen.expected.faults and not seen.expected.freedoms
            if good and seen.status in (400, 404, 409, 422):
                message = f"{seen.exchange.summary} to a key that this operation used for the event"
                self.judge(False, requirement, seen, message, use.trace)
            return
        run_id = seen.answer.get("run_id")
        message = f"{seen.exchange.summary} with run {shown(run_id)}; the key has run {use.run_id!r}"
        self.judge(run_id == use.run_id, requirement, seen, message, use.trace)
        if run_id == use.run_id and seen.status == self._first(operation):
            message = f"answered {seen.status} to a replay; documented is 200"
            self.judge(False, f"status.{operation}.200", seen, message, use.trace)
        run = self.memory.runs.get((seen.org or "", use.run_id))
        ended = run.ended if run is not None else None
        if operation in EVENT_OPERATIONS and ended is not None and ended[1].before(seen.trace):
            self.judge(run_id == use.run_id, f"idempotency.replay.after_end.{operation}", seen, message, use.trace)
            if run_id == use.run_id:
                status = seen.answer.get("status")
                message = f"status {shown(status)}; the run has ended as {ended[0].get('status')!r}"
                holds = status == ended[0].get("status")
                self.judge(holds, f"idempotency.replay.current.{operation}", seen, message, ended[1])

    def _elsewhere(self, seen: Observation, operation: str, event_id: str, uses: list[KeyUse]) -> None:
        of_events = [one for one in uses if one.event_id is not None]
        if not of_events:
            return
        same_event = [one for one in of_events if one.event_id == event_id]
        same_operation = [one for one in of_events if one.operation == operation]
        if same_event:
            requirement, use = f"idempotency.conflict.other_operation.{operation}", same_event[0]
        elif same_operation:
            requirement, use = f"idempotency.conflict.other_event.{operation}", same_operation[0]
        else:
            return  # another event and another operation at once: either names the conflict
        good = seen.expected is not None and not seen.expected.faults and not seen.expected.freedoms
        holds = seen.exchange.status_and_code == (409, "IDEMPOTENCY_KEY_CONFLICT")
        if holds or seen.is_success or (good and seen.status in (400, 404, 409, 422)):
            message = f"{seen.exchange.summary} to a key that {use.operation} used for event {use.event_id!r}"
            for name in (requirement, f"error.{operation}.IDEMPOTENCY_KEY_CONFLICT"):
                self.judge(holds, name, seen, message, use.trace)

    def _at_once(self, seen: Observation, operation: str, use: KeyUse) -> None:
        run_id = seen.answer.get("run_id")
        message = f"run {shown(run_id)} and run {use.run_id!r} answered one key at the same time"
        self.judge(run_id == use.run_id, f"idempotency.simultaneous.one_run.{operation}", seen, message, use.trace)

    def _listed(self, seen: Observation, row: dict[str, Any]) -> None:
        """Require that no two runs of one event and kind show one key: it would have started both."""
        key, event_id, run_id = row.get("idempotency_key"), row.get("event_id"), row.get("run_id")
        operation = KINDS.get(str(row.get("kind"))) if event_id is not None else "createRun"
        if not isinstance(key, str) or not isinstance(run_id, str) or operation is None:
            return
        for use in self.memory.keys.get((seen.org or "", key)) or ():
            if (use.operation, use.event_id) == (operation, event_id):
                message = f"the key {key!r} of run {use.run_id!r} is that of run {run_id!r} too"
                self.judge(run_id == use.run_id, f"idempotency.replay.one_run.{operation}", seen, message, use.trace)

    def _new_run(self, seen: Observation, operation: str, run_id: str) -> None:
        """Require that a key of which no other use was seen starts a run that no other key started."""
        run = self.memory.runs.get((seen.org or "", run_id))
        other = run.request.get("idempotency_key") if run is not None and run.request is not None else None
        if run is None or run.started_by is None or run.started_by.id == seen.trace.id or not isinstance(other, str):
            self.tally.hold(f"idempotency.other_key.new_run.{operation}")
            return
        key = seen.sent("idempotency_key")
        if other != key:
            message = f"run {run_id!r} was started by another key"
            requirement = key_mixed_up(operation, str(key), other, f"idempotency.other_key.new_run.{operation}")
            self.judge(False, requirement, seen, message, run.started_by)


KINDS = {"import": "importAttendees", "enrichment": "createEnrichmentRun", "match": "createMatchRun"}


def _digest(body: Any) -> bytes:
    """Return a body in the form in which replays are compared."""
    return hashlib.blake2b(json.dumps(body, sort_keys=True).encode("utf-8", "surrogatepass"), digest_size=16).digest()
