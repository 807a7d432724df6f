"""Runs: acceptance with idempotency, states, and the run operations (endpoint-reference, Runs)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .. import clock, ids
from ..errors import ApiError
from ..rules import paging, presentation, validation
from ..services import Call, Services
from ..settings import Settings
from ..storage import Row
from ..wire.http import Response

TERMINAL = frozenset({"succeeded", "partial", "failed"})
"""States that a run never leaves (overview)."""
TRANSITIONS: dict[str, frozenset[str]] = {
    "queued": frozenset({"validating", "running", "failed"}),
    "validating": frozenset({"running", "failed"}),
    "running": TERMINAL,
}
SELECT = "SELECT runs.*, events.event_id FROM runs LEFT JOIN events ON events.seq = runs.event_seq"


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that a client asks for. `event` is None for a run outside event scope."""

    org: str
    kind: str
    idempotency_key: str
    webhook_url: str | None
    event: Row | None = None
    progress: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    snapshot_metadata: dict[str, Any] = field(default_factory=dict)
    version_metadata: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    """What the run works on, in JSON batches."""

    @property
    def event_seq(self) -> int | None:
        """The event's internal number."""
        return None if self.event is None else self.event["seq"]


def serialize_run(row: Row, settings: Settings) -> dict[str, Any]:
    """Build the run object (endpoint-reference, GET /runs/:run_id)."""
    return presentation.finish(
        {
            "run_id": row["run_id"],
            "kind": row["kind"],
            "status": row["status"],
            "event_id": row["event_id"],
            "idempotency_key": row["idempotency_key"],
            "progress": json.loads(row["progress"]),
            "error": None if row["error"] is None else json.loads(row["error"]),
            "snapshot_metadata": json.loads(row["snapshot_metadata"]),
            "version_metadata": json.loads(row["version_metadata"]),
            "webhook_url": row["webhook_url"],
            "created_at": clock.format_timestamp(row["created_at"], settings),
            "updated_at": clock.format_timestamp(row["updated_at"], settings),
            "started_at": clock.format_optional(row["started_at"], settings),
            "terminal_at": clock.format_optional(row["terminal_at"], settings),
        },
        "run",
        settings,
    )


def load_run(services: Services, seq: int) -> Row:
    """Load a run by its internal number."""
    row = services.storage.one(f"{SELECT} WHERE runs.seq = ?", (seq,))
    if row is None:
        raise LookupError(f"no run {seq}")
    return row


# Acceptance and idempotency


def key_space(new: NewRun, settings: Settings) -> str:
    """Name the space in which a key has to be unique: by default apart for event operations and POST /runs."""
    return "event" if new.event is not None or settings.shared_key_space else "generic"


def find_by_key(services: Services, new: NewRun) -> Row | None:
    """Return the run that the org started with this key."""
    return services.storage.one(
        f"{SELECT} WHERE runs.org_id = ? AND key_space = ? AND idempotency_key = ?",
        (new.org, key_space(new, services.settings), new.idempotency_key),
    )


def is_replay(existing: Row, new: NewRun, settings: Settings) -> bool:
    """Tell whether a repeated key repeats its operation: same event and same kind of run.

    Source: canonical-flow, step 4 (key and event decide, not the body); errors-and-limits,
    IDEMPOTENCY_KEY_CONFLICT. A run outside event scope replays whatever its kind: that route lists no conflict.
    """
    if existing["event_seq"] != new.event_seq:
        return False
    if new.event is None and not settings.generic_key_conflict:
        return True
    return bool(existing["kind"] == new.kind)


def insert_run(services: Services, new: NewRun) -> int | None:
    """Store a queued run with its inputs; None where the key is taken. Inside a transaction."""
    now = services.clock.now()
    seq = services.storage.insert(
        "runs",
        {
            "run_id": ids.new_public_id("run", services.settings),
            "org_id": new.org,
            "event_seq": new.event_seq,
            "kind": new.kind,
            "key_space": key_space(new, services.settings),
            "idempotency_key": new.idempotency_key,
            "status": "queued",
            "progress": json.dumps(new.progress),
            "options": json.dumps(new.options),
            "checkpoint": "{}",
            "snapshot_metadata": json.dumps(new.snapshot_metadata),
            "version_metadata": json.dumps(new.version_metadata),
            "webhook_url": new.webhook_url,
            "created_at": now,
            "updated_at": now,
        },
        or_ignore=True,
    )
    if seq is not None:
        services.storage.executemany(
            "INSERT INTO run_inputs (run_seq, position, body) VALUES (?, ?, ?)",
            [(seq, position, body) for position, body in enumerate(new.inputs)],
        )
    return seq


def accept_run(services: Services, new: NewRun) -> tuple[Row, bool]:
    """Start the run, or find the one that the same key started: (run, whether it is a replay).

    The unique key decides between simultaneous calls. Raise IDEMPOTENCY_KEY_CONFLICT.
    """
    with services.storage.transaction():
        seq = insert_run(services, new)
        if seq is None:
            existing = find_by_key(services, new)
            if existing is None or not is_replay(existing, new, services.settings):
                raise ApiError("IDEMPOTENCY_KEY_CONFLICT", "the key was used for another event or another operation")
            return existing, True
        row = load_run(services, seq)
    services.runner.schedule(seq, new.event_seq)
    return row, False


def accepted_response(row: Row, replay: bool, first_status: int, settings: Settings) -> Response:
    """Answer a run-creating write: `first_status` the first time, 200 for a replay."""
    body = {**serialize_run(row, settings), "idempotent_replay": replay}
    return Response(200 if replay else first_status, body)


def common_fields(call: Call) -> dict[str, Any]:
    """Check and return the members that every run-creating body has."""
    settings = call.services.settings
    return {
        "idempotency_key": validation.check_idempotency_key(call.body.get("idempotency_key"), settings),
        "webhook_url": validation.check_webhook_url(call.body.get("webhook_url"), settings),
    }


# States


def states_before_running(settings: Settings) -> tuple[str, ...]:
    """Return the non-terminal states between queued and running; a variation."""
    return ("validating",) if settings.extra_statuses else ()


def transition(services: Services, seq: int, status: str, error: dict[str, Any] | None = None) -> None:
    """Move a run to its next state and set the times that belong to it. Raise ValueError on a wrong move."""
    current = services.storage.scalar("SELECT status FROM runs WHERE seq = ?", (seq,))
    if status not in TRANSITIONS.get(current, frozenset()):
        raise ValueError(f"a run that is {current} cannot become {status}")
    now = services.clock.now()
    services.storage.execute(
        "UPDATE runs SET status = ?, error = ?, updated_at = ?, started_at = coalesce(started_at, ?),"
        " terminal_at = ? WHERE seq = ?",
        (
            status,
            None if error is None else json.dumps(error),
            now,
            None if status in ("queued", "validating") else now,
            now if status in TERMINAL else None,
            seq,
        ),
    )


def save_progress(services: Services, seq: int, progress: dict[str, Any], checkpoint: dict[str, Any]) -> None:
    """Store how far a run has come; in the transaction of the work itself, so that both hold or neither."""
    services.storage.execute(
        "UPDATE runs SET progress = ?, checkpoint = ?, updated_at = ? WHERE seq = ?",
        (json.dumps(progress), json.dumps(checkpoint), services.clock.now(), seq),
    )


# Operations


async def create_run(call: Call) -> Response:
    """Answer POST /runs (endpoint-reference)."""
    kind = validation.check_run_kind(call.body.get("kind"))
    new = NewRun(
        org=call.org,
        kind=kind,
        **common_fields(call),
        progress=validation.check_progress(call.body.get("progress")),
        snapshot_metadata=validation.check_snapshot_metadata(call.body.get("snapshot_metadata")),
        version_metadata=validation.check_version_metadata(call.body.get("version_metadata")),
    )
    row, replay = accept_run(call.services, new)
    return accepted_response(row, replay, 201, call.services.settings)


async def list_runs(call: Call) -> Response:
    """Answer GET /runs (endpoint-reference): newest first, optionally of one kind."""
    kind = call.request.query.get("kind")
    where, parameters = "runs.org_id = ?", [call.org]
    if kind is not None:
        where += " AND runs.kind = ?"
        parameters.append(validation.check_run_kind(kind))
    page = paging.fetch_page(call, "runs", kind or "", SELECT, where, parameters)
    return presentation.page_response({}, [serialize_run(row, call.services.settings) for row in page.rows], page)


async def get_run(call: Call) -> Response:
    """Answer GET /runs/:run_id (endpoint-reference)."""
    run_id = validation.check_run_id(call.params["run_id"])
    row = call.services.storage.one(f"{SELECT} WHERE runs.org_id = ? AND runs.run_id = ?", (call.org, run_id))
    if row is None:
        raise ApiError("RUN_NOT_FOUND", f"run {run_id} does not exist in this org")
    return Response(200, serialize_run(row, call.services.settings))
