"""Every documented bound of a field, moved by one in both directions, or forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import ApiError
from ...patching import operations
from ...patching.patch import Patch
from ...rules import validation
from ..registry import fault

Check = Callable[..., Any]

PATH_IDS: dict[str, tuple[str, ...]] = {
    "getIdMapping": ("partner_id",),
    "getEvent": ("event_id",),
    "getEventContext": ("event_id",),
    "updateEventContext": ("event_id",),
    "listSessions": ("event_id",),
    "createSession": ("event_id",),
    "getSession": ("event_id", "session_id"),
    "listAttendees": ("event_id",),
    "importAttendees": ("event_id",),
    "listAttendeeIdentity": ("event_id", "attendee_id"),
    "createEnrichmentRun": ("event_id",),
    "createMatchRun": ("event_id",),
    "listAttendeeMatches": ("event_id", "attendee_id"),
    "listEventMatches": ("event_id",),
    "getMatch": ("event_id", "principal_partner_id", "target_partner_id"),
    "listEventReviews": ("event_id",),
}
"""Partner IDs in paths."""

BODY_IDS: tuple[tuple[str, str, str], ...] = (
    ("createEvent", "event_id", "event_id"),
    ("createSession", "session_id", "session_id"),
    ("importAttendees", "attendee_id", "row.attendee_id"),
    ("mergeReview", "source_partner_id", "source_partner_id"),
    ("mergeReview", "target_partner_id", "target_partner_id"),
)
"""Partner IDs in bodies: operation, the server's name of the field, the suite's name of it."""

LONGEST_ID = 128


def of_field(field: str, changed: Callable[[Check, Any], Any]) -> Callable[[Check], Check]:
    """Change a check of several fields for one of them: `changed(inner, value)`."""

    def make(inner: Check) -> Check:
        def check(value: object, name: str = "partner_id") -> Any:
            return changed(lambda one: inner(one, name), value) if name == field else inner(value, name)

        return check

    return make


def refusing(code: str, unwanted: Callable[[str], bool]) -> Callable[[Check, Any], Any]:
    """Refuse some good values."""

    def changed(inner: Check, value: Any) -> Any:
        if isinstance(value, str) and unwanted(value):
            raise ApiError(code, "the value is refused")
        return inner(value)

    return changed


def accepting(like: Callable[[str], str]) -> Callable[[Check, Any], Any]:
    """Accept what would be good if it were `like(value)`."""

    def changed(inner: Check, value: Any) -> Any:
        if isinstance(value, str):
            inner(like(value))
            return value
        return inner(value)

    return changed


ID = "INVALID_PARTNER_ID"
TIGHT_IDS: tuple[tuple[str, str, Callable[[Check, Any], Any]], ...] = (
    ("127", "refuses a `{}` of 128 characters", refusing(ID, lambda value: len(value) >= LONGEST_ID)),
    ("marks", "refuses a `{}` with a colon or a dot in it", refusing(ID, lambda value: ":" in value or "." in value)),
    (
        "capitals",
        "refuses a `{}` with capitals or an underscore in it",
        refusing(ID, lambda value: value != value.lower().replace("_", "")),
    ),
)
LOOSE_IDS: tuple[tuple[str, str, Callable[[Check, Any], Any]], ...] = (
    (
        "129",
        "takes a `{}` of 129 characters for well-formed",
        accepting(lambda value: value if len(value) != 129 else value[:-1]),
    ),
    (
        "first",
        "takes a `{}` that starts with a hyphen for well-formed",
        accepting(lambda value: value.removeprefix("-")),
    ),
    ("blank", "takes a `{}` with a blank in it for well-formed", accepting(lambda value: value.replace(" ", ""))),
    ("unchecked", "does not check the form of `{}`", accepting(lambda value: "anything")),
)


def register_ids(place: int, operation: str, field: str, name: str) -> None:
    for suffix, sentence, changed in (TIGHT_IDS[place % len(TIGHT_IDS)], LOOSE_IDS[place % len(LOOSE_IDS)]):

        def apply(patch: Patch, changed: Callable[[Check, Any], Any] = changed) -> None:
            operations.while_answering(patch, operation, validation, "check_partner_id", of_field(field, changed))

        fault(
            f"limits.{operation}.{name}.{suffix}",
            f"{operation} {sentence.format(field)}.",
            breaks=[f"limits.{operation}.{name}"],
            also=[f"error.{operation}.INVALID_PARTNER_ID", "limits.ids.*"],
        )(apply)


for _place, (_operation, _field, _name) in enumerate(
    [*((operation, field, field) for operation, fields in PATH_IDS.items() for field in fields), *BODY_IDS]
):
    register_ids(_place, _operation, _field, _name)


# Kinds


def register_kinds(operation: str, field: str) -> None:
    """Register both directions for one field that holds the kind of a partner ID."""
    code = "INVALID_PARTNER_KIND"
    cases = (
        ("short", f"refuses a `{field}` of more than 7 characters", refusing(code, lambda value: len(value) > 7)),
        (
            "65",
            f"takes a `{field}` of 65 characters for well-formed",
            accepting(lambda value: value if len(value) != 65 else value[:-1]),
        ),
        (
            "digit",
            f"takes a `{field}` that starts with a digit for well-formed",
            accepting(lambda value: value.lstrip("0123456789") or value),
        ),
        ("dot", f"takes a `{field}` with a dot in it for well-formed", accepting(lambda value: value.replace(".", ""))),
    )
    for suffix, sentence, changed in cases:

        def apply(patch: Patch, changed: Callable[[Check, Any], Any] = changed) -> None:
            def make(inner: Check) -> Check:
                def check(value: object, name: str = "kind") -> Any:
                    return changed(lambda one: inner(one, name), value) if name == field else inner(value, name)

                return check

            operations.while_answering(patch, operation, validation, "check_kind", make)

        fault(
            f"limits.{operation}.{field}.{suffix}",
            f"{operation} {sentence}.",
            breaks=[f"limits.{operation}.{field}"],
            also=[f"error.{operation}.{code}"],
        )(apply)


for _operation, _field in (
    ("getIdMapping", "kind"),
    ("mergeReview", "source_kind"),
    ("mergeReview", "target_kind"),
):
    register_kinds(_operation, _field)


# Texts

TEXTS: tuple[tuple[str, str, str, str], ...] = (
    ("createEvent", "title", "title", "INVALID_TITLE"),
    ("createEvent", "description", "description", "INVALID_DESCRIPTION"),
    ("createEvent", "timezone", "timezone", "INVALID_TIMEZONE"),
    ("createEvent", "visibility", "visibility", "INVALID_VISIBILITY"),
    ("createEvent", "url_slug", "url_slug", "INVALID_URL_SLUG"),
    ("importAttendees", "row.name", "attendee_name", "INVALID_ATTENDEE_NAME"),
    ("importAttendees", "row.email", "attendee_email", "INVALID_ATTENDEE_EMAIL"),
    ("importAttendees", "row.linkedin_url", "attendee_linkedin_url", "INVALID_ATTENDEE_LINKEDIN_URL"),
    ("importAttendees", "row.title", "attendee_title", "INVALID_ATTENDEE_TITLE"),
    ("importAttendees", "row.company", "attendee_company", "INVALID_ATTENDEE_COMPANY"),
)
"""Operation, the suite's name of the field, the server's, and the code."""
REACHABLE = {"attendee_email": 254}
"""The longest value that the suite sends, where common validators take less than the documented bound."""

ASCII_ONLY = ("timezone", "visibility", "url_slug", "attendee_email", "attendee_linkedin_url")
"""Texts that the suite sends in ASCII, since their form is open: bytes and characters are the same there."""


def register_text(operation: str, name: str, field: str, code: str) -> None:
    """Register both directions and no bound at all for one text."""
    most = validation.MAX_LENGTH[field]
    sent = REACHABLE.get(field, most)
    for suffix, sentence, length in (
        ("short", f"refuses a `{name}` of {sent} characters", sent - 1),
        ("long", f"accepts a `{name}` of {most + 1} characters", most + 1),
        ("endless", f"does not bound the length of `{name}`", 10**9),
    ):

        def apply(patch: Patch, length: int = length) -> None:
            patch(validation.MAX_LENGTH, field, length)

        fault(
            f"limits.{operation}.{name}.{suffix}",
            f"{operation} {sentence}.",
            breaks=[f"limits.{operation}.{name}"],
            also=["limits.text.*"],
        )(apply)
    if field in ASCII_ONLY:
        return

    def count_bytes(patch: Patch) -> None:
        def make(inner: Check) -> Check:
            def check(value: object, checked: str, code: str) -> Any:
                if checked == field and isinstance(value, str) and len(value.encode()) > most:
                    raise ApiError(code, f"{name} must have at most {most} bytes")
                return inner(value, checked, code)

            return check

        for check in ("required_text", "optional_text"):
            patch.wrap(validation, check, make)

    fault(
        f"limits.{operation}.{name}.bytes",
        f"{operation} counts the bytes of `{name}` where it should count characters.",
        breaks=[f"limits.{operation}.{name}"],
        also=["limits.text.*"],
    )(count_bytes)


for _text in TEXTS:
    register_text(*_text)

for _field in validation.CONTEXT_FIELDS:
    for _suffix, _sentence, _length in (
        ("short", "refuses {} of 4000 characters", 3999),
        ("long", "accepts {} of 4001 characters", 4001),
    ):

        def _apply(patch: Patch, field: str = _field, length: int = _length) -> None:
            def make(inner: Check) -> Check:
                def check(name: str, value: object) -> Any:
                    if name != field or not isinstance(value, str):
                        return inner(name, value)
                    if len(value) > length:
                        raise ApiError("INVALID_CONTEXT", f"{name} must have at most {length} characters")
                    return value

                return check

            patch.wrap(validation, "check_context_value", make)

        fault(
            f"limits.updateEventContext.{_field}.{_suffix}",
            f"updateEventContext {_sentence.format(_field)}.",
            breaks=[f"limits.updateEventContext.{_field}"],
            also=["limits.text.*"],
        )(_apply)

for _operation, _name, _field, _code in (
    ("createEvent", "title", "title", "INVALID_TITLE"),
    ("createSession", "title", "session_title", "INVALID_TITLE"),
    ("importAttendees", "row.name", "attendee_name", "INVALID_ATTENDEE_NAME"),
):

    def _allow_empty(patch: Patch, field: str = _field) -> None:
        def make(inner: Check) -> Check:
            return lambda value, name, code: "" if name == field and value == "" else inner(value, name, code)

        patch.wrap(validation, "required_text", make)

    fault(
        f"limits.{_operation}.{_name}.empty",
        f"{_operation} accepts an empty `{_name}`.",
        breaks=[f"limits.{_operation}.{_name}"],
        also=[f"error.{_operation}.{_code}"],
    )(_allow_empty)


# Formats, ranges and enumerations

Values = Callable[[Check], Check]


def unchecked(inner: Check) -> Check:
    """Accept any text."""
    return lambda value, *rest: value if isinstance(value, str) else inner(value, *rest)


def without(code: str, unwanted: Callable[[Any], bool]) -> Values:
    """Refuse some good values."""

    def make(inner: Check) -> Check:
        def check(value: Any, *rest: Any) -> Any:
            if unwanted(value):
                raise ApiError(code, "the value is refused")
            return inner(value, *rest)

        return check

    return make


def including(wanted: Callable[[Any], bool], as_if: Any) -> Values:
    """Accept some bad values."""
    return lambda inner: lambda value, *rest: inner(as_if if wanted(value) else value, *rest)


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_empty(value: object) -> bool:
    return value == ""


def has_query(value: object) -> bool:
    return isinstance(value, str) and "?" in value


FIELDS: tuple[tuple[str, str, str, str, str, str, Values], ...] = (
    ("createEvent", "start_date", "INVALID_START_DATE", "unchecked", "accepts any text", "check_start_date", unchecked),
    ("createEvent", "end_date", "INVALID_END_DATE", "unchecked", "accepts any text", "check_end_date", unchecked),
    (
        "createEvent",
        "end_date",
        "INVALID_END_DATE",
        "leap_day",
        "refuses a 29 February",
        "check_end_date",
        without("INVALID_END_DATE", lambda value: str(value).endswith("-02-29")),
    ),
    (
        "createSession",
        "start_timestamp",
        "INVALID_START_TIMESTAMP",
        "unchecked",
        "accepts any text",
        "check_start_timestamp",
        unchecked,
    ),
    (
        "createSession",
        "end_timestamp",
        "INVALID_END_TIMESTAMP",
        "unchecked",
        "accepts any text",
        "check_end_timestamp",
        unchecked,
    ),
    *(
        (
            operation,
            "webhook_url",
            "INVALID_WEBHOOK_URL",
            "unchecked",
            "accepts any text",
            "check_webhook_url",
            unchecked,
        )
        for operation in ("importAttendees", "createEnrichmentRun", "createMatchRun", "createRun")
    ),
    (
        "createRun",
        "webhook_url",
        "INVALID_WEBHOOK_URL",
        "query",
        "refuses a URL with a query",
        "check_webhook_url",
        without("INVALID_WEBHOOK_URL", has_query),
    ),
    (
        "importAttendees",
        "webhook_url",
        "INVALID_WEBHOOK_URL",
        "query",
        "refuses a URL with a query",
        "check_webhook_url",
        without("INVALID_WEBHOOK_URL", has_query),
    ),
    *(
        (
            operation,
            "idempotency_key",
            "INVALID_IDEMPOTENCY_KEY",
            "empty",
            "accepts an empty text",
            "check_idempotency_key",
            including(is_empty, "empty"),
        )
        for operation in ("importAttendees", "createEnrichmentRun", "createMatchRun", "createRun")
    ),
    (
        "importAttendees",
        "idempotency_key",
        "INVALID_IDEMPOTENCY_KEY",
        "uuid",
        "refuses a UUID",
        "check_idempotency_key",
        without(
            "INVALID_IDEMPOTENCY_KEY", lambda value: isinstance(value, str) and len(value) == 36 and value[14] == "4"
        ),
    ),
    (
        "importAttendees",
        "attendees",
        "INVALID_ATTENDEES",
        "empty",
        "accepts an empty array",
        "check_attendees",
        lambda inner: lambda value, settings: value if value == [] else inner(value, settings),
    ),
    (
        "createMatchRun",
        "top_n",
        "INVALID_TOP_N",
        "zero",
        "accepts 0",
        "check_top_n",
        including(lambda value: value == 0 and value is not False, 1),
    ),
    (
        "createMatchRun",
        "top_n",
        "INVALID_TOP_N",
        "51",
        "accepts 51",
        "check_top_n",
        including(lambda value: value == 51, 50),
    ),
    (
        "createMatchRun",
        "top_n",
        "INVALID_TOP_N",
        "not_50",
        "refuses 50",
        "check_top_n",
        without("INVALID_TOP_N", lambda value: value == 50),
    ),
    (
        "createMatchRun",
        "top_n",
        "INVALID_TOP_N",
        "not_1",
        "refuses 1",
        "check_top_n",
        without("INVALID_TOP_N", lambda value: value == 1 and value is not True),
    ),
    (
        "createMatchRun",
        "top_n",
        "INVALID_TOP_N",
        "clamped",
        "clamps a number out of range",
        "check_top_n",
        lambda inner: lambda value: inner(min(max(value, 1), 50) if isinstance(value, int) else value),
    ),
    (
        "createMatchRun",
        "top_n",
        "INVALID_TOP_N",
        "text",
        "takes a text for the default",
        "check_top_n",
        including(is_text, None),
    ),
    (
        "createRun",
        "kind",
        "INVALID_RUN_KIND",
        "any",
        "accepts any kind of run",
        "check_run_kind",
        including(is_text, "import"),
    ),
    (
        "createRun",
        "kind",
        "INVALID_RUN_KIND",
        "not_match",
        "refuses `match`",
        "check_run_kind",
        without("INVALID_RUN_KIND", lambda value: value == "match"),
    ),
    (
        "resolveReview",
        "decision",
        "INVALID_REVIEW_DECISION",
        "not_distinct",
        "refuses `distinct`",
        "check_decision",
        without("INVALID_REVIEW_DECISION", lambda value: value == "distinct"),
    ),
    (
        "resolveReview",
        "decision",
        "INVALID_REVIEW_DECISION",
        "any",
        "takes any text for a rejection",
        "check_decision",
        including(lambda value: is_text(value) and value not in validation.DECISIONS, "reject"),
    ),
)
"""Operation, field, code, suffix, what is wrong, the server's check and how it is changed."""


def register_field(operation: str, field: str, code: str, suffix: str, sentence: str, check: str, make: Values) -> None:
    def apply(patch: Patch) -> None:
        operations.while_answering(patch, operation, validation, check, make)

    fault(
        f"limits.{operation}.{field}.{suffix}",
        f"{operation} {sentence} as `{field}`.",
        breaks=[f"limits.{operation}.{field}"],
        also=[f"error.{operation}.{code}"],
    )(apply)


for _row in FIELDS:
    register_field(*_row)

for _suffix, _cap in (("49999", 49_999), ("50001", 50_001)):
    fault(
        f"limits.importAttendees.attendees.{_suffix}",
        f"importAttendees takes at most {_cap} rows.",
        breaks=["limits.importAttendees.attendees", "error.importAttendees.INVALID_ATTENDEES"],
        sees=["large"],
        settings={"attendee_cap": _cap},
    )(lambda patch: None)
