"""Conformant servers that choose otherwise where the documentation is silent.

A variation is a choice of settings, a patch from outside, other clients at work beside the reader, or all of
them. The suite has to pass each of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from .. import app, clock
from ..access import auth
from ..access.auth import KeySpec
from ..errors import ApiError
from ..patching import changes, operations
from ..patching.patch import Patch
from ..resources import attendees, events, importing, runs, sessions
from ..rules import validation
from ..services import Call, Services
from ..settings import RateLimit, Settings
from ..storage import Row
from ..wire import http as wire
from ..wire.http import Request, Response
from .company import full_org, retry_after_date, strangers
from .data.matching import equal_scores, few_pairs, two_reviews_a_pair, whole_scores
from .data.runs import bare_progress, every_import_partial, other_counters, run_shows, worded_error
from .registry import variation
from .wire.connections import chunked, closed, dressed, encoded, on_wire, other_order, problem_label, zipped
from .wire.pages import empty_last_page, odd_cursors, short_pages

# Forms

variation("ids.uuid", "Run and review IDs are UUIDs.", settings={"id_style": "uuid"}, makes=("ids.opaque=uuid",))
variation("ids.number", "Run and review IDs are digits.", settings={"id_style": "number"}, makes=("ids.opaque=digits",))
variation(
    "timestamps.millis",
    "Timestamps have milliseconds.",
    settings={"timestamp_style": "z-millis"},
    makes=("formats.timestamps=millis",),
)
variation(
    "timestamps.seconds",
    "Timestamps have no fraction.",
    settings={"timestamp_style": "z-seconds"},
    makes=("formats.timestamps=seconds",),
)
variation(
    "timestamps.offset",
    "Timestamps have an offset, +00:00.",
    settings={"timestamp_style": "offset-micros"},
    makes=("formats.timestamps=offset",),
)
variation(
    "members.extra",
    "Objects have undocumented members.",
    settings={"extra_members": True},
    makes=("events.undocumented_members=some",),
)


def nanoseconds(patch: Patch) -> None:
    def wrap(inner: Callable[[int, Settings], str]) -> Any:
        return lambda micros, settings: inner(micros, settings).removesuffix("Z") + "000Z"

    patch.wrap(clock, "format_timestamp", wrap)


def whole_seconds(patch: Patch) -> None:
    patch(clock.Clock, "now", lambda self: int(time.time()) * 1_000_000)


def start_in_utc(patch: Patch) -> None:
    """Show session times as the server keeps them, not as they were sent."""

    def wrap(inner: Callable[[Row, str, Settings], dict[str, Any]]) -> Any:
        def serialize_session(row: Row, event_id: str, settings: Settings) -> dict[str, Any]:
            body = inner(row, event_id, settings)
            for name in ("start_timestamp", "end_timestamp"):
                micros = validation.parse_instant(body[name])
                body[name] = None if micros is None else clock.format_timestamp(micros, settings)
            return body

        return serialize_session

    patch.wrap(sessions, "serialize_session", wrap)


variation("timestamps.nanos", "Timestamps have nanoseconds.", apply=nanoseconds, makes=("formats.timestamps=nanos",))
variation(
    "timestamps.coarse",
    "The clock ticks once a second: many rows are created at once.",
    apply=whole_seconds,
    makes=("formats.clock=coarse",),
)
variation(
    "timestamps.kept",
    "Session times come back in the server's own form.",
    apply=start_in_utc,
    makes=("formats.session_times=own_form",),
)


# Choices where the pages are silent


def slashes_merged(patch: Patch) -> None:
    """Ignore slashes at the end of a path, and doubled ones."""

    def wrap(inner: Callable[[str, tuple[str, ...]], list[str] | None]) -> Any:
        def split_path(raw_path: str, bases: tuple[str, ...]) -> list[str] | None:
            segments = inner(raw_path, bases)
            return [one for one in segments if one] if segments else segments

        return split_path

    patch.wrap(wire, "split_path", wrap)


def slash_redirected(patch: Patch) -> None:
    """Redirect a slash at the end of a path, with the envelope."""

    def wrap(inner: Callable[[Request, Services], Any]) -> Any:
        async def dispatch(request: Request, services: Services) -> Response:
            if request.raw_path.endswith("/"):
                moved = operations.Refusal(308, "MOVED", "the path has no slash at its end")
                moved.headers["location"] = request.raw_path.rstrip("/")
                raise moved
            response: Response = await inner(request, services)
            return response

        return dispatch

    patch.wrap(app, "dispatch", wrap)


variation(
    "paths.slashes",
    "Slashes at the end of a path, and doubled ones, make no difference.",
    apply=slashes_merged,
    makes=("routes.spelling=same",),
)
variation(
    "paths.redirect",
    "A slash at the end is redirected, with the envelope.",
    apply=slash_redirected,
    makes=("routes.spelling=redirect",),
)
variation(
    "limit.clamp",
    "A page size out of range is clamped.",
    settings={"limit_policy": "clamp"},
    makes=(
        "lists.limit_range=nearest",
        "lists.limit_word=default",
    ),
)
variation(
    "cursor.restart",
    "An unknown cursor starts the list anew.",
    settings={"cursor_policy": "restart"},
    makes=("lists.unknown_cursor=first_page", "lists.filter_change=anew"),
)
variation(
    "method.404", "A wrong method is not found.", settings={"wrong_method": 404}, makes=("routes.wrong_method=404",)
)
variation(
    "order.body_first",
    "A bad body is refused before an unknown event.",
    settings={"body_before_event": True},
    makes=("bodies.first_mistake=body_first",),
)
variation(
    "body.no_object",
    "JSON that is not an object is treated as an empty one.",
    settings={"non_object_body": "empty_object"},
    makes=("bodies.not_an_object=first_field",),
)
variation(
    "formats.strict",
    "E-mails, URLs, zones and slugs have to look like one.",
    settings={"strict_formats": True},
    makes=("formats.values=known_form",),
)
variation(
    "webhook.https",
    "A webhook URL has to be https, so a listener on plain http cannot be named.",
    settings={"require_https_webhook": True},
    unjudged=("webhooks.*",),
    makes=("formats.webhook_scheme=https_only",),
)
variation(
    "sessions.times",
    "Sessions need a start and an end, in this order.",
    settings={"require_session_times": True, "refuse_end_before_start": True},
    makes=(
        "sessions.times_required=required",
        "formats.end_before_start=refused",
    ),
)
variation(
    "import.no_id",
    "A row without ID is INVALID_ATTENDEE.",
    settings={"missing_attendee_id": "INVALID_ATTENDEE"},
    makes=("attendees.no_id=attendee",),
)
variation(
    "import.keeps",
    "An import keeps the members that a row omits.",
    settings={"import_keeps_omitted": True},
    makes=("attendees.omitted=kept",),
)
variation(
    "merge.mapped",
    "The ID of a merged attendee stays mapped.",
    settings={"merged_id_mapped": True},
    makes=("reviews.merged_id=mapped",),
)


def utf16(patch: Patch) -> None:
    patch(validation, "text_length", lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2)


def any_opaque_id(patch: Patch) -> None:
    patch(validation, "check_run_id", lambda value: value)
    patch(validation, "check_review_id", lambda value: value)


def route_before_key(patch: Patch) -> None:
    def wrap(inner: operations.Dispatch) -> operations.Dispatch:
        async def dispatch(request: Request, services: Services) -> Response:
            segments = wire.split_path(request.raw_path, app.BASES)
            if segments is None or not app.find_routes(segments):
                raise app.not_found(request)
            return await inner(request, services)

        return dispatch

    patch.wrap(app, "dispatch", wrap)


def no_head_or_options(patch: Patch) -> None:
    def wrap(inner: operations.Dispatch) -> operations.Dispatch:
        async def dispatch(request: Request, services: Services) -> Response:
            answer = await inner(request, services)
            if request.method in ("HEAD", "OPTIONS"):
                raise ApiError("METHOD_NOT_ALLOWED", "only GET, POST and PUT")
            return answer

        return dispatch

    patch.wrap(app, "dispatch", wrap)


def replay_before_validation(patch: Patch) -> None:
    """Answer a key that was used for this event and operation before looking at the body."""
    kinds = {"importAttendees": "import", "createEnrichmentRun": "enrichment", "createMatchRun": "match"}

    def make(kind: str, inner: operations.Handler) -> operations.Handler:
        async def handler(call: Call) -> Response:
            row = call.services.storage.one(
                f"{runs.SELECT} WHERE runs.org_id = ? AND key_space = 'event' AND idempotency_key = ?"
                " AND events.event_id = ? AND runs.kind = ?",
                (call.org, str(call.body.get("idempotency_key")), call.params["event_id"], kind),
            )
            if row is not None:
                return runs.accepted_response(row, True, 202, call.services.settings)
            return await inner(call)

        return handler

    for operation, kind in kinds.items():
        operations.handle(patch, operation, partial(make, kind))


def org_wide_attendees(patch: Patch) -> None:
    """Keep one person in all events: an import into one event shows in the others."""

    def wrap(inner: Callable[[Services, Row, list[dict[str, Any]]], dict[str, int]]) -> Any:
        def apply_rows(services: Services, run: Row, rows: list[dict[str, Any]]) -> dict[str, int]:
            counts = inner(services, run, rows)
            for row in rows:
                services.storage.execute(
                    "UPDATE attendees SET name = ?, title = ?, company = ? WHERE org_id = ? AND attendee_id = ?",
                    (row["name"], row.get("title"), row.get("company"), run["org_id"], row["attendee_id"]),
                )
            return counts

        return apply_rows

    patch.wrap(importing, "apply_rows", wrap)


def no_org_no_account(patch: Patch) -> None:
    def wrap(inner: Callable[[Row], auth.Principal]) -> Any:
        def check_account(row: Row) -> auth.Principal:
            if row["org_id"] is None:
                raise ApiError("SERVICE_ACCOUNT_REQUIRED", "the key does not belong to an org's service account")
            return inner(row)

        return check_account

    patch.wrap(auth, "check_account", wrap)


def write_scope_alone(patch: Patch) -> None:
    for name in ("MESHI_KEY", "MESHI_OTHER_KEY"):
        patch.wrap(auth.KEYS, name, lambda spec: KeySpec(spec.org, (auth.WRITE,)))


def more_scopes(patch: Patch) -> None:
    def make(inner: operations.Handler) -> operations.Handler:
        async def handler(call: Call) -> Response:
            answer = await inner(call)
            scopes = ["partner:sandbox", *reversed((answer.body or {})["scopes"])]
            more = {"scopes": scopes, "environment": "test", "key": {"name": "conformance"}}
            return Response(200, {**(answer.body or {}), **more})

        return handler

    operations.handle(patch, "getAuth", make)


def context_without_nulls(patch: Patch) -> None:
    def wrap(inner: Callable[[Row], dict[str, Any]]) -> Any:
        return lambda row: {name: value for name, value in inner(row).items() if value is not None}

    patch.wrap(events, "serialize_context", wrap)


def details_without_nulls(patch: Patch) -> None:
    optional = {"description", "start_date", "end_date", "timezone", "visibility", "url_slug", "title", "company"}

    def change(body: dict[str, Any], row: Row) -> None:
        for name in optional & body.keys():
            if body[name] is None:
                del body[name]

    for module, serialize in ((events, "serialize_event"), (sessions, "serialize_session")):
        changes.shown(patch, module, serialize, change)
    changes.shown(patch, attendees, "serialize_attendee", change)


variation("characters.utf16", "Characters are UTF-16 units.", apply=utf16, makes=("bodies.characters=utf16_units",))
variation(
    "ids.any_form",
    "No run or review ID is malformed: garbage is not found.",
    apply=any_opaque_id,
    makes=("ids.malformed_opaque=unknown",),
)
variation(
    "order.route_first",
    "An unknown path is not found before the key is looked at.",
    apply=route_before_key,
    makes=("routes.key_or_route=route",),
)
variation(
    "method.no_head",
    "HEAD and OPTIONS are not offered.",
    apply=no_head_or_options,
    unjudged=("routes.head.correlation", "routes.options.correlation"),
    makes=("routes.head=refused",),
)
variation(
    "order.replay_first",
    "A replay is answered before its body is checked.",
    apply=replay_before_validation,
    makes=("runs.replay_order=replay",),
)
variation(
    "attendees.org_wide",
    "An attendee is one person in all events of the org.",
    apply=org_wide_attendees,
    makes=("attendees.two_events=of_org",),
)
variation(
    "keys.no_org",
    "A key without an org is SERVICE_ACCOUNT_REQUIRED.",
    apply=no_org_no_account,
    makes=("keys.no_org=account",),
)
variation(
    "keys.write_alone",
    "A writing key has no scope but partner:write.",
    apply=write_scope_alone,
    makes=("keys.scopes=write_alone",),
)
variation(
    "keys.more_scopes",
    "A key has further scopes, in another order, and /auth says more.",
    apply=more_scopes,
    makes=(
        "keys.scopes=more",
        "events.undocumented_members=some",
    ),
)
variation(
    "context.no_nulls",
    "Context that was never set is left out: that it is shown as null is only implied.",
    apply=context_without_nulls,
    deviates=("shape.getEventContext.200", "shape.updateEventContext.200"),
    makes=("events.unset_context=left_out",),
)
variation(
    "details.no_nulls",
    "Details that were never given are left out: no example shows them as null.",
    apply=details_without_nulls,
    deviates=(
        *(f"shape.{answer}" for answer in ("createEvent.201", "getEvent.200", "listEvents.200")),
        *(f"shape.{answer}" for answer in ("createSession.201", "getSession.200", "listSessions.200")),
        "shape.listAttendees.200",
        "events.optional",
        "attendees.optional",
    ),
    makes=("events.unset_details=left_out",),
)


# Runs

variation(
    "runs.instant", "Runs end at once.", settings={"run_seconds": 0.0}, freedom="No page says how long a run takes."
)
variation(
    "runs.slow",
    "Runs take one and a half seconds.",
    settings={"run_seconds": 1.5},
    freedom="No page says how long a run takes.",
)
variation(
    "runs.statuses",
    "Runs pass through a further status.",
    settings={"extra_statuses": True, "run_seconds": 0.3},
    makes=("runs.statuses=others",),
)
variation(
    "runs.no_partial",
    "Rows with codes do not make a run partial.",
    settings={"partial_on_row_codes": False},
    makes=("runs.row_codes_status=succeeded",),
)
variation(
    "runs.generic_stay",
    "Runs of POST /runs stay queued.",
    settings={"generic_runs_end": False},
    makes=("runs.generic_end=stays",),
)
variation(
    "runs.generic_conflict",
    "One key for two kinds of POST /runs is a conflict.",
    settings={"generic_key_conflict": True},
    makes=("runs.key_other_kind=conflict",),
)
variation(
    "runs.shared_keys",
    "One space of idempotency keys for all runs.",
    settings={"shared_key_space": True},
    makes=("runs.key_space=shared",),
)


variation(
    "runs.bare_progress",
    "Imports and match runs show no progress.",
    apply=run_shows(bare_progress),
    makes=("runs.progress=none",),
)
variation(
    "runs.other_counters",
    "Imports and match runs count otherwise.",
    apply=run_shows(other_counters),
    makes=("runs.progress=others",),
)
variation(
    "runs.worded_error",
    "A partial run has a text as its error.",
    apply=run_shows(worded_error),
    makes=("runs.partial_error=text",),
)
variation(
    "runs.partial",
    "Every import ends partial, so nothing shows which of its rows are to be there.",
    apply=every_import_partial,
    unjudged=("attendees.listed", "lists.attendees.at_once", "generated.histories.*"),
    makes=("runs.import_status=partial",),
)


# Reviews and matches

REVIEWS = (
    "identity.*",
    "lists.*reviews*",
    "*.resolveReview*",
    "*.mergeReview*",
    "isolation.listReviews",
    "lists.identity.*",
    # Nothing is said of rows that are not there, nor of a body that no decision can carry.
    *(f"{family}.{one}.200" for family in ("schema", "shape") for one in ("list*Reviews", "listAttendeeIdentity")),
    "boundary.list*Reviews",
    "boundary.listAttendeeIdentity",
    "limits.json.*",
)
MATCHES = ("matching.*", "lists.*matches*", "*.getMatch*", "*.listAttendeeMatches*", "*.listEventMatches*")

variation(
    "reviews.none",
    "No identity review ever appears, so nothing about reviews can be judged.",
    settings={"reviews_enabled": False},
    unjudged=REVIEWS,
    makes=("reviews.opened=nothing",),
)
variation(
    "reviews.earlier",
    "A review is about the earlier look-alike.",
    settings={"review_subject": "earlier"},
    makes=("reviews.subject=earlier",),
)


variation(
    "reviews.both",
    "Each of two look-alikes has a review of its own.",
    apply=two_reviews_a_pair,
    makes=("reviews.number=two",),
)
variation(
    "matches.none",
    "Match runs find no pairs, so nothing about pairs can be judged.",
    settings={"matches_enabled": False},
    unjudged=MATCHES,
    freedom="No page says which pairs a match run finds.",
)
variation(
    "matches.before",
    "Matches before any run are an empty page.",
    settings={"matches_before_run": "empty"},
    makes=("matches.before_run=empty_page",),
)


variation(
    "matches.equal",
    "All pairs have the same score.",
    apply=equal_scores,
    freedom="No page says how scores are computed.",
)
variation("matches.whole", "Scores are 0 or 1.", apply=whole_scores, freedom="No page says how scores are computed.")
variation(
    "matches.few",
    "Only some attendees have matches.",
    apply=few_pairs,
    unjudged=MATCHES,
    freedom="No page says which pairs a match run finds.",
)


# Pages


variation(
    "pages.odd_cursors",
    "Cursors hold characters that URLs reserve.",
    apply=odd_cursors,
    freedom="A cursor is opaque (canonical-flow, Production Checklist).",
)
variation("pages.empty_last", "A list ends with an empty page.", apply=empty_last_page, makes=("lists.end=empty_page",))
variation(
    "pages.short",
    "Pages hold less than was asked for although more follows: that they are full is only implied.",
    apply=short_pages,
    deviates=("lists.*.full_page", "lists.*.largest_page"),
    makes=("lists.full_pages=short", "lists.default_size=another"),
)


# The wire


variation(
    "wire.closed",
    "Every connection is closed after one answer.",
    apply=on_wire(closed),
    freedom="A server may close a connection after any answer (RFC 9112, 9.6).",
)
variation(
    "wire.gzip",
    "Bodies are compressed.",
    apply=on_wire(zipped),
    freedom="A server may encode a body as the client accepts (RFC 9110, 8.4).",
)
variation(
    "wire.chunked",
    "Bodies come in chunks, without a length.",
    apply=on_wire(chunked),
    freedom="A body may come in chunks (RFC 9112, 7.1).",
)
variation(
    "wire.headers",
    "Headers come in capitals, in another order, with others.",
    apply=on_wire(dressed),
    freedom="Header names have no case and no order (RFC 9110, 5.1 and 5.3).",
)
variation(
    "wire.problem",
    "Refusals are labelled application/problem+json.",
    apply=on_wire(problem_label),
    makes=("routes.refusal_label=problem",),
)
variation(
    "wire.pretty",
    "JSON is indented, with its members sorted.",
    apply=encoded(indent=2, sort_keys=True, ensure_ascii=False),
    freedom="Blanks between JSON tokens and the order of members mean nothing (RFC 8259, 2 and 4).",
)
variation(
    "wire.escaped",
    "JSON is all ASCII.",
    apply=encoded(ensure_ascii=True),
    freedom="A JSON string may escape any character (RFC 8259, 7).",
)
variation(
    "wire.order",
    "Members come in another order.",
    apply=other_order,
    freedom="The order of JSON members means nothing (RFC 8259, 4).",
)
variation(
    "wire.slow",
    "Every answer takes 20 ms.",
    settings={"latency_ms": 20.0},
    freedom="No page says how fast an answer comes.",
)


# Limits and company


variation(
    "rate.tight",
    "A key may send 120 requests a second.",
    settings={"rate_limit": RateLimit(120, 1.0)},
    freedom="No page says how large the request window is.",
)
variation(
    "rate.date",
    "A key may send 200 requests in a second, and Retry-After is a date.",
    settings={"rate_limit": RateLimit(200, 1.0)},
    apply=retry_after_date,
    makes=("rate_limit.wait_form=date",),
)


variation(
    "org.full",
    "The org has 3,000 events and runs of other people.",
    apply=full_org,
    freedom="An org may hold rows of its other clients.",
)
variation(
    "org.busy",
    "Other clients of the org create rows all the time.",
    background=strangers,
    freedom="Other clients of an org may write at any time.",
)
