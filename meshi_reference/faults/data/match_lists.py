"""Match lists that leave something out, show too much, or overlook a malformed filter."""

from __future__ import annotations

from functools import partial
from typing import Any

from ...errors import ApiError
from ...patching import changes
from ...patching.patch import Patch
from ...resources import matching, sessions
from ...rules import validation
from ...services import Call
from ..registry import fault

OF_ONE_PRINCIPAL = (
    "principal_seq = (SELECT min(principal_seq) FROM matches AS others WHERE others.run_seq = matches.run_seq)"
)
BEST_OF_EACH = (
    "final_score = (SELECT max(final_score) FROM matches AS others WHERE others.run_seq = matches.run_seq"
    " AND others.principal_seq = matches.principal_seq)"
)


def only(condition: str, operation: str, patch: Patch) -> None:
    """List the matches that fit a condition, and no others."""
    changes.rows(patch, operation, lambda call, where, parameters: (f"{where} AND {condition}", parameters))


for _suffix, _sentence, _condition in (
    ("one_principal", "holds the matches of one principal only", OF_ONE_PRINCIPAL),
    ("best_only", "holds each principal's best match only", BEST_OF_EACH),
):
    fault(
        f"matching.event.holds_attendees.{_suffix}",
        f"An event's match list {_sentence}.",
        breaks=["matching.event.holds_attendees"],
    )(partial(only, _condition, "listEventMatches"))

fault(
    "matching.attendee.holds_event.best_only",
    "An attendee's match list holds the best match only.",
    breaks=["matching.attendee.holds_event"],
)(partial(only, BEST_OF_EACH, "listAttendeeMatches"))


GOAL_TEXTS = {"principal_goal": "goal_8f3a21", "text": "wants to hire a CFO", "rank": 1}


@fault(
    "matching.goal_ids.members",
    "The two goal members say which goals they are about, beside score and direction.",
    breaks=["matching.goal_ids.*"],
)
def goal_members(patch: Patch) -> None:
    def change(body: dict[str, Any], row: Any) -> None:
        for name, extra in zip(("best_goal_match", "driving_goal_pair"), GOAL_TEXTS.items(), strict=False):
            body[name] = {**body[name], extra[0]: extra[1]}

    changes.shown(patch, matching, "serialize_match", change)


def check_session_filter(malformed: str | None, call: Call, event: Any) -> None:
    session_id = call.request.query.get("session_id")
    if session_id is None:
        return
    if validation.PARTNER_ID_PATTERN.fullmatch(session_id):
        sessions.require_session(call.services, event, session_id)
    elif malformed:
        raise ApiError(malformed, "no such session in this event")


for _suffix, _sentence, _code in (
    ("ignored", "ignores a malformed `session_id` in its query", None),
    ("not_found", "answers a malformed `session_id` in its query with SESSION_NOT_FOUND", "SESSION_NOT_FOUND"),
):

    def _apply(patch: Patch, code: str | None = _code) -> None:
        patch(matching, "check_session_filter", partial(check_session_filter, code))

    fault(
        f"limits.listEventMatches.query.session_id.{_suffix}",
        f"listEventMatches {_sentence}.",
        breaks=["limits.listEventMatches.query.session_id"],
        also=["error.listEventMatches.INVALID_PARTNER_ID"],
    )(_apply)


@fault(
    "limits.listEventMatches.query.session_id.127",
    "listEventMatches refuses a `session_id` of 128 characters in its query.",
    breaks=["limits.listEventMatches.query.session_id"],
)
def short_session_filter(patch: Patch) -> None:
    def make(inner: Any) -> Any:
        def check(call: Call, event: Any) -> None:
            if len(call.request.query.get("session_id", "")) > 127:
                raise ApiError("INVALID_PARTNER_ID", "session_id must have at most 127 characters")
            inner(call, event)

        return check

    patch.wrap(matching, "check_session_filter", make)
