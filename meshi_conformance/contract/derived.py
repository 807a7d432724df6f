"""The requirements that the OpenAPI file implies, family by family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .operations import BOUNDARY_OPERATIONS, Limit, Operation, describe_bounds
from .requirements import Requirement


def derive(
    operations: Mapping[str, Operation], limits: Iterable[Limit], document: dict[str, Any]
) -> Iterator[Requirement]:
    """Yield the requirements that follow from the operations, their limits and the links of the document."""
    for operation in operations.values():
        yield from _answers(operation)
        yield from _keys(operation)
        yield from _every_exchange(operation)
        yield from _generated(operation)
    for name in sorted({*_link_sources(document)} - {"listReviews"}):  # its first row may be a stranger's
        yield _of(
            operations[name],
            f"generated.links.{name}",
            f"What an answer of {name} names is known to the operations that its links lead to.",
        )
    for limit in limits:
        bounds = describe_bounds(limit.schema)
        if not bounds:
            continue
        refused = f"refused with {limit.code}" if limit.code else "refused with 400, whatever the code"
        operation = operations[limit.operation]
        page, section = "endpoint-reference", operation.section
        if limit.place == "path":
            page, section = "identity-and-ids", "Field patterns"
        yield _of(
            operation,
            limit.requirement,
            f"`{limit.name}` is accepted up to its bound ({bounds}) and {refused} past it.",
            page,
            section,
            level=limit.level,
        )


def _of(
    operation: Operation,
    id: str,
    statement: str,
    page: str = "endpoint-reference",
    section: str | None = None,
    level: str = "documented",
    needs: tuple[str, ...] = (),
) -> Requirement:
    return Requirement(id, level, statement, page, section or operation.section, (operation.id,), needs, derived=True)


def _answers(operation: Operation) -> Iterator[Requirement]:
    name = operation.id
    for status, schema in operation.responses.items():
        yield _of(operation, f"status.{name}.{status}", f"{name} answers {status} where the pages say so.")
        yield _of(
            operation,
            f"schema.{name}.{status}",
            f"The body of a {status} of {name} has every documented member, with its documented type.",
        )
        if schema.has_implied:
            yield _of(
                operation,
                f"shape.{name}.{status}",
                f"The body of a {status} of {name} has the shape that examples and wording suggest.",
                level="implied",
            )
    for status, code in operation.route_errors():
        yield _of(
            operation,
            f"error.{name}.{code}",
            f"{name} refuses with {status} {code} what that code stands for.",
            needs=("large",) if code == "PAYLOAD_TOO_LARGE" else (),
        )


def _keys(operation: Operation) -> Iterator[Requirement]:
    name, page, section = operation.id, "errors-and-limits", "Authentication and scope errors"
    yield _of(
        operation,
        f"auth.{name}",
        f"{name} answers 401 UNAUTHORIZED without a bearer header and for a token of no active key.",
        page,
        section,
    )
    yield _of(
        operation,
        f"account.{name}",
        f"{name} answers 401 ACCOUNT_DISABLED for the key of a disabled service account.",
        page,
        section,
        needs=("disabled",),
    )
    yield _of(
        operation,
        f"principal.{name}",
        f"{name} answers 403 SERVICE_ACCOUNT_REQUIRED for a token that is no org-scoped service-account key.",
        page,
        section,
        needs=("user",),
    )
    if name != "getAuth":
        yield _of(
            operation,
            f"org.{name}",
            f"{name} needs an org: 403 where the key has none (PARTNER_ORG_REQUIRED or SERVICE_ACCOUNT_REQUIRED).",
            page,
            section,
            needs=("no_org",),
        )
        yield _of(
            operation,
            f"isolation.{name}",
            f"{name} with another org's key neither shows nor changes anything of this org.",
            "identity-and-ids",
            "Org scoping",
            needs=("other",),
        )
    rule = (
        "refuses a key without partner:write with 403 INSUFFICIENT_SCOPE and changes nothing"
        if operation.writes
        else "accepts a key that has partner:read alone"
    )
    yield _of(operation, f"scope.{name}", f"{name} {rule}.", "getting-started", "Scopes", needs=("read",))


def _every_exchange(operation: Operation) -> Iterator[Requirement]:
    name = operation.id
    yield _of(
        operation,
        f"json.{name}",
        f"Every answer of {name} has a JSON object as its body.",
        "errors-and-limits",
        "Correlation",
    )
    yield _of(
        operation,
        f"correlation.{name}",
        f"Every answer of {name} carries one correlation ID in header and body alike: the client's where it "
        "sent a usable one.",
        "errors-and-limits",
        "Correlation",
    )
    yield _of(
        operation,
        f"envelope.{name}",
        f"Every refusal of {name} is the error envelope: string members `code` and `message`.",
        "errors-and-limits",
        "Error envelope",
    )
    yield _of(
        operation,
        f"codes.{name}",
        f"{name} refuses with statuses and codes that the pages list for it or for the whole API.",
        level="implied",
    )
    yield _of(
        operation,
        f"server_errors.{name}",
        f"{name} never answers with a 5xx.",
        "errors-and-limits",
        "Common codes",
        level="implied",
    )
    yield _of(
        operation,
        f"content_type.{name}",
        f"Every answer of {name} is labelled as JSON.",
        "errors-and-limits",
        "Error envelope",
        level="implied",
    )
    if name in BOUNDARY_OPERATIONS:
        yield _of(
            operation,
            f"boundary.{name}",
            f"No internal UUID stands in an undocumented member of what {name} returns.",
            "overview",
            "Partner-owned IDs",
        )


def _link_sources(document: dict[str, Any]) -> Iterator[str]:
    for entry in document["paths"].values():
        for method in ("get", "post", "put"):
            responses = entry.get(method, {}).get("responses", {})
            if any("links" in response for response in responses.values()):
                yield entry[method]["operationId"]


def _generated(operation: Operation) -> Iterator[Requirement]:
    """What holds for any data, so that only made-up calls can look for what breaks it."""
    name = operation.id
    yield _of(operation, f"generated.accepts.{name}", f"{name} accepts whatever is within its documented bounds.")
    yield _of(
        operation,
        f"generated.refuses.{name}",
        f"{name} refuses whatever breaks a documented rule, with a status and a code that fit one of the mistakes.",
        level="implied",
    )
