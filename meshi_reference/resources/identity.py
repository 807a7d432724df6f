"""Identity reviews: queues, decisions, merges and their history (endpoint-reference, Review Queue).

A review is about its subject (`partner_id`) and asks whether the candidate is the same person. Whatever is
decided for a pair holds: the pair is not asked about again.
"""

from __future__ import annotations

import json
from typing import Any

from .. import clock, ids
from ..errors import ApiError
from ..rules import paging, presentation, validation
from ..services import Call, Services
from ..settings import Settings
from ..storage import Row
from ..wire.http import Response
from . import attendees, events, idmap

SELECT = """
SELECT reviews.*, events.event_id, subject.attendee_id AS partner_id, candidate.attendee_id AS candidate_id
FROM reviews
JOIN events ON events.seq = reviews.event_seq
JOIN attendees AS subject ON subject.seq = reviews.subject_seq
JOIN attendees AS candidate ON candidate.seq = reviews.candidate_seq
"""
KIND = "attendee"


# Reviews and history


def open_review_count(services: Services, attendee_seq: int) -> int:
    """Open reviews about an attendee."""
    count: int = services.storage.scalar(
        "SELECT count(*) FROM reviews WHERE subject_seq = ? AND status = 'open'", (attendee_seq,)
    )
    return count


def open_review(services: Services, subject: Row, candidate_seq: int, signals: list[str]) -> None:
    """Open a review of a pair, unless the pair has one already, open or resolved. Inside a transaction."""
    now = services.clock.now()
    review_id = ids.new_public_id("review", services.settings)
    opened = services.storage.insert(
        "reviews",
        {
            "review_id": review_id,
            "org_id": subject["org_id"],
            "event_seq": subject["event_seq"],
            "kind": KIND,
            "subject_seq": subject["seq"],
            "candidate_seq": candidate_seq,
            "low_seq": min(subject["seq"], candidate_seq),
            "high_seq": max(subject["seq"], candidate_seq),
            "signals": json.dumps(signals),
            "status": "open",
            "created_at": now,
            "updated_at": now,
        },
        or_ignore=True,
    )
    if opened is not None:
        log_history(services, review_id, subject["seq"], candidate_seq, "review_opened", ", ".join(signals))


def log_history(
    services: Services, review_id: str, subject_seq: int, candidate_seq: int, action: str, reason: str | None
) -> None:
    """Write one item into the history of each of the two attendees."""
    now = services.clock.now()
    for attendee, other in ((subject_seq, candidate_seq), (candidate_seq, subject_seq)):
        services.storage.execute(
            "INSERT INTO identity_history (attendee_seq, review_id, action, other_id, reason, created_at)"
            " SELECT ?, ?, ?, attendee_id, ?, ? FROM attendees WHERE seq = ?",
            (attendee, review_id, action, reason, now, other),
        )


def serialize_review(row: Row, settings: Settings) -> dict[str, Any]:
    """Build an item of a review queue. The pages name no members; these are what a decision needs."""
    signals = json.loads(row["signals"])
    return presentation.finish(
        {
            "review_id": row["review_id"],
            "kind": row["kind"],
            "partner_id": row["partner_id"],
            "event_id": row["event_id"],
            "candidate": {"kind": row["kind"], "partner_id": row["candidate_id"]},
            "reason": signals[0],
            "signals": signals,
            "status": row["status"],
            "created_at": clock.format_timestamp(row["created_at"], settings),
            "updated_at": clock.format_timestamp(row["updated_at"], settings),
        },
        "review",
        settings,
    )


def serialize_history_item(row: Row, settings: Settings) -> dict[str, Any]:
    """Build an item of an attendee's identity history."""
    return presentation.finish(
        {
            "review_id": row["review_id"],
            "action": row["action"],
            "counterpart": {"kind": KIND, "partner_id": row["other_id"]},
            "reason": row["reason"],
            "created_at": clock.format_timestamp(row["created_at"], settings),
        },
        "identity_decision",
        settings,
    )


def find_open_review(services: Services, org: str, review_id: str) -> Row | None:
    """Return the org's open review with that ID."""
    return services.storage.one(
        f"{SELECT} WHERE reviews.org_id = ? AND reviews.review_id = ? AND reviews.status = 'open'",
        (org, review_id),
    )


def require_open_review(call: Call) -> Row:
    """Return the open review that the path names. Raise REVIEW_NOT_FOUND, also for a resolved one."""
    review_id = call.params["review_id"]
    row = find_open_review(call.services, call.org, review_id)
    if row is None:
        raise ApiError("REVIEW_NOT_FOUND", f"no open review {review_id} in this org")
    return row


def close_review(services: Services, review: Row, decision: str, reason: str | None) -> None:
    """Mark a review as resolved and log the decision. Inside a transaction."""
    services.storage.execute(
        "UPDATE reviews SET status = 'resolved', decision = ?, updated_at = ? WHERE seq = ?",
        (decision, services.clock.now(), review["seq"]),
    )
    log_history(services, review["review_id"], review["subject_seq"], review["candidate_seq"], decision, reason)


# Decisions


def link_persons(services: Services, review: Row) -> None:
    """Carry out "accept": subject and candidate are one person from now on, never matched with each other."""
    person = "coalesce(person_seq, seq)"
    storage = services.storage
    kept = storage.scalar(f"SELECT {person} FROM attendees WHERE seq = ?", (review["candidate_seq"],))
    given_up = storage.scalar(f"SELECT {person} FROM attendees WHERE seq = ?", (review["subject_seq"],))
    storage.execute(
        f"UPDATE attendees SET person_seq = ? WHERE event_seq = ? AND {person} = ?",
        (kept, review["event_seq"], given_up),
    )


def mint_person(services: Services, review: Row) -> None:
    """Carry out "distinct": the subject is a person of its own, whatever it was linked to before."""
    services.storage.execute("UPDATE attendees SET person_seq = seq WHERE seq = ?", (review["subject_seq"],))


def apply_decision(services: Services, review: Row, decision: str) -> bool:
    """Carry out a decision and return whether a new identity was minted. A rejection only drops the suggestion."""
    if decision == "accept":
        link_persons(services, review)
    elif decision == "distinct":
        mint_person(services, review)
    return decision == "distinct"


async def resolve_review(call: Call) -> Response:
    """Answer POST /review-queue/:review_id/resolve (endpoint-reference)."""
    validation.check_review_id(call.params["review_id"])
    decision = validation.check_decision(call.body.get("decision"))
    reason = validation.check_reason(call.body.get("reason"))
    with call.services.storage.transaction():
        review = require_open_review(call)
        minted = apply_decision(call.services, review, decision)
        close_review(call.services, review, decision, reason)
    return Response(
        200,
        {
            "review_id": review["review_id"],
            "kind": review["kind"],
            "partner_id": review["partner_id"],
            "decision": decision,
            "logged": True,
            "minted": minted,
        },
    )


# Merging


def check_merge_body(body: dict[str, Any]) -> tuple[tuple[str, str], tuple[str, str], str | None]:
    """Check source and target, each a kind and a partner ID, and the reason."""
    source_kind = validation.check_kind(body.get("source_kind"), "source_kind")
    source_id = validation.check_partner_id(body.get("source_partner_id"), "source_partner_id")
    target_kind = validation.check_kind(body.get("target_kind"), "target_kind")
    target_id = validation.check_partner_id(body.get("target_partner_id"), "target_partner_id")
    return (source_kind, source_id), (target_kind, target_id), validation.check_reason(body.get("reason"))


def require_mapped(call: Call, entity: tuple[str, str]) -> None:
    """Raise PARTNER_ID_NOT_FOUND where the org has not mapped the entity."""
    if not idmap.is_mapped(call.services, call.org, *entity):
        raise idmap.not_mapped(*entity)


def check_source(review: Row, source: tuple[str, str]) -> None:
    """Raise REVIEW_SOURCE_MISMATCH where the source is neither of the review's two."""
    kind = review["kind"]
    if source not in ((kind, review["partner_id"]), (kind, review["candidate_id"])):
        raise ApiError("REVIEW_SOURCE_MISMATCH", "the source is not one of the entities under review")


def require_merge_target(services: Services, review: Row, source: tuple[str, str], target: tuple[str, str]) -> Row:
    """Return the target attendee. Raise MERGE_REJECTED for the source itself, another kind or another event."""
    if target[0] != source[0]:
        raise ApiError("MERGE_REJECTED", "source and target are of different kinds")
    if target == source:
        raise ApiError("MERGE_REJECTED", "an entity cannot be merged into itself")
    row = attendees.find_attendee(services, review["event_seq"], target[1])
    if row is None:
        raise ApiError("MERGE_REJECTED", "source and target belong to different events")
    return row


def source_attendee_seq(review: Row, source: tuple[str, str]) -> int:
    """Return the internal number of the review's entity that the source names."""
    seq: int = review["subject_seq" if source[1] == review["partner_id"] else "candidate_seq"]
    return seq


def supersede(services: Services, source_seq: int, target: Row) -> int:
    """Take the source away in favour of the target, which fills its gaps from it; the anchors superseded."""
    now = services.clock.now()
    storage = services.storage
    storage.execute(
        """
        UPDATE attendees SET email = coalesce(attendees.email, source.email),
            linkedin_url = coalesce(attendees.linkedin_url, source.linkedin_url),
            title = coalesce(attendees.title, source.title),
            company = coalesce(attendees.company, source.company),
            raw_data = coalesce(attendees.raw_data, source.raw_data),
            email_key = coalesce(attendees.email_key, source.email_key),
            linkedin_key = coalesce(attendees.linkedin_key, source.linkedin_key),
            name_company_key = coalesce(attendees.name_company_key, source.name_company_key),
            updated_at = ?
        FROM attendees AS source WHERE attendees.seq = ? AND source.seq = ?
        """,
        (now, target["seq"], source_seq),
    )
    cursor = storage.execute(
        "UPDATE attendees SET merged_into = ?, updated_at = ? WHERE seq = ?", (target["seq"], now, source_seq)
    )
    return cursor.rowcount


def rewrite_anchors(services: Services, source_seq: int, target: Row) -> int:
    """Point whatever pointed at the source at the target: earlier merges and other open reviews.

    A review that would then compare the target with itself, or repeat another one, is dropped instead.
    """
    storage = services.storage
    count = storage.execute(
        "UPDATE attendees SET merged_into = ? WHERE merged_into = ?", (target["seq"], source_seq)
    ).rowcount
    for review in storage.all(
        f"{SELECT} WHERE reviews.status = 'open' AND ? IN (reviews.subject_seq, reviews.candidate_seq)",
        (source_seq,),
    ):
        pair = [target["seq"] if seq == source_seq else seq for seq in (review["subject_seq"], review["candidate_seq"])]
        moved = storage.execute(
            "UPDATE OR IGNORE reviews SET subject_seq = ?, candidate_seq = ?, low_seq = ?, high_seq = ?,"
            " updated_at = ? WHERE seq = ?",
            (*pair, min(pair), max(pair), services.clock.now(), review["seq"]),
        ).rowcount
        if pair[0] == pair[1] or not moved:
            close_review(services, review, "merge", None)
        else:
            count += 1
    return count


def delete_computations(services: Services, source_seq: int) -> int:
    """Delete every match with the source and return how many there were."""
    return services.storage.execute(
        "DELETE FROM matches WHERE principal_seq = ? OR target_seq = ?", (source_seq, source_seq)
    ).rowcount


async def merge_review(call: Call) -> Response:
    """Answer POST /review-queue/:review_id/merge (endpoint-reference).

    Order of the checks: shape, review, both entities mapped, source of this review, target acceptable; so
    each refusal can occur while everything that is checked after it is in order.
    """
    validation.check_review_id(call.params["review_id"])
    source, target, reason = check_merge_body(call.body)
    services = call.services
    with services.storage.transaction():
        review = require_open_review(call)
        require_mapped(call, source)
        require_mapped(call, target)
        check_source(review, source)
        into = require_merge_target(services, review, source, target)
        source_seq = source_attendee_seq(review, source)
        close_review(services, review, "merge", reason)
        superseded = supersede(services, source_seq, into)
        rewritten = rewrite_anchors(services, source_seq, into)
        deleted = delete_computations(services, source_seq)
    return Response(
        200,
        {
            "review_id": review["review_id"],
            "source": {"kind": source[0], "partner_id": source[1]},
            "target": {"kind": target[0], "partner_id": target[1]},
            "merged": True,
            "superseded_anchors": superseded,
            "rewritten_anchors": rewritten,
            "deleted_computations": deleted,
        },
    )


# Lists


async def list_reviews(call: Call) -> Response:
    """Answer GET /review-queue (endpoint-reference): open reviews of the org, newest first."""
    page = paging.fetch_page(call, "reviews", "", SELECT, "reviews.org_id = ? AND reviews.status = 'open'", [call.org])
    return presentation.page_response({}, [serialize_review(row, call.services.settings) for row in page.rows], page)


async def list_event_reviews(call: Call) -> Response:
    """Answer GET /events/:event_id/review-queue (endpoint-reference): open reviews of one event, newest first."""
    event = events.require_event(call)
    page = paging.fetch_page(
        call,
        "reviews",
        event["event_id"],
        SELECT,
        "reviews.event_seq = ? AND reviews.status = 'open'",
        [event["seq"]],
    )
    return presentation.page_response({}, [serialize_review(row, call.services.settings) for row in page.rows], page)


async def list_identity(call: Call) -> Response:
    """Answer GET /events/:event_id/attendees/:attendee_id/identity (endpoint-reference): newest first."""
    attendee_id = attendees.path_attendee_id(call)
    event = events.require_event(call)
    attendee = attendees.require_attendee(call.services, event, attendee_id)
    page = paging.fetch_page(
        call,
        "identity",
        f"{event['event_id']}|{attendee_id}",
        "SELECT * FROM identity_history",
        "attendee_seq = ?",
        [attendee["seq"]],
    )
    return presentation.page_response(
        {"event_id": event["event_id"], "attendee_id": attendee_id},
        [serialize_history_item(row, call.services.settings) for row in page.rows],
        page,
    )
