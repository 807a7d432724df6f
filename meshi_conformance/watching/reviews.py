"""Identity reviews: what a decision answers, and that a decided review is open no more."""

from __future__ import annotations

from ..contract.contract import Contract
from .bounded import Bounded
from .memory import Memory
from .observation import Observation, Trace
from .rule import Rule, shown
from .tally import Tally

DECISIONS = frozenset({"accept", "reject", "distinct"})

QUEUES = {"listEventReviews": "event_queue", "listReviews": "org_queue"}

LISTED_WITHIN = 5.0
"""Seconds within which a queue shows what was decided."""


class Reviews(Rule):
    """Decisions and merges, and the two queues."""

    def __init__(self, contract: Contract, memory: Memory, tally: Tally) -> None:
        super().__init__(contract, memory, tally)
        self._decided: Bounded[tuple[str, str], tuple[str, Trace]] = Bounded(10_000)

    def see(self, seen: Observation) -> None:
        name = seen.exchange.operation or ""
        if seen.org is None or not seen.accepted or not seen.coverage.answer_body or not seen.answer:
            return
        if name in QUEUES:
            self._queue(seen, QUEUES[name])
        elif name == "resolveReview":
            self._resolved(seen)
        elif name == "mergeReview":
            self._merged(seen)

    def _queue(self, seen: Observation, queue: str) -> None:
        event_id = seen.parameters.get("event_id")
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
        self._decided.put((seen.org or "", id), ("resolve", seen.trace))

    def _merged(self, seen: Observation) -> None:
        id, answer = seen.parameters["review_id"], seen.answer
        holds = answer.get("review_id") == id and answer.get("merged") is True
        message = f"the merge of {id!r} names {shown(answer.get('review_id'))}, merged {shown(answer.get('merged'))}"
        self.judge(holds, "identity.merge.review", seen, message)
        self._decided.put((seen.org or "", id), ("merge", seen.trace))
