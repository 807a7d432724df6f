"""Match runs and matches: the wrong run, the wrong pairs, too many of them, and what they should not show."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from ...errors import ApiError
from ...patching import changes, operations
from ...patching.changes import Query
from ...patching.operations import Handler, operation_of
from ...patching.patch import Patch
from ...resources import matching
from ...rules import validation
from ...services import Call, Services
from ...storage import Row
from ...wire.http import JsonObject, Response
from ..registry import fault

LISTS = ("listAttendeeMatches", "listEventMatches")
READS = (*LISTS, "getMatch")
NAMES = {
    "listAttendeeMatches": "The matches of an attendee",
    "listEventMatches": "The matches of an event",
    "getMatch": "The match of a pair",
}
ALSO = ("matching.*", "lists.attendee_matches.*", "lists.event_matches.*")
Choose = Callable[[Call, Row, str | None], Row | None]


def choosing(patch: Patch, operation: str, make: Callable[[Choose], Choose]) -> None:
    """Replace how one operation chooses the run that it reads."""

    def wrap(inner: Callable[..., Row | None]) -> Any:
        def plain(call: Call, event: Row, pinned: str | None) -> Row | None:
            return inner(call, event, pinned)

        changed = make(plain)

        def choose_run(call: Call, event: Row, pinned: str | None = None) -> Row | None:
            return (changed if operation_of(call.request) == operation else plain)(call, event, pinned)

        return choose_run

    patch.wrap(matching, "choose_run", wrap)


def run_where(services: Services, condition: str, *parameters: Any) -> Row | None:
    """Return the first match run that fits."""
    return services.storage.one(f"SELECT * FROM runs WHERE kind = 'match' AND {condition}", parameters)


def asked(call: Call) -> str | None:
    return call.request.query.get("run_id")


# Which run is read


def ignore_run_id(inner: Choose) -> Choose:
    return lambda call, event, pinned: matching.latest_terminal_run(call.services, event)


def refuse_older(inner: Choose) -> Choose:
    def choose(call: Call, event: Row, pinned: str | None) -> Row | None:
        run, latest = inner(call, event, pinned), matching.latest_terminal_run(call.services, event)
        if run is not None and latest is not None and run["seq"] != latest["seq"]:
            raise ApiError("MATCH_RUN_NOT_FOUND", "the run was superseded")
        return run

    return choose


def oldest(inner: Choose) -> Choose:
    def choose(call: Call, event: Row, pinned: str | None) -> Row | None:
        if asked(call) or pinned:
            return inner(call, event, pinned)
        condition = "event_seq = ? AND terminal_at IS NOT NULL ORDER BY seq LIMIT 1"
        return run_where(call.services, condition, event["seq"]) or inner(call, event, pinned)

    return choose


def by_size(inner: Choose) -> Choose:
    """Take the ended run with most matches."""

    def choose(call: Call, event: Row, pinned: str | None) -> Row | None:
        if asked(call) or pinned:
            return inner(call, event, pinned)
        size = "(SELECT count(*) FROM matches WHERE run_seq = runs.seq)"
        condition = f"event_seq = ? AND terminal_at IS NOT NULL ORDER BY {size} DESC, seq LIMIT 1"
        return run_where(call.services, condition, event["seq"]) or inner(call, event, pinned)

    return choose


def remembered(inner: Choose) -> Choose:
    """Cache the default run of an event."""
    known: dict[int, Row] = {}

    def choose(call: Call, event: Row, pinned: str | None) -> Row | None:
        if asked(call) or pinned:
            return inner(call, event, pinned)
        # The cache keeps what earlier requests put there: the event's first run that ended.
        first = run_where(call.services, "event_seq = ? AND terminal_at IS NOT NULL ORDER BY seq LIMIT 1", event["seq"])
        if first is not None:
            known.setdefault(event["seq"], first)
        return known.get(event["seq"]) or inner(call, event, pinned)

    return choose


def newest(inner: Choose) -> Choose:
    """Take the newest run, whether or not it has ended."""

    def choose(call: Call, event: Row, pinned: str | None) -> Row | None:
        if asked(call) or pinned:
            return inner(call, event, pinned)
        return run_where(call.services, "event_seq = ? ORDER BY seq DESC LIMIT 1", event["seq"]) or inner(
            call, event, pinned
        )

    return choose


def none_meanwhile(inner: Choose) -> Choose:
    """Show no run at all while one is under way."""

    def choose(call: Call, event: Row, pinned: str | None) -> Row | None:
        under_way = run_where(call.services, "event_seq = ? AND terminal_at IS NULL", event["seq"])
        if under_way is not None and not asked(call) and not pinned:
            raise ApiError("MATCH_RUN_NOT_FOUND", "a match run is under way")
        return inner(call, event, pinned)

    return choose


def fall_back(inner: Choose) -> Choose:
    """Take the latest run where the one that was asked for is not found."""

    def choose(call: Call, event: Row, pinned: str | None) -> Row | None:
        try:
            return inner(call, event, pinned)
        except ApiError:
            latest = matching.latest_terminal_run(call.services, event)
            if latest is None:
                raise
            return latest

    return choose


def unknown_says(code: str) -> Callable[[Choose], Choose]:
    """Refuse an unknown run with another code."""

    def make(inner: Choose) -> Choose:
        def choose(call: Call, event: Row, pinned: str | None) -> Row | None:
            try:
                return inner(call, event, pinned)
            except ApiError:
                raise ApiError(code, "there is no such run") from None

        return choose

    return make


def any_events_run(inner: Choose) -> Choose:
    """Answer a run of another event with this event's own matches."""

    def choose(call: Call, event: Row, pinned: str | None) -> Row | None:
        other = run_where(
            call.services, "org_id = ? AND run_id = ? AND event_seq <> ?", call.org, asked(call), event["seq"]
        )
        latest = matching.latest_terminal_run(call.services, event)
        return latest if other is not None and latest is not None else inner(call, event, pinned)

    return choose


def across_events(inner: Choose) -> Choose:
    """Look a run up by its ID alone."""

    def choose(call: Call, event: Row, pinned: str | None) -> Row | None:
        other = run_where(call.services, "org_id = ? AND run_id = ?", call.org, asked(call))
        return other if other is not None else inner(call, event, pinned)

    return choose


def across_orgs(inner: Choose) -> Choose:
    """Find a run of another org by its ID."""

    def choose(call: Call, event: Row, pinned: str | None) -> Row | None:
        other = run_where(call.services, "org_id <> ? AND run_id = ?", call.org, asked(call))
        return other if other is not None else inner(call, event, pinned)

    return choose


SLOW = {"run_seconds": 0.3}
"""Long enough for a read to meet a run on its way."""

CHOICES: tuple[tuple[str, str, str, Callable[[Choose], Choose], tuple[str, ...]], ...] = (
    ("run_id", "ignored", "are those of the latest run, whatever `run_id` asks for", ignore_run_id, READS),
    ("run_id", "superseded", "cannot be read of a run once a later one has ended", refuse_older, READS),
    ("latest_run", "oldest", "are those of the first run where no `run_id` is given", oldest, READS),
    ("latest_run", "largest", "are those of the run with most matches", by_size, LISTS),
    ("latest_run", "cached", "are those of the run that was read first", remembered, READS),
    ("ended_run", "newest", "are those of the newest run, also before it has ended", newest, LISTS),
    ("unknown_run", "latest", "are those of the latest run where `run_id` names none", fall_back, READS),
    (
        "unknown_run",
        "code",
        "are refused with RUN_NOT_FOUND for an unknown run",
        unknown_says("RUN_NOT_FOUND"),
        READS,
    ),
    (
        "unknown_run",
        "event",
        "are refused with EVENT_NOT_FOUND for an unknown run",
        unknown_says("EVENT_NOT_FOUND"),
        LISTS,
    ),
    ("ended_run", "meanwhile", "cannot be read while a run is on its way", none_meanwhile, LISTS),
    ("run_of_another_event", "own", "are the event's own for the run of another event", any_events_run, READS),
    (
        "run_of_another_event",
        "shown",
        "are those of another event for that event's run",
        across_events,
        ("listEventMatches",),
    ),
)
for _aspect, _suffix, _sentence, _make, _among in CHOICES:
    for _operation in _among:
        fault(
            f"matching.{_aspect}.{_operation}.{_suffix}",
            f"{NAMES[_operation]} {_sentence}.",
            breaks=[f"matching.{_aspect}.{_operation}"],
            also=[*ALSO, f"error.{_operation}.MATCH_RUN_NOT_FOUND", f"codes.{_operation}", "isolation.*"],
            settings=SLOW if _aspect == "ended_run" else None,
        )(partial(choosing, operation=_operation, make=_make))


def session_unless(patch: Patch) -> None:
    """Drop the session filter unread where a run is named."""

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            if "run_id" in call.request.query:
                call.request.query = {name: one for name, one in call.request.query.items() if name != "session_id"}
            return await inner(call)

        return handler

    operations.handle(patch, "listEventMatches", make)


fault(
    "error.listEventMatches.SESSION_NOT_FOUND.with_a_run",
    "The event's matches ignore `session_id` where `run_id` is given.",
    breaks=["error.listEventMatches.SESSION_NOT_FOUND"],
)(session_unless)
fault(
    "isolation.listEventMatches.run",
    "The event's matches are those of another org's event for the ID of that org's run.",
    breaks=["isolation.listEventMatches"],
)(partial(choosing, operation="listEventMatches", make=across_orgs))


# What a match shows


def with_goal(patch: Patch, operation: str, name: str, value: Callable[[], str]) -> None:
    """Put a goal's ID into the two goal members of one operation's matches."""

    def spoil(match: JsonObject) -> JsonObject:
        goals = {goal: {**match[goal], name: value()} for goal in ("best_goal_match", "driving_goal_pair")}
        return {**match, **goals}

    def change(body: JsonObject) -> None:
        if "items" in body:
            body["items"] = [spoil(one) for one in body["items"]]
        else:
            body.update(spoil(body))

    changes.answered(patch, operation, change)


for _operation in READS:
    for _name, _sentence, _value in (
        ("goal_id", "a `goal_id`", lambda: "goal_" + secrets.token_hex(4)),
        ("needsGoalId", "a `needsGoalId`", lambda: "17"),
    ):
        fault(
            f"matching.goal_ids.{_operation}.{_name}",
            f"{NAMES[_operation]} shows {_sentence} in its goal members.".replace("matches of", "list of matches of"),
            breaks=[f"matching.goal_ids.{_operation}"],
            also=["matching.pair.*", f"schema.{_operation}.200", "lists.*"],
        )(partial(with_goal, operation=_operation, name=_name, value=_value))

fault(
    "matching.echo.event_id",
    "A page of an event's matches names the event by a number.",
    breaks=["matching.echo"],
    also=ALSO,
)(partial(changes.answered_member, operation="listEventMatches", name="event_id", value=lambda value: "1"))
fault(
    "matching.echo.attendee_id",
    "A page of an attendee's matches names no attendee.",
    breaks=["matching.echo"],
    also=ALSO,
)(partial(changes.answered_member, operation="listAttendeeMatches", name="attendee_id", value=lambda value: ""))

for _operation in LISTS:
    for _member in ("run_id", "event_id"):

        def _stale(patch: Patch, operation: str = _operation, name: str = _member) -> None:
            changes.items(patch, operation, lambda rows: [{**row, name: f"{row[name]}-0"} for row in rows])

        fault(
            f"matching.rows.run.{_operation}.{_member}",
            f"The rows of {_operation} carry another `{_member}` than their page.",
            breaks=["matching.rows.run"],
            also=ALSO,
        )(_stale)


# Whom they pair


@fault(
    "matching.event.own_attendees.org",
    "A match run pairs the event's attendees with those of other events of the org.",
    breaks=["matching.event.own_attendees"],
    also=[*ALSO, "runs.progress.*"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[matching.MatchWork], bool]) -> Any:
        def prepare(work: matching.MatchWork) -> bool:
            more = inner(work)
            strangers = work.services.storage.all(
                "SELECT * FROM attendees WHERE org_id = ? AND event_seq <> ? ORDER BY seq LIMIT 3",
                (work.run["org_id"], work.run["event_seq"]),
            )
            people = {one.attendee_id: one for one in [*work._population, *map(matching.profile, strangers)]}
            work._population[:] = sorted(people.values(), key=lambda one: one.attendee_id)
            return more

        return prepare

    patch.wrap(matching.MatchWork, "prepare", make)


@fault(
    "matching.event.pair_once.all_runs",
    "The match list of an event holds the rows of all its runs, whichever is asked for.",
    breaks=["matching.event.pair_once"],
    also=ALSO,
)
def _(patch: Patch) -> None:
    def all_runs(call: Call, where: str, parameters: list[Any]) -> Query:
        same_event = "SELECT seq FROM runs WHERE event_seq = (SELECT event_seq FROM runs WHERE seq = ?)"
        return where.replace("run_seq = ?", f"run_seq IN ({same_event})"), parameters

    changes.rows(patch, "listEventMatches", all_runs)


@fault(
    "matching.event.pair_once.twice",
    "The match list of an event holds the best pair of each page twice.",
    breaks=["matching.event.pair_once"],
    also=ALSO,
)
def _(patch: Patch) -> None:
    changes.items(patch, "listEventMatches", lambda rows: [*rows[:1], *rows])


def no_filter(call: Call, where: str, parameters: list[Any]) -> Query:
    return where.replace(" AND principal_id = ?", ""), parameters[:1]


def either_end(call: Call, where: str, parameters: list[Any]) -> Query:
    return where.replace("principal_id = ?", "? IN (principal_id, target_id)"), parameters


def as_target(call: Call, where: str, parameters: list[Any]) -> Query:
    return where.replace("principal_id = ?", "target_id = ?"), parameters


for _aspect, _suffix, _sentence, _query in (
    ("involved", "everybody", "all matches of the event", no_filter),
    ("principal", "either", "matches of which the attendee is the target as well", either_end),
    ("principal", "target", "the matches of which the attendee is the target", as_target),
):
    fault(
        f"matching.attendee.{_aspect}.{_suffix}",
        f"The matches of an attendee are {_sentence}.",
        breaks=[f"matching.attendee.{_aspect}"],
        also=ALSO,
    )(partial(changes.rows, operation="listAttendeeMatches", query=_query))


@fault(
    "matching.attendee.same_scores.directed",
    "The matches of an attendee show the score of one direction as `final_score`.",
    breaks=["matching.attendee.same_scores"],
    also=ALSO,
)
def _(patch: Patch) -> None:
    changes.items(
        patch,
        "listAttendeeMatches",
        lambda rows: [{**row, "final_score": row["sub_scores"]["score_a_to_b"]} for row in rows],
    )


@fault(
    "matching.attendee.same_scores.percent",
    "The matches of an attendee show scores of up to 100.",
    breaks=["matching.attendee.same_scores"],
    also=[*ALSO, "schema.listAttendeeMatches.200"],
)
def _(patch: Patch) -> None:
    changes.items(
        patch, "listAttendeeMatches", lambda rows: [{**row, "final_score": 100 * row["final_score"]} for row in rows]
    )


def swapped(call: Call) -> Call:
    principal, target = call.params["principal_partner_id"], call.params["target_partner_id"]
    call.params = {**call.params, "principal_partner_id": target, "target_partner_id": principal}
    return call


def in_order_of_ids(call: Call) -> Call:
    return swapped(call) if call.params["principal_partner_id"] > call.params["target_partner_id"] else call


for _suffix, _sentence, _turn in (
    ("reversed", "is that of the reverse pair", swapped),
    ("sorted", "is that of the two in the order of their IDs", in_order_of_ids),
):

    def _turn_pair(patch: Patch, turn: Callable[[Call], Call] = _turn) -> None:
        def make(inner: Handler) -> Handler:
            async def get_match(call: Call) -> Response:
                return await inner(turn(call))

            return get_match

        operations.handle(patch, "getMatch", make)

    fault(
        f"matching.pair.ordered.{_suffix}",
        f"The match of a pair {_sentence}.",
        breaks=["matching.pair.ordered"],
        also=[*ALSO, "error.getMatch.*"],
    )(_turn_pair)

for _member, _suffix, _sentence, _new in (
    ("match_id", "new", "has a new ID on every read", lambda body: "match_" + secrets.token_hex(10)),
    ("final_score", "rounded", "shows a rounded score", lambda body: round(body["final_score"], 1)),
    ("final_score", "other", "shows the score of the other direction", lambda body: body["sub_scores"]["score_b_to_a"]),
):

    def _pair_member(patch: Patch, name: str = _member, new: Callable[[JsonObject], Any] = _new) -> None:
        def change(body: JsonObject) -> None:
            body[name] = new(body)

        changes.answered(patch, "getMatch", change)

    fault(
        f"matching.pair.same_as_listed.{_member}.{_suffix}",
        f"The match of a pair {_sentence}.",
        breaks=["matching.pair.same_as_listed"],
    )(_pair_member)


@fault(
    "matching.pair.itself.broken",
    "Asking for the match of an attendee with itself breaks the server.",
    breaks=["matching.pair.itself"],
    also=["server_errors.getMatch", "codes.getMatch", "status.getMatch.*"],
)
def _(patch: Patch) -> None:
    def make(inner: Handler) -> Handler:
        async def get_match(call: Call) -> Response:
            if len({call.params["principal_partner_id"], call.params["target_partner_id"]}) == 1:
                raise ZeroDivisionError("no distance between a point and itself")
            return await inner(call)

        return get_match

    operations.handle(patch, "getMatch", make)


# How many

for _suffix, _sentence, _number in (
    ("ignored", "A match run keeps ten matches for each principal, whatever `top_n` says.", lambda top_n: 10),
    ("one_more", "A match run keeps one match more than `top_n` for each principal.", lambda top_n: top_n + 1),
):

    def _keep(patch: Patch, number: Callable[[int], int] = _number) -> None:
        def make(inner: Callable[..., Any]) -> Any:
            return lambda index, population, top_n: inner(index, population, number(top_n))

        patch.wrap(matching, "rank_targets", make)

    fault(
        f"matching.top_n.cap.{_suffix}",
        _sentence,
        breaks=["matching.top_n.cap"],
        also=["matching.top_n.default"],
    )(_keep)

for _default in (1, 5, 9, 50):

    def _by_default(patch: Patch, default: int = _default) -> None:
        patch(validation, "TOP_N_DEFAULT", default)

    fault(
        f"matching.top_n.default.{_default}",
        f"An omitted `top_n` means {_default}.",
        breaks=["matching.top_n.default"],
        also=["lists.event_matches.*", "lists.attendee_matches.*"],
    )(_by_default)


# One end of a pair


def mistaking(code: str, other: str, end: str, here: str) -> Callable[[Patch], None]:
    """Refuse a pair with another code where one end, `principal` or `target`, is not `here`."""

    def make(inner: Handler) -> Handler:
        async def get_match(call: Call) -> Response:
            try:
                return await inner(call)
            except ApiError as error:
                named = (call.org, call.params["event_id"], call.params[f"{end}_partner_id"])
                if error.code == code and not call.services.storage.scalar(here, named):
                    raise ApiError(other, "there is no such match") from None
                raise

        return get_match

    return lambda patch: operations.handle(patch, "getMatch", make)


IN_EVENT = (
    "SELECT count(*) FROM attendees JOIN events ON events.seq = attendees.event_seq"
    " WHERE events.org_id = ? AND events.event_id = ? AND attendees.attendee_id = ?"
)
IN_MATCHES = (
    "SELECT count(*) FROM matches JOIN runs ON runs.seq = matches.run_seq JOIN events ON events.seq = runs.event_seq"
    " WHERE events.org_id = ? AND events.event_id = ? AND matches.{}_id = ?"
)
for _end in ("principal", "target"):
    fault(
        f"matching.pair.unknown.{_end}",
        f"A pair whose {_end} is unknown is refused as one without a match.",
        breaks=["error.getMatch.ATTENDEE_NOT_FOUND"],
        also=["generated.*", "isolation.*"],
    )(mistaking("ATTENDEE_NOT_FOUND", "MATCH_NOT_FOUND", _end, IN_EVENT))
    fault(
        f"matching.pair.unscored.{_end}",
        f"A pair whose {_end} has no score is refused as if it were unknown.",
        breaks=["error.getMatch.MATCH_NOT_FOUND"],
        also=["generated.*"],
    )(mistaking("MATCH_NOT_FOUND", "ATTENDEE_NOT_FOUND", _end, IN_MATCHES.format(_end)))
