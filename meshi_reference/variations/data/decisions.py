"""Variations of identity reviews, decisions and merges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import ApiError
from ...patching import changes, operations
from ...patching.patch import Patch
from ...resources import identity
from ...rules import validation
from ...services import Call, Services
from ...storage import Row
from ...wire.http import JsonObject
from ..registry import variation

LONGEST_REASON = 500
COUNTS = ("superseded_anchors", "rewritten_anchors", "deleted_computations")


def no_times(patch: Patch) -> None:
    """Show no times on items of queues and histories."""

    def change(body: JsonObject, row: Any) -> None:
        for name in ("created_at", "updated_at"):
            body.pop(name, None)

    for serialize in ("serialize_review", "serialize_history_item"):
        changes.shown(patch, identity, serialize, change)


def listed_counts(patch: Patch) -> None:
    def change(body: JsonObject) -> None:
        for name in COUNTS:
            body[name] = [f"{name}-{number}" for number in range(body[name])]

    changes.answered(patch, "mergeReview", change)


def accepted_leave(patch: Patch) -> None:
    """Merge the subject of an accepted review into the other attendee."""

    def wrap(inner: Callable[[Services, Row], None]) -> Any:
        def link_persons(services: Services, review: Row) -> None:
            target = services.storage.one("SELECT * FROM attendees WHERE seq = ?", (review["candidate_seq"],))
            assert target is not None
            identity.supersede(services, review["subject_seq"], target)
            identity.rewrite_anchors(services, review["subject_seq"], target)
            identity.delete_computations(services, review["subject_seq"])

        return link_persons

    patch.wrap(identity, "link_persons", wrap)


def mismatch_first(patch: Patch) -> None:
    """Report a source that differs from the review's as a mismatch, even if it is malformed."""

    def make(inner: operations.Handler) -> operations.Handler:
        async def merge_review(call: Call) -> Any:
            review = identity.find_open_review(call.services, call.org, call.params["review_id"])
            source = call.body.get("source_kind"), call.body.get("source_partner_id")
            if review is not None and any(isinstance(one, str) for one in source):
                malformed = not all(isinstance(one, str) for one in source)
                known = [(review["kind"], review[name]) for name in ("partner_id", "candidate_id")]
                if not malformed and source not in known and not is_well_formed(source):
                    raise ApiError("REVIEW_SOURCE_MISMATCH", "the source is not one of the entities under review")
            return await inner(call)

        return merge_review

    operations.handle(patch, "mergeReview", make)


def is_well_formed(source: tuple[Any, Any]) -> bool:
    """Tell whether kind and ID fit their patterns."""
    kind, partner_id = source
    return bool(validation.KIND_PATTERN.fullmatch(kind) and validation.PARTNER_ID_PATTERN.fullmatch(partner_id))


def itself_mismatched(patch: Patch) -> None:
    """Refuse a merge of an attendee into itself as a source that the review does not know."""

    def wrap(inner: Callable[..., Row]) -> Any:
        def require_merge_target(
            services: Services, review: Row, source: tuple[str, str], target: tuple[str, str]
        ) -> Row:
            if source == target or source[0] != target[0]:
                raise ApiError("REVIEW_SOURCE_MISMATCH", "source and target are not the two of the review")
            return inner(services, review, source, target)

        return require_merge_target

    patch.wrap(identity, "require_merge_target", wrap)


def any_reason(patch: Patch) -> None:
    patch(validation, "check_reason", lambda value: value if isinstance(value, str) else None)


def short_reasons(patch: Patch) -> None:
    def wrap(inner: Callable[[object], str | None]) -> Any:
        def check_reason(value: object) -> str | None:
            reason = inner(value)
            if reason is not None and len(reason) > LONGEST_REASON:
                raise ApiError("INVALID_JSON", f"reason must have at most {LONGEST_REASON} characters")
            return reason

        return check_reason

    patch.wrap(validation, "check_reason", wrap)


variation(
    "reviews.no_times",
    "Items of review queues and identity histories show no times, so their order may stay unjudged.",
    apply=no_times,
    unjudged=("lists.event_reviews.order", "lists.reviews.order", "lists.identity.order"),
    makes=("reviews.item_times=left_out",),
)
variation(
    "merge.listed_counts",
    "A merge lists what it changed instead of counting it.",
    apply=listed_counts,
    makes=("reviews.counts=lists",),
)
variation(
    "reviews.accepted_leave",
    "The subject of an accepted review leaves the event.",
    apply=accepted_leave,
    makes=("reviews.accepted_subject=gone",),
)
variation(
    "merge.mismatch_first",
    "A malformed source of a merge is first of all not the review's.",
    apply=mismatch_first,
    makes=("reviews.malformed_source=mismatch",),
)
variation(
    "merge.never_rejected",
    "A merge that cannot be carried out is REVIEW_SOURCE_MISMATCH, so nothing earns MERGE_REJECTED.",
    apply=itself_mismatched,
    unjudged=("error.mergeReview.MERGE_REJECTED",),
    makes=("reviews.merge_rejected=other",),
)
variation(
    "reviews.any_reason",
    "A reason that is not a text has no effect.",
    apply=any_reason,
    makes=("reviews.reason_type=ignored",),
)
variation(
    "reviews.short_reasons",
    "Reasons have at most 500 characters.",
    apply=short_reasons,
    makes=("reviews.reason_length=bounded",),
)
