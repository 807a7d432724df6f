"""Identity reviews: what a decision answers, and that a decided review is open no more."""

from __future__ import annotations

from ...contract.contract import Contract
from ..expectations.expectation import EXISTENCE
from ..rule import Rule, shown
from ..state.bounded import Bounded
from ..state.memory import Memory
from ..state.observation import Observation, Trace
from ..state.tally import Tally

DECISIONS = ("accept", "reject", "distinct")

QUEUES = {"listEventReviews": "event_queue", "listReviews": "org_queue"}

LISTED_WITHIN = 5.0
"""Seconds within which a queue shows what was decided."""


class Reviews(Rule):
    """Decisions and merges, and the two queues."""

    def __init__(self, contract: Contract, memory: Memory, tally: Tally) -> None:
        super().__init__(contract, memory, tally)
        self._decided: Bounded[tuple[str, str], tuple[str, Trace, str]] = Bounded(10_000)

    def see(self, seen: Observation) -> None:
        name = seen.exchange.operation or ""
        if seen.org is None or not seen.coverage.answer_body or not seen.answer:
            return
        if not seen.is_success:
            if name in ("resolveReview", "mergeReview"):
                self._refused(seen, name)
        elif name in QUEUES:
            self._queue(seen, QUEUES[name])
        elif name == "resolveReview":
            self._resolved(seen)
        elif name == "mergeReview":
            self._merged(seen)

    def _refused(self, seen: Observation, name: str) -> None:
        key = (seen.org or "", seen.parameters["review_id"])
        if seen.status in (400, 404, 409, 422):
            what = "resolve" if name == "resolveReview" else "merge"
            self.memory.refused_decisions.put(key, (f"identity.{what}.refused", seen.trace))
        decision = seen.sent("decision")
        if name == "mergeReview" and seen.status in (400, 409, 422) and _into_itself(seen):
            message = f"{seen.exchange.summary} to a merge of an attendee into itself"
            holds = seen.status == 400 and seen.exchange.code in ("MERGE_REJECTED", "REVIEW_SOURCE_MISMATCH")
            expected = seen.expected
            well_formed = expected is not None and not expected.faults and not expected.freedoms - {EXISTENCE}
            if holds or well_formed:
                self.judge(holds, "identity.merge.into_itself", seen, message)
        good = seen.expected is not None and not seen.expected.faults and not seen.expected.freedoms
        if decision in DECISIONS and good and seen.exchange.status_and_code == (404, "REVIEW_NOT_FOUND"):
            message = f"{seen.exchange.summary}, and the review is open"
            since = self.memory.open_reviews.get(key)
            self.judge(False, f"identity.decision.{decision}", seen, message, *([since] if since else []))

    def _queue(self, seen: Observation, queue: str) -> None:
        event_id = seen.parameters.get("event_id")
        if event_id is not None and not seen.query and not seen.rows and seen.answer.get("next_cursor") is None:
            self.memory.no_reviews.put((seen.org or "", event_id), seen.trace)
        for row in seen.rows:
            if isinstance(row.get("review_id"), str):
                self.memory.open_reviews.put((seen.org or "", row["review_id"]), seen.trace)
        for row in seen.rows:
            if event_id is not None and "event_id" in row:
                message = f"the queue of {event_id!r} shows a review of event {shown(row['event_id'])}"
                self.judge(row["event_id"] == event_id, "lists.event_reviews.own_event", seen, message)
            id = row.get("review_id")
            known = self._decided.get((seen.org or "", id)) if isinstance(id, str) else None
            if known is not None and known[1].ended + LISTED_WITHIN < seen.trace.began:
                message = f"review {id!r} is listed as open, and it was decided before"
                self.judge(False, f"identity.{known[0]}.leaves_{queue}", seen, message, known[1])

    def _resolved(self, seen: Observation) -> None:
        id, decision, answer = seen.parameters["review_id"], seen.sent("decision"), seen.answer
        holds = answer.get("review_id") == id and answer.get("logged") is True
        message = f"the decision on {id!r} names {shown(answer.get('review_id'))}, logged {shown(answer.get('logged'))}"
        self.judge(holds, "identity.resolve.review", seen, message)
        if decision in DECISIONS:
            message = f"{decision!r} was sent, and the answer names {shown(answer.get('decision'))}"
            self.judge(answer.get("decision") == decision, f"identity.decision.{decision}", seen, message)
        self._settled(seen, id, str(decision))
        self._decided.put((seen.org or "", id), ("resolve", seen.trace, str(decision)))

    def _settled(self, seen: Observation, id: str, decision: str) -> None:
        """Judge that a decided review takes no other decision; whether it takes the same one again is open."""
        before = self._decided.get((seen.org or "", id))
        if before is None or not before[1].before(seen.trace) or before[2] == decision:
            return
        if decision == "merge" or seen.answer.get("decision") == decision:
            message = f"{decision!r} is accepted, and the review was decided before"
            self.judge(False, "identity.resolve.settled", seen, message, before[1])

    def _merged(self, seen: Observation) -> None:
        id, answer = seen.parameters["review_id"], seen.answer
        holds = answer.get("review_id") == id and answer.get("merged") is True
        message = f"the merge of {id!r} names {shown(answer.get('review_id'))}, merged {shown(answer.get('merged'))}"
        self.judge(holds, "identity.merge.review", seen, message)
        for end in ("source", "target"):
            sent = {name: seen.sent(f"{end}_{name}") for name in ("kind", "partner_id")}
            named = answer.get(end)
            if end in answer and all(isinstance(one, str) for one in sent.values()):
                said = {name: named.get(name) for name in sent} if isinstance(named, dict) else named
                message = f"{end} {shown(sent)} was sent, {shown(said)} is named"
                self.judge(said == sent, "identity.merge.ends", seen, message)
        if _into_itself(seen):
            self.judge(False, "identity.merge.into_itself", seen, "an attendee is merged into itself")
        self._settled(seen, id, "merge")
        self._decided.put((seen.org or "", id), ("merge", seen.trace, "merge"))


def _into_itself(seen: Observation) -> bool:
    """Tell whether source and target of a merge are one."""
    ends = [(seen.sent(f"{end}_kind"), seen.sent(f"{end}_partner_id")) for end in ("source", "target")]
    return ends[0] == ends[1] and None not in ends[0]
