"""Who may call: each operation with one hole in the wall around it, or with a wrong word at the door.

The kinds of a family go around over the operations, so that several of them have each kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from ...access import auth
from ...access.auth import Principal
from ...errors import ApiError
from ...patching import operations
from ...patching.operations import OPERATIONS, READS, WRITES, Dispatch, Handler, Refusal, operation_of
from ...patching.patch import Patch
from ...resources import events, idmap, runs
from ...rules import paging
from ...services import Call, Services
from ...storage import Storage
from ...wire.http import Request, Response
from ..families import Kind, family
from ..registry import fault


def anybody(storage: Storage) -> Principal:
    """Return the principal that a forgotten check lets in: an ordinary key of the first org."""
    row = storage.one(
        "SELECT * FROM api_keys WHERE org_id = (SELECT value FROM meta WHERE name = 'org:a')"
        " AND principal_type = 'service_account' AND NOT disabled AND scopes LIKE '%partner:write%'"
    )
    assert row is not None
    return auth.check_account(row)


def admit(patch: Patch, operation: str, code: str, to_admit: Callable[[Request], bool] = lambda request: True) -> None:
    """Let in whom the operation would refuse with the code."""

    def wrap(inner: Callable[[Request, Storage], Principal]) -> Any:
        def authenticate(request: Request, storage: Storage) -> Principal:
            try:
                return inner(request, storage)
            except ApiError as error:
                if error.code == code and operation_of(request) == operation and to_admit(request):
                    return anybody(storage)
                raise

        return authenticate

    patch.wrap(auth, "authenticate", wrap)


def admits(code: str, to_admit: Callable[[Request], bool] = lambda request: True) -> Callable[[Patch, str], None]:
    """Admit like `admit`, as a kind of a family."""
    return lambda patch, operation: admit(patch, operation, code, to_admit)


def says(code: str, status: int, said: str) -> Callable[[Patch, str], None]:
    """Refuse with another status and code where a refusal has this code."""
    return lambda patch, operation: operations.refusal(patch, operation, lambda error: Refusal(status, said), code)


def scheme(request: Request) -> str:
    return request.headers.get("authorization", "").partition(" ")[0].lower()


CODES = ("codes.{operation}",)
KEYS = ("platform.legacy_alias.keys",)
"""What is judged on one operation for all."""

family(
    "auth",
    list(OPERATIONS),
    [
        ("no_header", "serves a request without any key", admits("UNAUTHORIZED", lambda one: not scheme(one)), KEYS),
        ("any_token", "serves any bearer token", admits("UNAUTHORIZED", lambda one: scheme(one) == "bearer"), KEYS),
        ("any_scheme", "serves a Basic header", admits("UNAUTHORIZED", lambda one: scheme(one) == "basic"), KEYS),
        (
            "no_scheme",
            "takes a key under any scheme, or under none",
            admits("UNAUTHORIZED", lambda one: scheme(one) not in ("", "bearer", "basic")),
            KEYS,
        ),
        (
            "status",
            "answers 403 where the key is missing or unknown",
            says("UNAUTHORIZED", 403, "UNAUTHORIZED"),
            (*CODES, *KEYS),
        ),
        ("code", "calls a missing key INVALID_TOKEN", says("UNAUTHORIZED", 401, "INVALID_TOKEN"), (*CODES, *KEYS)),
        (
            "bad_request",
            "answers 400 where the key is missing",
            says("UNAUTHORIZED", 400, "MISSING_KEY"),
            (*CODES, *KEYS),
        ),
    ],
)
family(
    "account",
    list(OPERATIONS),
    [
        ("served", "serves the key of a disabled service account", admits("ACCOUNT_DISABLED"), ()),
        ("unauthorized", "hides that the account is disabled", says("ACCOUNT_DISABLED", 401, "UNAUTHORIZED"), ()),
        ("forbidden", "answers 403 to a disabled account", says("ACCOUNT_DISABLED", 403, "ACCOUNT_DISABLED"), CODES),
    ],
)
family(
    "principal",
    list(OPERATIONS),
    [
        ("served", "serves a person's token", admits("SERVICE_ACCOUNT_REQUIRED"), ()),
        ("unauthorized", "answers 401 to a person's token", says("SERVICE_ACCOUNT_REQUIRED", 401, "UNAUTHORIZED"), ()),
        (
            "scope",
            "says that a person's token lacks a scope",
            says("SERVICE_ACCOUNT_REQUIRED", 403, "INSUFFICIENT_SCOPE"),
            (),
        ),
    ],
)
family(
    "org",
    [name for name in OPERATIONS if name != "getAuth"],
    [
        ("served", "serves a key without an org from the first org there is", admits("PARTNER_ORG_REQUIRED"), ()),
        (
            "bad_request",
            "answers 400 to a key without an org",
            says("PARTNER_ORG_REQUIRED", 400, "PARTNER_ORG_REQUIRED"),
            CODES,
        ),
        (
            "broken",
            "breaks on a key without an org",
            says("PARTNER_ORG_REQUIRED", 500, "INTERNAL_ERROR"),
            ("server_errors.{operation}",),
        ),
        ("code", "says FORBIDDEN to a key without an org", says("PARTNER_ORG_REQUIRED", 403, "FORBIDDEN"), CODES),
    ],
)


# Scopes

unscoped: ContextVar[bool] = ContextVar("unscoped", default=False)


def drop_scope(patch: Patch, operation: str) -> None:
    operations.while_answering(patch, operation, auth, "check_scope", lambda inner: lambda principal, method: None)


def demand_write(patch: Patch, operation: str) -> None:
    def make(inner: Callable[[Principal, str], None]) -> Any:
        return lambda principal, method: inner(principal, "POST")

    operations.while_answering(patch, operation, auth, "check_scope", make)


def refuse_after_writing(patch: Patch, operation: str) -> None:
    def wrap(inner: Callable[[Principal, str], None]) -> Any:
        return lambda principal, method: None if unscoped.get() else inner(principal, method)

    def make(inner: Dispatch) -> Dispatch:
        async def dispatched(request: Request, services: Services) -> Response:
            try:
                return await inner(request, services)
            except ApiError as error:
                if error.code == "INSUFFICIENT_SCOPE":
                    before = unscoped.set(True)
                    try:
                        await inner(request, services)
                    finally:
                        unscoped.reset(before)
                raise

        return dispatched

    patch.wrap(auth, "check_scope", wrap)
    operations.dispatch(patch, operation, make)


family("scope", READS, [("refused", "refuses a key that may only read", demand_write, ())])
family(
    "scope",
    WRITES,
    [
        ("accepted", "lets a key write that may only read", drop_scope, ()),
        ("effect", "refuses a key that may only read, but writes first", refuse_after_writing, ()),
        ("code", "answers FORBIDDEN to a key that may only read", says("INSUFFICIENT_SCOPE", 403, "FORBIDDEN"), CODES),
        (
            "status",
            "answers 401 to a key that may only read",
            says("INSUFFICIENT_SCOPE", 401, "INSUFFICIENT_SCOPE"),
            CODES,
        ),
    ],
)


# Walls between orgs


def other_orgs(call: Call) -> list[str]:
    rows = call.services.storage.all(
        "SELECT DISTINCT org_id FROM api_keys WHERE org_id IS NOT NULL AND org_id <> ?", (call.org,)
    )
    return [row["org_id"] for row in rows]


def across_orgs(patch: Patch, operation: str, found: Callable[[Response, ApiError], Response]) -> None:
    """Look in the other orgs for what the caller's org does not have; `found` makes an answer of it."""

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            try:
                return await inner(call)
            except ApiError as error:
                if error.status != 404:
                    raise
                for org in other_orgs(call):
                    try:
                        answer = await inner(replace(call, principal=replace(call.principal, org_id=org)))
                    except ApiError:
                        continue
                    return found(answer, error)
                raise

        return handler

    operations.handle(patch, operation, make)


def leak(patch: Patch, operation: str) -> None:
    across_orgs(patch, operation, lambda answer, error: answer)


def act_and_deny(patch: Patch, operation: str) -> None:
    def deny(answer: Response, error: ApiError) -> Response:
        raise error

    across_orgs(patch, operation, deny)


def admit_existence(patch: Patch, operation: str) -> None:
    def forbid(answer: Response, error: ApiError) -> Response:
        raise Refusal(403, "FORBIDDEN")

    across_orgs(patch, operation, forbid)


def list_everything(patch: Patch, operation: str) -> None:
    def wrap(inner: Callable[..., paging.Page]) -> Any:
        def fetch_page(
            call: Call, name: str, scope: str, select: str, where: str, *rest: Any, **named: Any
        ) -> paging.Page:
            if operation_of(call.request) == operation:
                where = re.sub(r"(\w+\.)?org_id = \?", r"(\g<0> OR TRUE)", where)
            return inner(call, name, scope, select, where, *rest, **named)

        return fetch_page

    patch.wrap(paging, "fetch_page", wrap)


ISOLATION_READ: list[Kind] = [
    ("leak", "finds what only another org has", leak, ()),
    ("existence", "answers 403 for what another org has, and so tells that it exists", admit_existence, CODES),
]
ISOLATION_WRITE: list[Kind] = [
    ("leak", "changes what only another org has", leak, ()),
    ("effect", "changes what only another org has, and then says that it is not there", act_and_deny, ()),
]
LISTS_OF_THE_ORG = ("listEvents", "listRuns", "listReviews")
CREATES = ("createEvent", "createRun")

family("isolation", LISTS_OF_THE_ORG, [("leak", "shows the rows of every org", list_everything, ())])
family("isolation", [one for one in READS if one not in (*LISTS_OF_THE_ORG, "getAuth")], ISOLATION_READ)
family("isolation", [one for one in WRITES if one not in CREATES], ISOLATION_WRITE)


for _kind in ("session", "attendee"):

    def _found_anywhere(patch: Patch, kind: str = _kind) -> None:
        def wrap(inner: Callable[[Services, str, str, str], bool]) -> Any:
            query = f"SELECT 1 FROM {kind}s WHERE {kind}_id = ?"

            def is_mapped(services: Services, org: str, asked: str, partner_id: str) -> bool:
                anywhere = asked == kind and services.storage.one(query, (partner_id,)) is not None
                return anywhere or inner(services, org, asked, partner_id)

            return is_mapped

        patch.wrap(idmap, "is_mapped", wrap)

    fault(
        f"isolation.getIdMapping.{_kind}",
        f"getIdMapping finds the {_kind} IDs of every org.",
        breaks=["isolation.getIdMapping"],
    )(_found_anywhere)


@fault(
    "isolation.listRuns.cursor",
    "A cursor of another org's run list leads on in that org's list.",
    breaks=["isolation.listRuns"],
)
def _(patch: Patch) -> None:
    issued: dict[str, str] = {}

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            org = issued.get(call.request.query.get("cursor", ""), call.org)
            answer = await inner(replace(call, principal=replace(call.principal, org_id=org)))
            if answer.body is not None and answer.body["next_cursor"]:
                issued[answer.body["next_cursor"]] = org
            return answer

        return handler

    operations.handle(patch, "listRuns", make)


@fault(
    "isolation.createSession.global_ids",
    "createSession refuses an ID that another org has mapped.",
    breaks=["isolation.createSession"],
)
def _(patch: Patch) -> None:
    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            known = "SELECT 1 FROM sessions WHERE org_id <> ? AND session_id = ?"
            if call.services.storage.one(known, (call.org, str(call.body.get("session_id")))):
                raise ApiError("PARTNER_ID_CONFLICT", "the session ID is taken")
            return await inner(call)

        return handler

    operations.handle(patch, "createSession", make)


@fault(
    "auth.scopes.read.all",
    "/auth lists both scopes whatever the key may do.",
    breaks=["auth.scopes.read"],
)
def _(patch: Patch) -> None:
    def change(response: Response) -> None:
        if response.body is not None:
            response.body["scopes"] = ["partner:read", "partner:write"]

    operations.success(patch, "getAuth", change)


@fault(
    "isolation.createEvent.global_ids",
    "createEvent refuses an ID that another org has mapped.",
    breaks=["isolation.createEvent"],
)
def _(patch: Patch) -> None:
    def wrap(inner: Callable[..., None]) -> Any:
        def store_event(services: Services, org: str, fields: dict[str, Any]) -> None:
            if services.storage.one("SELECT 1 FROM events WHERE event_id = ?", (fields["event_id"],)):
                raise events.conflict("event", fields["event_id"])
            inner(services, org, fields)

        return store_event

    patch.wrap(events, "store_event", wrap)


@fault(
    "isolation.createEvent.overwrites",
    "createEvent with an ID that another org has mapped renames that org's event.",
    breaks=["isolation.createEvent"],
)
def _(patch: Patch) -> None:
    def wrap(inner: Callable[..., None]) -> Any:
        def store_event(services: Services, org: str, fields: dict[str, Any]) -> None:
            inner(services, org, fields)
            services.storage.execute(
                "UPDATE events SET title = ? WHERE event_id = ?", (fields["title"], fields["event_id"])
            )

        return store_event

    patch.wrap(events, "store_event", wrap)


@fault(
    "isolation.createRun.global_keys",
    "createRun answers another org's idempotency key with that org's run.",
    breaks=["isolation.createRun"],
    also=["idempotency.per_org.createRun"],
)
def _(patch: Patch) -> None:
    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            row = call.services.storage.one(
                f"{runs.SELECT} WHERE runs.org_id <> ? AND key_space = 'generic' AND idempotency_key = ?",
                (call.org, str(call.body.get("idempotency_key"))),
            )
            if row is not None:
                return runs.accepted_response(row, True, 201, call.services.settings)
            return await inner(call)

        return handler

    operations.handle(patch, "createRun", make)
