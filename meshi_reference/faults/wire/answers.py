"""What every answer promises: JSON, correlation, envelope, label, status and shape, broken on one operation each.

The kinds of a family go around over the operations, so that several of them have each kind.
"""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from ...errors import ApiError
from ...patching import operations
from ...patching.operations import OPERATIONS, Refusal, Wire
from ...patching.patch import Patch
from ...wire.http import Request, Response
from ..families import family, made_on
from ..registry import fault

Headers = list[tuple[bytes, bytes]]
EVERYTHING = ("*.{operation}", "*.{operation}.*", "lists.*.odd_*", "limits.ids.*")
"""An operation whose answers cannot be read breaks whatever is asked of it."""


def labelled(headers: Headers, label: bytes | None) -> Headers:
    """Return the headers with another Content-Type; None takes it away."""
    kept = [pair for pair in headers if pair[0] != b"content-type"]
    return kept if label is None else [*kept, (b"content-type", label)]


def on_wire(change: Callable[[int, Headers, bytes], Wire], only: str = "all") -> Callable[[Patch, str], None]:
    """Define a kind of fault that changes the bytes of all answers, of `accepted` or of `refused` ones."""

    def changed(status: int, headers: Headers, content: bytes) -> Wire:
        fits = only == "all" or (status < 300) == (only == "accepted")
        return change(status, headers, content) if fits else (status, headers, content)

    return lambda patch, operation: operations.wire(patch, operation, changed)


def with_content(make: Callable[[bytes], bytes]) -> Callable[[int, Headers, bytes], Wire]:
    return lambda status, headers, content: (status, headers, make(content))


def error_page(status: int, headers: Headers, content: bytes) -> Wire:
    page = f"<!doctype html><html><body><h1>{status}</h1><p>nginx</p></body></html>".encode()
    return status, labelled(headers, b"text/html"), page


def bare_code(content: bytes) -> bytes:
    return json.dumps(json.loads(content)["code"]).encode()


def single_quotes(content: bytes) -> bytes:
    return content.replace(b'"', b"'")


def twice(content: bytes) -> bytes:
    return b'{"correlation_id":"cor_first",' + content[1:]


NOT_JSON = (*EVERYTHING, "content_type.{operation}")

family(
    "json",
    list(OPERATIONS),
    [
        ("html", "answers refusals with a framework's HTML page", on_wire(error_page, "refused"), NOT_JSON),
        ("empty", "answers refusals without a body", on_wire(with_content(lambda content: b""), "refused"), NOT_JSON),
        (
            "cut",
            "cuts the last byte of its successes",
            on_wire(with_content(lambda content: content[:-1]), "accepted"),
            NOT_JSON,
        ),
        (
            "array",
            "wraps its successes in an array",
            on_wire(with_content(lambda content: b"[" + content + b"]"), "accepted"),
            NOT_JSON,
        ),
        ("twice", "has a member twice in its answers", on_wire(with_content(twice)), NOT_JSON),
        (
            "text",
            "answers refusals with the bare code as a JSON string",
            on_wire(with_content(bare_code), "refused"),
            NOT_JSON,
        ),
        ("quotes", "writes its answers with single quotes", on_wire(with_content(single_quotes)), NOT_JSON),
    ],
)


def labels(label: bytes | None, only: str = "all") -> Callable[[Patch, str], None]:
    """Define a kind of fault that changes the Content-Type."""
    return on_wire(lambda status, headers, content: (status, labelled(headers, label), content), only)


family(
    "content_type",
    list(OPERATIONS),
    [
        ("html", "labels its answers as HTML", labels(b"text/html"), ()),
        ("missing", "does not label its answers", labels(None), ()),
        ("refusals", "labels its refusals as plain text", labels(b"text/plain; charset=utf-8", "refused"), ()),
        ("bytes", "labels its successes as bytes", labels(b"application/octet-stream", "accepted"), ()),
    ],
)


# Correlation

CORRELATION = b"x-correlation-id"


def without_header(status: int, headers: Headers, content: bytes) -> Wire:
    return status, [pair for pair in headers if pair[0] != CORRELATION], content


def other_header(status: int, headers: Headers, content: bytes) -> Wire:
    return status, [(name, b"req_" + value if name == CORRELATION else value) for name, value in headers], content


def on_body(change: Callable[[dict[str, Any], Request], None], only: str = "all") -> Callable[[Patch, str], None]:
    """Define a kind of fault that changes the bodies of all answers, of `accepted` or of `refused` ones."""

    def changed(response: Response, request: Request) -> Response | None:
        if response.body is None or (only != "all" and (response.status < 300) != (only == "accepted")):
            return None
        body = copy.deepcopy(response.body)
        change(body, request)
        return Response(response.status, body, response.headers)

    return lambda patch, operation: operations.answer(patch, operation, changed)


def drop(name: str) -> Callable[[dict[str, Any], Request], None]:
    return lambda body, request: body.pop(name, None)


def put(name: str, value: Any) -> Callable[[dict[str, Any], Request], None]:
    return lambda body, request: body.update({name: value})


def ignore_sent_id(patch: Patch, operation: str) -> None:
    def changed(response: Response, request: Request) -> Response | None:
        if response.body is None:
            return None
        request.correlation_id = "cor_" + uuid.uuid4().hex[:12]
        return Response(response.status, {**response.body, "correlation_id": request.correlation_id}, response.headers)

    operations.answer(patch, operation, changed)


CORRELATED = ("correlation.*", "platform.legacy_alias.correlation")
"""Promises about correlation that are judged on a few operations for all."""
NESTED = ("schema.{operation}.*", *CORRELATED)

family(
    "correlation",
    list(OPERATIONS),
    [
        ("no_header", "sends no x-correlation-id header", on_wire(without_header), CORRELATED),
        ("no_member", "has no correlation_id in its successes", on_body(drop("correlation_id"), "accepted"), NESTED),
        ("differ", "shows one correlation ID in the header and another in the body", on_wire(other_header), CORRELATED),
        ("ignored", "makes up a correlation ID although the client sent one", ignore_sent_id, CORRELATED),
        (
            "refusals_no_member",
            "has no correlation_id in its refusals",
            on_body(drop("correlation_id"), "refused"),
            CORRELATED,
        ),
        (
            "refusals_no_header",
            "sends no x-correlation-id header with refusals",
            on_wire(without_header, "refused"),
            CORRELATED,
        ),
        (
            "refusals_differ",
            "shows another correlation ID in the body of refusals",
            on_body(put("correlation_id", "cor_0"), "refused"),
            CORRELATED,
        ),
        (
            "null",
            "has null as correlation_id in its successes",
            on_body(put("correlation_id", None), "accepted"),
            NESTED,
        ),
    ],
)


# Envelope


def nest(body: dict[str, Any], request: Request) -> None:
    body["error"] = {"code": body.pop("code"), "message": body.pop("message")}


def detail(body: dict[str, Any], request: Request) -> None:
    body["detail"] = body.pop("message")


family(
    "envelope",
    list(OPERATIONS),
    [
        ("no_message", "refuses without a message", on_body(drop("message"), "refused"), ()),
        ("no_code", "refuses without a code", on_body(drop("code"), "refused"), EVERYTHING),
        ("nested", "puts code and message of a refusal below `error`", on_body(nest, "refused"), EVERYTHING),
        ("null_message", "has null as message of a refusal", on_body(put("message", None), "refused"), ()),
        ("number", "has a number as code of a refusal", on_body(put("code", 1004), "refused"), EVERYTHING),
        ("list", "has a list of messages in a refusal", on_body(put("message", ["wrong"]), "refused"), ()),
        ("detail", "calls the message of a refusal `detail`", on_body(detail, "refused"), ()),
    ],
)


# Refusals that no page lists

SPOILED_ID = ("auth.{operation}", "error.{operation}.*", "limits.{operation}.*")
"""What also breaks where malformed IDs and missing keys are refused otherwise."""
MALFORMED = ("INVALID_PARTNER_ID", "INVALID_RUN_ID", "INVALID_REVIEW_ID", "UNAUTHORIZED")
PATH_IDS = tuple(name for name, (_, path) in OPERATIONS.items() if ":event_id" in path or ":partner_id" in path)


def unprocessable(patch: Patch, operation: str) -> None:
    change: Callable[[ApiError], ApiError] = lambda error: Refusal(422, "VALIDATION_ERROR")  # noqa: E731
    operations.refusal(patch, operation, change, MALFORMED[0] if operation in PATH_IDS else MALFORMED[-1])


def stray_code(patch: Patch, operation: str) -> None:
    operations.refusal(patch, operation, lambda error: Refusal(401, "TOKEN_EXPIRED"), "UNAUTHORIZED")


family(
    "codes",
    list(OPERATIONS),
    [
        ("unprocessable", "answers 422 as its framework does", unprocessable, SPOILED_ID),
        ("stray", "refuses an unknown key with a code of its own", stray_code, ("auth.{operation}",)),
    ],
)


def breaks_on(*codes: str) -> Callable[[Patch, str], None]:
    change: Callable[[ApiError], ApiError] = lambda error: Refusal(500, "INTERNAL_ERROR")  # noqa: E731
    return lambda patch, operation: operations.refusal(patch, operation, change, *codes)


def breaks_at_times(patch: Patch, operation: str) -> None:
    served = [0]

    def changed(response: Response, request: Request) -> Response | None:
        served[0] += 1
        if served[0] % 2 or response.body is None:
            return None
        body = {"code": "UNAVAILABLE", "message": "try again", "correlation_id": response.body["correlation_id"]}
        return Response(503, body)

    operations.answer(patch, operation, changed)


family(
    "server_errors",
    list(OPERATIONS),
    [
        ("key", "breaks where the key is missing or unknown", breaks_on("UNAUTHORIZED"), ("auth.{operation}",)),
        ("id", "breaks on an ID that is malformed, and on a missing key", breaks_on(*MALFORMED), SPOILED_ID),
        ("at_times", "breaks on every other request", breaks_at_times, EVERYTHING),
    ],
)


# Internal IDs

KEYS = ("session_id", "attendee_id", "principal_attendee_id", "run_id", "review_id", "partner_id", "event_id", "org_id")
"""What names a row to a client, the narrowest first."""


def internal_id(name: str, wrapped: bool = False) -> Callable[[dict[str, Any], Request], None]:
    def change(body: dict[str, Any], request: Request) -> None:
        for row in body.get("items", [body]):
            named = next((row[key] for key in KEYS if row.get(key)), body.get("attendee_id", "-"))
            value = str(uuid.uuid5(uuid.NAMESPACE_OID, str(named)))
            row[name] = {"uuid": value, "type": "internal"} if wrapped else value

    return change


SHOWN_AGAIN = {
    "createEvent": ("getEvent",),
    "createSession": ("getSession",),
    # The answer to a decision comes once; whom it is about is read again in the history and in the list.
    "resolveReview": ("listAttendeeIdentity",),
    "mergeReview": ("listAttendees",),
}
"""By write: the reads that show what it was about once more."""


def crossing(name: str, wrapped: bool, patch: Patch, operation: str) -> None:
    change = internal_id(name, wrapped)
    for one in (operation, *SHOWN_AGAIN.get(operation, ())):
        if one in ("resolveReview", "mergeReview"):
            on_body(of_the_decided(change), "accepted")(patch, one)
        elif one == "listAttendeeIdentity":
            on_body(of_the_page(change), "accepted")(patch, one)
        else:
            on_body(change, "accepted")(patch, one)


Body = Callable[[dict[str, Any], Request], None]


def of_the_decided(change: Body) -> Body:
    """Give the answer to a decision what a row of its attendee, or of the one that stays, has."""

    def changed(body: dict[str, Any], request: Request) -> None:
        about = {"partner_id": body.get("partner_id") or body["target"]["partner_id"]}
        change(about, request)
        body.update({name: value for name, value in about.items() if name != "partner_id"})

    return changed


def of_the_page(change: Body) -> Body:
    """Give the rows of a page what would be theirs if they were about the page's attendee."""

    def changed(body: dict[str, Any], request: Request) -> None:
        for row in body.get("items", []):
            about = {"attendee_id": body["attendee_id"]}
            change(about, request)
            row.update({name: value for name, value in about.items() if name != "attendee_id"})

    return changed


family(
    "boundary",
    list(OPERATIONS),
    [
        ("id", "shows the row's internal UUID", partial(crossing, "internal_id", False), ("boundary.*",)),
        (
            "nested",
            "shows the row's internal UUID inside a member of its own",
            partial(crossing, "_meta", True),
            ("boundary.*",),
        ),
        (
            "url",
            "shows the row's internal UUID under another name",
            partial(crossing, "resource_urn", False),
            ("boundary.*",),
        ),
    ],
)


# Statuses

REPLAYED = ("importAttendees", "createEnrichmentRun", "createMatchRun", "createRun")
OTHER_STATUS = {200: (201, 202, 203, 206), 201: (200, 202, 203), 202: (200, 201)}


def another_status(status: int, instead: int, patch: Patch, operation: str) -> None:
    change: Callable[[Response], Response] = lambda response: Response(instead, response.body, response.headers)  # noqa: E731
    operations.success(patch, operation, change, status)


for _place, _operation in enumerate(OPERATIONS):
    for _status in {
        operations.success_of(_operation),
        200 if _operation in REPLAYED else operations.success_of(_operation),
    }:
        _others = OTHER_STATUS[202 if _status == 202 else _status]
        _instead = _others[_place % len(_others)]
        fault(
            f"status.{_operation}.{_status}.is_{_instead}",
            f"{_operation} answers {_instead} where {_status} is documented.",
            breaks=[f"status.{_operation}.{_status}"],
            also=[
                *(f"{family}.{_operation}.*" for family in ("status", "schema", "shape")),
                f"idempotency.replay.other_body.{_operation}",
            ],
        )(partial(made_on, partial(another_status, _status, _instead), _operation))


# Members


def places(body: Any, path: str) -> list[tuple[dict[str, Any], str]]:
    """Return the objects that hold a member, with its name: `items[].event.goal` means the `event` of every row."""
    found = [body]
    *steps, last = path.split(".")
    for step in steps:
        name = step.removesuffix("[]")
        found = [one[name] for one in found if isinstance(one, dict) and name in one]
        if step.endswith("[]"):
            found = [row for rows in found for row in rows]
    return [(one, last) for one in found if isinstance(one, dict) and last in one]


def drop_member(path: str, status: int, patch: Patch, operation: str) -> None:
    def change(response: Response) -> Response:
        body = copy.deepcopy(response.body)
        for holder, name in places(body, path):
            del holder[name]
        return Response(response.status, body, response.headers)

    operations.success(patch, operation, change, status)


def set_member(path: str, value: Any, status: int, patch: Patch, operation: str) -> None:
    def change(response: Response) -> Response:
        body = copy.deepcopy(response.body)
        for holder, name in places(body, path):
            holder[name] = value(holder[name]) if callable(value) else value
        return Response(response.status, body, response.headers)

    operations.success(patch, operation, change, status)


def epoch(value: Any) -> int:
    return 1_767_225_600


def as_text(value: Any) -> str:
    return json.dumps(value)


def a_number(value: Any) -> int:
    return 7


def midnight(value: Any) -> Any:
    return value and f"{value}T00:00:00Z"


def end_marker(value: Any) -> Any:
    return value or ""


SCHEMAS: dict[str, tuple[str, tuple[str, Any]]] = {
    "getAuth.200": ("service_account_user_id", ("scopes", " ".join)),
    "getIdMapping.200": ("kind", ("mapped", "true")),
    "createEvent.201": ("created_at", ("updated_at", epoch)),
    "listEvents.200": ("items[].event_details", ("items[].updated_at", epoch)),
    "getEvent.200": ("welcome_instructions", ("updated_at", epoch)),
    "updateEventContext.200": ("event_id", ("context", as_text)),
    "getEventContext.200": ("event_id", ("context", as_text)),
    "createSession.201": ("event_id", ("session_id", a_number)),
    "listSessions.200": ("next_cursor", ("items[].session_id", a_number)),
    "getSession.200": ("event_id", ("session_id", a_number)),
    "listAttendees.200": ("items[].event.goal", ("items[].identity.open_review_count", str)),
    "importAttendees.202": ("snapshot_metadata", ("progress", as_text)),
    "importAttendees.200": ("version_metadata", ("created_at", epoch)),
    "listAttendeeIdentity.200": ("attendee_id", ("event_id", a_number)),
    "createEnrichmentRun.202": ("error", ("updated_at", epoch)),
    "createEnrichmentRun.200": ("started_at", ("snapshot_metadata", as_text)),
    "createMatchRun.202": ("terminal_at", ("version_metadata", None)),
    "createMatchRun.200": ("idempotency_key", ("webhook_url", a_number)),
    "listAttendeeMatches.200": ("attendee_id", ("run_id", a_number)),
    "listEventMatches.200": ("event_id", ("run_id", a_number)),
    "getMatch.200": ("sub_scores.value_alignment", ("computed_at", epoch)),
    "createRun.201": ("event_id", ("snapshot_metadata", as_text)),
    "createRun.200": ("progress", ("version_metadata", as_text)),
    "listRuns.200": ("items[].run_id", ("items", lambda rows: {"rows": rows})),
    "getRun.200": ("webhook_url", ("created_at", epoch)),
    "listEventReviews.200": ("next_cursor", ("next_cursor", False)),
    "listReviews.200": ("next_cursor", ("items", lambda rows: dict(enumerate(rows)))),
    "resolveReview.200": ("minted", ("logged", "true")),
    "mergeReview.200": ("deleted_computations", ("merged", 1)),
}
"""Answer to a documented member that goes missing, and to one that gets a value of another type."""

SHAPES: dict[str, tuple[str, Any]] = {
    "getAuth.200": ("principal_type", "ServiceAccount"),
    "listEvents.200": ("items[].start_date", midnight),
    "createEvent.201": ("end_date", midnight),
    "getEvent.200": ("start_date", midnight),
    "getEventContext.200": ("context.objectives", drop),
    "updateEventContext.200": ("context.objectives", drop),
    "listSessions.200": ("items[].title", drop),
    "createSession.201": ("created_at", epoch),
    "getSession.200": ("updated_at", epoch),
    "listAttendees.200": ("next_cursor", end_marker),
    "importAttendees.202": ("idempotent_replay", "false"),
    "importAttendees.200": ("idempotent_replay", "true"),
    "listAttendeeIdentity.200": ("next_cursor", end_marker),
    "createEnrichmentRun.202": ("idempotent_replay", drop),
    "createEnrichmentRun.200": ("idempotent_replay", drop),
    "createMatchRun.202": ("idempotent_replay", True),
    "createMatchRun.200": ("idempotent_replay", False),
    "listAttendeeMatches.200": ("items[].sub_scores", drop),
    "listEventMatches.200": ("items[].match_id", drop),
    "getMatch.200": ("final_score", lambda score: round(score * 100, 2)),
    "listRuns.200": ("items[].started_at", drop),
    "createRun.201": ("idempotent_replay", drop),
    "createRun.200": ("idempotent_replay", drop),
    "listEventReviews.200": ("items[].review_id", drop),
    "listReviews.200": ("next_cursor", end_marker),
    "mergeReview.200": ("source", as_text),
}
"""Answer to a member whose shape the pages suggest, and what is there instead; `drop` takes it away."""

OF_RUNS = {
    "listAttendeeMatches.200": ("matching.*", "lists.attendee_matches.run_filter"),
    "listEventMatches.200": ("matching.*", "lists.event_matches.run_filter"),
}
"""What also breaks where a page of matches does not name its run."""

for _answer, (_missing, (_path, _value)) in SCHEMAS.items():
    _operation, _status = _answer.split(".")[0], int(_answer.split(".")[1])
    fault(
        f"schema.{_answer}.without_{_missing}",
        f"The {_status} of {_operation} has no `{_missing}`.",
        breaks=[f"schema.{_answer}"],
        also=[f"shape.{_answer}"],
    )(partial(made_on, partial(drop_member, _missing, _status), _operation))
    fault(
        f"schema.{_answer}.type_of_{_path}",
        f"The {_status} of {_operation} has a `{_path}` of another type.",
        breaks=[f"schema.{_answer}"],
        also=[f"shape.{_answer}", *OF_RUNS.get(_answer, ())],
    )(partial(made_on, partial(set_member, _path, _value, _status), _operation))
for _answer, (_path, _value) in SHAPES.items():
    _operation, _status = _answer.split(".")[0], int(_answer.split(".")[1])
    fault(
        f"shape.{_answer}.{_path}",
        f"The {_status} of {_operation} has {'no' if _value is drop else 'an odd'} `{_path}`.",
        breaks=[f"shape.{_answer}"],
        also=[f"schema.{_answer}"],
    )(
        partial(
            made_on,
            partial(drop_member, _path, _status) if _value is drop else partial(set_member, _path, _value, _status),
            _operation,
        )
    )


@fault(
    "shape.getRun.200.replay",
    "A run that is polled has the text `no` as idempotent_replay.",
    breaks=["shape.getRun.200"],
)
def _(patch: Patch) -> None:
    on_body(put("idempotent_replay", "no"), "accepted")(patch, "getRun")
