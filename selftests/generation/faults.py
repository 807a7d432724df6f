"""Faults that a scripted test has no reason to look for: they depend on order, on rare values or on overlap.

Each is a `Fault` of the reference's registry, made here and not registered: what finds it is the generated tests,
with the budget that the table in docs/generated-tests.md gives.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from meshi_reference.errors import ApiError
from meshi_reference.faults import Fault, Patch
from meshi_reference.patching.patch import Apply
from meshi_reference.resources import enrichment, events, importing, matching, runs, sessions
from meshi_reference.rules import paging
from meshi_reference.services import Call
from meshi_reference.wire.http import Response

HIDDEN: dict[str, Fault] = {}


def hidden(name: str, sentence: str, *breaks: str) -> Callable[[Apply], Apply]:
    """Keep a function that makes a fault, with the requirements that break."""

    def keep(apply: Apply) -> Apply:
        HIDDEN[name] = Fault(name, sentence, breaks, apply)
        return apply

    return keep


# Order


@hidden(
    "context-after-a-refusal",
    "A context update that follows a refused one on the same event drops the fields that it leaves out.",
    "context.kept",
)
def context_after_a_refusal(patch: Patch) -> None:
    refused: set[tuple[str, str]] = set()

    def make(update: Any) -> Any:
        async def update_context(call: Call) -> Response:
            name = (call.org, call.params["event_id"])
            try:
                answer: Response = await update(call)
            except ApiError:
                refused.add(name)
                raise
            if name in refused and answer.body is not None:
                refused.discard(name)
                gone = [field for field in answer.body["context"] if field not in call.body]
                for field in gone:
                    call.services.storage.execute(
                        f"UPDATE events SET {field} = NULL WHERE org_id = ? AND event_id = ?", name
                    )
                    answer.body["context"][field] = None
            return answer

        return update_context

    patch.wrap(events, "update_context", make)


@hidden(
    "session-after-a-match-run",
    "A session created after an event's second match run is stored and not listed.",
    "lists.sessions.complete",
)
def session_after_a_match_run(patch: Patch) -> None:
    late: set[str] = set()

    def make_create(create: Any) -> Any:
        async def create_session(call: Call) -> Response:
            answer: Response = await create(call)
            count = call.services.storage.scalar(
                "SELECT count(*) FROM runs JOIN events ON events.seq = runs.event_seq"
                " WHERE runs.kind = 'match' AND events.org_id = ? AND events.event_id = ?",
                (call.org, call.params["event_id"]),
            )
            if count >= 2:
                late.add(call.body["session_id"])
            return answer

        return create_session

    def make_list(listing: Any) -> Any:
        async def list_sessions(call: Call) -> Response:
            answer: Response = await listing(call)
            assert answer.body is not None
            answer.body["items"] = [row for row in answer.body["items"] if row["session_id"] not in late]
            return answer

        return list_sessions

    patch.wrap(sessions, "create_session", make_create)
    patch.wrap(sessions, "list_sessions", make_list)


@hidden(
    "key-worn-out",
    "An idempotency key that was replayed, then refused elsewhere, starts another run when it is replayed again.",
    "idempotency.replay.same_run.*",
    "idempotency.replay.other_body.*",
)
def key_worn_out(patch: Patch) -> None:
    past: dict[tuple[str, str], list[str]] = defaultdict(list)

    def make(accept: Any) -> Any:
        def accept_run(services: Any, new: runs.NewRun) -> Any:
            known = past[new.org, new.idempotency_key]
            try:
                row, replay = accept(services, new)
            except ApiError:
                known.append("conflict")
                raise
            if replay:
                if "replay" in known and "conflict" in known[known.index("replay") :]:
                    row, _ = accept(services, dataclasses.replace(new, idempotency_key=f"{new.idempotency_key}~"))
                known.append("replay")
            return row, replay

        return accept_run

    patch.wrap(runs, "accept_run", make)


@hidden(
    "rows-after-an-enrichment",
    "An import into an event with a session, after an enrichment run, leaves out its last row.",
    "attendees.listed",
)
def rows_after_an_enrichment(patch: Patch) -> None:
    def make(apply: Any) -> Any:
        def apply_rows(services: Any, run: Any, rows: list[dict[str, Any]]) -> Any:
            count = services.storage.scalar(
                "SELECT count(*) FROM runs WHERE kind = 'enrichment' AND event_seq = ?"
                " AND EXISTS (SELECT 1 FROM sessions WHERE sessions.event_seq = runs.event_seq)",
                (run["event_seq"],),
            )
            progress = json.loads(run["progress"])
            last = 1 < progress["total"] == progress["processed"] + len(rows)
            return apply(services, run, rows[:-1] if count and last else rows)

        return apply_rows

    patch.wrap(importing, "apply_rows", make)


# Rare values


@hidden(
    "leading-zero",
    "A session title that begins with a zero is taken for a number: the zero is gone.",
    "sessions.read_back.title",
)
def leading_zero(patch: Patch) -> None:
    def make(serialize: Any) -> Any:
        def serialize_session(row: Any, *rest: Any) -> dict[str, Any]:
            body: dict[str, Any] = serialize(row, *rest)
            if body["title"].startswith("0") and len(body["title"]) > 1:
                body["title"] = body["title"][1:]
            return body

        return serialize_session

    patch.wrap(sessions, "serialize_session", make)


@hidden(
    "one-time-zone",
    "Of all time zones one comes back in another spelling.",
    "events.read_back.timezone",
)
def one_time_zone(patch: Patch) -> None:
    def make(serialize: Any) -> Any:
        def serialize_event(row: Any, *rest: Any) -> dict[str, Any]:
            body: dict[str, Any] = serialize(row, *rest)
            if body["timezone"] == "Africa/Nairobi":
                body["timezone"] = "EAT"
            return body

        return serialize_event

    patch.wrap(events, "serialize_event", make)


@hidden(
    "page-of-ninety-nine",
    "A page of 99 rows is refused; 98 and 100 are fine.",
    "generated.accepts.list*",
)
def page_of_ninety_nine(patch: Patch) -> None:
    def make(parse: Any) -> Any:
        def parse_limit(text: str | None, settings: Any) -> int:
            if text == "99":
                raise ApiError("INVALID_LIMIT", "limit must be a number from 1 to 100")
            size: int = parse(text, settings)
            return size

        return parse_limit

    patch.wrap(paging, "parse_limit", make)


@hidden(
    "crowded-raw-data",
    "An attendee whose raw_data has three members is refused.",
    "generated.accepts.importAttendees",
)
def crowded_raw_data(patch: Patch) -> None:
    def make(check: Any) -> Any:
        async def check_rows(rows: list[Any], settings: Any) -> Any:
            raw = [row.get("raw_data") for row in rows if isinstance(row, dict)]
            if any(isinstance(one, dict) and len(one) == 3 for one in raw):
                raise ApiError("INVALID_ATTENDEE_RAW_DATA", "raw_data is too large")
            return await check(rows, settings)

        return check_rows

    patch.wrap(importing, "check_rows", make)


@hidden(
    "top-n-of-forty-nine",
    "A match run with a top_n of 49 breaks the server.",
    "server_errors.createMatchRun",
)
def top_n_of_forty_nine(patch: Patch) -> None:
    def make(create: Any) -> Any:
        async def create_match_run(call: Call) -> Response:
            if call.body.get("top_n") == 49:
                raise ZeroDivisionError
            answer: Response = await create(call)
            return answer

        return create_match_run

    patch.wrap(matching, "create_match_run", make)


# Overlap


@hidden(
    "lost-update",
    "Two updates of one event's context at once: the later one writes back what it read before the other.",
    "generated.histories.lost_update",
)
def lost_update(patch: Patch) -> None:
    def make(update: Any) -> Any:
        async def update_context(call: Call) -> Response:
            row = events.require_event(call)
            before = events.serialize_context(row)
            await asyncio.sleep(0.004)
            answer: Response = await update(call)
            given = {name: value for name, value in before.items() if name not in call.body and value is not None}
            if given:
                row = events.store_context(call.services, row, given)
                answer.body = {"event_id": row["event_id"], "context": events.serialize_context(row)}
            return answer

        return update_context

    patch.wrap(events, "update_context", make)


@hidden(
    "key-in-two-events",
    "A key that arrives for two events at the same moment starts a run in each.",
    "generated.histories.one_run",
)
def key_in_two_events(patch: Patch) -> None:
    on_their_way: dict[str, str] = {}

    def make(create: Any) -> Any:
        async def create_run(call: Call) -> Response:
            key, event = str(call.body.get("idempotency_key")), call.params["event_id"]
            first = on_their_way.setdefault(key, event)
            try:
                await asyncio.sleep(0.01)
                if first != event:
                    call.body["idempotency_key"] = f"{key}~"
                answer: Response = await create(call)
                if first != event and answer.body is not None:
                    answer.body["idempotency_key"] = key
                return answer
            finally:
                if first == event:
                    on_their_way.pop(key, None)

        return create_run

    patch.wrap(enrichment, "create_enrichment_run", make)
    patch.wrap(matching, "create_match_run", make)
    patch.wrap(importing, "import_attendees", make)


@hidden(
    "shared-read",
    "A read of a context that begins while another is under way is answered with what that one read.",
    "generated.histories.context",
)
def shared_read(patch: Patch) -> None:
    under_way: dict[str, Response] = {}

    def make(get: Any) -> Any:
        async def get_context(call: Call) -> Response:
            event = call.params["event_id"]
            if event in under_way:
                shared = under_way[event]
                return Response(shared.status, dict(shared.body or {}))
            answer: Response = await get(call)
            under_way[event] = answer
            try:
                await asyncio.sleep(0.012)
            finally:
                del under_way[event]
            return answer

        return get_context

    patch.wrap(events, "get_context", make)
