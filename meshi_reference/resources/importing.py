"""Attendee imports (endpoint-reference, PUT /events/:event_id/attendees:import).

Every row is checked before anything is stored; an accepted import takes its rows along in the database and
applies them in the background, batch by batch, each together with the progress that counts it.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from ..rules import validation
from ..services import Call, Services
from ..settings import Settings
from ..storage import Row
from ..wire.http import Response
from . import events, lookalikes, runs

BATCH = 500
"""Rows that are stored, and at most applied, together."""
FIELDS = ("name", "email", "linkedin_url", "title", "company", "raw_data")
UPSERT = """
INSERT INTO attendees (org_id, event_seq, attendee_id, name, email, linkedin_url, title, company, raw_data,
    email_key, linkedin_key, name_company_key, created_at, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (event_seq, attendee_id) DO UPDATE SET
    name = excluded.name, email = excluded.email, linkedin_url = excluded.linkedin_url,
    title = excluded.title, company = excluded.company, raw_data = excluded.raw_data,
    email_key = excluded.email_key, linkedin_key = excluded.linkedin_key,
    name_company_key = excluded.name_company_key, profile = NULL, updated_at = excluded.updated_at
"""


async def check_rows(rows: list[Any], settings: Settings) -> tuple[str, ...]:
    """Check every row and encode them in batches; lets other requests in between batches.

    Raise the first row's error in the order of the payload.
    """
    seen: set[str] = set()
    batches: list[str] = []
    for start in range(0, len(rows), BATCH):
        checked = [validation.check_attendee(row, settings) for row in rows[start : start + BATCH]]
        for row in checked:
            validation.check_unique_attendee(row["attendee_id"], seen)
        batches.append(json.dumps(checked, ensure_ascii=False))
        await asyncio.sleep(0)
    return tuple(batches)


async def check_import(call: Call) -> dict[str, Any]:
    """Check the whole body of an import and return the members of its run: rows in batches, progress at zero."""
    settings = call.services.settings
    members = runs.common_fields(call)
    rows = validation.check_attendees(call.body.get("attendees"), settings)
    return {**members, "inputs": await check_rows(rows, settings), "progress": initial_progress(len(rows))}


async def import_attendees(call: Call) -> Response:
    """Answer PUT /events/:event_id/attendees:import (endpoint-reference)."""
    settings = call.services.settings
    events.check_event_id(call)
    if settings.body_before_event:
        members = await check_import(call)
        event = events.require_event(call)
    else:
        event = events.require_event(call)
        members = await check_import(call)
    new = runs.NewRun(org=call.org, kind="import", event=event, **members)
    row, replay = runs.accept_run(call.services, new)
    return runs.accepted_response(row, replay, 202, settings)


def combine(existing: Row | None, row: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Return the members of an attendee after an import row: the row's own, and omitted ones as the settings say."""
    combined = {member: row.get(member) for member in FIELDS}
    if combined["raw_data"] is not None:
        combined["raw_data"] = json.dumps(combined["raw_data"], ensure_ascii=False)
    if existing is not None and settings.import_keeps_omitted:
        combined = {member: existing[member] if value is None else value for member, value in combined.items()}
    return combined


def existing_attendees(services: Services, event_seq: int, attendee_ids: list[str]) -> dict[str, Row]:
    """Return the event's rows for these IDs, merged ones included."""
    rows = services.storage.all(
        "SELECT * FROM attendees WHERE event_seq = ? AND attendee_id IN (SELECT value FROM json_each(?))",
        (event_seq, json.dumps(attendee_ids)),
    )
    return {row["attendee_id"]: row for row in rows}


def apply_rows(services: Services, run: Row, rows: list[dict[str, Any]]) -> dict[str, int]:
    """Insert or update attendees and return how many were created, updated and skipped.

    An ID that was merged away stays merged: importing the same list again must not undo a decision.
    """
    existing = existing_attendees(services, run["event_seq"], [row["attendee_id"] for row in rows])
    counts = {"created": 0, "updated": 0, "skipped": 0}
    values = []
    now = services.clock.now()
    for row in rows:
        known = existing.get(row["attendee_id"])
        if known is not None and known["merged_into"] is not None:
            counts["skipped"] += 1
            continue
        counts["created" if known is None else "updated"] += 1
        members = combine(known, row, services.settings)
        keys = lookalikes.keys_of(members)
        values.append((run["org_id"], run["event_seq"], row["attendee_id"], *members.values(), *keys, now, now))
    services.storage.executemany(UPSERT, values)
    return counts


def initial_progress(total: int) -> dict[str, Any]:
    """Build the progress of an import that has not begun."""
    return {
        "total": total,
        "processed": 0,
        "created": 0,
        "updated": 0,
        "skipped": 0,
        "error_count": 0,
        "errors": [],
    }


def advance(progress: dict[str, Any], done: int, counts: dict[str, int]) -> dict[str, Any]:
    """Return the progress after `done` further rows."""
    advanced = {**progress, "processed": progress["processed"] + done}
    for name, count in counts.items():
        advanced[name] = progress[name] + count
    return advanced


class ImportWork:
    """Applies the stored rows of an import."""

    chunk = BATCH

    def __init__(self, services: Services, run: Row) -> None:
        self.services, self.run = services, run

    def prepare(self) -> bool:
        """Load nothing."""
        return False

    def begin(self) -> int:
        """Count the rows; after a restart leave the progress as it is."""
        storage, seq = self.services.storage, self.run["seq"]
        total: int = storage.scalar(
            "SELECT coalesce(sum(json_array_length(body)), 0) FROM run_inputs WHERE run_seq = ?", (seq,)
        )
        if self.run["status"] != "running":
            runs.save_progress(self.services, seq, initial_progress(total), {})
        return total

    def step(self, size: int) -> bool:
        """Apply the next rows, at most to the end of their stored batch."""
        run = runs.load_run(self.services, self.run["seq"])
        progress = json.loads(run["progress"])
        position, offset = divmod(progress["processed"], BATCH)
        body = self.services.storage.scalar(
            "SELECT body FROM run_inputs WHERE run_seq = ? AND position = ?", (run["seq"], position)
        )
        rows = [] if body is None else json.loads(body)[offset : offset + size]
        progress = advance(progress, len(rows), apply_rows(self.services, run, rows))
        runs.save_progress(self.services, run["seq"], progress, {})
        return bool(progress["processed"] >= progress["total"])

    def finish(self) -> str:
        """Drop the stored rows; every one of them was applied."""
        self.services.storage.execute("DELETE FROM run_inputs WHERE run_seq = ?", (self.run["seq"],))
        return "succeeded"
