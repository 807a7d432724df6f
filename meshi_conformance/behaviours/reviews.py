"""Observers of identity reviews, decisions and merges."""

from __future__ import annotations

from collections import defaultdict

from .observer import Observer, Sightings, by_code, each
from .traffic import Import, Observed, Traffic, texts

LONG_REASON = 1000
DECISIONS = ("accept", "reject", "distinct")
COUNTS = ("superseded_anchors", "rewritten_anchors", "deleted_computations")


def _look_alikes(traffic: Traffic) -> dict[str, list[tuple[str, str]]]:
    """Return the look-alike pairs of each event whose imports hold no larger group, in the order of the rows."""
    by_event: dict[str, list[Import]] = defaultdict(list)
    for one in traffic.imports:
        by_event[one.event_id].append(one)
    return {
        event_id: [pair for one in imports for pair in one.pairs]
        for event_id, imports in by_event.items()
        if not any(one.has_larger_groups for one in imports) and any(one.pairs for one in imports)
    }


def _enriched(traffic: Traffic) -> dict[str, float]:
    """Return when the first enrichment of each event was read as ended."""
    found: dict[str, float] = {}
    for one, run_id in traffic.run_writes("createEnrichmentRun"):
        if run_id in traffic.ended:
            found.setdefault(one.params["event_id"], traffic.ended[run_id])
    return found


def opened(traffic: Traffic) -> Sightings:
    """Look for the review queue of an enriched event with look-alikes; where it is empty, for the attendees."""
    enriched, pairs = _enriched(traffic), _look_alikes(traffic)
    empty: set[str] = set()
    filled: set[str] = set()
    for one in traffic.of("listEventReviews"):
        event_id = one.params["event_id"]
        if event_id in pairs and one.started > enriched.get(event_id, one.ended) and one.is_page:
            (filled if one.row_count else empty).add(event_id)
            if one.row_count:
                yield "review", one
    for one in traffic.of("listAttendees"):
        event_id = one.params["event_id"]
        if event_id in empty - filled and one.is_whole_list and one.started > enriched[event_id]:
            listed = texts(one.rows, "attendee_id")
            shown = [(first in listed, second in listed) for first, second in pairs[event_id]]
            if all(first and second for first, second in shown):
                yield "nothing", one
            elif all(first or second for first, second in shown):
                yield "settled", one


def subject(traffic: Traffic) -> Sightings:
    """Tell which of two attendees, by place, an answered decision names, where one review is for both."""
    places = {}
    queues = _longest_queues(traffic)
    for event_id, pairs in _look_alikes(traffic).items():
        if event_id not in queues or len(queues[event_id].rows) <= len(pairs):
            for earlier, later in pairs:
                places[earlier], places[later] = "earlier", "later"
    for one in traffic.of("resolveReview"):
        choice = places.get(str(one.answer.get("partner_id")))
        if one.is_success and choice is not None:
            yield choice, one


def _longest_queues(traffic: Traffic) -> dict[str, Observed]:
    """Return the answer with the most reviews of each event with look-alikes whose queue came whole."""
    pairs = _look_alikes(traffic)
    longest: dict[str, Observed] = {}
    for one in traffic.of("listEventReviews"):
        event_id = one.params["event_id"]
        if event_id in pairs and one.is_whole_list and one.rows:
            best = longest.get(event_id)
            if best is None or len(one.rows) > len(best.rows):
                longest[event_id] = one
    return longest


def number(traffic: Traffic) -> Sightings:
    """Compare the most reviews that an event's queue shows at once with its pairs of look-alikes."""
    pairs = _look_alikes(traffic)
    for event_id, one in _longest_queues(traffic).items():
        if len(one.rows) == len(pairs[event_id]):
            yield "one", one
        elif len(one.rows) == 2 * len(pairs[event_id]):
            yield "two", one


def resolved_again(traffic: Traffic) -> Sightings:
    """Look for a decision that was sent before and accepted."""
    decided: dict[str, object] = {}
    for one in traffic.of("resolveReview"):
        review_id, decision = one.params["review_id"], one.body.get("decision")
        if review_id in decided and decided[review_id] == decision:
            if one.code == "REVIEW_NOT_FOUND":
                yield "not_found", one
            elif one.is_success:
                yield "recorded", one
        elif one.is_success:
            decided[review_id] = decision


def item_times(one: Observed) -> str | None:
    if not one.rows:
        return None
    return "shown" if "created_at" in one.rows[0] else "left_out"


def counts(one: Observed) -> str | None:
    if not one.is_success or not all(name in one.answer for name in COUNTS):
        return None
    values = [one.answer[name] for name in COUNTS]
    if all(isinstance(value, list) for value in values):
        return "lists"
    return "numbers" if all(isinstance(value, int | float) for value in values) else None


def merged_id(traffic: Traffic) -> Sightings:
    """Look for the source of a merge in the ID map."""
    merged = {str(one.body.get("source_partner_id")): one.ended for one in traffic.of("mergeReview") if one.is_success}
    for one in traffic.of("getIdMapping"):
        if one.params["kind"] == "attendee" and merged.get(one.params["partner_id"], one.ended) < one.started:
            if one.code == "PARTNER_ID_NOT_FOUND":
                yield "unmapped", one
            elif one.is_success:
                yield "mapped", one


def accepted_subject(traffic: Traffic) -> Sightings:
    """Look for the subject of an accepted review in a later list of its event."""
    accepted = {
        str(one.answer.get("partner_id")): one.ended
        for one in traffic.of("resolveReview")
        if one.is_success and one.body.get("decision") == "accept"
    }
    event_of = {name: found.event_id for found in traffic.imports for name in found.ids & accepted.keys()}
    for one in traffic.of("listAttendees"):
        if not one.is_whole_list:
            continue
        listed = texts(one.rows, "attendee_id")
        for name, when in accepted.items():
            if event_of.get(name) == one.params["event_id"] and when < one.started:
                yield ("listed" if name in listed else "gone"), one


def malformed_source(one: Observed) -> str | None:
    source = one.body.get("source_partner_id")
    if not isinstance(source, str) or " " not in source:
        return None
    return by_code({"INVALID_PARTNER_ID": "malformed", "REVIEW_SOURCE_MISMATCH": "mismatch"})(one)


def merge_rejected(one: Observed) -> str | None:
    source, target = one.body.get("source_partner_id"), one.body.get("target_partner_id")
    if not isinstance(source, str) or source != target or one.body.get("source_kind") != one.body.get("target_kind"):
        return None
    if one.code == "MERGE_REJECTED":
        return "covered"
    missing = ("REVIEW_NOT_FOUND", "PARTNER_ID_NOT_FOUND", "INVALID_PARTNER_ID", "INVALID_PARTNER_KIND")
    return "other" if one.refused and one.code not in missing else None


def reason_type(one: Observed) -> str | None:
    if isinstance(one.body.get("reason", ""), str | None) or one.body.get("decision") not in DECISIONS:
        return None
    if one.status == 400:
        return "refused"
    return "ignored" if one.is_success or one.code == "REVIEW_NOT_FOUND" else None


def reason_null(one: Observed) -> str | None:
    if one.body.get("reason", "") is not None or one.body.get("decision") not in DECISIONS:
        return None
    if one.status == 400:
        return "refused"
    return "taken" if one.is_success or one.code == "REVIEW_NOT_FOUND" else None


def reason_length(one: Observed) -> str | None:
    reason = one.body.get("reason")
    if not isinstance(reason, str) or len(reason) < LONG_REASON:
        return None
    if one.status == 400:
        return "bounded"
    return "any" if one.is_success or one.code == "REVIEW_NOT_FOUND" else None


OBSERVERS: dict[str, Observer] = {
    "reviews.opened": opened,
    "reviews.subject": subject,
    "reviews.number": number,
    "reviews.resolved_again": resolved_again,
    "reviews.item_times": each("listEventReviews", "listReviews", "listAttendeeIdentity")(item_times),
    "reviews.counts": each("mergeReview")(counts),
    "reviews.merged_id": merged_id,
    "reviews.accepted_subject": accepted_subject,
    "reviews.malformed_source": each("mergeReview")(malformed_source),
    "reviews.merge_rejected": each("mergeReview")(merge_rejected),
    "reviews.reason_type": each("resolveReview")(reason_type),
    "reviews.reason_null": each("resolveReview")(reason_null),
    "reviews.reason_length": each("resolveReview")(reason_length),
}
