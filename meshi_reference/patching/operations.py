"""Places at which a fault can reach one operation and leave the others alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from .. import app
from ..app import Route
from ..errors import ApiError
from ..services import Call, Services
from ..wire import http
from ..wire.http import Message, Request, Response, Send
from .patch import Patch

OPERATIONS: dict[str, tuple[str, str]] = {
    "getAuth": ("GET", "/auth"),
    "getIdMapping": ("GET", "/id-map/:kind/:partner_id"),
    "createEvent": ("POST", "/events"),
    "listEvents": ("GET", "/events"),
    "getEvent": ("GET", "/events/:event_id"),
    "updateEventContext": ("POST", "/events/:event_id/context"),
    "getEventContext": ("GET", "/events/:event_id/context"),
    "createSession": ("POST", "/events/:event_id/sessions"),
    "listSessions": ("GET", "/events/:event_id/sessions"),
    "getSession": ("GET", "/events/:event_id/sessions/:session_id"),
    "listAttendees": ("GET", "/events/:event_id/attendees"),
    "importAttendees": ("PUT", "/events/:event_id/attendees:import"),
    "listAttendeeIdentity": ("GET", "/events/:event_id/attendees/:attendee_id/identity"),
    "createEnrichmentRun": ("POST", "/events/:event_id/enrichment-runs"),
    "createMatchRun": ("POST", "/events/:event_id/match-runs"),
    "listAttendeeMatches": ("GET", "/events/:event_id/attendees/:attendee_id/matches"),
    "listEventMatches": ("GET", "/events/:event_id/matches"),
    "getMatch": ("GET", "/events/:event_id/matches/:principal_partner_id/:target_partner_id"),
    "createRun": ("POST", "/runs"),
    "listRuns": ("GET", "/runs"),
    "getRun": ("GET", "/runs/:run_id"),
    "listEventReviews": ("GET", "/events/:event_id/review-queue"),
    "listReviews": ("GET", "/review-queue"),
    "resolveReview": ("POST", "/review-queue/:review_id/resolve"),
    "mergeReview": ("POST", "/review-queue/:review_id/merge"),
}
"""The suite's name of each operation, with method and path template."""

NAMES = {pair: name for name, pair in OPERATIONS.items()}
WRITES = tuple(name for name, (method, _) in OPERATIONS.items() if method != "GET")
READS = tuple(name for name in OPERATIONS if name not in WRITES)

current: ContextVar[str | None] = ContextVar("operation", default=None)
"""The operation of the request that is being answered; None outside of `while_answering` faults."""


def operation_of(request: Request) -> str | None:
    """Return the operation that a request is for; None for any other request."""
    segments = http.split_path(request.raw_path, app.BASES)
    found = {} if segments is None else app.find_routes(segments)
    if request.method not in found:
        return None
    route = found[request.method][0]
    return NAMES.get((request.method, route.template))


def route_of(operation: str) -> Route:
    """Return the server's own route of an operation."""
    method, template = OPERATIONS[operation]
    return next(one for one in app.ROUTES if (one.method, one.template) == (method, template))


def success_of(operation: str) -> int:
    """Return the status of an operation's first success (endpoint-reference)."""
    if operation in ("createEvent", "createSession", "createRun"):
        return 201
    return 202 if operation in ("importAttendees", "createEnrichmentRun", "createMatchRun") else 200


Handler = Callable[[Call], Awaitable[Response]]
Dispatch = Callable[[Request, Services], Awaitable[Response]]


def handle(patch: Patch, operation: str, make: Callable[[Handler], Handler]) -> None:
    """Replace the function that answers an operation, behind all checks of key, scope and JSON."""
    route = route_of(operation)
    patch.wrap(route.module, route.function, make)


def dispatch(patch: Patch, operation: str, make: Callable[[Dispatch], Dispatch]) -> None:
    """Replace everything between an operation's request and its answer or ApiError, checks included."""

    def wrap(inner: Dispatch) -> Dispatch:
        changed = make(inner)

        async def dispatched(request: Request, services: Services) -> Response:
            chosen = changed if operation_of(request) == operation else inner
            return await chosen(request, services)

        return dispatched

    patch.wrap(app, "dispatch", wrap)


def answer(patch: Patch, operation: str, change: Callable[[Response, Request], Response | None]) -> None:
    """Change every answer of an operation, refusals included; the body carries its correlation ID already."""

    def wrap(inner: Dispatch) -> Dispatch:
        async def respond(request: Request, services: Services) -> Response:
            response = await inner(request, services)
            if operation_of(request) == operation:
                return change(response, request) or response
            return response

        return respond

    patch.wrap(app, "respond", wrap)


def success(patch: Patch, operation: str, change: Callable[[Response], Response | None], status: int = 0) -> None:
    """Change the accepted answers of an operation, or those of one status."""

    def only(response: Response, request: Request) -> Response | None:
        fits = 200 <= response.status < 300 if status == 0 else response.status == status
        return change(response) if fits and response.body is not None else None

    answer(patch, operation, only)


def refusal(patch: Patch, operation: str, change: Callable[[ApiError], ApiError | None], *codes: str) -> None:
    """Change the refusals of an operation that carry one of the codes; all of them where none is named."""

    def make(inner: Dispatch) -> Dispatch:
        async def dispatched(request: Request, services: Services) -> Response:
            try:
                return await inner(request, services)
            except ApiError as error:
                if codes and error.code not in codes:
                    raise
                raise change(error) or error from None

        return dispatched

    dispatch(patch, operation, make)


class Refusal(ApiError):
    """A refusal with a status of its own."""

    def __init__(self, status: int, code: str, message: str = "the request is refused") -> None:
        super().__init__(code, message)
        self._status = status

    @property
    def status(self) -> int:
        """The given one, whatever the code's is."""
        return self._status


Wire = tuple[int, list[tuple[bytes, bytes]], bytes]


def wire(patch: Patch, operation: str | None, change: Callable[[int, list[tuple[bytes, bytes]], bytes], Wire]) -> None:
    """Change status, headers and bytes of every answer of an operation, or of all; the length follows."""

    def wrap(inner: Callable[[Request, Response, Send], Awaitable[None]]) -> Any:
        async def send_response(request: Request, response: Response, send: Send) -> None:
            if response.body is None or (operation is not None and operation_of(request) != operation):
                await inner(request, response, send)
                return
            started: list[Message] = []

            async def changed(message: Message) -> None:
                if message["type"] == "http.response.start":
                    started.append(message)
                    return
                if started:
                    start = started.pop()
                    status, headers, content = change(start["status"], list(start["headers"]), message["body"])
                    headers = [pair for pair in headers if pair[0].lower() != b"content-length"]
                    if not any(name.lower() == b"transfer-encoding" for name, _ in headers):
                        headers.append((b"content-length", str(len(content)).encode()))
                    await send({**start, "status": status, "headers": headers})
                    message = {**message, "body": content}
                await send(message)

            await inner(request, response, changed)

        return send_response

    patch.wrap(http, "send_response", wrap)


def while_answering(patch: Patch, operation: str, holder: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Replace a function of the server while it answers requests of one operation, and only then."""

    def wrap(inner: Callable[..., Any]) -> Callable[..., Any]:
        changed = make(inner)

        def chosen(*arguments: Any, **named: Any) -> Any:
            return (changed if current.get() == operation else inner)(*arguments, **named)

        return chosen

    patch.wrap(holder, name, wrap)

    def mark(inner: Dispatch) -> Dispatch:
        async def dispatched(request: Request, services: Services) -> Response:
            # The next request of the connection may start in this one's context.
            before = current.set(operation)
            try:
                return await inner(request, services)
            finally:
                current.reset(before)

        return dispatched

    dispatch(patch, operation, mark)
