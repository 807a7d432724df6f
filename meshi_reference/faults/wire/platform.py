"""What the whole API promises: correlation IDs, unknown paths, wrong methods, the rate limit, the legacy base."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from ... import app
from ...access import auth
from ...access.auth import Principal
from ...access.rate_limit import Limiter
from ...errors import ApiError
from ...patching import operations
from ...patching.operations import Dispatch, Handler, Refusal, operation_of
from ...patching.patch import Patch
from ...resources import events, importing, runs
from ...resources.runs import NewRun
from ...rules import validation
from ...services import Call, Services
from ...settings import RateLimit, Settings
from ...wire import http
from ...wire.http import Request, Response
from ..data.events import stored
from ..registry import fault

Respond = Callable[[Request, Services], Any]
ALSO = ("correlation.*", "routes.*.correlation", "platform.legacy_alias.correlation", "envelope.*", "rate_limit.*")


# Correlation IDs


def responding(patch: Patch, change: Callable[[Response, Request], None]) -> None:
    """Change every answer; a new ID for the request changes header and body."""

    def make(inner: Respond) -> Respond:
        async def respond(request: Request, services: Services) -> Response:
            response: Response = await inner(request, services)
            change(response, request)
            return response

        return respond

    patch.wrap(app, "respond", make)


def renamed(response: Response, request: Request) -> None:
    """Answer with a correlation ID of the server's in place of the client's."""
    request.correlation_id = http.new_correlation_id()
    if response.body is not None:
        response.body = http.with_correlation(response.body, request.correlation_id)


CLASSES: dict[str, tuple[int, ...]] = {
    "success": (200, 201, 202),
    "bad_request": (400,),
    "unauthorized": (401,),
    "forbidden": (403,),
    "not_found": (404,),
    "conflict": (409,),
}
for _name, _statuses in CLASSES.items():

    def _own_id(patch: Patch, statuses: tuple[int, ...] = _statuses) -> None:
        def change(response: Response, request: Request) -> None:
            if response.status in statuses:
                renamed(response, request)

        responding(patch, change)

    fault(
        f"correlation.echo.{_name}.replaced",
        f"An answer with status {' or '.join(map(str, _statuses))} carries an ID of the server's own.",
        breaks=[f"correlation.echo.{_name}"],
        also=ALSO,
    )(_own_id)

    def _lower_body(patch: Patch, statuses: tuple[int, ...] = _statuses) -> None:
        def change(response: Response, request: Request) -> None:
            if response.status in statuses and response.body is not None:
                response.body["correlation_id"] = http.new_correlation_id()

        responding(patch, change)

    fault(
        f"correlation.echo.{_name}.body",
        f"An answer with status {' or '.join(map(str, _statuses))} carries another ID in the body.",
        breaks=[f"correlation.echo.{_name}"],
        also=ALSO,
    )(_lower_body)


@fault(
    "correlation.echo.concurrent.shared",
    "The ID of a request is kept where simultaneous requests overwrite it.",
    breaks=["correlation.echo.concurrent"],
    also=["correlation.*", "routes.*", "platform.*"],
)
def _(patch: Patch) -> None:
    latest: dict[str, str] = {}

    def make(inner: Respond) -> Respond:
        async def respond(request: Request, services: Services) -> Response:
            latest["id"] = request.correlation_id
            await asyncio.sleep(0.005)
            response: Response = await inner(request, services)
            request.correlation_id = latest["id"]
            if response.body is not None:
                response.body = http.with_correlation(response.body, request.correlation_id)
            return response

        return respond

    patch.wrap(app, "respond", make)


for _name, _sentence, _form in (
    ("lower", "in lower case", str.lower),
    ("upper", "in capitals", str.upper),
    ("cut", "cut to the length of a UUID", lambda sent: sent[:36]),
    ("spaces", "with its underscores as hyphens", lambda sent: sent.replace("_", "-")),
    ("stripped", "without hyphens at its ends", lambda sent: sent.strip("-")),
    ("number", "as the number that it reads as", lambda sent: str(int(sent)) if sent.isdigit() else sent),
):

    def _reformed(patch: Patch, form: Callable[[str], str] = _form) -> None:
        def wrap(inner: Callable[[str | None], str]) -> Callable[[str | None], str]:
            return lambda sent: form(inner(sent)) if sent else inner(sent)

        patch.wrap(http, "effective_correlation_id", wrap)

    fault(
        f"correlation.echo.forms.{_name}",
        f"The client's correlation ID comes back {_sentence}.",
        breaks=["correlation.echo.forms"],
        also=ALSO,
    )(_reformed)


def making(make_id: Callable[[], str]) -> Callable[[Patch], None]:
    """Make an ID in another way where the client sent none."""
    return lambda patch: patch(http, "new_correlation_id", make_id)


fault(
    "correlation.made.none",
    "Where the client sends no ID the header is empty.",
    breaks=["correlation.made"],
    also=[*ALSO, "schema.*"],
)(making(lambda: ""))
fault(
    "correlation.unique.constant",
    "Where the client sends no ID it is always the same.",
    breaks=["correlation.unique"],
)(making(lambda: "cor_none"))


@fault(
    "correlation.made.twice",
    "Where the client sends no ID header and body get one each.",
    breaks=["correlation.made"],
    also=ALSO,
)
def _(patch: Patch) -> None:
    def change(response: Response, request: Request) -> None:
        if http.CORRELATION_HEADER not in request.headers and response.body is not None:
            response.body["correlation_id"] = http.new_correlation_id()

    responding(patch, change)


@fault(
    "correlation.odd.escaped",
    "An unusual ID is cleaned for the header and echoed as it came in the body.",
    breaks=["correlation.odd"],
    also=["correlation.getAuth"],
)
def _(patch: Patch) -> None:
    def change(response: Response, request: Request) -> None:
        sent = request.headers.get(http.CORRELATION_HEADER, "")
        if sent and response.body is not None and not http.is_usable_correlation_id(sent):
            response.body["correlation_id"] = sent

    responding(patch, change)


@fault(
    "correlation.odd.cut",
    "The header carries the first 128 characters of an ID, the body the first 255.",
    breaks=["correlation.odd"],
    also=["correlation.getAuth"],
)
def _(patch: Patch) -> None:
    def effective(sent: str | None) -> str:
        return sent[:128] if sent else http.new_correlation_id()

    def change(response: Response, request: Request) -> None:
        sent = request.headers.get(http.CORRELATION_HEADER, "")
        if sent and response.body is not None:
            response.body["correlation_id"] = sent[:255]

    patch(http, "effective_correlation_id", effective)
    responding(patch, change)


@fault(
    "correlation.odd.quoted",
    "An ID with quotes is refused as a header's value and echoed in the body.",
    breaks=["correlation.odd"],
    also=["correlation.getAuth"],
)
def _(patch: Patch) -> None:
    def change(response: Response, request: Request) -> None:
        sent = request.headers.get(http.CORRELATION_HEADER, "")
        if '"' in sent and response.body is not None:
            request.correlation_id = http.new_correlation_id()
            response.body["correlation_id"] = sent

    responding(patch, change)


# Unknown paths and wrong methods


def refusing(codes: tuple[str, ...], change: Callable[[Response, Request], None]) -> Callable[[Patch], None]:
    """Change the refusals with one of these codes of the server's own."""

    def only(response: Response, request: Request) -> None:
        if response.body is not None and response.body.get("code") in codes:
            change(response, request)

    return lambda patch: responding(patch, only)


def framework_page(response: Response, request: Request) -> None:
    response.body = {"detail": "Not Found", "correlation_id": request.correlation_id}


def nested(response: Response, request: Request) -> None:
    assert response.body is not None
    response.body = {"error": response.body, "correlation_id": request.correlation_id}


def no_id(response: Response, request: Request) -> None:
    assert response.body is not None
    del response.body["correlation_id"]


def status(number: int) -> Callable[[Response, Request], None]:
    def change(response: Response, request: Request) -> None:
        response.status = number

    return change


def accepted(response: Response, request: Request) -> None:
    response.status, response.body = 200, http.with_correlation({}, request.correlation_id)


for _family, _code, _what in (
    ("unknown", "NOT_FOUND", "An unknown path"),
    ("method", "METHOD_NOT_ALLOWED", "A wrong method"),
):
    _last = "not_found" if _family == "unknown" else "not_offered"
    for _aspect, _suffix, _sentence, _change in (
        ("envelope", "framework", "is refused with the framework's own page", framework_page),
        ("envelope", "nested", "is refused with an envelope inside of another object", nested),
        ("correlation", "no_body", "is refused without a correlation ID in the body", no_id),
        ("correlation", "replaced", "is refused with a correlation ID of the server's own", renamed),
        (_last, "status_400", "is refused with 400", status(400)),
        (_last, "status_501", "is refused with 501", status(501)),
        (_last, "accepted", "is answered with 200", accepted),
    ):
        fault(
            f"routes.{_family}.{_aspect}.{_suffix}",
            f"{_what} {_sentence}.",
            breaks=[f"routes.{_family}.{_aspect}"],
            also=[f"routes.{_family}.*", "routes.variant.*", "limits.ids.path_like"],
        )(refusing((_code,), _change))


# Paths that are nearly documented ones


def below(request: Request) -> str:
    """Return the path below the base, without the query."""
    return next((request.raw_path[len(base) :] for base in app.BASES if request.raw_path.startswith(base + "/")), "")


def redirected(response: Response, request: Request) -> None:
    """Answer a slash at the end as a framework does: the other path, and no body."""
    response.status, response.body, response.headers["location"] = 307, None, request.raw_path.rstrip("/")


def refused_without_body(response: Response, request: Request) -> None:
    response.status, response.body = 404, None


NEARLY: dict[str, tuple[str, Callable[[str], bool]]] = {
    "slash": ("A path with a slash at its end", lambda path: path.endswith("/")),
    "doubled": ("A path with a doubled slash", lambda path: "//" in path),
    "upper": ("A path in upper case", lambda path: path.split("/")[1].isupper()),
    "deeper": ("An unknown sub-resource", lambda path: path.endswith("/conf-nothing/conf-deeper/conf-deepest")),
}
for _kind, (_what, _is_meant) in NEARLY.items():
    for _aspect, _suffix, _sentence, _change in (
        ("envelope", "redirected", "is redirected without a body", redirected),
        ("envelope", "empty", "is refused without a body", refused_without_body),
        ("correlation", "replaced", "is refused with a correlation ID of the server's own", renamed),
    ):

        def _spelt(
            patch: Patch,
            is_meant: Callable[[str], bool] = _is_meant,
            change: Callable[[Response, Request], None] = _change,
        ) -> None:
            def only(response: Response, request: Request) -> None:
                if response.status >= 400 and is_meant(below(request)):
                    change(response, request)

            responding(patch, only)

        fault(
            f"routes.variant.{_kind}.{_suffix}",
            f"{_what} {_sentence}.",
            breaks=[f"routes.variant.{_aspect}"],
            also=["routes.*", "limits.ids.path_like"],
        )(_spelt)

for _method in ("HEAD", "OPTIONS"):
    for _suffix, _sentence, _error in (
        ("forbidden", "is refused with 403", Refusal(403, "INSUFFICIENT_SCOPE")),
        ("unauthorized", "is refused with 401", Refusal(401, "UNAUTHORIZED")),
    ):

        def _refuse_method(patch: Patch, method: str = _method, error: ApiError = _error) -> None:
            def make(inner: Callable[[Principal, str], None]) -> Any:
                def check_scope(principal: Principal, asked: str) -> None:
                    if asked == method and auth.WRITE not in principal.scopes:
                        raise error
                    inner(principal, asked)

                return check_scope

            patch.wrap(auth, "check_scope", make)

        fault(
            f"routes.{_method.lower()}.read_key.{_suffix}",
            f"{_method} with a key that may only read {_sentence}.",
            breaks=[f"routes.{_method.lower()}.read_key"],
        )(_refuse_method)


# Rate limit


def over_limit(change: Callable[[ApiError], ApiError]) -> Callable[[Patch], None]:
    """Change the refusal of a request past the window."""

    def apply(patch: Patch) -> None:
        def make(inner: Callable[[Principal, Limiter, Settings], None]) -> Any:
            def check_rate(principal: Principal, limiter: Limiter, settings: Settings) -> None:
                try:
                    inner(principal, limiter, settings)
                except ApiError as error:
                    raise change(error) from None

            return check_rate

        patch.wrap(auth, "check_rate", make)

    return apply


def with_wait(value: str | None) -> Callable[[ApiError], ApiError]:
    def change(error: ApiError) -> ApiError:
        return ApiError(error.code, error.message, {} if value is None else {"retry-after": value})

    return change


def with_code(code: str) -> Callable[[ApiError], ApiError]:
    def change(error: ApiError) -> ApiError:
        changed = Refusal(429, code)
        changed.headers = error.headers
        return changed

    return change


LIMITED = ("rate_limit.*", "codes.*", "envelope.*", "schema.*")
for _aspect, _suffix, _sentence, _change_error in (
    ("code", "sibling", "is refused with RATE_LIMITED", with_code("RATE_LIMITED")),
    ("code", "too_many", "is refused with TOO_MANY_REQUESTS", with_code("TOO_MANY_REQUESTS")),
    ("retry_after", "missing", "is refused without Retry-After", with_wait(None)),
    ("retry_after", "fraction", "is refused with a Retry-After of half a second", with_wait("0.5")),
    ("retry_after", "unit", "is refused with a Retry-After of `1s`", with_wait("1s")),
    ("retry_after", "empty", "is refused with an empty Retry-After", with_wait("")),
):
    fault(
        f"rate_limit.{_aspect}.{_suffix}",
        f"A request past the window {_sentence}.",
        breaks=[f"rate_limit.{_aspect}"],
        also=LIMITED,
        sees=["rate_limit"],
    )(over_limit(_change_error))


@fault(
    "rate_limit.retry_after.reads_alone",
    "A write past the window is refused without Retry-After.",
    breaks=["rate_limit.retry_after"],
    also=LIMITED,
    sees=["rate_limit"],
)
def _(patch: Patch) -> None:
    def change(response: Response, request: Request) -> None:
        if response.status == 429 and request.method != "GET":
            response.headers = {name: value for name, value in response.headers.items() if name != "retry-after"}

    responding(patch, change)


@fault(
    "rate_limit.lifts.never",
    "A key that once met the limit is refused for a minute, and told to wait a second.",
    breaks=["rate_limit.lifts"],
    also=LIMITED,
    sees=["rate_limit"],
)
def _(patch: Patch) -> None:
    blocked: dict[str, float] = {}

    def make(inner: Callable[[Limiter, str, RateLimit, float], float | None]) -> Any:
        def admit(limiter: Limiter, key_id: str, limit: RateLimit, now: float) -> float | None:
            if now < blocked.get(key_id, 0):
                return 1.0
            wait = inner(limiter, key_id, limit, now)
            if wait is not None:
                blocked[key_id] = now + 60
            return wait

        return admit

    patch.wrap(Limiter, "admit", make)


@fault(
    "rate_limit.lifts.short",
    "The window is a minute, and Retry-After always says one second.",
    breaks=["rate_limit.lifts"],
    also=LIMITED,
    sees=["rate_limit"],
    settings={"probe_rate_limit": RateLimit(20, 60.0)},
)
def _(patch: Patch) -> None:
    patch(auth, "retry_after", lambda seconds: "1")


# The legacy base

LEGACY = app.BASES[1]
CURRENT = app.BASES[0]


def is_legacy(request: Request) -> bool:
    return request.raw_path.startswith(LEGACY + "/")


def under_legacy(make: Callable[[Dispatch], Dispatch]) -> Callable[[Patch], None]:
    """Answer the requests under the legacy base in another way."""

    def wrap(inner: Dispatch) -> Dispatch:
        changed = make(inner)

        async def dispatch(request: Request, services: Services) -> Response:
            return await (changed if is_legacy(request) else inner)(request, services)

        return dispatch

    return lambda patch: patch.wrap(app, "dispatch", wrap)


def gone(inner: Dispatch) -> Dispatch:
    async def dispatch(request: Request, services: Services) -> Response:
        raise Refusal(410, "GONE")

    return dispatch


def moved(inner: Dispatch) -> Dispatch:
    async def dispatch(request: Request, services: Services) -> Response:
        raise ApiError("NOT_FOUND", "the API has moved", {"location": CURRENT})

    return dispatch


def only_for(operation: str, refused: ApiError) -> Callable[[Dispatch], Dispatch]:
    def make(inner: Dispatch) -> Dispatch:
        async def dispatch(request: Request, services: Services) -> Response:
            if operation_of(request) == operation:
                raise refused
            return await inner(request, services)

        return dispatch

    return make


def without_keys(inner: Dispatch) -> Dispatch:
    """Let a caller without a key in."""

    async def dispatch(request: Request, services: Services) -> Response:
        try:
            return await inner(request, services)
        except ApiError as error:
            if error.code != "UNAUTHORIZED":
                raise
            return Response(200, http.with_correlation({"event_id": "anybody"}, request.correlation_id))

    return dispatch


def other_id(inner: Dispatch) -> Dispatch:
    """Ignore the client's correlation ID."""

    async def dispatch(request: Request, services: Services) -> Response:
        request.correlation_id = http.new_correlation_id()
        return await inner(request, services)

    return dispatch


def not_written(inner: Dispatch) -> Dispatch:
    """Keep what is created under the legacy base apart from the rest."""

    async def dispatch(request: Request, services: Services) -> Response:
        answer = await inner(request, services)
        if operation_of(request) == "createEvent" and answer.body is not None:
            services.storage.execute("DELETE FROM events WHERE event_id = ?", (answer.body["event_id"],))
        return answer

    return dispatch


for _aspect, _suffix, _sentence, _make_legacy in (
    ("served", "gone", "is switched off", gone),
    ("served", "moved", "says where the API is now", moved),
    ("served", "auth", "does not serve /auth", only_for("getAuth", ApiError("NOT_FOUND", "nothing here"))),
    ("operations", "import", "has no imports", only_for("importAttendees", ApiError("NOT_FOUND", "nothing here"))),
    ("operations", "runs", "lists no runs", only_for("listRuns", ApiError("NOT_FOUND", "nothing here"))),
    ("reads", "not_found", "finds no events", only_for("getEvent", ApiError("EVENT_NOT_FOUND", "no such event"))),
    ("writes", "read_only", "takes no writes", only_for("createEvent", Refusal(405, "METHOD_NOT_ALLOWED"))),
    ("writes", "apart", "keeps what is written to it apart", not_written),
    ("keys", "anybody", "serves anybody", without_keys),
    ("correlation", "own", "answers with correlation IDs of its own", other_id),
):
    fault(
        f"platform.legacy_alias.{_aspect}.{_suffix}",
        f"The legacy base {_sentence}.",
        breaks=[f"platform.legacy_alias.{_aspect}"],
        also=["platform.legacy_alias.*", "correlation.*"],
    )(under_legacy(_make_legacy))


@fault(
    "platform.legacy_alias.replay.apart",
    "The legacy base keeps idempotency keys of its own.",
    breaks=["platform.legacy_alias.replay"],
    also=["platform.legacy_alias.*"],
)
def _(patch: Patch) -> None:
    legacy: ContextVar[bool] = ContextVar("legacy", default=False)

    def make(inner: Dispatch) -> Dispatch:
        async def dispatch(request: Request, services: Services) -> Response:
            legacy.set(True)
            return await inner(request, services)

        return dispatch

    def wrap(inner: Callable[[Services, NewRun], Any]) -> Any:
        def accept_run(services: Services, new: NewRun) -> Any:
            own = replace(new, idempotency_key=f"legacy:{new.idempotency_key}") if legacy.get() else new
            return inner(services, own)

        return accept_run

    under_legacy(make)(patch)
    patch.wrap(runs, "accept_run", wrap)


# Bounds that hold for several operations


@fault(
    "limits.idempotency_key.unbounded",
    "An idempotency key may be of any length.",
    breaks=["limits.idempotency_key.too_long"],
    settings={"idempotency_key_max": 10**9},
)
def _(patch: Patch) -> None:
    """Change nothing here: the setting is the fault."""


@fault(
    "limits.idempotency_key.cut",
    "A long idempotency key is cut to 255 characters.",
    breaks=["limits.idempotency_key.too_long"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[object, Settings], str]) -> Any:
        return lambda value, settings: inner(value[:255] if isinstance(value, str) else value, settings)

    patch.wrap(validation, "check_idempotency_key", make)


def cutting_keys(operation: str) -> Callable[[Patch], None]:
    """Cut long idempotency keys while one operation is answered."""

    def make(inner: Callable[[object, Settings], str]) -> Any:
        return lambda value, settings: inner(value[:200] if isinstance(value, str) else value, settings)

    return lambda patch: operations.while_answering(patch, operation, validation, "check_idempotency_key", make)


for _operation in ("importAttendees", "createEnrichmentRun", "createMatchRun", "createRun"):
    fault(
        f"limits.idempotency_key.cut.{_operation}",
        f"{_operation} cuts a long idempotency key to 200 characters.",
        breaks=["limits.idempotency_key.too_long"],
        also=[f"limits.{_operation}.*", f"error.{_operation}.*"],
    )(cutting_keys(_operation))


def checking_rows(patch: Patch, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    def make(inner: Callable[[object, Settings], dict[str, Any]]) -> Any:
        return lambda row, settings: inner(change(row) if isinstance(row, dict) else row, settings)

    patch.wrap(validation, "check_attendee", make)


@fault(
    "limits.attendee_id.made_up",
    "A row without `attendee_id` gets an ID from its name.",
    breaks=["limits.attendee_id.missing"],
    also=["generated.*", "error.importAttendees.*", "limits.importAttendees.*"],
)
def _(patch: Patch) -> None:
    def with_id(row: dict[str, Any]) -> dict[str, Any]:
        return {"attendee_id": re.sub(r"\W+", "-", str(row.get("name"))), **row}

    checking_rows(patch, with_id)


@fault(
    "limits.attendee_id.name_code",
    "A row without `attendee_id` is refused with INVALID_ATTENDEE_NAME.",
    breaks=["limits.attendee_id.missing"],
    also=["generated.*"],
)
def _(patch: Patch) -> None:
    def refuse(row: dict[str, Any]) -> dict[str, Any]:
        if "attendee_id" not in row:
            raise ApiError("INVALID_ATTENDEE_NAME", "a row needs an ID and a name")
        return row

    checking_rows(patch, refuse)


def stripping(operation: str) -> Callable[[Patch], None]:
    """Ignore blanks and line breaks at the end of an ID while one operation is answered."""

    def make(inner: Callable[[object, str], str]) -> Any:
        def check(value: object, field: str = "partner_id") -> str:
            return inner(value.rstrip("\n") if isinstance(value, str) else value, field)

        return check

    return lambda patch: operations.while_answering(patch, operation, validation, "check_partner_id", make)


@fault(
    "limits.ids.blanks.trimmed",
    "Blanks around an ID are taken away before it is looked at.",
    breaks=["limits.ids.blanks"],
    also=["limits.*", "error.*.INVALID_PARTNER_ID"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[object, str], str]) -> Any:
        return lambda value, field="partner_id": inner(value.strip(" ") if isinstance(value, str) else value, field)

    patch.wrap(validation, "check_partner_id", make)


@fault(
    "limits.ids.path_like.twice",
    "A path is decoded twice.",
    breaks=["limits.ids.path_like"],
    also=["limits.*", "error.*"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[str, tuple[str, ...]], list[str] | None]) -> Any:
        def split_path(raw_path: str, bases: tuple[str, ...]) -> list[str] | None:
            found = inner(raw_path, bases)
            return None if found is None else [unquote(segment) for segment in found]

        return split_path

    patch.wrap(http, "split_path", make)


@fault(
    "limits.json.constants.accepted",
    "A body may hold NaN and Infinity.",
    breaks=["limits.json.constants"],
    also=["error.*.INVALID_JSON"],
)
def _(patch: Patch) -> None:
    patch(http, "_refuse_constant", lambda text: 0.0)


@fault(
    "limits.json.empty.object",
    "An empty body is an empty object.",
    breaks=["limits.json.empty"],
    also=["error.*.INVALID_JSON"],
)
def _(patch: Patch) -> None:
    patch.wrap(http, "parse_object", lambda inner: lambda body, settings: inner(body or b"{}", settings))


for _operation in ("createEvent", "createSession", "importAttendees", "getEvent"):
    fault(
        f"limits.ids.line_break.{_operation}",
        f"{_operation} matches IDs with `$`, which lets a line break pass at their end.",
        breaks=["limits.ids.line_break"],
        also=[f"limits.{_operation}.*"],
    )(stripping(_operation))


@fault(
    "limits.ids.path_like.broken",
    "A percent sign, a blank or a separator inside an ID breaks the server.",
    breaks=["limits.ids.path_like"],
    also=["server_errors.*", "codes.*", "error.*", "limits.*"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[object, str], str]) -> Any:
        def check(value: object, field: str = "partner_id") -> str:
            if isinstance(value, str) and value[:1] in ("%", " ", "."):
                raise LookupError(value)
            return inner(value, field)

        return check

    patch.wrap(validation, "check_partner_id", make)


@fault(
    "limits.ids.path_like.page",
    "A path that cannot be decoded is refused by the framework, with a page of its own.",
    breaks=["limits.ids.path_like"],
    also=["envelope.*", "schema.*"],
)
def _(patch: Patch) -> None:
    def change(response: Response, request: Request) -> None:
        if re.search(r"%2F|%5C|%25", request.raw_path):
            response.status, response.body = 400, {"detail": "Bad Request", "correlation_id": request.correlation_id}

    responding(patch, change)


def breaking(text: str) -> Callable[[Patch], None]:
    """Break the server on a path with some text."""

    def change(response: Response, request: Request) -> None:
        if text in request.raw_path:
            body = {"error": "an unexpected error", "code": "INTERNAL_ERROR", "correlation_id": request.correlation_id}
            response.status, response.body = 500, body

    return lambda patch: responding(patch, change)


for _text in ("%2F", "%5C", "%3F", "%23", "%25", "%20", "%2E%2E"):
    fault(
        f"limits.ids.path_like.{_text.replace('%', '').lower()}",
        f"An ID with {_text} in it breaks the server.",
        breaks=["limits.ids.path_like"],
        also=["server_errors.*", "codes.*", "error.*", "limits.*", "schema.*", "status.*"],
    )(breaking(_text))


for _field, _kept in (("title", 199), ("title", 100), ("description", 255), ("description", 3999)):

    def _cut(patch: Patch, field: str = _field, kept: int = _kept) -> None:
        stored(patch, field, lambda value: value[:kept] if isinstance(value, str) else value)

    fault(
        f"limits.text.kept_whole.event.{_field}.{_kept}",
        f"createEvent keeps the first {_kept} characters of `{_field}`.",
        breaks=["limits.text.kept_whole"],
        also=["generated.*", "limits.createEvent.*"],
    )(_cut)


@fault(
    "limits.text.kept_whole.context",
    "updateEventContext keeps the first 2000 characters of each field.",
    breaks=["limits.text.kept_whole"],
    also=["generated.*"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[..., Any]) -> Any:
        return lambda services, event, given: inner(
            services, event, {field: value[:2000] for field, value in given.items()}
        )

    patch.wrap(events, "store_context", make)


@fault(
    "limits.text.kept_whole.attendee",
    "An import keeps the first 255 bytes of each text.",
    breaks=["limits.text.kept_whole"],
    also=["generated.*"],
)
def _(patch: Patch) -> None:
    def cut(value: Any) -> Any:
        return value.encode()[:255].decode(errors="ignore") if isinstance(value, str) else value

    def make(inner: Callable[..., Any]) -> Any:
        return lambda services, run, rows: inner(
            services, run, [{name: cut(value) for name, value in row.items()} for row in rows]
        )

    patch.wrap(importing, "apply_rows", make)


for _suffix, _sentence, _cap, _breaks in (
    ("over", "50,001 rows", 50_001, "too_many"),
    ("none", "any number of rows", 10**9, "too_many"),
    ("under", "49,999 rows", 49_999, "most"),
):

    def _by_setting(patch: Patch) -> None:
        """Change nothing here: the setting is the fault."""

    fault(
        f"limits.import_rows.{_breaks}.{_suffix}",
        f"An import takes {_sentence}.",
        breaks=[f"limits.import_rows.{_breaks}"],
        also=["limits.import_rows.*", "limits.importAttendees.attendees"],
        sees=["large"],
        settings={"attendee_cap": _cap},
    )(_by_setting)


@fault(
    "limits.import_rows.too_many.code",
    "An import of more than 50,000 rows is refused with INVALID_ATTENDEE.",
    breaks=["limits.import_rows.too_many"],
    sees=["large"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[object, Settings], list[Any]]) -> Any:
        def check_attendees(value: object, settings: Settings) -> list[Any]:
            if isinstance(value, list) and len(value) > settings.attendee_cap:
                raise ApiError("INVALID_ATTENDEE", "too many rows")
            return inner(value, settings)

        return check_attendees

    patch.wrap(validation, "check_attendees", make)


@fault(
    "limits.import_rows.most.lost",
    "An import of more than 10,000 rows loses the last of them.",
    breaks=["limits.import_rows.most"],
    sees=["large"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[..., Any]) -> Any:
        def apply_rows(services: Services, run: Any, rows: list[Any]) -> Any:
            count = services.storage.scalar("SELECT count(*) FROM attendees WHERE event_seq = ?", (run["event_seq"],))
            return inner(services, run, rows[:-1] if count > 49_000 else rows)

        return apply_rows

    patch.wrap(importing, "apply_rows", make)


WINDOW_ROWS = 10_000


def beyond_the_window(patch: Patch, change: Callable[[Response], None]) -> None:
    """Change the attendee list once a walk has shown this many rows."""
    shown: dict[str, int] = {}

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            answer = await inner(call)
            if answer.body is not None:
                rows = shown.get(call.request.query.get("cursor", ""), 0) + len(answer.body["items"])
                if rows >= WINDOW_ROWS:
                    change(answer)
                elif answer.body["next_cursor"]:
                    shown[answer.body["next_cursor"]] = rows
            return answer

        return handler

    operations.handle(patch, "listAttendees", make)


@fault(
    "limits.import_rows.most.window",
    "The attendee list refuses to go on after 10,000 rows.",
    breaks=["limits.import_rows.most"],
    sees=["large"],
)
def _(patch: Patch) -> None:
    def refuse(answer: Response) -> None:
        raise ApiError("INVALID_CURSOR", "the window ends here")

    beyond_the_window(patch, refuse)


@fault(
    "limits.import_rows.most.end",
    "The attendee list ends after 10,000 rows as if they were all.",
    breaks=["limits.import_rows.most"],
    sees=["large"],
)
def _(patch: Patch) -> None:
    def end(answer: Response) -> None:
        if answer.body is not None:
            answer.body["next_cursor"] = None

    beyond_the_window(patch, end)
