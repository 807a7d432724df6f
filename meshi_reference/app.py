"""The ASGI application: from a request to the one operation that answers it.

Order of the checks: base path, key, rate, scope, route, method, body, then the operation's own.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from types import ModuleType

from .access import auth
from .errors import ApiError
from .resources import attendees, enrichment, events, identity, idmap, importing, matching, runs, sessions
from .resources import auth as account
from .services import Call, Services
from .wire import http
from .wire.http import Receive, Request, Response, Scope, Send

log = logging.getLogger(__name__)

BASES: tuple[str, ...] = ("/api/v0/partner", "/v0/partner")
"""The base path and its legacy alias (overview); both serve the same data."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: method, path template and the function that answers, looked up when it is called."""

    method: str
    template: str
    module: ModuleType
    function: str

    @property
    def segments(self) -> tuple[str, ...]:
        """The template's segments; those with a colon in front are parameters."""
        return tuple(self.template[1:].split("/"))


ROUTES: list[Route] = [
    Route("GET", "/auth", account, "get_auth"),
    Route("GET", "/id-map/:kind/:partner_id", idmap, "get_id_mapping"),
    Route("POST", "/events", events, "create_event"),
    Route("GET", "/events", events, "list_events"),
    Route("GET", "/events/:event_id", events, "get_event"),
    Route("POST", "/events/:event_id/context", events, "update_context"),
    Route("GET", "/events/:event_id/context", events, "get_context"),
    Route("POST", "/events/:event_id/sessions", sessions, "create_session"),
    Route("GET", "/events/:event_id/sessions", sessions, "list_sessions"),
    Route("GET", "/events/:event_id/sessions/:session_id", sessions, "get_session"),
    Route("GET", "/events/:event_id/attendees", attendees, "list_attendees"),
    Route("PUT", "/events/:event_id/attendees:import", importing, "import_attendees"),
    Route("GET", "/events/:event_id/attendees/:attendee_id/identity", identity, "list_identity"),
    Route("POST", "/events/:event_id/enrichment-runs", enrichment, "create_enrichment_run"),
    Route("POST", "/events/:event_id/match-runs", matching, "create_match_run"),
    Route("GET", "/events/:event_id/attendees/:attendee_id/matches", matching, "list_attendee_matches"),
    Route("GET", "/events/:event_id/matches", matching, "list_matches"),
    Route(
        "GET",
        "/events/:event_id/matches/:principal_partner_id/:target_partner_id",
        matching,
        "get_match",
    ),
    Route("POST", "/runs", runs, "create_run"),
    Route("GET", "/runs", runs, "list_runs"),
    Route("GET", "/runs/:run_id", runs, "get_run"),
    Route("GET", "/events/:event_id/review-queue", identity, "list_event_reviews"),
    Route("GET", "/review-queue", identity, "list_reviews"),
    Route("POST", "/review-queue/:review_id/resolve", identity, "resolve_review"),
    Route("POST", "/review-queue/:review_id/merge", identity, "merge_review"),
]


def match_template(template: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    """Return the parameters with which a template fits the path, or None."""
    if len(template) != len(segments):
        return None
    params: dict[str, str] = {}
    for part, segment in zip(template, segments, strict=True):
        if part.startswith(":"):
            params[part[1:]] = segment
        elif part != segment:
            return None
    return params


def find_routes(segments: list[str]) -> dict[str, tuple[Route, dict[str, str]]]:
    """Return the operations at a path, by method."""
    found: dict[str, tuple[Route, dict[str, str]]] = {}
    for route in ROUTES:
        params = match_template(route.segments, segments)
        if params is not None:
            found[route.method] = (route, params)
    if "GET" in found:
        found["HEAD"] = found["GET"]
    return found


def allowed_methods(found: dict[str, tuple[Route, dict[str, str]]]) -> str:
    """Return the value of an Allow header."""
    return ", ".join(sorted([*found, "OPTIONS"]))


def not_found(request: Request) -> ApiError:
    """Build the refusal of a path that belongs to no operation."""
    return ApiError("NOT_FOUND", f"there is nothing at {request.method} {request.raw_path}")


def method_not_allowed(request: Request, allowed: str, status: int) -> ApiError:
    """Build the refusal of a method that the path does not have, with 405 or, as a variation, 404."""
    if status == 404:
        return not_found(request)
    return ApiError("METHOD_NOT_ALLOWED", f"{request.method} is not one of {allowed}", {"allow": allowed})


async def read_json(request: Request, services: Services) -> dict[str, object]:
    """Read the body of a write."""
    content = await http.read_body(request, services.settings.body_limit)
    return http.parse_object(content, services.settings)


async def dispatch(request: Request, services: Services) -> Response:
    """Judge and answer one request. Raise ApiError for every refusal."""
    segments = http.split_path(request.raw_path, BASES)
    if segments is None:
        raise not_found(request)
    principal = auth.authenticate(request, services.storage)
    auth.check_rate(principal, services.limiter, services.settings)
    auth.check_scope(principal, request.method)
    found = find_routes(segments)
    if not found:
        raise not_found(request)
    if request.method == "OPTIONS":
        return Response(204, None, {"allow": allowed_methods(found)})
    if request.method not in found:
        raise method_not_allowed(request, allowed_methods(found), services.settings.wrong_method)
    route, params = found[request.method]
    body = await read_json(request, services) if request.method in ("POST", "PUT") else {}
    answer: Response = await getattr(route.module, route.function)(Call(services, principal, request, params, body))
    if answer.body is not None:
        answer.body = http.with_correlation(answer.body, request.correlation_id)
    return answer


def internal_error(request: Request, error: Exception) -> Response:
    """Answer 500 for an unexpected error; the details go to the log, under the correlation ID."""
    log.error("request %s broke", request.correlation_id, exc_info=error)
    return http.error_response(ApiError("INTERNAL_ERROR", "the server broke"), request.correlation_id)


async def respond(request: Request, services: Services) -> Response:
    """Answer one request, whatever happens."""
    try:
        return await dispatch(request, services)
    except ApiError as error:
        return http.error_response(error, request.correlation_id)
    except ConnectionAbortedError:
        raise
    except Exception as error:
        return internal_error(request, error)


class Application:
    """The ASGI callable."""

    def __init__(self, services: Services) -> None:
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request = http.read_request(scope, receive)
        if self.services.settings.latency_ms:
            await asyncio.sleep(self.services.settings.latency_ms / 1000)
        try:
            response = await respond(request, self.services)
        except ConnectionAbortedError:
            return
        await http.send_response(request, response, send)
