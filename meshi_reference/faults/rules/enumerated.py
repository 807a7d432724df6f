"""Bounds at the ends that are easily forgotten: the shortest value, the missing member, the filter of a list."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from ...errors import ApiError
from ...patching import operations
from ...patching.patch import Patch
from ...rules import validation
from ..registry import fault
from .limits import BODY_IDS, PATH_IDS

Check = Callable[..., Any]


def two_at_least(name: str) -> Callable[[Check], Check]:
    """Return the check of a partner ID that wants more than one character of one field."""

    def make(inner: Check) -> Check:
        def check(value: object, field: str = "partner_id") -> Any:
            if field == name and isinstance(value, str) and len(value) == 1:
                raise ApiError("INVALID_PARTNER_ID", f"{field} must have at least 2 characters")
            return inner(value, field)

        return check

    return make


for _operation, _field, _name in (
    *((operation, field, field) for operation, fields in PATH_IDS.items() for field in fields),
    *(row for row in BODY_IDS if row[0] != "mergeReview"),
):

    def _shortest(patch: Patch, operation: str = _operation, field: str = _field) -> None:
        operations.while_answering(patch, operation, validation, "check_partner_id", two_at_least(field))

    fault(
        f"limits.{_operation}.{_name}.shortest",
        f"{_operation} refuses a `{_field}` of one character.",
        breaks=[f"limits.{_operation}.{_name}"],
    )(_shortest)


SHORT_TEXTS: tuple[tuple[str, str, str], ...] = (
    ("createEvent", "title", "title"),
    ("createEvent", "description", "description"),
    ("createSession", "title", "session_title"),
    ("importAttendees", "row.name", "attendee_name"),
    ("importAttendees", "row.title", "attendee_title"),
    ("importAttendees", "row.company", "attendee_company"),
)
"""Operation, the suite's name of the field, the server's."""


def three_at_least(name: str) -> Callable[[Check], Check]:
    def make(inner: Check) -> Check:
        def check(value: object, field: str, code: str) -> Any:
            if field == name and isinstance(value, str) and len(value) < 3:
                raise ApiError(code, f"{field} must have at least 3 characters")
            return inner(value, field, code)

        return check

    return make


for _operation, _name, _field in SHORT_TEXTS:

    def _short(patch: Patch, field: str = _field) -> None:
        for check in ("required_text", "optional_text"):
            patch.wrap(validation, check, three_at_least(field))

    fault(
        f"limits.{_operation}.{_name}.three",
        f"{_operation} refuses a `{_name}` of one character.",
        breaks=[f"limits.{_operation}.{_name}"],
    )(_short)


for _field in validation.CONTEXT_FIELDS:

    def _short_context(patch: Patch, field: str = _field) -> None:
        def make(inner: Check) -> Check:
            def check(name: str, value: object) -> Any:
                if name == field and isinstance(value, str) and len(value) < 3:
                    raise ApiError("INVALID_CONTEXT", f"{name} must have at least 3 characters")
                return inner(name, value)

            return check

        patch.wrap(validation, "check_context_value", make)

    fault(
        f"limits.updateEventContext.{_field}.three",
        f"updateEventContext refuses {_field} of one character.",
        breaks=[f"limits.updateEventContext.{_field}"],
    )(_short_context)


def made_up(name: str) -> Callable[[Check], Check]:
    """Return the check of an ID that makes one up where it is missing or null."""

    def make(inner: Check) -> Check:
        def check(value: object, field: str = "partner_id") -> Any:
            return f"made-up-{secrets.token_hex(8)}" if value is None and field == name else inner(value, field)

        return check

    return make


for _operation, _field, _name in (row for row in BODY_IDS if row[0] in ("createEvent", "createSession")):

    def _made_up(patch: Patch, operation: str = _operation, field: str = _field) -> None:
        operations.while_answering(patch, operation, validation, "check_partner_id", made_up(field))

    fault(
        f"limits.{_operation}.{_name}.missing",
        f"{_operation} makes up a `{_field}` where none is sent.",
        breaks=[f"limits.{_operation}.{_name}"],
    )(_made_up)


def null_for(name: str, instead: str) -> Callable[[Check], Check]:
    def make(inner: Check) -> Check:
        return lambda value, field, code: instead if field == name and value is None else inner(value, field, code)

    return make


for _operation, _name, _field in (row for row in SHORT_TEXTS if row[2] in ("title", "session_title", "attendee_name")):

    def _null(patch: Patch, field: str = _field) -> None:
        patch.wrap(validation, "required_text", null_for(field, "Untitled"))

    fault(
        f"limits.{_operation}.{_name}.null",
        f"{_operation} takes a missing `{_name}` for a text of its own.",
        breaks=[f"limits.{_operation}.{_name}"],
        also=[f"error.{_operation}.*"],
    )(_null)


@fault(
    "limits.listRuns.query.kind.unknown",
    "listRuns ignores an unknown kind.",
    breaks=["limits.listRuns.query.kind"],
    also=["error.listRuns.INVALID_RUN_KIND"],
)
def unknown_run_kind(patch: Patch) -> None:
    change = lambda inner: lambda value: inner(value if value in validation.RUN_KINDS else "import")  # noqa: E731
    operations.while_answering(patch, "listRuns", validation, "check_run_kind", change)


@fault(
    "limits.listRuns.query.kind.not_enrichment",
    "listRuns refuses the kind `enrichment`.",
    breaks=["limits.listRuns.query.kind"],
    also=["runs.list.by_kind", "lists.runs.*"],
)
def no_enrichments(patch: Patch) -> None:
    def make(inner: Check) -> Check:
        def check(value: object) -> Any:
            if value == "enrichment":
                raise ApiError("INVALID_RUN_KIND", "kind must be import or match")
            return inner(value)

        return check

    operations.while_answering(patch, "listRuns", validation, "check_run_kind", make)
