"""Choices that an audit found on conforming servers: imports, cursors, lists that lag, formats, codes, reviews."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from ..errors import ApiError
from ..patching import changes, operations
from ..patching.patch import Patch
from ..resources import events, identity, importing, matching, sessions
from ..rules import paging, validation
from ..services import Call, Services
from ..settings import RateLimit, Settings
from ..storage import Row
from ..wire.http import Response
from .choices import REVIEWS
from .company import another_clock
from .registry import variation

Handler = operations.Handler

# Imports


def replace_roster(patch: Patch) -> None:
    """Take an import as the event's whole roster from then on."""

    def finish(work: importing.ImportWork) -> str:
        storage, run = work.services.storage, work.run
        bodies = storage.all("SELECT body FROM run_inputs WHERE run_seq = ?", (run["seq"],))
        kept = json.dumps([row["attendee_id"] for one in bodies for row in json.loads(one["body"])])
        gone = storage.all(
            "SELECT seq FROM attendees WHERE event_seq = ? AND attendee_id NOT IN (SELECT value FROM json_each(?))",
            (run["event_seq"], kept),
        )
        for row in gone:
            for table, columns in (
                ("matches", ("principal_seq", "target_seq")),
                ("reviews", ("subject_seq", "candidate_seq")),
                ("identity_history", ("attendee_seq",)),
            ):
                for column in columns:
                    storage.execute(f"DELETE FROM {table} WHERE {column} = ?", (row["seq"],))
            storage.execute("DELETE FROM attendees WHERE seq = ?", (row["seq"],))
        storage.execute("DELETE FROM run_inputs WHERE run_seq = ?", (run["seq"],))
        return "succeeded"

    patch(importing.ImportWork, "finish", finish)


def whole_array_at_fault(patch: Patch) -> None:
    """Refuse the whole array for a row that is not an object, or lacks its ID."""

    def wrap(inner: Callable[[object, Settings], Any]) -> Any:
        def check(row: object, settings: Settings) -> Any:
            if not isinstance(row, dict) or not isinstance(row.get("attendee_id"), str):
                raise ApiError("INVALID_ATTENDEES", "every row must be an object with an attendee_id")
            return inner(row, settings)

        return check

    patch.wrap(validation, "check_attendee", wrap)


variation(
    "import.replaces",
    "An import replaces the event's attendees.",
    apply=replace_roster,
    makes=("attendees.earlier=replaced",),
)
variation(
    "import.whole_array",
    "A row that is not an object, or has no ID, makes the whole array invalid.",
    apply=whole_array_at_fault,
    makes=(
        "attendees.no_object=attendees",
        "attendees.no_id=attendees",
    ),
)


# Keys


def refuse_in_flight(code: str) -> Callable[[Patch], None]:
    """Refuse a key for the moment while its first call is still worked on."""

    def apply(patch: Patch) -> None:
        busy: set[tuple[str, Any]] = set()

        def make(inner: Handler) -> Handler:
            async def handler(call: Call) -> Response:
                key = (str(call.org), call.body.get("idempotency_key"))
                if not isinstance(key[1], str) or not key[1]:
                    return await inner(call)
                if key in busy:
                    raise ApiError(code, "a request with this key is in progress")
                busy.add(key)
                try:
                    await asyncio.sleep(0.01)
                    return await inner(call)
                finally:
                    busy.discard(key)

            return handler

        for operation in ("importAttendees", "createEnrichmentRun", "createMatchRun", "createRun"):
            operations.handle(patch, operation, make)

    return apply


variation(
    "keys.in_flight",
    "A key is refused while its first call is worked on: that each call is accepted is only implied.",
    apply=refuse_in_flight("IDEMPOTENCY_KEY_CONFLICT"),
    deviates=("idempotency.simultaneous.one_first.*",),
    makes=("runs.key_in_flight=refused",),
)


# Lists

Query = tuple[str, list[Any]]

LAG = 300_000
"""Microseconds by which lists lag behind writes."""

LAGGING = {
    "listEvents": "events.created_at",
    "listSessions": "sessions.created_at",
    "listRuns": "runs.created_at",
    "listAttendees": "attendees.created_at",
    "listReviews": "reviews.created_at",
    "listEventReviews": "reviews.created_at",
}


def lag_behind(patch: Patch) -> None:
    """Read lists from a replica."""

    def behind(column: str, call: Call, where: str, parameters: list[Any]) -> Query:
        return f"{where} AND {column} <= ?", [*parameters, call.services.clock.now() - LAG]

    for operation, column in LAGGING.items():
        changes.rows(patch, operation, partial(behind, column))


def counted(encode: Callable[[int], Any], decode: Callable[[str], int | None]) -> Callable[[Patch], None]:
    """Let cursors count the rows that were shown: rows that are added during a walk move it."""

    def apply(patch: Patch) -> None:
        def fetch_page(
            call: Call, list_name: str, scope: str, select: str, where: str, parameters: list[Any], pin: str = ""
        ) -> paging.Page:
            order = paging.ORDERS[list_name]
            limit = paging.parse_limit(call.request.query.get("limit"), call.services.settings)
            text = call.request.query.get("cursor")
            start = 0 if text is None else decode(text)
            if start is None:
                raise ApiError("INVALID_CURSOR", "cursor was not issued for this list")
            rows = call.services.storage.all(
                f"{select} WHERE {where} ORDER BY {paging.order_clause(order)} LIMIT ? OFFSET ?",
                [*parameters, limit + 1, start],
            )
            more = len(rows) > limit
            return paging.Page(rows[:limit], encode(start + limit) if more else None)

        patch(paging, "fetch_page", fetch_page)
        patch(paging, "read_cursor", lambda call, list_name, scope: None)

    return apply


def number_of(text: str) -> int | None:
    return int(text) if text.isdigit() and len(text) < 9 else None


def opaque_number_of(text: str) -> int | None:
    return number_of(text.removeprefix("page_")) if text.startswith("page_") else None


def scroll(patch: Patch) -> None:
    """Lead through a whole walk with one token; the server keeps the place."""
    places: dict[str, tuple[str, list[Any], str]] = {}

    def read_cursor(call: Call, list_name: str, scope: str) -> tuple[list[Any], str] | None:
        token = call.request.query.get("cursor")
        if token is None:
            return None
        if token not in places or places[token][0] != paging.list_scope(call, list_name, scope):
            raise ApiError("INVALID_CURSOR", "cursor was not issued for this list")
        return places[token][1], places[token][2]

    def fetch_page(
        call: Call, list_name: str, scope: str, select: str, where: str, parameters: list[Any], pin: str = ""
    ) -> paging.Page:
        order = paging.ORDERS[list_name]
        limit = paging.parse_limit(call.request.query.get("limit"), call.services.settings)
        token, values = call.request.query.get("cursor"), list(parameters)
        place = read_cursor(call, list_name, scope)
        if place is not None:
            where += " AND " + paging.after_clause(order)
            values += paging.after_parameters(order, place[0])
        rows = call.services.storage.all(
            f"{select} WHERE {where} ORDER BY {paging.order_clause(order)} LIMIT ?", [*values, limit + 1]
        )
        if len(rows) <= limit:
            return paging.Page(rows, None)
        token = token or secrets.token_urlsafe(12)
        position = paging.position_of(rows[limit - 1], order)
        places[token] = (paging.list_scope(call, list_name, scope), position, pin)
        return paging.Page(rows[:limit], token)

    patch(paging, "fetch_page", fetch_page)
    patch(paging, "read_cursor", read_cursor)


variation(
    "lists.lag",
    "Lists are read from a replica that is 300 ms behind: that they show a row at once is only implied.",
    apply=lag_behind,
    deviates=("lists.*.at_once",),
    makes=("lists.lag=later",),
)
variation(
    "pages.offset",
    "Cursors count rows: that a walk survives rows which are added is only implied.",
    apply=counted(lambda start: f"page_{start}", opaque_number_of),
    deviates=("lists.*.stable",),
    makes=("lists.inserts=shifted", "lists.filter_change=anew", "matches.later_run=moves"),
)
variation(
    "pages.numbers",
    "Cursors are numbers, which count rows.",
    apply=counted(lambda start: start, number_of),
    deviates=("lists.*.stable",),
    makes=(
        "lists.cursor_type=number",
        "lists.inserts=shifted",
        "lists.filter_change=anew",
        "matches.later_run=moves",
    ),
)
variation("pages.scroll", "One token leads through a whole walk.", apply=scroll, makes=("lists.cursor_change=same",))


# Forms


def show_midnight(patch: Patch) -> None:
    def change(body: dict[str, Any], row: Row) -> None:
        for name in ("start_date", "end_date"):
            if body.get(name):
                body[name] += "T00:00:00Z"

    changes.shown(patch, events, "serialize_event", change)


LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
MAIL = re.compile(rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.-]{{1,64}}@(?:{LABEL}\.)+[A-Za-z]{{2,63}}")
PROFILE = re.compile(r"https://([a-z]{2,3}\.)?linkedin\.com/in/[A-Za-z0-9-]{3,100}/?([?#]\S*)?")


def strict_mail(patch: Patch) -> None:
    """Judge as common validators do: a local part of 64, labels of 63, a domain of 253, 254 characters in all."""

    def check(value: object, settings: Settings) -> str | None:
        text = validation.optional_text(value, "attendee_email", "INVALID_ATTENDEE_EMAIL")
        if text is not None and (len(text) > 254 or not MAIL.fullmatch(text) or len(text.partition("@")[2]) > 253):
            raise ApiError("INVALID_ATTENDEE_EMAIL", "email must be an address of at most 254 characters")
        return text

    patch(validation, "check_attendee_email", check)


def strict_profile(patch: Patch) -> None:
    """Accept names of LinkedIn profiles of 3 to 100 characters; a query may follow."""

    def check(value: object, settings: Settings) -> str | None:
        text = validation.optional_text(value, "attendee_linkedin_url", "INVALID_ATTENDEE_LINKEDIN_URL")
        if text is not None and not PROFILE.fullmatch(text):
            raise ApiError("INVALID_ATTENDEE_LINKEDIN_URL", "linkedin_url must be a profile's address")
        return text

    patch(validation, "check_attendee_linkedin_url", check)


def other_session_names(patch: Patch) -> None:
    """Show what was written of a session under names of the server's own."""
    renamed = {"title": "name", "description": "about", "start_timestamp": "starts", "end_timestamp": "ends"}

    def change(body: dict[str, Any], row: Row) -> None:
        for sent, shown in renamed.items():
            body[shown] = body.pop(sent)

    changes.shown(patch, sessions, "serialize_session", change)


SESSION_SHAPES = tuple(f"shape.{answer}" for answer in ("createSession.201", "getSession.200", "listSessions.200"))

variation(
    "dates.midnight",
    "Dates of events are shown as date-times: that they come back in the form they were sent in is only implied.",
    apply=show_midnight,
    deviates=tuple(f"shape.{answer}" for answer in ("createEvent.201", "getEvent.200", "listEvents.200")),
    makes=("formats.event_dates=date_time",),
)
variation(
    "formats.mail",
    "E-mail addresses have at most 254 characters.",
    apply=strict_mail,
    makes=("formats.longest_email=shorter",),
)
variation(
    "formats.profile",
    "A LinkedIn URL has to name a profile.",
    apply=strict_profile,
    makes=("formats.linkedin_url=profile",),
)
variation(
    "sessions.names",
    "Sessions show title, description and times under other names: those of the request are only implied.",
    apply=other_session_names,
    unjudged=(
        *(f"sessions.read_back.{name}" for name in ("title", "description", "start_timestamp", "end_timestamp")),
        "sessions.text",
        "texts.*.session",
    ),
    deviates=SESSION_SHAPES,
    makes=("sessions.members=others", "events.undocumented_members=some"),
)


def keep_within_event(patch: Patch) -> None:
    """Refuse a session outside the dates of its event."""

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            event = events.require_event(call)
            validation.check_session(call.body, call.services.settings)
            for name in ("start_timestamp", "end_timestamp"):
                day = str(call.body.get(name))[:10]
                first, last = event["start_date"] or day, event["end_date"] or day
                if call.body.get(name) is not None and not first <= day <= last:
                    raise ApiError(f"INVALID_{name.upper()}", "a session has to lie within its event")
            return await inner(call)

        return handler

    operations.handle(patch, "createSession", make)


def modest_session_titles(patch: Patch) -> None:
    patch(validation.MAX_LENGTH, "session_title", 60)


variation(
    "sessions.within_event",
    "A session has to lie within the dates of its event.",
    apply=keep_within_event,
    makes=("sessions.inside_event=inside",),
)
variation(
    "sessions.short_titles",
    "Session titles have at most 60 characters.",
    apply=modest_session_titles,
    makes=("sessions.text_length=shorter",),
)


# Codes


def known_kinds_alone(patch: Patch) -> None:
    def wrap(inner: Callable[..., str]) -> Any:
        def check_kind(value: object, field: str = "kind") -> str:
            kind = inner(value, field)
            if kind not in ("event", "session", "attendee"):
                raise ApiError("INVALID_PARTNER_KIND", "there is no such kind")
            return kind

        return check_kind

    patch.wrap(validation, "check_kind", wrap)


def own_code_for_reasons(patch: Patch) -> None:
    """Refuse a reason that is not a text."""

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            if "reason" in call.body and not isinstance(call.body["reason"], str):
                raise ApiError("INVALID_REQUEST", "reason must be a text")
            return await inner(call)

        return handler

    for operation in ("resolveReview", "mergeReview"):
        operations.handle(patch, operation, make)


variation(
    "reasons.text",
    "A reason that is null is refused, with a code of the server's own.",
    apply=own_code_for_reasons,
    makes=("reviews.reason_null=refused",),
)
variation(
    "kinds.known",
    "A kind that the API does not know is INVALID_PARTNER_KIND.",
    apply=known_kinds_alone,
    makes=("ids.unknown_kind=invalid",),
)


# Reviews


def answer_again(patch: Patch) -> None:
    """Answer the decision that was taken, sent again, as before."""

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            review_id = call.params["review_id"]
            validation.check_review_id(review_id)
            decision = validation.check_decision(call.body.get("decision"))
            row = call.services.storage.one(
                f"{identity.SELECT} WHERE reviews.org_id = ? AND reviews.review_id = ? AND reviews.status = 'resolved'",
                (call.org, review_id),
            )
            if row is None or row["decision"] != decision:
                return await inner(call)
            subject = {name: row[name] for name in ("review_id", "kind", "partner_id")}
            return Response(200, {**subject, "decision": decision, "logged": True, "minted": False})

        return handler

    operations.handle(patch, "resolveReview", make)


def settle_duplicates(patch: Patch) -> None:
    """Keep the earlier of two rows with one e-mail address on enrichment, without a review."""

    def wrap(inner: Callable[[Services, Row, int, Any], None]) -> Any:
        def open_review(services: Services, subject: Row, candidate_seq: int, signals: Any) -> None:
            other = services.storage.one("SELECT * FROM attendees WHERE seq = ?", (candidate_seq,))
            if other is None or not subject["email_key"] or subject["email_key"] != other["email_key"]:
                inner(services, subject, candidate_seq, signals)
                return
            later, earlier = max(subject["seq"], candidate_seq), min(subject["seq"], candidate_seq)
            services.storage.execute("UPDATE attendees SET merged_into = ? WHERE seq = ?", (earlier, later))

        return open_review

    patch.wrap(identity, "open_review", wrap)


variation(
    "reviews.again",
    "A decision that is sent again is answered as before.",
    apply=answer_again,
    makes=("reviews.resolved_again=recorded",),
)
variation(
    "reviews.settled",
    "An enrichment settles duplicates itself: that it keeps every attendee is only implied, and no review appears.",
    apply=settle_duplicates,
    unjudged=REVIEWS,
    deviates=("enrichment.keeps_attendees",),
    makes=("reviews.opened=settled",),
)


# Match runs


def empty_for_unknown_runs(patch: Patch) -> None:
    """Show no matches for an unknown run."""

    def wrap(inner: Callable[..., Row | None]) -> Any:
        def choose_run(call: Call, event: Row, pinned: str | None = None) -> Row | None:
            try:
                return inner(call, event, pinned)
            except ApiError as refusal:
                if refusal.code != "MATCH_RUN_NOT_FOUND" or "target_partner_id" in call.params:
                    raise
                return None

        return choose_run

    patch.wrap(matching, "choose_run", wrap)


def pair_before_run(patch: Patch) -> None:
    """Look for a pair first: a match of an unknown run is not found."""

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            try:
                return await inner(call)
            except ApiError as refusal:
                if refusal.code != "MATCH_RUN_NOT_FOUND":
                    raise
                raise ApiError("MATCH_NOT_FOUND", "the pair has no score") from None

        return handler

    operations.handle(patch, "getMatch", make)


UNKNOWN_RUNS = ("matching.unknown_run.*", "error.*.MATCH_RUN_NOT_FOUND")

variation(
    "matches.unknown_empty",
    "A run that is not a match run has an empty page of matches: a refusal is only implied.",
    settings={"matches_before_run": "empty"},
    apply=empty_for_unknown_runs,
    deviates=UNKNOWN_RUNS,
    makes=(
        "matches.unknown_run=empty_page",
        "matches.before_run=empty_page",
    ),
)
variation(
    "matches.pair_first",
    "A pair is looked for before its run: that the run is missed first is only implied.",
    apply=pair_before_run,
    deviates=("matching.unknown_run.getMatch", "error.getMatch.MATCH_RUN_NOT_FOUND"),
    makes=("matches.pair_unknown_run=match",),
)


# Clocks

variation(
    "rate.clock_ahead",
    "The server's clock is 90 seconds ahead of the client's, and Retry-After is a date by it.",
    settings={"rate_limit": RateLimit(200, 1.0)},
    apply=another_clock(90),
    makes=("rate_limit.wait_form=date",),
)
variation(
    "rate.clock_behind",
    "The server's clock is 90 seconds behind the client's, and Retry-After is a date by it.",
    settings={"rate_limit": RateLimit(200, 1.0)},
    apply=another_clock(-90),
    makes=("rate_limit.wait_form=date",),
)
