"""Identity reviews: queues that forget or keep too much, decisions without effect, merges that go wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ...errors import ApiError
from ...patching import changes, operations
from ...patching.changes import Query
from ...patching.operations import Handler
from ...patching.patch import Patch
from ...resources import attendees, identity
from ...rules import validation
from ...services import Call, Services
from ...storage import Row
from ...wire.http import JsonObject, Response
from ..registry import fault

Values = Callable[[Any], Any]

DECISIONS = validation.DECISIONS
QUEUES = {"event": "listEventReviews", "org": "listReviews"}
ALSO = ("identity.*", "error.resolveReview.*", "error.mergeReview.*", "lists.*reviews.*", "generated.*", "attendees.*")
LOST = ("*",)
"""Without reviews nothing of them can be judged."""


# Queues


def selecting(operation: str, change: Callable[[Call, str, list[Any]], Query]) -> Callable[[Patch], None]:
    """Choose the rows of a queue in another way."""
    return partial(changes.rows, operation=operation, query=change)


def once_seen(operation: str) -> Callable[[Patch], None]:
    """List a review once and never again."""

    def apply(patch: Patch) -> None:
        seen: dict[str, int] = {}

        def unseen(rows: list[Any]) -> list[Any]:
            for row in rows:
                seen[row["review_id"]] = seen.get(row["review_id"], 0) + 1
            return [row for row in rows if seen[row["review_id"]] == 1]

        changes.items(patch, operation, unseen)

    return apply


def but_last(call: Call, where: str, parameters: list[Any]) -> Query:
    newest = "SELECT max(seq) FROM reviews AS newest WHERE newest.event_seq = reviews.event_seq"
    return f"{where} AND reviews.seq < ({newest})", parameters


def first_event(call: Call, where: str, parameters: list[Any]) -> Query:
    first = "SELECT max(one.event_seq) FROM reviews AS one WHERE one.org_id = reviews.org_id"
    return f"{where} AND reviews.event_seq < ({first})", parameters


fault(
    "identity.queue.event.once",
    "The queue of an event lists each review once and never again.",
    breaks=["identity.queue.event"],
    also=LOST,
)(once_seen("listEventReviews"))
fault(
    "identity.queue.org.last",
    "The queue of the org lacks the latest review of each event.",
    breaks=["identity.queue.org"],
    also=ALSO,
)(selecting("listReviews", but_last))
fault(
    "identity.queue.org.event",
    "The queue of the org lacks the reviews of the latest event.",
    breaks=["identity.queue.org"],
    also=ALSO,
)(selecting("listReviews", first_event))


def keeps_resolved(operation: str, decision: str) -> Callable[[Patch], None]:
    """Go on listing the reviews with one decision after they were resolved."""

    def also_resolved(call: Call, where: str, parameters: list[Any]) -> Query:
        return where.replace(
            "reviews.status = 'open'", f"(reviews.status = 'open' OR reviews.decision = '{decision}')"
        ), parameters

    return selecting(operation, also_resolved)


for _queue, _operation in QUEUES.items():
    for _decision in (*DECISIONS, "merge"):
        _how = "merge" if _decision == "merge" else "resolve"
        fault(
            f"identity.{_how}.leaves_{_queue}_queue.{_decision}",
            f"The queue of the {_queue} goes on listing a review after the decision {_decision}.",
            breaks=[f"identity.{_how}.leaves_{_queue}_queue"],
            also=ALSO,
        )(keeps_resolved(_operation, _decision))


# Decisions


def resolving(patch: Patch, make: Callable[[Handler], Handler]) -> None:
    operations.handle(patch, "resolveReview", make)


def with_decision(change: Callable[[Call, Response, str], None]) -> Callable[[Handler], Handler]:
    """Do something more after a decision was accepted."""

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            answer = await inner(call)
            change(call, answer, call.body["decision"])
            return answer

        return handler

    return make


def reopen(call: Call, review_id: str) -> None:
    call.services.storage.execute("UPDATE reviews SET status = 'open' WHERE review_id = ?", (review_id,))


for _decision in DECISIONS:

    def _refuse(patch: Patch, decision: str = _decision) -> None:
        kept = tuple(one for one in DECISIONS if one != decision)
        patch(validation, "DECISIONS", kept)

    fault(
        f"identity.decision.{_decision}.refused",
        f"The decision {_decision} is refused.",
        breaks=[f"identity.decision.{_decision}"],
        also=[*ALSO, "status.resolveReview.200", "schema.resolveReview.200", "limits.resolveReview.*"],
    )(_refuse)

    def _misname(patch: Patch, decision: str = _decision) -> None:
        other = DECISIONS[DECISIONS.index(decision) - 1]
        changes.answered_member(patch, "resolveReview", "decision", lambda value: other if value == decision else value)

    fault(
        f"identity.decision.{_decision}.misnamed",
        f"The answer to the decision {_decision} names another one.",
        breaks=[f"identity.decision.{_decision}"],
        also=["generated.*"],
    )(_misname)

    def _no_effect(patch: Patch, decision: str = _decision) -> None:
        def undo(call: Call, answer: Response, taken: str) -> None:
            if taken == decision:
                reopen(call, call.params["review_id"])

        resolving(patch, with_decision(undo))

    fault(
        f"identity.resolve.no_effect.{_decision}",
        f"The decision {_decision} is answered, and not applied: the review stays open.",
        breaks=["identity.resolve.leaves_event_queue", "identity.resolve.leaves_org_queue"],
        also=ALSO,
    )(_no_effect)


@fault(
    "identity.decision.misunderstood",
    "The answer to every decision names `accept`.",
    breaks=["identity.decision.reject", "identity.decision.distinct"],
    also=["generated.*"],
)
def _(patch: Patch) -> None:
    changes.answered_member(patch, "resolveReview", "decision", lambda value: "accept")


DECIDED: tuple[tuple[str, str, str, str, Values], ...] = (
    ("review", "review_id", "upper", "names the review in capitals", str.upper),
    ("review", "logged", "false", "says that the decision is not logged", lambda value: False),
    ("subject", "kind", "person", "says that the review is about a person", lambda value: "person"),
    ("subject", "partner_id", "internal", "names its subject by a number", lambda value: "1"),
)
for _name, _member, _suffix, _sentence, _value in DECIDED:
    fault(
        f"identity.resolve.{_name}.{_suffix}",
        f"The answer to a decision {_sentence}.",
        breaks=[f"identity.resolve.{_name}"],
        also=["schema.resolveReview.200", "generated.*", "identity.history.*"],
    )(partial(changes.answered_member, operation="resolveReview", name=_member, value=_value))


def close_on_refusal(patch: Patch, operation: str, codes: tuple[str, ...], decision: str) -> None:
    """Close the review first and check the request afterwards."""

    def close(call: Call) -> None:
        call.services.storage.execute(
            "UPDATE reviews SET status = 'resolved', decision = ? WHERE review_id = ?",
            (decision, call.params["review_id"]),
        )

    changes.after_refusal(patch, operation, codes, close)


def decide_anew(patch: Patch) -> None:
    """Record a decision on a resolved review over the first one."""

    def make(inner: operations.Handler) -> operations.Handler:
        async def handler(call: Call) -> Response:
            row = call.services.storage.one(
                f"{identity.SELECT} WHERE reviews.org_id = ? AND reviews.review_id = ? AND reviews.status = 'resolved'",
                (call.org, call.params["review_id"]),
            )
            if row is None:
                return await inner(call)
            decision = validation.check_decision(call.body.get("decision"))
            subject = {name: row[name] for name in ("review_id", "kind", "partner_id")}
            return Response(200, {**subject, "decision": decision, "logged": True, "minted": False})

        return handler

    operations.handle(patch, "resolveReview", make)


fault(
    "identity.resolve.settled.anew",
    "A review that was decided takes another decision.",
    breaks=["identity.resolve.settled"],
    also=["generated.*"],
)(decide_anew)

fault(
    "identity.resolve.refused.closed",
    "A decision that is refused closes the review.",
    breaks=["identity.resolve.refused"],
    also=[*ALSO, "limits.resolveReview.*", "status.*", "schema.*"],
)(partial(close_on_refusal, operation="resolveReview", codes=("INVALID_REVIEW_DECISION",), decision="reject"))
for _code in ("REVIEW_SOURCE_MISMATCH", "PARTNER_ID_NOT_FOUND", "INVALID_PARTNER_ID"):
    fault(
        f"identity.merge.refused.{_code.lower()}",
        f"A merge that is refused with {_code} closes the review.",
        breaks=["identity.merge.refused"],
        also=[*ALSO, "limits.mergeReview.*", "status.*", "schema.*", "shape.*"],
    )(partial(close_on_refusal, operation="mergeReview", codes=(_code,), decision="merge"))


# History and counts


def history_of(patch: Patch, name: str, value: Callable[[Any], Any]) -> None:
    changes.answered_member(patch, "listAttendeeIdentity", name, value)


fault(
    "identity.history.asked_for.event",
    "The identity history names no event.",
    breaks=["identity.history.asked_for"],
)(partial(history_of, name="event_id", value=lambda value: ""))
fault(
    "identity.history.asked_for.attendee",
    "The identity history names the attendee by a number.",
    breaks=["identity.history.asked_for"],
)(partial(history_of, name="attendee_id", value=lambda value: "1"))

Log = Callable[[Services, str, int, int, str, str | None], None]


def logging(patch: Patch, make: Callable[[Log], Log]) -> None:
    patch.wrap(identity, "log_history", make)


@fault(
    "identity.history.grows.opened_alone",
    "The identity history keeps that a review was opened, and no decision.",
    breaks=["identity.history.grows"],
    also=["lists.identity.*"],
)
def _(patch: Patch) -> None:
    def make(inner: Log) -> Log:
        def log(services: Services, review_id: str, one: int, other: int, action: str, reason: str | None) -> None:
            if action == "review_opened":
                inner(services, review_id, one, other, action, reason)

        return log

    logging(patch, make)


@fault(
    "identity.history.grows.replaced",
    "A decision replaces the earlier entry of its review in the identity history.",
    breaks=["identity.history.grows"],
    also=["lists.identity.*"],
)
def _(patch: Patch) -> None:
    def make(inner: Log) -> Log:
        def log(services: Services, review_id: str, one: int, other: int, action: str, reason: str | None) -> None:
            services.storage.execute("DELETE FROM identity_history WHERE review_id = ?", (review_id,))
            inner(services, review_id, one, other, action, reason)

        return log

    logging(patch, make)


def counting(patch: Patch, change: Callable[[int], JsonObject]) -> None:
    patch(attendees, "serialize_identity", change)


def shown_as(required: bool, count: int) -> JsonObject:
    return {"review_required": required, "open_review_count": count}


fault(
    "identity.counts.consistent.never_required",
    "Attendees with open reviews are shown as not in need of review.",
    breaks=["identity.counts.consistent"],
)(partial(counting, change=lambda count: shown_as(False, count)))
fault(
    "identity.counts.consistent.two",
    "Attendees are shown as in need of review from the second open review on.",
    breaks=["identity.counts.consistent"],
)(partial(counting, change=lambda count: shown_as(count > 1, count)))
fault(
    "identity.counts.open.never",
    "Attendees are shown without open reviews.",
    breaks=["identity.counts.open"],
)(partial(counting, change=lambda count: shown_as(False, 0)))


def select_counting(patch: Patch, condition: str) -> None:
    patch(attendees, "LIST_SELECT", attendees.LIST_SELECT.replace("reviews.status = 'open'", condition))


fault(
    "identity.counts.resolved.counted",
    "Attendees are shown with all their reviews, also with those that were resolved.",
    breaks=["identity.counts.resolved"],
)(partial(select_counting, condition="TRUE"))
fault(
    "identity.counts.resolved.rejected",
    "Attendees are shown as in need of review after a rejection.",
    breaks=["identity.counts.resolved"],
)(partial(select_counting, condition="(reviews.status = 'open' OR reviews.decision = 'reject')"))
fault(
    "identity.counts.open.resolved_alone",
    "Attendees are shown with the reviews that were resolved, and not with the open ones.",
    breaks=["identity.counts.open"],
    also=["identity.counts.*"],
)(partial(select_counting, condition="reviews.status = 'resolved'"))


# Merges

MERGED: tuple[tuple[str, str, str, str, Values], ...] = (
    ("review", "review_id", "upper", "names the review in capitals", str.upper),
    ("review", "merged", "false", "says that nothing was merged", lambda value: False),
    ("ends", "source", "kind", "names the source without its kind", lambda end: {**end, "kind": "person"}),
    ("ends", "target", "internal", "names the target by a number", lambda end: {**end, "partner_id": "1"}),
)
for _name, _member, _suffix, _sentence, _value in MERGED:
    fault(
        f"identity.merge.{_name}.{_member}_{_suffix}",
        f"The answer to a merge {_sentence}.",
        breaks=[f"identity.merge.{_name}"],
        also=["schema.mergeReview.200", "shape.mergeReview.200", "generated.*"],
    )(partial(changes.answered_member, operation="mergeReview", name=_member, value=_value))


@fault(
    "identity.merge.ends.swapped",
    "The answer to a merge names the source as target and the target as source.",
    breaks=["identity.merge.ends"],
    also=["generated.*"],
)
def _(patch: Patch) -> None:
    def swap(body: JsonObject) -> None:
        body["source"], body["target"] = body["target"], body["source"]

    changes.answered(patch, "mergeReview", swap)


@fault(
    "identity.merge.no_effect",
    "A merge is answered, and its review stays open.",
    breaks=["identity.merge.leaves_event_queue", "identity.merge.leaves_org_queue"],
    also=ALSO,
)
def _(patch: Patch) -> None:
    def make(inner: Handler) -> Handler:
        async def merge_review(call: Call) -> Response:
            answer = await inner(call)
            reopen(call, call.params["review_id"])
            return answer

        return merge_review

    operations.handle(patch, "mergeReview", make)


@fault(
    "identity.merge.target_stays.swapped",
    "A merge takes the target away, and not the source.",
    breaks=["identity.merge.target_stays"],
    also=["generated.*", "attendees.*"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[Services, int, Row], int]) -> Any:
        def supersede(services: Services, source_seq: int, target: Row) -> int:
            source = services.storage.one("SELECT * FROM attendees WHERE seq = ?", (source_seq,))
            assert source is not None
            return inner(services, target["seq"], source)

        return supersede

    patch.wrap(identity, "supersede", make)


@fault(
    "identity.merge.target_stays.both",
    "A merge takes source and target away.",
    breaks=["identity.merge.target_stays"],
    also=["generated.*", "attendees.*"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[Services, int, Row], int]) -> Any:
        def supersede(services: Services, source_seq: int, target: Row) -> int:
            count = inner(services, source_seq, target)
            services.storage.execute("UPDATE attendees SET merged_into = seq WHERE seq = ?", (target["seq"],))
            return count

        return supersede

    patch.wrap(identity, "supersede", make)


def merging_itself(patch: Patch, otherwise: Callable[[], ApiError | None]) -> None:
    """Change what becomes of a merge of an attendee into itself."""

    def make(inner: Callable[..., Row]) -> Any:
        def require_merge_target(
            services: Services, review: Row, source: tuple[str, str], target: tuple[str, str]
        ) -> Row:
            if source != target:
                return inner(services, review, source, target)
            error = otherwise()
            if error is not None:
                raise error
            row = attendees.find_attendee(services, review["event_seq"], target[1])
            assert row is not None
            return row

        return require_merge_target

    patch.wrap(identity, "require_merge_target", make)


fault(
    "identity.merge.into_itself.accepted",
    "An attendee is merged into itself.",
    breaks=["identity.merge.into_itself"],
    also=[*ALSO, "codes.mergeReview"],
)(partial(merging_itself, otherwise=lambda: None))
fault(
    "identity.merge.into_itself.code",
    "A merge of an attendee into itself is refused with 409 PARTNER_ID_CONFLICT.",
    breaks=["identity.merge.into_itself"],
    also=[*ALSO, "codes.mergeReview"],
)(partial(merging_itself, otherwise=lambda: ApiError("PARTNER_ID_CONFLICT", "source and target are the same")))


def unknown_review(code: str, patch: Patch) -> None:
    """Refuse a merge of a review that never existed with another code; a resolved one is still not found."""

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            review_id = call.params["review_id"]
            known = call.services.storage.one("SELECT 1 FROM reviews WHERE review_id = ?", (review_id,))
            if known is None and validation.OPAQUE_ID_PATTERN.fullmatch(review_id):
                identity.check_merge_body(call.body)
                raise ApiError(code, "there is nothing to merge")
            return await inner(call)

        return handler

    operations.handle(patch, "mergeReview", make)


for _code in ("MERGE_REJECTED", "PARTNER_ID_NOT_FOUND", "REVIEW_SOURCE_MISMATCH"):
    fault(
        f"error.mergeReview.REVIEW_NOT_FOUND.{_code.lower()}",
        f"Merging a review that never existed is refused with {_code}.",
        breaks=["error.mergeReview.REVIEW_NOT_FOUND"],
        also=["isolation.mergeReview"],
    )(partial(unknown_review, _code))
