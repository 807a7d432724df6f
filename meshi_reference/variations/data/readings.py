"""Variations of reading matches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import ApiError
from ...patching import changes, operations
from ...patching.patch import Patch
from ...resources import attendees, events, matching
from ...rules import paging, presentation, validation
from ...services import Call, Services
from ...storage import Row
from ...wire.http import JsonObject, Response
from ..registry import variation


def malformed_runs(patch: Patch) -> None:
    """Refuse a run ID that the server could not have made as malformed in a query too."""

    def wrap(inner: Callable[..., Row | None]) -> Any:
        def choose_run(call: Call, event: Row, pinned: str | None = None) -> Row | None:
            run_id = call.request.query.get("run_id")
            if run_id:
                validation.check_run_id(run_id)
            return inner(call, event, pinned)

        return choose_run

    patch.wrap(matching, "choose_run", wrap)


def runs_that_run(patch: Patch) -> None:
    """Show a match run before it has ended: what is there so far."""

    def find_match_run(services: Services, event: Row, run_id: str) -> Row | None:
        return services.storage.one(
            "SELECT * FROM runs WHERE event_seq = ? AND kind = 'match' AND run_id = ?", (event["seq"], run_id)
        )

    patch(matching, "find_match_run", find_match_run)


def pair_with_itself(patch: Patch, answer: Callable[[Call], Response]) -> None:
    def make(inner: operations.Handler) -> operations.Handler:
        async def get_match(call: Call) -> Response:
            principal = call.params["principal_partner_id"]
            if principal != call.params["target_partner_id"]:
                return await inner(call)
            validation.check_partner_id(principal)
            event = events.require_event(call)
            attendees.require_attendee(call.services, event, principal)
            matching.choose_run(call, event)
            return answer(call)

        return get_match

    operations.handle(patch, "getMatch", make)


def refuse_itself(call: Call) -> Response:
    raise ApiError("INVALID_PARTNER_ID", "principal and target must differ")


def score_itself(call: Call) -> Response:
    event = events.require_event(call)
    run = matching.choose_run(call, event)
    if run is None:
        raise ApiError("MATCH_NOT_FOUND", "nothing was matched yet")
    attendee_id = call.params["principal_partner_id"]
    row = call.services.storage.one(
        "SELECT run_seq, ? AS principal_id, ? AS target_id, 1.0 AS final_score, scores, input_hash, computed_at"
        " FROM matches WHERE run_seq = ? LIMIT 1",
        (attendee_id, attendee_id, run["seq"]),
    )
    if row is None:
        raise ApiError("MATCH_NOT_FOUND", "the run has no scores")
    return Response(200, matching.serialize_match(row, event["event_id"], run, call.services.settings))


def selecting(patch: Patch, name: str, refuses: bool = False) -> None:
    """Let a parameter of the event's match list select nothing, or refuse it: no attendee has a goal or a session."""

    def make(inner: operations.Handler) -> operations.Handler:
        async def list_matches(call: Call) -> Response:
            answer = await inner(call)
            if name not in call.request.query:
                return answer
            if refuses:
                raise ApiError("INVALID_JSON", f"nothing is known of the {name}")
            assert answer.body is not None
            head = {member: answer.body[member] for member in ("event_id", "run_id")}
            return presentation.page_response(head, [], paging.Page([], None))

        return list_matches

    operations.handle(patch, "listEventMatches", make)


def other_item_members(patch: Patch) -> None:
    def change(rows: list[JsonObject]) -> list[JsonObject]:
        return [
            {
                "match_id": row["match_id"],
                "principal": {"attendee_id": row["principal_attendee_id"]},
                "target": {"attendee_id": row["target_attendee_id"]},
                "final_score": row["final_score"],
            }
            for row in rows
        ]

    for operation in ("listEventMatches", "listAttendeeMatches"):
        changes.items(patch, operation, change)


def percent(patch: Patch) -> None:
    patch.wrap(matching, "final_score", lambda inner: lambda a_to_b, b_to_a: 100 * inner(a_to_b, b_to_a))


def walks_that_move(patch: Patch) -> None:
    """Take a page without a run ID from the latest run, whatever the pages before it showed."""

    def wrap(inner: Callable[..., Row | None]) -> Any:
        return lambda call, event, pinned=None: inner(call, event)

    patch.wrap(matching, "choose_run", wrap)


variation(
    "matches.malformed_run",
    "A malformed run ID of a query is 400 INVALID_RUN_ID.",
    apply=malformed_runs,
    makes=("matches.malformed_run=malformed",),
)
variation(
    "matches.while_running",
    "A match run can be read before it has ended, and takes a second.",
    settings={"run_seconds": 1.0},
    apply=runs_that_run,
    makes=("matches.running_run=shown",),
)
variation(
    "matches.itself_refused",
    "The match of an attendee with itself is 400.",
    apply=lambda patch: pair_with_itself(patch, refuse_itself),
    makes=("matches.itself=refused",),
)
variation(
    "matches.itself_scored",
    "The match of an attendee with itself has a score.",
    apply=lambda patch: pair_with_itself(patch, score_itself),
    makes=("matches.itself=scored",),
)
variation(
    "matches.goal_filters",
    "A goal that no attendee has selects no match.",
    apply=lambda patch: selecting(patch, "goal"),
    makes=("matches.goal=filters",),
)
variation(
    "matches.goal_refused",
    "A goal that no attendee has is refused.",
    apply=lambda patch: selecting(patch, "goal", refuses=True),
    makes=("matches.goal=refused",),
)
variation(
    "matches.session_filters",
    "A session selects no match, since no attendee is in it.",
    apply=lambda patch: selecting(patch, "session_id"),
    makes=("matches.session=none",),
)
variation(
    "matches.other_items",
    "Items of match lists name principal and target otherwise: that they are those of a pair is only implied.",
    apply=other_item_members,
    deviates=("shape.listEventMatches.200", "shape.listAttendeeMatches.200"),
    unjudged=("matching.*", "lists.*matches*", "error.getMatch.MATCH_NOT_FOUND"),
    makes=("matches.items=others", "events.undocumented_members=some"),
)
variation(
    "matches.percent",
    "Scores reach from 0 to 100: that they reach from 0 to 1 is only implied.",
    apply=percent,
    deviates=("shape.getMatch.200", "shape.listEventMatches.200", "shape.listAttendeeMatches.200"),
    makes=("matches.scores=other",),
)
variation(
    "matches.moving",
    "A walk through matches that names no run moves to the latest one.",
    apply=walks_that_move,
    makes=("matches.later_run=moves",),
)
