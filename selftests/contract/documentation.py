"""The documentation's rows, typed in from its pages and from nothing else.

Never generate this file from openapi/ or schemas/: it is worth something only as long as it is a second
reading. Page names are those of the citations in openapi/.
"""

from dataclasses import dataclass, field
from typing import Any

READ, WRITE = "partner:read", "partner:write"

# identity-and-ids: field patterns
PARTNER_ID = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"
PARTNER_KIND = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"

# overview: environments, and the legacy base that is still served
SERVERS = {
    "https://api.staging.meshi.io/api/v0/partner",
    "https://api.meshi.io/api/v0/partner",
    "https://api.staging.meshi.io/v0/partner",
    "https://api.meshi.io/v0/partner",
}

# errors-and-limits: what every operation may answer
COMMON_ERRORS = {
    401: ["UNAUTHORIZED", "ACCOUNT_DISABLED"],
    403: ["SERVICE_ACCOUNT_REQUIRED", "INSUFFICIENT_SCOPE", "PARTNER_ORG_REQUIRED"],
    429: ["PARTNER_RATE_LIMIT_EXCEEDED"],
}

PATH_PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "kind": ({"type": "string", "pattern": PARTNER_KIND}, "INVALID_PARTNER_KIND"),
    "partner_id": ({"type": "string", "pattern": PARTNER_ID}, "INVALID_PARTNER_ID"),
    "event_id": ({"type": "string", "pattern": PARTNER_ID}, "INVALID_PARTNER_ID"),
    "session_id": ({"type": "string", "pattern": PARTNER_ID}, "INVALID_PARTNER_ID"),
    "attendee_id": ({"type": "string", "pattern": PARTNER_ID}, "INVALID_PARTNER_ID"),
    "principal_partner_id": ({"type": "string", "pattern": PARTNER_ID}, "INVALID_PARTNER_ID"),
    "target_partner_id": ({"type": "string", "pattern": PARTNER_ID}, "INVALID_PARTNER_ID"),
    "run_id": ({"type": "string", "minLength": 1}, "INVALID_RUN_ID"),
    "review_id": ({"type": "string", "minLength": 1}, "INVALID_REVIEW_ID"),
}

LIMIT = {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}
RUN_KINDS = ["import", "enrichment", "match"]
QUERY_PARAMETERS: dict[str, tuple[dict[str, Any], str | None]] = {
    "limit": (LIMIT, None),
    "cursor": ({"type": "string"}, None),
    "kind": ({"type": "string", "enum": RUN_KINDS}, "INVALID_RUN_KIND"),
    "run_id": ({"type": "string", "minLength": 1}, None),
    "session_id": ({"type": "string", "pattern": PARTNER_ID}, "INVALID_PARTNER_ID"),
    "goal": ({"type": "string"}, None),
}


@dataclass(frozen=True)
class Field:
    """A member of a request body: its constraints, the code that refuses it, whether it must be there."""

    code: str | None
    required: bool = False
    says: dict[str, Any] = field(default_factory=lambda: {"type": "string"})


def text(code: str | None, longest: int | None = None, *, required: bool = False, **more: Any) -> Field:
    """A string member with an optional largest length; one that is required is not empty."""
    says: dict[str, Any] = {"type": "string", **more}
    if longest is not None:
        says["maxLength"] = longest
    if required and not {"pattern", "enum"} & set(more):
        says["minLength"] = 1
    return Field(code, required, says)


def json_object(code: str) -> Field:
    """A member that takes any JSON object."""
    return Field(code, says={"type": "object"})


KEY = text("INVALID_IDEMPOTENCY_KEY", required=True)
WEBHOOK = text("INVALID_WEBHOOK_URL", format="uri")
OWN_ID = text("INVALID_PARTNER_ID", required=True, pattern=PARTNER_ID)
OWN_KIND = text("INVALID_PARTNER_KIND", required=True, pattern=PARTNER_KIND)

ATTENDEE_ROW = {
    "attendee_id": OWN_ID,
    "name": text("INVALID_ATTENDEE_NAME", 240, required=True),
    "email": text("INVALID_ATTENDEE_EMAIL", 320),
    "linkedin_url": text("INVALID_ATTENDEE_LINKEDIN_URL", 2048),
    "title": text("INVALID_ATTENDEE_TITLE", 512),
    "company": text("INVALID_ATTENDEE_COMPANY", 512),
    "raw_data": json_object("INVALID_ATTENDEE_RAW_DATA"),
}


def members(names: str) -> list[str]:
    """The members of an answer."""
    return names.split()


# Members of answers. A name ending in "?" is there and may hold anything: its type is not documented. One ending in
# "~" has a documented type, and is there for certain only where a value was given.
EVENT = members(
    "event_id title description~ event_details objectives welcome_instructions start_date~ end_date~ timezone~"
    " visibility~ url_slug~ created_at updated_at"
)
CREATED_EVENT = [name for name in EVENT if name not in ("event_details", "objectives", "welcome_instructions")]
ATTENDEE = members(
    "attendee_id event_id display_name title~ company~ event event/role_at_event? event/visibility? event/goal?"
    " event/needs? event/offers? event/onboarded_at? event/joined_at? identity identity/review_required"
    " identity/open_review_count"
)
RUN = members(
    "run_id kind status event_id idempotency_key progress error? snapshot_metadata version_metadata"
    " webhook_url created_at updated_at started_at terminal_at"
)
MATCH = members(
    "event_id match_id run_id principal_attendee_id target_attendee_id final_score sub_scores"
    " sub_scores/goal_complementarity sub_scores/goal_needs_to_offers sub_scores/goal_offers_to_needs"
    " sub_scores/value_alignment sub_scores/general_similarity sub_scores/score_a_to_b"
    " sub_scores/score_b_to_a best_goal_match best_goal_match/score best_goal_match/direction"
    " driving_goal_pair driving_goal_pair/score driving_goal_pair/direction intent_strength"
    " intent_strength/aToB intent_strength/bToA input_hash algorithm_version policy_version"
    " context_snapshot_id freshness freshness/computed_at computed_at"
)


def page(*names: str) -> list[str]:
    """A list's answer, whose rows have these members."""
    return ["items", "next_cursor", *(f"items/0/{name}" for name in names)]


@dataclass(frozen=True)
class Row:
    """What the documentation says of one operation."""

    operation: str
    scope: str
    route: str
    tag: str
    answers: dict[int, list[str]]
    """Success statuses, each with the members of its body besides `correlation_id`."""
    errors: str = ""
    """Route-specific errors: statuses, each followed by its codes."""
    query: str = ""
    body: dict[str, Field] = field(default_factory=dict)
    body_code: str | None = None
    """The code that refuses a body that is not JSON."""

    @property
    def rows(self) -> list[tuple[int, str]]:
        """The route-specific (status, code) rows."""
        rows, status = [], 0
        for word in self.errors.split():
            if word.isdigit():
                status = int(word)
            else:
                rows.append((status, word))
        return rows


ROWS = [
    Row(
        "getAuth",
        READ,
        "GET /auth",
        "Service Account",
        {200: ["org_id", "principal_type", "service_account_user_id", "scopes"]},
    ),
    Row(
        "getIdMapping",
        READ,
        "GET /id-map/:kind/:partner_id",
        "ID Resolution",
        {200: ["kind", "partner_id", "mapped"]},
        "400 INVALID_PARTNER_KIND INVALID_PARTNER_ID 404 PARTNER_ID_NOT_FOUND",
    ),
    Row(
        "createEvent",
        WRITE,
        "POST /events",
        "Events",
        {201: CREATED_EVENT},
        "400 INVALID_JSON INVALID_PARTNER_ID INVALID_TITLE INVALID_DESCRIPTION INVALID_START_DATE"
        " INVALID_END_DATE INVALID_TIMEZONE INVALID_VISIBILITY INVALID_URL_SLUG 409 PARTNER_ID_CONFLICT",
        body={
            "event_id": OWN_ID,
            "title": text("INVALID_TITLE", 200, required=True),
            "description": text("INVALID_DESCRIPTION", 4000),
            "start_date": text("INVALID_START_DATE", format="date"),
            "end_date": text("INVALID_END_DATE", format="date"),
            "timezone": text("INVALID_TIMEZONE", 128),
            "visibility": text("INVALID_VISIBILITY", 32),
            "url_slug": text("INVALID_URL_SLUG", 128),
        },
        body_code="INVALID_JSON",
    ),
    Row("listEvents", READ, "GET /events", "Events", {200: page(*EVENT)}, query="limit cursor"),
    Row(
        "getEvent",
        READ,
        "GET /events/:event_id",
        "Events",
        {200: EVENT},
        "400 INVALID_PARTNER_ID 404 EVENT_NOT_FOUND",
    ),
    Row(
        "updateEventContext",
        WRITE,
        "POST /events/:event_id/context",
        "Events",
        {200: ["event_id", "context"]},
        "400 INVALID_PARTNER_ID INVALID_JSON INVALID_CONTEXT 404 EVENT_NOT_FOUND",
        body={
            "event_details": text("INVALID_CONTEXT", 4000),
            "objectives": text("INVALID_CONTEXT", 4000),
            "welcome_instructions": text("INVALID_CONTEXT", 4000),
        },
        body_code="INVALID_JSON",
    ),
    Row(
        "getEventContext",
        READ,
        "GET /events/:event_id/context",
        "Events",
        {200: ["event_id", "context"]},
        "400 INVALID_PARTNER_ID 404 EVENT_NOT_FOUND",
    ),
    Row(
        "createSession",
        WRITE,
        "POST /events/:event_id/sessions",
        "Sessions",
        {201: ["session_id", "event_id"]},
        "400 INVALID_PARTNER_ID INVALID_TITLE INVALID_DESCRIPTION INVALID_START_TIMESTAMP"
        " INVALID_END_TIMESTAMP 404 EVENT_NOT_FOUND 409 PARTNER_ID_CONFLICT",
        body={
            "session_id": OWN_ID,
            "title": text("INVALID_TITLE", required=True),
            "description": text("INVALID_DESCRIPTION"),
            "start_timestamp": text("INVALID_START_TIMESTAMP", format="date-time"),
            "end_timestamp": text("INVALID_END_TIMESTAMP", format="date-time"),
        },
    ),
    Row(
        "listSessions",
        READ,
        "GET /events/:event_id/sessions",
        "Sessions",
        {200: page("session_id")},
        "400 INVALID_PARTNER_ID 404 EVENT_NOT_FOUND",
        "limit cursor",
    ),
    Row(
        "getSession",
        READ,
        "GET /events/:event_id/sessions/:session_id",
        "Sessions",
        {200: ["session_id", "event_id"]},
        "400 INVALID_PARTNER_ID 404 SESSION_NOT_FOUND EVENT_NOT_FOUND",
    ),
    Row(
        "listAttendees",
        READ,
        "GET /events/:event_id/attendees",
        "Attendees",
        {200: page(*ATTENDEE)},
        "400 INVALID_PARTNER_ID 404 EVENT_NOT_FOUND",
        "limit cursor",
    ),
    Row(
        "importAttendees",
        WRITE,
        "PUT /events/:event_id/attendees:import",
        "Attendees",
        {202: [*RUN, "idempotent_replay"], 200: [*RUN, "idempotent_replay"]},
        "400 INVALID_PARTNER_ID INVALID_JSON INVALID_IDEMPOTENCY_KEY INVALID_ATTENDEES INVALID_ATTENDEE"
        " DUPLICATE_ATTENDEE_ID INVALID_ATTENDEE_NAME INVALID_ATTENDEE_EMAIL INVALID_ATTENDEE_LINKEDIN_URL"
        " INVALID_ATTENDEE_TITLE INVALID_ATTENDEE_COMPANY INVALID_ATTENDEE_RAW_DATA INVALID_WEBHOOK_URL"
        " 404 EVENT_NOT_FOUND 409 IDEMPOTENCY_KEY_CONFLICT 413 PAYLOAD_TOO_LARGE",
        body={
            "idempotency_key": KEY,
            "webhook_url": WEBHOOK,
            "attendees": Field("INVALID_ATTENDEES", True, {"type": "array", "minItems": 1, "maxItems": 50_000}),
        },
        body_code="INVALID_JSON",
    ),
    Row(
        "listAttendeeIdentity",
        READ,
        "GET /events/:event_id/attendees/:attendee_id/identity",
        "Attendees",
        {200: ["event_id", "attendee_id", *page()]},
        "400 INVALID_PARTNER_ID 404 EVENT_NOT_FOUND ATTENDEE_NOT_FOUND",
        "limit cursor",
    ),
    Row(
        "createEnrichmentRun",
        WRITE,
        "POST /events/:event_id/enrichment-runs",
        "Enrichment",
        {202: RUN, 200: RUN},
        "400 INVALID_PARTNER_ID INVALID_JSON INVALID_IDEMPOTENCY_KEY INVALID_WEBHOOK_URL"
        " 404 EVENT_NOT_FOUND 409 IDEMPOTENCY_KEY_CONFLICT",
        body={"idempotency_key": KEY, "webhook_url": WEBHOOK},
        body_code="INVALID_JSON",
    ),
    Row(
        "createMatchRun",
        WRITE,
        "POST /events/:event_id/match-runs",
        "Matching",
        {202: RUN, 200: RUN},
        "400 INVALID_PARTNER_ID INVALID_JSON INVALID_IDEMPOTENCY_KEY INVALID_WEBHOOK_URL"
        " 404 EVENT_NOT_FOUND 409 IDEMPOTENCY_KEY_CONFLICT",
        body={
            "idempotency_key": KEY,
            "webhook_url": WEBHOOK,
            "top_n": Field(None, says={"type": "integer", "minimum": 1, "maximum": 50, "default": 10}),
        },
        body_code="INVALID_JSON",
    ),
    Row(
        "listAttendeeMatches",
        READ,
        "GET /events/:event_id/attendees/:attendee_id/matches",
        "Matching",
        {200: ["event_id", "attendee_id", "run_id", *page()]},
        "400 INVALID_PARTNER_ID 404 EVENT_NOT_FOUND ATTENDEE_NOT_FOUND MATCH_RUN_NOT_FOUND",
        "limit cursor run_id",
    ),
    Row(
        "listEventMatches",
        READ,
        "GET /events/:event_id/matches",
        "Matching",
        {200: ["event_id", "run_id", *page()]},
        "400 INVALID_PARTNER_ID 404 EVENT_NOT_FOUND SESSION_NOT_FOUND MATCH_RUN_NOT_FOUND",
        "limit cursor run_id session_id goal",
    ),
    Row(
        "getMatch",
        READ,
        "GET /events/:event_id/matches/:principal_partner_id/:target_partner_id",
        "Matching",
        {200: MATCH},
        "400 INVALID_PARTNER_ID 404 EVENT_NOT_FOUND ATTENDEE_NOT_FOUND MATCH_RUN_NOT_FOUND MATCH_NOT_FOUND",
        "run_id",
    ),
    Row(
        "createRun",
        WRITE,
        "POST /runs",
        "Runs",
        {201: RUN, 200: RUN},
        "400 INVALID_JSON INVALID_RUN_KIND INVALID_IDEMPOTENCY_KEY INVALID_PROGRESS"
        " INVALID_SNAPSHOT_METADATA INVALID_VERSION_METADATA INVALID_WEBHOOK_URL",
        body={
            "kind": text("INVALID_RUN_KIND", required=True, enum=RUN_KINDS),
            "idempotency_key": KEY,
            "progress": json_object("INVALID_PROGRESS"),
            "snapshot_metadata": json_object("INVALID_SNAPSHOT_METADATA"),
            "version_metadata": json_object("INVALID_VERSION_METADATA"),
            "webhook_url": WEBHOOK,
        },
        body_code="INVALID_JSON",
    ),
    Row(
        "listRuns",
        READ,
        "GET /runs",
        "Runs",
        {200: page("run_id")},
        "400 INVALID_RUN_KIND",
        "limit cursor kind",
    ),
    Row("getRun", READ, "GET /runs/:run_id", "Runs", {200: RUN}, "400 INVALID_RUN_ID 404 RUN_NOT_FOUND"),
    Row(
        "listEventReviews",
        READ,
        "GET /events/:event_id/review-queue",
        "Review Queue",
        {200: page()},
        "400 INVALID_PARTNER_ID 404 EVENT_NOT_FOUND",
        "limit cursor",
    ),
    Row("listReviews", READ, "GET /review-queue", "Review Queue", {200: page()}, query="limit cursor"),
    Row(
        "resolveReview",
        WRITE,
        "POST /review-queue/:review_id/resolve",
        "Review Queue",
        {200: ["review_id", "kind", "partner_id", "decision", "logged", "minted?"]},
        "400 INVALID_REVIEW_ID INVALID_JSON INVALID_REVIEW_DECISION 404 REVIEW_NOT_FOUND",
        body={
            "decision": text("INVALID_REVIEW_DECISION", required=True, enum=["accept", "reject", "distinct"]),
            "reason": text(None),
        },
        body_code="INVALID_JSON",
    ),
    Row(
        "mergeReview",
        WRITE,
        "POST /review-queue/:review_id/merge",
        "Review Queue",
        {
            200: [
                "review_id",
                "source?",
                "target?",
                "merged",
                "superseded_anchors?",
                "rewritten_anchors?",
                "deleted_computations?",
            ]
        },
        "400 INVALID_REVIEW_ID INVALID_JSON INVALID_PARTNER_KIND INVALID_PARTNER_ID REVIEW_SOURCE_MISMATCH"
        " MERGE_REJECTED 404 REVIEW_NOT_FOUND PARTNER_ID_NOT_FOUND",
        body={
            "source_kind": OWN_KIND,
            "source_partner_id": OWN_ID,
            "target_kind": OWN_KIND,
            "target_partner_id": OWN_ID,
            "reason": text(None),
        },
        body_code="INVALID_JSON",
    ),
]
