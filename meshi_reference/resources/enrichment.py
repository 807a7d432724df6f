"""Attendee enrichment (endpoint-reference, Enrichment; canonical-flow, step 6)."""

from __future__ import annotations

import json
import re
from typing import Any

from ..rules import presentation
from ..services import Call, Services
from ..settings import Settings
from ..storage import Row
from ..wire.http import Response
from . import events, identity, lookalikes, runs

CHUNK = 200
ERRORS_KEPT = 1000
"""Row errors that a run lists; further ones are only counted."""
SOURCE_FIELDS = ("email", "linkedin_url", "title", "company", "raw_data")
MESSAGES: dict[str, str] = {
    "REVIEW_REQUIRED": "another attendee looks like the same person; resolve the identity review",
    "NO_SOURCE_RECORD": "nothing but ID and name is known of this attendee",
}
OUTCOMES: dict[str, str] = {"REVIEW_REQUIRED": "review_required", "NO_SOURCE_RECORD": "skipped"}
"""The counter that each row code belongs to."""
_WORD = re.compile(r"\w{2,}")


def has_source_record(attendee: Row) -> bool:
    """Tell whether anything beyond ID and name is known."""
    return any(attendee[field] not in (None, "", "{}") for field in SOURCE_FIELDS)


def profile_of(attendee: Row) -> str:
    """Return the words that describe an attendee; what enrichment adds and matching compares."""
    text = " ".join(attendee[field] or "" for field in ("title", "company", "raw_data"))
    return " ".join(sorted(set(_WORD.findall(text.casefold()))))


def assess(services: Services, attendee: Row) -> str | None:
    """Return the row code of an attendee, or None when nothing prevents its enrichment.

    Opens the identity reviews that are missing.
    """
    if not has_source_record(attendee):
        return "NO_SOURCE_RECORD"
    if services.settings.reviews_enabled:
        for other, signals in lookalikes.find_look_alikes(services, attendee).items():
            identity.open_review(services, attendee, other, signals)
    return "REVIEW_REQUIRED" if identity.open_review_count(services, attendee["seq"]) else None


def enrich(services: Services, attendee: Row) -> None:
    """Store the attendee's profile."""
    services.storage.execute(
        "UPDATE attendees SET profile = ?, updated_at = ? WHERE seq = ?",
        (profile_of(attendee), services.clock.now(), attendee["seq"]),
    )


def initial_progress(total: int) -> dict[str, Any]:
    """Build the progress of an enrichment that has not begun (canonical-flow, step 6)."""
    return {
        "total": total,
        "processed": 0,
        "enrichment_requested": 0,
        "review_required": 0,
        "skipped": 0,
        "error_count": 0,
        "errors": [],
    }


def count_row(progress: dict[str, Any], attendee_id: str, code: str | None) -> None:
    """Count one assessed row, and list it where it has a code."""
    progress["processed"] += 1
    progress["enrichment_requested" if code is None else OUTCOMES[code]] += 1
    if code is not None:
        progress["error_count"] += 1
        if len(progress["errors"]) < ERRORS_KEPT:
            progress["errors"].append({"attendee_id": attendee_id, "code": code, "message": MESSAGES[code]})


def final_status(progress: dict[str, Any], settings: Settings) -> str:
    """Return `partial` where rows have codes, unless the settings count them as success."""
    return "partial" if progress["error_count"] and settings.partial_on_row_codes else "succeeded"


def count_attendees(services: Services, event_seq: int) -> int:
    """Return the number of attendees of an event, without those that were merged away."""
    count: int = services.storage.scalar(
        "SELECT count(*) FROM attendees WHERE event_seq = ? AND merged_into IS NULL", (event_seq,)
    )
    return count


async def create_enrichment_run(call: Call) -> Response:
    """Answer POST /events/:event_id/enrichment-runs (endpoint-reference). Counters are there from the start."""
    event, common = presentation.in_order(call, lambda: events.require_event(call), lambda: runs.common_fields(call))
    progress = initial_progress(count_attendees(call.services, event["seq"]))
    new = runs.NewRun(org=call.org, kind="enrichment", event=event, progress=progress, **common)
    row, replay = runs.accept_run(call.services, new)
    return runs.accepted_response(row, replay, 202, call.services.settings)


class EnrichmentWork:
    """Assesses every attendee of the event once, in the order of their IDs."""

    chunk = CHUNK

    def __init__(self, services: Services, run: Row) -> None:
        self.services, self.run = services, run

    def prepare(self) -> bool:
        """Load nothing."""
        return False

    def begin(self) -> int:
        """Count the attendees; after a restart leave the progress as it is."""
        total = count_attendees(self.services, self.run["event_seq"])
        if self.run["status"] != "running":
            runs.save_progress(self.services, self.run["seq"], initial_progress(total), {"after": ""})
        return total

    def step(self, size: int) -> bool:
        """Assess and enrich the next attendees."""
        run = runs.load_run(self.services, self.run["seq"])
        progress, checkpoint = json.loads(run["progress"]), json.loads(run["checkpoint"])
        rows = self.services.storage.all(
            "SELECT * FROM attendees WHERE event_seq = ? AND merged_into IS NULL AND attendee_id > ?"
            " ORDER BY attendee_id LIMIT ?",
            (run["event_seq"], checkpoint["after"], size),
        )
        for attendee in rows:
            code = assess(self.services, attendee)
            if code is None:
                enrich(self.services, attendee)
            count_row(progress, attendee["attendee_id"], code)
            checkpoint["after"] = attendee["attendee_id"]
        if len(rows) < size:
            # A merge may have taken attendees away since the start.
            progress["total"] = progress["processed"]
        runs.save_progress(self.services, run["seq"], progress, checkpoint)
        return bool(progress["processed"] >= progress["total"])

    def finish(self) -> str:
        """Choose the status by the rows' codes."""
        progress = json.loads(runs.load_run(self.services, self.run["seq"])["progress"])
        return final_status(progress, self.services.settings)
