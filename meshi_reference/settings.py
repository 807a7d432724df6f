"""Every choice that a start of the server can make.

The second half of `Settings` holds *variations*: places where the documentation is silent and where
another value is just as legal. Each default is the choice that this server documents as its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `requests` requests of one key in a window of `seconds`."""

    requests: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> RateLimit | None:
        """Read `REQUESTS/SECONDS` (or `REQUESTS`, one second; or `none`). Raise ValueError on anything else."""
        if text == "none":
            return None
        requests, _, seconds = text.partition("/")
        limit = cls(int(requests), float(seconds or "1"))
        if limit.requests < 1 or not 0 < limit.seconds <= 86_400:
            raise ValueError(f"rate limit {text!r} is out of range")
        return limit


@dataclass(frozen=True, slots=True)
class Settings:
    """How one server behaves. Immutable: a running server never changes its mind."""

    db: str | None = None
    """SQLite file; None keeps everything in memory."""
    run_seconds: float = 0.02
    """Time that a run takes from queued to terminal when its work is small, in seconds."""
    latency_ms: float = 0.0
    """Extra time before each answer, in milliseconds."""
    rate_limit: RateLimit | None = None
    """Limit of the ordinary keys; None: unlimited."""
    probe_rate_limit: RateLimit | None = RateLimit(20, 1.0)
    """Limit of the PROBE key, small so that a client can see a 429."""
    body_limit: int = 32 * 1024 * 1024
    """Largest request body, in bytes."""
    attendee_cap: int = 50_000
    """Most rows in one import (endpoint-reference, PUT attendees:import)."""
    idempotency_key_max: int = 255
    """Longest idempotency key, in characters."""

    id_style: Literal["prefixed", "uuid", "number"] = "prefixed"
    """Form of the run and review IDs that the server makes up. Match IDs are never UUID-shaped."""
    timestamp_style: Literal["z-micros", "z-millis", "z-seconds", "offset-micros"] = "z-micros"
    extra_members: bool = False
    """Objects carry members that the documentation does not name."""
    limit_policy: Literal["refuse", "clamp"] = "refuse"
    """A page size outside 1-100: 400 INVALID_LIMIT, or the nearest legal size (50 where it is not a number)."""
    cursor_policy: Literal["refuse", "restart"] = "refuse"
    """A cursor never issued: 400 INVALID_CURSOR, or the first page."""
    wrong_method: Literal[405, 404] = 405
    body_before_event: bool = False
    """Which error wins: an invalid body (True) or an unknown event (False)."""
    non_object_body: Literal["invalid_json", "empty_object"] = "invalid_json"
    """A JSON body that is not an object: INVALID_JSON, or the first field's code."""
    strict_formats: bool = False
    """Refuse e-mails, LinkedIn URLs, time zones, visibilities and slugs that do not look like one."""
    require_https_webhook: bool = False
    require_session_times: bool = False
    refuse_end_before_start: bool = False
    missing_attendee_id: Literal["INVALID_PARTNER_ID", "INVALID_ATTENDEE"] = "INVALID_PARTNER_ID"
    import_keeps_omitted: bool = False
    """A re-imported row keeps the members it omits (True) or is replaced whole (False)."""
    extra_statuses: bool = False
    """Runs pass through a further, non-terminal status between queued and running."""
    partial_on_row_codes: bool = True
    """An enrichment run with row codes ends `partial` rather than `succeeded`."""
    generic_runs_end: bool = True
    """A run made by POST /runs proceeds to `succeeded`; otherwise it stays queued."""
    generic_key_conflict: bool = False
    """POST /runs with a used key and another kind: 409 (True) or a replay (False)."""
    shared_key_space: bool = False
    """Idempotency keys of POST /runs and of event operations share one space."""
    reviews_enabled: bool = True
    """Look-alike attendees open identity reviews."""
    review_subject: Literal["later", "earlier"] = "later"
    """Which of two look-alikes the review is about."""
    matches_enabled: bool = True
    """Match runs find pairs; otherwise they end with none."""
    matches_before_run: Literal["refuse", "empty"] = "refuse"
    """Match lists of an event without any terminal match run: 404, or an empty page."""
    merged_id_mapped: bool = False
    """A merged attendee's ID stays mapped in the ID map."""
